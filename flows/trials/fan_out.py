"""Many trials at once: what is known is answered, the rest runs as a Prefect flow on this machine or a cluster."""

import fcntl
import json
import os
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from queue import Empty, Queue
from typing import Any

from flows import server
from flows.trials import attempt, elsewhere, engines, preflight, slots
from flows.trials.experiment import check_name
from flows.trials.job import Answer, Job
from flows.trials.known import Inputs
from flows.trials.overrides import changed
from flows.trials.place import TRIALS, active, log_file
from flows.trials.recorded import list_trials
from flows.trials.snapshot import Snapshot, commit, kept, take
from flows.trials.trial import On, Outcome, Trial
from flows.trials.worktree import sweep
from tasks.errors import UserError

OnOutcome = Callable[[Outcome], None]
OnEpoch = Callable[[Trial, int, float], bool]
TICK = 0.25  # seconds between two looks at what runs
NO_SERVER = "'make server' starts one, and '--on local' needs none"


@dataclass(frozen=True)
class Running:
    """A trial at work: its log, and when it was submitted (time.monotonic)."""

    trial: Trial
    log: Path
    since: float


OnTick = Callable[[list[Running]], None]


def run_trials(
    trials: Iterable[Trial],
    *,
    on: On = "threads",
    address: str | None = None,
    git_remote: str | None = None,
    on_outcome: OnOutcome | None = None,
    on_epoch: OnEpoch | None = None,
    on_tick: OnTick | None = None,
    say: Callable[[str], None] | None = None,
    limit: int | None = None,
) -> list[Outcome]:
    """Run trials side by side on a snapshot of the workspace; the outcomes in the order of ``trials``.

    The current folder is the project. The workspace, index and HEAD of the user are never touched. A trial that has
    the same params, data and code as a recorded one is answered at once. After a kill, call it again: finished trials
    are known, and training goes on from its checkpoints.

    Args:
        trials: pulled one by one as places get free, so a generator may ask for the next one late, with all outcomes
            so far at hand; it may end when it has seen enough.
        on: ``threads`` (this machine, as a Prefect flow; a single trial does without where no server is configured),
            ``local`` (this machine without Prefect), ``dask`` or ``ray``.
        address: of an existing Dask scheduler or Ray cluster; None starts one on this machine.
        git_remote: name of the Git remote through which workers that do not see this folder get the snapshot and give
            results; data goes through the DVC remote.
        on_outcome: called in the calling thread as outcomes come.
        on_epoch: called in the calling thread with trial, epoch (from 1) and the validation figure of each epoch; True
            ends the trial, whose state is then ``pruned``. Workers that do not see this folder report nothing.
        on_tick: called in the calling thread a few times a second with what is at work.
        say: told about the fan-out itself in a few words.
        limit: trials at once, at most; None: as many as the machine or the cluster has places for.

    Raises:
        UserError: the workspace cannot be snapshot (merge under way, data changed and not added, deps that neither Git
            nor DVC has), an unknown params key, no cluster at ``address``. A failed trial is an outcome, no error.
    """
    engines.check(on, address)
    with active(), _fan_out() as name:
        sweep(Path.cwd())
        snapshot = take()
        hands = _Hands(name, snapshot, iter(trials), git_remote, on_outcome, on_epoch, on_tick, say or (lambda _: None))
        first = hands.pull()
        if first is None:
            return hands.outcomes()
        ahead = [first]
        if isinstance(trials, Sequence) and (second := hands.pull()) is not None:
            ahead.append(second)
        places = min(len(trials) if isinstance(trials, Sequence) else 10**6, slots.places(first.threads, first.gpu))
        places = min(places, limit or places)

        def loop(submit: engines.Submit, available: int) -> None:
            hands.loop(submit, min(available, limit or available), ahead)

        attempt.restart()
        with ExitStack() as stack:
            ref = stack.enter_context(kept(snapshot, name))
            if git_remote:
                stack.enter_context(elsewhere.handed_over(git_remote, commit(snapshot), ref))
            alone = on == "threads" and isinstance(trials, Sequence) and len(ahead) == 1 and not server.configured()
            if on == "local" or alone:
                engines.run_local(loop, places)
            else:
                url = stack.enter_context(_server(on, address, hands.say))
                engines.run_in_prefect(
                    loop,
                    places,
                    on=on,
                    address=address,
                    group=first.trial["group"],
                    url=url,
                    threads=first.threads,
                    gpu=first.gpu,
                )
        return hands.outcomes()


class _Hands:
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
    ) -> None:
        self.say = say
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
        )
        log = log_file(self._snapshot.root, trial.group, trial.name)
        self._flying[key] = (index, job, Running(trial, log, time.monotonic()))
        return job

    def _take(self, key: str, answer: Answer) -> None:
        self._look()
        index, job, running = self._flying.pop(key)
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
        for key, (_, job, running) in self._flying.items():
            if self._on_epoch is None:
                break
            epochs, prune = attempt.hooks(self._snapshot.root, job)
            if not epochs.exists():
                continue
            content = epochs.read_bytes()
            whole = content[self._read.get(key, 0) : content.rfind(b"\n") + 1]
            self._read[key] = self._read.get(key, 0) + len(whole)
            for line in whole.splitlines():
                told = json.loads(line)
                if self._on_epoch(running.trial, int(told["epoch"]), float(told["figure"])):
                    prune.touch()
        if self._on_tick is not None:
            self._on_tick([running for _, _, running in self._flying.values()])


def _put(done: Queue[tuple[str, dict[str, Any]]], key: str, answer: dict[str, Any]) -> None:
    done.put((key, answer))


@contextmanager
def _fan_out() -> Iterator[str]:
    """A name for this fan-out, whose lock file is held all its life: runners end when it is free."""
    name = uuid.uuid4().hex[:12]
    path = TRIALS / f"@fan-out-{name}"
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield name
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


@contextmanager
def _server(on: On, address: str | None, say: Callable[[str], None]) -> Iterator[str]:
    """The Prefect server that the flow and, on a cluster, its workers talk to.

    Raises:
        UserError: workers on other machines could not reach a temporary one.
    """
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    far = bool(address) and not any(word in str(address) for word in ("127.0.0.1", "localhost", "::1", "auto"))
    if on in engines.PACKAGES and far and not server.running(NO_SERVER):
        raise UserError(
            f"--address {address}: workers there cannot reach a temporary Prefect server; start one that they can "
            "reach and set PREFECT_API_URL to it, here and for the workers"
        )
    with server.server(say) as url:
        yield url
