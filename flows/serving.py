"""The deployments of prefect.yaml, served by this process against a running Prefect server."""

import asyncio
import datetime
import os
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule
from prefect.flows import Flow
from prefect.runner import Runner
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.types.entrypoint import EntrypointType

from flows.server import answers
from tasks.errors import UserError
from tasks.yaml_files import read_yaml

CODE = Path(__file__).resolve().parent.parent
PLAN = Path("prefect.yaml")
# A run that comes while one of its deployment is at work is left out; the lock of flows.unattended holds among others.
ONE = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW)
LOOK = 5.0  # seconds between two looks for a server that has gone

When = CronSchedule | IntervalSchedule


@dataclass(frozen=True)
class Deployment:
    """A flow with its parameters and times; ``entrypoint`` is the flow's module and name, with dots."""

    name: str
    entrypoint: str
    parameters: dict[str, Any]
    schedules: list[When]
    description: str

    @property
    def flow(self) -> Flow[..., Any]:
        """The flow itself."""
        module, _, name = self.entrypoint.rpartition(".")
        found: Flow[..., Any] = getattr(import_module(module), name)
        return found

    @property
    def title(self) -> str:
        """As Prefect names it: flow/deployment."""
        return f"{self.entrypoint.rpartition('.')[2]}/{self.name}"

    @property
    def spoken(self) -> str:
        """When it runs, for people."""
        times = [
            f"by cron '{when.cron}' ({when.timezone or 'UTC'})"
            if isinstance(when, CronSchedule)
            else f"every {when.interval.total_seconds():g} seconds"
            for when in self.schedules
        ]
        return ", ".join(times) or "on demand"


def schedule_of(cron: str | None, interval: float | None, timezone: str | None) -> When:
    """The schedule of a cron line, UTC without a ``timezone``, or of seconds.

    Raises:
        UserError: not five fields of cron, or an unknown zone.
    """
    if cron is None:
        return IntervalSchedule(interval=datetime.timedelta(seconds=interval or 1))
    try:
        return CronSchedule(cron=cron, timezone=timezone)
    except ValueError as error:
        said = str(error).lower()
        if "timezone" in said:
            raise UserError(f"--timezone {timezone!r} is unknown; take a name as Europe/Berlin or UTC") from None
        remedy = "five fields: minute, hour, day, month, weekday, as '0 3 * * *' for every night at three"
        raise UserError(f"--cron {cron!r} is not understood; {remedy}") from None


def planned() -> list[Deployment]:
    """The deployments of prefect.yaml, which `prefect deploy` reads too.

    Raises:
        UserError: no such file, nothing in it, or a deployment that lacks name or entrypoint.
    """
    blocks = read_yaml(PLAN).get("deployments") or []
    if not blocks:
        raise UserError(f"{PLAN}: no deployments; 'git checkout {PLAN}' brings the last ones back")
    found = []
    for block in blocks:
        if not {"name", "entrypoint"} <= block.keys():
            raise UserError(f"{PLAN}: a deployment needs name and entrypoint: {block}")
        times = [
            schedule_of(when.get("cron"), when.get("interval"), when.get("timezone")) for when in block["schedules"]
        ]
        parameters = block.get("parameters") or {}
        found.append(Deployment(block["name"], block["entrypoint"], parameters, times, block.get("description") or ""))
    return found


def serve(deployments: list[Deployment], url: str) -> None:
    """Serve the deployments until SIGINT or SIGTERM.

    A run is a process of its own that Prefect starts in the current folder. Its stages end when it is gone, and also
    when this process is gone. Schedules stay on in the server when this process ends and go on with the next. A server
    that is away for longer than Prefect's patience (minutes) is waited for.
    """
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(CODE), os.environ.get("PYTHONPATH")]))
    os.environ["HONE_STARTER"] = str(os.getpid())
    os.environ["PREFECT_API_URL"] = url
    # Prefect's own answer to SIGTERM forgets to await its clean-up; what it does on Ctrl-C is right.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with temporary_settings({PREFECT_API_URL: url}), suppress(KeyboardInterrupt):
        while True:
            try:
                asyncio.run(_runner(deployments).start())
                return
            except Exception as error:
                if answers(url):
                    raise
                sys.stderr.write(f"the Prefect server at {url} is gone ({type(error).__name__}); waiting for it\n")
                while not answers(url):
                    time.sleep(LOOK)


def _runner(deployments: list[Deployment]) -> Runner:
    runner = Runner(name="hone", pause_on_shutdown=False)
    for each in deployments:
        runner.add_flow(
            each.flow,
            name=each.name,
            parameters=each.parameters,
            schedules=each.schedules,
            concurrency_limit=ONE,
            description=f"{each.description} ({Path.cwd()})",
            entrypoint_type=EntrypointType.MODULE_PATH,
        )
    setattr(runner, "handle_sigterm", _leave)  # noqa: B010
    return runner


def _leave(*_: object) -> None:
    """Do what Ctrl-C does in a terminal, where the run that is at work gets the signal too."""
    import psutil

    for child in psutil.Process().children():
        with suppress(psutil.Error):
            child.terminate()
    signal.raise_signal(signal.SIGINT)
