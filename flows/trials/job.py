"""What a runner needs to know of an attempt at a trial, and what it answers: plain JSON that travels anywhere."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from flows.trials.trial import Trial


@dataclass(frozen=True)
class Job:
    """One trial to run.

    Attributes:
        root: the project's folder on the machine that asks.
        base, tree, author: the snapshot (flows.trials.snapshot).
        ref: that keeps the snapshot's commit.
        key: of the trial.
        trial: as plain values.
        fan_out: name of the lock file that the asking process holds.
        threads: processor threads that the stages use.
        gpu: whether they use a GPU where there is one.
        git_remote: Git remote through which a worker elsewhere gets the snapshot and gives the result; empty: none.
        watched: whether a worker elsewhere tells the epochs.
    """

    root: str
    base: str
    tree: str
    author: tuple[str, str]
    ref: str
    key: str
    trial: dict[str, Any]
    fan_out: str
    threads: int
    gpu: bool
    git_remote: str = ""
    watched: bool = False

    @property
    def named(self) -> Trial:
        """The trial itself."""
        return Trial(**self.trial)

    def plain(self) -> dict[str, Any]:
        """As JSON takes it."""
        return asdict(self)

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> "Job":
        """From such values."""
        return cls(**{**values, "author": tuple(values["author"])})


@dataclass
class Answer:
    """What became of it.

    Attributes:
        state: ran, known, failed or pruned.
        rev, name: of the experiment, empty without one.
        metrics, cost: as in Outcome.
        log: path of the log on the machine that ran it.
        host: that machine.
        error: why it failed.
    """

    state: str
    rev: str = ""
    name: str = ""
    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)
    cost: dict[str, Any] = field(default_factory=dict)
    log: str = ""
    host: str = ""
    error: str = ""

    def plain(self) -> dict[str, Any]:
        """As JSON takes it."""
        return asdict(self)
