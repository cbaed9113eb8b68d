"""CSV, JSON and Parquet through the datasets library, streamed from local files without a network or a cache."""

import codecs
import csv
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tasks.errors import UserError
from tasks.records import Row
from tasks.sources import Item, Unreadable, undecodable

UNDECODABLE = "\ufdd0"  # Unicode noncharacters: they stand in no text, so they can mark what was wrong with a cell
SURPLUS = "\ufdd1"


def read_csv(path: Path, name: str) -> Iterator[Item]:
    """Yield a row per record of a comma-separated file with a header; ``fields`` are strings by column name.

    The row's line is that of the record's first line. Blank lines are passed over. `Unreadable` are records with fewer
    or more cells than the header, and bytes that are not UTF-8.

    Raises:
        UserError: no header, or two columns of one name; or the file cannot be parsed to its end (an open quote).
    """
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        header = next(csv.reader(file), [])
    if not any(header) or len(set(header)) < len(header):
        raise UserError(f"{name}:1: {header} is no header; the first line must name each column, no two alike")
    columns = [*header, SURPLUS]
    codecs.register_error("hone.mark", lambda error: (UNDECODABLE, getattr(error, "end")))  # noqa: B009

    def load(dataset: Any, features: Any, value: Any, cache: str) -> Any:
        return dataset.from_csv(
            str(path),
            cache_dir=cache,
            features=features({column: value("string") for column in columns}),
            names=columns,
            skiprows=1,
            index_col=False,  # or a surplus cell would shift all the others
            na_filter=False,  # "NA" and "null" are words
            skip_blank_lines=False,  # so that lines can be counted
            engine="python",  # the one that lets us keep a line that is too long
            on_bad_lines=lambda cells: cells[: len(columns)],
            encoding="utf-8-sig",
            encoding_errors="hone.mark",
        )

    line = 2
    for record in _stream(load, name, "CSV"):
        cells = [value for value in record.values() if value is not None]
        here, line = line, line + 1 + sum(cell.count("\n") for cell in cells)
        if not any(cells) and len(cells) < max(2, len(header)):
            continue
        surplus = record.pop(SURPLUS)
        place, row = f"{name}:{here}", _row(record, name, here)
        if surplus is not None or len(cells) < len(header):
            found = f"more than {len(header)}" if surplus is not None else str(len(cells))
            message = f"{found} cells where the header has {len(header)} columns"
            yield Unreadable("broken columns", place, message, 'put cells that hold commas in "quotes"', row)
        elif any(UNDECODABLE in cell for cell in cells):
            message, remedy = "bytes that are not UTF-8", "save the file as UTF-8 or mend the line"
            yield Unreadable("undecodable bytes", place, message, remedy, row)
        else:
            yield row


def read_json(path: Path, name: str) -> Iterator[Item]:
    """Yield a row per object of a JSON array (or of JSON lines); its line is the object's number, from 1.

    The library holds a whole array in memory; JSON lines (``.jsonl``) are streamed and give exact lines.

    Raises:
        UserError: the file is not UTF-8, not JSON, or its objects do not fit together.
    """
    with path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            try:
                raw.decode()
            except UnicodeDecodeError as error:
                _, message, remedy = undecodable(error)
                raise UserError(f"{name}:{number}: {message}; {remedy}") from None

    def load(dataset: Any, _features: Any, _value: Any, cache: str) -> Any:
        return dataset.from_parquet(str(path), cache_dir=cache)

    yield from _rows(load, name, "Parquet")


Load = Callable[[Any, Any, Any, str], Any]


def _rows(load: Load, name: str, kind: str) -> Iterator[Item]:
    for number, record in enumerate(_stream(load, name, kind), start=1):
        yield _row(record, name, number)


def _row(fields: dict[str, Any], name: str, number: int) -> Row:
    document = fields.get("document")
    return Row(name, number, document if isinstance(document, str) else None, fields)


def _stream(load: Load, name: str, kind: str) -> Iterator[dict[str, Any]]:
    """The records of one file as the library gives them; whatever it raises becomes one line."""
    import datasets
    import pyarrow  # type: ignore[import-untyped]

    datasets.logging.set_verbosity(datasets.logging.CRITICAL)  # it would log what is raised below
    datasets.disable_progress_bars()
    failures = (ValueError, TypeError, KeyError, AttributeError, csv.Error, pyarrow.ArrowException)
    with tempfile.TemporaryDirectory() as cache, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Length of header or names")  # the surplus cells; we report them
        try:
            stream = load(datasets.IterableDataset, datasets.Features, datasets.Value, cache)
            names = {column: found for column, kind in (stream.features or {}).items() if (found := _names(kind))}
            for record in stream:
                for column, classes in names.items():
                    record[column] = _named(record[column], classes)
                yield record
        except failures as error:
            text = " ".join(str(error).split())[:200] or type(error).__name__
            raise UserError(f"{name}: cannot be read as {kind} ({text}); mend the file or write it anew") from None


def _names(feature: Any) -> list[str] | None:
    """Class names of a ClassLabel or a list of them."""
    found: list[str] | None = getattr(getattr(feature, "feature", feature), "names", None)
    return found


def _named(value: Any, classes: list[str]) -> Any:
    if isinstance(value, list):
        return [_named(part, classes) for part in value]
    return classes[value] if isinstance(value, int) and 0 <= value < len(classes) else value
