"""One search in Optuna's storage: which trials it has, which is next, and whose driver died.

A driver marks its trials with its machine and folder and, while they run, with the time. A trial still called running
is dead if it is ours (only one driver works on a search in a folder, see `alone`) or if its mark is old. Its point is
queued again: if the trial had ended, Git knows its result; if not, training goes on from its checkpoint.
"""

import fcntl
import math
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState
from optuna.trial import Trial as Asked

from flows.search.sampler import LOST, Mixed
from flows.search.space import Space
from tasks.errors import UserError

LOCKS = Path(".dvc/tmp/hone/searches")
MARK = 20.0  # seconds between two marks of the time
DEAD = 180.0  # seconds without a mark after which a driver elsewhere counts as dead
REFUSED = 200  # points in a row that make no sense together before the space is to blame
VOID = "void"  # mark of a trial that is none: its values make no sense together
State = Literal["done", "pruned", "failed", "running"]
Drawn = Literal["given", "random", "TPE"]
STATES: dict[TrialState, State] = {
    TrialState.COMPLETE: "done",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
}


@dataclass(frozen=True)
class Row:
    """One trial of a search.

    Attributes:
        number: from 0, in the order of asking.
        name: of the DVC experiment.
        params: values by dotted key.
        value: what is searched for, on validation; None unless done.
        low, high: its 95 % interval, None where none is known.
        seconds: of the trial's stages, None unless known: what came out of a cache does not say what it cost.
        epochs: figure after each epoch.
        drawn: how its point came about; ``given`` is that of the params here.
        rev: commit of the experiment, empty without.
        error: why it failed.
    """

    number: int
    name: str
    state: State
    params: dict[str, Any]
    value: float | None
    low: float | None = None
    high: float | None = None
    seconds: float | None = None
    epochs: dict[int, float] = field(default_factory=dict)
    drawn: Drawn = "given"
    rev: str = ""
    error: str = ""


class Search:
    """A study of Optuna and what this process does with it."""

    def __init__(self, study: Study, space: Space, sampler: Mixed, name: str) -> None:
        self.name = name
        self._study = study
        self._space = space
        self._sampler = sampler
        self._asked: dict[str, Asked] = {}
        self._seen: set[tuple[int, int]] = set()
        self._marked = 0.0

    def begin(self) -> int:
        """Queue the points of dead drivers again, or the current params as the first point; how many were dead."""
        dead = 0
        for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            mark = trial.user_attrs
            if mark.get("driver") == _driver() or time.time() - float(mark.get("alive", 0)) > DEAD:
                self._study._storage.set_trial_user_attr(trial._trial_id, LOST, True)
                self._study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
                self._study.enqueue_trial(trial.params, user_attrs={"drawn": mark.get("drawn", "given")})
                dead += 1
        if not self._study.get_trials(deepcopy=False) and (start := self._space.start()) is not None:
            self._study.enqueue_trial(start, user_attrs={"drawn": "given"})
        return dead

    def counted(self) -> int:
        """Trials that are done, pruned, failed or at work; not those that were void."""
        return len(self._trials())

    def ask(self, check: Any) -> tuple[str, dict[str, Any]]:
        """Name and overrides of the next trial.

        Args:
            check: raises UserError for values that make no sense together; such a point is void, another one is drawn.

        Raises:
            UserError: nearly every point of the space makes no sense.
        """
        for _ in range(REFUSED):
            asked = self._study.ask(self._space.distributions)
            overrides = self._space.overrides(asked.params)
            try:
                check(overrides)
            except UserError as error:
                problem = str(error)
                asked.set_user_attr(VOID, problem)
                self._study.tell(asked, state=TrialState.FAIL)
                continue
            name = f"{self.name}-{asked.number}"
            asked.set_user_attr("driver", _driver())
            asked.set_user_attr("alive", time.time())
            asked.set_user_attr("name", name)
            if "drawn" not in asked.user_attrs:
                random = self._sampler.random(self._sampler.place(self._study, asked.number))
                asked.set_user_attr("drawn", "random" if random else "TPE")
            self._asked[name] = asked
            return name, overrides
        raise UserError(f"params.yaml: sweep.space: {REFUSED} points in a row make no sense, the last: {problem}")

    def epoch(self, name: str, epoch: int, figure: float) -> bool:
        """Take note of the figure after an epoch; whether the trial should end."""
        asked = self._asked[name]
        if (asked.number, epoch) in self._seen or not math.isfinite(figure):
            return False  # a trial that goes on from a checkpoint tells its epochs again
        self._seen.add((asked.number, epoch))
        asked.report(figure, epoch)
        return bool(asked.should_prune())

    def alive(self) -> None:
        """Mark the time with the trials at work, now and then."""
        if time.monotonic() - self._marked < MARK:
            return
        self._marked = time.monotonic()
        for asked in self._asked.values():
            asked.set_user_attr("alive", time.time())

    def tell(self, name: str, state: State, value: float | None, facts: dict[str, Any]) -> None:
        """What became of a trial; one that is done without a value has failed."""
        asked = self._asked.pop(name)
        for key, fact in facts.items():
            asked.set_user_attr(key, fact)
        if state == "done" and value is not None:
            self._study.tell(asked, value)
        else:
            self._study.tell(asked, state=TrialState.PRUNED if state == "pruned" else TrialState.FAIL)

    def rows(self) -> list[Row]:
        """All trials but the void ones and those of dead drivers."""
        return [self._row(one) for one in self._trials()]

    def _trials(self) -> list[FrozenTrial]:
        trials = self._study.get_trials(deepcopy=False)
        return [one for one in trials if not {VOID, LOST} & one.user_attrs.keys() and one.state in STATES]

    def importance(self) -> dict[str, float]:
        """What share of what tells good trials from others lies in each key (PED-ANOVA, Watanabe et al. 2023).

        Empty with fewer than four finished trials, or where all are equally good.
        """
        from optuna.importance import get_param_importances

        done = [row.value for row in self.rows() if row.state == "done"]
        if len(done) < 4 or len(set(done)) < 2:
            return {}
        return dict(get_param_importances(self._study))

    def _row(self, one: FrozenTrial) -> Row:
        facts = one.user_attrs
        state = STATES[one.state]
        return Row(
            number=one.number,
            name=facts.get("experiment") or facts.get("name", ""),
            state=state,
            params=self._space.overrides(one.params),
            value=one.value if state == "done" else None,
            low=facts.get("low"),
            high=facts.get("high"),
            seconds=facts.get("seconds"),
            epochs=dict(one.intermediate_values),
            drawn=facts.get("drawn", "given"),
            rev=facts.get("rev", ""),
            error=facts.get("error", ""),
        )


def open_search(
    storage: Any, name: str, space: Space, *, seed: int, share: float, trials: int, pruner: str, prune_after: int
) -> Search:
    """The search of that name in ``storage``, made if it is not there."""
    import optuna

    sampler = Mixed(seed, share, trials)
    study = optuna.create_study(
        storage=storage,
        study_name=name,
        sampler=sampler,
        pruner=make_pruner(pruner, prune_after, space),
        direction="maximize",
        load_if_exists=True,
    )
    return Search(study, space, sampler, name)


def make_pruner(name: str, after: int, space: Space) -> BasePruner:
    """What ends weak trials: below the median of the others at the same epoch, or Hyperband (Li et al. 2018)."""
    if name == "median":
        return MedianPruner(n_startup_trials=4, n_warmup_steps=after)  # a step counts as warm-up while it is below that
    if name == "hyperband":
        epochs = space.distributions.get("finetune.epochs")
        most = getattr(epochs, "high", None) or "auto"
        return HyperbandPruner(min_resource=after, max_resource=most, reduction_factor=3)
    return NopPruner()


@contextmanager
def alone(name: str) -> Iterator[None]:
    """Be the only driver of this search in this folder.

    Raises:
        UserError: there is another one.
    """
    LOCKS.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(LOCKS / f"{name}.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"{name}: another 'hone sweep' is at work on it in this folder; wait until it ends"
            ) from None
        yield
    finally:
        os.close(descriptor)


def _driver() -> str:
    return f"{socket.gethostname()}:{Path.cwd()}"
