"""Predictions of a group of files as a Prefect task, run in a Dask worker or a Ray worker."""

from typing import Any

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from flows.predicting import predict_group


@task(name="predict", task_run_name="{values[name]}", cache_policy=NO_CACHE, persist_result=False)
def predict(values: dict[str, Any]) -> dict[str, Any]:
    """Predict a Group; what was said. A file that fails is an answer, no failed task: the others go on."""
    answer = predict_group(values)
    for line in answer["said"]:
        get_run_logger().info("%s", line)
    return answer
