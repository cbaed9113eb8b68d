"""Distinct-n: a case worked out by hand, and how often its interval holds the figure of other samples."""

import random

import numpy as np
import pytest

from tasks.scoring.distinct import NORMAL, distinct


def test_a_case_by_hand() -> None:
    """a b a / b c: 3 of 5 words and 3 of 3 pairs. Without the first text 2 of 2 words, without the other 2 of 3."""
    texts, groups = ["A b a", "b c."], np.arange(2)
    figure, low, high = distinct(texts, 1, groups)
    assert figure == 3 / 5
    spread = NORMAL * np.sqrt(1 / 2 * ((1 - 5 / 6) ** 2 + (2 / 3 - 5 / 6) ** 2))
    assert (low, high) == pytest.approx((3 / 5 - spread, 3 / 5 + spread))
    assert distinct(texts, 2, groups) == (1.0, 1.0, 1.0)


def test_texts_without_runs_and_a_single_document_have_no_interval() -> None:
    assert distinct([], 1, np.arange(0)) == (0.0, 0.0, 0.0)
    assert distinct(["one", ""], 2, np.arange(2)) == (0.0, 0.0, 0.0)
    assert distinct(["one two", "one two"], 1, np.zeros(2, np.int64)) == (0.5, 0.5, 0.5)


def test_the_interval_holds_the_mean_of_other_samples_at_least_as_often_as_it_says() -> None:
    draw = random.Random(1)
    vocabulary = [f"w{int(rank)}" for rank in 1.15 ** np.arange(60)]

    def sample() -> list[str]:
        return [" ".join(draw.choices(vocabulary, k=6)) for _ in range(40)]

    expected = np.mean([distinct(sample(), 2, np.arange(40))[0] for _ in range(200)])
    found = [distinct(sample(), 2, np.arange(40)) for _ in range(200)]
    held = sum(low <= expected <= high for _, low, high in found)
    assert held >= 190
