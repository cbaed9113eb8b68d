"""What goes on in the process that asks for trials: it pulls them, answers known ones, hands out the others."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from queue import Empty, Queue
from typing import Any

from flows.trials import attempt, elsewhere, engines, preflight
from flows.trials.experiment import check_name
from flows.trials.far_epochs import Watched
from flows.trials.job import Answer, Job
from flows.trials.known import Inputs
from flows.trials.overrides import changed
from flows.trials.place import log_file
from flows.trials.recorded import list_trials
from flows.trials.snapshot import Snapshot
from flows.trials.trial import Outcome, Trial

OnOutcome = Callable[[Outcome], None]
OnEpoch = Callable[[Trial, int, float], bool]
TICK = 0.25  # seconds between two looks at what runs


@dataclass(frozen=True)
class Running:
    """A trial at work: its log, and when it was submitted (time.monotonic)."""

    trial: Trial
    log: Path
    since: float


OnTick = Callable[[list[Running]], None]


class Hands:
    """What goes on in the calling thread: pulls trials, answers known ones, submits the others, takes answers."""

    def __init__(
        self,
        name: str,
        snapshot: Snapshot,
        trials: Iterator[Trial],
        git_remote: str | None,
        on_outcome: OnOutcome | None,
        on_epoch: OnEpoch | None,
        on_tick: OnTick | None,
        say: Callable[[str], None],
        far: Watched | None = None,
    ) -> None:
        self.say = say
        self._far = far
        self._name = name
        self._snapshot = snapshot
        self._inputs = Inputs.of(snapshot)
        self._trials = enumerate(trials)
        self._git_remote = git_remote or ""
        self._on_outcome = on_outcome
        self._on_epoch = on_epoch
        self._on_tick = on_tick
        self._outcomes: dict[int, Outcome] = {}
        self._flying: dict[str, tuple[int, Job, Running]] = {}
        self._same: dict[str, list[tuple[int, Trial]]] = {}  # trials that wait for one with the same key
        self._read: dict[str, int] = {}  # bytes of the epochs that were seen
        self._checked: set[tuple[str, ...]] = set()

    def outcomes(self) -> list[Outcome]:
        """In the order of the trials."""
        return [self._outcomes[index] for index in sorted(self._outcomes)]

    def pull(self) -> Job | None:
        """The next trial that has to run; those known before it are answered on the way."""
        for index, trial in self._trials:
            check_name(trial.name)
            key = self._inputs.key(trial.overrides)
            self._refuse(trial)
            if key in self._flying:
                self._same.setdefault(key, []).append((index, trial))
            elif known := list_trials(self._snapshot.root, only=key.__eq__):
                found = known[-1]
                answer = Answer("known", found.rev, found.trial.name, found.metrics, found.cost)
                self._deliver(index, trial, answer, log_file(self._snapshot.root, found.trial.group, found.trial.name))
            else:
                return self._job(index, trial, key)
        return None

    def loop(self, submit: engines.Submit, places: int, ahead: list[Job]) -> None:
        """Keep ``places`` trials at work until there are no more, then wait for the last."""
        done: Queue[tuple[str, dict[str, Any]]] = Queue()
        at_work = 0
        try:
            while True:
                while at_work < places and (job := ahead.pop(0) if ahead else self.pull()) is not None:
                    at_work += 1
                    submit(job, partial(_put, done, job.key))
                if not at_work:
                    return
                try:
                    key, answer = done.get(timeout=TICK)
                    at_work -= 1
                    self._take(key, Answer(**answer))
                except Empty:
                    self._look()
        except BaseException:
            attempt.stop()
            raise
        finally:
            for _, job, _ in self._flying.values():
                self._forget(job)

    def _refuse(self, trial: Trial) -> None:
        """The checks of the workspace, once for each set of data that trials read."""
        sources = self._inputs.sources(trial.overrides)
        raw = self._inputs.raw(trial.overrides)
        if (case := (*sources, "", *raw)) not in self._checked:
            preflight.refuse_unadded(sources)
            preflight.refuse_ignored(raw, sources)
            self._checked.add(case)

    def _job(self, index: int, trial: Trial, key: str) -> Job:
        values = changed(self._inputs.values, trial.overrides)
        compute = values.get("compute")
        needs = compute if isinstance(compute, dict) else {}  # a pipeline without that block runs on one core
        job = Job(
            root=str(self._snapshot.root),
            base=self._snapshot.base,
            tree=self._snapshot.tree,
            author=self._snapshot.author,
            ref=f"refs/hone/snapshots/{self._name}",
            key=key,
            trial=asdict(trial) | {"overrides": dict(trial.overrides)},
            fan_out=f"@fan-out-{self._name}",
            threads=int(needs.get("threads", 1)),
            gpu=needs.get("device", "cpu") in ("auto", "cuda"),
            git_remote=self._git_remote,
            watched=self._far is not None,
        )
        log = log_file(self._snapshot.root, trial.group, trial.name)
        self._flying[key] = (index, job, Running(trial, log, time.monotonic()))
        return job

    def _take(self, key: str, answer: Answer) -> None:
        self._look()
        index, job, running = self._flying.pop(key)
        self._forget(job)
        if answer.host and answer.rev:
            elsewhere.receive(job, answer)
        self._deliver(index, running.trial, answer, Path(answer.log) if answer.log else running.log)
        for other, trial in self._same.pop(key, []):
            copied = Answer(**answer.plain())
            copied.state = "known" if answer.state == "ran" else answer.state
            self._deliver(other, trial, copied, running.log)

    def _deliver(self, index: int, trial: Trial, answer: Answer, log: Path) -> None:
        where = f" (on {answer.host})" if answer.host and answer.error else ""
        outcome = Outcome(
            trial=trial,
            state=answer.state,  # type: ignore[arg-type]
            rev=answer.rev or None,
            metrics=answer.metrics,
            cost=answer.cost,
            log=log,
            error=answer.error + where if answer.error else "",
            name=answer.name,
        )
        self._outcomes[index] = outcome
        if self._on_outcome is not None:
            self._on_outcome(outcome)

    def _look(self) -> None:
        """New epochs of what runs, and how it gets on."""
        if self._on_epoch is not None:
            far = self._far if self._far is not None and self._far.due() else None
            for key, (_, job, running) in self._flying.items():
                epochs, prune = attempt.hooks(self._snapshot.root, job)
                if self._tell(running.trial, self._lines(key, epochs)):
                    prune.touch()
                if far is not None and self._tell(running.trial, far.news(job)):
                    far.end(job)
        if self._on_tick is not None:
            self._on_tick([running for _, _, running in self._flying.values()])

    def _tell(self, trial: Trial, epochs: list[tuple[int, float]]) -> bool:
        """Hand epochs on; whether the trial should end."""
        wishes = [self._on_epoch is not None and self._on_epoch(trial, epoch, figure) for epoch, figure in epochs]
        return any(wishes)

    def _lines(self, key: str, epochs: Path) -> list[tuple[int, float]]:
        """Epoch and figure of each new line of the file to which a trial on this machine appends."""
        if not epochs.exists():
            return []
        content = epochs.read_bytes()
        whole = content[self._read.get(key, 0) : content.rfind(b"\n") + 1]
        self._read[key] = self._read.get(key, 0) + len(whole)
        return [(int(told["epoch"]), float(told["figure"])) for told in map(json.loads, whole.splitlines())]

    def _forget(self, job: Job) -> None:
        if self._far is not None:
            self._far.forget(job)


def _put(done: Queue[tuple[str, dict[str, Any]]], key: str, answer: dict[str, Any]) -> None:
    done.put((key, answer))
