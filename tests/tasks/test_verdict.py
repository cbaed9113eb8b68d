import numpy as np
import pytest

from tasks.records import Example, Prediction
from tasks.scoring.entities import HEADLINE, score, type_counts
from tasks.scoring.measures import f1
from tasks.verdict import SHOWN, judge

TAGS = (["B-PER", "I-PER", "O"], ["O", "B-LOC", "O"])
WORDS = (["Ann", "Lee", "left"], ["in", "Rome", "now"])
EXAMPLES = [Example(f"t.conll:{n}", None, {"words": WORDS[n % 2]}, TAGS[n % 2]) for n in range(60)]


def answers(wrong: set[int], instead: dict[int, list[str]] | None = None) -> list[Prediction]:
    """Right answers but for the examples in ``wrong``, of which nothing is found, or what ``instead`` says."""
    return [
        Prediction(
            id=one.id,
            gold=one.target,
            predicted=(instead or {}).get(n, ["O"] * 3) if n in wrong else one.target,
            confidence=[0.9] * 3,
        )
        for n, one in enumerate(EXAMPLES)
    ]


def judged(before, after, **options):
    options = {"relevant": 0.05, "resamples": 1000, "show_text": True} | options
    return judge("token_classification", before, after, EXAMPLES, lambda: iter(EXAMPLES), **options)


def test_gold_against_gold_is_perfect_and_no_evidence() -> None:
    found = judged([answers(set())], [answers(set())])
    assert (found.headline.before, found.headline.after, found.headline.verdict) == (1, 1, "no evidence")
    assert found.kinds == {} and found.fixed == found.broken == [] and set(found.types) == {"LOC", "PER"}
    assert found.name == HEADLINE.name and (found.unit, found.examples) == ("sentences", "sentences")


def test_kinds_types_slices_and_sentences_by_hand() -> None:
    before = answers({0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22})
    after = answers({0, 1}, {0: ["B-PER", "O", "O"]})
    found = judged([before], [after])
    assert (found.fixed_count, found.broken_count) == (11, 1) and len(found.fixed) == SHOWN
    assert [one.id for one in found.broken] == ["t.conll:1"]
    assert (
        found.broken[0].gold == found.broken[0].before == "in [Rome LOC] now" and found.broken[0].after == "in Rome now"
    )
    kinds = {name: (-one.before, -one.after) for name, one in found.kinds.items()}
    assert kinds == {"missed": (12, 1), "boundary too short": (0, 1)}
    assert found.kinds["missed"].verdict == "better", "fewer errors are better"
    assert found.types["PER"].before == pytest.approx(2 * 18 / (18 + 30)) and found.types["LOC"].after < 1
    assert found.types["PER"].verdict == "better"
    assert {"entity length: 1 word", "entity length: 2 words"} <= set(found.slices)
    assert found.slices["entity length: 2 words"].before == found.types["PER"].before


def test_figures_of_types_are_those_of_the_metrics() -> None:
    predictions = answers({0, 1, 3, 5}, {3: ["B-PER", "O", "O"], 5: ["O", "B-PER", "O"]})
    counts = type_counts(predictions)
    assert np.array_equal(sum(counts.values()), HEADLINE.counts(predictions))
    per_type = score(predictions)["per_type"]
    assert {name: round(float(f1(matrix.sum(axis=0))), 6) for name, matrix in counts.items()} == {
        name: entry["f1"] for name, entry in per_type.items()
    }


def test_a_sentence_counts_as_fixed_when_half_the_seeds_changed() -> None:
    before = [answers({0, 1}), answers({0})]
    after = [answers(set()), answers({1})]
    found = judged(before, after)
    assert [one.id for one in found.fixed] == ["t.conll:0"], "0 was wrong twice, 1 once before and once after"
    assert found.headline.seeds == (2, 2)


def test_texts_stay_out_when_they_must_not_be_shown() -> None:
    found = judged([answers({0})], [answers(set())], show_text=False)
    assert [(one.id, one.gold, one.before, one.after) for one in found.fixed] == [("t.conll:0", "", "", "")]
    assert "Ann" not in str(found.as_json())


def test_one_document_is_one_observation() -> None:
    one = [Example(e.id, "same", e.inputs, e.target) for e in EXAMPLES[:30]] + EXAMPLES[30:]
    found = judge(
        "token_classification",
        [answers({0})],
        [answers(set())],
        one,
        lambda: iter(one),
        relevant=0.05,
        resamples=1000,
        show_text=True,
    )
    assert (found.headline.groups, found.unit) == (31, "documents")
    assert not any(name.startswith("document") for name in found.slices)


def test_a_scorer_without_type_counts_is_judged_by_the_type_of_its_cases(monkeypatch) -> None:
    from tasks.scoring import entities

    with_counts = judged([answers({0, 1})], [answers(set())]).types
    monkeypatch.delattr(entities, "type_counts")
    assert judged([answers({0, 1})], [answers(set())]).types == with_counts, "the same where no type is mistaken"
