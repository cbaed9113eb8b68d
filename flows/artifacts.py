"""What a flow run shows in Prefect beside its log: the metrics as a table, the report, a bar per stage."""

import re
import time
from collections.abc import Callable
from uuid import UUID

from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)

from flows.dag import Stage
from flows.results import metrics_table, report_file

PERCENT = re.compile(r"(?<![\d.])(\d{1,3})(?:\.\d+)?\s?%")
PAUSE = 5.0  # seconds between two updates of a bar: every step would lock the server's SQLite


def key(text: str) -> str:
    """``text`` as Prefect allows it in keys: lower case, digits, dashes."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def show_results(ordered: list[Stage]) -> None:
    """The metrics and the report as artifacts of the current flow run."""
    table = metrics_table(ordered)
    if table:
        create_table_artifact(table=table, key="metrics", description="Metrics of the model")
    report = report_file(ordered, "report.md")
    if report:
        create_markdown_artifact(report.read_text(encoding="utf-8"), key="report", description=str(report))


def progress_bar(stage: str, warn: Callable[[str], None]) -> Callable[[str], None]:
    """A function that takes lines and moves the stage's bar by the last percentage in them, now and then.

    A bar is not worth a training: when the server does not take it the stage goes on without.
    """
    identity: UUID | None = None
    last = 0.0
    broken = False

    def move(text: str) -> None:
        nonlocal identity, last, broken
        found = PERCENT.findall(text)
        if broken or not found or (identity and time.monotonic() - last < PAUSE):
            return
        percent = min(100.0, float(found[-1]))
        last = time.monotonic()
        try:
            if identity is None:
                made = create_progress_artifact(percent, key=key(f"{stage}-progress"), description=text.strip())
                identity = made if isinstance(made, UUID) else None
            else:
                update_progress_artifact(identity, percent, description=text.strip())
        except Exception as error:
            broken = True
            warn(f"no progress bar for {stage}: {error}")

    return move
