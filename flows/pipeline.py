"""The pipeline as a Prefect flow: one task per stage, each run through DVC, which alone decides what is fresh."""

import time
from collections.abc import Callable
from typing import Any

from prefect import Flow, flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows import remote
from flows import watcher as watchers  # the module, as Prefect pickles these functions and no ContextVar can be
from flows.alone import alone
from flows.artifacts import progress_bar, show_results
from flows.dag import select, stages
from flows.dvc import DELAYS, Busy, Verdict, reproduce

STATES = {Verdict.RAN: "Ran", Verdict.RESTORED: "Restored", Verdict.UNCHANGED: "Unchanged"}


def _busy(_task: Any, _run: Any, state: State[Any]) -> bool:
    """Whether a failed task is worth another try: only when DVC's locks or the system stood in the way."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, Busy | BlockingIOError | ConnectionError)


@task(
    task_run_name="{name}",
    retries=len(DELAYS),
    retry_delay_seconds=list(DELAYS),
    retry_condition_fn=_busy,
    cache_policy=NO_CACHE,
    persist_result=False,
)
def stage(name: str, force: bool, pull: bool = False) -> State[str]:
    """Bring one stage up to date; its verdict is the name of the state, its output goes to the run's log.

    With ``pull`` it comes out of DVC's remote where somebody has run it already.
    """
    this = {stage.name: stage for stage in stages()}[name]
    watcher, log = watchers.WATCHER.get(), get_run_logger()
    bar = progress_bar(name, log.warning)
    started = time.monotonic()
    watcher.started(this)

    def on_line(text: str, progress: bool) -> None:
        watcher.line(text, progress)
        bar(text)
        if not progress and text.strip():
            log.info("%s", text)

    if pull:
        remote.pull_stage(name, lambda text: _both(watcher.note, log.info, text))
    verdict = reproduce(this, on_line, force=force)
    seconds = time.monotonic() - started
    log.info("%s: %s (%.1f s)", name, verdict, seconds)
    watcher.ended(this, verdict, seconds)
    return Completed(name=STATES[verdict], message=f"{verdict} in {seconds:.1f} s", data=str(verdict))


@flow(name="pipeline", persist_result=False, log_prints=False)
def pipeline(names: list[str] | None = None, force: bool = False, pull: bool = False) -> None:
    """Run the named stages of dvc.yaml and all before them, every stage without names.

    ``force`` runs the named ones (or all) although nothing changed; ``pull`` takes from DVC's remote what somebody has
    run already. A stage that fails ends the flow.
    """
    log = get_run_logger()
    names = names or []
    with alone(log.warning):
        if pull:
            remote.pull_all(lambda text: _both(watchers.WATCHER.get().note, log.info, text))
        ordered = select(stages(), names)
        for each in ordered:
            stage(each.name, force and (not names or each.name in names), pull)
        show_results(ordered)


def _both(one: Callable[[str], None], other: Callable[[str], None], text: str) -> None:
    one(text)
    other(text)


def run_pipeline(names: list[str], *, force: bool, url: str, pull: bool = False) -> None:
    """The flow in this process against the server at ``url``; returns when its log has reached the server.

    Raises:
        UserError: a stage failed, or a name that dvc.yaml does not have.
    """
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogHandler
    from prefect.settings import PREFECT_API_URL, temporary_settings

    run: Flow[Any, None] = pipeline
    with temporary_settings({PREFECT_API_URL: url}):
        try:
            run(names, force, pull)
        finally:
            EventsWorker.drain_all(timeout=5)  # the states of tasks travel as events
            APILogHandler().flush()
