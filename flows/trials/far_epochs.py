"""Epochs of a trial whose worker does not see the project's folder, and the wish to end it: by the Prefect server.

Workers of a cluster report to that server anyway. A trial has two of its variables: the worker writes ``epochs``, the
fan-out writes ``prune``. Each holds all there is to say, so what one request loses comes with the next.
"""

import contextvars
import json
import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from flows.trials.job import Job

PERIOD = 3.0  # seconds between two looks, on either side
LAST = 100  # epochs that a variable holds; Prefect takes 5,000 characters
PREFIX = "hone-trial-"
OLD = timedelta(days=2)  # variables of a fan-out that was killed; a living one renews those of its workers


class Board(Protocol):
    """Where short values stand under names, seen by fan-out and workers. Nothing is raised: what fails is not done."""

    def get(self, name: str) -> Any:
        """The value; None where there is none or nobody answers."""

    def put(self, name: str, value: Any) -> bool:
        """Set the value; whether it stands there now."""

    def drop(self, name: str) -> None:
        """Take the value away."""

    def drop_old(self) -> None:
        """Take away what fan-outs that were killed have left."""


class Variables:
    """A board of the variables of the Prefect server that the current settings name."""

    def get(self, name: str) -> Any:
        from prefect.variables import Variable

        try:
            return Variable.get(name)
        except _unreachable():
            return None

    def put(self, name: str, value: Any) -> bool:
        from prefect.variables import Variable

        try:
            Variable.set(name, value, overwrite=True)
        except _unreachable():
            return False
        return True

    def drop(self, name: str) -> None:
        from prefect.variables import Variable

        try:
            Variable.unset(name)
        except _unreachable():
            return

    def drop_old(self) -> None:
        from prefect.client.orchestration import get_client

        try:
            with get_client(sync_client=True) as client:
                for one in client.read_variables():
                    changed = one.updated or one.created
                    if one.name.startswith(PREFIX) and changed and datetime.now(UTC) - changed > OLD:
                        client.delete_variable_by_name(one.name)
        except _unreachable():
            return


class Watched:
    """The side of the fan-out: what the trials elsewhere tell, and which of them shall end."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._looked = -math.inf
        self._seen: dict[str, set[int]] = {}
        self._unwanted: dict[str, Job] = {}

    def due(self) -> bool:
        """Whether it is time to look again."""
        if time.monotonic() - self._looked < PERIOD:
            return False
        if self._looked == -math.inf:
            self._board.drop_old()
        self._looked = time.monotonic()
        self._unwanted = {key: job for key, job in self._unwanted.items() if not self._ask(job)}
        return True

    def news(self, job: Job) -> list[tuple[int, float]]:
        """Epoch and figure of what is new of a trial."""
        seen = self._seen.setdefault(job.key, set())
        told = [(int(epoch), float(figure)) for epoch, figure in self._board.get(_name(job, "epochs")) or []]
        new = [one for one in told if one[0] not in seen]
        seen |= {epoch for epoch, _ in new}
        return new

    def end(self, job: Job) -> None:
        """Ask for the end of a trial."""
        if not self._ask(job):
            self._unwanted[job.key] = job

    def forget(self, job: Job) -> None:
        """The trial is over."""
        self._unwanted.pop(job.key, None)
        self._seen.pop(job.key, None)
        for what in ("epochs", "prune"):
            self._board.drop(_name(job, what))

    def _ask(self, job: Job) -> bool:
        return self._board.put(_name(job, "prune"), True)


@contextmanager
def told(board: Board, job: Job, epochs: Path, prune: Path) -> Iterator[None]:
    """The side of the worker: inside this block the lines of ``epochs`` go out, and ``prune`` appears when asked for.

    Args:
        epochs: file to which training appends a line of JSON per epoch.
        prune: file whose appearance ends the trial.
    """
    over = threading.Event()

    def work() -> None:
        sent: list[list[float]] = []
        while not over.wait(PERIOD):
            found = _read(epochs)
            if found and found != sent and board.put(_name(job, "epochs"), found):
                sent = found
            if sent and board.get(_name(job, "prune")):
                prune.touch()
                return

    thread = threading.Thread(target=contextvars.copy_context().run, args=(work,), name="tell epochs", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(PERIOD)


def _name(job: Job, what: str) -> str:
    return f"{PREFIX}{job.fan_out.rpartition('-')[2]}-{job.key[:20]}-{what}"


def _read(epochs: Path) -> list[list[float]]:
    """``[[epoch, figure], ...]`` of the whole lines, the last LAST; figures that are no number say nothing."""
    try:
        content = epochs.read_bytes()
    except FileNotFoundError:
        return []
    lines = [json.loads(line) for line in content[: content.rfind(b"\n") + 1].splitlines()]
    return [[one["epoch"], round(one["figure"], 6)] for one in lines if math.isfinite(one["figure"])][-LAST:]


def _unreachable() -> tuple[type[Exception], ...]:
    import httpx
    from prefect.exceptions import PrefectException

    return httpx.HTTPError, PrefectException, OSError
