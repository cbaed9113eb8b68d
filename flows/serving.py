"""The flow on a schedule: served by this process against a running Prefect server."""

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path

from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule
from prefect.runner import Runner
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.types.entrypoint import EntrypointType

from flows.pipeline import pipeline
from tasks.errors import UserError

CODE = Path(__file__).resolve().parent.parent


def cron_schedule(cron: str, timezone: str | None) -> CronSchedule:
    """The schedule of a cron line, UTC without a ``timezone``.

    Raises:
        UserError: not five fields of cron, or an unknown zone.
    """
    try:
        return CronSchedule(cron=cron, timezone=timezone)
    except ValueError as error:
        said = str(error).lower()
        if "timezone" in said:
            raise UserError(f"--timezone {timezone!r} is unknown; take a name as Europe/Berlin or UTC") from None
        remedy = "five fields: minute, hour, day, month, weekday, as '0 3 * * *' for every night at three"
        raise UserError(f"--cron {cron!r} is not understood; {remedy}") from None


def serve(name: str, schedule: CronSchedule | IntervalSchedule, url: str) -> None:
    """Serve the flow as deployment ``name`` until SIGINT or SIGTERM; one run at a time, later ones wait.

    A run is a process of its own that Prefect starts in the current folder. Its stages end when it is gone, and also
    when this process is gone. The schedule stays on in the server when this process ends and goes on with the next.
    """
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(CODE), os.environ.get("PYTHONPATH")]))
    os.environ["HONE_STARTER"] = str(os.getpid())
    os.environ["PREFECT_API_URL"] = url
    with temporary_settings({PREFECT_API_URL: url}):
        runner = Runner(name=name, limit=1, pause_on_shutdown=False)
        runner.add_flow(
            pipeline,
            name=name,
            schedules=[schedule],
            description=str(Path.cwd()),
            entrypoint_type=EntrypointType.MODULE_PATH,
        )
        # Prefect's own answer to SIGTERM forgets to await its clean-up; what it does on Ctrl-C is right.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        setattr(runner, "handle_sigterm", _leave)  # noqa: B010
        with suppress(KeyboardInterrupt):
            asyncio.run(runner.start())


def _leave(*_: object) -> None:
    """Do what Ctrl-C does in a terminal, where the run that is at work gets the signal too."""
    import psutil

    for child in psutil.Process().children():
        with suppress(psutil.Error):
            child.terminate()
    signal.raise_signal(signal.SIGINT)
