"""A real server in a process of its own, with a toy model that can be made to wait and to fail."""

import contextlib
import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60  # seconds for one answer on a busy machine
if str(ROOT) not in sys.path:  # for tests.browser
    sys.path.insert(0, str(ROOT))


@dataclass
class Reply:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Server:
    """A running server; what it logged so far is in ``log``."""

    process: subprocess.Popen[str]
    port: int
    model: Path
    log: Path
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            response = connection.getresponse()
            return Reply(response.status, response.headers, response.read())

    def get(self, path: str, **headers: str) -> Reply:
        return self.ask("GET", path, **headers)

    def predict(self, body: Any, **headers: str) -> Reply:
        """POST to /predict; bytes go as they are."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.ask("POST", "/predict", raw, **{"Content_Type": "application/json", **headers})

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(PATIENCE)


class Start(Protocol):
    def __call__(self, *options: str, **environment: str) -> contextlib.AbstractContextManager[Server]: ...


@contextlib.contextmanager
def started(folder: Path, *options: str, **environment: str) -> Iterator[Server]:
    """A server of the toy model in ``folder``/model."""
    model = folder / "model"
    model.mkdir(parents=True, exist_ok=True)
    if not (model / "export.json").exists():
        (model / "export.json").write_text('{"kind": "capitals"}')
    with running([str(Path(__file__).parent / "toy_server.py"), str(model), *options], folder, **environment) as server:
        yield server


@contextlib.contextmanager
def running(arguments: list[str], folder: Path, **environment: str) -> Iterator[Server]:
    """A server by these arguments of Python, for the model of ``folder``; it is ready, and ended with the context."""
    clean = {name: value for name, value in os.environ.items() if name != "HONE_API_KEYS"}
    command = [sys.executable, "-W", "error", *arguments]
    log = folder / "log"
    with (
        log.open("w") as errors,
        subprocess.Popen(
            command, cwd=ROOT, env={**clean, **environment}, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        assert process.stdout is not None
        try:
            line = process.stdout.readline()  # it comes once requests are answered
            assert "http://" in line, log.read_text()
            port = int(line.partition("http://")[2].split(",")[0].rpartition(":")[2])
            server = Server(process, port, folder / "model", log)
            assert server.get("/ready").status == 200
            yield server
        finally:
            process.kill()


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """``start("--option", "value", VARIABLE=...)`` gives a server as a context."""

    def begin(*options: str, **environment: str) -> contextlib.AbstractContextManager[Server]:
        return started(tmp_path, *options, **environment)

    return begin


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the usual options, for the tests of a file."""
    with started(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def start_command(tmp_path: Path) -> Start:
    """The same of the command itself: ``hone serve`` with a port of its own choice."""

    def begin(*options: str, **environment: str) -> contextlib.AbstractContextManager[Server]:
        return running(["-m", "hone", "serve", "--port", "0", *options], tmp_path, **environment)

    return begin
