"""Git as a process, asked in plumbing commands whose output is stable."""

import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from tasks.errors import UserError
from tasks.keyed_folders import GIT_ELSEWHERE


class GitFailed(UserError):
    """Git ended with an error; the message is its own."""


def git(*arguments: str, cwd: Path = Path(), stdin: str = "", also: Mapping[str, str] | None = None) -> str:
    """Run git in ``cwd``; its output without the newline at the end.

    Args:
        also: environment variables on top of this process's.

    Raises:
        GitFailed: git ended with an error.
    """
    return _run(arguments, cwd, stdin.encode(), also).decode("utf-8", errors="surrogateescape").removesuffix("\n")


def blobs(names: Iterable[str], *, cwd: Path = Path()) -> list[bytes | None]:
    """The contents of objects (``<id>`` or ``<commit>:<path>``) in one process; None for those that are not there."""
    wanted = list(names)
    if not wanted:
        return []
    answer = _run(["cat-file", "--batch"], cwd, "".join(f"{name}\n" for name in wanted).encode(), None)
    found: list[bytes | None] = []
    at = 0
    for _ in wanted:
        end = answer.index(b"\n", at)
        head = answer[at:end]
        if head.endswith((b" missing", b" ambiguous")):
            found.append(None)
            at = end + 1
            continue
        size = int(head.rsplit(b" ", 1)[1])
        found.append(answer[end + 1 : end + 1 + size])
        at = end + 1 + size + 1
    return found


def _run(arguments: Iterable[str], cwd: Path, stdin: bytes, also: Mapping[str, str] | None) -> bytes:
    command = ["git", *arguments]
    environment = {name: value for name, value in os.environ.items() if name not in GIT_ELSEWHERE} | {
        "GIT_OPTIONAL_LOCKS": "0",
        "LC_ALL": "C",
        **(also or {}),
    }
    try:
        done = subprocess.run(command, cwd=cwd, env=environment, input=stdin, capture_output=True, check=False)
    except FileNotFoundError:
        raise UserError("git is not installed, and trials are kept in Git; 'hone doctor' looks at it") from None
    if done.returncode != 0:
        said = " ".join(done.stderr.decode(errors="replace").split()) or f"exit code {done.returncode}"
        raise GitFailed(f"git {command[1]}: {said}")
    return done.stdout
