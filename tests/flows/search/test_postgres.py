"""A search in PostgreSQL: a cluster of the test's own, on loopback, as a user without rights."""

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flows.search import storage

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) + [
    Path(found) for found in [shutil.which("initdb")] if found
]


@pytest.fixture
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an empty database; the cluster is stopped and removed at the end."""
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


def test_a_search_in_postgres_goes_on_after_a_kill(lab: Any, postgres: str) -> None:
    lab.die_at = 3
    with pytest.raises(KeyboardInterrupt):
        lab.search(storage=postgres, trials=6)
    found = lab.search(storage=postgres, trials=6)
    assert (found.again, found.why, len(found.rows)) == (1, "trials", 6)
    assert found.best is not None and found.rows[0].params["train.layers"] == 2
    assert not storage.FILE.exists()
