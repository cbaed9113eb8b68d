"""The models of trials in DVC's cache: which can go because the trial is not among the best and can be run again.

Only models that some recorded trial of hone made are ever looked at. Of these stays what any commit of a branch, tag or
stash, any checkout, a kept trial or an experiment of somebody else refers to. Predictions and metrics always stay.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from flows.dag import stages
from flows.dvc import LOCK
from flows.trials.git import blobs, git
from flows.trials.known import parsed
from flows.trials.recorded import list_trials
from flows.trials.trial import Recorded
from tasks.errors import UserError

MODEL = "model"  # the name of the folder of outs that can go
MD5 = re.compile(rb"\b([0-9a-f]{32}(?:\.dir)?)\b")


@dataclass(frozen=True)
class Plan:
    """What stays and what can go.

    Attributes:
        kept: the best trials, best first.
        dropped: the others whose model is in the cache, each with the bytes that only such trials need; best first.
        objects: path in the cache to size of all that can go.
    """

    kept: list[Recorded]
    dropped: list[tuple[Recorded, int]]
    objects: dict[Path, int]


def plan(keep: int, metric: str, cache: Path) -> Plan:
    """Which models of trials can go.

    Args:
        keep: how many of the best on validation stay.
        metric: by which they are the best.
        cache: folder of DVC's objects, ``.dvc/cache/files/md5``.
    """
    everything = list_trials()
    ours = [one for one in everything if one.ours]
    ranked = sorted(ours, key=lambda one: (-float(one.metrics.get("validation", {}).get(metric, -1)), one.trial.name))
    kept, others = ranked[:keep], ranked[keep:]
    foreign = [one.rev for one in everything if not one.ours]
    needed = _needed([*foreign, *(one.rev for one in kept)], cache)
    objects: dict[Path, int] = {}
    dropped = []
    locks = blobs([f"{one.rev}:{LOCK}" for one in others])
    for one, lock in zip(others, locks, strict=True):
        mine = {}
        for md5 in model_of(lock or b""):
            for name in _family(md5, cache):
                path = _object(name, cache)
                if name not in needed and path.is_file():
                    mine[path] = path.stat().st_size
        if mine:
            dropped.append((one, sum(mine.values())))
        objects |= mine
    return Plan(kept, dropped, objects)


def remove(found: Plan) -> int:
    """Remove what can go; the bytes. Lists of folders go first, so that a half-removed model counts as absent."""
    total = 0
    for path, size in sorted(found.objects.items(), key=lambda item: not item[0].name.endswith(".dir")):
        path.chmod(0o644)
        path.unlink()
        total += size
    return total


def cache_folder() -> Path:
    """The folder of DVC's objects for the current project."""
    from dvc.repo import Repo

    with Repo() as repo:
        return Path(repo.cache.local.path)


def own(cache: Path) -> Path:
    """``cache``, if it is this project's alone.

    Raises:
        UserError: it may hold what other projects need.
    """
    if not cache.resolve().is_relative_to((Path.cwd() / ".dvc").resolve()):
        raise UserError(
            f"{cache}: other projects may use this cache; what they need is not known here, so nothing goes"
        )
    return cache


def missing(lock: bytes, cache: Path) -> set[str]:
    """The outs in the text of a dvc.lock of which an object is not in the cache."""
    entries = parsed(lock, str(LOCK)).get("stages") or {}
    cached = {path for stage in stages() for path in stage.outs}
    return {
        str(out["path"])
        for entry in entries.values()
        for out in entry.get("outs") or []
        if str(out["path"]) in cached
        and not all(_object(name, cache).is_file() for name in _family(str(out["md5"]), cache))
    }


def model_of(lock: bytes) -> list[str]:
    """The md5 of the model folders in the text of a dvc.lock."""
    entries = parsed(lock, str(LOCK)).get("stages") or {} if lock else {}
    outs = [out for entry in entries.values() for out in entry.get("outs") or []]
    return [str(out["md5"]) for out in outs if PurePosixPath(str(out["path"])).name == MODEL and "md5" in out]


def _needed(revs: Iterable[str], cache: Path) -> set[str]:
    """Every md5 in dvc.lock and .dvc files of branches, tags, stashes, checkouts and ``revs``, folders unfolded."""
    stashes = git("stash", "list", "--format=%H").split()
    listed = git(
        *("rev-list", "--objects", "--exclude=refs/exps/*", "--exclude=refs/hone/*", "--all", "HEAD", *stashes),
        *("--", str(LOCK), "*.dvc"),
    )
    names = [line.split(" ", 1)[0] for line in listed.splitlines() if line.endswith((str(LOCK), ".dvc"))]
    texts = [text for text in blobs([*names, *(f"{rev}:{LOCK}" for rev in revs)]) if text is not None]
    checkouts = [Path(line.removeprefix("worktree ")) for line in git("worktree", "list", "--porcelain").splitlines()]
    for checkout in checkouts:
        if checkout.is_absolute() and (checkout / LOCK).is_file():
            texts.append((checkout / LOCK).read_bytes())
    found = {match.decode() for text in texts for match in MD5.findall(text)}
    return found | {name for md5 in found for name in _family(md5, cache)}


def _family(md5: str, cache: Path) -> list[str]:
    """An object, and the objects of its files where it is a folder."""
    path = _object(md5, cache)
    if not md5.endswith(".dir") or not path.is_file():
        return [md5]
    return [md5, *(str(entry["md5"]) for entry in json.loads(path.read_bytes()))]


def _object(md5: str, cache: Path) -> Path:
    return cache / md5[:2] / md5[2:]
