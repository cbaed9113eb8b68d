"""`hone try`: one hypothesis, one trial, and whether it held."""

import json
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.dag import Stage, stages
from flows.freshness import confirm, plainly_changed, remembered
from flows.lock_text import locked
from flows.trials import On, Outcome, Recorded, Trial
from flows.trials.answered import Seen, look
from flows.trials.git import objects
from flows.trials.recorded import split_of
from hone import checked_params, settings
from hone.book.expectation import came_true
from hone.book.verdicts import UNKNOWN, Verdict, Verdicts
from hone.checked_params import CheckedParams
from hone.terminal import paint
from hone.trial_view import TrialView, run_shown, say, short

PREDICTIONS = "data/predictions.validation.jsonl"
PREPARED = "data/prepared"
LOCK = Path("dvc.lock")
Get = Callable[[str], bytes | None]  # the content of an object of Git by its name
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
    changes: list[str],
    expect: float | None,
    name: str | None,
    on: On,
    address: str | None,
    git_remote: str | None,
) -> int:
    """Run one trial and compare it with the params here on validation; 1 if it failed.

    Args:
        reason: the hypothesis.
        changes: new values of params, as ``key=value``.
        expect: points (hundredths) by which the headline metric should rise.
        name: of the experiment; None makes one from the changes.
    """
    overrides = settings.parse(changes)
    trial = Trial(
        name=name or slug(overrides),
        overrides=overrides,
        kind="try",
        group="try",
        reason=reason,
        expect=None if expect is None else expect / 100,
    )
    params = checked_params.kept()
    with look([trial]) as seen:
        if seen is not None and params is not None and seen.inputs.declares(overrides):
            keys = [seen.inputs.key(values) for values in (overrides, {})]
            found = seen.recorded(keys)
            if keys[0] in found:  # a trial that ran: its stages found the overrides in order
                outcome = seen.outcome(trial, found[keys[0]])
                TrialView(1, params.headline).outcome(outcome)
                before = _here(seen, found)
                _tell(outcome, params, before, seen.objects.get)
                return 0
    settings.check(overrides)
    return test(trial, checked_params.read(), on, address, git_remote)


def test(trial: Trial, params: CheckedParams, on: On, address: str | None, git_remote: str | None) -> int:
    """The same for a trial with params that are in order."""
    from hone.run import signals

    with look([]) as seen:
        before = _here(seen, {} if seen is None else seen.recorded([seen.inputs.key({})]))
    with signals():
        (outcome,) = run_shown([trial], params.headline, on=on, address=address, git_remote=git_remote)
    if outcome.state == "failed":
        return 1
    with objects() as store:
        _tell(outcome, params, before, store.get)
    return 0


def slug(overrides: Mapping[str, Any]) -> str:
    """A name for a trial from what it changes: ``learning_rate-0.0001-seed-2``."""
    words = [f"{key.rpartition('.')[2]}-{json.dumps(value)}" for key, value in overrides.items()]
    return re.sub(r"[^A-Za-z0-9_.]+|\.{2,}", "-", "-".join(words)).strip("-._")[:60].rstrip("-._") or "unchanged"


def _tell(outcome: Outcome, params: CheckedParams, before: Side | None, get: Get) -> None:
    trial, metric = outcome.trial, params.headline
    outs = _outs(outcome.rev, get) if outcome.rev else {}
    found = _verdict(before, outs.get(PREDICTIONS), params)
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
    data = outs.get(PREPARED)
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


def _here(seen: Seen | None, found: Mapping[str, Recorded]) -> Side | None:
    """What the params, data and code of the workspace have come to: in it, or as a trial; None if they never ran.

    Args:
        found: recorded trials by key.
    """
    fresh = remembered()
    known = None if fresh or seen is None else found.get(seen.inputs.key({}))
    if known is not None and seen is not None:  # the same inputs gave the same results; DVC need not be asked
        outs = _outs(known.rev, seen.objects.get)
        return Side(known.metrics.get("validation", {}), outs.get(PREDICTIONS), outs.get(PREPARED))
    if not fresh:
        everything = stages()
        if plainly_changed(everything) or not _confirmed(everything):
            return None
    paths = [path for stage in stages() for path in stage.metrics] if seen is None else seen.inputs.metrics()
    files = {split_of(path): Path(path) for path in paths}
    if "validation" not in files or not files["validation"].is_file():
        return None
    outs = locked(LOCK.read_bytes()).outs
    return Side(json.loads(files["validation"].read_bytes()), outs.get(PREDICTIONS), outs.get(PREPARED))


def _confirmed(everything: list[Stage]) -> bool:
    """DVC's answer; a yes is remembered."""
    from flows.dvc import clean

    return confirm(lambda: clean(everything))


def _outs(rev: str, get: Get) -> Mapping[str, str]:
    """Content hash by path of what the stages left at a commit."""
    content = get(f"{rev}:{LOCK}")
    return {} if content is None else locked(content, f"{rev[:9]}:{LOCK}").outs


def _verdict(before: Side | None, predictions: str | None, params: CheckedParams) -> Verdict:
    """A trial by the hash of its predictions against ``before``, by paired tests on validation."""
    if before is None or predictions is None:
        return UNKNOWN
    pair = [before.predictions], [predictions]

    def ask() -> tuple[Verdict, set[str]]:
        verdicts = Verdicts(params.task, relevant=params.relevant, resamples=params.resamples)
        found = verdicts.between(*pair)
        verdicts.save()
        return found, verdicts.missing

    found, missing = ask()
    if missing:  # those of a worker elsewhere are in the remote
        from flows.objects import objects as contents

        with contents() as store:
            for md5 in missing:
                store.find(md5)
        found, _ = ask()
    return found
