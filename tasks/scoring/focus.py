"""What costs most: what the headline would become if just one kind of error, type or slice were right.

No estimate: the counts of the errors in question are replaced by those of being right, and the figure is computed
anew. Knows nothing of entities; see tasks/scoring/cases.py for what a task hands in.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tasks.scoring.cases import RIGHT, Case
from tasks.scoring.figures import rounded
from tasks.scoring.measures import Measure

MOST = 100  # entries of a dimension that are kept, by gain; a corpus may have thousands of documents


def focus(
    measure: Measure, cases: Sequence[Case], slices: Sequence[Mapping[str, str]], kinds: Sequence[str]
) -> dict[str, Any]:
    """The figures of every kind, type and slice, what would be gained most first.

    Args:
        measure: the headline.
        cases: those of all predictions of validation.
        slices: ``{dimension: name}`` of each case.
        kinds: every kind of error the task has, so that one without errors shows as 0.

    Returns:
        ``headline``: name, value and counts; ``errors``: number by kind, which sum to all errors; ``entries``: of each
        kind, type and slice the number of errors, of gold and predicted items, the figure of these items alone (null
        for a kind, which has no right items), the headline if the errors were right, and the gain. ``left_out``:
        number of entries beyond MOST by dimension.
    """
    width = len(cases[0].counts) if cases else measure.counts([]).shape[1]  # may depend on the gold that there is
    counts = np.array([case.counts for case in cases], dtype=np.float64).reshape(len(cases), width)
    if_right = np.array([case.if_right for case in cases], dtype=np.float64).reshape(len(cases), width)
    totals, wrong = counts.sum(axis=0), np.array([case.kind != RIGHT for case in cases], dtype=bool)
    items = np.array([(len(case.gold), len(case.predicted)) for case in cases], dtype=int).reshape(len(cases), 2)
    value = rounded(measure.figure(totals))
    groups: dict[tuple[str, str], list[int]] = {}
    for index, (case, names) in enumerate(zip(cases, slices, strict=True)):
        if case.kind != RIGHT:
            groups.setdefault(("kind", case.kind), []).append(index)
        for dimension, name in {"type": case.type, **names}.items():
            groups.setdefault((dimension, name), []).append(index)
    entries = []
    for (dimension, name), members in groups.items():
        mended = if_right[members].sum(axis=0) - counts[members].sum(axis=0)
        reached = rounded(measure.figure(totals + mended))
        gold, predicted = items[members].sum(axis=0).tolist()
        entries.append(
            {
                "dimension": dimension,
                "name": name,
                "errors": int(wrong[members].sum()),
                "gold": gold,
                "predicted": predicted,
                "figure": None if dimension == "kind" else rounded(measure.figure(counts[members].sum(axis=0))),
                "figure_if_right": reached,
                "gain": round(reached - value, 6),
            }
        )
    entries.sort(key=lambda entry: (-entry["gain"], entry["name"], entry["dimension"]))
    kept, left_out = _bounded(entries)
    gold, predicted = items.sum(axis=0).tolist()
    return {
        "headline": {
            "name": measure.name,
            "value": value,
            "split": "validation",
            "errors": int(wrong.sum()),
            "gold": gold,
            "predicted": predicted,
        },
        "errors": {kind: len(groups.get(("kind", kind), ())) for kind in kinds},
        "entries": kept,
        "left_out": left_out,
    }


def _bounded(entries: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], dict[str, int]]:
    seen: dict[str, int] = {}
    kept = []
    for entry in entries:
        dimension = entry["dimension"]
        seen[dimension] = seen.get(dimension, 0) + 1
        if seen[dimension] <= MOST:
            kept.append(entry)
    return kept, {dimension: number - MOST for dimension, number in sorted(seen.items()) if number > MOST}
