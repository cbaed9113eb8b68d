"""Entries of dead processes in DVC's rwlock."""

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flows.rwlock import drop_dead


@pytest.fixture
def rwlock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".dvc/tmp").mkdir(parents=True)
    return tmp_path / ".dvc/tmp/rwlock"


def zombie() -> "subprocess.Popen[bytes]":
    """A process that has ended and is not waited for yet."""
    child = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.read()
    child.stdout.close()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    return child


def entries(*pids: int) -> dict[str, Any]:
    return {
        "write": {f"out{pid}": {"pid": pid, "cmd": "dvc repro"} for pid in pids},
        "read": {"dep": [{"pid": pid, "cmd": "dvc repro"} for pid in pids]},
    }


def test_zombies_go_and_the_living_stay(rwlock: Path) -> None:
    child = zombie()
    rwlock.write_text(json.dumps(entries(child.pid, os.getpid())))
    assert drop_dead() == [child.pid]
    child.wait()
    assert json.loads(rwlock.read_text()) == entries(os.getpid())
    assert drop_dead() == []


def test_a_process_younger_than_the_entry_is_another_one(rwlock: Path) -> None:
    rwlock.write_text(json.dumps(entries(os.getpid())))
    os.utime(rwlock, (0, 0))
    assert drop_dead() == [os.getpid()]
    assert json.loads(rwlock.read_text()) == {"write": {}, "read": {}}


def test_nothing_is_touched_while_dvc_edits_or_without_the_file(rwlock: Path) -> None:
    assert drop_dead() == []
    rwlock.write_text(json.dumps(entries(os.getpid())))
    os.utime(rwlock, (0, 0))
    with rwlock.with_name("rwlock.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        assert drop_dead() == []
    rwlock.write_text("{")
    assert drop_dead() == []
