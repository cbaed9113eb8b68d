"""Epochs from a worker that does not see the project: what both sides do, and a real Dask worker in a clone."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flows.trials import far_epochs
from flows.trials.far_epochs import Watched, told
from flows.trials.job import Job

JOB = Job("/nowhere", "b" * 40, "t" * 40, ("", ""), "refs/x", "k" * 64, {"name": "one"}, "@fan-out-abc", 1, False)


class Shelf:
    """A board in this process that may fail."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.puts: list[str] = []
        self.broken = False

    def get(self, name: str) -> Any:
        return None if self.broken else self.values.get(name)

    def put(self, name: str, value: Any) -> bool:
        self.puts.append(name)
        if not self.broken:
            self.values[name] = json.loads(json.dumps(value, allow_nan=False))
        return not self.broken

    def drop(self, name: str) -> None:
        self.values.pop(name, None)

    def drop_old(self) -> None:
        self.values = {name: value for name, value in self.values.items() if "old" not in name}


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Shelf:
    monkeypatch.setattr(far_epochs, "PERIOD", 0.01)
    return Shelf()


def line(epoch: int, figure: float) -> str:
    return json.dumps({"epoch": epoch, "figure": figure}) + "\n"


def test_epochs_go_one_way_and_the_wish_to_end_the_other(shelf: Shelf, tmp_path: Path, until: Any) -> None:
    epochs, prune = tmp_path / "epochs", tmp_path / "prune"
    shelf.values["hone-trial-old"] = 1
    watched = Watched(shelf)
    with told(shelf, JOB, epochs, prune):
        assert watched.due() and watched.news(JOB) == [] and shelf.values == {}
        epochs.write_text(line(1, 0.25) + line(2, float("nan")) + '{"epoch": 3, "fi')
        assert until(lambda: watched.news(JOB)) == [(1, 0.25)]
        epochs.write_text(line(1, 0.25) + line(2, float("nan")) + line(3, 0.5))
        assert until(lambda: watched.news(JOB)) == [(3, 0.5)]  # and the first is not told twice
        assert not prune.exists()
        watched.end(JOB)
        until(prune.exists)
    watched.forget(JOB)
    assert shelf.values == {}


def test_what_the_server_does_not_take_is_tried_again(shelf: Shelf, tmp_path: Path, until: Any) -> None:
    epochs, prune = tmp_path / "epochs", tmp_path / "prune"
    epochs.write_text(line(1, 0.25))
    watched = Watched(shelf)
    shelf.broken = True
    with told(shelf, JOB, epochs, prune):
        until(lambda: len(shelf.puts) > 1)
        watched.end(JOB)
        assert watched.news(JOB) == []
        shelf.broken = False
        assert until(lambda: watched.news(JOB)) == [(1, 0.25)]
        assert not prune.exists()
        until(lambda: watched.due() and prune.exists())


def test_a_long_run_keeps_within_what_prefect_takes(shelf: Shelf, tmp_path: Path, until: Any) -> None:
    epochs = tmp_path / "epochs"
    epochs.write_text("".join(line(epoch, 0.123456789) for epoch in range(1, 1001)))
    with told(shelf, JOB, epochs, tmp_path / "prune"):
        until(lambda: shelf.values)
    (value,) = shelf.values.values()
    assert value[-1] == [1000, 0.123457] and len(json.dumps(value)) < 5000


FAR = """
import json
import sys
from dataclasses import replace
from flows.trials import Trial, far_epochs, hands, run_trials

def nowhere(self, *asked, _job=hands.Hands._job):
    return replace(_job(self, *asked), root="/nowhere/project")

if __name__ == "__main__":
    hands.Hands._job = nowhere  # to the worker, on this very machine, the project's folder does not exist
    told = []
    def epoch(trial, number, figure):
        told.append([trial.name, number, figure])
        return trial.name == "weak"
    slow = {"train.rate": 0.1, "train.sleep": 0.6, "train.epochs": 40}
    trials = [Trial("weak", slow, "sweep", "far"), Trial("good", {"train.rate": 0.2}, "sweep", "far")]
    outcomes = run_trials(trials, on="dask", address=sys.argv[1], git_remote="origin", on_epoch=epoch)
    print(json.dumps([[one.state for one in outcomes], [one.error for one in outcomes], told]))
"""


@pytest.mark.slow
@pytest.mark.server
def test_a_trial_on_another_machine_is_pruned(project: Any, clone: Path) -> None:
    file = project.folder.parent / "scheduler.json"
    common = ["--scheduler-file", str(file), "--no-dashboard"]
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": project.environment}
    dask = [sys.executable, "-m", "dask"]
    started = [
        subprocess.Popen([*dask, "scheduler", "--host", "127.0.0.1", "--port", "0", *common], cwd=clone, **quiet),
        subprocess.Popen(
            [*dask, "worker", *common, "--nthreads", "2", "--no-nanny", "--host", "127.0.0.1"], cwd=clone, **quiet
        ),
    ]
    try:
        project.until(file.exists)
        address = json.loads(file.read_text())["address"]
        said = json.loads(project.call(sys.executable, "-c", FAR, address, timeout=200).splitlines()[-1])
    finally:
        for process in started:
            process.kill()
            process.wait()
    states, errors, told_of = said
    assert states == ["pruned", "ran"], errors
    weak = [number for name, number, _ in told_of if name == "weak"]
    assert weak[0] == 1 and len(weak) < 40
    assert list(project.trials()) == ["good"]
    assert project.left_behind() == []
