"""CSV, JSON and Parquet through the datasets library, from local files alone."""

import gc
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.errors import UserError
from tasks.records import Row
from tasks.sources import Unreadable, reader

# pandas closes its file only at the end, which a reader that stops at a defect never reaches
pytestmark = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refuse(*_: Any) -> None:
        raise OSError("a reader used the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    yield
    gc.collect()


def rows(path: Path, content: bytes) -> list[Row | Unreadable]:
    path.write_bytes(content)
    return list(reader(path.suffix[1:])(path, path.name))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_csv_lines_count_breaks_in_cells_and_blank_lines(tmp_path: Path, end: str, mark: str) -> None:
    content = mark + 'tokens,tags\n"x, y","O O"\n"a b\nc","O O O"\n\nNA,O\nnull,O\n007,O\n,\n'.replace("\n", end)
    found = rows(tmp_path / "x.csv", content.encode())
    assert [(row.place, row.fields) for row in found if isinstance(row, Row)] == [
        ("x.csv:2", {"tokens": "x, y", "tags": "O O"}),
        ("x.csv:3", {"tokens": f"a b{end}c", "tags": "O O O"}),
        ("x.csv:6", {"tokens": "NA", "tags": "O"}),
        ("x.csv:7", {"tokens": "null", "tags": "O"}),
        ("x.csv:8", {"tokens": "007", "tags": "O"}),
        ("x.csv:9", {"tokens": "", "tags": ""}),
    ]


def test_csv_of_many_chunks_keeps_every_record_and_line(tmp_path: Path) -> None:
    content = "tokens,tags\n" + "".join(f'"{number}\n""x""",O\n' for number in range(21_000))
    found = rows(tmp_path / "x.csv", content.encode() + b"\n\n \n")
    assert [row.fields["tokens"] for row in found if isinstance(row, Row)] == [
        f'{number}\n"x"' for number in range(21_000)
    ]
    assert found[-1].place == f"x.csv:{2 * 21_000}"


def test_csv_broken_records_are_named_and_the_others_survive(tmp_path: Path) -> None:
    content = b"tokens,tags\na,O,x\nb,O\nc\nd,O,,,\nM\xfcnchen,B-LOC\ne,O\n"
    found = rows(tmp_path / "x.csv", content)
    broken = [row for row in found if isinstance(row, Unreadable)]
    assert [(row.place, row.kind) for row in broken] == [
        ("x.csv:2", "broken columns"),
        ("x.csv:4", "broken columns"),
        ("x.csv:5", "broken columns"),
        ("x.csv:6", "undecodable bytes"),
    ]
    assert str(broken[0]).startswith("x.csv:2: more than 2 cells where the header has 2 columns; put cells")
    assert str(broken[1]).startswith("x.csv:4: 1 cells where")
    assert broken[3].remains is not None
    assert broken[3].remains.fields["tags"] == "B-LOC"
    assert [row.fields["tokens"] for row in found if isinstance(row, Row)] == ["b", "e"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.csv", b"", "x.csv:1: [] is no header"),
        ("x.csv", b"a,a\n1,2\n", "x.csv:1: ['a', 'a'] is no header"),
        (
            "x.csv",
            b'tokens,tags\na,O\n"b,O\nc,O\nd,O\n',
            "x.csv:3: nothing can be read from here on; is a quote left open? close it",
        ),
        (
            "x.csv",
            b'tokens,tags\na,O\n"b,O\nc,O\nd",O,x\n',
            "x.csv:3: more than 2 cells where the header has 2 columns, up to line 5; is a quote left open?",
        ),
        ("x.json", b'[{"tokens": ["a"]}', "x.json: cannot be read as JSON ("),
        ("x.json", b"", "x.json: cannot be read as JSON (it holds no record)"),
        ("x.json", b'[{"a": "M\xfcnchen"}]', "x.json:1: byte 0xfc at position 10 is not UTF-8"),
        ("x.parquet", b"PAR1 no", "x.parquet: cannot be read as Parquet ("),
    ],
)
def test_a_file_that_is_broken_as_a_whole_is_one_clear_line(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    with pytest.raises(UserError) as caught:
        rows(tmp_path / name, content)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_json_array_and_json_lines(tmp_path: Path) -> None:
    objects = [
        {"text": "Angela Merkel", "spans": [{"start": 0, "end": 13, "label": "PER"}], "document": "d"},
        {"text": "", "spans": [], "document": None},
    ]
    array = rows(tmp_path / "x.json", json.dumps(objects, indent=1).encode())
    lines = rows(tmp_path / "x.json", "\n".join(map(json.dumps, objects)).encode())
    assert array == lines
    assert [(row.place, row.document, row.fields) for row in array if isinstance(row, Row)] == [
        ("x.json:1", "d", objects[0]),
        ("x.json:2", None, objects[1]),
    ]


def test_parquet_class_ids_become_names(tmp_path: Path) -> None:
    from datasets import ClassLabel, Dataset, Features, List, Value

    features = Features(
        {"tokens": List(Value("string")), "tags": List(ClassLabel(names=["O", "B-X"])), "n": Value("int8")}
    )
    data = {"tokens": [["a", "b"], ["c"]], "tags": [[0, 1], [-1]], "n": [1, 2]}
    Dataset.from_dict(data, features=features).to_parquet(str(tmp_path / "x.parquet"))
    found = list(reader("parquet")(tmp_path / "x.parquet", "x.parquet"))
    assert [(row.place, row.fields) for row in found if isinstance(row, Row)] == [
        ("x.parquet:1", {"tokens": ["a", "b"], "tags": ["O", "B-X"], "n": 1}),
        ("x.parquet:2", {"tokens": ["c"], "tags": [-1], "n": 2}),
    ]
