"""Which trials no other one beats in both quality and cost: the Pareto front."""

from collections.abc import Sequence

from flows.search import Row


def front(rows: Sequence[Row]) -> list[Row]:
    """The trials for which no other is at least as good and at least as cheap, and better in one; cheapest first."""
    known = [row for row in rows if row.value is not None and row.seconds is not None]
    ordered = sorted(known, key=lambda row: (row.seconds or 0.0, -(row.value or 0.0), row.number))
    found: list[Row] = []
    for row in ordered:
        if not found or (row.value or 0.0) > (found[-1].value or 0.0):
            found.append(row)
    return found
