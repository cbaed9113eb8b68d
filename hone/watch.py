"""`hone watch`: is what the model is asked, and what it answers, still as it was?"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from flows.watching import Watched, table, verdict, watched
from hone.loop.chart import Chart, Point
from hone.loop.page import Page, Section, terminal, write
from hone.trial_view import say, short
from tasks.errors import UserError
from tasks.params import Params

PAGES = Path("data/loop")


def watch(
    settings: Params, files: list[Path], run: bool, deployment: str, artifact: bool, gate: bool, as_json: bool
) -> int:
    """Write the page and show the verdict on the newest window.

    Args:
        run: run the pipeline where it has drifted.
        deployment: FLOW/NAME of a deployment that then runs.
        artifact: leave the table in the running Prefect server, as a flow run.
        gate: exit code 1 where it has drifted.
    """
    found = watched(settings, files)
    path = write(page(found), PAGES, "watch")
    if as_json:
        say(json.dumps(plain(found), indent=2))
    else:
        say(terminal(page(found)))
        say("")
        say(f"page  {short(path.absolute())}")
    if artifact or deployment:
        _flow(files, deployment)
    if found.last.alarms and run:
        from hone.run import run as pipeline

        return pipeline(engine="local", stages=[], force=False)
    return int(gate and bool(found.last.alarms))


def page(found: Watched) -> Page:
    """Verdict, tests of the newest window, all windows, and charts over time."""
    tests = [
        [one.what, one.before, one.after, f"{one.effect:.3f}", f"{one.p:.4f}", "drifted" if one.drifted else ""]
        for one in found.last.findings
    ]
    rows = table(found)
    return Page(
        "Watch",
        [
            Section("", verdict(found)),
            Section("The newest window", [], ["what", "validation", "now", "effect", "p", ""], tests),
            Section("Over time", charts=_charts(found), brief=False),
            Section("All windows", [], list(rows[0]), [list(row.values()) for row in rows], brief=False),
        ],
    )


def plain(found: Watched) -> dict[str, object]:
    """As JSON takes it."""
    return {
        "verdict": verdict(found),
        "drifted": [one.what for one in found.last.alarms],
        "tests": [asdict(one) for one in found.last.findings],
        "windows": table(found),
    }


def _charts(found: Watched) -> Sequence[Chart]:
    """Effects over the windows that could be judged: how far each is from validation."""
    judged = [one for one in found.windows if one.findings]
    charts = []
    for what in ("labels", "confidence", "unknown words", "length"):
        points = [
            Point(number, one.effect, kind="bad" if one.drifted else "plain", title=f"{window.name}: {one.after}")
            for number, window in enumerate(judged, start=1)
            for one in window.findings
            if one.what == what
        ]
        if points:
            line = [(point.x, point.y) for point in points]
            charts.append(Chart(f"Distance of {what} from validation", "window", "effect", points, line))
    return charts


def _flow(files: list[Path], deployment: str) -> None:
    """The same as a run of the flow ``watch`` in the running server.

    Raises:
        UserError: no server runs.
    """
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from flows.server import running
    from flows.watch_flow import watch as flow

    url = running("'make server' starts one")
    if url is None:
        raise UserError("--artifact and --deployment need a running Prefect server; 'make server' starts one")
    with temporary_settings({PREFECT_API_URL: url}):
        flow([str(file) for file in files], deployment)
