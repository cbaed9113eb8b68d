"""Git's ids of all files of the workspace, uncommitted and untracked ones too, as ``git add --all`` would take them."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from flows.trials.git import git
from flows.trials.place import TRIALS
from tasks.errors import UserError

LARGEST = 50_000_000  # bytes of untracked files that are carried along without a word
STATE = ("ls-files", "-t", "-z", "--cached", "--stage", "--others", "--modified", "--deleted", "--exclude-standard")
UNCHANGED, UNMERGED = "H", "M"
UNDER_WAY = {  # files of Git that are there meanwhile
    "MERGE_HEAD": "a merge",
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
}


def ids(listing: str, index: Path) -> dict[str, str]:
    """Ids by path of all files and folders, equal to those of ``git ls-tree -r -t`` once all is added.

    Args:
        listing: what ``git`` says to STATE.
        index: Git's index, which stays as it is; its own copy takes what has changed.

    Raises:
        UserError: paths with conflicts, or untracked files that are too large.
    """
    lines = [line for line in listing.split("\0") if line]
    for line in lines:
        if line[0] == UNMERGED:  # adding all would settle it
            raise UserError(f"{line.partition(chr(9))[2]}: not merged; resolve the conflict and 'git add' it")
    if any(line[0] != UNCHANGED for line in lines):
        refuse_large([line[2:] for line in lines if line[0] == "?"])
        with copied(index) as copy:
            also = {"GIT_INDEX_FILE": str(copy)}
            git("add", "--all", "--", ".", also=also)
            lines = [f"{UNCHANGED} {line}" for line in git("ls-files", "--stage", "-z", also=also).split("\0") if line]
    files = {}
    for line in lines:
        about, _, path = line[2:].partition("\t")
        mode, name, _ = about.split(" ")
        files[path] = (mode, name)
    return {path: name for path, (_, name) in files.items()} | _folders(files)


def refuse_large(untracked: list[str]) -> None:
    """Refuse untracked files that are too large to be carried along."""
    sizes = {}
    for name in untracked:
        with suppress(OSError):
            sizes[name] = os.lstat(name).st_size
    if sum(sizes.values()) > LARGEST:
        largest = max(sizes, key=lambda name: sizes[name])
        raise UserError(
            f"{largest}: {sizes[largest] / 1e6:.0f} MB that neither Git nor DVC knows, and trials carry untracked "
            f"files along; 'dvc add {largest}' if a stage reads it, else name it in .gitignore"
        )


@contextmanager
def copied(index: Path) -> Iterator[Path]:
    """A copy of the index, with its times: a younger one would hide edits of the same second ("racily clean")."""
    import shutil

    TRIALS.mkdir(parents=True, exist_ok=True)
    copy = (TRIALS / f"@index-{os.getpid()}").absolute()
    try:
        if index.exists():
            shutil.copy2(index, copy)
        yield copy
    finally:
        copy.unlink(missing_ok=True)
        copy.with_name(copy.name + ".lock").unlink(missing_ok=True)


def _folders(files: dict[str, tuple[str, str]]) -> dict[str, str]:
    """Ids of the folders: the hash of the entries of each, in Git's form of a tree (gitformat-pack, git-mktree)."""
    entries: dict[str, list[tuple[bytes, bytes]]] = {"": []}
    for path, (mode, name) in files.items():
        _enter(entries, path, mode, name)
    found: dict[str, str] = {}
    for folder in sorted(entries, key=lambda path: path.count("/") if path else -1, reverse=True):
        if not folder:
            continue
        body = b"".join(entry for _, entry in sorted(entries[folder]))
        hashed = hashlib.sha256 if len(next(iter(files.values()))[1]) == 64 else hashlib.sha1
        found[folder] = hashed(b"tree %d\0" % len(body) + body).hexdigest()
        _enter(entries, folder, "40000", found[folder])
    return found


def _enter(entries: dict[str, list[tuple[bytes, bytes]]], path: str, mode: str, name: str) -> None:
    """Put a file or folder into the entries of the folder above it; folders sort as if a ``/`` stood at their end."""
    above, _, last = path.rpartition("/")
    up = above
    while up not in entries:
        entries[up] = []
        up = up.rpartition("/")[0]
    plain = os.fsencode(last)
    order = plain + b"/" if mode == "40000" else plain
    entries[above].append((order, mode.encode() + b" " + plain + b"\0" + bytes.fromhex(name)))
