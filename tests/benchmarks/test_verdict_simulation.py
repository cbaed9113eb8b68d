import numpy as np
import pytest

from benchmarks.verdict_simulation import FINDS, World, careful_log_odds, draw, simulate, truth


def test_systems_of_other_habits_have_the_same_truth() -> None:
    assert truth(0.0, careful=True) == pytest.approx(truth(0.0), abs=1e-4)
    assert careful_log_odds() < FINDS


def test_drawn_counts_are_counts_and_their_f1_is_the_truth() -> None:
    world = World("large", 20_000, 1, (1, 2))
    before, after = draw(world, 0.0, np.random.default_rng(1))
    assert [len(before), len(after)] == [1, 2] and before[0].shape == (20_000, 3)
    right, predicted, gold = before[0].sum(axis=0)
    assert right <= min(predicted, gold)
    assert 2 * right / (predicted + gold) == pytest.approx(truth(0.0), abs=0.01)


def test_equal_systems_are_seldom_told_apart_and_large_differences_are_found() -> None:
    row = simulate(World("small", 60, 3), 60, 20, 200, np.random.default_rng(3))
    assert row.wrong <= 8 and row.found_in_80 is not None and 0.02 < row.found_in_80 < 0.2
    assert 0.02 < row.called_visible < 0.2
