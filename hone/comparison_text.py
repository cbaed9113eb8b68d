"""A difference as Markdown for pull requests and as text for a terminal: the same rows, two dresses."""

import sys
from collections.abc import Mapping, Sequence

from hone.comparison import Difference, probability, words
from hone.terminal import paint
from tasks.scoring.paired import Comparison
from tasks.verdict import Sentence

COLOURS = {"better": "green", "worse": "red", "no evidence": "bold", "too few data": "yellow"}
SLICES = 8  # rows at most
Table = tuple[list[str], list[list[str]]]


def markdown(found: Difference, failed: list[str] | None) -> str:
    """Sections with tables; sentences as lists."""
    judgement = found.judgement
    parts = [f"**{words(judgement)}**", sides(found), *found.notes]
    if failed is not None:
        parts.append("\n".join(["**Gate failed:**", *(f"- {line}" for line in failed)]) if failed else "Gate passed.")
    for title, table in tables(found):
        parts.append(f"#### {title}\n\n" + _markdown_table(table))
    for title, sentences in changed_examples(found):
        parts.append(f"#### {title}\n\n" + "\n".join(_markdown_sentence(sentence) for sentence in sentences))
    return "\n\n".join(parts)


def terminal(found: Difference, failed: list[str] | None) -> str:
    """Aligned columns; the verdict in colour where a person looks."""
    verdict = words(found.judgement)
    parts = [paint(verdict, COLOURS[found.judgement.headline.verdict], sys.stdout), sides(found), *found.notes]
    if failed is not None:
        lines = ["gate failed:", *(f"  {line}" for line in failed)] if failed else ["gate passed"]
        parts.append(paint("\n".join(lines), "red" if failed else "green", sys.stdout))
    parts += [f"{paint(title, 'bold', sys.stdout)}\n{_aligned(table)}" for title, table in tables(found)]
    for title, sentences in changed_examples(found):
        lines = [paint(title, "bold", sys.stdout)]
        for sentence in sentences:
            lines += [f"  {sentence.id}"]
            lines += [f"    {name:<7} {text}" for name, text in _answers(sentence)]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def sides(found: Difference) -> str:
    """Which is compared with which."""
    return f"{', '.join(found.after)} against {', '.join(found.before)}, on test."


def tables(found: Difference) -> list[tuple[str, Table]]:
    """Titles and rows of all that has rows."""
    judgement = found.judgement
    figures = {judgement.name: judgement.headline, **judgement.types}
    listed = [("Figures", _figures(figures, "figure"))]
    if moved := {name: one for name, one in judgement.kinds.items() if one.before != one.after}:
        listed.append(("Errors by kind", _kinds(moved)))
    if moved := _moved(judgement.slices):
        listed.append(("Slices that moved most", _figures(moved, "slice")))
    for title, pairs in (("Params", found.params), ("Data and code", found.inputs)):
        if pairs:
            listed.append((title, (["changed", "before", "after"], [[name, *pair] for name, pair in pairs.items()])))
    if not found.params and not found.inputs:
        listed.append(("Params, data and code", (["changed"], [["nothing"]])))
    return listed


def changed_examples(found: Difference) -> list[tuple[str, list[Sentence]]]:
    """Titles and examples fixed and broken, which the task calls by a name of its own."""
    judgement = found.judgement
    noun = judgement.examples.capitalize()
    both = (("fixed", judgement.fixed, judgement.fixed_count), ("broken", judgement.broken, judgement.broken_count))
    return [
        (f"{noun} {name}: {count}" + (f", the first {len(shown)}" if count > len(shown) else ""), shown)
        for name, shown, count in both
        if count
    ]


def _figures(rows: Mapping[str, Comparison], title: str) -> Table:
    head = [title, "before", "after", "difference", "95 % interval", "p", "verdict"]
    return head, [
        [
            name,
            f"{one.before:.4f}",
            f"{one.after:.4f}",
            f"{one.difference:+.4f}",
            f"{one.low:+.4f} to {one.high:+.4f}",
            probability(one.p),
            one.verdict,
        ]
        for name, one in rows.items()
    ]


def _kinds(rows: Mapping[str, Comparison]) -> Table:
    said = {"better": "shrank", "worse": "grew"}
    head = ["kind", "before", "after", "change", "95 % interval", "p", "verdict"]
    return head, [
        [
            name,
            f"{0 - one.before:g}",
            f"{0 - one.after:g}",
            f"{0 - one.difference:+g}",
            f"{-round(one.high):+d} to {-round(one.low):+d}",
            probability(one.p),
            said.get(one.verdict, one.verdict),
        ]
        for name, one in ((name, _rounded(one)) for name, one in rows.items())
    ]


def _rounded(one: Comparison) -> Comparison:
    from dataclasses import replace

    return replace(one, before=round(one.before, 1), after=round(one.after, 1))


def _moved(slices: Mapping[str, Comparison]) -> dict[str, Comparison]:
    """The slices that differ, surest first; at most SLICES, or all that are better or worse."""
    ordered = sorted((one.p, -abs(one.difference), name) for name, one in slices.items() if one.difference)
    sure = sum(one.verdict in ("better", "worse") for one in slices.values())
    return {name: slices[name] for *_, name in ordered[: max(SLICES, sure)]}


def _answers(sentence: Sentence) -> list[tuple[str, str]]:
    texts = (("gold", sentence.gold), ("before", sentence.before), ("after", sentence.after))
    return [(name, text) for name, text in texts if text]


def _markdown_sentence(sentence: Sentence) -> str:
    answers = "".join(f"\n  - {name}: {_plain(text)}" for name, text in _answers(sentence))
    return f"- `{sentence.id}`{answers}"


def _plain(text: str) -> str:
    """Text of the data that Markdown and HTML leave as it is."""
    escaped = "".join(f"\\{sign}" if sign in r"\`*_[]#|~@" else sign for sign in text)
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _markdown_table(table: Table) -> str:
    head, rows = table
    lines = [head, [":--", *("--:" for _ in head[1:])], *([_plain(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _aligned(table: Table) -> str:
    head, rows = table
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        padded = [
            f"{cells[0]:<{widths[0]}}",
            *(f"{cell:>{width}}" for cell, width in zip(cells[1:], widths[1:], strict=True)),
        ]
        return "  " + "  ".join(padded).rstrip()

    return "\n".join(line(row) for row in [head, *rows])
