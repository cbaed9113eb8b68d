"""The Prefect server that a run talks to: the one that is configured, the one of `hone server`, or a temporary one."""

import fcntl
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks.errors import UserError

HERE = Path(".dvc/tmp/hone")
RECORD = HERE / "@server.lock"  # its holder is the server of `hone server`, its text the address
LOG = HERE / "@server.log"
PATIENCE = 120.0  # seconds for a temporary server to start; the first one ever makes its database
CODE = Path(__file__).resolve().parent.parent
LEAN = {  # a server for one run needs no schedules, no automations and no pages
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_SCHEDULER_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_FOREMAN_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_PAUSE_EXPIRATIONS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_CANCELLATION_CLEANUP_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "false",
    "PREFECT__SERVER_EPHEMERAL": "1",
}


def running(remedy: str) -> str | None:
    """The API address of a server that answers: the configured one, else that of `hone server`; None without either.

    Raises:
        UserError: an address is configured and nobody answers there; ends with ``remedy``.
    """
    from prefect.settings import PREFECT_API_URL

    configured = PREFECT_API_URL.value()
    if configured:
        problem = _health(configured)
        if problem:
            raise UserError(f"PREFECT_API_URL: no Prefect server answers at {configured} ({problem}); {remedy}")
        return str(configured)
    recorded = _recorded()
    return recorded if recorded and not _health(recorded) else None


def answers(url: str) -> bool:
    """Whether a Prefect API answers at ``url``."""
    return _health(url) is None


def configured() -> bool:
    """Whether a server is named or recorded, as far as can be told without loading Prefect."""
    home = Path(os.environ.get("PREFECT_HOME") or Path.home() / ".prefect")
    profiles = Path(os.environ.get("PREFECT_PROFILES_PATH") or home / "profiles.toml")
    named = profiles.is_file() and "PREFECT_API_URL" in profiles.read_text(encoding="utf-8", errors="replace")
    return bool(os.environ.get("PREFECT_API_URL") or named or _recorded())


@contextmanager
def server(say: Callable[[str], None]) -> Iterator[str]:
    """A server for one run: one that is running, else a temporary one that ends with this block or this process."""
    found = running("'make server' starts one, 'hone doctor' looks, 'hone run --engine local' needs none")
    if found:
        yield found
        return
    say("starting a temporary Prefect server (about 10 s; `hone server` keeps one)")
    with temporary() as url:
        yield url


@contextmanager
def temporary() -> Iterator[str]:
    """A Prefect server on a free port of loopback, with the user's own database, so that the history of runs stays.

    It ends when this block is left or this process is gone, however it went: it holds the reading end of a pipe whose
    other end only this process has.
    """
    HERE.mkdir(parents=True, exist_ok=True)
    reading, writing = os.pipe()
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}/api"
    code = (
        f"import sys; sys.path.insert(0, {str(CODE)!r}); from flows.server import serve; "
        f"serve({listening.fileno()}, {reading})"
    )
    try:
        with LOG.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-P", "-c", code],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=(listening.fileno(), reading),
                start_new_session=True,
                env={**os.environ, **LEAN},
            )
    finally:
        listening.close()
        os.close(reading)
    try:
        _await(url, process)
        yield url
    finally:
        os.close(writing)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def serve(listening: int, guard: int) -> None:
    """Body of the temporary server's process: serve on the socket ``listening`` until ``guard`` has no writer left."""

    def watch() -> None:
        os.read(guard, 1)  # returns when the last writer is gone
        site.should_exit = True
        time.sleep(5)
        os._exit(0)

    import uvicorn
    from prefect.server.api.server import create_app

    config = uvicorn.Config(create_app, factory=True, log_level="error", lifespan="on", timeout_graceful_shutdown=2)
    site = uvicorn.Server(config)
    threading.Thread(target=watch, name="watch flow", daemon=True).start()
    site.run(sockets=[socket.socket(fileno=listening)])


@contextmanager
def recorded_as(url: str) -> Iterator[int]:
    """Write down ``url`` as the address of this project's server; yields the descriptor that keeps it so while open.

    Raises:
        UserError: another server is recorded and lives.
    """
    HERE.mkdir(parents=True, exist_ok=True)
    with RECORD.open("a+") as record:
        try:
            fcntl.flock(record, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"a server of this project runs already: {_recorded()}; end it with Ctrl-C there") from None
        os.ftruncate(record.fileno(), 0)
        os.pwrite(record.fileno(), url.encode(), 0)
        yield record.fileno()


def _recorded() -> str | None:
    try:
        with RECORD.open() as record:
            fcntl.flock(record, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return None  # nobody holds it
    except FileNotFoundError:
        return None
    except BlockingIOError:
        return RECORD.read_text(encoding="utf-8").strip() or None


def _health(url: str) -> str | None:
    """None when a Prefect API answers at ``url``, else why not."""
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_REQUEST_TIMEOUT, PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES
    from prefect.settings import temporary_settings as with_settings

    quick = {PREFECT_API_URL: url, PREFECT_API_REQUEST_TIMEOUT: 5.0, PREFECT_CLIENT_MAX_RETRIES: 0}
    with with_settings(quick), get_client(sync_client=True) as client:
        problem = client.api_healthcheck()
    return f"{type(problem).__name__}: {problem}".strip(": ") if problem else None


def _await(url: str, process: subprocess.Popen[bytes]) -> None:
    import httpx

    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/health", timeout=5, trust_env=False).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    said = [line for line in LOG.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    why = said[-1] if said else "no answer"
    raise UserError(f"the temporary Prefect server did not start ({why}); see {LOG}, or 'hone run --engine local'")
