"""The flow against a real Prefect server: what people see there, and that nothing outlives it."""

import json
import signal
import sys
import time
from typing import Any

import pytest

pytestmark = pytest.mark.server

# What a server would show, read from its database, which a temporary server shares with the next.
LOOK = """
import json, os, sqlite3
base = sqlite3.connect(os.path.join(os.environ["PREFECT_HOME"], "prefect.db"))
runs = "select state_type, state_name from flow_run order by created"
tasks = "select name, state_type, state_name from task_run order by created"
print(json.dumps({
    "runs": base.execute(runs).fetchall(),
    "tasks": base.execute(tasks).fetchall(),
    "logs": [row[0] for row in base.execute("select message from log order by timestamp")],
    "artifacts": base.execute("select type, key, data from artifact order by created").fetchall(),
}))
"""


def look(toy: Any) -> dict[str, Any]:
    done = toy.call(sys.executable, "-c", LOOK)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def wait_for_stage(toy: Any, process: Any) -> None:
    deadline = time.monotonic() + 120
    while not (toy.folder / "running.pid").exists():
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    time.sleep(1)  # into the stage's own sleep, so that its progress has been seen


def test_a_run_and_a_failure_as_the_server_shows_them(toy: Any, toy_finished: Any) -> None:
    # A first run without a server: states, log and artifacts are in the history, the lock is the one of dvc repro.
    done = toy.run("prefect")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "starting a temporary Prefect server (about 10 s; `hone server` keeps one)" in done.stdout
    assert "Beginning flow run" not in done.stdout + done.stderr
    assert toy.server_is_gone()
    assert toy.read("dvc.lock") == toy_finished.read("dvc.lock")
    seen = look(toy)
    assert seen["runs"] == [["COMPLETED", "Completed"]]
    assert seen["tasks"] == [[name, "COMPLETED", "Ran"] for name in ("prepare", "train", "score", "report")]
    assert "trained on raw1" in seen["logs"]
    shown = {key: (kind, data) for kind, key, data in seen["artifacts"]}
    assert shown["report"] == ("markdown", json.dumps("# A toy report\n"))
    assert '"metric": "entity_f1", "validation": 0.75' in json.loads(shown["metrics"][1]).replace("\\", "")

    # A failed stage: one line here, no traceback; its task and the flow failed, later stages never began.
    toy.set("rate: 0.5, sleep: 0, fail: false", "rate: 0.6, sleep: 0, fail: true")
    done = toy.run("prefect")
    assert done.returncode == 1
    assert done.stderr == "error: train: params.yaml: train.fail: true; set it to false\n"
    seen = look(toy)
    assert seen["runs"][-1] == ["FAILED", "Failed"]
    assert seen["tasks"][4:] == [
        ["prepare", "COMPLETED", "Unchanged"],
        ["train", "FAILED", "Failed"],
    ]


@pytest.mark.slow
def test_no_signal_leaves_a_stage_or_a_server(done_toy: Any) -> None:
    toy = done_toy
    toy.set("rate: 0.5, sleep: 0", "rate: 0.6, sleep: 60")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        (toy.folder / "running.pid").unlink()
        with toy.start("prefect") as process:
            wait_for_stage(toy, process)
            process.send_signal(number)
            process.communicate(timeout=60)
        assert process.returncode == (-number if number == signal.SIGKILL else 128 + number)
        assert toy.stage_is_gone()
        assert toy.server_is_gone()
        assert (number == signal.SIGKILL) != (toy.folder / "data/model/weights").exists()
    seen = look(toy)
    assert [state for state, _ in seen["runs"]] == ["CRASHED", "CRASHED", "RUNNING"]
    assert [kind for kind, key, _ in seen["artifacts"] if key == "train-progress"] == ["progress"] * 3

    # What is known from before comes from the run-cache.
    toy.set("rate: 0.6, sleep: 60", "rate: 0.5, sleep: 0")
    done = toy.run("prefect")
    assert done.returncode == 0, done.stdout + done.stderr
    assert look(toy)["tasks"][-4:] == [
        ["prepare", "COMPLETED", "Unchanged"],
        ["train", "COMPLETED", "Restored"],
        ["score", "COMPLETED", "Unchanged"],
        ["report", "COMPLETED", "Unchanged"],
    ]
