"""Raw rows brought to words with IOB2 tags, and the count of gold in them: the data half of token_classification.

Rows of CoNLL columns hold words and tags in two of the columns, JSON and table rows in two fields, or a text and
spans of its characters (see tasks/character_spans.py).
"""

import ast
import functools
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from tasks import character_spans, sources, tags
from tasks.character_spans import short
from tasks.errors import Defect, UserError
from tasks.params import Section
from tasks.records import Example, Row
from tasks.words import joined, tag_words

BLOCK = "token_classification"


class TokenClassification(Section):
    """The block ``token_classification:`` of params.yaml."""

    format: Literal["auto", "conll", "jsonl", "spans", "csv", "json", "parquet"]
    token_column: int
    tag_column: int
    token_field: str
    tag_field: str
    text_field: str
    spans_field: str
    scheme: Literal["auto", "IOB1", "IOB2", "BIOES", "BILOU", "BMES"]
    context: Literal["none", "document"]


def source(name: str, options: TokenClassification) -> str:
    """The format of a raw file: by its ending, unless params name one. UserError where the ending says nothing."""
    return _format(name, options.format)


@functools.lru_cache(maxsize=256)
def _format(name: str, setting: str) -> str:
    return sources.format_of(name, f"{BLOCK}.format") if setting == "auto" else setting


def survey(rows: Iterable[Row], options: TokenClassification) -> dict[str, Any]:
    """The tag scheme (params' own, or the one whose rules the data breaks least) and each file's number of columns.

    The number of columns is that of most words of the file, the larger one where two are equally frequent.
    """
    widths: dict[str, Counter[int]] = {}
    transitions = tags.Transitions()
    for row in rows:
        if _format(row.file, options.format) == "conll":
            widths.setdefault(row.file, Counter()).update(map(len, row.fields["columns"]))
        transitions.add(_raw_tags(row, options))
    columns = {name: max(found, key=lambda width: (found[width], width)) for name, found in widths.items()}
    scheme = transitions.scheme() if options.scheme == "auto" else options.scheme
    return {"columns": columns, "scheme": scheme}


def parse(row: Row, options: TokenClassification, facts: dict[str, Any], repairs: Counter[str]) -> Example:
    """Words and IOB2 tags of one row.

    Raises:
        Defect: a row that cannot be used; it carries the number of its gold entities.
        UserError: params name a column that the file does not have.
    """
    if _format(row.file, options.format) == "conll":
        words, raw = _from_columns(row, options, facts)
    elif _has_spans(row, options):
        text, spans = character_spans.read(row, options.text_field, options.spans_field, repairs)
        words, target = tag_words(text, spans)
        return Example(row.place, row.document, {"words": words}, target)
    else:
        words, raw = _from_fields(row, options)
    try:
        target = _converter(facts["scheme"]).to_iob2(raw, repairs)
    except tags.UnknownTagError as error:
        line = row.line + error.index if "columns" in row.fields else row.line
        scheme, tag = facts["scheme"], raw[error.index]
        known = ", ".join(f"{prefix}-TYPE" for prefix in tags.SCHEMES[scheme])
        message = f"tag {short(tag)} of word {short(words[error.index])} is none of {scheme} (O, {known})"
        raise _defect(row, options, "unknown prefix", message, f"mend it or set {BLOCK}.scheme", line=line) from None
    return Example(row.place, row.document, {"words": words}, target)


def raw_items(row: Row, options: TokenClassification, facts: dict[str, Any]) -> int:  # noqa: ARG001 the contract's
    """Gold entities in a raw row: its spans, or the starts of entities in its tags. Counts broken rows as well."""
    if _format(row.file, options.format) != "conll" and _has_spans(row, options):
        return character_spans.count(row, options.spans_field)
    return tags.count_starts(_raw_tags(row, options))


def items(target: Iterable[str]) -> Counter[str]:
    """Entities by type of IOB2 tags."""
    return Counter(tag[2:] for tag in target if tag[:2] == "B-")


def classes(labels: Sequence[str]) -> list[str]:
    """O, then the first and the inner tag of each type."""
    return [tags.OUTSIDE, *(f"{prefix}-{label}" for label in labels for prefix in "BI")]


def show(inputs: dict[str, Any], target: Sequence[str]) -> list[tuple[str, str | None]]:
    """The sentence as runs of words joined as in running text, each with its entity type or None."""
    words, runs, last = inputs["words"], [], 0
    for start, end, kind in tags.spans(target):
        runs += [(joined(words[last:start]), None), (joined(words[start:end]), kind)]
        last = end
    runs.append((joined(words[last:]), None))
    return [(text, kind) for text, kind in runs if text or kind]


@functools.lru_cache(maxsize=8)
def _converter(scheme: str) -> tags.Converter:
    return tags.Converter(scheme)


def _has_spans(row: Row, options: TokenClassification) -> bool:
    return options.format == "spans" or (options.token_field not in row.fields and options.text_field in row.fields)


def _raw_tags(row: Row, options: TokenClassification) -> list[str]:
    """The tags of a row as far as they can be read, in any state the row may be."""
    if _format(row.file, options.format) == "conll":
        column = options.tag_column
        return [columns[column] for columns in row.fields["columns"] if -len(columns) <= column < len(columns)]
    if _has_spans(row, options):
        return []
    return [tag for tag in _listed(row.fields.get(options.tag_field)) or [] if isinstance(tag, str)]


def _listed(value: Any) -> list[Any] | None:
    """A field that holds a list: one, a string that spells one (JSON or Python), or words between white space."""
    if not isinstance(value, str):
        return value if isinstance(value, list) else None
    if value.startswith("["):
        for reads in (json.loads, ast.literal_eval):
            try:
                found = reads(value)
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                continue
            if isinstance(found, list) and all(isinstance(part, str) for part in found):
                return found
    return value.split()


def _from_columns(row: Row, options: TokenClassification, facts: dict[str, Any]) -> tuple[list[str], list[str]]:
    width = facts["columns"][row.file]
    token, tag = options.token_column, options.tag_column
    for key, column in (("token_column", token), ("tag_column", tag)):
        if not -width <= column < width:
            raise UserError(f"{row.file}: {BLOCK}.{key} is {column}, but the file has {width} columns; 0 is the first")
    if token % width == tag % width:
        raise UserError(f"{row.file}: {BLOCK}.tag_column {tag} is the word's own of {width} columns; name the tag's")
    rows: list[list[str]] = row.fields["columns"]
    words, raw = [], []
    for index, columns in enumerate(rows):
        if len(columns) != width:
            message = f"{len(columns)} columns ({short(' '.join(columns))}) where most words of the file have {width}"
            remedy = "mend the line; columns are apart by one tab, or by spaces"
            raise _defect(row, options, "broken columns", message, remedy, line=row.line + index)
        word, kind = columns[token], columns[tag]
        if not word or not kind:
            message = f"the {'tag' if word else 'word'} is empty in {short(' '.join(columns))}"
            raise _defect(row, options, "broken columns", message, "mend the line", line=row.line + index)
        words.append(word)
        raw.append(kind)
    return words, raw


def _from_fields(row: Row, options: TokenClassification) -> tuple[list[str], list[str]]:
    lists = []
    for name in (options.token_field, options.tag_field):
        if name not in row.fields:
            message = f"no field {name!r}; there are: {', '.join(map(str, row.fields)) or 'none'}"
            remedy = f"set {BLOCK}.token_field and tag_field, or text_field and spans_field"
            raise _defect(row, options, "missing field", message, remedy)
        parts = _listed(row.fields[name])
        if parts is None or not all(isinstance(part, str) for part in parts):
            wrong = row.fields[name] if parts is None else next(part for part in parts if not isinstance(part, str))
            message = f"{name!r} holds {short(wrong)}, which is not text"
            remedy = (
                "write tags by name (class ids only have names in Parquet)" if isinstance(wrong, int) else "mend it"
            )
            raise _defect(row, options, "wrong type", message, remedy)
        lists.append(parts)
    words, raw = lists
    if len(words) != len(raw):
        message = f"{len(words)} in {options.token_field!r} but {len(raw)} in {options.tag_field!r}"
        raise _defect(row, options, "length mismatch", message, "give each word one tag")
    if not words:
        raise _defect(row, options, "no words", f"{options.token_field!r} is empty", "take the row out")
    return words, raw


def _defect(
    row: Row, options: TokenClassification, kind: str, message: str, remedy: str, *, line: int | None = None
) -> Defect:
    place = f"{row.file}:{row.line if line is None else line}"
    return Defect(kind, place, message, remedy, tags.count_starts(_raw_tags(row, options)))
