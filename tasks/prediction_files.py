"""Files of predictions that grow chunk by chunk and go on after an interruption, whenever that came.

While it grows, ``OUT.part`` holds the records so far and ``OUT.part.json`` says how far that is: what was read, what of
it is in the part, and of which input and model it is. The marker is written after the part is on disk, so that a part
is never shorter than its marker says; what is beyond it is cut off on the next start. At the end the part becomes OUT.
Where OUT ends in .gz each chunk is compressed by itself; gzip files may hold several such members.
"""

import csv
import fcntl
import gzip
import io
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from tasks.errors import UserError
from tasks.records import read_json, write_json
from tasks.stage import say
from tasks.text_files import FORMATS, Record, Source, ending, is_compressed

PREDICTED = "predicted"  # the field or column that is added
Answers = Sequence[dict[str, Any]]


class PredictionFile:
    """An output file under way.

    Attributes:
        position, line, count: how far the input is read: its position, lines and records.
    """

    def __init__(self, file: Path, source: Source, identity: dict[str, Any]) -> None:
        """Begin, or go on where an earlier run of the same input and model stopped.

        Raises:
            UserError: the output is there already, or its format does not fit the input's.
        """
        self.file, self.source = file, source
        self.format = _format(file, source)
        self.part = file.with_name(file.name + ".part")
        self.marker = file.with_name(file.name + ".part.json")
        _refuse_known(file)
        self.stream: IO[bytes] = _alone(self.part)
        try:
            _refuse_known(file)  # who had the part has finished it
        except UserError:
            self.stream.close()
            raise
        self.identity = {**identity, **_of_input(source), "format": self.format}
        self.position = self.line = self.count = 0
        self.resumed = False
        written = 0
        if self.marker.is_file() and self.part.is_file():
            known = read_json(self.marker)
            if known.get("identity") == self.identity and self.part.stat().st_size >= known["written"]:
                self.position, self.line, self.count = known["position"], known["line"], known["count"]
                written, self.resumed = known["written"], True
        self.stream.truncate(written)

    def __enter__(self) -> "PredictionFile":
        return self

    def __exit__(self, *_error: object) -> None:
        self.stream.close()

    def write(self, records: Sequence[Record], answers: Answers) -> None:
        """Add a chunk, and note that it is there.

        Raises:
            UserError: the records have a field of the name of what is added.
        """
        _free(records[0])
        lines = "".join(self._lines(records, answers)).encode()
        self.stream.write(gzip.compress(lines, mtime=0) if is_compressed(self.file) else lines)
        self.stream.flush()
        os.fsync(self.stream.fileno())
        last = records[-1]
        self.position, self.line, self.count = last.position, last.line, self.count + len(records)
        if self.source.file is not None:
            state = {"position": self.position, "line": self.line, "count": self.count, "written": self.stream.tell()}
            write_json(self.marker, {**state, "identity": self.identity})

    def finish(self) -> None:
        """Make the part the output, whole or not at all."""
        self.stream.close()
        if self.format == "parquet":
            _as_parquet(self.source, self.part, self.file)
            self.part.unlink()
        else:
            self.part.replace(self.file)
        self.marker.unlink(missing_ok=True)

    def _lines(self, records: Sequence[Record], answers: Answers) -> list[str]:
        if self.format == "jsonl":
            return [json_line(record, answer) for record, answer in zip(records, answers, strict=True)]
        if self.format == "parquet":
            return [_dump(answer) + "\n" for answer in answers]
        text = io.StringIO()
        tabs = self.format == "tsv"
        as_read: dict[str, Any] = {"quoting": csv.QUOTE_NONE, "quotechar": None} if tabs else {}
        writer = csv.writer(text, delimiter="\t" if tabs else ",", lineterminator="\n", **as_read)
        if self.count == 0:
            writer.writerow([*records[0].fields, PREDICTED])
        for record, answer in zip(records, answers, strict=True):
            writer.writerow([*record.fields.values(), _dump(answer)])
        return [text.getvalue()]


def _refuse_known(file: Path) -> None:
    if file.exists():
        raise UserError(f"{file}: is there already; remove it or name another --output")


def _alone(part: Path) -> IO[bytes]:
    """The part, open at its end, in this process alone: another one that writes it is waited for."""
    stream = part.open("ab")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say(f"{part}: another process writes it; waiting until it ends")
        fcntl.flock(stream, fcntl.LOCK_EX)
    return stream


def output_name(source: Source) -> str:
    """Name of the output of a file where it is in another folder: the input's own, ``.jsonl`` in place of a text's."""
    if source.file is None:
        raise UserError("standard input has no name; write it with --output")
    if source.format != "text":
        return source.file.name
    packed = is_compressed(source.file)
    name = source.file.stem if packed else source.file.name
    return Path(name).stem + ".jsonl" + (source.file.suffix if packed else "")


def json_line(record: Record, answer: dict[str, Any]) -> str:
    """A record with its answer as a line of JSON.

    Raises:
        UserError: the record has a field of that name.
    """
    _free(record)
    return _dump({**record.fields, PREDICTED: answer}) + "\n"


def _free(record: Record) -> None:
    if PREDICTED in record.fields:
        raise UserError(f"{record.place}: has a field {PREDICTED!r} already; rename it")


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _format(file: Path, source: Source) -> str:
    wanted = FORMATS.get(ending(file), "jsonl")
    if wanted == "parquet" and is_compressed(file):
        raise UserError(f"{file}: Parquet is compressed inside; name an --output without .gz")
    if wanted not in ("jsonl", source.format):
        raise UserError(
            f"{file}: from {source.format} to {wanted} is not known; write .jsonl or the input's own format"
        )
    return "jsonl" if wanted == "text" else wanted


def _of_input(source: Source) -> dict[str, Any]:
    """What tells that an input is still the same."""
    if source.file is None:
        return {}
    status = source.file.stat()
    return {
        "column": source.column,
        "input": str(source.file),
        "input_format": source.format,
        "modified": status.st_mtime_ns,
        "size": status.st_size,
    }


def _as_parquet(source: Source, part: Path, file: Path) -> None:
    """The input's rows with a column of what was predicted (JSON), a group of rows in memory at a time."""
    import pyarrow as arrow  # type: ignore[import-untyped]
    from pyarrow import parquet

    inputs = parquet.ParquetFile(source.file)
    schema = inputs.schema_arrow.append(arrow.field(PREDICTED, arrow.string()))
    whole = file.with_name(file.name + ".whole")
    with part.open(encoding="utf-8") as lines, parquet.ParquetWriter(whole, schema) as writer:
        for batch in inputs.iter_batches(batch_size=4096):
            answers = arrow.array([next(lines).rstrip("\n") for _ in range(batch.num_rows)], arrow.string())
            writer.write_batch(arrow.record_batch([*batch.columns, answers], schema=schema))
    whole.replace(file)
