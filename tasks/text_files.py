"""Files with texts to predict, a record at a time from any place on: text, JSON lines, CSV, TSV, Parquet.

All but Parquet, which is compressed inside, may be compressed by gzip; then places are those of what is inside.
"""

import csv
import gzip
import json
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from tasks.errors import UserError

FORMATS = {
    ".txt": "text", ".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "tsv", ".parquet": "parquet",
}  # fmt: skip
GZIP = ".gz"
COLUMNS = ("text", "tokens", "words", "sentence")  # looked for in this order where none is named
ROWS = 256  # of a Parquet file in memory at once
DEEPEST = 100  # of lists and objects in one another; what can just be read could not be written again


@dataclass(frozen=True, slots=True)
class Record:
    """One record: ``place`` is file:line (a Parquet file's number of the row, from 1), ``text`` what is to be read.

    ``position`` is where the record ends, bytes of the file or rows of a Parquet file, and ``line`` the last line that
    was read. Reading can go on there.
    """

    place: str
    fields: dict[str, Any]
    text: str | Sequence[str]
    position: int
    line: int


@dataclass(frozen=True)
class Source:
    """Where texts come from and how they are written.

    Attributes:
        file: None for standard input.
        format: a value of `FORMATS`.
        column: field with the text or its words; "" looks for one of `COLUMNS`, or for a question and its context.
        limit: bytes that a record may have at most.
    """

    file: Path | None
    format: str
    column: str
    limit: int

    @property
    def name(self) -> str:
        """As it stands in messages."""
        return "standard input" if self.file is None else str(self.file)


def format_of(file: Path | None, wanted: str) -> str:
    """The format that is named, or that of the ending; standard input is text.

    Raises:
        UserError: an ending that says nothing.
    """
    if wanted:
        return wanted
    if file is None:
        return "text"
    if ending(file) not in FORMATS:
        known = ", ".join(sorted(set(FORMATS.values())))
        raise UserError(f"{file}: its ending says no format; name one with --format: {known}")
    return FORMATS[ending(file)]


def ending(file: Path) -> str:
    """The ending that says the format, e.g. ``.csv`` of ``a.CSV.gz``."""
    return Path(file.stem if is_compressed(file) else file.name).suffix.lower()


def is_compressed(file: Path) -> bool:
    """Whether a file is compressed by gzip, as its name says."""
    return file.suffix.lower() == GZIP


def amount(files: Iterable[Path]) -> int:
    """Bytes of text in the files that are there, about: three times their own where they are compressed."""
    there = (file for file in files if file.is_file())
    return sum(file.stat().st_size * (3 if is_compressed(file) or ending(file) == ".parquet" else 1) for file in there)


@contextmanager
def opened(source: Source) -> Iterator[tuple[IO[bytes], Callable[[Record], int]]]:
    """The bytes to hand to `read`, and how far a record is on the way to what `size` gives.

    Raises:
        UserError: a Parquet file that is compressed once more.
    """
    if source.file is None:
        yield sys.stdin.buffer, lambda record: record.position
        return
    with source.file.open("rb") as raw:
        if not is_compressed(source.file):
            yield raw, lambda record: record.position
            return
        if source.format == "parquet":
            raise UserError(f"{source.file}: Parquet is compressed inside and cannot be read through gzip; unpack it")
        with gzip.open(raw, "rb") as inside:
            yield cast(IO[bytes], inside), lambda _record: raw.tell()


def size(source: Source) -> int | None:
    """What a record's place in the file goes up to (see `opened`); None for standard input."""
    if source.file is None:
        return None
    if source.format == "parquet":
        return int(_parquet(source).metadata.num_rows)
    return source.file.stat().st_size


def read(source: Source, stream: IO[bytes], position: int = 0, line: int = 0) -> Iterator[Record]:
    """Yield the records after ``position``, where ``line`` lines were read; blank lines are passed over.

    Args:
        stream: the open file, or standard input; of Parquet it is not used.

    Raises:
        UserError: not UTF-8, broken, without the column, or more than the limit; names file and line.
    """
    if source.format == "parquet":
        yield from _read_parquet(source, position)
        return
    lines = _Lines(source, stream)
    if source.format in ("csv", "tsv"):
        yield from _read_csv(source, lines, position, line)
        return
    lines.go_to(position, line)
    for text in lines:
        place = f"{source.name}:{lines.number}"
        if not text.strip():
            continue
        if source.format == "text":
            stripped = text.rstrip("\r\n")
            yield Record(place, {"text": stripped}, stripped, lines.position, lines.number)
            continue
        fields = _object(text, place)
        yield Record(place, fields, pick(source, fields, place), lines.position, lines.number)


def pick(source: Source, fields: dict[str, Any], place: str) -> str | list[str]:
    """The text of a record, or its words.

    Raises:
        UserError: the column is missing or holds neither.
    """
    column = source.column or next((name for name in COLUMNS if name in fields), "")
    if not source.column and isinstance(fields.get("question"), str) and isinstance(fields.get("context"), str):
        return json.dumps({"question": fields["question"], "context": fields["context"]}, ensure_ascii=False)
    if not column and isinstance(fields.get("history"), list):
        asked = {key: fields[key] for key in ("history", "candidates") if isinstance(fields.get(key), list)}
        return json.dumps(asked, ensure_ascii=False)
    if column not in fields:
        there = ", ".join(map(str, fields)) or "none"
        raise UserError(f"{place}: no column {column or COLUMNS[0]!r}; name one of these with --column: {there}")
    value = fields[column]
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(word, str) and word for word in value):
        return value
    shown = repr(value)[:60]
    raise UserError(f"{place}: {column!r} holds {shown}, which is neither a text nor a list of words")


class _Lines:
    """Lines of UTF-8 with their number, and the bytes read so far; never more than one line in memory."""

    def __init__(self, source: Source, stream: IO[bytes]) -> None:
        self.source, self.stream = source, stream
        self.position = self.number = 0

    def go_to(self, position: int, number: int) -> None:
        if position:
            self._packed(lambda: self.stream.seek(position))
            self.position, self.number = position, number

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        raw: bytes = self._packed(lambda: self.stream.readline(self.source.limit + 1))
        if not raw:
            raise StopIteration
        self.number += 1
        place = f"{self.source.name}:{self.number}"
        if len(raw) > self.source.limit:
            raise UserError(f"{place}: more than {self.source.limit:,} bytes in one record; cut it, or raise --limit")
        self.position += len(raw)
        try:
            return (raw.removeprefix(b"\xef\xbb\xbf") if self.number == 1 else raw).decode()
        except UnicodeDecodeError as error:
            raise UserError(f"{place}: not UTF-8 (byte {error.start + 1} of the line); save it as UTF-8") from None

    def _packed(self, take: Callable[[], Any]) -> Any:
        """What ``take`` reads of a file that may be compressed and broken."""
        try:
            return take()
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            place = f"{self.source.name}:{self.number + 1}"
            raise UserError(f"{place}: cannot be decompressed ({error}); write or copy the file anew") from None


def _object(text: str, place: str) -> dict[str, Any]:
    try:
        fields = json.loads(text)
        if "\\u" in text:
            json.dumps(fields, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise UserError(f"{place}: half of a surrogate pair, which is no character; write the whole one") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{place}: not JSON ({error}); write one object a line") from None
    if not isinstance(fields, dict):
        raise UserError(f'{place}: JSON, but no object; write {{"text": "..."}} a line')
    if text.count("[") + text.count("{") > DEEPEST and _is_deep(fields):
        raise UserError(f"{place}: lists or objects more than {DEEPEST} deep in one another; write it flatter")
    return fields


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST):
        inner = (one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list))
        level = [part for parts in inner for part in parts]
    return any(isinstance(one, dict | list) for one in level)


def _read_csv(source: Source, lines: _Lines, position: int, number: int) -> Iterator[Record]:
    csv.field_size_limit(source.limit)
    form: dict[str, Any] = {"delimiter": "\t", "quoting": csv.QUOTE_NONE} if source.format == "tsv" else {}
    try:
        header = next(csv.reader(lines, strict=True, **form), [])
        if not any(header) or len(set(header)) < len(header):
            raise UserError(f"{source.name}:1: {header} is no header; the first line must name each column")
        lines.go_to(position, number)
        first = lines.number + 1
        for cells in csv.reader(lines, strict=True, **form):
            place, first = f"{source.name}:{first}", lines.number + 1
            if not cells:
                continue
            if len(cells) != len(header):
                raise UserError(f"{place}: {len(cells)} cells where the header has {len(header)}; mend the line")
            fields = dict(zip(header, cells, strict=True))
            yield Record(place, fields, pick(source, fields, place), lines.position, lines.number)
    except csv.Error as error:
        hint = f"cut it, or raise --limit ({source.limit:,})" if "limit" in str(error) else "mend it"
        raise UserError(f"{source.name}:{lines.number}: {error}; {hint}") from None


def _read_parquet(source: Source, position: int) -> Iterator[Record]:
    row = 0
    for batch in _parquet(source).iter_batches(batch_size=ROWS):
        if row + batch.num_rows <= position:
            row += batch.num_rows
            continue
        for fields in batch.to_pylist():
            row += 1
            if row <= position:
                continue
            place = f"{source.name}:{row}"
            text = pick(source, fields, place)
            long = len((text if isinstance(text, str) else " ".join(text)).encode())
            if long > source.limit:
                raise UserError(f"{place}: {long:,} bytes, allowed are {source.limit:,}; cut it, or raise --limit")
            yield Record(place, fields, text, row, row)


def _parquet(source: Source) -> Any:
    import pyarrow  # type: ignore[import-untyped]
    import pyarrow.parquet  # type: ignore[import-untyped]

    if source.file is None:
        raise UserError("Parquet cannot be read from standard input; name a file")
    try:
        return pyarrow.parquet.ParquetFile(source.file)
    except (pyarrow.ArrowException, ValueError) as error:
        raise UserError(f"{source.file}: cannot be read as Parquet ({str(error)[:120]}); write it anew") from None
