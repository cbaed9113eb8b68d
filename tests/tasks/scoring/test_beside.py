"""The model beside its baselines, by hand and against the paired comparison that hone diff uses."""

import numpy as np
import pytest

from tasks.records import Prediction
from tasks.scoring import classes, intervals
from tasks.scoring.beaten import beaten
from tasks.scoring.beside import beside
from tasks.scoring.measures import Measure
from tasks.scoring.paired import compare


def answers(right: list[int]) -> list[Prediction]:
    """Texts of two classes, right where there is a 1."""
    return [
        Prediction(f"f:{number}", "ab"[number % 2], "ab"[number % 2 ^ 1 - one], [1.0])
        for number, one in enumerate(right)
    ]


def test_the_best_baseline_is_the_one_that_is_compared() -> None:
    model, good, poor = answers([1] * 36 + [0] * 4), answers([1] * 24 + [0] * 16), answers([0] * 40)
    found = beside(classes.HEADLINE, model, {"poor": poor, "good": good})
    assert (found["baseline_poor_f1"], found["baseline_good_f1"], found["best_baseline"]) == (0.0, 0.6, "good")
    assert found["over_baseline"] == pytest.approx(0.3)
    paired = compare(
        [classes.class_counts(good)],
        [classes.class_counts(model)],
        intervals.group_ids(model),
        classes.HEADLINE.figure,
        relevant=0.05,
    )
    assert found["over_baseline_low"] == pytest.approx(paired.low, abs=0.02)
    assert found["over_baseline_high"] == pytest.approx(paired.high, abs=0.02)
    assert [found[f"over_good{part}"] for part in ("", "_low", "_high")] == [
        found[f"over_baseline{part}"] for part in ("", "_low", "_high")
    ]
    assert found["over_poor"] == pytest.approx(0.9)
    assert found["over_poor_low"] < 0.9 < found["over_poor_high"]
    assert beaten(found).startswith("model beats its best baseline (good) by 0.3000 [+0.1")


def test_a_model_that_is_no_better_is_said_to_be_none() -> None:
    even, odd = answers([1, 0] * 20), answers([0, 1] * 20)
    found = beside(classes.HEADLINE, even, {"other": odd})
    assert found["over_baseline_low"] < 0 < found["over_baseline_high"]
    assert "not shown to beat the baseline other" in beaten(found)
    found = beside(classes.HEADLINE, answers([0] * 40), {"other": odd})
    assert "is worse than the baseline other by 0.3333 [-0.3" in beaten(found)


def test_equal_answers_differ_by_nothing_at_all() -> None:
    given = answers([1, 1, 0, 1] * 5)
    found = beside(classes.HEADLINE, given, {"same": given})
    assert [found[f"over_baseline{ending}"] for ending in ("", "_low", "_high")] == [0, 0, 0]


def test_names_of_other_figures_than_f1_have_no_ending() -> None:
    share = Measure(
        "bleu", lambda made: np.array([[one.gold == one.predicted] for one in made], float), lambda x: x[..., 0]
    )
    assert beside(share, answers([1]), {"copy": answers([0])})["baseline_copy"] == 0.0
