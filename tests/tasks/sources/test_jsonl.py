"""JSON lines: rows, and every way a line can be broken."""

from pathlib import Path

import pytest

from tasks.records import Row
from tasks.sources import Unreadable
from tasks.sources.jsonl import read


def rows(folder: Path, content: bytes) -> list[Row | Unreadable]:
    path = folder / "x.jsonl"
    path.write_bytes(content)
    return list(read(path, "x.jsonl"))


def test_objects_with_their_line_and_document(tmp_path: Path) -> None:
    content = b'\xef\xbb\xbf{"tokens": ["a\xe2\x80\xa8b"], "document": "d"}\r\n\r\n \t\n{"document": 7, "x": "\\u00e9"}'
    assert rows(tmp_path, content) == [
        Row("x.jsonl", 1, "d", {"tokens": ["a\u2028b"], "document": "d"}),
        Row("x.jsonl", 4, None, {"document": 7, "x": "é"}),
    ]


@pytest.mark.parametrize(
    ("line", "kind", "message"),
    [
        (b'{"tokens": ["a"', "not JSON", "x.jsonl:2: not JSON (Expecting"),
        (b"[" * 100_000, "not JSON", "x.jsonl:2: not JSON ("),
        (b'["a"]', "not an object", "x.jsonl:2: a JSON list instead of an object; write"),
        (b"null", "not an object", "x.jsonl:2: a JSON null instead"),
        (b"true", "not an object", "x.jsonl:2: a JSON truth value instead"),
        (b'{"tokens": ["\\ud83d"]}', "undecodable bytes", "x.jsonl:2: half of a surrogate pair"),
        (b'{"tokens": ["M\xfcnchen"]}', "undecodable bytes", "x.jsonl:2: byte 0xfc at position 15 is not UTF-8"),
        (b'{"tokens": ["\xff"', "undecodable bytes", "x.jsonl:2: byte 0xff"),
    ],
)
def test_a_broken_line_is_named_and_the_others_survive(tmp_path: Path, line: bytes, kind: str, message: str) -> None:
    first, broken, last = rows(tmp_path, b'{"a": 1}\n' + line + b'\n{"a": 3}\n')
    assert isinstance(broken, Unreadable)
    assert broken.kind == kind
    assert str(broken).startswith(message)
    assert [row.place for row in (first, last)] == ["x.jsonl:1", "x.jsonl:3"]


def test_what_can_be_read_of_an_undecodable_line_is_kept_to_count_its_gold(tmp_path: Path) -> None:
    (broken,) = rows(tmp_path, b'{"tokens": ["\xff"], "tags": ["B-X"]}')
    assert isinstance(broken, Unreadable)
    assert broken.remains is not None
    assert broken.remains.fields["tags"] == ["B-X"]
