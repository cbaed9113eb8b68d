"""Fan-outs on Prefect's task runners: threads, a real Dask scheduler with two workers, a local Ray; workers die."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.server]
DASK = [sys.executable, "-m", "dask"]

WORKER = ["--nthreads", "1", "--no-nanny", "--host", "127.0.0.1"]


def trials(count: int, sleep: float) -> list[dict[str, Any]]:
    return [
        {
            "name": f"seed-{seed}",
            "overrides": {"seed": seed, "train.sleep": sleep},
            "kind": "repeat",
            "group": "cluster",
        }
        for seed in range(1, count + 1)
    ]


def complete_and_right(project: Any, process: subprocess.Popen[str], count: int, before: dict[str, str]) -> None:
    said, _ = process.communicate(timeout=200)
    assert process.returncode == 0, said
    assert len(project.trials()) == count
    for seed in range(1, count + 1):
        text = project.git("show", f"{project.trials()[f'seed-{seed}']}:data/metrics.validation.json")
        assert json.loads(text)["entity_f1"] == round(0.5 + seed % 7 / 100, 6)
    assert project.user_state() == before
    assert project.left_behind() == []


def runner(project: Any) -> psutil.Process | None:
    found = [one for one in project.processes() if "flows.trials.runner" in " ".join(one.cmdline())]
    return found[0] if found else None


@pytest.fixture
def workers(project: Any) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Two Dask workers of a scheduler on loopback, whose address is in the file scheduler.json beside the project."""
    file = project.folder.parent / "scheduler.json"
    common = ["--scheduler-file", str(file), "--no-dashboard"]
    started = [
        project_process(project, *DASK, "scheduler", "--host", "127.0.0.1", "--port", "0", *common),
        *(project_process(project, *DASK, "worker", *common, *WORKER) for _ in range(2)),
    ]
    try:
        project.until(file.exists)
        yield started[1:]
    finally:
        for process in started:
            process.kill()
            process.wait()


def project_process(project: Any, *command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        cwd=project.folder.parent,
        env=project.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
    )


def test_prefect_threads(project: Any) -> None:
    before = project.user_state()
    complete_and_right(project, project.start(trials(3, 0.1), on="threads"), 3, before)


def test_dask_loses_a_worker(project: Any, workers: list[subprocess.Popen[bytes]]) -> None:
    before = project.user_state()
    address = json.loads((project.folder.parent / "scheduler.json").read_text())["address"]
    process = project.start(trials(4, 0.5), on="dask", address=address)
    project.until(lambda: project.notes("start", "train"), patience=150)
    at_work = project.until(lambda: runner(project))
    victim = next(worker for worker in workers if worker.pid == at_work.ppid())
    victim.kill()
    complete_and_right(project, process, 4, before)


def test_ray_loses_a_worker(project: Any) -> None:
    before = project.user_state()
    process = project.start(trials(3, 0.8), on="ray")
    project.until(lambda: project.notes("start", "train"), patience=150)
    at_work = project.until(lambda: runner(project))
    at_work.parent().kill()
    complete_and_right(project, process, 3, before)
