"""CSV, JSON and Parquet through the datasets library, streamed from local files without a network or a cache."""

import codecs
import csv
import itertools
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tasks.errors import UserError
from tasks.records import Row
from tasks.sources import Item, Unreadable, open_binary, undecodable

UNDECODABLE = "\ufdd0"  # Unicode noncharacters: they stand in no text, so they can mark what was wrong with a cell
GZIP = b"\x1f\x8b"  # how a packed file begins
SURPLUS = "\ufdd1"


def read_csv(path: Path, name: str) -> Iterator[Item]:
    """Yield a row per record of a comma-separated file with a header, as `_separated` says."""
    return _separated(path, name, {})


def read_tsv(path: Path, name: str) -> Iterator[Item]:
    """Yield a row per line of a tab-separated file with a header, as `_separated` says; quotes are characters."""
    return _separated(path, name, {"sep": "\t", "quoting": csv.QUOTE_NONE})


def _separated(path: Path, name: str, form: dict[str, Any]) -> Iterator[Item]:
    """Yield a row per record of a file of cells with a header; ``fields`` are strings by column name.

    The row's line is that of the record's first line. Blank lines are passed over. `Unreadable` are records with fewer
    or more cells than the header, and bytes that are not UTF-8.

    Raises:
        UserError: no header, or two columns of one name; a record of several lines without all cells, as an open quote
            makes it; or the file cannot be parsed.
    """
    with path.open("rb") as file:
        if file.read(len(GZIP)) == GZIP:
            raise UserError(f"{name}: packed by gzip, as which cells are not read; 'gunzip' unpacks it")
    csv.field_size_limit(1 << 30)  # or the reader ends at a long cell in silence; how long one may be is said later
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        header = next(
            csv.reader(file, delimiter=form.get("sep", ","), quoting=form.get("quoting", csv.QUOTE_MINIMAL)), []
        )
    if not any(header) or len(set(header)) < len(header):
        raise UserError(f"{name}:1: {header} is no header; the first line must name each column, no two alike")
    columns = [*header, SURPLUS]
    codecs.register_error("hone.mark", lambda error: (UNDECODABLE, getattr(error, "end")))  # noqa: B009
    warnings.filterwarnings("ignore", message="Length of header or names")  # the surplus cells, which we report
    from datasets import Features, Value

    settings = {
        "features": Features({column: Value("string") for column in columns}),
        "names": columns,
        "skiprows": 1,
        "index_col": False,  # or a surplus cell would shift all the others
        "na_filter": False,  # "NA" and "null" are words
        "skip_blank_lines": False,  # so that lines can be counted
        "engine": "python",  # the one that lets us keep a line that is too long
        "on_bad_lines": lambda cells: cells[: len(columns)],
        "encoding": "utf-8-sig",
        "encoding_errors": "hone.mark",
        **form,
    }
    line = 2
    for record in _stream(path, name, "CSV", settings):
        cells = [value for value in record.values() if value is not None]
        here, line = line, line + 1 + sum(cell.count("\n") for cell in cells)
        if not "".join(cells).strip() and len(cells) < max(2, len(header)):
            continue
        surplus = record.pop(SURPLUS)
        place, row = f"{name}:{here}", _row(record, name, here)
        if surplus is not None or len(cells) < len(header):
            found = f"more than {len(header)}" if surplus is not None else str(len(cells))
            message = f"{found} cells where the header has {len(header)} columns"
            if line > here + 1:  # it may have swallowed any number of records, so it is not one row to leave out
                raise UserError(f"{place}: {message}, up to line {line - 1}; is a quote left open? close it")
            remedy = "take the tab out" if "sep" in form else 'put cells that hold commas in "quotes"'
            yield Unreadable("broken columns", place, message, remedy, row)
        elif any(UNDECODABLE in cell for cell in cells):
            message, remedy = "bytes that are not UTF-8", "save the file as UTF-8 or mend the line"
            yield Unreadable("undecodable bytes", place, message, remedy, row)
        else:
            yield row
    with path.open("rb") as raw:  # pandas leaves out a record whose quote is never closed, and all after it
        if not all(text.isspace() for text in itertools.islice(raw, line - 1, None)):
            raise UserError(f"{name}:{line}: nothing can be read from here on; is a quote left open? close it")


def read_json(path: Path, name: str) -> Iterator[Item]:
    """Yield a row per object of a JSON array (or of JSON lines); its line is the object's number, from 1.

    The library holds a whole array in memory; JSON lines (``.jsonl``) are streamed and give exact lines.

    Raises:
        UserError: the file is not UTF-8, not JSON, or its objects do not fit together.
    """
    with open_binary(path) as file:
        for number, raw in enumerate(file, start=1):
            try:
                raw.decode()
            except UnicodeDecodeError as error:
                _, message, remedy = undecodable(error)
                raise UserError(f"{name}:{number}: {message}; {remedy}") from None
    yield from _rows(path, name, "JSON")


def read_parquet(path: Path, name: str) -> Iterator[Item]:
    """Yield a row per record of a Parquet file; its line is the record's number, from 1. Class ids become names.

    Raises:
        UserError: the file is not Parquet.
    """
    yield from _rows(path, name, "Parquet")


def _rows(path: Path, name: str, kind: str) -> Iterator[Item]:
    for number, record in enumerate(_stream(path, name, kind, {}), start=1):
        yield _row(record, name, number)


def _row(fields: dict[str, Any], name: str, number: int) -> Row:
    document = fields.get("document")
    return Row(name, number, document if isinstance(document, str) else None, fields)


def _stream(path: Path, name: str, kind: str, settings: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The records of one file as the library gives them; whatever it raises becomes one line."""
    import datasets
    import pyarrow  # type: ignore[import-untyped]

    datasets.logging.set_verbosity(datasets.logging.CRITICAL)  # it would log what is raised below
    datasets.disable_progress_bars()
    failures = (
        *(ValueError, TypeError, KeyError, AttributeError, StopIteration),  # the last for an empty file
        *(csv.Error, pyarrow.ArrowException),
    )
    load = getattr(datasets.IterableDataset, f"from_{kind.lower()}")
    with tempfile.TemporaryDirectory() as cache:
        try:
            stream = load(str(path), cache_dir=cache, **settings)
            names = {column: found for column, feature in (stream.features or {}).items() if (found := _names(feature))}
            for record in stream:
                for column, classes in names.items():
                    record[column] = _named(record[column], classes)
                yield record
        except failures as error:
            text = " ".join(str(error).split())[:200] or "it holds no record"
            raise UserError(f"{name}: cannot be read as {kind} ({text}); mend the file or write it anew") from None


def _names(feature: Any) -> list[str] | None:
    """Class names of a ClassLabel or a list of them."""
    found: list[str] | None = getattr(getattr(feature, "feature", feature), "names", None)
    return found


def _named(value: Any, classes: list[str]) -> Any:
    if isinstance(value, list):
        return [_named(part, classes) for part in value]
    return classes[value] if isinstance(value, int) and 0 <= value < len(classes) else value
