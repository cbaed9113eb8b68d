"""A stage runs alone, ends with what started it, and says what is wrong in one line."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]
Start = Callable[..., subprocess.Popen[str]]
STAGE = """
import sys, time
from pathlib import Path
from tasks.errors import UserError
from tasks.stage import run_stage, say

def work():
    say(f"working {sys.argv[1]}")
    if sys.argv[1] == "fail":
        raise UserError("raw.txt:3: wrong; mend it")
    Path("started").write_text("x")
    end = time.monotonic() + float(sys.argv[1])
    while time.monotonic() < end and not Path("finish").exists():
        time.sleep(0.02)
    return {"machine": "toy"}

run_stage("toy", work, Path("cost/toy.json"))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "stage.py").write_text(STAGE)
    return tmp_path


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts the stage; whatever still runs at the end of the test is ended."""
    started = []

    def start_stage(argument: str, *, between: bool = False, **environment: str) -> subprocess.Popen[str]:
        command: list[str] = [sys.executable, "stage.py", argument]
        if between:  # a process in between, as a flow or dvc is
            code = f"import subprocess, sys, time; subprocess.Popen({command!r}); time.sleep(60)"
            command = [sys.executable, "-c", code]
        environment = os.environ | {"PYTHONPATH": str(ROOT)} | environment
        started.append(subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield start_stage
    for process in started:
        process.kill()
        process.communicate()


def until(condition, seconds: float = 20) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def test_cost_is_written_beside_the_outs(folder: Path, start: Start) -> None:
    assert start("0").wait(20) == 0
    cost = json.loads((folder / "cost/toy.json").read_text())
    assert cost["machine"] == "toy"
    assert cost["peak_memory_mb"] > 0
    assert cost["versions"] == {}


def test_a_users_mistake_is_a_line_with_the_way_back(folder: Path, start: Start) -> None:
    stage = start("fail")
    _, err = stage.communicate(timeout=20)
    assert stage.returncode == 1
    assert err.splitlines()[1] == "error: raw.txt:3: wrong; mend it"
    assert "'dvc checkout' brings the last ones back" in err
    assert "Traceback" not in err


def test_the_way_back_is_left_to_the_flow(folder: Path, start: Start) -> None:
    stage = start("fail", HONE_STARTER=str(os.getpid()))
    _, err = stage.communicate(timeout=20)
    assert err.splitlines() == ["working fail", "error: raw.txt:3: wrong; mend it"]


def test_a_second_run_waits_for_the_first_and_says_so(folder: Path, start: Start) -> None:
    first = start("30")
    assert until((folder / "started").exists)
    second = start("0")
    assert second.stderr is not None
    said = second.stderr.readline()
    assert f"another run (process {first.pid}) works on this stage" in said
    assert second.poll() is None
    (folder / "finish").write_text("")
    assert first.wait(20) == 0
    assert second.wait(20) == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_when_its_starter_is_gone(folder: Path, start: Start, number: int) -> None:
    starter = start("60", between=True)
    assert until((folder / "started").exists)
    (stage,) = psutil.Process(starter.pid).children()
    starter.send_signal(number)
    starter.wait(20)
    assert until(lambda: not stage.is_running() or stage.status() == psutil.STATUS_ZOMBIE, 15)


def test_it_ends_when_the_named_starter_is_gone(folder: Path, start: Start) -> None:
    flow = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    stage = start("60", HONE_STARTER=str(flow.pid))
    assert until((folder / "started").exists)
    flow.kill()
    flow.wait()
    assert stage.wait(15) == -signal.SIGTERM


def test_a_line_that_nobody_reads_any_more_ends_nothing(tmp_path: Path) -> None:
    code = 'import sys; from tasks.stage import say; sys.stdin.read(); say("one"); say("two"); open("went on", "w")'
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stderr and process.stdin
        process.stderr.close()  # as the pipe of a flow that was killed
        process.stdin.close()
        process.wait(timeout=60)
    assert (tmp_path / "went on").exists()
