"""The Prefect server that a run talks to."""

import signal
import subprocess
import sys
import urllib.error
import urllib.request
from typing import Any

import pytest

START = """
import os, sys, time
from flows.server import temporary
with temporary() as url:
    print(url, os.getpid(), flush=True)
    time.sleep(120)
"""


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=10) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, ConnectionError):
        return False


@pytest.mark.server
def test_a_temporary_server_goes_with_its_owner_however_that_goes(toy: Any) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", START], cwd=toy.folder, env=toy.environment, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        url, _ = owner.stdout.readline().split()
        assert answers(url)
        owner.send_signal(signal.SIGKILL)
    assert toy.server_is_gone()
    assert not answers(url)


def test_a_configured_server_that_is_silent_is_one_clear_line(done_toy: Any) -> None:
    done_toy.set("rate: 0.5", "rate: 0.6")
    done = done_toy.run("prefect", PREFECT_API_URL="http://127.0.0.1:9/api")
    assert done.returncode == 1
    assert done.stderr.startswith("error: PREFECT_API_URL: no Prefect server answers at http://127.0.0.1:9/api (")
    assert "'make server' starts one" in done.stderr
    assert done.stderr.count("\n") == 1


SCHEDULE = """
import sys
from tasks.errors import UserError
from hone.schedule import schedule
from hone.server import server
try:
    sys.exit(eval(sys.argv[1]))
except UserError as error:
    sys.exit(f"error: {error}")
"""


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("schedule('0 3 * * *', None, 'n', None)", "a schedule needs a running Prefect server and there is none"),
        ("schedule('0 3 * *', None, 'n', None)", "--cron '0 3 * *' is not understood; five fields"),
        ("schedule('0 3 * * *', None, 'n', 'Mars')", "--timezone 'Mars' is unknown"),
        ("schedule(None, 0, 'n', None)", "--interval 0 is no number of seconds"),
        ("schedule('0 3 * * *', 5, 'n', None)", "one of --cron '0 3 * * *', --interval SECONDS and --once"),
        ("schedule(None, 5, 'n', None, once=True)", "one of --cron '0 3 * * *', --interval SECONDS and --once"),
        ("schedule(None, None, 'n', None)", "prefect.yaml: no such file"),
    ],
)
def test_a_schedule_that_cannot_be_says_why(toy: Any, call: str, message: str) -> None:
    done = toy.call(sys.executable, "-c", SCHEDULE, call)
    assert done.returncode == 1
    assert message in done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


def test_a_port_in_use_and_a_second_server_are_refused(toy: Any) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = toy.call(sys.executable, "-c", SCHEDULE, f"server({port})")
        assert done.stderr.startswith(f"error: port {port}: Address already in use; take another with --port")
