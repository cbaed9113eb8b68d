"""Recall and reciprocal rank of chosen responses: a case by hand, kinds of errors, baselines."""

import pytest

from tasks.records import Example, Prediction
from tasks.scoring import selection
from tasks.scoring.dialogue import ANALYSIS, HEADLINE, baselines, confidences, confusion, rank, score


def response(text: str, service: str = "A", act: str = "") -> dict[str, str]:
    return {"text": text, "service": service, "act": act}


def chosen(number: int, gold: dict[str, str], predicted: dict[str, str], *others: str) -> Prediction:
    return Prediction(f"a:{number}", gold, predicted, [0.5], None, list(others), [0.1] * len(others))


OWN = response("on its way")
FOUR = [
    chosen(1, OWN, OWN, "b", "c", "d", "e", "f"),
    chosen(2, OWN, response("b"), "on its way", "c", "d", "e", "f"),
    chosen(3, OWN, response("b"), "c", "d", "on its way", "e", "f"),
    chosen(4, response("on its way", "B"), response("b", "B"), "c", "d", "e", "f", "on its way"),
]


def test_a_case_by_hand() -> None:
    """Places 1, 2, 4 and 6: recall 1/4, 2/4, 3/4, reciprocal ranks 1, 1/2, 1/4 and 1/6."""
    scores = score(FOUR)
    assert [rank(one) for one in FOUR] == [1, 2, 4, 6]
    assert (scores["recall_at_1"], scores["recall_at_2"], scores["recall_at_5"]) == (0.25, 0.5, 0.75)
    assert scores["mrr"] == pytest.approx((1 + 1 / 2 + 1 / 4 + 1 / 6) / 4, abs=1e-6)
    assert scores["recall_at_1"] == selection.recall_at_1(
        *([getattr(p, side) for p in FOUR] for side in ("gold", "predicted"))
    )
    assert scores["recall_at_1"] == pytest.approx(HEADLINE.of(FOUR))
    assert scores["mrr_low"] <= scores["mrr"] <= scores["mrr_high"]
    assert (scores["candidates_fewest"], scores["candidates_most"], scores["gold_entities"]) == (6, 6, 4)
    assert scores["per_type"]["A"]["mrr"] == pytest.approx((1 + 1 / 2 + 1 / 4) / 3, abs=1e-6)
    assert (scores["per_type"]["B"]["f1"], scores["per_type"]["B"]["support"]) == (0.0, 1)
    assert confidences(FOUR)[1].tolist() == [True, False, False, False]


def test_gold_as_prediction_is_perfect_and_nothing_is_nothing() -> None:
    assert score([chosen(1, OWN, OWN)])["mrr"] == 1.0
    empty = score([])
    assert (empty["recall_at_1"], empty["mrr"], empty["per_type"]) == (0.0, 0.0, {})
    assert selection.recall_at_1([], []) == 0.0
    assert rank(chosen(1, OWN, response("b"))) == 0  # of a baseline, which ranks no others


@pytest.mark.parametrize(
    ("gold", "given", "kind"),
    [
        (response("a b"), response("a b"), "right"),
        (response("have a great day"), response("Have a great day!"), "nearly the same words"),
        (response("where to", act="ASK"), response("when", act="ASK"), "another response of the same act"),
        (response("where to", act="ASK"), response("in Graz", act="TELL"), "a response of another act"),
        (response("where to"), response("in Graz", service="B"), "a response of another service"),
        (response("where to"), response("in Graz"), "another response"),
    ],
)
def test_what_was_chosen_instead_is_named(gold: dict[str, str], given: dict[str, str], kind: str) -> None:
    (case,) = ANALYSIS.cases([chosen(1, gold, given)])
    assert case.kind == kind
    assert kind == "right" or kind in ANALYSIS.kinds


def test_a_mistake_holds_no_word_of_the_data_and_its_slices_are_those_of_the_history() -> None:
    inputs = {"history": [{"role": "user", "text": "one two three"}] * 5}
    gold = response("private", "A", "ASK")
    example, made = Example("a:1", "d", inputs, gold), chosen(1, gold, response("other", "A"), "private")
    (case,) = ANALYSIS.cases([made])
    mistake = ANALYSIS.mistake(case, example, made, None)
    assert mistake == {"type": "A", "predicted_type": "A", "confidence": 0.5, "rank": 2}
    assert ANALYSIS.slices(case, example, None) == {
        "turn": "5th to 8th",
        "history length": "10 to 29",
        "act": "ASK",
        "document": "d",
    }
    assert confusion([made]) == [("ASK", "A")]


def test_baselines_choose_by_words_and_by_chance() -> None:
    candidates = [response(text) for text in ("yes", "the box is in Graz", "bye")]
    history = [{"role": "user", "text": text} for text in ("bye", "bye bye", "is the box in Graz")]
    asked = [Example(f"a:{n}", None, {"history": history, "candidates": candidates}, candidates[1]) for n in range(300)]
    found = baselines(asked[:1], asked)
    assert HEADLINE.of(found["tfidf"]) == 1.0
    assert HEADLINE.of(found["random"]) == pytest.approx(1 / 3, abs=0.1)
    assert found == baselines(asked[:1], asked)
