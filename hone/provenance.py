"""What a model was made with (its hone.json) against what is here; a difference is said, since figures may move."""

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from flows.memo import keep, recall
from tasks.models import content_hash

MODEL, CARD = "data/model", "hone.json"
LOCK = "dvc.lock"
FULL = 40  # digits of a commit's whole name
INSTALLED = Path(".dvc/tmp/hone/@installed.json")  # versions here; asking for them takes longer than a known trial may
MADE = Path(".dvc/tmp/hone/@made.json")  # by commit, of trials whose commits do not say it


def differences(card: Mapping[str, Any], prepared: Path | None) -> list[str]:
    """One line for each thing that differs between a model and this place; none for a model without such facts.

    Args:
        card: the model's hone.json, with ``versions`` by package and ``data``, the content hash of what it read.
        prepared: the folder of prepared data to compare ``data`` with, where it is here.
    """
    lines = []
    made = dict(card.get("versions") or {})
    here = _installed(made)
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
    known = recall(MADE)
    known = known if isinstance(known, dict) else {}
    if rev in known:
        return dict(known[rev])
    card = _card_of(rev)
    if card and len(rev) == FULL:  # a branch may move on, a commit does not
        _keep(MADE, known | {rev: card})
    return card


def _card_of(rev: str) -> dict[str, Any]:
    """The hone.json of a trial's model, if DVC's cache has it; DVC takes half a second to say where that is."""
    from flows.lock_text import locked
    from flows.trials.git import blobs

    (lock,) = blobs([f"{rev}:{LOCK}"])
    folder = locked(lock, f"{rev[:9]}:{LOCK}").outs.get(MODEL) if lock is not None else None
    listing = _cached(folder)
    entries = json.loads(listing) if listing else []
    card = _cached(next((entry["md5"] for entry in entries if entry["relpath"] == CARD), None))
    return dict(json.loads(card)) if card else {}


def _installed(names: Iterable[str]) -> dict[str, str]:
    """Versions of packages here, ``none`` where one is not; kept as long as nothing is installed or removed."""
    wanted = sorted(names)
    folders = [path for path in sys.path if path.endswith("-packages") and Path(path).is_dir()]
    stamp = [[path, Path(path).stat().st_mtime_ns] for path in folders]
    kept = recall(INSTALLED)
    if isinstance(kept, dict) and kept.get("of") == stamp and all(name in kept["versions"] for name in wanted):
        return {name: kept["versions"][name] for name in wanted}
    from importlib.metadata import PackageNotFoundError, version

    here = {}
    for name in wanted:
        try:
            here[name] = version(name)
        except PackageNotFoundError:
            here[name] = "none"
    _keep(INSTALLED, {"of": stamp, "versions": here})
    return here


def _keep(path: Path, value: Any) -> None:
    if path.parents[2].is_dir():  # in a project
        keep(path, value)


def _cached(md5: str | None) -> bytes | None:
    """What DVC's cache on this machine has under that hash."""
    from flows.trials.disk import cache_folder

    path = cache_folder() / md5[:2] / md5[2:] if md5 else None
    return path.read_bytes() if path is not None and path.is_file() else None


def between(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """One line for packages whose versions differ between two models, by their hone.json."""
    before, after = (dict(card.get("versions") or {}) for card in (old, new))
    moved = [
        f"{name} {before[name]} and {after[name]}" for name in before if name in after and before[name] != after[name]
    ]
    return [f"The models were made with other versions: {'; '.join(moved)}."] if moved else []
