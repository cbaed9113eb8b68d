"""Which experiment has which key. Commits never change, so keys once read are kept; the file is safe to delete."""

from pathlib import Path

from flows.memo import keep, recall
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
        keep(KEPT, kept)
    return [(rev, ref) for rev, ref in refs if kept.get(rev) in wanted]


def _kept() -> dict[str, str]:
    kept = recall(KEPT)
    return kept if isinstance(kept, dict) else {}
