"""What a search found, as a page: verdict, what mattered, quality against cost, history, the edge of the space."""

from collections.abc import Sequence

from flows.search import Found, Row
from hone.loop.chart import Chart, Point
from hone.loop.front import front
from hone.loop.page import Page, Section, value_text
from tasks.params import Goal
from tasks.scoring.goal import Figure, distance

ENDED = {
    "goal": "the goal is reached: the whole interval of a trial lies above it",
    "trials": "all trials of sweep.trials are run",
    "hours": "the hours of sweep.hours are over",
    "budget": "goal.budget_hours is spent",
}


def page(found: Found, target: str, goal: Goal, confirmed: Sequence[str], corners: Sequence[str]) -> Page:
    """The page of a search.

    Args:
        target: name of the figure.
        goal: how far the best trial is from it is said, if it has a value.
        confirmed: what the comparison over seeds says, in sentences.
        corners: warnings of hone.loop.corner.
    """
    best = found.best
    counts = {state: sum(row.state == state for row in found.rows) for state in ("done", "pruned", "failed", "running")}
    said = ", ".join(f"{number} {state}" for state, number in counts.items() if number)
    sections = [
        Section("", [f"{found.name}: {len(found.rows)} trials ({said}). It ended as {ENDED[found.why]}."]),
    ]
    if best is None:
        return Page("Sweep", [*sections, Section("", ["No trial came to an end."])])
    rows = [["figure", figure(best)], *_changed(best)]
    sections.append(Section(f"Best on validation: {best.name}", [], ["", target], rows))
    if goal.value:
        to_go = distance(goal, Figure(target, best.value or 0.0, best.low, best.high))
        sections.append(Section("Goal", [to_go]))
    sections += [
        Section("Is the winner better?", confirmed),
        Section("What mattered", *_importance(found)),
    ]
    if corners:
        sections.append(Section("At the edge of the space", corners))
    sections += [
        _trade_off(found.rows),
        Section("History", charts=[_history(found.rows, target, goal.value or None)], brief=False),
        _trials(found.rows, target),
    ]
    return Page("Sweep", sections)


def figure(row: Row) -> str:
    """A trial's figure with its interval, if known."""
    interval = f" ({row.low:.4f} to {row.high:.4f})" if row.low is not None and row.high is not None else ""
    return f"{row.value:.4f}{interval}"


def _changed(row: Row) -> list[list[str]]:
    return [[key, value_text(value)] for key, value in row.params.items()]


def _importance(found: Found) -> tuple[list[str], list[str], list[list[str]]]:
    if not found.importance:
        return ["Too few finished trials to say."], [], []
    rows = [[key, f"{share:.2f}"] for key, share in sorted(found.importance.items(), key=lambda item: -item[1])]
    done = sum(row.state == "done" for row in found.rows)
    doubt = [] if done >= 30 else [f"Of {done} trials only: the order of close ones means little."]
    return doubt, ["param", "share"], rows


def _trade_off(rows: Sequence[Row]) -> Section:
    best = front(rows)
    inside = {row.number for row in best}
    points = [
        Point(
            row.seconds or 0.0,
            row.value or 0.0,
            kind="best" if row.number in inside else "plain",
            title=f"{row.name}: {row.value:.4f}, {row.seconds:.0f} s",
        )
        for row in rows
        if row.value is not None and row.seconds is not None
    ]
    chart = Chart("quality against cost", "seconds of the trial", "figure", points)
    table = [[row.name, figure(row), f"{row.seconds:.0f} s"] for row in best]
    text = ["Trials that no other one beats in both figure and time:"]
    return Section("Quality and cost", text, ["trial", "figure", "time"], table, [chart])


def _history(rows: Sequence[Row], target: str, goal: float | None) -> Chart:
    points, line, best = [], [], float("-inf")
    for row in rows:
        shown = row.value if row.value is not None else max(row.epochs.values(), default=None)
        if shown is None:
            continue
        kind = "weak" if row.state != "done" else "plain"
        if row.value is not None and row.value > best:
            best, kind = row.value, "best"
        if best > float("-inf"):
            line.append((float(row.number), best))
        title = f"{row.name}: {shown:.4f} {row.state}, {row.drawn}"
        points.append(Point(float(row.number), shown, row.low, row.high, kind, title))
    return Chart("history", "trial", target, points, line, level=(goal, "goal") if goal else None)


def _trials(rows: Sequence[Row], target: str) -> Section:
    keys = list(dict.fromkeys(key for row in rows for key in row.params))
    ordered = sorted(rows, key=lambda row: (row.value is None, -(row.value or 0.0), row.number))
    table = [
        [
            row.name,
            row.state,
            figure(row) if row.value is not None else "",
            f"{row.seconds:.0f}" if row.seconds is not None else "",
            row.drawn,
            *(value_text(row.params[key]) if key in row.params else "" for key in keys),
        ]
        for row in ordered
    ]
    return Section("All trials", [], ["trial", "state", target, "seconds", "drawn", *keys], table, brief=False)
