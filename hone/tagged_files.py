"""Tagged sentences in the files that people have: CoNLL columns, JSON lines, hone's own examples and predictions."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from tasks import sources, tags
from tasks.errors import UserError
from tasks.records import Row
from tasks.sources import conll, jsonl

Side = Literal["gold", "predicted"]


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of a file.

    Attributes:
        place: ``file:line`` of its first word.
        document: name of its document, or None.
        words: its words, or None where the file has none (hone's predictions).
        tags: one per word.
    """

    place: str
    document: str | None
    words: list[str] | None
    tags: list[str]


def read(path: Path, side: Side, column: int) -> list[Sentence]:
    """The sentences of a file: JSON lines if its name ends in .jsonl or .json, else columns.

    A line of JSON holds ``tokens`` and ``tags``, or is an example (``inputs.words``, ``target``) or a prediction
    (``gold``, ``predicted``) as hone writes them.

    Args:
        side: which answer to take from a prediction.
        column: of the tag in columns, from 0, or from the last one with -1; the word stands in the first.

    Raises:
        UserError: the file is missing, empty or broken, with file and line.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    take: Callable[[Row], Sentence] = _from_columns(column)
    reader: Any = conll.read
    if path.suffix in (".jsonl", ".json"):
        take, reader = _from_json(side), jsonl.read
    found = []
    for row in reader(path, str(path)):
        if isinstance(row, sources.Unreadable):
            raise UserError(str(row))
        sentence = take(row)
        if sentence.words is not None and len(sentence.words) != len(sentence.tags):
            raise UserError(
                f"{row.place}: {len(sentence.words)} tokens, but {len(sentence.tags)} tags; give each token one tag"
            )
        found.append(sentence)
    if not found:
        raise UserError(f"{path}: no sentence in it; a word a line with its tag last, or JSON lines (.jsonl)")
    return found


def in_iob2(sentences: Sequence[Sentence], scheme: str) -> tuple[list[Sentence], Counter[str]]:
    """The sentences with IOB2 tags, and what was mended; those of IOB2 are left as they are, however ill-formed.

    Raises:
        UserError: a tag that the scheme does not have.
    """
    repairs: Counter[str] = Counter()
    if scheme == "IOB2":
        return list(sentences), repairs
    converter, converted = tags.Converter(scheme), []
    for sentence in sentences:
        try:
            converted.append(replace(sentence, tags=converter.to_iob2(sentence.tags, repairs)))
        except tags.UnknownTagError as error:
            raise UserError(
                f"{sentence.place}: tag {sentence.tags[error.index]!r} of word {error.index + 1} is none of {scheme}, "
                "which gold is written in; name another with --scheme, or write both files in one scheme"
            ) from None
    return converted, repairs


def scheme_of(sentences: Sequence[Sentence]) -> str:
    """The tag scheme whose rules the sentences break least."""
    transitions = tags.Transitions()
    for sentence in sentences:
        transitions.add(sentence.tags)
    return transitions.scheme()


def check_same(gold: Sequence[Sentence], predicted: Sequence[Sentence]) -> None:
    """Raise UserError at the first place where two files do not hold the same words."""
    for one, other in zip(gold, predicted, strict=False):
        if len(one.tags) != len(other.tags):
            raise UserError(
                f"{other.place}: {len(other.tags)} words, but {one.place} has {len(one.tags)}; both files must "
                "hold the same sentences in the same order (does one cut long sentences?)"
            )
        if one.words is not None and other.words is not None and one.words != other.words:
            number = next(n for n, pair in enumerate(zip(one.words, other.words, strict=True)) if pair[0] != pair[1])
            raise UserError(
                f"{other.place}: word {number + 1} is {other.words[number]!r}, but {one.words[number]!r} in "
                f"{one.place}; both files must hold the same sentences in the same order"
            )
    if len(gold) != len(predicted):
        longer = max(gold, predicted, key=len)
        raise UserError(
            f"{longer[min(len(gold), len(predicted))].place}: the other file ends before this sentence "
            f"({len(gold)} sentences of gold, {len(predicted)} predicted); give both whole"
        )


def _from_columns(column: int) -> Callable[[Row], Sentence]:
    def take(row: Row) -> Sentence:
        columns = row.fields["columns"]
        for number, line in enumerate(columns):
            if not -len(line) <= column < len(line) or len(line) < 2:
                raise UserError(
                    f"{row.file}:{row.line + number}: {len(line)} columns, no column {column} with a tag; "
                    "name it with --gold-column or --pred-column (from 0, -1 is the last)"
                )
        return Sentence(row.place, row.document, [line[0] for line in columns], [line[column] for line in columns])

    return take


def _from_json(side: Side) -> Callable[[Row], Sentence]:
    def take(row: Row) -> Sentence:
        fields = row.fields
        if {"tokens", "tags"} <= fields.keys():
            words, found = fields["tokens"], fields["tags"]
        elif {"gold", "predicted"} <= fields.keys():
            words, found = None, fields[side]
        elif {"inputs", "target"} <= fields.keys() and isinstance(fields["inputs"], dict):
            words, found = fields["inputs"].get("words"), fields["target"]
        else:
            names = ", ".join(sorted(fields)) or "nothing"
            raise UserError(f'{row.place}: it holds {names}; write {{"tokens": [...], "tags": [...]}} a line')
        for name, values in (("tokens", words), ("tags", found)):
            strings = isinstance(values, list) and all(isinstance(value, str) for value in values)
            if not strings and not (name == "tokens" and values is None):
                raise UserError(f"{row.place}: the {name} are no list of strings; write names, not numbers of classes")
        return Sentence(row.place, row.document, words, found)

    return take
