"""`hone server`: a Prefect server on loopback, in the foreground."""

import os
import socket
import sys

from hone.terminal import paint
from tasks.errors import UserError


def server(port: int) -> int:
    """Become a Prefect server at 127.0.0.1:``port`` until Ctrl-C; `hone run` and `hone schedule` here find it.

    Its database is an SQLite file below PREFECT_HOME, or what PREFECT_SERVER_DATABASE_CONNECTION_URL names.

    Raises:
        UserError: the port is taken, or this project has a server already.
    """
    from flows.server import recorded_as

    url = f"http://127.0.0.1:{port}/api"
    with recorded_as(url) as record:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                raise UserError(f"port {port}: {error.strerror}; take another with --port {port + 1}") from None
        page = paint(f"http://127.0.0.1:{port}", "bold", sys.stdout)
        sys.stdout.write(f"Prefect server at {page}, Ctrl-C ends it\n")
        sys.stdout.write("'hone run' and 'hone schedule' in this folder use it by themselves; elsewhere:\n")
        sys.stdout.write(f"  export PREFECT_API_URL={url}\n")
        sys.stdout.flush()
        os.set_inheritable(record, True)  # the lock that says we run lives as long as the process does
        environment = {
            **os.environ,
            "DO_NOT_TRACK": "1",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_CLI_PROMPT": "false",
            # In memory, Prefect's own choice, leases of runs are lost with the server and their deployment never runs
            # again: its one slot stays taken.
            "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
        }
        command = ["-P", "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
        os.execve(sys.executable, [sys.executable, *command], environment)
