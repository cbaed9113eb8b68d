"""Summaries against the figures of the rouge-score package, several references, and what is new in a summary."""

import pytest
from rouge_score.rouge_scorer import RougeScorer

from tasks.records import Example, Prediction
from tasks.scoring import selection, summarization, summarization_mean
from tasks.scoring.cases import RIGHT
from tasks.scoring.summarization import ANALYSIS, HEADLINE, novelty, sentences
from tasks.scoring.written import FAR, REPEATS

PAIRS = [
    (
        ["We propose a method for learning rules.", "A new method learns rules from few examples."],
        "We learn a method of rules.",
    ),
    (["Graphs help models to generalize."], "Graph models generalize better than others do."),
    (["Nothing in common at all."], "Something else entirely, quite other words."),
]
MADE = [Prediction(f"a:{number}", gold, [text], [0.5]) for number, (gold, text) in enumerate(PAIRS)]


def test_rouge_is_that_of_the_package_by_best_and_by_mean_reference() -> None:
    scores = summarization.score(MADE)
    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=True)
    for ours, theirs in (("rouge_1", "rouge1"), ("rouge_2", "rouge2"), ("rouge_l", "rougeL")):
        best = [scorer.score_multi(gold, text)[theirs].fmeasure for gold, text in PAIRS]
        every = [[scorer.score(one, text)[theirs].fmeasure for one in gold] for gold, text in PAIRS]
        assert scores[ours] == pytest.approx(sum(best) / 3, abs=1e-6)
        assert scores[f"{ours}_mean"] == pytest.approx(sum(sum(own) / len(own) for own in every) / 3, abs=1e-6)
        assert scores[f"{ours}_low"] <= scores[ours] <= scores[f"{ours}_high"]
    assert scores["gold_entities"] == 4
    assert scores["mode"] == "best of the references"


def test_the_best_epoch_is_chosen_by_the_headline() -> None:
    chosen = selection.rouge_l([p.gold for p in MADE], [p.predicted for p in MADE])
    assert chosen == pytest.approx(HEADLINE.of(MADE)) == pytest.approx(summarization.score(MADE)["rouge_l"], abs=1e-6)
    assert selection.rouge_l([], []) == 0.0


@pytest.mark.parametrize(
    ("gold", "text", "figure"),
    [("süße Grüße aus Köln", "Grüße aus Köln", 6 / 7), ("男子在跑步", "男子走", 2 * 2 / 8)],
)
def test_other_scripts_are_not_lost(gold: str, text: str, figure: float) -> None:
    assert HEADLINE.of([Prediction("a:1", [gold], [text], [0.5])]) == pytest.approx(figure)


def test_the_first_sentence_and_the_best_place_of_train_are_baselines() -> None:
    texts = ["Rules are hard.\nYes.\nWe learn rules.", "Graphs are hard. We learn rules."]
    examples = [Example(f"a:{number}", None, {"text": text}, ["We learn rules."]) for number, text in enumerate(texts)]
    found = summarization.baselines(examples, examples)
    assert HEADLINE.of(found["lead"]) == pytest.approx(1 / 6)
    assert summarization.best_place(examples, HEADLINE) == 2  # the last one, of the shorter text too
    assert HEADLINE.of(found["place"]) == 1.0
    assert [one.predicted for one in summarization.at_place(examples, 9)] == [["We learn rules."]] * 2
    assert [one.predicted[0] for one in summarization.at_place(examples, -3)] == ["Rules are hard.", "Graphs are hard."]
    assert sentences("One. Two! Three") == ["One.", "Two!", "Three"]
    assert sentences("一。二") == ["一。", "二"]


def test_novelty_counts_pairs_of_words_that_the_source_lacks() -> None:
    assert novelty("we learn rules", "Rules: we learn rules.") == 0
    assert novelty("we learn new rules", "we learn rules") == pytest.approx(2 / 3)
    assert novelty("rules", "we learn") == 0


def test_kinds_and_slices() -> None:
    text = "we learn rules we learn rules"
    made = [*MADE, Prediction("a:9", ["We learn rules and graphs"], [text], [0.5])]
    cases = ANALYSIS.cases(made)
    assert [case.kind for case in cases] == [RIGHT, RIGHT, FAR, REPEATS]
    example = Example("a:9", None, {"text": "we learn rules"}, made[-1].gold)
    found = ANALYSIS.slices(cases[-1], example, None)
    assert found == {
        "source length": "up to 100",
        "novelty of the reference": "3 to 6 tenths",
        "novelty of the summary": "a tenth to 3 tenths",
        "repetition": "repeats itself",
    }
    level = sum(HEADLINE.of([one]) for one in made[:2]) / 2
    assert cases[-1].if_right == pytest.approx((level, 1.0))
    numbers = Prediction("a:8", ["We learn rules"], ["We learn 3 rules"], [0.5])
    assert ANALYSIS.cases([numbers])[0].kind == RIGHT  # the text may hold the number


def test_with_the_mean_of_the_references_headline_epoch_and_cases_follow_it() -> None:
    scores, headline = summarization_mean.score(MADE), summarization_mean.HEADLINE
    assert scores == {**summarization.score(MADE), "mode": "mean of the references"}
    chosen = selection.rouge_l_mean([p.gold for p in MADE], [p.predicted for p in MADE])
    assert chosen == pytest.approx(headline.of(MADE)) == pytest.approx(scores["rouge_l_mean"], abs=1e-6)
    assert scores["rouge_l_mean"] < scores["rouge_l"]
    assert selection.rouge_l_mean([], []) == 0.0
    cases = summarization_mean.ANALYSIS.cases(MADE)
    assert sum(case.counts[0] for case in cases) == pytest.approx(3 * headline.of(MADE))
    example = Example("a:1", None, {"text": "We learn rules."}, ["We learn rules.", "else"])
    assert headline.of(summarization_mean.baselines([example], [example])["lead"]) == pytest.approx(0.5)
    assert HEADLINE.of(summarization_mean.baselines([example], [example])["lead"]) == 1.0
