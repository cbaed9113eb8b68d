"""Aligned lines: two files, the texts of one side in each, that belong together line by line."""

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from tasks.errors import UserError
from tasks.records import Row
from tasks.sources import Item, Unreadable, open_binary, sides, undecodable


def read(path: Path, name: str) -> Iterator[Item]:
    """Yield a row per pair of lines with ``fields = {"source": ..., "target": ...}``.

    ``name`` is that of both files with a colon between, ``path`` that of the first. Lines end with a line feed alone,
    so that no other character moves one side against the other. Pairs of two blank lines are passed over; a byte order
    mark and the carriage return before a line feed are dropped. `Unreadable` are bytes that are not UTF-8, and a
    carriage return inside a line.

    Raises:
        UserError: one file has fewer lines, so that nothing says which belong together.
    """
    pair = sides(name)
    if pair is None:
        raise UserError(f"{name}: aligned lines are two files; name them as in train.en:train.de")
    base = path.parents[len(Path(pair[0]).parts) - 1]
    with open_binary(path) as sources, open_binary(base / pair[1]) as targets:
        for number, both in enumerate(zip_longest(sources, targets), start=1):
            place = f"{name}:{number}"
            if None in both:
                short, long = pair if both[0] is None else pair[::-1]
                raise UserError(
                    f"{place}: {short} ends at line {number - 1} and {long} goes on, so nothing says which lines "
                    "belong together; mend the files"
                )
            texts, failure = [], None
            for file, raw in zip(pair, both, strict=True):
                line = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
                line = line.removesuffix(b"\n").removesuffix(b"\r")
                texts.append(line.decode(errors="replace"))
                if b"\r" in line:
                    failure = ("line break in a line", f"{file} has a carriage return inside the line", "take it out")
                try:
                    line.decode()
                except UnicodeDecodeError as error:
                    kind, message, remedy = undecodable(error)
                    failure = (kind, f"{file}: {message}", remedy)
            row = Row(name, number, None, dict(zip(("source", "target"), texts, strict=True)))
            if failure is not None:
                yield Unreadable(failure[0], place, *failure[1:], row)
            elif any(text.strip() for text in texts):
                yield row
