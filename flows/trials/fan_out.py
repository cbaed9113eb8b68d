"""Many trials at once: what is known is answered, the rest runs as a Prefect flow on this machine or a cluster."""

import fcntl
import os
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from flows import server
from flows.trials import answered, attempt, elsewhere, engines, slots
from flows.trials.far_epochs import Variables, Watched
from flows.trials.hands import Hands, OnEpoch, OnOutcome, OnTick
from flows.trials.place import TRIALS, active
from flows.trials.snapshot import commit, kept, take
from flows.trials.trial import On, Outcome, Trial
from flows.trials.worktree import littered, sweep
from tasks.errors import UserError

NO_SERVER = "'make server' starts one, and '--on local' needs none"


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
            ends the trial, whose state is then ``pruned``. Workers that do not see this folder report through the
            Prefect server, some seconds later.
        on_tick: called in the calling thread a few times a second with what is at work.
        say: told about the fan-out itself in a few words.
        limit: trials at once, at most; None: as many as the machine or the cluster has places for.

    Raises:
        UserError: the workspace cannot be snapshot (merge under way, data changed and not added, deps that neither Git
            nor DVC has), an unknown params key, no cluster at ``address``. A failed trial is an outcome, no error.
    """
    engines.check(on, address)
    if isinstance(trials, Sequence) and trials and (outcomes := _known(trials)) is not None:
        for outcome in outcomes:
            if on_outcome is not None:
                on_outcome(outcome)
        return outcomes
    with active(), _fan_out() as name:
        sweep(Path.cwd())
        snapshot = take()
        far = Watched(Variables()) if git_remote and on in engines.PACKAGES and on_epoch else None
        hands = Hands(
            name, snapshot, iter(trials), git_remote, on_outcome, on_epoch, on_tick, say or (lambda _: None), far
        )
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
                url = stack.enter_context(server_for(on, address, hands.say))
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
        sweep(Path.cwd())  # what was still dying when this began
        return hands.outcomes()


def _known(trials: Sequence[Trial]) -> list[Outcome] | None:
    """The outcomes where all are known: then there is nothing to fan out, at most what a killed fan-out has left."""
    with active(), answered.look(trials) as seen:
        outcomes = None if seen is None else seen.known(trials)
        if outcomes is not None and littered(Path.cwd()):
            sweep(Path.cwd())
        return outcomes


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
def server_for(on: On, address: str | None, say: Callable[[str], None]) -> Iterator[str]:
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
