"""The search itself: asks Optuna for points, runs them as trials, tells what came of them, and knows when to end."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from flows.search.space import Check, Space
from flows.search.storage import storage
from flows.search.study import Row, alone, open_search
from flows.trials import On, Outcome, Trial, list_trials, run_trials
from flows.trials.hands import Running
from flows.trials.known import Inputs
from flows.trials.recorded import worked
from flows.trials.snapshot import take
from tasks.errors import UserError
from tasks.params import Sweep
from tasks.scoring.goal import Figure

Why = Literal["goal", "trials", "hours", "budget"]
Judge = Callable[[Outcome], Figure | None]  # the figure that is searched for, of an outcome with metrics
DOOMED = 3  # trials that fail one after another from the start end the search


@dataclass(frozen=True)
class Found:
    """What a search has come to.

    Attributes:
        name: of the search, also the group of its trials.
        rows: its trials, those of earlier calls too.
        why: what ended it: the goal was cleared, or so many trials, hours, or the goal's budget were spent.
        importance: share of the differences by key.
        again: trials of a driver that was killed, which were taken up again.
    """

    name: str
    rows: list[Row]
    why: Why
    importance: dict[str, float]
    again: int

    @property
    def best(self) -> Row | None:
        """The best trial; the first of equals."""
        done = [row for row in self.rows if row.value is not None]
        return max(done, key=lambda row: row.value or 0.0, default=None)


def search(
    settings: Sweep,
    values: dict[str, Any],
    *,
    target: str,
    judge: Judge,
    check: Check,
    goal: float | None,
    budget_hours: float,
    on: On,
    address: str | None,
    git_remote: str | None,
    begun: Callable[[int], None] | None = None,
    on_outcome: Callable[[Outcome], None] | None = None,
    on_tick: Callable[[list[Running]], None] | None = None,
    say: Callable[[str], None] | None = None,
) -> Found:
    """Search as ``settings`` say; where an earlier call ended or was killed, go on.

    Args:
        settings: the block ``sweep`` of params.yaml, with what the command line changes.
        values: all of params.yaml.
        target: name of the figure that is searched for.
        judge: reads it; larger is better.
        goal: a trial whose interval lies above ends the search; None never ends it so.
        budget_hours: of all recorded trials together, 0 for no limit; only looked at with a goal.
        begun: told how many trials there are already, before the first one.
        on, address, git_remote, on_outcome, on_tick, say: as in run_trials.

    Raises:
        UserError: a space that cannot be searched, a storage that does not answer, or all trials fail.
    """
    space = Space(settings.space, values, check)
    name = _name(space, target)
    say = say or (lambda _: None)
    with alone(name), storage(settings.storage) as opened:
        state = open_search(
            opened,
            name,
            space,
            seed=int(values.get("seed", 0)),
            share=settings.random_share,
            trials=settings.trials,
            pruner=settings.pruner,
            prune_after=settings.prune_after,
        )
        again = state.begin()
        if again and state.counted() < settings.trials:
            trials = "1 trial" if again == 1 else f"{again} trials"
            say(f"the search was interrupted: {trials} that had begun {'is' if again == 1 else 'are'} taken up again")
        ending = _Ending(settings, goal, budget_hours)
        for row in state.rows():
            ending.note(row.low)
        failed: list[str] = []
        if begun is not None:
            begun(state.counted())

        def points() -> Iterator[Trial]:
            while not ending.reached(state.counted()):
                asked, overrides = state.ask(check)
                yield Trial(asked, overrides, "sweep", name)

        def ended(outcome: Outcome) -> None:
            figure = judge(outcome) if outcome.metrics else None
            facts = _facts(outcome, figure)
            verdict: Any = {"ran": "done", "known": "done"}.get(outcome.state, outcome.state)
            if verdict == "failed" and outcome.error.startswith("stopped"):
                return  # by us: still running in the eyes of the next call, which takes it up
            state.tell(outcome.trial.name, verdict, figure.value if figure else None, facts)
            ending.note(figure.low if figure else None)
            ending.spend(float(outcome.cost.get("seconds", 0.0)) if outcome.state == "ran" else 0.0)
            if on_outcome is not None:
                on_outcome(outcome)
            if verdict == "failed":
                failed.append(outcome.error)
            if len(failed) == DOOMED == sum(row.state != "running" for row in state.rows()):
                raise UserError(f"the first {DOOMED} trials failed, the last with: {failed[-1]}")

        def tick(running: list[Running]) -> None:
            state.alive()
            if on_tick is not None:
                on_tick(running)

        run_trials(
            points(),
            on=on,
            address=address,
            git_remote=git_remote,
            on_outcome=ended,
            on_epoch=lambda trial, epoch, value: state.epoch(trial.name, epoch, value),
            on_tick=tick,
            say=say,
        )
        return Found(name, state.rows(), ending.why or "trials", state.importance(), again)


class _Ending:
    """What ends a search, and which of it did."""

    def __init__(self, settings: Sweep, goal: float | None, budget_hours: float) -> None:
        self.why: Why | None = None
        self._settings = settings
        self._goal = goal
        self._start = time.monotonic()
        self._budget = budget_hours * 3600 if goal is not None else 0.0
        self._spent = sum(float(one.cost.get("seconds", 0.0)) for one in list_trials()) if self._budget else 0.0
        self._cleared = False

    def note(self, low: float | None) -> None:
        """The lower end of a trial's interval."""
        self._cleared |= self._goal is not None and low is not None and low >= self._goal

    def spend(self, seconds: float) -> None:
        """A trial has taken that long."""
        self._spent += seconds

    def reached(self, trials: int) -> bool:
        """Whether no further trial should begin after so many."""
        hours = self._settings.hours
        if self._cleared:
            self.why = "goal"
        elif trials >= self._settings.trials:
            self.why = "trials"
        elif hours and time.monotonic() - self._start >= 3600 * hours:
            self.why = "hours"
        elif self._budget and self._spent >= self._budget:
            self.why = "budget"
        return self.why is not None


def _name(space: Space, target: str) -> str:
    """The same for the same space, target, and all else that decides results: other data or code is another search."""
    decides = Inputs.of(take()).key(space.anchor())
    said = json.dumps([space.described(), target, decides])
    return f"sweep-{hashlib.sha256(said.encode()).hexdigest()[:8]}"


def _facts(outcome: Outcome, figure: Figure | None) -> dict[str, Any]:
    facts: dict[str, Any] = {"experiment": outcome.name, "rev": outcome.rev or "", "error": outcome.error}
    if (seconds := worked(outcome.cost)) is not None:
        facts["seconds"] = seconds
    if figure is not None and figure.low is not None:
        facts |= {"low": figure.low, "high": figure.high}
    return facts
