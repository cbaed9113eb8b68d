"""Who is told what a run does: the terminal of `hone run`, or nobody when Prefect runs the flow by itself."""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass

from flows.dag import Stage
from flows.dvc import Verdict


@dataclass(frozen=True)
class Watcher:
    """Functions that are called as things happen.

    started: a stage begins. line: it wrote a line (text, whether the next one replaces it). ended: its verdict and
    seconds. note: something about the run itself.
    """

    started: Callable[[Stage], None]
    line: Callable[[str, bool], None]
    ended: Callable[[Stage, Verdict, float], None]
    note: Callable[[str], None]


def nothing(*_: object) -> None:
    """Tell nobody."""


SILENT = Watcher(started=nothing, line=nothing, ended=nothing, note=nothing)
WATCHER: ContextVar[Watcher] = ContextVar("watcher", default=SILENT)  # a flow's parameters carry no functions
