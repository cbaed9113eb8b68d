"""`hone try`: one hypothesis, one trial, and whether it held."""

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.dag import stages
from flows.dvc import clean
from flows.freshness import remembered
from flows.lock_text import locked
from flows.objects import objects
from flows.results import metrics_files
from flows.trials import On, Outcome, Trial, list_trials
from flows.trials.git import blobs
from flows.trials.known import Inputs
from flows.trials.snapshot import take
from hone.book.expectation import came_true
from hone.book.verdicts import UNKNOWN, Verdict, Verdicts
from hone.run import signals
from hone.terminal import paint
from hone.trial_view import run_shown, say, short
from tasks.params import Params

PREDICTIONS = "data/predictions.validation.jsonl"
PREPARED = "data/prepared"
LOCK = Path("dvc.lock")
WORDS = {
    "better": "better:",
    "worse": "worse:",
    "no evidence": "no evidence of a difference:",
    "too few data": "too few data to tell:",
}


@dataclass(frozen=True)
class Side:
    """What validation says of some params: its metrics, and the content hashes of predictions and prepared data."""

    metrics: Mapping[str, Any]
    predictions: str | None
    data: str | None


def try_(
    reason: str,
    overrides: Mapping[str, Any],
    expect: float | None,
    name: str | None,
    metric: str,
    settings: Params,
    on: On,
    address: str | None,
    git_remote: str | None,
) -> int:
    """Run one trial and compare it with the params here on validation; 1 if it failed.

    Args:
        reason: the hypothesis.
        overrides: new values by dotted params key.
        expect: points (hundredths) by which ``metric`` should rise.
        name: of the experiment; None makes one from the overrides.
        metric: the headline metric.
        settings: params.yaml as it is.
    """
    trial = Trial(
        name=name or slug(overrides),
        overrides=overrides,
        kind="try",
        group="try",
        reason=reason,
        expect=None if expect is None else expect / 100,
    )
    before = _here()
    with signals():
        (outcome,) = run_shown([trial], metric, on=on, address=address, git_remote=git_remote)
    if outcome.state == "failed":
        return 1
    _tell(outcome, metric, before, _verdict(before, outcome, settings))
    return 0


def slug(overrides: Mapping[str, Any]) -> str:
    """A name for a trial from what it changes: ``learning_rate-0.0001-seed-2``."""
    words = [f"{key.rpartition('.')[2]}-{json.dumps(value)}" for key, value in overrides.items()]
    return re.sub(r"[^A-Za-z0-9_.]+|\.{2,}", "-", "-".join(words)).strip("-._")[:60].rstrip("-._") or "unchanged"


def _tell(outcome: Outcome, metric: str, before: Side | None, found: Verdict) -> None:
    trial = outcome.trial
    after = outcome.metrics.get("validation", {}).get(metric)
    old = before.metrics.get(metric) if before is not None else None
    lines = [("hypothesis", trial.reason)] if trial.reason else []
    if after is None:
        lines.append((metric, "the trial has no such metric"))
    elif old is None:
        lines.append((metric, f"validation {after:.4f}; 'hone run' gives the figure of params.yaml to compare with"))
    else:
        lines.append((metric, f"validation {old:.4f} -> {after:.4f}"))
        lines.append(("verdict", _said(found)))
    if trial.expect is not None and old is not None:
        answer = came_true(trial.expect, found)
        colour = {"held": "green", "did not hold": "red"}.get(answer or "", "dim")
        lines.append(
            ("expected", f"{100 * trial.expect:+.2f} points or more: {paint(answer or 'unknown', colour, sys.stdout)}")
        )
    data = _outs(outcome.rev).get(PREPARED) if outcome.rev else None
    if before is not None and data != before.data and None not in (data, before.data):
        lines.append(("note", f"made from other data: {PREPARED} is {str(data)[:7]}, here {str(before.data)[:7]}"))
    lines.append(("log", short(outcome.log)))
    settings = " ".join(f"-S {key}={_text(value)}" for key, value in trial.overrides.items() if key != "seed")
    lines.append(("try next", f"hone repeat --seeds 5 {settings}".rstrip() + "   does it hold for other seeds?"))
    lines.append(("", f"hone adopt {outcome.name}   takes it over"))
    say("")
    for head, text in lines:
        say(f"{paint(f'{head:<10}', 'bold', sys.stdout)}  {text}")


def _said(found: Verdict) -> str:
    """The verdict with the difference and its interval in points."""
    if found.word == "same":
        return "the same answers"
    if found.word == "other data":
        return "none, for the trial has other validation data"
    if found.difference is None or found.low is None or found.high is None:
        return "unknown, for predictions are neither in DVC's cache nor in its remote; 'dvc pull' where they are"
    colour = {"better": "green", "worse": "red"}.get(found.word, "dim")
    points = f"{100 * found.difference:+.2f} points ({100 * found.low:+.2f} to {100 * found.high:+.2f})"
    return f"{paint(WORDS[found.word], colour, sys.stdout)} {points}, 95 % interval, these two models"


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if re.fullmatch(r"[\w./:+-]+", text) else "'" + text.replace("'", "'\\''") + "'"


def _here() -> Side | None:
    """What the params, data and code of the workspace have come to: in it, or as a trial; None if they never ran."""
    everything = stages()
    if remembered() or clean(everything):
        path = metrics_files(everything).get("validation")
        outs = locked(LOCK.read_bytes()).outs
        metrics = None if path is None else json.loads(path.read_bytes())
        return None if metrics is None else Side(metrics, outs.get(PREDICTIONS), outs.get(PREPARED))
    key = Inputs.of(take()).key({})
    known = list_trials(only=key.__eq__)
    if not known:
        return None
    outs = _outs(known[-1].rev)
    return Side(known[-1].metrics.get("validation", {}), outs.get(PREDICTIONS), outs.get(PREPARED))


def _outs(rev: str) -> dict[str, str]:
    """Content hash by path of what the stages left at a commit."""
    (content,) = blobs([f"{rev}:{LOCK}"])
    return {} if content is None else locked(content, f"{rev[:9]}:{LOCK}").outs


def _verdict(before: Side | None, outcome: Outcome, settings: Params) -> Verdict:
    """The trial against ``before`` by paired tests on validation."""
    if before is None or outcome.rev is None:
        return UNKNOWN
    pair = [before.predictions], [_outs(outcome.rev).get(PREDICTIONS)]

    def ask() -> tuple[Verdict, set[str]]:
        verdicts = Verdicts(settings.task, relevant=settings.diff.relevant, resamples=settings.diff.resamples)
        found = verdicts.between(*pair)
        verdicts.save()
        return found, verdicts.missing

    found, missing = ask()
    if missing:  # those of a worker elsewhere are in the remote
        with objects() as store:
            for md5 in missing:
                store.find(md5)
        found, _ = ask()
    return found
