"""A trial as a Prefect task, which Prefect may run in a thread, a Dask worker or a Ray worker."""

from typing import Any

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from flows.artifacts import progress_bar
from flows.trials.attempt import attempt
from flows.trials.engines import follow, log_of
from flows.trials.job import Job


@task(name="trial", cache_policy=NO_CACHE, persist_result=False)
def trial(values: dict[str, Any]) -> dict[str, Any]:
    """Run the trial of a Job; its Answer. A trial that fails is an answer, no failed task: the others go on."""
    job, log = Job.read(values), get_run_logger()
    path = log_of(job)
    log.info("log: %s", path)
    end = follow(path, progress_bar(job.trial["name"], log.warning))
    try:
        answer = attempt(values)
    finally:
        end()
    log.info("%s: %s %s", job.trial["name"], answer["state"], answer["error"])
    return answer
