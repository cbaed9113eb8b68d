"""The comment on a pull request: verdict, gate, what to work on next, curves; Markdown that GitHub and GitLab draw."""

import csv
import io
import json
import subprocess
from pathlib import Path

from flows import revisions
from flows.objects import objects
from hone.comparison_text import markdown
from hone.diff import difference
from hone.gates import failures
from hone.settings import wording
from tasks.errors import UserError
from tasks.params import Params
from tasks.scoring.focus_table import table
from tasks.yaml_files import read_yaml_text

MARKER = "<!-- hone -->"  # the comment is found by it and updated in place
LIMIT = 60_000  # characters; GitHub refuses a comment above 65,536
FOCUS, HISTORY = Path("data/focus.json"), Path("data/history.csv")


def comment(base: str, settings: Params) -> tuple[str, list[str]]:
    """The comment on the workspace, in which the pipeline has run, against the revision ``base``.

    Returns:
        The text, and what the gate says: one line per failure. Where no verdict can be given that is a failure too: a
        gate that cannot judge lets nothing through.
    """
    commit = revisions.commit(base)
    try:
        found = difference([commit], [], settings)
        failed = failures(found.judgement, settings.gate)
        verdict = markdown(found, failed)
    except UserError as error:
        failed = [f"no verdict: {error}"]
        verdict = f"**No verdict:** {error}"
    parts = [
        MARKER,
        f"### hone: {revisions.commit('HEAD')[:7]} against {commit[:7]}",
        verdict,
        _focus(),
        _curves(commit),
        _committed(),
    ]
    text = "\n\n".join(part for part in parts if part) + "\n"
    return text if len(text) <= LIMIT else text[:LIMIT] + "\n\n... cut here; the job's summary has all of it\n", failed


def _focus() -> str:
    """What to work on next, as evaluate has computed it on validation; nothing where a pipeline has no such file."""
    lines = table(json.loads(FOCUS.read_bytes())) if FOCUS.is_file() else []
    title = "#### What to work on next: validation, if just these were right"
    return "\n".join([f"{title}\n\n```text", *lines, "```"]) if lines else ""


def _curves(base: str) -> str:
    """The headline on validation by epoch, the base's and ours, as a chart in Mermaid's notation."""
    ours = _curve(HISTORY.read_text(encoding="utf-8")) if HISTORY.is_file() else []
    if not ours:
        return ""
    theirs = _base_curve(base)
    points = [value for line in (theirs, ours) for value in line]
    drawn = [line for line in (theirs, ours) if line]
    words = wording()
    figure = words.figure if words else "F1"
    title = "before (first line) and after" if theirs else "after"
    lines = [
        "xychart-beta",
        f'    title "Validation {figure} by epoch: {title}"',
        f'    x-axis "epoch" [{", ".join(str(n + 1) for n in range(max(map(len, drawn))))}]',
        f'    y-axis "{figure}" {max(0.0, min(points) - 0.02):.2f} --> {min(1.0, max(points) + 0.02):.2f}',
        *(f"    line [{', '.join(f'{value:.4f}' for value in line)}]" for line in drawn),
    ]
    return "#### Curves\n\n```mermaid\n" + "\n".join(lines) + "\n```"


def _base_curve(base: str) -> list[float]:
    """The base's curve; empty where neither cache nor remote has it."""
    lock = revisions.file(base, "dvc.lock")
    stages = (read_yaml_text(lock.decode("utf-8"), f"{base[:7]}:dvc.lock").get("stages") or {}) if lock else {}
    outs = {out["path"]: out.get("md5") for stage in stages.values() for out in stage.get("outs") or []}
    if not outs.get(HISTORY.as_posix()):
        return []
    with objects() as store:
        path = store.find(outs[HISTORY.as_posix()])
        return _curve(path.read_text(encoding="utf-8")) if path else []


def _curve(text: str) -> list[float]:
    return [float(row["validation_f1"]) for row in csv.DictReader(io.StringIO(text))]


def _committed() -> str:
    """Whether the commit holds the results that this run gave."""
    if not _git("ls-files", "dvc.lock"):
        return "The commit holds no `dvc.lock`: run `hone run` and commit what it writes."
    changed = _git("diff", "--name-only", "HEAD", "--", "dvc.lock", "data/metrics*.json").splitlines()
    if not changed:
        return "The commit holds these results."
    return (
        f"The commit holds other results than this run gave ({', '.join(f'`{name}`' for name in changed)}): "
        "run `hone run` and commit what it writes. Another processor may change the last digits."
    )


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], capture_output=True, text=True).stdout.strip()
