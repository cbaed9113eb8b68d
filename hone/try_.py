"""`hone try`: one hypothesis, one trial, and whether it held."""

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flows.dag import stages
from flows.dvc import clean
from flows.freshness import remembered
from flows.results import metrics_files
from flows.trials import On, Outcome, Trial
from hone.run import signals
from hone.terminal import paint
from hone.trial_view import run_shown, say, short


def try_(
    reason: str,
    overrides: Mapping[str, Any],
    expect: float | None,
    name: str | None,
    metric: str,
    on: On,
    address: str | None,
    git_remote: str | None,
) -> int:
    """Run one trial and say what it did to the headline metric on validation; 1 if it failed.

    Args:
        reason: the hypothesis.
        overrides: new values by dotted params key.
        expect: points (hundredths) by which ``metric`` should rise.
        name: of the experiment; None makes one from the overrides.
        metric: the headline metric.
    """
    trial = Trial(
        name=name or slug(overrides),
        overrides=overrides,
        kind="try",
        group="try",
        reason=reason,
        expect=None if expect is None else expect / 100,
    )
    with signals():
        (outcome,) = run_shown([trial], metric, on=on, address=address, git_remote=git_remote)
    if outcome.state == "failed":
        return 1
    _tell(outcome, metric)
    return 0


def slug(overrides: Mapping[str, Any]) -> str:
    """A name for a trial from what it changes: ``learning_rate-0.0001-seed-2``."""
    words = [f"{key.rpartition('.')[2]}-{json.dumps(value)}" for key, value in overrides.items()]
    return re.sub(r"[^A-Za-z0-9_.]+|\.{2,}", "-", "-".join(words)).strip("-._")[:60].rstrip("-._") or "unchanged"


def _tell(outcome: Outcome, metric: str) -> None:
    after = outcome.metrics.get("validation", {}).get(metric)
    before = _now(metric)
    lines = [("hypothesis", outcome.trial.reason)] if outcome.trial.reason else []
    if after is None:
        lines.append((metric, "the trial has no such metric"))
    elif before is None:
        lines.append((metric, f"validation {after:.4f}; 'hone run' gives the figure of params.yaml to compare with"))
    else:
        gain = 100 * (after - before)
        colour = "green" if gain > 0 else "red" if gain < 0 else "dim"
        points = paint(f"{gain:+.2f} points", colour, sys.stdout)
        lines.append((metric, f"validation {before:.4f} -> {after:.4f}   {points}"))
        if outcome.trial.expect is not None:
            held = after - before >= outcome.trial.expect - 1e-9
            verdict = paint("held", "green", sys.stdout) if held else paint("not held", "red", sys.stdout)
            lines.append(("expected", f"{100 * outcome.trial.expect:+.2f} points or more: {verdict}, on one seed"))
    lines.append(("log", short(outcome.log)))
    settings = " ".join(f"-S {key}={_text(value)}" for key, value in outcome.trial.overrides.items() if key != "seed")
    lines.append(("try next", f"hone repeat --seeds 5 {settings}".rstrip() + "   is it more than chance?"))
    lines.append(("", f"hone adopt {outcome.name}   takes it over"))
    say("")
    for head, text in lines:
        say(f"{paint(f'{head:<10}', 'bold', sys.stdout)}  {text}")


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if re.fullmatch(r"[\w./:+-]+", text) else "'" + text.replace("'", "'\\''") + "'"


def _now(metric: str) -> float | None:
    """The figure of the workspace, if it is that of the current params, data and code."""
    everything = stages()
    if not (remembered() or clean(everything)):
        return None
    path = metrics_files(everything).get("validation", Path("/nonexistent"))
    figure = json.loads(path.read_bytes()).get(metric) if path.is_file() else None
    return float(figure) if isinstance(figure, int | float) else None
