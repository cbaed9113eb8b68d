"""One kind of chart as SVG text: points, lines, bands and a level, in colours of the page around it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape

WIDTH, HEIGHT = 640, 280
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 14, 42


@dataclass(frozen=True)
class Point:
    """One mark; ``low`` and ``high`` draw a whisker, ``kind`` is a class of the page's style, ``title`` its tooltip."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None
    kind: str = "plain"
    title: str = ""


@dataclass(frozen=True)
class Chart:
    """What is drawn.

    Attributes:
        line: corners of a line.
        band: ``(x, low, high)`` along it.
        level: a horizontal line and its label.
        log: the x axis is logarithmic.
        ticks: x values with their labels; none means four evenly spaced numbers.
    """

    title: str
    x: str
    y: str
    points: Sequence[Point]
    line: Sequence[tuple[float, float]] = ()
    band: Sequence[tuple[float, float, float]] = ()
    level: tuple[float, str] | None = None
    log: bool = False
    ticks: Sequence[tuple[float, str]] = field(default=())


def svg(chart: Chart) -> str:
    """The chart as one ``<svg>``; the same chart gives the same text."""
    xs = [point.x for point in chart.points] + [x for x, _ in chart.line] + [x for x, *_ in chart.band]
    ys = [y for point in chart.points for y in (point.y, point.low, point.high) if y is not None]
    ys += [y for _, y in chart.line] + [y for _, low, high in chart.band for y in (low, high)]
    ys += [chart.level[0]] if chart.level else []
    if not xs:
        return ""
    across = _scale(min(xs), max(xs), LEFT, WIDTH - RIGHT, log=chart.log)
    low, high = _padded(min(ys), max(ys))
    up = _scale(low, high, HEIGHT - BOTTOM, TOP)
    parts = [_axes(chart, across, up, (low, high), (min(xs), max(xs)))]
    if chart.band:
        upper = [f"{across(x):.1f},{up(top):.1f}" for x, _, top in chart.band]
        lower = [f"{across(x):.1f},{up(bottom):.1f}" for x, bottom, _ in reversed(chart.band)]
        parts.append(f'<polygon class="band" points="{" ".join(upper + lower)}"/>')
    if chart.line:
        corners = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in chart.line)
        parts.append(f'<polyline class="line" points="{corners}"/>')
    if chart.level:
        y, label = chart.level
        parts.append(f'<line class="level" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{up(y):.1f}" y2="{up(y):.1f}"/>')
        parts.append(f'<text x="{WIDTH - RIGHT}" y="{up(y) - 4:.1f}" text-anchor="end">{escape(label)}</text>')
    parts += [_mark(point, across, up) for point in chart.points]
    label = escape(chart.title, quote=True)
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{"".join(parts)}</svg>'


def _axes(
    chart: Chart,
    across: Callable[[float], float],
    up: Callable[[float], float],
    y_range: tuple[float, float],
    x_range: tuple[float, float],
) -> str:
    bottom = HEIGHT - BOTTOM
    parts = []
    for step in range(5):
        value = y_range[0] + (y_range[1] - y_range[0]) * step / 4
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{up(value):.1f}" y2="{up(value):.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{up(value) + 4:.1f}" text-anchor="end">{value:.3f}</text>')
    for place, label in chart.ticks or _ticks(*x_range, log=chart.log):
        parts.append(f'<text x="{across(place):.1f}" y="{bottom + 16}" text-anchor="middle">{escape(label)}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle:.1f}" y="{HEIGHT - 6}" text-anchor="middle">{escape(chart.x)}</text>')
    parts.append(f'<text x="{LEFT}" y="{TOP - 3}">{escape(chart.y)}</text>')
    return "".join(parts)


def _mark(point: Point, across: Callable[[float], float], up: Callable[[float], float]) -> str:
    x, y = across(point.x), up(point.y)
    whisker = ""
    if point.low is not None and point.high is not None:
        whisker = f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{up(point.low):.1f}" y2="{up(point.high):.1f}"/>'
    title = f"<title>{escape(point.title)}</title>" if point.title else ""
    return f'<g class="{escape(point.kind, quote=True)}">{title}{whisker}<circle cx="{x:.1f}" cy="{y:.1f}" r="4"/></g>'


def _scale(low: float, high: float, start: float, end: float, *, log: bool = False) -> Callable[[float], float]:
    def place(value: float) -> float:
        first, last, at = (math.log(v) for v in (low, high, value)) if log else (low, high, value)
        return (start + end) / 2 if first == last else start + (end - start) * (at - first) / (last - first)

    return place


def _padded(low: float, high: float) -> tuple[float, float]:
    pad = (high - low) * 0.06 or 0.01
    return low - pad, high + pad


def _ticks(low: float, high: float, *, log: bool) -> list[tuple[float, str]]:
    if low == high:
        return [(low, f"{low:.3g}")]
    if log:
        places = [low * (high / low) ** (step / 3) for step in range(4)]
    else:
        places = [low + (high - low) * step / 3 for step in range(4)]
    return [(place, f"{place:.3g}") for place in places]
