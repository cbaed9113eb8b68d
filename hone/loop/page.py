"""What a command found, written once and shown three ways: terminal, Markdown, one HTML file that fetches nothing."""

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from hone.loop.chart import Chart, svg
from hone.terminal import paint

WIDTH = 79  # columns of a terminal that lines fit into
DENSE = 7  # columns from which on a table of a page is set small, with intervals below their figures
INTERVAL = re.compile(r"\([^()]+ to [^()]+\)")
STYLE = """
:root{color-scheme:light dark;--ink:#1f2328;--dim:#6b7280;--paper:#fff;--rule:#d8dee4;--good:#0f7b3e;--bad:#b3261e;
--mark:#2563a8;--goal:#9a6700}
@media(prefers-color-scheme:dark){:root{--ink:#e6e6e6;--dim:#9aa3ad;--paper:#16181c;--rule:#3a3f46;--good:#5ccf8b;
--bad:#ff8a80;--mark:#7ab3ef;--goal:#e3b341}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:75rem;margin:2rem auto;
padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem}
.wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:.2rem .7rem;text-align:left;border-bottom:1px solid var(--rule);vertical-align:top}
.figure{text-align:right}td.figure,td:first-child{white-space:nowrap}
.dense{font-size:13px}.dense i{font-style:normal;white-space:nowrap;display:block}th{color:var(--dim);font-weight:600}
svg{width:100%;height:auto;max-width:40rem}svg text{font-size:11px;fill:var(--dim)}
svg .grid{stroke:var(--rule)}svg .line{fill:none;stroke:var(--mark);stroke-width:2}
svg .band{fill:var(--mark);opacity:.15}svg .level{stroke:var(--goal);stroke-dasharray:5 4}
svg g{fill:var(--mark);stroke:var(--mark)}svg g.best{fill:var(--good);stroke:var(--good)}
svg g.weak{fill:none;stroke:var(--dim)}svg g.bad{fill:var(--bad);stroke:var(--bad)}
"""


@dataclass(frozen=True)
class Section:
    """A heading with sentences, a table and charts, each of which may be missing. The first column of a table is text.

    ``brief`` sections are what the terminal shows.
    """

    title: str
    text: Sequence[str] = ()
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    charts: Sequence[Chart] = ()
    brief: bool = True


@dataclass(frozen=True)
class Page:
    """A title and what stands below it."""

    title: str
    sections: Sequence[Section]


def terminal(page: Page) -> str:
    """Aligned plain text, at most WIDTH columns but for single words that are longer."""
    parts = []
    for section in page.sections:
        if not section.brief:
            continue
        lines = [paint(section.title, "bold", sys.stdout)] if section.title else []
        for sentence in section.text:
            lines += _wrapped(sentence)
        if section.rows:
            lines += _aligned([section.head, *section.rows])
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def markdown(page: Page) -> str:
    """Headings, sentences and tables; charts are left to the HTML page."""
    parts = [f"# {_plain(page.title)}"]
    for section in page.sections:
        parts += [f"## {_plain(section.title)}"] if section.title else []
        parts += [_plain(sentence) for sentence in section.text]
        if section.rows:
            lines = [section.head, [":--", *("--:" for _ in section.head[1:])], *section.rows]
            escaped = [line if index == 1 else [_plain(cell) for cell in line] for index, line in enumerate(lines)]
            parts.append("\n".join(f"| {' | '.join(cells)} |" for cells in escaped))
    return "\n\n".join(parts) + "\n"


def html(page: Page) -> str:
    """One file without a script or anything to fetch; all texts are escaped."""
    parts = []
    for section in page.sections:
        parts.append(f"<h2>{escape(section.title)}</h2>" if section.title else "")
        parts += [f"<p>{escape(sentence)}</p>" for sentence in section.text]
        parts += [svg(chart) for chart in section.charts]
        if section.rows:
            kinds = [_kind(column) for column in zip(*section.rows, strict=True)]
            dense = len(section.head) >= DENSE
            head = "".join(f"<th{kind}>{escape(cell)}</th>" for cell, kind in zip(section.head, kinds, strict=True))
            rows = "".join(
                "<tr>"
                + "".join(f"<td{kind}>{_cell(cell, dense=dense)}</td>" for cell, kind in zip(row, kinds, strict=True))
                + "</tr>\n"
                for row in section.rows
            )
            kind = " class=dense" if dense else ""
            parts.append(f'<div class="wide"><table{kind}><thead><tr>{head}</tr></thead>')
            parts.append(f"<tbody>{rows}</tbody></table></div>")
    body = "\n".join(part for part in parts if part)
    title = escape(page.title)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>\n'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{STYLE}</style></head>\n'
        f"<body><h1>{title}</h1>\n{body}\n</body></html>\n"
    )


def write(page: Page, folder: Path, name: str) -> Path:
    """``name.md`` and ``name.html`` in ``folder``; the path of the latter."""
    folder.mkdir(parents=True, exist_ok=True)
    for ending, text in (("md", markdown(page)), ("html", html(page))):
        part = folder / f"{name}.{ending}.part"
        part.write_text(text, encoding="utf-8", newline="\n")
        part.replace(folder / f"{name}.{ending}")
    return folder / f"{name}.html"


def value_text(value: Any) -> str:
    """A value of params.yaml for a person; a number with four digits."""
    if isinstance(value, float):
        short = f"{value:.4g}"
        return short if any(sign in short for sign in ".en") else f"{short}.0"
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _aligned(table: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    spare = WIDTH - 2 - sum(widths[1:]) - 2 * (len(widths) - 1)
    widths[0] = min(widths[0], max(spare, 12))

    def line(row: Sequence[str]) -> str:
        first = row[0] if len(row[0]) <= widths[0] else row[0][: widths[0] - 1] + "…"
        cells = [f"{first:<{widths[0]}}", *(f"{c:>{w}}" for c, w in zip(row[1:], widths[1:], strict=True))]
        return ("  " + "  ".join(cells)).rstrip()

    return [line(row) for row in table]


def _cell(text: str, *, dense: bool) -> str:
    escaped = escape(text)
    return INTERVAL.sub(lambda found: f"<i>{found[0]}</i>", escaped) if dense else escaped


def _kind(column: Sequence[str]) -> str:
    """The class of a column's cells: figures stand right, text left."""
    figures = all(re.match(r"[-+<]?\d|$|unknown", cell) for cell in column)
    return ' class="figure"' if figures and any(column) else ""


def _wrapped(sentence: str) -> list[str]:
    import textwrap

    return textwrap.wrap(sentence, WIDTH, break_long_words=False, break_on_hyphens=False) or [""]


def _plain(text: str) -> str:
    escaped = re.sub(r"([\\`*_\[\]#|~@])", r"\\\1", text)
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
