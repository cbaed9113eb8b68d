"""How far it is to the goal of params.yaml, on validation, and the one thing that would shorten the way most.

Reads what evaluate wrote and computes nothing anew, so that a run where nothing changed loads no numpy.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tasks.params import Goal

HEADLINE = "headline"


@dataclass(frozen=True)
class Figure:
    """A figure of validation; ``low`` and ``high`` are its 95 % interval, None where the files have none."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None


def figure(goal: Goal, metrics: Mapping[str, Any], focus: Mapping[str, Any] | None, headline: str) -> Figure | None:
    """What the goal is about, as it is now; None where validation has no such figure.

    Args:
        metrics: content of metrics.validation.json.
        focus: content of focus.json; only a goal with a slice needs it.
        headline: name of the task's headline metric.
    """
    if goal.slice:
        for entry in (focus or {}).get("entries", []):
            if f"{entry['dimension']}: {entry['name']}" == goal.slice and entry["figure"] is not None:
                return Figure(f"{headline} of {goal.slice}", float(entry["figure"]))
        return None
    name = headline if goal.metric == HEADLINE else goal.metric
    value, low, high = (_number(metrics, name + end) for end in ("", "_low", "_high"))
    return None if value is None else Figure(name, value, low, high)


def words(
    goal: Goal, metrics: Mapping[str, Any], focus: Mapping[str, Any] | None, headline: str
) -> list[tuple[str, str]]:
    """Lines (heading, text) for the end of a run; none without a goal."""
    if goal.value == 0:
        return []
    now = figure(goal, metrics, focus, headline)
    if now is None:
        what = f"goal.slice: {goal.slice!r}" if goal.slice else f"goal.metric: {goal.metric}"
        return [("goal", f"{what} is not in validation; 'hone focus' and data/metrics.validation.json show what is")]
    return [("goal", distance(goal, now)), *_shorter(focus, now.value < goal.value)]


def distance(goal: Goal, now: Figure) -> str:
    """The distance in words; what is reached by luck of the sample is told from what is sure."""
    interval = "" if now.low is None or now.high is None else f" ({now.low:.4f} to {now.high:.4f})"
    at = f"{now.name} {now.value:.4f}{interval} of {goal.value:.4f}"
    if now.value < goal.value:
        return f"{at}, {goal.value - now.value:.4f} to go"
    sure = now.low is not None and now.low >= goal.value
    return f"{at}, reached" + ("" if sure or now.low is None else "; the interval still reaches below")


def _shorter(focus: Mapping[str, Any] | None, wanted: bool) -> list[tuple[str, str]]:
    """The kind of error, type or slice worth most; of types and slices only what does worse than the whole."""
    if not wanted or not focus:
        return []
    value = focus["headline"]["value"]
    entries = [one for one in focus["entries"] if one["gain"] > 0]
    entries = [one for one in entries if one["figure"] is None or one["figure"] < value]
    if not entries:
        return []
    most = max(entries, key=lambda one: one["gain"])
    told = f"{most['dimension']}: {most['name']}, {most['errors']} errors, +{most['gain']:.4f} if these were right"
    return [("shortest way", told)]


def _number(values: Mapping[str, Any], dotted: str) -> float | None:
    found: Any = values
    for part in dotted.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None
