"""The short table of what to work on next. Apart from focus.py, so that a run where nothing changed loads no numpy."""

from collections.abc import Mapping
from typing import Any

SHOWN = 3  # of each sort: kinds, types, slices


def table(found: Mapping[str, Any], shown: int = SHOWN) -> list[str]:
    """The lines of "what to work on next": the kinds, types and slices that cost most, plain text.

    Of types and slices only those stand here that do worse than the whole, as it is no news that a large slice holds
    many errors; and of each dimension of slices only the costliest one.
    """
    value = found["headline"]["value"]
    entries = [entry for entry in found["entries"] if entry["gain"] > 0]
    worse = [entry for entry in entries if entry["figure"] is not None and entry["figure"] < value]
    kinds = [entry for entry in entries if entry["dimension"] == "kind"]
    types = [entry for entry in worse if entry["dimension"] == "type"]
    costliest = {entry["dimension"]: entry for entry in reversed(worse)}
    others = [entry for entry in worse if entry["dimension"] != "type" and entry is costliest[entry["dimension"]]]
    chosen = [*kinds[:shown], *types[:shown], *others[:shown]]
    if not chosen:
        return []
    names = [f"{entry['dimension']}: {entry['name']}" for entry in chosen]
    width = max(map(len, names))
    return [
        f"{name:<{width}}  {entry['errors']:>5} {'error ' if entry['errors'] == 1 else 'errors'}"
        f"  {value:.4f} -> {entry['figure_if_right']:.4f}  +{entry['gain']:.4f}"
        for name, entry in zip(names, chosen, strict=True)
    ]
