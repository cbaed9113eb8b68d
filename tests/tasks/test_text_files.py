"""Texts to predict: each format from its beginning and from any place on, and refusals with file and line."""

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest

from tasks.errors import UserError
from tasks.text_files import Record, Source, amount, format_of, opened, read, size

FILES = {
    "text": "Ann left.\n\n  Bob stayed.  \nEnd",
    "jsonl": '{"id": 1, "text": "Ann"}\n\n{"id": 2, "text": "Bob \\u00e9"}\n',
    "csv": 'id,text\n1,"Ann\nleft, ok"\n2,Bob\n3,"é ""x"""\n',
    "tsv": 'id\ttext\n1\tAnn "\n2\tBob\n',
}


def records(file: Path | None, kind: str, *start: int, column: str = "", limit: int = 1000) -> list[Record]:
    source = Source(file, kind, column, limit)
    if file is None:
        return list(read(source, io.BytesIO(FILES[kind].encode()), *start))
    with file.open("rb") as stream:
        return list(read(source, stream, *start))


@pytest.fixture(params=[*FILES, "parquet"])
def written(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    import pyarrow as arrow
    from pyarrow import parquet

    file = tmp_path / f"in.{request.param}"
    if request.param == "parquet":
        rows = [{"id": number, "text": f"Ann {number}"} for number in range(600)]
        parquet.write_table(arrow.Table.from_pylist(rows), file)
    else:
        file.write_bytes(b"\xef\xbb\xbf" + FILES[request.param].encode())
    return file, request.param


def test_reading_goes_on_from_the_end_of_any_record(written: tuple[Path, str]) -> None:
    whole = records(*written)
    assert len(whole) >= 2 and whole[-1].position == size(Source(written[0], written[1], "", 1000))
    for index in (0, len(whole) - 2, len(whole) - 1):
        at = whole[index]
        assert records(*written, at.position, at.line) == whole[index + 1 :]


def test_what_is_read(tmp_path: Path) -> None:
    assert [one.text for one in records(None, "text")] == ["Ann left.", "  Bob stayed.  ", "End"]
    assert [one.fields for one in records(None, "jsonl")] == [{"id": 1, "text": "Ann"}, {"id": 2, "text": "Bob é"}]
    assert [(one.text, one.place) for one in records(None, "csv")] == [
        ("Ann\nleft, ok", "standard input:2"),
        ("Bob", "standard input:4"),
        ('é "x"', "standard input:5"),
    ]
    assert [one.text for one in records(None, "tsv")] == ['Ann "', "Bob"]
    words = tmp_path / "w.jsonl"
    words.write_text('{"tokens": ["Ann", "left"]}\n{"question": "Who?", "context": "Ann."}\n')
    first, second = records(words, "jsonl")
    assert first.text == ["Ann", "left"]
    assert isinstance(second.text, str) and json.loads(second.text) == {"question": "Who?", "context": "Ann."}


@pytest.mark.parametrize(
    ("kind", "content", "options", "message"),
    [
        ("text", b"ok\nno \xff\n", {}, r"in:2: not UTF-8 \(byte 4 of the line\)"),
        ("csv", b"id,text\n1,\xe9\n", {}, r"in:2: not UTF-8"),
        ("text", b"ok\n" + b"a" * 10_000_000, {"limit": 1_000_000}, r"in:2: more than 1,000,000 bytes .* --limit"),
        ("csv", b'id,text\n1,"' + b"a\n" * 1000 + b'"\n', {"limit": 100}, r"in:\d+: field larger than field limit"),
        ("csv", b"id,text\n1,a\n2\n", {}, r"in:3: 1 cells where the header has 2"),
        ("csv", b"", {}, r"in:1: \[\] is no header"),
        ("csv", b'id,text\n1,"open\n', {}, r"unexpected end of data"),
        ("jsonl", b'{"text": "a"}\n{"a": 1}\n', {}, r"in:2: no column 'text'; name one .*: a"),
        ("jsonl", b'{"text": "a"}\n', {"column": "body"}, r"in:1: no column 'body'; name one .*: text"),
        ("jsonl", b'{"text": 3}\n', {}, r"in:1: 'text' holds 3, which is neither"),
        ("jsonl", b'{"text": ["a", null]}\n', {}, r"in:1: 'text' holds \['a', None\]"),
        ("jsonl", b"[1]\n", {}, r"in:1: JSON, but no object"),
        ("jsonl", b"{\n", {}, r"in:1: not JSON"),
        ("jsonl", b"[" * 100_000 + b"\n", {"limit": 10**6}, r"in:1: not JSON"),
        ("jsonl", b'{"text": "a", "x": ' + b"[" * 400 + b"]" * 400 + b"}\n", {}, r"in:1: .* more than 100 deep"),
        ("jsonl", b'{"text": "\\ud83d"}\n', {}, r"in:1: half of a surrogate pair"),
        ("parquet", b"PAR0", {}, r"in: cannot be read as Parquet"),
    ],
)
def test_refusals_name_file_and_line(
    tmp_path: Path, kind: str, content: bytes, options: dict[str, Any], message: str
) -> None:
    file = tmp_path / "in"
    file.write_bytes(content)
    with pytest.raises(UserError, match=message):
        records(file, kind, **options)


def test_many_lists_are_not_deep(tmp_path: Path) -> None:
    file = tmp_path / "in"
    file.write_text(json.dumps({"text": "a", "x": [[[n]] for n in range(1000)], "y": [[{"z": []}]] * 50}) + "\n")
    assert [one.text for one in records(file, "jsonl", limit=10**6)] == ["a"]


def test_formats_by_ending() -> None:
    assert format_of(Path("a.CSV"), "") == "csv" and format_of(None, "") == "text"
    assert format_of(Path("a.log"), "text") == "text"
    assert format_of(Path("a.JSONL.GZ"), "") == "jsonl"
    with pytest.raises(UserError, match=r"a\.log: its ending says no format; name one with --format"):
        format_of(Path("a.log"), "")
    with pytest.raises(UserError, match=r"a\.gz: its ending says no format"):
        format_of(Path("a.gz"), "")


def test_a_compressed_file_shows_how_far_it_is_in_its_own_bytes(tmp_path: Path) -> None:
    file = tmp_path / "in.txt.gz"
    file.write_bytes(gzip.compress(("Ann left. " * 50 + "\n").encode() * 2000))
    source = Source(file, "text", "", 1000)
    with opened(source) as (stream, reached):
        places = [reached(record) for record in read(source, stream)]
    assert len(places) == 2000 and places == sorted(places)
    assert 0 < places[0] <= places[-1] == size(source) == file.stat().st_size


def test_more_is_in_a_compressed_file_than_it_is_long(tmp_path: Path) -> None:
    for name in ("a.txt", "b.csv.gz", "c.parquet"):
        (tmp_path / name).write_bytes(b"12345")
    assert amount([tmp_path / name for name in ("a.txt", "b.csv.gz", "c.parquet", "none.txt")]) == 35


def test_a_broken_compressed_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "in.txt.gz"
    whole = gzip.compress("".join(f"text {number}\n" for number in range(9000)).encode())
    for content in (whole[:-100], b"no gzip", whole[:500] + b"x" * 50 + whole[550:]):
        file.write_bytes(content)
        source = Source(file, "text", "", 1000)
        with pytest.raises(UserError, match=r"in\.txt\.gz:\d+: cannot be decompressed"), opened(source) as (stream, _):
            list(read(source, stream))
    parquet = Source(tmp_path / "in.txt.gz", "parquet", "", 1000)
    with pytest.raises(UserError, match="Parquet is compressed inside"), opened(parquet):
        pass


def test_a_dialogue_is_asked_with_its_candidates(tmp_path: Path) -> None:
    row = {"history": [{"role": "user", "text": "hi"}], "candidates": ["hello", "no"], "service": "x"}
    file = tmp_path / "in"
    file.write_text(json.dumps(row) + "\n")
    (record,) = records(file, "jsonl")
    assert json.loads(record.text) == {"history": row["history"], "candidates": row["candidates"]}
    del row["candidates"]  # as where a response is written
    file.write_text(json.dumps(row) + "\n")
    (record,) = records(file, "jsonl")
    assert json.loads(record.text) == {"history": row["history"]}
