"""The Git worktree of one attempt at a trial: made new each time, filled from the snapshot, removed at the end.

One is never used twice: what a killed attempt left in it (locks of dead processes, half-written outs) is worth nothing,
and what is of value (finished stages, checkpoints) lies in the shared cache.
"""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from flows.trials import guard
from flows.trials.git import GitFailed, git
from flows.trials.place import TRIALS
from tasks.keyed_folders import LOCK, holder, try_lock


class Occupied(Exception):
    """Another process is at work there; the text names it."""


@contextmanager
def alone_with(folder: Path, mark: str, say: Callable[[str], None], *, patient: bool = True) -> Iterator[None]:
    """Be the only one at work on a trial, after whatever an earlier attempt left is gone.

    Waits as long as another process works on it. The kernel frees the lock on any death.

    Raises:
        Occupied: not ``patient`` and another process works on it.
    """
    descriptor = try_lock(folder)
    if descriptor is None and not patient:
        raise Occupied(f"process {holder(folder)}")
    if descriptor is None:
        say(f"another process ({holder(folder)}) works on this already; waiting until it ends")
        while descriptor is None:
            guard.wait_for(lambda: False, 0.1)
            descriptor = try_lock(folder)
    try:
        guard.end_orphans(mark)
        empty(folder)
        yield
    finally:
        guard.deaf()
        empty(folder)
        (folder / LOCK).unlink(missing_ok=True)
        with suppress(OSError):
            folder.rmdir()
        os.close(descriptor)


def make(root: Path, folder: Path, base: str, tree: str) -> Path:
    """A new worktree in ``folder`` with HEAD at ``base`` and the files of ``tree``; no hook of the user's runs."""
    worktree = folder / f"worktree-{os.getpid()}"
    with _listing(root):
        git("worktree", "add", "--detach", "--no-checkout", "--quiet", str(worktree), base, cwd=root)
    git("read-tree", "--reset", "-u", tree, cwd=worktree)
    return worktree


@contextmanager
def _listing(folder: Path) -> Iterator[None]:
    """Alone with Git's list of worktrees: a prune takes away the entry that an add beside it is still writing."""
    common = git("rev-parse", "--path-format=absolute", "--git-common-dir", cwd=folder).strip()
    descriptor = os.open(common, os.O_RDONLY)  # the folder itself: no file of ours is left in it
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def share_cache(root: Path, worktree: Path, site: Path) -> None:
    """Let DVC in ``worktree`` use the cache, remotes and other settings of the project at ``root``.

    ``site`` is for DVC's notes on files, which it would else keep for each worktree in a folder of the system for ever.
    As root a program could write through a hard link into the cache, so then files are copied.
    """
    from dvc.config import Config, merge

    mine = Config(dvc_dir=str(root / ".dvc"), validate=False)
    merged = mine.read("repo")
    merge(merged, mine.read("local"))
    cache = merged.setdefault("cache", {})
    cache.setdefault("dir", str(root / ".dvc" / "cache"))
    cache.setdefault("type", ["reflink", "copy"] if os.geteuid() == 0 else ["reflink", "hardlink", "copy"])
    core = merged.setdefault("core", {})
    core.update({"site_cache_dir": str(site), "autostage": False, "analytics": False})
    theirs = Config(dvc_dir=str(worktree / ".dvc"), validate=False)
    with theirs.edit("local", validate=False) as local:
        local.clear()
        local.update(merged)


def empty(folder: Path) -> None:
    """Remove everything of a trial's folder but its lock, and Git's notes of the worktrees in it."""
    if not folder.is_dir():
        return
    for path in list(folder.iterdir()):
        if path.name == LOCK:
            continue
        if path.is_dir():
            gone = path if path.name.startswith("removed-") else path.with_name(f"removed-{os.getpid()}-{path.name}")
            with suppress(OSError):
                path.rename(gone)
            shutil.rmtree(gone, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    with suppress(GitFailed), _listing(folder):
        git("worktree", "prune", "--expire=now", cwd=folder)


def littered(root: Path) -> bool:
    """Whether a fan-out was killed here and nothing has been swept up since; a look at a few files."""
    return any(guard.free(lock) for lock in (root / TRIALS).glob("@fan-out-*"))


def sweep(root: Path) -> int:
    """Remove what killed attempts and fan-outs left in the project; how many folders that were."""
    place = root / TRIALS
    removed = 0
    for folder in sorted(path for path in place.glob("*") if path.is_dir()):
        descriptor = try_lock(folder)
        if descriptor is None:
            continue  # at work
        try:
            if mark := _mark(folder):
                guard.end_orphans(mark)
            empty(folder)
            (folder / LOCK).unlink(missing_ok=True)
            with suppress(OSError):
                folder.rmdir()
            removed += 1
        finally:
            os.close(descriptor)
    for file in (*place.glob("@*.epochs"), *place.glob("@*.prune")):
        if not (place / file.stem.removeprefix("@")).exists():
            file.unlink(missing_ok=True)
    for lock in place.glob("@fan-out-*"):
        if guard.free(lock):
            lock.unlink(missing_ok=True)
            name = lock.name.removeprefix("@fan-out-")
            with suppress(GitFailed):
                git("update-ref", "-d", f"refs/hone/snapshots/{name}", cwd=root)
    return removed


def mark_of(root: Path, folder: Path) -> str:
    """The mark in the environment of all processes of a trial."""
    return f"{root.resolve()}:{folder.name}"


def _mark(folder: Path) -> str:
    return mark_of(folder.parents[len(TRIALS.parts)], folder)


@contextmanager
def stage_alone(path: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock of a stage with certain inputs, so that trials with a common beginning run it once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    told = False
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
                break
            os.close(descriptor)
        except BlockingIOError:
            os.close(descriptor)
            if not told:
                say("another trial runs this stage with the same inputs; waiting for its result")
                told = True
            guard.wait_for(lambda: False, 0.1)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)
