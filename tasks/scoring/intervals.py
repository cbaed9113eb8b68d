"""How sure a figure is: 95 % intervals by the bootstrap over documents (Efron and Tibshirani 1993, percentile method).

What is drawn anew is documents, since sentences of one document are alike in what is hard about them. Only the sums of
counts of a drawn set matter, so documents with equal counts are one kind, and a set of documents follows from how often
it has each kind. Where there are few kinds these numbers are drawn at once (they are multinomial), else one by one.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from tasks.records import Prediction

Floats = NDArray[np.float64]
RESAMPLES = 1000
SEED = 1  # always the same draws, so that the same predictions give the same interval
FASTER = 12  # times as long takes the number of one kind than one group
CHUNK = 50  # resamples that are in memory as weights at once
FEWEST = 5  # documents; with fewer, drawing them anew says nothing


def group_ids(predictions: Sequence[Prediction]) -> NDArray[np.int64]:
    """Number of the document of each prediction, (n,); one that has none is alone.

    Documents of two raw files are two, whatever their names. With fewer than FEWEST documents each prediction is alone.
    """
    numbers: dict[tuple[str, str], int] = {}
    for prediction in predictions:
        numbers.setdefault(_group(prediction), len(numbers))
    if len(numbers) < FEWEST:
        return np.arange(len(predictions))
    return np.array([numbers[_group(prediction)] for prediction in predictions], np.int64)


def _group(prediction: Prediction) -> tuple[str, str]:
    if prediction.document is None:
        return "", prediction.id
    return prediction.id.rpartition(":")[0], prediction.document


def describe(predictions: Sequence[Prediction], examples: str) -> str:
    """What was done, as it stands in the metrics; ``examples`` is what the task calls several of them."""
    groups = group_ids(predictions)
    unit = examples if len(np.unique(groups)) == len(groups) else "documents"
    return f"95 % bootstrap over {unit}, {RESAMPLES} resamples"


def resample(counts: Floats, groups: NDArray[np.int64], *, resamples: int = RESAMPLES, seed: int = SEED) -> Floats:
    """Sums of the counts of as many groups as there are, drawn with replacement.

    Args:
        counts: counts of each item, (n, K).
        groups: number of each item's group, from 0, (n,).

    Returns:
        One row per resample, (resamples, K).
    """
    if not len(counts):
        return np.zeros((resamples, counts.shape[1]))
    sums = np.stack([np.bincount(groups, column) for column in counts.T], 1)
    sums = sums[np.bincount(groups, minlength=len(sums)) > 0]
    as_bytes = np.ascontiguousarray(sums).view(np.dtype((np.void, sums.itemsize * sums.shape[1])))[:, 0]
    _, places, often = np.unique(as_bytes, return_index=True, return_counts=True)
    generator, count = np.random.default_rng(seed), len(sums)
    if len(places) * FASTER < count:
        draws = generator.multinomial(count, often / count, size=resamples)
        result: Floats = draws.astype(np.float64) @ sums[places]
        return result
    result = np.empty((resamples, sums.shape[1]))
    with threadpool_limits(1, user_api="blas"):  # on busy cores a second thread made this ten times slower
        for start in range(0, resamples, CHUNK):
            rows = result[start : start + CHUNK]
            weights = np.empty((len(rows), count))
            for weight in weights:
                weight[:] = np.bincount(generator.integers(count, size=count, dtype=np.int32), minlength=count)
            np.matmul(weights, sums, out=rows)
    return result


def limits(figures: Floats) -> tuple[Floats, Floats]:
    """The 2.5th and the 97.5th percentile over the first axis."""
    low, high = np.percentile(figures, [2.5, 97.5], axis=0)
    return low, high


def bootstrap(
    counts: Floats,
    groups: NDArray[np.int64],
    figure: Callable[[Floats], Floats],
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> tuple[float, float]:
    """The 95 % interval of a figure that follows from summed counts (tasks.scoring.measures).

    Args:
        counts: counts of each item, (n, K).
        groups: number of each item's group, from 0, (n,).
        figure: ``(..., K) -> (...)``.
    """
    low, high = limits(figure(resample(counts, groups, resamples=resamples, seed=seed)))
    return float(low), float(high)
