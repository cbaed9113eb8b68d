"""Figures of things that have a type, from counts by type: each type, macro and micro, with 95 % intervals."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.records import Prediction
from tasks.scoring import intervals
from tasks.scoring.figures import ends, rounded
from tasks.scoring.measures import f1, macro_f1

Floats = NDArray[np.float64]


def typed(
    predictions: Sequence[Prediction], names: Sequence[str], counts: Floats, others: Floats, headline: str, micro: str
) -> dict[str, Any]:
    """What the metrics say of typed things, rounded to six decimals.

    Args:
        names: the T types, those of gold.
        counts: right, predicted and gold of each type and prediction, (n, 3 T).
        others: predicted things of types that gold lacks, (n,); they count in micro figures.
        headline: name of the macro F1.
        micro: name of the micro F1.

    Returns:
        Both figures with ``_low`` and ``_high``, ``per_type``, and precision and recall (the means over
        the types, under the headline's name without ``_f1``).
    """
    groups = intervals.group_ids(predictions)
    width = len(names)
    together = np.concatenate([counts, others[:, None]], 1)
    drawn = intervals.resample(together, groups)
    sums = together.sum(axis=0)
    table = sums[:-1].reshape(width, 3)
    precision, recall = _shares(table[:, 0], table[:, 1]), _shares(table[:, 0], table[:, 2])
    stem = headline.removesuffix("_f1")
    scores: dict[str, Any] = {
        f"{stem}_precision": rounded(precision.mean() if width else 0.0),
        f"{stem}_recall": rounded(recall.mean() if width else 0.0),
    }
    for name, figure in ((headline, lambda x: macro_f1(x[..., :-1])), (micro, _micro)):
        scores |= ends(name, figure, sums, drawn)
    every = f1(table)
    low, high = intervals.limits(f1(drawn[:, :-1].reshape(len(drawn), width, 3)))
    scores["per_type"] = {
        name: {
            "f1": rounded(every[number]),
            "f1_low": rounded(low[number]),
            "f1_high": rounded(high[number]),
            "precision": rounded(precision[number]),
            "recall": rounded(recall[number]),
            "support": int(table[number, 2]),
        }
        for number, name in enumerate(names)
    }
    return scores


def _micro(sums: Floats) -> Floats:
    table = sums[..., :-1].reshape(*sums.shape[:-1], sums.shape[-1] // 3, 3).sum(axis=-2)
    table[..., 1] += sums[..., -1]
    return f1(table)


def _shares(part: Floats, whole: Floats) -> Floats:
    result: Floats = np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
    return result
