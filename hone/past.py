"""Earlier contents of files and folders, found by md5 in DVC's cache or in Git's history."""

import hashlib
import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

COMMITS = 200  # of the file's history, newest first, are searched
LARGEST = 5_000_000  # bytes; beyond this nobody reads a count of lines


def content(path: str, md5: str, size: int | None, cache: Path) -> bytes | None:
    """The bytes that ``path`` had when its md5 was ``md5``, or None if neither cache nor Git has them.

    Args:
        path: relative to the current folder.
        size: bytes of that content, if known; saves reading most versions.
        cache: folder of DVC's objects, ``.dvc/cache/files/md5``.
    """
    if size is not None and size > LARGEST:
        return None
    stored = cache / md5[:2] / md5[2:]
    if stored.is_file():
        return stored.read_bytes()
    blobs = [blob for blob, length in _versions(path) if (size is None or length == size) and length <= LARGEST]
    return next((data for data in map(_blob, blobs) if hashlib.md5(data).hexdigest() == md5), None)


def folder(
    path: str, md5: str, size: int | None, cache: Path, ignored: frozenset[str] = frozenset()
) -> dict[str, str] | None:
    """md5 by relative path of the files that the folder ``path`` held when its md5 was ``md5``, or None.

    DVC's md5 of a folder is that of the JSON list of its files, ``.dir`` appended; ``ignored`` are relative paths that
    DVC leaves out of it.
    """
    stored = cache / md5[:2] / md5[2:]
    if stored.is_file():
        return {entry["relpath"]: entry["md5"] for entry in json.loads(stored.read_bytes())}
    for commit in _commits(path):
        blobs = {}
        total = 0
        for line in _git("ls-tree", "-r", "-l", "-z", f"{commit}:./{path}").decode().split("\0")[:-1]:
            about, _, name = line.partition("\t")
            if name in ignored:
                continue
            blobs[name] = about.split()[2]
            total += int(about.split()[3]) if about.split()[3] != "-" else 0
        if not blobs or (size is not None and total != size):
            continue
        files = {name: hashlib.md5(_blob(blob)).hexdigest() for name, blob in blobs.items()}
        if folder_md5(files) == md5:
            return files
    return None


def folder_md5(files: dict[str, str]) -> str:
    """DVC's md5 of a folder, from the md5 of its files by relative path."""
    entries = [{"md5": files[name], "relpath": name} for name in sorted(files)]
    return hashlib.md5(json.dumps(entries, sort_keys=True).encode()).hexdigest() + ".dir"


def lines_changed(old: bytes, path: Path) -> tuple[int, int] | None:
    """Lines (added, removed) from ``old`` to the file ``path``; None if one is not text or too large."""
    if path.stat().st_size > LARGEST:
        return None
    with tempfile.NamedTemporaryFile() as file:
        file.write(old)
        file.flush()
        answer = _git("diff", "--no-index", "--numstat", "--", file.name, str(path)).decode().split("\t")
    return (int(answer[0]), int(answer[1])) if len(answer) == 3 and answer[0] != "-" else None


def _commits(path: str) -> list[str]:
    return _git("log", f"--max-count={COMMITS}", "--format=%H", "--", path).decode().split()


def _versions(path: str) -> Iterator[tuple[str, int]]:
    """Git's blob and its size for each version of a file, newest first."""
    names = "".join(f"{commit}:./{path}\n" for commit in _commits(path))
    answers = _git("cat-file", "--batch-check=%(objecttype) %(objectname) %(objectsize)", stdin=names)
    for line in dict.fromkeys(answers.decode().splitlines()):
        if line.startswith("blob "):
            _, blob, size = line.split()
            yield blob, int(size)


def _blob(name: str) -> bytes:
    return _git("cat-file", "blob", name)


def _git(*arguments: str, stdin: str = "") -> bytes:
    """Output of git; empty where git or the repository has no answer, which means: not found."""
    try:
        return subprocess.run(["git", *arguments], input=stdin.encode(), capture_output=True).stdout
    except FileNotFoundError:
        return b""
