"""Entities as character spans of a text, read from a raw row and checked.

A row has a text in one field and in another a list of objects with ``start``, ``end`` (the character after the last)
and ``label``, or of lists of the three. Offsets count Unicode characters from 0.
"""

import itertools
from collections import Counter
from typing import Any

from tasks.errors import Defect
from tasks.records import Row
from tasks.words import CharacterSpan

AUTO = ("spans", "entities")  # the fields that spans_field: auto means


def count(row: Row, spans_field: str) -> int:
    """Spans in a row in any state."""
    return sum(len(row.fields[name]) for name in _names(spans_field) if isinstance(row.fields.get(name), list))


def read(row: Row, text_field: str, spans_field: str, repairs: Counter[str]) -> tuple[str, list[CharacterSpan]]:
    """Text and spans in order, white space at a span's edges left out (and counted in ``repairs``).

    Args:
        spans_field: the field's name, or ``auto`` for spans or entities, whichever the row has.

    Raises:
        Defect: no text; spans of another form, outside the text, without characters, overlapping or doubled, or whose
            own ``text`` or ``value`` is not what stands there.
    """
    gold = count(row, spans_field)
    text = row.fields.get(text_field)
    if not isinstance(text, str) or not text.strip():
        raise _defect(
            row, gold, "no words", f"{text_field!r} holds {short(text)}", "give the row a text or take it out"
        )
    names = _names(spans_field)
    given = [name for name in names if row.fields.get(name) is not None]
    if len(given) != 1 or not isinstance(row.fields[given[0]], list):
        where = "one of the fields " if len(names) > 1 else "the field "
        message = f"the spans should be a list in {where}{' and '.join(map(repr, names))}"
        raise _defect(row, gold, "missing field", message, "write [] for a text without entities")
    spans = []
    trimmed = 0
    for entry in row.fields[given[0]]:
        start, end, label = _values(row, gold, entry)
        shown = f"span {start} to {end} ({label})"
        if not 0 <= start <= end <= len(text):
            message = f"{shown} lies outside the text of {len(text)} characters"
            raise _defect(row, gold, "span outside the text", message, "mend its offsets")
        inside = text[start:end]
        if not inside.strip():
            raise _defect(row, gold, "empty span", f"{shown} holds no characters", "mend its offsets or take it out")
        quoted = _quoted(entry)
        if quoted is not None and quoted.strip() != inside.strip():
            message = f"{shown} holds {short(inside)} where its entry says {short(quoted)}"
            raise _defect(row, gold, "span does not fit", message, "mend its offsets; they count characters")
        trimmed += inside != inside.strip()
        spans.append((end - len(inside.lstrip()), start + len(inside.rstrip()), label))
    spans.sort()
    for one, other in itertools.pairwise(spans):
        if other[0] < one[1]:
            nested = other[1] <= one[1] or other[0] == one[0]
            how = "are nested" if nested and one[:2] != other[:2] else "overlap"
            message = f"spans {one[0]} to {one[1]} ({one[2]}) and {other[0]} to {other[1]} ({other[2]}) {how}"
            kind = "doubled span" if one[:2] == other[:2] else "nested spans" if nested else "overlapping spans"
            raise _defect(row, gold, kind, message, "leave one of them; each word has one tag")
    if trimmed:
        repairs["white space at the edge of a span was left out"] += trimmed
    return text, spans


def short(value: Any) -> str:
    """A value as it may stand in a message."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _names(spans_field: str) -> tuple[str, ...]:
    return AUTO if spans_field == "auto" else (spans_field,)


def _values(row: Row, gold: int, entry: Any) -> CharacterSpan:
    values = [entry.get(key) for key in ("start", "end", "label")] if isinstance(entry, dict) else entry
    if isinstance(values, list) and list(map(type, values)) == [int, int, str] and values[2]:
        return values[0], values[1], values[2]
    raise _defect(row, gold, "wrong type", f"span {short(entry)}", 'write {"start": 0, "end": 6, "label": "ORG"}')


def _quoted(entry: Any) -> str | None:
    """What the entry itself says that it holds, where it does."""
    if isinstance(entry, dict):
        for key in ("text", "value"):
            if isinstance(entry.get(key), str):
                return str(entry[key])
    return None


def _defect(row: Row, gold: int, kind: str, message: str, remedy: str) -> Defect:
    return Defect(kind, row.place, message, remedy, gold)
