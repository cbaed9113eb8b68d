"""Scheduled runs against a real server: they start by themselves and can be cancelled there."""

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

pytestmark = [pytest.mark.server, pytest.mark.slow]

SERVER = "import sys; from hone.server import server; server(int(sys.argv[1]))"
SCHEDULE = "from hone.schedule import schedule; raise SystemExit(schedule(None, 2, 'often', None))"
COMMAND_LINE = [sys.executable, "-c"]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def ask(url: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """What the API says to a POST."""
    request = urllib.request.Request(
        url + path, data=json.dumps(body or {}).encode(), headers={"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as reply:
        return json.loads(reply.read() or b"null")


def wait(condition: Callable[[], Any], what: str, seconds: float = 90) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            found = condition()
        except (urllib.error.URLError, ConnectionError):
            found = None
        if found:
            return found
        time.sleep(0.3)
    raise AssertionError(f"not within {seconds} s: {what}")


@contextmanager
def process(toy: Any, name: str, *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A program in the project that is ended with this block; its output goes to NAME.log."""
    with (toy.folder.parent / f"{name}.log").open("wb") as log:
        started = subprocess.Popen(
            [*COMMAND_LINE, *arguments],
            cwd=toy.folder,
            env=toy.environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            process_group=0,
        )
        try:
            yield started
        finally:
            started.terminate()
            try:
                started.wait(timeout=20)
            finally:
                started.kill()
                started.wait()


def test_a_schedule_starts_runs_by_itself_and_a_cancelled_run_leaves_nothing(toy: Any) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/api"
    with ExitStack() as stack:
        stack.enter_context(process(toy, "server", SERVER, str(port)))
        wait(lambda: urllib.request.urlopen(f"{url}/health", timeout=10).status == 200, "a server")
        other = toy.call(*COMMAND_LINE, "from hone.server import server; server(4)")
        assert f"a server of this project runs already: {url}" in other.stderr

        # `hone schedule` finds the server of this project; a run starts that nobody asked for.
        served = stack.enter_context(process(toy, "schedule", SCHEDULE))

        def runs(*states: str) -> list[dict[str, Any]]:
            wanted = {"flow_runs": {"state": {"name": {"any_": list(states)}}}, "sort": "START_TIME_DESC"}
            found: list[dict[str, Any]] = ask(url, "/flow_runs/filter", wanted)
            return found

        run = wait(lambda: runs("Completed"), "a run that started by itself")[0]
        assert run["auto_scheduled"]
        assert run["deployment_id"]
        assert toy.read("data/report/report.md") == "# A toy report\n"
        (deployment,) = ask(url, "/deployments/filter")
        assert deployment["name"] == "often"
        assert not deployment["paused"]

        # A run in the middle of its training is cancelled as the server's page does it.
        (toy.folder / "running.pid").unlink()
        toy.set("rate: 0.5, sleep: 0", "rate: 0.7, sleep: 60")
        wait((toy.folder / "running.pid").exists, "a run that trains")
        time.sleep(1)
        assert len(runs("Running")) == 1  # the next ones wait although they are late
        (run,) = runs("Running")
        cancel = {"state": {"type": "CANCELLING", "name": "Cancelling"}, "force": False}
        ask(url, f"/flow_runs/{run['id']}/set_state", cancel)
        first = toy.read("running.pid")
        assert toy.stage_is_gone(patience=40)
        wait(lambda: run["id"] in [found["id"] for found in runs("Cancelled")], "the state Cancelled")

        # With the serving process ended, or killed, nothing trains on.
        wait(lambda: toy.read("running.pid") != first, "the next run")
        time.sleep(1)
        served.terminate()
        assert served.wait(timeout=20) == 0
        assert toy.stage_is_gone(patience=1)
        second = toy.read("running.pid")
        served = stack.enter_context(process(toy, "schedule", SCHEDULE))
        wait(lambda: toy.read("running.pid") != second, "a run of the next schedule")
        served.kill()
        assert toy.stage_is_gone(patience=5)

        # The schedule is still on for the next `hone schedule`.
        (deployment,) = ask(url, "/deployments/filter")
        assert not deployment["paused"]
        assert deployment["schedules"][0]["active"]
