"""Readers of labelled texts: lines, folders, parts of a JSON object, tab-separated and packed files."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tasks.errors import UserError
from tasks.records import Row
from tasks.sources import Unreadable, format_of, reader, split_key


def rows(kind: str, path: Path, name: str | None = None) -> list[Any]:
    return list(reader(kind)(path, name or path.name))


def test_lines_have_their_label_first(tmp_path: Path) -> None:
    path = tmp_path / "train.txt"
    path.write_bytes(b"\xef\xbb\xbfask\twhere is it\r\n\nsay here it is\n__label__a __label__b two labels\nalone\n")
    found = rows("lines", path)
    assert [(row.line, row.fields["label"], row.fields["text"]) for row in found] == [
        (1, "ask", "where is it"),
        (3, "say", "here it is"),
        (4, ["a", "b"], "two labels"),
        (5, "alone", ""),
    ]


def test_latin_1_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "train.txt"
    path.write_bytes("say ok\nsay Gr\u00fc\u00dfe\n".encode("latin-1"))
    good, bad = rows("lines", path)
    assert isinstance(good, Row)
    assert isinstance(bad, Unreadable)
    assert bad.place == "train.txt:2"
    assert bad.remains is not None and bad.remains.fields["label"] == "say"


def test_a_folder_has_a_folder_per_label(tmp_path: Path) -> None:
    for name, text in (("neg/2.txt", b"bad"), ("neg/10.txt", b"worse"), ("pos/1.txt", b"good"), ("pos/.x", b"no")):
        (tmp_path / "train" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "train" / name).write_bytes(text)
    (tmp_path / "train/pos/3.txt").write_bytes(b"\xff")
    found = rows("folder", tmp_path / "train")
    assert [item.place for item in found] == [
        "train/neg/10.txt:1", "train/neg/2.txt:1", "train/pos/1.txt:1", "train/pos/3.txt:1"
    ]  # fmt: skip
    assert [row.fields["label"] for row in found[:3]] == ["neg", "neg", "pos"]
    assert isinstance(found[3], Unreadable)
    (tmp_path / "train/readme").write_text("x")
    with pytest.raises(UserError, match="train/readme: a file where folders by label are expected"):
        rows("folder", tmp_path / "train")


def test_a_part_of_an_object_is_read_by_its_key(tmp_path: Path) -> None:
    path = tmp_path / "all.json"
    path.write_text(json.dumps({"train": [["a", "x"], {"text": "b"}, 3], "test": {}}))
    found = rows("part", path, "all.json:train")
    assert [row.fields for row in found[:2]] == [{"0": "a", "1": "x"}, {"text": "b"}]
    assert isinstance(found[2], Unreadable)
    assert found[2].place == "all.json:train:3"
    for key in ("test", "dev"):
        with pytest.raises(UserError, match=f"no list under the key '{key}'; there are: train, test"):
            rows("part", path, f"all.json:{key}")


def test_a_packed_file_reads_as_the_plain_one(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n{"text": "b"}\n')
    with gzip.open(tmp_path / "a.jsonl.gz", "wb") as file:
        file.write((tmp_path / "a.jsonl").read_bytes())
    plain, packed = (rows("jsonl", tmp_path / name, "a") for name in ("a.jsonl", "a.jsonl.gz"))
    assert plain == packed


def test_quotes_are_characters_of_a_tab_separated_file(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text('text\tlabel\n"open quote\tx\nthree\tcells\there\nlast\ty\n')
    found = rows("tsv", path)
    assert found[0].fields == {"text": '"open quote', "label": "x"}
    assert isinstance(found[1], Unreadable)
    assert found[1].place == "a.tsv:3"
    assert found[2].fields == {"text": "last", "label": "y"}


def test_a_packed_array_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.json.gz"
    path.write_bytes(gzip.compress(b'[{"text": "one", "label": "x"}, {"text": "two", "label": "y"}]'))
    assert [row.fields["text"] for row in rows("json", path)] == ["one", "two"]
    (tmp_path / "b.csv").write_bytes(path.read_bytes())
    with pytest.raises(UserError, match=r"b\.csv: packed by gzip"):
        rows("csv", tmp_path / "b.csv")


def test_names_say_their_format() -> None:
    assert format_of("a.json.gz", "x") == "json"
    assert format_of("a.json:train", "x") == format_of("a.json.gz:train", "x") == "part"
    assert format_of("train", "x", {"": "folder"}) == "folder"
    assert split_key("a:b.csv") == ("a:b.csv", "")
    with pytest.raises(UserError, match="the ending '' names no format"):
        format_of("train", "x")
