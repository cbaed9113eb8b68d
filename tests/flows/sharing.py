"""Remotes for the tests of sharing: a folder, an OpenSSH server and an S3 endpoint, started and stopped on loopback."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Toy

SSHD = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")


@dataclass(frozen=True)
class Remote:
    """Address and options of a remote, what the environment needs, and the folder where its objects lie (not S3)."""

    url: str
    options: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    folder: Path = Path()

    def write_to(self, clone: "Clone") -> None:
        """Make this the default remote of a clone, in its config as `dvc remote add -d` and `modify` write it."""
        options = "".join(f"    {key} = {value}\n" for key, value in {"url": self.url, **self.options}.items())
        (clone.folder / ".dvc/config").write_text(f"[core]\n    remote = store\n['remote \"store\"']\n{options}")


@dataclass(frozen=True)
class Clone(Toy):
    """A person's copy of the toy project, with a cache and a state of its own."""

    more: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, **self.more}

    def hone(self, command: str, *arguments: str) -> str:
        """Run and push without the check of params.yaml of the command line; the output of a success."""
        engine = "prefect" if "--prefect" in arguments else "local"
        program = {
            "run": f"from hone.run import run; run({engine!r}, [], False, {'--pull' in arguments})",
            "push": f"from hone.push import push; push({'--all' in arguments})",
        }
        done = self.call(sys.executable, "-c", program[command])
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def exchange(self, *arguments: str) -> dict[str, Any]:
        """What `flows.exchange` moved."""
        done = self.call(sys.executable, "-P", "-m", "flows.exchange", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        moved: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return moved

    def stored(self, kind: str) -> list[str]:
        """Files of DVC's cache: ``runs`` or ``files``."""
        cache = self.folder / ".dvc/cache"
        return [path.relative_to(cache).as_posix() for path in (cache / kind).rglob("*") if path.is_file()]


def clones(projects: tuple[Toy, Toy], folder: Path, remote: Remote) -> tuple[Clone, Clone]:
    """Copies of two projects for Ann and Bob, both with the remote."""
    people = []
    for name, project in zip(("ann", "bob"), projects, strict=True):
        shutil.copytree(project.folder, folder / name / "toy", symlinks=True)
        people.append(Clone(folder / name / "toy", more=remote.environment))
        remote.write_to(people[-1])
    return people[0], people[1]


def _free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


@contextmanager
def _served(process: subprocess.Popen[bytes], port: int, log: Path) -> Iterator[None]:
    """A server from its first answer on the port to its end."""
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def sshd(folder: Path) -> Iterator[Remote]:
    """An OpenSSH server with keys of its own that lets this user in by key alone, and its SFTP."""
    if SSHD is None:
        pytest.skip("no sshd here: 'apt-get install openssh-server' lets this test run")
    folder.mkdir(mode=0o700)
    for name in ("host", "user"):
        key = folder / name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True, stdin=subprocess.DEVNULL)
    (folder / "authorized").write_bytes((folder / "user.pub").read_bytes())
    port = _free_port()
    (folder / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/authorized\n"
        f"PidFile {folder}/pid\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n"
        "KbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\nSubsystem sftp internal-sftp\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where the server of a root user leaves its privileges
    host = (folder / "host.pub").read_text().split()
    (folder / "known").write_text(f"[127.0.0.1]:{port} {host[0]} {host[1]}\n")
    store = folder / "store"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(folder / "config")], stderr=log, stdout=log)
        with _served(process, port, folder / "log"):
            import getpass

            options = {"keyfile": str(folder / "user"), "user": getpass.getuser(), "port": str(port)}
            yield Remote(f"ssh://127.0.0.1{store}", options, folder=store)


@contextmanager
def s3(folder: Path) -> Iterator[Remote]:
    """An S3 endpoint with one bucket."""
    folder.mkdir()
    port = _free_port()
    address = f"http://127.0.0.1:{port}"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    with (folder / "log").open("wb") as log:
        command = [sys.executable, "-P", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        process = subprocess.Popen(command, stdout=log, stderr=log, env=kept)
        with _served(process, port, folder / "log"):
            asked = urllib.request.Request(f"{address}/store", method="PUT")
            with urllib.request.urlopen(asked, timeout=30):
                pass
            (folder / "none").touch()  # no settings of whoever runs the tests
            environment = {
                "AWS_ACCESS_KEY_ID": "ann",
                "AWS_SECRET_ACCESS_KEY": "of-no-account",
                "AWS_DEFAULT_REGION": "us-east-1",
                "AWS_CONFIG_FILE": str(folder / "none"),
                "AWS_SHARED_CREDENTIALS_FILE": str(folder / "none"),
                "AWS_EC2_METADATA_DISABLED": "true",
            }
            yield Remote("s3://store/hone", {"endpointurl": address}, environment)
