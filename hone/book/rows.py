"""Iterations as rows of the ledger: what changed, how it compares with the best before it, how often test was seen."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hone.book.expectation import Expected, came_true
from hone.book.iterations import Iteration
from hone.book.verdicts import Verdict, Verdicts

ABSENT = "absent"
SILENT = (
    "goal",
    "sweep",
    "ablate",
    "curve",
    "diff",
    "gate",
    "keep_models",
    "checkpoints",
    "report",
    "watch",
)  # decide no result


@dataclass(frozen=True)
class Row:
    """One iteration in the ledger.

    Attributes:
        changed: old and new value by params key, against what it was made from.
        data: raw data that is other than there, by path.
        code: number of files of code or versions that are other than there.
        figure, low, high: the headline on validation with its interval; None where unknown.
        test: the headline on test.
        best: label of the best commit before it, empty for the first.
        verdict: against that.
        held: whether a trial brought what was expected of it, against the commit that it was tried on; None where
            nothing was expected, or it is not known.
        looks: different models that had been scored on test up to here.
    """

    iteration: Iteration
    changed: Mapping[str, tuple[Any, Any]]
    data: Sequence[str]
    code: int
    figure: float | None
    low: float | None
    high: float | None
    test: float | None
    best: str
    verdict: Verdict | None
    held: Expected | None
    looks: int


def rows(iterations: Iterable[Iteration], headline: str, verdicts: Verdicts) -> list[Row]:
    """The rows, oldest first. A commit is compared with the best commit before it, and so is a trial.

    Which commit is the best is decided by the headline on validation; after a change of the validation data by that of
    the commits since then.
    """
    found: list[Row] = []
    best: Iteration | None = None
    last: Iteration | None = None
    by_rev: dict[str, Iteration] = {}
    seen: set[str] = set()
    for one in iterations:
        origin = by_rev.get(one.base, last) if one.name else last
        changed, data, code = differences(origin, one)
        figure, low, high = (number(one.metrics.get("validation", {}), headline + end) for end in ("", "_low", "_high"))
        verdict = None
        if best is not None:
            verdict = verdicts.between([best.predictions.get("validation")], [one.predictions.get("validation")])
        seen |= {_test(one)} - {""}
        found.append(
            Row(
                iteration=one,
                changed=changed,
                data=data,
                code=code,
                figure=figure,
                low=low,
                high=high,
                test=number(one.metrics.get("test", {}), headline),
                best=best.label if best is not None else "",
                verdict=verdict,
                held=_held(one, origin, verdicts),
                looks=len(seen),
            )
        )
        if not one.name:
            by_rev[one.rev] = last = one
            before = number(best.metrics.get("validation", {}), headline) if best is not None else None
            other = verdict is not None and verdict.word == "other data"
            if figure is not None and (before is None or other or figure > before):
                best = one
    verdicts.save()
    return found


def differences(origin: Iteration | None, one: Iteration) -> tuple[dict[str, tuple[Any, Any]], list[str], int]:
    """Params with old and new value, paths of raw data, number of other inputs, that differ; nothing for the first."""
    if origin is None:
        return {}, [], 0
    keys = dict.fromkeys([*origin.params, *one.params]) if origin.params and one.params else {}
    pairs = {key: (origin.params.get(key, ABSENT), one.params.get(key, ABSENT)) for key in keys}
    changed = {key: pair for key, pair in pairs.items() if pair[0] != pair[1] and key.partition(".")[0] not in SILENT}
    data = [path for path in dict.fromkeys([*origin.data, *one.data]) if origin.data.get(path) != one.data.get(path)]
    code = sum(origin.code.get(path) != one.code.get(path) for path in dict.fromkeys([*origin.code, *one.code]))
    return changed, data, code


def number(values: Mapping[str, Any], key: str) -> float | None:
    """A number among metrics."""
    value = values.get(key)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _held(one: Iteration, origin: Iteration | None, verdicts: Verdicts) -> Expected | None:
    if one.expect is None or origin is None:
        return None
    before, after = (side.predictions.get("validation") for side in (origin, one))
    return came_true(one.expect, verdicts.between([before], [after]))


def _test(one: Iteration) -> str:
    """What makes a look at test another one: other predictions, or where these are not known other figures."""
    return one.predictions.get("test") or (repr(sorted(one.metrics["test"].items())) if one.metrics.get("test") else "")
