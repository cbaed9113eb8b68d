"""A team in small: a bare Git repository and a DVC remote as folders, and clones of it."""

import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ONCE = """
import sys
from flows.local import run_local
from flows.unattended import unattended
from tasks.errors import UserError
try:
    report = unattended(lambda names: run_local(names, force=False), print, only_new_data="new" in sys.argv)
except UserError as error:
    sys.exit(f"{type(error).__name__}: {error}")
print(report.ending.value, report.line, sep=": ")
"""
GH = """#!{python}
import json, os, sys
with open(os.environ["GH_LOG"], "a") as log:
    log.write(json.dumps([sys.argv[1:], sys.stdin.read()]) + "\\n")
if sys.argv[1:3] == ["pr", "list"]:
    print(os.environ.get("GH_OPEN", "[]"))
elif sys.argv[1:3] == ["pr", "create"]:
    if os.environ.get("GH_BROKEN"):
        sys.exit("HTTP 401: Bad credentials")
    print("https://example.org/pull/7")
"""


@dataclass(frozen=True)
class Team:
    """Clones of one project: `mine` works by hand, `nightly` is run by a schedule."""

    mine: Any
    nightly: Any
    folder: Path

    def once(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        """A scheduled run in the clone `nightly` without Prefect."""
        return self.nightly.call(sys.executable, "-c", ONCE, *words, **more)  # type: ignore[no-any-return]

    def ended(self, *words: str, **more: str) -> str:
        """The same of one that must not fail: how it ended."""
        done = self.once(*words, **more)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.splitlines()[-1]

    def failed(self, *words: str, **more: str) -> str:
        """The same of one that must fail: its cause."""
        done = self.once(*words, **more)
        assert done.returncode == 1, done.stdout + done.stderr
        return done.stderr.strip()

    def change(self, old: str, new: str, file: str = "params.yaml") -> None:
        """Somebody changes a file, commits and pushes; nobody has run it."""
        self.mine.set(old, new, file)
        self.mine.must("git", "commit", "-qam", f"{new}")
        self.mine.must("git", "push", "-q", "origin", "main")

    def published(self) -> str:
        """The commit of the published branch at the remote, empty before the first."""
        answer: str = self.mine.must("git", "ls-remote", "origin", "refs/heads/hone/nightly")
        return answer[:40]

    def log(self) -> list[Any]:
        """What gh was called with: arguments and text."""
        path = self.folder / "gh.log"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def team(branches: Any) -> Team:
    """`branches` with main pushed to origin, and a second clone; the DVC remote has what main gave."""
    folder = branches.folder.parent
    kind = type(branches)
    branches.must("dvc", "remote", "modify", "-q", "store", "url", str(folder / "store"))
    branches.must("git", "commit", "-qam", "store")
    branches.must("dvc", "push", "-q")
    for name in ("better", "worse", "same"):
        branches.must("git", "branch", "-qD", name)
    branches.must("git", "init", "-q", "--bare", "-b", "main", str(folder / "origin.git"))
    branches.must("git", "remote", "add", "origin", str(folder / "origin.git"))
    branches.must("git", "push", "-q", "origin", "main")
    branches.must("git", "clone", "-q", str(folder / "origin.git"), str(folder / "nightly"))
    program = folder / "bin/gh"
    program.parent.mkdir()
    program.write_text(GH.format(python=sys.executable))
    program.chmod(0o755)
    return Team(branches, kind(folder / "nightly"), folder)
