"""A trial as a Prefect task, run in a thread, a Dask worker or a Ray worker, and the flow of a fan-out."""

from typing import Any

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE

from flows.artifacts import progress_bar
from flows.trials import carried
from flows.trials.attempt import attempt
from flows.trials.engines import follow, log_of
from flows.trials.far_epochs import Variables
from flows.trials.job import Job


@task(name="trial", task_run_name="{values[trial][name]}", cache_policy=NO_CACHE, persist_result=False)
def trial(values: dict[str, Any]) -> dict[str, Any]:
    """Run the trial of a Job; its Answer. A trial that fails is an answer, no failed task: the others go on."""
    job, log = Job.read(values), get_run_logger()
    path = log_of(job)
    log.info("log: %s", path)
    end = follow(path, progress_bar(job.trial["name"], log.warning))
    try:
        answer = attempt(values, Variables())
    finally:
        end()
    log.info("%s: %s %s", job.trial["name"], answer["state"], answer["error"])
    return answer


@flow(name="trials", persist_result=False)
def fan_out() -> None:
    """Run what ``carried.BODY`` holds in this process."""
    carried.BODY.pop()()
