"""A figure of merit as counts that add up: what intervals, paired tests and what-if figures need to know of a task.

A corpus-level figure (F1, accuracy, BLEU) is no mean of the figures of its items, but it follows from sums of counts
that each item has. Resampling items then means summing rows again, without touching the texts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.records import Prediction


@dataclass(frozen=True)
class Measure:
    """One figure of merit.

    Attributes:
        name: as it stands in the metrics, e.g. ``entity_f1``.
        counts: ``(predictions) -> float64 (n, K)``: the counts of each prediction.
        figure: ``float64 (..., K) -> float64 (...)``: the figure that follows from summed counts; larger is better.
    """

    name: str
    counts: Callable[[Sequence[Prediction]], NDArray[np.float64]]
    figure: Callable[[NDArray[np.float64]], NDArray[np.float64]]

    def of(self, predictions: Sequence[Prediction]) -> float:
        """The figure over all predictions."""
        return float(self.figure(self.counts(predictions).sum(axis=0)))


def f1(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """F1 from (right, predicted, gold) on the last axis: 2 right / (predicted + gold), 0 where both are 0."""
    right, predicted, gold = np.moveaxis(sums, -1, 0)
    either = predicted + gold
    result: NDArray[np.float64] = np.divide(2 * right, either, out=np.zeros_like(either), where=either > 0)
    return result


def counted(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The counts whose figure is `mean`: the value of each item and 1 for it, (n,) to (n, 2)."""
    return np.stack([values, np.ones(len(values))], 1)


def mean(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean from a sum and how many it has, (..., 2) to (...); 0 of nothing."""
    total, count = sums[..., 0], sums[..., 1]
    result: NDArray[np.float64] = np.divide(total, count, out=np.zeros_like(total), where=count > 0)
    return result


def macro_f1(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean F1 of the types from (right, predicted, gold) of one type after the other on the last axis, (..., 3 types).

    A type that neither gold nor prediction has does not count; 0 where there is none at all.
    """
    types = sums.reshape(*sums.shape[:-1], sums.shape[-1] // 3, 3)
    there = (types[..., 1:].sum(axis=-1) > 0).sum(axis=-1)
    result: NDArray[np.float64] = f1(types).sum(axis=-1) / np.maximum(there, 1)
    return result
