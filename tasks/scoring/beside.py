"""The model beside its baselines: the figure of each, and by how much the model beats the best of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tasks.records import Prediction
from tasks.scoring import intervals
from tasks.scoring.measures import Measure


def beside(
    measure: Measure, predictions: Sequence[Prediction], baselines: Mapping[str, Sequence[Prediction]]
) -> dict[str, Any]:
    """``baseline_<name>`` (``..._f1`` of an F1) for each, and ``over_<name>`` with its paired 95 % interval.

    The interval is the bootstrap over documents of tasks.scoring.intervals, in which both answer the same documents.
    ``best_baseline`` names the one that is best on these very examples, which favours it, and ``over_baseline`` is by
    how much the model beats that one.

    Args:
        measure: the headline.
        predictions: the model's.
        baselines: theirs by name, at least one, each for the same examples in the same order.
    """
    ending = "_f1" if measure.name.endswith("_f1") else ""
    own = measure.counts(predictions)
    counts = {name: measure.counts(given) for name, given in baselines.items()}
    found = {name: float(measure.figure(rows.sum(axis=0))) for name, rows in counts.items()}
    best = max(sorted(found), key=found.__getitem__)
    width = own.shape[1]
    over: dict[str, Any] = {}
    for name, rows in counts.items():
        drawn = intervals.resample(np.concatenate([own, rows], 1), intervals.group_ids(predictions))
        low, high = intervals.limits(measure.figure(drawn[:, :width]) - measure.figure(drawn[:, width:]))
        figures = (float(measure.figure(own.sum(axis=0))) - found[name], float(low), float(high))
        for key in (f"over_{name}", *(["over_baseline"] if name == best else [])):
            over |= {
                f"{key}{part}": round(value, 6) for part, value in zip(("", "_low", "_high"), figures, strict=True)
            }
    return {
        **{f"baseline_{name}{ending}": round(value, 6) for name, value in found.items()},
        "best_baseline": best,
        **over,
    }
