"""What a trial is, what became of it, and what Git remembers of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

Kind = Literal["try", "repeat", "sweep", "ablate", "curve"]
State = Literal["ran", "known", "failed", "pruned"]
On = Literal["threads", "local", "dask", "ray"]


@dataclass(frozen=True)
class Trial:
    """The pipeline run once with some params changed, uncommitted changes of the workspace carried along.

    Attributes:
        name: of the DVC experiment; letters, digits, ``-``, ``_`` and ``.``. Where another trial has it already, the
            recorded one gets ``-2``, ``-3`` and so on behind it.
        overrides: new values by dotted key of params.yaml (``finetune.learning_rate``, ``seed``); JSON values.
        kind: which command asked for it.
        group: trials that belong together have the same, e.g. all of one sweep.
        reason: the hypothesis, in the user's words.
        expect: by how much the headline metric on validation should rise, as a difference of metrics (0.005 is half
            a point); None where nothing was expected.
    """

    name: str
    overrides: Mapping[str, Any]
    kind: Kind
    group: str
    reason: str = ""
    expect: float | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of a trial.

    Attributes:
        state: ``ran`` (and recorded), ``known`` (recorded before, nothing ran), ``failed`` (see ``error``), or
            ``pruned`` (``on_epoch`` ended it).
        rev: the experiment's commit where there is one.
        metrics: content of each metrics file by split (``data/metrics.test.json`` is ``test``); empty without commit.
        cost: of the attempt: ``seconds``, ``stages`` (name to verdict and seconds) and the content of the cost files of
            the stages that ran, by stage, under ``files``.
        log: what DVC and the stages said, all attempts; may lie on the worker's machine.
        error: one line with the remedy, empty unless ``failed``.
        name: of the recorded experiment, empty without one; may differ from the trial's.
    """

    trial: Trial
    state: State
    rev: str | None
    metrics: dict[str, dict[str, Any]]
    cost: dict[str, Any]
    log: Path
    error: str = ""
    name: str = ""


@dataclass(frozen=True)
class Recorded:
    """A trial as its experiment in Git tells it; also one that ``dvc exp run`` made, then without key and reason.

    Attributes:
        trial: with the recorded name; ``kind`` is ``try`` and ``group`` empty for an experiment that is not hone's.
        ours: whether hone made it.
        rev: commit of the experiment.
        base: commit that it was tried on.
        time: of the experiment's commit.
        key: hash of all that decides the result (see flows.trials.known); empty if not ours.
        metrics: as in Outcome.
        cost: as in Outcome; empty if not ours.
        repo: where Git is asked for ``params``.
    """

    trial: Trial
    ours: bool
    rev: str
    base: str
    time: datetime
    key: str
    metrics: dict[str, dict[str, Any]]
    cost: dict[str, Any]
    repo: Path = field(repr=False, compare=False)

    @property
    def params(self) -> dict[str, Any]:
        """All of params.yaml as it was; read when asked for (some 10 ms) and remembered."""
        from flows.trials.recorded import params_at

        return params_at(self.repo, self.rev)
