"""What a model was made with (its hone.json) against what is here; a difference is said, since figures may move."""

import json
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from flows.lock_text import locked
from flows.trials.disk import cache_folder
from flows.trials.git import blobs
from tasks.models import content_hash

MODEL, CARD = "data/model", "hone.json"
LOCK = "dvc.lock"


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


def of_trial(rev: str, cost: Mapping[str, Any]) -> dict[str, Any]:
    """The versions that a trial was made with, as ``versions`` of a card; empty where nothing tells.

    Args:
        rev: commit of the trial.
        cost: what its commit says of the stages that ran. Where none did, as all came out of the run-cache, the model's
            hone.json tells, if DVC's cache has it.
    """
    stages = (cost.get("files") or {}).values()
    versions = {name: one for stage in stages for name, one in (stage.get("versions") or {}).items()}
    if versions:
        return {"versions": versions}
    (lock,) = blobs([f"{rev}:{LOCK}"])
    folder = locked(lock, f"{rev[:9]}:{LOCK}").outs.get(MODEL) if lock is not None else None
    listing = _cached(folder)
    entries = json.loads(listing) if listing else []
    card = _cached(next((entry["md5"] for entry in entries if entry["relpath"] == CARD), None))
    return dict(json.loads(card)) if card else {}


def _cached(md5: str | None) -> bytes | None:
    """What DVC's cache on this machine has under that hash."""
    path = cache_folder() / md5[:2] / md5[2:] if md5 else None
    return path.read_bytes() if path is not None and path.is_file() else None


def between(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """One line for packages whose versions differ between two models, by their hone.json."""
    before, after = (dict(card.get("versions") or {}) for card in (old, new))
    moved = [
        f"{name} {before[name]} and {after[name]}" for name in before if name in after and before[name] != after[name]
    ]
    return [f"The models were made with other versions: {'; '.join(moved)}."] if moved else []
