"""What a model was made with (its hone.json) against what is here; a difference is said, since figures may move."""

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tasks.models import content_hash


def differences(card: Mapping[str, Any], prepared: Path | None) -> list[str]:
    """One line for each thing that differs between a model and this place; none for a model without such facts.

    Args:
        card: the model's hone.json, with ``versions`` by package and ``data``, the content hash of what it read.
        prepared: the folder of prepared data to compare ``data`` with, where it is here.
    """
    lines = []
    made, here = dict(card.get("versions") or {}), {}
    for name in made:
        try:
            here[name] = version(name)
        except PackageNotFoundError:
            here[name] = "none"
    if moved := [f"{name} {made[name]}, here {here[name]}" for name in made if made[name] != here[name]]:
        lines.append(f"the model was made with {'; '.join(moved)}: the last digits of its figures may differ here")
    if card.get("data") and prepared is not None and prepared.is_dir():
        found = content_hash(prepared)
        if found != card["data"]:
            lines.append(f"the model learned from other data: {card['data']}, here {prepared} is {found}")
    return lines


def between(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """One line for packages whose versions differ between two models, by their hone.json."""
    before, after = (dict(card.get("versions") or {}) for card in (old, new))
    moved = [
        f"{name} {before[name]} and {after[name]}" for name in before if name in after and before[name] != after[name]
    ]
    return [f"The models were made with other versions: {'; '.join(moved)}."] if moved else []
