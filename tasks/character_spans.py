"""Entities as character spans of a text, read from a raw row and checked.

A row has a ``text`` and, in ``spans`` or ``entities``, a list of objects with ``start``, ``end`` (the character after
the last) and ``label``, or of lists of the three. Offsets count Unicode characters from 0.
"""

import itertools
from collections import Counter
from typing import Any

from tasks.errors import Defect
from tasks.records import Row
from tasks.words import CharacterSpan

FIELDS = ("spans", "entities")


def count(row: Row) -> int:
    """Spans in a row in any state."""
    return sum(len(row.fields[name]) for name in FIELDS if isinstance(row.fields.get(name), list))


def read(row: Row, repairs: Counter[str]) -> tuple[str, list[CharacterSpan]]:
    """Text and spans in order, white space at a span's edges left out (and counted in ``repairs``).

    Raises:
        Defect: no text; spans of another form, outside the text, without characters, overlapping or doubled, or whose
            own ``text`` or ``value`` is not what stands there.
    """
    text = row.fields.get("text")
    if not isinstance(text, str) or not text.strip():
        raise _defect(row, "no words", f"'text' holds {short(text)}", "give the row a text or take it out")
    given = [name for name in FIELDS if row.fields.get(name) is not None]
    if len(given) != 1 or not isinstance(row.fields[given[0]], list):
        message = f"the spans should be a list in one of the fields {' and '.join(map(repr, FIELDS))}"
        raise _defect(row, "missing field", message, "write [] for a text without entities")
    spans = []
    trimmed = 0
    for entry in row.fields[given[0]]:
        start, end, label = _values(row, entry)
        shown = f"span {start} to {end} ({label})"
        if not 0 <= start <= end <= len(text):
            message = f"{shown} lies outside the text of {len(text)} characters"
            raise _defect(row, "span outside the text", message, "mend its offsets")
        inside = text[start:end]
        if not inside.strip():
            raise _defect(row, "empty span", f"{shown} holds no characters", "mend its offsets or take it out")
        quoted = _quoted(entry)
        if quoted is not None and quoted.strip() != inside.strip():
            message = f"{shown} holds {short(inside)} where its entry says {short(quoted)}"
            raise _defect(row, "span does not fit", message, "mend its offsets; they count characters")
        trimmed += inside != inside.strip()
        spans.append((end - len(inside.lstrip()), start + len(inside.rstrip()), label))
    spans.sort()
    for one, other in itertools.pairwise(spans):
        if other[0] < one[1]:
            nested = other[1] <= one[1] or other[0] == one[0]
            how = "are nested" if nested and one[:2] != other[:2] else "overlap"
            message = f"spans {one[0]} to {one[1]} ({one[2]}) and {other[0]} to {other[1]} ({other[2]}) {how}"
            kind = "doubled span" if one[:2] == other[:2] else "nested spans" if nested else "overlapping spans"
            raise _defect(row, kind, message, "leave one of them; each word has one tag")
    if trimmed:
        repairs["white space at the edge of a span was left out"] += trimmed
    return text, spans


def short(value: Any) -> str:
    """A value as it may stand in a message."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _values(row: Row, entry: Any) -> CharacterSpan:
    values = [entry.get(key) for key in ("start", "end", "label")] if isinstance(entry, dict) else entry
    if isinstance(values, list) and list(map(type, values)) == [int, int, str] and values[2]:
        return values[0], values[1], values[2]
    raise _defect(row, "wrong type", f"span {short(entry)}", 'write {"start": 0, "end": 6, "label": "ORG"}')


def _quoted(entry: Any) -> str | None:
    """What the entry itself says that it holds, where it does."""
    if isinstance(entry, dict):
        for key in ("text", "value"):
            if isinstance(entry.get(key), str):
                return str(entry[key])
    return None


def _defect(row: Row, kind: str, message: str, remedy: str) -> Defect:
    return Defect(kind, row.place, message, remedy, count(row))
