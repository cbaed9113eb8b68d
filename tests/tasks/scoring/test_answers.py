"""Answers as the official scripts count them: words in English, characters in Chinese, the best of several."""

import pytest

from tasks.records import Example, Prediction
from tasks.scoring import selection
from tasks.scoring.analysis import analyse
from tasks.scoring.answers import ANALYSIS, HEADLINE, baselines, score
from tasks.scoring.selection import answer_tokens


def answers(*texts: str) -> list[dict[str, object]]:
    return [{"start": 10 * number, "text": text} for number, text in enumerate(texts)]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("The Broncos!", ["broncos"]),
        ("an  apple a day", ["apple", "day"]),
        ("it's 2,000", ["its", "2000"]),
        ("在1998年，NBA", ["在", "1998", "年", "nba"]),
        ("《战国》", ["战", "国"]),
        ("the", []),
    ],
)
def test_tokens_are_those_of_the_official_scripts(text: str, tokens: list[str]) -> None:
    assert answer_tokens(text) == tokens


def test_a_case_by_hand() -> None:
    made = [
        Prediction("1", answers("the Denver Broncos"), answers("Denver Broncos"), [0.9]),
        Prediction("2", answers("gold", "a gold theme"), answers("gold theme of 50"), [0.4]),
        Prediction("3", answers("北京市"), answers("北京"), [0.6]),
        Prediction("4", [], [], [0.7]),
        Prediction("5", [], answers("x"), [0.2]),
        Prediction("6", answers("x y"), [], [0.3]),
    ]
    scores = score(made)
    f1 = [1.0, 2 * 2 / (2 + 4), 2 * 2 / (2 + 3), 1.0, 0.0, 0.0]
    assert scores["answer_f1"] == pytest.approx(sum(f1) / 6, abs=1e-6)
    assert scores["exact_match"] == pytest.approx(2 / 6, abs=1e-6)
    assert scores["per_type"]["answer"]["support"] == 4
    assert scores["per_type"]["no answer"]["f1"] == 0.5
    assert (scores["gold_entities"], scores["predicted_entities"]) == (6, 4)
    golds, given = [one.gold for one in made], [one.predicted for one in made]
    assert selection.answer_f1(golds, given) == pytest.approx(HEADLINE.of(made))
    assert scores["answer_f1"] == pytest.approx(HEADLINE.of(made), abs=1e-6)


def test_the_longest_common_run_counts_in_the_figure_of_cmrc() -> None:
    scores = score([Prediction("1", answers("甲乙丙丁"), answers("甲乙丁"), [0.5])])
    assert scores["answer_f1"] == pytest.approx(2 * 3 / 7, abs=1e-6)
    assert scores["answer_f1_lcs"] == pytest.approx(2 * 2 / 7, abs=1e-6)


def test_errors_have_kinds() -> None:
    gold = [{"start": 10, "text": "ab cd"}]
    given = [[{"start": 10, "text": "ab"}], [{"start": 7, "text": "xx ab cd"}], [{"start": 13, "text": "cd ef"}]]
    given += [[{"start": 50, "text": "zz"}], []]
    made = [Prediction(str(number), gold, one, [0.5]) for number, one in enumerate(given)]
    made.append(Prediction("9", [], answers("x"), [0.5]))
    examples = [Example(one.id, None, {"question": "In what year?", "context": "c" * 60}, one.gold) for one in made]
    found = analyse(ANALYSIS, HEADLINE, examples, made, [], lambda _: [], seed=1, variants=0, confidence=0.9)
    assert found.focus["errors"] == {
        "another answer": 1,
        "answer too long": 1,
        "answer too short": 1,
        "answer shifted": 1,
        "answered the unanswerable": 1,
        "found no answer": 1,
    }
    assert {line["slices"]["question word"] for line in found.mistakes} == {"what"}


def test_the_baseline_is_the_sentence_nearest_to_the_question() -> None:
    inputs = {"question": "who moves boxes", "context": "Merkel visited Graz. Kestrel moves boxes. Nothing else."}
    example = Example("1", None, inputs, answers("Kestrel"))
    given = baselines([], [example])
    assert HEADLINE.of(given["sentence"]) == 0.5
