"""Whether the best trials of a search crowd at the edge of the space, beyond which there may be better ones."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flows.search import Row
from tasks.errors import UserError
from tasks.params import Choices, Range

EDGE = 0.1  # share of a range, on its scale, that counts as its edge
CROWD = 0.6  # share of the best trials there that makes a crowd; by chance it is EDGE
FEWEST = 4  # best trials


def corners(
    dimensions: Sequence[Range | Choices], rows: Sequence[Row], check: Callable[[Mapping[str, Any]], None]
) -> list[str]:
    """A sentence for each end of a range where the best quarter of the trials crowds and params.yaml allows more.

    Empty with fewer than FEWEST trials in the best quarter.
    """
    done = sorted((row for row in rows if row.value is not None), key=lambda row: -(row.value or 0.0))
    best = done[: len(done) // 4]
    if len(best) < FEWEST:
        return []
    found = []
    for one in dimensions:
        if isinstance(one, Choices):
            continue
        places = [_place(one, row.params[one.param]) for row in best]
        for end, limit, there in (
            ("low", one.low, sum(place <= EDGE for place in places)),
            ("high", one.high, sum(place >= 1 - EDGE for place in places)),
        ):
            beyond = _beyond(one, end)
            if there >= CROWD * len(best) and _allowed(check, one.param, beyond):
                found.append(
                    f"{there} of the best {len(best)} trials lie at the {end} end of {one.param} ({limit:g}): extend "
                    f"the space, {end}: {beyond:.3g} say."
                )
    return found


def _place(one: Range, value: float) -> float:
    """Where in its range a value lies, 0 to 1."""
    if one.scale == "log":
        return math.log(value / one.low) / math.log(one.high / one.low)
    return float((value - one.low) / (one.high - one.low))


def _beyond(one: Range, end: str) -> float:
    """A value past the end by about a third of the range; whole where the ends are."""
    if one.scale == "log":
        factor = (one.high / one.low) ** (1 / 3)
        value: float = one.low / factor if end == "low" else one.high * factor
    else:
        step = (one.high - one.low) / 3
        value = one.low - step if end == "low" else one.high + step
    if isinstance(one.low, int) and isinstance(one.high, int):
        return math.floor(value) if end == "low" else math.ceil(value)
    return float(f"{value:.3g}")


def _allowed(check: Callable[[Mapping[str, Any]], None], key: str, value: float) -> bool:
    try:
        check({key: value})
    except UserError:
        return False
    return True
