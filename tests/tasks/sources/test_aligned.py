"""Aligned lines: pairs, what moves one side against the other, and what is refused."""

import gzip
from collections import Counter
from pathlib import Path

import pytest

from tasks import rawfiles
from tasks.adapters.translation import adapter
from tasks.errors import UserError
from tasks.params_file import check
from tasks.records import Row
from tasks.sources import Unreadable, reader, sides
from tasks.yaml_files import read_yaml

ROOT = Path(__file__).parents[3]
NAME = "a.en:a.de"


def read(folder: Path, first: bytes, second: bytes) -> list[Row | Unreadable]:
    (folder / "a.en").write_bytes(first)
    (folder / "a.de").write_bytes(second)
    return list(reader("aligned")(folder / "a.en", NAME))


def test_lines_belong_together_by_number_and_blank_pairs_are_passed_over(tmp_path: Path) -> None:
    found = read(tmp_path, b"\xef\xbb\xbfone\r\n\ntwo\xe2\x80\xa8three\n", b"eins\n\nzwei drei")
    assert [item.fields for item in found if isinstance(item, Row)] == [
        {"source": "one", "target": "eins"},
        {"source": "two\u2028three", "target": "zwei drei"},
    ]
    assert [item.place for item in found] == ["a.en:a.de:1", "a.en:a.de:3"]


@pytest.mark.parametrize(("first", "second"), [(b"1\n2\n3\n", b"1\n2\n"), (b"1\n2\n", b"1\n2\n3\n")])
def test_files_of_unequal_length_are_refused_with_the_line(tmp_path: Path, first: bytes, second: bytes) -> None:
    short, long = ("a.de", "a.en") if len(first) > len(second) else ("a.en", "a.de")
    with pytest.raises(UserError, match=rf"^a\.en:a\.de:3: {short} ends at line 2 and {long} goes on"):
        read(tmp_path, first, second)


def test_bytes_that_are_no_text_and_returns_inside_a_line_are_one_row_each(tmp_path: Path) -> None:
    latin, inside, good = read(tmp_path, b"one\ntwo\rhalf\nthree\n", b"M\xfcller\nzwei\ndrei\n")
    assert isinstance(latin, Unreadable)
    assert "a.de: byte 0xfc" in latin.message
    assert isinstance(inside, Unreadable)
    assert inside.kind == "line break in a line"
    assert latin.remains is not None
    assert adapter.raw_items(latin.remains, None, {}) == 1
    assert isinstance(good, Row)


def test_packed_files_are_read(tmp_path: Path) -> None:
    for side, text in (("en", b"one\n"), ("de", b"eins\n")):
        with gzip.open(tmp_path / f"a.{side}.gz", "wb") as file:
            file.write(text)
    (row,) = reader("aligned")(tmp_path / "a.en.gz", "a.en.gz:a.de.gz")
    assert isinstance(row, Row)
    assert row.fields == {"source": "one", "target": "eins"}


def test_one_empty_side_is_a_defect_and_a_line_separator_is_repaired(tmp_path: Path) -> None:
    options = check(adapter.options, read_yaml(ROOT / "params.yaml")["translation"], Path("params.yaml"))
    empty, separated = read(tmp_path, b"one\ntwo\xe2\x80\xa8three\n", b" \nzwei drei\n")
    assert isinstance(empty, Row)
    assert isinstance(separated, Row)
    with pytest.raises(UserError, match=r"^a\.en:a\.de:1: 'target' holds ' '"):
        adapter.parse(empty, options, {}, Counter())
    repairs: Counter[str] = Counter()
    assert adapter.parse(separated, options, {}, repairs).inputs == {"text": "two three"}
    assert repairs == {"a line break inside a text was read as a space": 1}


def test_both_names_are_looked_for(tmp_path: Path) -> None:
    raw = tmp_path / "raw" / "pairs"
    raw.mkdir(parents=True)
    (raw / "a.en").write_text("one\n")
    splits = {"train": [NAME], "validation": [], "test": []}
    with pytest.raises(UserError, match=r"splits\.train: 'a\.en:a\.de': .*a\.de is not there"):
        rawfiles.find(raw, "pairs", splits)
    (raw / "a.de").write_text("eins\n")
    (file,) = rawfiles.find(raw, "pairs", splits)
    assert (file.path, file.name) == (raw / "a.en", NAME)
    assert adapter.source(NAME, None) == "aligned"
    assert sides("data.json:train") is None
    with pytest.raises(UserError, match="leaves the folder"):
        rawfiles.find(raw, "pairs", {**splits, "train": ["a.en:../../a.de"]})
