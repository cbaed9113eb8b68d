import time
from itertools import product

import numpy as np
import pytest

from tasks.errors import UserError
from tasks.scoring.measures import f1
from tasks.scoring.paired import Comparison, compare, holm, judge

ITEMS = np.arange(400)


def model(rate: float, seed: int, items: int = 400) -> np.ndarray:
    """Counts (items, 3) of a model that finds ``rate`` of two gold entities an item and invents nothing."""
    right = np.random.default_rng(seed).binomial(2, rate, items)
    return np.stack([right, right, np.full(items, 2)], axis=1).astype(float)


def accuracy(sums: np.ndarray) -> np.ndarray:
    return sums[..., 0] / sums[..., 1]


def test_better_worse_and_the_same_the_other_way_round() -> None:
    weak, strong = model(0.6, 1), model(0.8, 2)
    up = compare([weak], [strong], ITEMS, f1, relevant=0.05)
    down = compare([strong], [weak], ITEMS, f1, relevant=0.05)
    assert (up.verdict, down.verdict) == ("better", "worse")
    assert up.low < up.difference < up.high and up.difference == pytest.approx(-down.difference)
    assert up.p == down.p == pytest.approx(1 / 10_001)
    assert up.before == pytest.approx(float(f1(weak.sum(axis=0))))


def test_the_same_model_twice_is_no_evidence_and_says_p_is_one() -> None:
    same = compare([model(0.6, 1)], [model(0.6, 1)], ITEMS, f1, relevant=0.05)
    assert (same.difference, same.low, same.high, same.p, same.differing) == (0, 0, 0, 1, 0)
    assert same.verdict == "no evidence"


def test_few_data_are_called_few_and_many_are_not() -> None:
    few = compare([model(0.6, 1, 40)], [model(0.6, 2, 40)], np.arange(40), f1, relevant=0.05)
    many = compare([model(0.6, 1, 4000)], [model(0.6, 2, 4000)], np.arange(4000), f1, relevant=0.05)
    assert (few.verdict, many.verdict) == ("too few data", "no evidence")
    assert few.detectable > 0.05 > many.detectable
    assert few.detectable / many.detectable == pytest.approx(10, rel=0.3)  # the root of a hundred times the data


def test_five_documents_can_never_show_a_difference() -> None:
    result = compare([model(0.1, 1, 5)], [model(0.9, 2, 5)], np.arange(5), f1, relevant=1.0)
    assert result.verdict == "too few data"


def test_p_is_that_of_all_swaps_written_out() -> None:
    before = np.array([[1, 1], [0, 1], [1, 1], [0, 1], [0, 1], [0, 1], [1, 1]], dtype=float)
    after = np.array([[1, 1], [1, 1], [0, 1], [1, 1], [1, 1], [1, 1], [1, 1]], dtype=float)
    moves = (after - before)[:, 0]
    all_swaps = [
        abs(sum(sign * move for sign, move in zip(signs, moves, strict=True))) for signs in product([1, -1], repeat=7)
    ]
    exact = np.mean(np.array(all_swaps) >= abs(moves.sum()))
    result = compare([before], [after], np.arange(7), accuracy, relevant=0.05)
    assert result.p == pytest.approx(exact, abs=0.02)
    assert result.differing == 5


def test_the_interval_is_that_of_the_plain_bootstrap() -> None:
    before, after = model(0.6, 1, 80), model(0.7, 2, 80)
    rng = np.random.default_rng(5)
    picks = rng.integers(80, size=(20_000, 80))
    plain = f1(after[picks].sum(axis=1)) - f1(before[picks].sum(axis=1))
    result = compare([before], [after], np.arange(80), f1, relevant=0.05)
    assert (result.low, result.high) == pytest.approx(np.quantile(plain, [0.025, 0.975]), abs=0.006)


def test_documents_are_resampled_whole() -> None:
    """Sentences of one document that stand and fall together are one observation, not ten."""
    before, after = np.repeat(model(0.6, 1, 40), 10, axis=0), np.repeat(model(0.6, 2, 40), 10, axis=0)
    documents = np.repeat(np.arange(40), 10)
    alone = compare([before], [after], np.arange(400), f1, relevant=0.05)
    together = compare([before], [after], documents, f1, relevant=0.05)
    assert (alone.groups, together.groups) == (400, 40)
    assert together.detectable / alone.detectable == pytest.approx(10**0.5, rel=0.1)


def test_what_seeds_differ_by_widens_the_interval() -> None:
    calm = compare([model(0.7, s) for s in (1, 2, 3)], [model(0.7, s) for s in (4, 5, 6)], ITEMS, f1, relevant=0.05)
    wild = compare(
        [model(rate, s) for s, rate in enumerate((0.6, 0.7, 0.8))],
        [model(rate, s) for s, rate in enumerate((0.62, 0.72, 0.82), 3)],
        ITEMS,
        f1,
        relevant=0.05,
    )
    assert wild.detectable > 2 * calm.detectable
    assert wild.seeds == (3, 3)


def test_one_seed_against_several_borrows_their_spread() -> None:
    several = [model(rate, s) for s, rate in enumerate((0.6, 0.7, 0.8))]
    mixed = compare([model(0.75, 9)], several, ITEMS, f1, relevant=0.05)
    alone = compare([model(0.75, 9)], several[:1], ITEMS, f1, relevant=0.05)
    assert mixed.seeds == (1, 3)
    assert mixed.detectable > 2 * alone.detectable


def test_three_seeds_that_agree_are_better() -> None:
    before, after = [model(0.6, s) for s in (1, 2, 3)], [model(0.75, s) for s in (4, 5, 6)]
    assert compare(before, after, ITEMS, f1, relevant=0.05).verdict == "better"


def test_the_same_input_gives_the_same_output() -> None:
    sides = [model(0.6, 1), model(0.6, 2)], [model(0.65, 3)]
    first, second = (compare(*sides, ITEMS, f1, relevant=0.05) for _ in range(2))
    assert first == second
    assert first != compare(*sides, ITEMS, f1, relevant=0.05, seed=1)


def test_3500_sentences_and_10000_resamples_take_less_than_a_second() -> None:
    before, after = model(0.7, 1, 3500), model(0.72, 2, 3500)
    started = time.process_time()
    compare([before], [after], np.arange(3500), f1, relevant=0.05, resamples=10_000)
    assert time.process_time() - started < 1


def made(p: float, low: float = 0.01, high: float = 0.03, detectable: float = 0.01, groups: int = 100) -> Comparison:
    return Comparison(0.5, 0.52, low, high, p, detectable, 50, groups, (1, 1), "no evidence")


@pytest.mark.parametrize(
    ("comparison", "verdict"),
    [
        (made(0.04), "better"),
        (made(0.041), "no evidence"),
        (made(0.01, low=0.0), "no evidence"),
        (made(0.01, low=-0.03, high=-0.01), "worse"),
        (made(0.2, detectable=0.051), "too few data"),
        (made(0.2, groups=5), "too few data"),
    ],
)
def test_the_rule(comparison: Comparison, verdict: str) -> None:
    assert judge(comparison, 0.05) == verdict


def test_holm_as_worked_out_by_hand() -> None:
    adjusted = holm({"a": made(0.03), "b": made(0.01), "c": made(0.04)}, 0.05)
    assert {name: one.p for name, one in adjusted.items()} == pytest.approx({"a": 0.06, "b": 0.03, "c": 0.06})
    assert {name: one.verdict for name, one in adjusted.items()} == {
        "a": "no evidence",
        "b": "better",
        "c": "no evidence",
    }
    assert holm({}, 0.05) == {}


@pytest.mark.parametrize(
    ("before", "after", "items"),
    [
        ([], [model(0.5, 1)], 400),
        ([model(0.5, 1)], [model(0.5, 1, 30)], 400),
        ([model(0.5, 1, 0)], [model(0.5, 1, 0)], 0),
    ],
)
def test_what_cannot_be_compared_is_refused(before: list, after: list, items: int) -> None:
    with pytest.raises(UserError, match="nothing to compare"):
        compare(before, after, np.arange(items), f1, relevant=0.05)
