"""Folders named by the inputs of a run: where they are, who works in one, and which are old enough to go."""

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

LOCK = "lock"
PLACE = Path("tmp/hone/checkpoints")  # within .dvc
GIT_ELSEWHERE = ("GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_PREFIX")  # set within hooks


def shared_place(root: Path) -> Path:
    """The place of such folders for the project at ``root``: ``.dvc/tmp/hone/checkpoints``, which Git ignores.

    In a linked Git worktree it is that of the main checkout, where that one has a ``.dvc``; without Git, its own.
    """
    environment = {name: value for name, value in os.environ.items() if name not in GIT_ELSEWHERE}
    command = ["git", "rev-parse", "--git-common-dir", "--show-prefix"]
    try:
        answer = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return root / ".dvc" / PLACE
    common, prefix = answer.split("\n")[:2]
    git = (root / common).resolve()
    main = git.parent / prefix / ".dvc"
    return (main if git.name == ".git" and main.is_dir() else root / ".dvc") / PLACE


def try_lock(folder: Path) -> int | None:
    """Take the lock of a folder, made if need be: an open descriptor, or None while another process holds it.

    The kernel frees it when the descriptor is closed or its process dies in whatever way.
    """
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        except FileNotFoundError:  # its last owner has just removed the folder
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), (folder / LOCK).stat()):
                with suppress(OSError):  # only words for others; a full disk may refuse them
                    os.ftruncate(descriptor, 0)
                    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
                    os.utime(descriptor)
                return descriptor
            os.close(descriptor)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except FileNotFoundError:
            os.close(descriptor)
        except OSError:
            os.close(descriptor)
            raise


def holder(folder: Path) -> str:
    """The number of the process that holds the lock of a folder, as far as it is known."""
    try:
        return (folder / LOCK).read_text(encoding="utf-8") or "unknown"
    except OSError:
        return "unknown"


def remove(folder: Path) -> None:
    """Remove a folder whose lock the caller holds; the lock goes last, so that nobody enters before."""
    for child in folder.iterdir():
        if child.is_dir():
            shutil.rmtree(child, ignore_errors=True)
        elif child.name != LOCK:
            child.unlink(missing_ok=True)
    (folder / LOCK).unlink(missing_ok=True)
    with suppress(OSError):  # the next owner may be in it already
        folder.rmdir()


def clean(place: Path, spared: Collection[str], *, days: float, limit: float) -> list[str]:
    """Remove folders that nobody works in when they are too old or, oldest first, when all hold too much.

    Args:
        place: the folder of the folders; those without a lock file are not ours and stay.
        spared: names that stay.
        days: how long ago something was last written there.
        limit: bytes of all of them together, those that stay counted.

    Returns:
        Names of those removed.
    """
    found = [path.parent for path in place.glob(f"*/{LOCK}")]
    sizes = {folder: _size(folder) for folder in found}
    total = sum(sizes.values())
    removed = []
    for written, folder in sorted((_written(folder), folder) for folder in found):
        old = time.time() - written > days * 86_400
        if folder.name in spared or not (old or total > limit):
            continue
        with suppress(OSError):  # tidying up must not end a run
            descriptor = try_lock(folder)
            if descriptor is None:
                continue
            try:
                remove(folder)
            finally:
                os.close(descriptor)
            total -= sizes[folder]
            removed.append(folder.name)
    return removed


def _written(folder: Path) -> float:
    """When something was last written in a folder, in seconds since 1970."""
    times = []
    for path in (folder, *folder.glob("*")):
        with suppress(FileNotFoundError):
            times.append(path.stat().st_mtime)
    return max(times, default=0)


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):  # its owner works on
            total += path.lstat().st_size
    return total
