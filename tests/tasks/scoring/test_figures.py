"""Figures with their intervals, against the bootstrap itself and by hand."""

import numpy as np
import pytest

from tasks.scoring.figures import bounded, means, means_by_type, rounded
from tasks.scoring.intervals import bootstrap
from tasks.scoring.measures import counted, f1, mean

ROWS = np.array([[1.0, 0.25], [0.0, 0.5], [1.0, 1 / 3], [1.0, 0.0]] * 5)
ALONE = np.arange(len(ROWS))


def test_a_figure_has_the_ends_of_its_bootstrap() -> None:
    counts = np.random.default_rng(3).integers(0, 3, (60, 3)).astype(np.float64)
    groups = np.arange(60) // 4
    low, high = bootstrap(counts, groups, f1)
    assert low < high
    assert bounded(counts, groups, {"a": f1}) == {
        "a": rounded(f1(counts.sum(axis=0))),
        "a_low": rounded(low),
        "a_high": rounded(high),
    }


def test_means_are_those_of_the_columns_named() -> None:
    found = means(ROWS, ALONE, {"second": 1, "first": 0})
    assert (found["first"], found["second"]) == (0.75, pytest.approx((0.75 + 1 / 3) / 4, abs=1e-6))
    low, high = bootstrap(counted(ROWS[:, 0]), ALONE, mean)
    assert low < 0.75 < high
    assert (found["first_low"], found["first_high"]) == (rounded(low), rounded(high))
    assert list(found) == [name + end for name in ("second", "first") for end in ("", "_low", "_high")]
    assert means(np.zeros((0, 2)), np.zeros(0, np.int64), {"first": 0})["first"] == 0.0


def test_each_type_has_the_means_of_its_own_items() -> None:
    types = ["b", "a", "b", "b"] * 5
    found = means_by_type(ROWS, ALONE, types, {"f1": 0, "other": 1})
    assert list(found) == ["a", "b"]
    assert found["a"] == {"f1": 0.0, "f1_low": 0.0, "f1_high": 0.0, "other": 0.5, "support": 5}
    assert (found["b"]["f1"], found["b"]["other"], found["b"]["support"]) == (1.0, rounded(7 / 36), 15)
    assert means_by_type(np.zeros((0, 2)), np.zeros(0, np.int64), [], {"f1": 0}) == {}
