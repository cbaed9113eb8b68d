"""Runs the server: binds, says where, serves until SIGTERM or Ctrl-C, and finishes what is under way."""

import asyncio
import ipaddress
import logging
import os
import signal
import socket
import sys

import uvicorn

from serving.app import create_app
from serving.keys import read_keys
from serving.live import Live
from serving.model import Load
from serving.options import Options
from tasks.errors import UserError

logger = logging.getLogger("hone.serving")
MOST_CONNECTIONS = 2000


def run(options: Options, load: Load) -> None:
    """Serve the model of ``options.model`` until a signal ends it.

    The first line on stdout says where it listens; it comes once requests are answered. The log goes to stderr.

    Args:
        load: ``folder -> model``.

    Raises:
        UserError: no model, no right to the keys, or the address cannot be had.
    """
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    keys = read_keys(options.keys_file, os.environ)
    with _bound(options.host, options.port) as listening:
        live = Live(options.model, load)
        if not _is_loopback(listening) and not keys:
            logger.warning(
                "%s can be reached from other machines and asks for no key; set HONE_API_KEYS or --keys-file",
                options.host,
            )
        config = uvicorn.Config(
            create_app(options, live, keys),
            log_config=None,
            access_log=False,
            server_header=False,
            ws="none",
            limit_concurrency=MOST_CONNECTIONS,
            timeout_graceful_shutdown=options.grace_seconds,
        )
        # uvicorn raises a signal again once it has shut down; by then all is done, so the process ends well.
        for ending in (signal.SIGTERM, signal.SIGINT):
            signal.signal(ending, lambda *_: None)
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            runner.run(_serve(_Announced(config, live, listening), listening, live))


async def _serve(server: uvicorn.Server, listening: socket.socket, live: Live) -> None:
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, live.look_now)
    await server.serve(sockets=[listening])


class _Announced(uvicorn.Server):
    """A server that says where it listens once it does."""

    def __init__(self, config: uvicorn.Config, live: Live, listening: socket.socket) -> None:
        super().__init__(config)
        self._live = live
        self._listening = listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        host, port = self._listening.getsockname()[:2]
        address = f"[{host}]" if ":" in host else host
        served = self._live.served
        sys.stdout.write(f"{served.model.task}, version {served.version}: http://{address}:{port}, Ctrl-C ends it\n")
        sys.stdout.flush()


def _bound(host: str, port: int) -> socket.socket:
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except OSError as error:
        raise UserError(f"--host {host} --port {port}: {error.strerror}; take another port or address") from None
    return listening


def _is_loopback(listening: socket.socket) -> bool:
    return ipaddress.ip_address(listening.getsockname()[0]).is_loopback
