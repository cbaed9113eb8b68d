"""`hone schedule`: the pipeline at fixed times, against a running Prefect server."""

import datetime
import sys

from hone.terminal import paint
from tasks.errors import UserError


def schedule(cron: str | None, interval: int | None, name: str, timezone: str | None = None) -> int:
    """Serve the flow until Ctrl-C; runs start by ``cron`` (in ``timezone``, else UTC) or every ``interval`` seconds.

    Raises:
        UserError: not exactly one of both, a schedule that is none, or no Prefect server.
    """
    if (cron is None) == (interval is None):
        raise UserError("a schedule needs one of --cron '0 3 * * *' and --interval SECONDS")
    if interval is not None and interval < 1:
        raise UserError(f"--interval {interval} is no number of seconds >= 1")
    from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule

    from flows.server import running
    from flows.serving import cron_schedule, serve

    when: CronSchedule | IntervalSchedule
    if cron is not None:
        when, spoken = cron_schedule(cron, timezone), f"by cron '{cron}' ({timezone or 'UTC'})"
    else:
        when = IntervalSchedule(interval=datetime.timedelta(seconds=interval or 1))
        spoken = f"every {interval} seconds"
    remedy = "start one with 'make server' in another terminal, or set PREFECT_API_URL to one that runs"
    url = running(remedy)
    if url is None:
        raise UserError(f"a schedule needs a running Prefect server and there is none; {remedy}")
    title = paint(f"pipeline/{name}", "bold", sys.stdout)
    sys.stdout.write(f"{title} runs here {spoken} while this command does; Ctrl-C ends it\n")
    sys.stdout.write(f"runs and logs: {url.removesuffix('/api')}\n")
    sys.stdout.write(f"at once: prefect deployment run pipeline/{name}   (with PREFECT_API_URL={url})\n")
    sys.stdout.flush()
    serve(name, when, url)
    return 0
