"""The watch as a Prefect flow: a table as its artifact, and a run of a deployment where something has drifted."""

from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger
from prefect.artifacts import create_table_artifact
from prefect.client.schemas.objects import State
from prefect.deployments import run_deployment
from prefect.states import Completed

from flows.watching import table, verdict, watched
from tasks.params_file import load

PARAMS = Path("params.yaml")


@flow(name="watch", persist_result=False)
def watch(files: list[str], deployment: str = "") -> State[Any]:
    """Compare the answers in ``files`` with the data that the model was made with.

    Args:
        files: JSON lines (flows.watching.watched), from the project's folder.
        deployment: FLOW/NAME of what runs when the newest window has drifted, as ``scheduled/nightly``; empty: nothing.
    """
    found = watched(load(PARAMS), map(Path, files))
    said = " ".join(verdict(found))
    create_table_artifact(table=table(found), key="watch", description=said)
    get_run_logger().info("%s", said)
    if found.last.alarms and deployment:
        run_deployment(deployment, timeout=0, as_subflow=False)
        get_run_logger().info("%s: a run is scheduled", deployment)
    return Completed(name="Drifted" if found.last.alarms else "Steady", message=said)
