"""How far validation is from the goal."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.errors import UserError
from tasks.reporting.focus import Focus
from tasks.reporting.naming import Naming
from tasks.reporting.scores import Interval, unpacked
from tasks.reporting.wording import score


@dataclass(frozen=True, slots=True)
class Goal:
    """The value that a figure of validation is to reach, and the figure with its interval where it has one.

    Attributes:
        metric: name in metrics.validation.json, of nested ones with dots (``per_type.ORG.f1``); for a slice that of
            the headline and of the slice (``entity_f1 of casing: lower``).
        headline: whether it is the headline that is to reach it.
    """

    metric: str
    value: float
    figure: float
    interval: Interval | None
    headline: bool

    @property
    def verdict(self) -> str:
        """Whether the figure reaches it, and whether that is sure, in words."""
        if self.figure >= self.value:
            if self.interval is None:
                return "reached"
            sure = self.interval.low >= self.value
            return "reached, even at the low end of the interval" if sure else "reached, but the interval begins below"
        within = self.interval is not None and self.interval.high >= self.value
        return f"{score(self.value - self.figure)} to go" + ("; the interval still holds it" if within else "")


def read_goal(path: Path, metric: str, value: float, headline: str) -> Goal:
    """The goal beside the figure that metrics.validation.json has for it.

    Raises:
        UserError: the metrics have no such figure.
    """

    def goal(metrics: dict[str, Any]) -> Goal:
        *outer, name = metric.split(".")
        own: Any = metrics
        for part in outer:
            own = own.get(part, {}) if isinstance(own, dict) else {}
        figure = own.get(name) if isinstance(own, dict) else None
        if not isinstance(figure, int | float):
            raise UserError(f"params.yaml: goal.metric: {metric!r} is no figure of {path}; name one that stands there")
        bounded = f"{name}_low" in own
        interval = Interval(own[f"{name}_low"], own[f"{name}_high"]) if bounded else None
        return Goal(metric, value, figure, interval, metric == headline)

    return unpacked(path, goal)


def slice_goal(focus: Focus, part: str, value: float, headline: str, naming: Naming) -> Goal | None:
    """The goal beside the headline within the slice ``part`` (``dimension: name``); None where focus.json lacks it.

    Evaluate keeps the slices that cost most, so that one which is reached may be gone.
    """
    dimension, _, name = part.partition(": ")
    shown = naming.name(dimension, name)
    figures = [one.figure for one in focus.of(dimension) if one.name == shown and one.figure is not None]
    return Goal(f"{headline} of {dimension}: {shown}", value, figures[0], None, headline=False) if figures else None
