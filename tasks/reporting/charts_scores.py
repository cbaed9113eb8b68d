"""The charts of scores: the headline beside baselines and goal, F1 by type, and what each kind of error costs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tasks.reporting.focus import Focus
from tasks.reporting.gather import Report
from tasks.reporting.goal import Goal
from tasks.reporting.scores import Interval
from tasks.reporting.svg import FIRST, SECOND, TEXT, canvas, inline_svg
from tasks.reporting.wording import count, score, sentence

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SERIES = (("validation", -0.19, FIRST, "o"), ("test", 0.19, SECOND, "s"))  # with offset, colour and marker


def headline_chart(report: Report) -> str:
    """The headline of the model with its interval, of the baselines, and the goal."""
    baselines = sorted({name for own in report.scores.values() for name in own.baselines})
    goal = report.goal
    other = goal if goal and not goal.headline else None
    rows = ["model", *baselines, *(["the goal's figure"] if other else [])]
    figure, axes = canvas(0.75 + 0.5 * len(rows))
    said = []
    for split, offset, colour, marker in SERIES:
        own = report.scores[split]
        _interval(axes, own.strict.f1, own.interval, offset, colour)
        values = [own.strict.f1, *(own.baselines[name] for name in baselines)]
        places = [row + offset for row in range(len(values))]
        axes.plot(values, places, color=colour, marker=marker, linestyle="none", markersize=6.5, label=split)
        ends = [own.interval.high, *values[1:]]
        for value, end, place in zip(values, ends, places, strict=True):
            axes.text(end + 0.02, place, f"{value:.2f}", verticalalignment="center", fontsize=9)
        said.append(
            f"{split} {score(own.strict.f1)}, interval {score(own.interval.low)} to {score(own.interval.high)}, "
            + ", ".join(f"{name} baseline {score(own.baselines[name])}" for name in baselines)
        )
    if goal and goal.headline:
        axes.axvline(goal.value, color=TEXT, linestyle=":", linewidth=1.4)
        axes.text(goal.value, -0.62, f"goal {goal.value:.2f}", horizontalalignment="center", fontsize=9)
        said.append(f"goal {score(goal.value)}")
    if other:
        said.append(_other_goal(axes, other, len(rows) - 1))
    _rows(axes, rows)
    figure.legend(frameon=False, loc="outside upper right", ncols=2, handletextpad=0.1)
    return inline_svg(
        figure, "headline", f"{sentence(report.wording.strict)} of model and baselines", "; ".join(said) + "."
    )


def _other_goal(axes: "Axes", goal: Goal, row: int) -> str:
    """A row for a goal that is not about the headline: its figure on validation and where it should be."""
    _, _, colour, marker = SERIES[0]
    if goal.interval:
        _interval(axes, goal.figure, goal.interval, row, colour)
    axes.plot([goal.figure], [row], color=colour, marker=marker, linestyle="none", markersize=6.5)
    axes.plot([goal.value] * 2, [row - 0.42, row + 0.42], color=TEXT, linestyle=":", linewidth=1.4)
    ends = [goal.figure, goal.value, *([goal.interval.high] if goal.interval else [])]
    words = f"{goal.figure:.2f}, goal {goal.value:.2f}"
    axes.text(max(ends) + 0.02, row, words, verticalalignment="center", fontsize=9)
    return f"{goal.metric} of validation {score(goal.figure)}, goal {score(goal.value)}"


def types_chart(report: Report) -> str:
    """F1 of each type with its interval, a bar for validation and one for test."""
    figure, axes = canvas(0.55 + 0.42 * len(report.types))
    rows = range(len(report.types))
    for split, offset, colour, _ in SERIES:
        known = report.scores[split].types
        values = [known[label].figures.f1 if label in known else 0.0 for label in report.types]
        axes.barh(
            [row + offset for row in rows], values, height=0.34, color=colour, alpha=0.75, linewidth=0, label=split
        )
        for row, label, value in zip(rows, report.types, values, strict=True):
            end = 0.0
            if label in known:
                _interval(axes, value, known[label].interval, row + offset, TEXT)
                end = max(value, known[label].interval.high)
            text = f"{value:.2f}" if label in known else "no gold"
            axes.text(end + 0.015, row + offset, text, verticalalignment="center", fontsize=9)
    _rows(axes, report.types)
    figure.legend(frameon=False, loc="outside upper right", ncols=2)

    def said(split: str, label: str) -> str:
        own = report.scores[split].types[label]
        return f"{split} {score(own.figures.f1)} ({score(own.interval.low)} to {score(own.interval.high)})"

    parts = [
        f"{label}: " + ", ".join(said(split, label) for split in report.scores if label in report.scores[split].types)
        for label in report.types
    ]
    return inline_svg(
        figure, "types", f"{sentence(report.wording.strict)} by type with 95 % intervals", "; ".join(parts) + "."
    )


def kinds_chart(focus: Focus, figure_name: str) -> str:
    """How much the headline would gain if the errors of one kind were right."""
    kinds = focus.of("kind")
    figure, axes = canvas(0.5 + 0.34 * len(kinds))
    places = range(len(kinds))
    axes.barh(places, [entry.gain for entry in kinds], height=0.62, color=SECOND, alpha=0.85, linewidth=0)
    widest = max(entry.gain for entry in kinds) or 0.01
    for place, entry in zip(places, kinds, strict=True):
        text = f"{entry.gain:+.3f} · {count(entry.errors, 'error')}"
        axes.text(max(entry.gain, 0) + widest * 0.02, place, text, verticalalignment="center", fontsize=9)
    _rows(axes, [entry.name for entry in kinds])
    axes.set_xlim(min(0.0, *(entry.gain for entry in kinds)), widest * 1.55)  # room for the figures
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    parts = [f"{entry.name} {entry.gain:+.3f} by {count(entry.errors, 'error')}" for entry in kinds]
    title = f"What {figure_name} would gain if the errors of one kind were right"
    return inline_svg(figure, "kinds", title, "; ".join(parts) + ".")


def _interval(axes: "Axes", value: float, interval: Interval, place: float, colour: str) -> None:
    # The bootstrap's bounds need not hold the figure of a type with a handful of entities.
    low, high = min(value, interval.low), max(value, interval.high)
    axes.errorbar(
        [value], [place], xerr=[[value - low], [high - value]], fmt="none", color=colour, elinewidth=1.4, capsize=2.5
    )


def _rows(axes: "Axes", names: Sequence[str]) -> None:
    """One row of the chart per name, the first on top; figures between 0 and 1."""
    axes.grid(visible=False, axis="y")
    axes.set_yticks(range(len(names)), [_short(name) for name in names])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlim(0, 1.12)
    axes.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1])


def _short(label: str) -> str:
    return label if len(label) <= 18 else label[:17] + "…"
