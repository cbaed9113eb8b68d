"""Git as a process, asked in plumbing commands whose output is stable."""

import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
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
    return _text(_run(arguments, cwd, stdin.encode(), also))


class Asked:
    """A git that is at work meanwhile."""

    def __init__(self, name: str, process: "subprocess.Popen[bytes]") -> None:
        self._name = name
        self._process = process

    def answer(self) -> str:
        """Its output without the newline at the end, once it has ended.

        Raises:
            GitFailed: git ended with an error.
        """
        out, said = self._process.communicate()
        return _text(_checked(self._name, self._process.returncode, out, said))


@contextmanager
def asked(*arguments: str, cwd: Path = Path()) -> Iterator[Asked]:
    """Start git in ``cwd`` and go on with other things; it has left when the block ends."""
    with _started(arguments, cwd, None) as process:
        try:
            yield Asked(arguments[0], process)
        finally:
            if process.poll() is None:
                process.kill()


class Objects:
    """A ``git cat-file --batch`` that stays at work for several questions."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    def get(self, name: str) -> bytes | None:
        """The content of an object (``<id>`` or ``<commit>:<path>``); None where it is not there.

        Raises:
            GitFailed: git has ended.
        """
        to, back = self._process.stdin, self._process.stdout
        try:
            if to is None or back is None:
                raise BrokenPipeError
            to.write(f"{name}\n".encode())
            to.flush()
            head = back.readline()
            if head.endswith((b" missing\n", b" ambiguous\n")):
                return None
            return back.read(int(head.rsplit(b" ", 1)[1]) + 1)[:-1]
        except (BrokenPipeError, IndexError, ValueError):
            raise GitFailed(f"git cat-file: no answer to {name}") from None


@contextmanager
def objects(cwd: Path = Path()) -> Iterator[Objects]:
    """Objects of the repository, one at a time, from one process that starts meanwhile."""
    with _started(["cat-file", "--batch"], cwd, None) as process:
        try:
            yield Objects(process)
        finally:
            process.kill()  # it only reads


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
    given = list(arguments)
    with _started(given, cwd, also) as process:
        out, said = process.communicate(stdin)
    return _checked(given[0], process.returncode, out, said)


def _started(arguments: Iterable[str], cwd: Path, also: Mapping[str, str] | None) -> "subprocess.Popen[bytes]":
    environment = {name: value for name, value in os.environ.items() if name not in GIT_ELSEWHERE} | {
        "GIT_OPTIONAL_LOCKS": "0",
        "LC_ALL": "C",
        **(also or {}),
    }
    pipe = subprocess.PIPE
    try:
        return subprocess.Popen(
            ["git", *arguments], cwd=cwd, env=environment, stdin=pipe, stdout=pipe, stderr=pipe
        )  # fmt: skip
    except FileNotFoundError:
        raise UserError("git is not installed, and trials are kept in Git; 'hone doctor' looks at it") from None


def _checked(name: str, code: int, out: bytes, said: bytes) -> bytes:
    if code != 0:
        words = " ".join(said.decode(errors="replace").split()) or f"exit code {code}"
        raise GitFailed(f"git {name}: {words}")
    return out


def _text(out: bytes) -> str:
    return out.decode("utf-8", errors="surrogateescape").removesuffix("\n")
