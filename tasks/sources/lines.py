"""A text a line, its label before it: ``label text``, or fastText's ``__label__one __label__two text``."""

from collections.abc import Iterator
from pathlib import Path

from tasks.records import Row
from tasks.sources import Item, Unreadable, open_binary, undecodable

MARK = "__label__"


def read(path: Path, name: str) -> Iterator[Item]:
    """Yield a row per line with ``fields = {"text": ..., "label": ...}``; with the mark, ``label`` is a list.

    The label ends at the first white space, which may be a tab. Blank lines are passed over, a byte order mark is
    dropped. `Unreadable` are bytes that are not UTF-8.
    """
    with open_binary(path) as file:
        for number, raw in enumerate(file, start=1):
            if number == 1:
                raw = raw.removeprefix(b"\xef\xbb\xbf")
            if raw.isspace():
                continue
            try:
                row = _row(raw.decode(), name, number)
            except UnicodeDecodeError as error:
                kind, message, remedy = undecodable(error)
                remains = _row(raw.decode(errors="replace"), name, number)
                yield Unreadable(kind, f"{name}:{number}", message, remedy, remains)
                continue
            yield row


def _row(line: str, name: str, number: int) -> Row:
    labels = []
    rest = line.strip()
    while rest.startswith(MARK):
        first, _, rest = (rest + " ").partition(" ")
        labels.append(first.removeprefix(MARK))
        rest = rest.strip()
    if labels:
        return Row(name, number, None, {"text": rest, "label": labels})
    label, _, text = rest.replace("\t", " ", 1).partition(" ")
    return Row(name, number, None, {"text": text.strip(), "label": label})
