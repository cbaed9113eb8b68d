"""`hone repeat`: the same params with several seeds, and how sure that makes us."""

import hashlib
import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from flows.trials import On, Outcome, Trial
from hone.run import signals
from hone.terminal import paint
from hone.trial_view import run_shown, say
from tasks.yaml_files import read_yaml

PARAMS = Path("params.yaml")


def repeat(
    seeds: int,
    overrides: Mapping[str, Any],
    metric: str,
    on: On,
    address: str | None,
    git_remote: str | None,
    as_json: bool,
) -> int:
    """Run the params with ``seeds`` seeds and summarize; 1 if a trial failed.

    The seeds are that of params.yaml and those after it, so a larger number runs only what is new.
    """
    first = int(overrides.get("seed", read_yaml(PARAMS)["seed"]))
    others = {key: value for key, value in overrides.items() if key != "seed"}
    said = json.dumps(others, sort_keys=True)
    group = "repeat" if not others else f"repeat-{hashlib.sha256(said.encode()).hexdigest()[:6]}"
    trials = [
        Trial(f"{group}-seed-{seed}", {**others, "seed": seed}, "repeat", group) for seed in range(first, first + seeds)
    ]
    with signals():
        outcomes = run_shown(trials, metric, on=on, address=address, git_remote=git_remote, quiet=as_json)
    found = summary(outcomes, metric)
    if as_json:
        say(json.dumps(found, indent=2, sort_keys=True))
    else:
        _show(found, metric)
    return int(bool(found["failed"]))


def summary(outcomes: Sequence[Outcome], metric: str) -> dict[str, Any]:
    """Mean, standard deviation and interval of the headline metric, per split and per type, and two chosen models.

    Both are chosen on validation: ``best`` has the highest figure, ``median`` the one in the middle (the lower of two).
    """
    done = [outcome for outcome in outcomes if metric in outcome.metrics.get("validation", {})]
    ranked = sorted(done, key=lambda outcome: float(outcome.metrics["validation"][metric]))

    def chosen(outcome: Outcome) -> dict[str, Any]:
        figure = outcome.metrics["validation"][metric]
        return {"seed": outcome.trial.overrides["seed"], "name": outcome.name, "figure": figure, "rev": outcome.rev}

    splits = sorted({split for outcome in done for split in outcome.metrics}, key=lambda name: name != "validation")
    types = sorted({kind for outcome in done for kind in outcome.metrics["validation"].get("per_type", {})})
    per_type = {
        kind: [outcome.metrics["validation"]["per_type"][kind]["f1"] for outcome in done]
        for kind in types
        if all(kind in outcome.metrics["validation"].get("per_type", {}) for outcome in done)
    }
    return {
        "metric": metric,
        "seeds": [outcome.trial.overrides["seed"] for outcome in done],
        "failed": [outcome.trial.name for outcome in outcomes if outcome.state == "failed"],
        "splits": {
            split: statistics([outcome.metrics[split][metric] for outcome in done if metric in outcome.metrics[split]])
            for split in splits
        },
        "per_type": {kind: statistics(figures) for kind, figures in per_type.items()},
        "best": chosen(ranked[-1]) if ranked else None,
        "median": chosen(ranked[(len(ranked) - 1) // 2]) if ranked else None,
    }


def statistics(figures: Sequence[float]) -> dict[str, float | int | None]:
    """Mean, sample standard deviation and the 95 % interval of the mean over seeds (Student's t, n - 1 degrees).

    With one figure nothing but the mean is known.
    """
    if len(figures) < 2:
        return {"n": len(figures), "mean": figures[0] if figures else None, "sd": None, "low": None, "high": None}
    from scipy.special import stdtrit

    mean, deviation = fmean(figures), stdev(figures)
    half = float(stdtrit(len(figures) - 1, 0.975)) * deviation / math.sqrt(len(figures))
    values = {"mean": mean, "sd": deviation, "low": mean - half, "high": mean + half}
    return {"n": len(figures), **{name: round(value, 6) for name, value in values.items()}}


def _show(found: dict[str, Any], metric: str) -> None:
    say("")
    if not found["seeds"]:
        say(paint("no trial came to an end", "red", sys.stdout))
        return
    rows = [(split, found["splits"][split]) for split in found["splits"]] + list(found["per_type"].items())
    width = max(12, *(len(name) for name, _ in rows))
    head = f"{'':<{width}}  {'mean':>7}  {'sd':>6}  95 % interval"
    say(f"{paint(metric, 'bold', sys.stdout)} over the seeds {', '.join(map(str, found['seeds']))}")
    say(paint(head, "dim", sys.stdout))
    for name, row in rows:
        if row["mean"] is None:
            continue
        spread = "" if row["sd"] is None else f"  {row['sd']:>6.4f}  {row['low']:.4f} to {row['high']:.4f}"
        say(f"{name:<{width}}  {row['mean']:>7.4f}{spread}")
    for word in ("best", "median"):
        one = found[word]
        say(f"{paint(word.ljust(width), 'bold', sys.stdout)}  {one['figure']:>7.4f}  seed {one['seed']}, {one['name']}")
    if found["failed"]:
        say(paint(f"failed: {', '.join(found['failed'])}; the others count, run it again for these", "red", sys.stdout))
    say(f"{paint('try next'.ljust(width), 'bold', sys.stdout)}  hone adopt {found['median']['name']}")
