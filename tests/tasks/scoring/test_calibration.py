from pathlib import Path

import numpy as np
import pytest

from tasks.records import Example, Prediction
from tasks.scoring.baselines import Baselines
from tasks.scoring.calibration import (
    brier,
    curve,
    describe,
    expected_error,
    figures,
    fit_temperature,
    log_loss,
    scaled,
    thresholds,
    write_curve,
)
from tasks.scoring.entities import HEADLINE, baselines, confidences

SURE = np.array([0.95, 0.95, 0.95, 0.95, 0.55, 0.15])
RIGHT = np.array([True, True, True, False, True, False])


def test_a_temperature_divides_the_logit_of_being_right() -> None:
    assert scaled(np.array([0.8]), 2.0) == pytest.approx(1 / (1 + np.exp(-np.log(4) / 2)))
    power = np.array([0.8, 0.2]) ** (1 / 2)
    assert scaled(np.array([0.8]), 2.0)[0] == pytest.approx(power[0] / power.sum())
    assert scaled(np.array([0.0, 0.3, 0.5, 1.0]), 1.0) == pytest.approx([0.0, 0.3, 0.5, 1.0])
    assert scaled(np.array([0.0, 0.5, 1.0]), 3.0).tolist() == [0.0, 0.5, 1.0]


@pytest.mark.parametrize("true", [0.5, 1.0, 2.5])
def test_the_temperature_that_made_the_answers_is_found(true: float) -> None:
    generator = np.random.default_rng(1)
    sure = generator.uniform(0.02, 0.98, 40_000)
    right = generator.random(40_000) < scaled(sure, true)
    found = fit_temperature(sure, right)
    assert found == pytest.approx(true, rel=0.05)
    assert log_loss(scaled(sure, found), right) <= min(log_loss(scaled(sure, t), right) for t in (0.5, 1.0, 1.7, 2.5))


@pytest.mark.parametrize("right", [[], [True, True], [False]])
def test_where_all_or_none_are_right_nothing_is_fitted(right: list[bool]) -> None:
    sure = np.full(len(right), 0.9)
    assert fit_temperature(sure, np.array(right, np.bool_)) == 1.0


def test_error_and_brier_score_by_hand() -> None:
    # four of 0.95 of which 3/4 are right, one of 0.55 that is, one of 0.15 that is not
    assert expected_error(SURE, RIGHT) == pytest.approx((4 * 0.20 + 0.45 + 0.15) / 6)
    assert brier(SURE, RIGHT) == pytest.approx((3 * 0.05**2 + 0.95**2 + 0.45**2 + 0.15**2) / 6)
    nothing = np.zeros(0), np.zeros(0, np.bool_)
    assert expected_error(*nothing) == brier(*nothing) == 0.0
    assert set(figures(*nothing, 1.0).values()) == {0.0}


def test_the_curve_has_the_bins_that_hold_an_answer(tmp_path: Path) -> None:
    rows = curve(SURE, RIGHT)
    assert [(row["confidence"], row["accuracy"], row["count"]) for row in rows] == [
        (0.15, 0, 1),
        (0.55, 1, 1),
        (0.95, 0.75, 4),
    ]
    assert all(0 <= row["low"] < row["high"] <= 1 for row in rows)
    assert (rows[2]["low"], rows[2]["high"]) == pytest.approx((0.300642, 0.954413), abs=1e-5)  # Wilson, 3 of 4
    write_curve(tmp_path / "reliability.csv", rows)
    lines = (tmp_path / "reliability.csv").read_text().splitlines()
    assert lines[0] == "confidence,accuracy,low,high,count"
    assert lines[3].startswith("0.95,0.75,")
    assert curve(np.array([1.0]), np.array([True]))[0]["confidence"] == 1.0


def test_a_threshold_trades_recall_for_precision() -> None:
    rows = {row["confidence"]: row for row in thresholds(SURE, RIGHT, gold=8)}
    assert rows[0.0] == {"confidence": 0.0, "precision": 0.666667, "recall": 0.5, "f1": 0.571429, "count": 6}
    assert rows[0.5] == {"confidence": 0.5, "precision": 0.8, "recall": 0.5, "f1": 0.615385, "count": 5}
    assert thresholds(np.zeros(0), np.zeros(0, np.bool_), 0)[0]["precision"] == 0.0


def test_the_description_has_both_curves_and_what_the_temperature_did() -> None:
    card = describe(SURE, RIGHT, 8)
    assert card["temperature"] == fit_temperature(SURE, RIGHT) > 1
    assert card["curve"] == curve(SURE, RIGHT) != card["curve_calibrated"]
    assert card["fitted_on"] == "validation"
    assert card["brier_calibrated"] < card["brier"]


def test_an_entity_is_as_sure_as_its_least_sure_word() -> None:
    made = [
        Prediction("a:1", ["B-A", "I-A", "O", "B-B"], ["B-A", "I-A", "O", "B-A"], [0.9, 0.7, 0.2, 0.6]),
        Prediction("a:2", ["O", "O"], ["O", "O"], [0.5, 0.5]),
        Prediction("a:3", ["B-A", "B-A"], ["B-A", "B-A"], [0.8, 0.4]),
    ]
    sure, right = confidences(made)
    assert (sure.tolist(), right.tolist()) == ([0.7, 0.6, 0.8, 0.4], [True, False, True, True])
    assert [len(part) for part in confidences(made[1:2])] == [0, 0]


TRAIN = [
    (["Ann", "met", "New", "York", "Times"], ["B-PER", "O", "B-ORG", "I-ORG", "I-ORG"]),
    (["New", "York", "met", "May"], ["B-LOC", "I-LOC", "O", "B-PER"]),
    (["May", "York"], ["O", "B-LOC"]),
    (["May"], ["O"]),
]


def test_baselines_by_hand() -> None:
    learned = Baselines(TRAIN)
    words = ["New", "York", "Times", "and", "New", "York", "met", "May", "York"]
    assert learned.dictionary(words) == ["B-ORG", "I-ORG", "I-ORG", "O", "B-LOC", "I-LOC", "O", "B-PER", "B-LOC"]
    assert learned.majority(["Ann", "May", "Times", "x"]) == ["B-PER", "O", "B-ORG", "O"]
    assert learned.majority([]) == learned.dictionary([]) == []


def test_baselines_are_scored_on_other_sentences() -> None:
    train = [Example(str(n), None, {"words": words}, tags) for n, (words, tags) in enumerate(TRAIN)]
    test = [Example("t", None, {"words": ["Ann", "met", "May"]}, ["B-PER", "O", "O"])]
    figures = {name: round(HEADLINE.of(given), 6) for name, given in baselines(train, test).items()}
    assert figures == {"dictionary": 0.666667, "majority": 1.0}
