"""One run at a time."""

import subprocess
import sys
from pathlib import Path

import pytest

from flows.alone import LOCK, alone

ROOT = Path(__file__).resolve().parents[2]
HOLD = """
import sys
sys.path.insert(0, sys.argv[1])
from flows.alone import alone
with alone(print):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_run_says_who_is_first_and_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(ROOT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout is not None
        assert first.stdin is not None
        assert first.stdout.readline() == "held\n"
        said: list[str] = []

        def say(text: str) -> None:
            said.append(text)
            first.kill()  # however the first one goes, the second goes on

        with alone(say):
            assert said[0].startswith(f"another run is at work here (process {first.pid} since ")


def test_inside_itself_it_does_not_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said: list[str] = []
    with alone(said.append), alone(said.append):
        assert LOCK.exists()
    with alone(said.append):
        assert said == []
