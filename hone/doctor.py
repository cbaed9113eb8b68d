"""`hone doctor`: one line per check, ok, warn or fail, each with its remedy."""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from threading import Thread

import typer

from hone import machine, project
from hone.finding import Finding
from hone.terminal import paint
from tasks.errors import UserError

CHECKS: dict[str, Callable[[], Finding]] = {
    "git": project.git,
    "dvc": project.dvc,
    "versions": project.versions,
    "params": project.params,
    "code": project.code,
    "locks": project.locks,
    "disk": machine.disk,
    "threads": machine.threads,
    "accelerator": machine.accelerator,
    "encoder": machine.encoder,
    "server": machine.server,
    "hub": machine.hub,
}
WAITING = ("hub", "accelerator")  # on others: asked at the same time as the rest
COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


def doctor(as_json: bool) -> int:
    """Print what every check found; 1 if one failed. Takes about two seconds and never imports torch."""
    found = examine(CHECKS)
    if as_json:
        lines = [{"check": name, **asdict(finding)} for name, finding in found.items()]
        typer.echo(json.dumps(lines, ensure_ascii=False, indent=2))
    else:
        for name, finding in found.items():
            state = paint(f"{finding.state:<4}", COLOURS[finding.state], sys.stdout)
            remedy = f" -> {finding.remedy}" if finding.remedy else ""
            typer.echo(f"{state}  {name:<11}  {finding.message}{remedy}")
    return 1 if any(finding.state == "fail" for finding in found.values()) else 0


def examine(checks: dict[str, Callable[[], Finding]]) -> dict[str, Finding]:
    """Run all checks, those in WAITING beside the others; in their order. A UserError or OSError is a failed check."""
    found: dict[str, Finding] = {}

    def look(name: str) -> None:
        try:
            found[name] = checks[name]()
        except (UserError, OSError) as error:
            found[name] = Finding("fail", " ".join(str(error).split()))  # its message ends with the remedy

    beside = [Thread(target=look, args=(name,), daemon=True) for name in checks if name in WAITING]
    for thread in beside:
        thread.start()
    for name in checks:
        if name not in WAITING:
            look(name)
    for thread in beside:
        thread.join()
    return {name: found[name] for name in checks}
