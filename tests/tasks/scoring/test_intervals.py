import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.records import Prediction
from tasks.scoring.intervals import bootstrap, describe, group_ids, resample
from tasks.scoring.measures import f1, macro_f1


def counts_of(items: int, types: int, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    gold = generator.poisson(1.5 / types, (items, types))
    right = generator.binomial(gold, 0.8)
    predicted = right + generator.poisson(0.3 / types, (items, types))
    return np.stack([right, predicted, gold], -1).reshape(items, -1).astype(np.float64)


def naive(counts: np.ndarray, groups: np.ndarray, resamples: int) -> np.ndarray:
    """Documents drawn one by one, their rows added up."""
    generator = np.random.default_rng(5)
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    drawn = [generator.integers(len(members), size=len(members)) for _ in range(resamples)]
    return np.array([sum(counts[members[index]].sum(axis=0) for index in draw) for draw in drawn])


@pytest.mark.parametrize("types", [1, 12])  # few kinds of documents, and so many that they are drawn one by one
def test_it_is_drawing_documents_with_replacement(types: int) -> None:
    counts, groups = counts_of(600, types), np.arange(600) // 2
    ours, theirs = resample(counts, groups, resamples=1500), naive(counts, groups, 1500)
    error = theirs.std(axis=0) / np.sqrt(1500)
    assert ours.mean(axis=0) == pytest.approx(theirs.mean(axis=0), abs=6 * error.max())
    assert np.cov(ours.T) == pytest.approx(np.cov(theirs.T), abs=0.2 * np.cov(theirs.T).max())


def test_the_interval_holds_the_true_figure_in_about_95_of_100_cases() -> None:
    truth = float(f1(counts_of(200_000, 1).sum(axis=0)))
    inside = 0
    for seed in range(400):
        low, high = bootstrap(counts_of(200, 1, seed + 1), np.arange(200), f1, resamples=400)
        inside += low <= truth <= high
    assert 0.92 <= inside / 400 <= 0.98


def test_sentences_that_fail_together_widen_the_interval() -> None:
    counts = np.repeat([[2.0, 2, 2], [0, 2, 2]], 100, axis=0)
    alone = bootstrap(counts, np.arange(200), f1)
    together = bootstrap(counts, np.arange(200) // 10, f1)
    assert together[1] - together[0] > 2 * (alone[1] - alone[0])


def test_same_seed_same_interval_and_nothing_gives_zero() -> None:
    counts = counts_of(100, 2)
    assert bootstrap(counts, np.arange(100), macro_f1) == bootstrap(counts, np.arange(100), macro_f1)
    assert bootstrap(counts, np.arange(100), macro_f1) != bootstrap(counts, np.arange(100), macro_f1, seed=7)
    assert bootstrap(np.zeros((0, 3)), np.zeros(0, np.int64), f1) == (0.0, 0.0)
    assert bootstrap(np.zeros((9, 3)), np.arange(9), f1) == (0.0, 0.0)


@settings(max_examples=50)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.integers(1, 4))
def test_of_one_group_every_resample_is_the_whole(rows: list[int], columns: int) -> None:
    counts = np.repeat(np.array(rows, np.float64)[:, None], columns, axis=1)
    drawn = resample(counts, np.zeros(len(rows), np.int64), resamples=3)
    assert (drawn == counts.sum(axis=0)).all()


def prediction(name: str, document: str | None) -> Prediction:
    return Prediction(name, ["O"], ["O"], [1.0], document)


def test_groups_are_documents_of_a_file_and_sentences_without_one() -> None:
    made = [prediction(f"a:{n}", f"doc {n // 2}") for n in range(6)] + [prediction("b:1", "doc 0")]
    made += [prediction("b:2", None), prediction("b:3", None)]
    groups = group_ids(made)
    assert groups.tolist() == [0, 0, 1, 1, 2, 2, 3, 4, 5]
    assert describe(made, "texts") == "95 % bootstrap over documents, 1000 resamples"


def test_of_too_few_documents_sentences_are_drawn_and_it_says_so() -> None:
    made = [prediction(f"a:{n}", "the only one") for n in range(4)]
    assert group_ids(made).tolist() == [0, 1, 2, 3]
    assert describe(made, "sentences") == "95 % bootstrap over sentences, 1000 resamples"


@pytest.mark.parametrize("types", [1, 20])
def test_fifty_thousand_sentences_take_less_than_a_second_of_work(types: int) -> None:
    counts = counts_of(50_000, types)
    started = time.process_time()
    resample(counts, np.arange(50_000))
    assert time.process_time() - started < 5  # 0.02 to 0.7 s (benchmarks/scoring.py); the room is for a busy machine
