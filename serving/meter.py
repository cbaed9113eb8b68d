"""The outermost layer: counts and times every request, adds headers, and keeps texts out of the log when code fails."""

import logging
import traceback
from time import monotonic

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.metrics import Metrics

logger = logging.getLogger("hone.serving")
HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
        b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
]


class Meter:
    """Wraps the application.

    Args:
        application: what answers.
        paths: routes that are named in the metrics; all else is ``other``.
        log: whether each request gets a line in the log.
    """

    def __init__(self, application: ASGIApp, metrics: Metrics, paths: frozenset[str], log: bool) -> None:
        self._application = application
        self._metrics = metrics
        self._paths = paths
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        begun, status = monotonic(), 500

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *HEADERS]
            await send(message)

        try:
            await self._application(scope, receive, send_on)
        except Exception as error:  # answered 500 already; its message may quote a text, its place cannot
            where = "".join(traceback.format_tb(error.__traceback__))
            logger.error("%s in %s:\n%s", type(error).__name__, scope["path"], where)
        seconds = monotonic() - begun
        path = scope["path"] if scope["path"] in self._paths else "other"
        self._metrics.request(path, status, seconds)
        if self._log:
            logger.info("%s %s %d %.1f ms", scope["method"], path, status, seconds * 1000)
