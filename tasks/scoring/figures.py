"""Figures as they stand in the metrics: rounded to six decimals, with both ends of their 95 % intervals."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.scoring import intervals
from tasks.scoring.measures import mean

Floats = NDArray[np.float64]


def rounded(value: Any) -> float:
    """A number as the metrics have it."""
    return round(float(value), 6)


def bounded(
    counts: Floats, groups: NDArray[np.int64], figures: Mapping[str, Callable[[Floats], Floats]]
) -> dict[str, float]:
    """Each figure by its name, with ``_low`` and ``_high``; all follow from the same draws.

    Args:
        counts: counts of each item, (n, K).
        groups: number of each item's group, from 0, (n,).
        figures: ``(..., K) -> (...)`` by name, of summed counts (tasks.scoring.measures).
    """
    sums, drawn = counts.sum(axis=0), intervals.resample(counts, groups)
    found: dict[str, float] = {}
    for name, figure in figures.items():
        found |= ends(name, figure, sums, drawn)
    return found


def ends(name: str, figure: Callable[[Floats], Floats], sums: Floats, drawn: Floats) -> dict[str, float]:
    """A figure of ``sums`` (K,) under ``name``, and of ``drawn`` (resamples, K) its ``_low`` and ``_high``."""
    low, high = intervals.limits(figure(drawn))
    return {name: rounded(figure(sums)), f"{name}_low": rounded(low), f"{name}_high": rounded(high)}


def means(rows: Floats, groups: NDArray[np.int64], columns: Mapping[str, int]) -> dict[str, float]:
    """The means over the items as `bounded` has them.

    Args:
        rows: figures of each item, (n, K).
        columns: name of a mean, and the column of ``rows`` that it is of.
    """
    counted = np.concatenate([rows, np.ones((len(rows), 1))], 1)
    return bounded(counted, groups, {name: partial(_of_column, column) for name, column in columns.items()})


def means_by_type(
    rows: Floats, groups: NDArray[np.int64], types: Sequence[str], columns: Mapping[str, int]
) -> dict[str, dict[str, float | int]]:
    """The same means of the items of each type alone, of which ``f1`` has an interval, and their number as ``support``.

    Args:
        types: the type of each item, (n,).
        columns: as in `means`; ``f1`` is among them.
    """
    kinds = np.array(types, dtype=object)
    found: dict[str, dict[str, float | int]] = {}
    for name in sorted(set(types)):
        chosen = kinds == name
        own = rows[chosen].mean(axis=0)
        found[name] = {
            **{key: rounded(own[column]) for key, column in columns.items()},
            **means(rows[chosen], groups[chosen], {"f1": columns["f1"]}),
            "support": int(chosen.sum()),
        }
    return found


def _of_column(column: int, sums: Floats) -> Floats:
    return mean(sums[..., [column, -1]])
