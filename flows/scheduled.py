"""What prefect.yaml deploys: the scheduled run of the pipeline, and commands of hone as flows."""

from typing import Any

from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows.command import hone
from flows.dvc import Busy
from flows.pipeline import pipeline
from flows.unattended import unattended
from tasks.errors import UserError


@flow(name="scheduled", persist_result=False, log_prints=False)
def scheduled(only_new_data: bool = False) -> State[Any]:
    """Run the newest commit in a worktree, compare it with what is live, publish what passes (params.yaml: schedule).

    The name of the final state says how it ended (Published, Unchanged, Skipped, Failed), its message why.
    """
    log = get_run_logger()
    try:
        report = unattended(_run, log.info, only_new_data=only_new_data)
    except (UserError, Busy) as error:
        return Failed(message=str(error))
    if report.verdict:
        create_markdown_artifact(report.verdict, key="verdict", description=report.line)
    return Completed(name=report.ending.value, message=report.line)


def _run(names: list[str], pull: bool) -> None:
    pipeline(names, pull=pull)


@flow(name="sweep", persist_result=False, log_prints=False)
def sweep(trials: int | None = None, hours: float | None = None, until_goal: bool = False) -> State[Any]:
    """`hone sweep` in this clone; after a kill the next one goes on where it was."""
    words = ["sweep", "--on", "local"]
    words += ["--trials", str(trials)] if trials is not None else []
    words += ["--hours", str(hours)] if hours is not None else []
    words += ["--until-goal"] if until_goal else []
    return _command(words)


def _command(words: list[str]) -> State[Any]:
    """A command of hone as the work of a flow run: its output is the log, its last words the final state's message."""
    try:
        return Completed(message=hone(words, get_run_logger().info))
    except UserError as error:
        return Failed(message=str(error))
