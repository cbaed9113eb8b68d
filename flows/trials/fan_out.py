"""Many trials at once: what is known is answered, the rest runs as a Prefect flow on this machine or a cluster."""

from collections.abc import Callable, Iterable

from flows.trials.trial import On, Outcome, Trial

OnOutcome = Callable[[Outcome], None]
OnEpoch = Callable[[Trial, int, float], bool]


def run_trials(
    trials: Iterable[Trial],
    *,
    on: On = "threads",
    address: str | None = None,
    git_remote: str | None = None,
    on_outcome: OnOutcome | None = None,
    on_epoch: OnEpoch | None = None,
    limit: int | None = None,
) -> list[Outcome]:
    """Run trials side by side on a snapshot of the workspace; the outcomes in the order of ``trials``.

    The current folder is the project. The workspace, index and HEAD of the user are never touched. A trial that has
    the same params, data and code as a recorded one is answered at once. After a kill, call it again: finished trials
    are known, and training goes on from its checkpoints.

    Args:
        trials: pulled one by one as places get free, so a generator may ask for the next one late, with all outcomes
            so far at hand; it may end when it has seen enough.
        on: ``threads`` (this machine, as a Prefect flow), ``local`` (this machine without Prefect), ``dask`` or ``ray``.
        address: of an existing Dask scheduler or Ray cluster; None starts one on this machine.
        git_remote: name of the Git remote through which workers that do not see this folder get the snapshot and give
            results; data goes through the DVC remote.
        on_outcome: called in the calling thread as outcomes come.
        on_epoch: called in the calling thread with trial, epoch (from 1) and the validation figure of each epoch; True
            ends the trial, whose state is then ``pruned``. Workers that do not see this folder report nothing.
        limit: trials at once, at most; None: as many as the machine or the cluster has places for.

    Raises:
        UserError: the workspace cannot be snapshot (merge under way, data changed and not added, deps that neither Git
            nor DVC has), an unknown params key, no cluster at ``address``. A failed trial is an outcome, no error.
    """
    raise NotImplementedError
