"""Readers of raw files: one file per family of formats, each yields rows one at a time.

A reader is a function of ``(path, name)``: ``path`` is opened, ``name`` stands in rows and messages. It yields a `Row`
for each record and an `Unreadable` for each that it cannot make out, so that the caller decides what a broken record
means. It raises UserError only where the rest of the file cannot be read at all.
"""

import gzip
import importlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, cast

from tasks.errors import Defect, UserError
from tasks.records import Row

# format: module of this folder and its function
READERS = {
    "aligned": ("aligned", "read"),
    "conll": ("conll", "read"),
    "jsonl": ("jsonl", "read"),
    "spans": ("jsonl", "read"),
    "csv": ("tables", "read_csv"),
    "json": ("tables", "read_json"),
    "parquet": ("tables", "read_parquet"),
    "tsv": ("tables", "read_tsv"),
    "part": ("parts", "read"),
    "lines": ("lines", "read"),
    "folder": ("folders", "read"),
    "semeval": ("semeval", "read"),
    "squad": ("squad", "read"),
    "sgd": ("sgd", "read"),
}
ENDINGS = {
    **dict.fromkeys((".conll", ".conllu", ".conll03", ".txt", ".tsv", ".bio", ".iob", ".iob2"), "conll"),
    **dict.fromkeys((".jsonl", ".ndjson", ".jsonlines"), "jsonl"),
    ".csv": "csv",
    ".json": "json",
    ".parquet": "parquet",
}


class Unreadable(Defect):
    """A record that a reader could not make out. ``remains`` is what could be read of it, to count the gold in it."""

    def __init__(self, kind: str, place: str, message: str, remedy: str, remains: Row | None = None) -> None:
        super().__init__(kind, place, message, remedy)
        self.remains = remains


Item = Row | Unreadable
Reader = Callable[[Path, str], Iterator[Item]]


def reader(kind: str) -> Reader:
    """The reader of a format of `READERS`."""
    module, function = READERS[kind]
    read: Reader = getattr(importlib.import_module(f"tasks.sources.{module}"), function)
    return read


def format_of(name: str, setting: str, own: Mapping[str, str] | None = None) -> str:
    """The format to read file ``name`` with, by its ending. ``setting`` is the params key that names another one.

    Args:
        own: formats by ending that a task means otherwise than most do.

    Raises:
        UserError: the ending says nothing.
    """
    file, key = split_key(name)
    if key:
        return "part"
    endings = {**ENDINGS, **(own or {})}
    ending = Path(file.removesuffix(".gz")).suffix.lower()
    if ending not in endings:
        raise UserError(
            f"{name}: the ending {ending!r} names no format; set {setting} to one of {', '.join(READERS)}, "
            f"or name the file with one of {' '.join(filter(None, endings))}"
        )
    return endings[ending]


def split_key(name: str) -> tuple[str, str]:
    """A file's name and the key of the part of it that is meant, as in ``data.json:train``; ``""`` for the whole."""
    file, colon, key = name.rpartition(":")
    return (file, key) if colon and file.removesuffix(".gz").endswith(".json") else (name, "")


def sides(name: str) -> tuple[str, str] | None:
    """The two files of aligned lines, as in ``train.en:train.de``; None for any other name."""
    first, colon, second = name.partition(":")
    return (first, second) if colon and second and not split_key(name)[1] else None


def open_binary(path: Path) -> IO[bytes]:
    """A file to read bytes from, unpacked where its name ends with .gz."""
    return cast(IO[bytes], gzip.open(path) if path.suffix == ".gz" else path.open("rb"))


def undecodable(error: UnicodeDecodeError) -> tuple[str, str, str]:
    """Kind, message and remedy for bytes that are not UTF-8."""
    value = error.object[error.start : error.start + 1].hex()
    hint = "UTF-16" if error.object[:2] in (b"\xff\xfe", b"\xfe\xff") else "another encoding"
    return (
        "undecodable bytes",
        f"byte 0x{value} at position {error.start + 1} is not UTF-8 (is the file in {hint}?)",
        "save the file as UTF-8 or mend the line",
    )
