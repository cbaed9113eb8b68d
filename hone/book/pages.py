"""The ledger and its lessons as pages, and the ledger for a terminal."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from hone.book.lessons import MOST, Lesson
from hone.book.rows import Row
from hone.book.verdicts import Verdict
from hone.loop.chart import Chart, Point
from hone.loop.page import WIDTH, Page, Section, value_text
from hone.terminal import paint

COLOURS = {"better": "green", "worse": "red", "too few data": "yellow", "unknown": "yellow"}
GROUPED = ("helped", "did not help", "never certain")
SHOWN = 6  # changed params of an iteration
KINDS = {"better": "best", "worse": "bad", "unknown": "weak"}


def page(rows: Sequence[Row], headline: str, goal: float | None, missing: int) -> Page:
    """The whole ledger, newest first, with the trend."""
    points = [
        Point(
            float(number),
            row.figure,
            row.low,
            row.high,
            KINDS.get(row.verdict.word, "plain") if row.verdict else "plain",
            f"{row.iteration.label}: {row.iteration.hypothesis}",
        )
        for number, row in enumerate(rows, start=1)
        if row.figure is not None
    ]
    line, best = [], float("-inf")
    for number, row in enumerate(rows, start=1):
        if row.figure is not None and not row.iteration.name:
            best = max(best, row.figure)
            line.append((float(number), best))
    level = (goal, f"goal {goal:g}") if goal else None
    trend = Chart("the headline on validation", "iteration", headline, points, line, level=level)
    head = ["when", "iteration", "hypothesis", "changed", headline, "against the best before", "test", "cost"]
    table = [
        [
            _day(row),
            _label(row),
            _hypothesis(row),
            "; ".join(_changed(row)),
            _figure(row),
            _verdict(row),
            "" if row.test is None else f"{row.test:.4f}",
            _cost(row),
        ]
        for row in reversed(rows)
    ]
    return Page(
        "Ledger",
        [Section("", summary(rows, missing)), Section("Trend", charts=[trend]), Section("Iterations", [], head, table)],
    )


def summary(rows: Sequence[Row], missing: int) -> list[str]:
    """What all iterations together come to."""
    commits = sum(not row.iteration.name for row in rows)
    seconds = sum(row.iteration.seconds or 0.0 for row in rows)
    looks = rows[-1].looks if rows else 0
    models = "1 model has" if looks == 1 else f"{looks} different models have"
    listed = f"{_count(commits, 'commit')} and {_count(len(rows) - commits, 'trial')}, {_time(seconds)} of work."
    said = [f"{listed} {models} been scored on test. Verdicts are on validation, against the best commit before."]
    if missing:
        said.append(
            f"{missing} sets of predictions are not in DVC's cache, so verdicts about them are unknown; 'dvc fetch "
            "--all-commits' brings those of commits, 'dvc exp pull' those of trials, from a remote that has them."
        )
    return said


def terminal(rows: Sequence[Row], of: int) -> str:
    """The last rows, newest first, two or three lines each, within the columns of a terminal."""
    parts = []
    for row in reversed(rows):
        verdict = _verdict(row)
        colour = COLOURS.get(row.verdict.word, "dim") if row.verdict else "dim"
        head = f"{_day(row)}  {_label(row)[:38]:<38}  {_figure(row):<24}"
        lines = [f"{head.rstrip()}"]
        lines += [f"    {line}" for line in _wrapped(_hypothesis(row))]
        lines += [f"    {line}" for line in _wrapped("; ".join(_changed(row)))]
        cost = _cost(row)
        told = [text for text in (verdict and paint(verdict, colour, sys.stdout), cost) if text]
        lines += [f"    {', '.join(told)}"] if told else []
        parts.append("\n".join(lines))
    if of > len(rows):
        parts.append(f"the last {len(rows)} of {of}; --last {of} shows all, and the page has them")
    return "\n".join(parts)


def lessons_page(found: Sequence[Lesson], large: int) -> Page:
    """Lessons by group, sorted by param."""
    sections = []
    for group in GROUPED:
        rows = [
            [
                " + ".join(one.params),
                one.change,
                span(one.verdict),
                one.verdict.word,
                f"{one.seeds[0]}:{one.seeds[1]}",
            ]
            for one in found
            if one.group == group
        ]
        head = ["param", "change", "difference", "verdict", "seeds"]
        sections.append(Section(_title(group), [] if rows else ["Nothing yet."], head, rows))
    if large:
        said = f"{_count(large, 'change')} of more than {MOST} params at once teach nothing of one."
        sections.append(Section("", [said]))
    return Page("Lessons", sections)


def lessons_terminal(found: Sequence[Lesson], large: int) -> str:
    """The same for a terminal: a line with the params, below it one for each change of them."""
    parts = []
    for group in GROUPED:
        lines, before = [paint(_title(group), "bold", sys.stdout)], ""
        for one in (lesson for lesson in found if lesson.group == group):
            if (params := " + ".join(one.params)) != before:
                lines += [f"  {line}" for line in _wrapped(params)]
                before = params
            change = one.change if len(one.change) <= 28 else one.change[:27] + "…"
            lines.append(
                f"    {change:<28}  {span(one.verdict) or 'unknown':<29}  {one.seeds[0]}:{one.seeds[1]} models"
            )
        parts.append("\n".join(lines if len(lines) > 1 else [*lines, "  nothing yet"]))
    if large:
        parts.append(f"{_count(large, 'change')} of more than {MOST} params at once teach nothing of one.")
    return "\n\n".join(parts)


def plain(row: Row) -> dict[str, Any]:
    """A row as JSON takes it."""
    one = row.iteration
    return {
        "rev": one.rev,
        "name": one.name,
        "kind": one.kind,
        "time": one.time,
        "hypothesis": one.hypothesis,
        "expect": one.expect,
        "held": row.held,
        "changed": {key: list(pair) for key, pair in row.changed.items()},
        "data": list(row.data),
        "code": row.code,
        "validation": {"figure": row.figure, "low": row.low, "high": row.high},
        "test": row.test,
        "best_before": row.best,
        "verdict": row.verdict and {**vars(row.verdict)},
        "seconds": one.seconds,
        "peak_memory_mb": one.memory,
        "test_looks": row.looks,
    }


def span(verdict: Verdict) -> str:
    """The difference with its interval."""
    if verdict.difference is None:
        return ""
    return f"{verdict.difference:+.4f} ({verdict.low:+.4f} to {verdict.high:+.4f})"


def _title(group: str) -> str:
    return group[0].upper() + group[1:]


def _day(row: Row) -> str:
    return datetime.fromtimestamp(row.iteration.time, UTC).strftime("%Y-%m-%d")


def _label(row: Row) -> str:
    one = row.iteration
    return one.name or f"commit {one.label}"


def _hypothesis(row: Row) -> str:
    one = row.iteration
    if one.expect is None:
        return one.hypothesis
    return f"{one.hypothesis} (expected {100 * one.expect:+.2f} points: {row.held or 'not known'})"


def _changed(row: Row) -> list[str]:
    said = [f"{key} {value_text(old)} -> {value_text(new)}" for key, (old, new) in row.changed.items()]
    if len(said) > SHOWN:
        said = [*said[:SHOWN], f"{len(said) - SHOWN} more params"]
    said += [f"data {path.removeprefix('data/raw/')}" for path in row.data]
    return said + ([f"{row.code} files of code"] if row.code > 1 else ["1 file of code"] if row.code else [])


def _figure(row: Row) -> str:
    if row.figure is None:
        return "unknown"
    interval = "" if row.low is None or row.high is None else f" ({row.low:.4f} to {row.high:.4f})"
    return f"{row.figure:.4f}{interval}"


def _verdict(row: Row) -> str:
    if row.verdict is None:
        return ""
    if row.verdict.word == "same":
        return f"the same answers as {row.best}"
    return f"{row.verdict.word} {span(row.verdict)}".strip() + f" than {row.best}" * (
        row.verdict.word in ("better", "worse")
    )


def _cost(row: Row) -> str:
    one = row.iteration
    if one.seconds is None:
        return ""
    return _time(one.seconds) + (f", {one.memory:.0f} MB" if one.memory else "")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _wrapped(text: str) -> list[str]:
    import textwrap

    return textwrap.wrap(text, WIDTH - 4, break_long_words=False, break_on_hyphens=False)
