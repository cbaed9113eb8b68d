"""`hone run` as a person meets it, on a toy project and without Prefect (tests/flows has the flow itself)."""

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flows.dag import Stage
from hone import run as command


def verdicts(output: str) -> dict[str, str]:
    """Stage to verdict, from the lines that the run printed."""
    found = {}
    for line in output.splitlines():
        words = line.split(maxsplit=1)
        if len(words) == 2 and words[0] in ("prepare", "train", "score", "report"):
            found[words[0]] = words[1].rsplit("  ", 1)[0] if words[1].endswith(" s") else words[1]
    return found


def test_a_first_run_says_what_ran_and_how_good_it_is(toy_finished: Any) -> None:
    toy = toy_finished
    assert toy.read("data/report/report.md") == "# A toy report\n"
    done = toy.run("local")
    assert done.returncode == 0, done.stderr
    assert verdicts(done.stdout) == dict.fromkeys(("prepare", "train", "score"), "cached, unchanged") | {
        "report": "data/report/report.html"
    }
    assert "strict entity F1  validation 0.7500   test 0.7000   (lenient 0.7600, 0.7100)" in done.stdout
    assert "hone predict" in done.stdout


def test_only_what_depends_on_a_change_runs_and_the_rest_is_said_to_be_cached(done_toy: Any) -> None:
    done_toy.set("rate: 0.5", "rate: 0.6")
    done = done_toy.run("local", "train")
    assert done.returncode == 0, done.stderr
    assert verdicts(done.stdout) | {"report": ""} == {"prepare": "cached, unchanged", "train": "ran", "report": ""}
    assert "  trained on raw1\n" in done.stdout
    assert "Updating lock file" not in done.stdout
    done = done_toy.run("local")
    assert "score    ran" in done.stdout
    assert "report   cached, unchanged" in done.stdout  # the same metrics came out
    assert re.search(r"^time {14}.*\bscore \d", done.stdout, re.MULTILINE)


def test_a_failure_is_one_line_and_code_1_and_later_stages_do_not_run(done_toy: Any) -> None:
    lock = done_toy.read("dvc.lock")
    done_toy.set("rate: 0.5, sleep: 0, fail: false", "rate: 0.6, sleep: 0, fail: true")
    done = done_toy.run("local")
    assert done.returncode == 1
    assert done.stderr == "error: train: params.yaml: train.fail: true; set it to false\n"
    assert "its last results are back" in done.stdout
    assert "score" not in done.stdout
    assert done_toy.read("dvc.lock") == lock
    assert done_toy.read("data/model/weights") == "0.5"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("local", "trian"), "'trian' is no stage; dvc.yaml has: prepare, train, score, report")],
)
def test_bad_input_is_one_line(done_toy: Any, arguments: tuple[str, ...], message: str) -> None:
    done = done_toy.run(*arguments)
    assert (done.returncode, done.stderr) == (1, f"error: {message}\n")


def test_force_runs_what_is_named(done_toy: Any) -> None:
    done = done_toy.run("local", "train", "--force")
    assert verdicts(done.stdout) | {"report": ""} == {"prepare": "cached, unchanged", "train": "ran", "report": ""}


def test_dvc_repro_and_hone_run_leave_the_same_lock(toy: Any, toy_finished: Any) -> None:
    toy.dvc("repro")
    assert toy.read("dvc.lock") == toy_finished.read("dvc.lock")
    done = toy.run("local")
    assert set(verdicts(done.stdout).values()) == {"cached, unchanged", "data/report/report.html"}
    assert toy.read("dvc.lock") == toy_finished.read("dvc.lock")


def test_nothing_changed_is_known_without_dvc_or_prefect(toy_finished: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert toy_finished.run("local").returncode == 0  # whatever ran here before, the memo is there now
    monkeypatch.chdir(toy_finished.folder)
    monkeypatch.setattr(command, "clean", lambda _: pytest.fail("asked DVC"))
    monkeypatch.setattr(command, "_engine", lambda *_: pytest.fail("started an engine"))
    assert command.run("prefect", [], False) == 0
    assert command.run("prefect", ["train"], False) == 0


def test_nothing_changed_answers_in_time(toy_finished: Any) -> None:
    toy_finished.run("local")
    spent = []
    for _ in range(2):
        before = os.times()
        assert toy_finished.run("prefect").returncode == 0
        after = os.times()
        spent.append(after.children_user + after.children_system - before.children_user - before.children_system)
    assert min(spent) < 0.8  # seconds of processor: wall time would measure the neighbours


@pytest.fixture
def busy_toy(done_toy: Any) -> Iterator[tuple[Any, Any]]:
    """A run in the middle of its train stage, which would take a minute."""
    (done_toy.folder / "running.pid").unlink()
    done_toy.set("rate: 0.5, sleep: 0", "rate: 0.7, sleep: 60")
    with done_toy.start("local") as process:
        deadline = time.monotonic() + 60
        while not (done_toy.folder / "running.pid").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        try:
            yield done_toy, process
        finally:
            process.kill()


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGTERM,
        pytest.param(signal.SIGINT, marks=pytest.mark.faults),
        pytest.param(signal.SIGHUP, marks=pytest.mark.faults),
    ],
)
def test_a_signal_ends_the_stage_and_puts_its_results_back(busy_toy: tuple[Any, Any], number: signal.Signals) -> None:
    toy, process = busy_toy
    process.send_signal(number)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert toy.stage_is_gone(patience=1)
    assert "stopped; no stage and no server is left" in output
    assert toy.read("data/model/weights") == "0.5"


def test_sigkill_leaves_no_stage_and_the_next_run_goes_on(busy_toy: tuple[Any, Any]) -> None:
    toy, process = busy_toy
    process.kill()
    process.communicate(timeout=30)
    assert toy.stage_is_gone(patience=3)
    toy.set("rate: 0.7, sleep: 60", "rate: 0.7, sleep: 0")
    done = toy.run("local")
    assert done.returncode == 0, done.stderr
    assert toy.read("data/model/weights") == "0.7"


def test_a_second_run_waits_and_says_for_whom(busy_toy: tuple[Any, Any]) -> None:
    toy, process = busy_toy
    with toy.start("local") as second:
        assert f"another run is at work here (process {process.pid} since " in second.stdout.readline()
        second.terminate()
        second.communicate(timeout=30)
        assert second.returncode == 128 + signal.SIGTERM
    assert process.poll() is None


def test_progress_is_redrawn_on_a_terminal_only(capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    watcher = command._watcher([], {})
    watcher.line("50%", True)
    watcher.line("done", False)
    assert capsys.readouterr().out == "  done\n"
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    watcher = command._watcher([], {})
    watcher.line("x" * 500, True)
    watcher.line("done", False)
    assert capsys.readouterr().out == f"  {'x' * 97}\r\x1b[2K  done\n"


def test_the_idea_halves_the_learning_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert command._ideas([]) == ["change one value in params.yaml, then hone run"]
    (tmp_path / "params.yaml").write_text(json.dumps({"finetune": {"learning_rate": 3e-4}}))
    (idea,) = command._ideas([])
    assert idea == 'hone try "a calmer rate generalizes better" -S finetune.learning_rate=0.00015'


def test_a_run_ends_with_the_distance_to_the_goal(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    headline = {"name": "entity_f1", "value": 0.6, "split": "validation"}
    missed = {"dimension": "kind", "name": "missed", "errors": 3, "figure": None, "figure_if_right": 0.9, "gain": 0.3}
    Path("data/focus.json").write_text(json.dumps({"headline": headline, "entries": [missed]}))
    stage = Stage("evaluate", "", (), ("data/focus.json",), (), (), ())
    goal = "goal: {metric: headline, value: 0.7, slice: '', budget_hours: 0}\n"
    Path("params.yaml").write_text(goal)
    lines = command._goal([stage], {"entity_f1": 0.6})
    assert lines == [
        ("goal", "entity_f1 0.6000 of 0.7000, 0.1000 to go"),
        ("shortest way", "kind: missed, 3 errors, +0.3000 if these were right"),
    ]
    assert command._goal([stage], None) == []
    Path("params.yaml").write_text("seed: 1\n")  # a pipeline of another make
    assert command._goal([stage], {"entity_f1": 0.6}) == []
