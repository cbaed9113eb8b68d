"""`hone schedule`: runs that nobody starts by hand, against a running Prefect server, or one of them at once."""

import sys

from hone.terminal import paint
from tasks.errors import UserError


def schedule(
    cron: str | None,
    interval: int | None,
    name: str,
    timezone: str | None = None,
    *,
    new_data: bool = False,
    once: bool = False,
) -> int:
    """Serve the deployments of prefect.yaml until Ctrl-C, or a single one where ``cron`` or ``interval`` says when.

    Args:
        cron: five fields, in ``timezone`` (else UTC).
        interval: seconds from one run to the next.
        name: of the single deployment.
        new_data: the single deployment, or the run at once, does nothing unless data/raw has changed.
        once: one run here and now, without a server.

    Returns:
        Exit code.

    Raises:
        UserError: options that do not go together, a schedule that is none, no Prefect server, a run that failed.
    """
    if sum((cron is not None, interval is not None, once)) > 1:
        raise UserError("one of --cron '0 3 * * *', --interval SECONDS and --once, not several of them")
    if interval is not None and interval < 1:
        raise UserError(f"--interval {interval} is no number of seconds >= 1")
    if once:
        return _once(new_data)
    from flows.server import running
    from flows.serving import Deployment, planned, schedule_of, serve

    if cron is None and interval is None:
        deployments = planned()
    else:
        when = schedule_of(cron, interval, timezone)
        parameters = {"only_new_data": new_data}
        deployments = [Deployment(name, "flows.scheduled.scheduled", parameters, [when], "by hone schedule")]
    remedy = "start one with 'make server' in another terminal, or set PREFECT_API_URL to one that runs"
    url = running(remedy)
    if url is None:
        raise UserError(f"a schedule needs a running Prefect server and there is none; {remedy}")
    for each in deployments:
        title = paint(f"{each.title:<20}", "bold", sys.stdout)
        sys.stdout.write(f"{title}  {each.spoken}\n")
    sys.stdout.write("served here while this command runs; Ctrl-C ends it, and the next one goes on\n")
    sys.stdout.write(f"runs and logs: {url.removesuffix('/api')}\n")
    sys.stdout.write(f"at once: prefect deployment run {deployments[0].title}   (with PREFECT_API_URL={url})\n")
    sys.stdout.flush()
    serve(deployments, url)
    return 0


def _once(new_data: bool) -> int:
    """A scheduled run in this terminal."""
    from flows.local import run_local
    from flows.unattended import unattended
    from flows.watcher import WATCHER, Watcher, nothing

    def say(line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    def line(text: str, progress: bool) -> None:
        if text.strip() and not progress:
            say(f"  {text.rstrip()}")

    WATCHER.set(
        Watcher(
            started=nothing,
            line=line,
            ended=lambda stage, verdict, seconds: say(f"{stage.name}: {verdict} ({seconds:.1f} s)"),
            note=say,
        )
    )

    def run(names: list[str], pull: bool) -> None:
        run_local(names, force=False, pull=pull)

    report = unattended(run, say, only_new_data=new_data)
    say(f"{paint(report.ending.value, 'bold', sys.stdout)}: {report.line}")
    return 0
