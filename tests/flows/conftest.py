"""A team in small: a bare Git repository and a DVC remote as folders, and clones of it."""

import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) + [
    Path(found) for found in [shutil.which("initdb")] if found
]
ONCE = """
import sys
from flows.local import run_local
from flows.unattended import unattended
from tasks.errors import UserError
try:
    run = lambda names, pull: run_local(names, force=False, pull=pull)
    report = unattended(run, print, only_new_data="new" in sys.argv)
except UserError as error:
    sys.exit(f"{type(error).__name__}: {error}")
print(report.ending.value, report.line, sep=": ")
"""
GH = """#!{python}
import json, os, sys
with open(os.environ["GH_LOG"], "a") as log:
    log.write(json.dumps([sys.argv[1:], sys.stdin.read()]) + "\\n")
if sys.argv[1:3] == ["pr", "list"]:
    print(os.environ.get("GH_OPEN", "[]"))
elif sys.argv[1:3] == ["pr", "create"]:
    if os.environ.get("GH_BROKEN"):
        sys.exit("HTTP 401: Bad credentials")
    print("https://example.org/pull/7")
"""


@dataclass(frozen=True)
class Team:
    """Clones of one project: `mine` works by hand, `nightly` is run by a schedule."""

    mine: Any
    nightly: Any
    folder: Path

    def once(self, *words: str, clone: Any = None, **more: str) -> subprocess.CompletedProcess[str]:
        """A scheduled run in a clone, `nightly` if none is given, without Prefect."""
        done: subprocess.CompletedProcess[str] = (clone or self.nightly).call(
            sys.executable, "-c", ONCE, *words, **more
        )
        return done

    def start(self, **more: str) -> "subprocess.Popen[bytes]":
        """The same in `nightly` without waiting for it."""
        return subprocess.Popen(
            [sys.executable, "-c", ONCE],
            cwd=self.nightly.folder,
            env=self.nightly.environment() | more,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def ended(self, *words: str, **more: str) -> str:
        """The same of one that must not fail: how it ended."""
        done = self.once(*words, **more)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.splitlines()[-1]

    def failed(self, *words: str, **more: str) -> str:
        """The same of one that must fail: its cause."""
        done = self.once(*words, **more)
        assert done.returncode == 1, done.stdout + done.stderr
        return done.stderr.strip()

    def change(self, old: str, new: str, file: str = "params.yaml") -> None:
        """Somebody changes a file, commits and pushes; nobody has run it."""
        self.mine.set(old, new, file)
        self.mine.must("git", "commit", "-qam", f"{new}")
        self.mine.must("git", "push", "-q", "origin", "main")

    def published(self) -> str:
        """The commit of the published branch at the remote, empty before the first."""
        answer: str = self.mine.must("git", "ls-remote", "origin", "refs/heads/hone/nightly")
        return answer[:40]

    def log(self) -> list[Any]:
        """What gh was called with: arguments and text."""
        path = self.folder / "gh.log"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@dataclass
class Prefect:
    """A real server on loopback beside a team, and programs that are ended with the test."""

    folder: Path
    clone: Any
    stack: ExitStack
    url: str

    def start(self, name: str, *command: str, **more: str) -> "subprocess.Popen[bytes]":
        """A program in the clone; its output goes to NAME.log beside it."""
        log = self.stack.enter_context((self.folder / f"{name}.log").open("ab"))
        started = subprocess.Popen(
            [sys.executable, "-P", "-m", *command],
            cwd=self.clone.folder,
            env=self.environment | more,
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            process_group=0,
        )
        self.stack.callback(self.end, started)
        return started

    @property
    def environment(self) -> dict[str, str]:
        """Of all programs; leases of runs are short, so that a killed run soon frees its deployment."""
        return self.clone.environment() | {
            "PREFECT_API_URL": self.url,
            "PREFECT_CLI_PROMPT": "false",
            "PREFECT_SERVER_CONCURRENCY_INITIAL_DEPLOYMENT_LEASE_DURATION": "30",
            "STUB_HOLD": str(self.folder / "hold"),
        }

    @staticmethod
    def end(process: "subprocess.Popen[bytes]", patience: float = 20) -> int:
        """SIGTERM, then SIGKILL; what it left with."""
        process.terminate()
        try:
            return process.wait(timeout=patience)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def serve(self, **more: str) -> "subprocess.Popen[bytes]":
        """`hone server` in the clone; returns when it answers."""
        port = self.url.split(":")[2].removesuffix("/api")
        started = self.start("server", "hone", "server", "--port", port, **more)
        self.wait(lambda: urllib.request.urlopen(f"{self.url}/health", timeout=10).status == 200, "a server")
        return started

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """What the API says to a POST."""
        request = urllib.request.Request(
            self.url + path, data=json.dumps(body or {}).encode(), headers={"content-type": "application/json"}
        )
        deadline = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(request, timeout=30) as reply:
                    return json.loads(reply.read() or b"null")
            except (
                urllib.error.HTTPError
            ) as error:  # SQLite is locked: the server asks to come again, as its clients do
                if error.code != 503 or time.monotonic() > deadline:
                    raise
                time.sleep(0.5)

    def wait(self, condition: Callable[[], Any], what: str, seconds: float = 300) -> Any:
        """What ``condition`` says when it first says something."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if found := condition():
                    return found
            except (urllib.error.URLError, ConnectionError):
                pass
            time.sleep(0.3)
        raise AssertionError(f"not within {seconds} s: {what}")

    def deployments(self) -> dict[str, dict[str, Any]]:
        """All that the server has, by name."""
        return {one["name"]: one for one in self.ask("/deployments/filter")}

    def runs(self, deployment: str, *names: str) -> list[dict[str, Any]]:
        """Runs of a deployment in the states of these names, the newest first."""
        wanted = {
            "flow_runs": {"state": {"name": {"any_": list(names)}}},
            "deployments": {"name": {"any_": [deployment]}},
            "sort": "START_TIME_DESC",
        }
        found: list[dict[str, Any]] = self.ask("/flow_runs/filter", wanted)
        return found

    def ordered(self, deployment: str) -> str:
        """Somebody asks for a run; its id."""
        identity = self.deployments()[deployment]["id"]
        made = self.ask(f"/deployments/{identity}/create_flow_run", {"state": {"type": "SCHEDULED"}})
        return str(made["id"])

    def ending(self, run: str) -> tuple[str, str]:
        """The final state of a run: its name and message."""

        def state() -> Any:
            (found,) = self.ask("/flow_runs/filter", {"flow_runs": {"id": {"any_": [run]}}})
            state = found["state"]
            return state if state["type"] in ("COMPLETED", "FAILED", "CANCELLED", "CRASHED") else None

        found = self.wait(state, "the end of a run")
        return found["name"], found["message"]


@pytest.fixture
def prefect(team: Team) -> Iterator[Prefect]:
    """For a server on a free port; nothing runs yet. The poll of new data looks every three seconds."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    plan = (ROOT / "prefect.yaml").read_text()
    assert "interval: 900" in plan
    (team.nightly.folder / "prefect.yaml").write_text(plan.replace("interval: 900", "interval: 3"))
    with ExitStack() as stack:
        yield Prefect(team.folder, team.nightly, stack, f"http://127.0.0.1:{port}/api")


@pytest.fixture
def team(branches: Any) -> Team:
    """`branches` with main pushed to origin, and a second clone; the DVC remote has what main gave."""
    folder = branches.folder.parent
    kind = type(branches)
    branches.must("dvc", "remote", "modify", "-q", "store", "url", str(folder / "store"))
    branches.must("git", "commit", "-qam", "store")
    branches.must("dvc", "push", "-q")
    for name in ("better", "worse", "same"):
        branches.must("git", "branch", "-qD", name)
    branches.must("git", "init", "-q", "--bare", "-b", "main", str(folder / "origin.git"))
    branches.must("git", "remote", "add", "origin", str(folder / "origin.git"))
    branches.must("git", "push", "-q", "origin", "main")
    branches.must("git", "clone", "-q", str(folder / "origin.git"), str(folder / "nightly"))
    program = folder / "bin/gh"
    program.parent.mkdir()
    program.write_text(GH.format(python=sys.executable))
    program.chmod(0o755)
    return Team(branches, kind(folder / "nightly"), folder)


@pytest.fixture
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an empty database of PostgreSQL, of the test's own; its cluster is stopped and removed at the end."""
    if not PROGRAMS:
        pytest.skip("PostgreSQL is not installed (Debian: postgresql)")
    programs = PROGRAMS[-1].parent
    folder = tmp_path_factory.mktemp("postgres")
    user = None
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        user = next((name for name in ("postgres", "nobody") if _exists(name)), None)
        if user is None:
            pytest.skip("PostgreSQL does not run as root, and there is no user postgres or nobody")
        folder = Path(subprocess.run(["mktemp", "-d"], capture_output=True, text=True, check=True).stdout.strip())
        shutil.chown(folder, user)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data = folder / "data"

    def call(program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(programs / program), *arguments], cwd=folder, capture_output=True, text=True, user=user, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    call("initdb", "-D", str(data), "-U", "hone", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
    call("pg_ctl", "-D", str(data), "-w", "-l", str(folder / "log"), "-o", options, "start")
    try:
        yield f"postgresql+psycopg://hone@127.0.0.1:{port}/postgres"
    finally:
        call("pg_ctl", "-D", str(data), "-w", "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def _exists(name: str) -> bool:
    try:
        return bool(pwd.getpwnam(name))
    except KeyError:
        return False
