"""Which experiment has which key. Commits never change, so keys once read are kept; the file is safe to delete."""

import json
import os
from pathlib import Path

from flows.trials.recorded import EVERY, keys

KEPT = Path(".dvc/tmp/hone/@keys.json")
LISTING = ("for-each-ref", "--format=%(objectname) %(refname)", EVERY)


def named(listing: str, wanted: set[str]) -> list[tuple[str, str]]:
    """Commit and ref of the experiments with one of the wanted keys.

    Args:
        listing: what ``git`` says to LISTING in the current folder.
    """
    refs = [(rev, ref) for rev, _, ref in (line.partition(" ") for line in listing.splitlines())]
    kept = _kept()
    if any(rev not in kept for rev, _ in refs):
        kept = keys()
        KEPT.parent.mkdir(parents=True, exist_ok=True)
        draft = KEPT.with_name(f"{KEPT.name}.{os.getpid()}")
        draft.write_text(json.dumps(kept), encoding="utf-8")
        draft.replace(KEPT)
    return [(rev, ref) for rev, ref in refs if kept.get(rev) in wanted]


def _kept() -> dict[str, str]:
    try:
        kept = json.loads(KEPT.read_bytes())
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}
