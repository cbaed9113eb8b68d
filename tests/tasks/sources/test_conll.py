"""CoNLL columns in all the forms that files have."""

from pathlib import Path

import pytest

from tasks.records import Row
from tasks.sources import Unreadable
from tasks.sources.conll import read


def rows(folder: Path, content: str | bytes) -> list[Row | Unreadable]:
    path = folder / "x.conll"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(read(path, "x.conll"))


def words(folder: Path, content: str | bytes) -> list[list[str]]:
    return [[columns[0] for columns in row.fields["columns"]] for row in rows(folder, content) if isinstance(row, Row)]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("separator", ["", "\t", "  ", " \t ", "\u00a0", "\n\n\n"])
def test_sentences_end_at_any_white_space_line(tmp_path: Path, end: str, mark: str, separator: str) -> None:
    content = mark + f"\nAngela\tB-PER\nMerkel\tI-PER\n{separator}\nNagoya\tB-LOC".replace("\n", end)
    found = rows(tmp_path, content)
    assert [row.fields["columns"] for row in found if isinstance(row, Row)] == [
        [["Angela", "B-PER"], ["Merkel", "I-PER"]],
        [["Nagoya", "B-LOC"]],
    ]
    assert [row.place for row in found] == ["x.conll:2", f"x.conll:{5 + separator.count(chr(10))}"]


def test_tabs_keep_spaces_in_words_and_runs_of_spaces_are_one(tmp_path: Path) -> None:
    assert rows(tmp_path, "New York\tB-LOC\nis  NN   O\n")[0].fields["columns"] == [  # type: ignore[union-attr]
        ["New York", "B-LOC"],
        ["is", "NN", "O"],
    ]


@pytest.mark.parametrize("word", ["\u00a0x", "a\u2028b", "\x85", "\u200b", "a\x0cb", "\x1c", "�"])
def test_odd_characters_stay_in_their_word(tmp_path: Path, word: str) -> None:
    assert words(tmp_path, f"{word}\tO\nb\tO\n") == [[word, "b"]]
    assert words(tmp_path, f"c O\n{word} O\nb O\n") == [["c", word, "b"]]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("# hard: ambiguous-name\n# text = Hi you\nHi\tO\n", [["Hi"]]),
        ("#\tO\nyolo\tO\n\n#yolo\tO\nnow\tO\n", [["#", "yolo"], ["#yolo", "now"]]),
        ("#\tO\n\nHi\tO\n", [["#"], ["Hi"]]),
        ("# O\nyolo O\n", [["#", "yolo"]]),
        ("# newdoc\nyolo O\n", [["yolo"]]),
        ("# lower-case\nyolo O\n", [["yolo"]]),
        ("# hard: O-ring\nyolo NN O\n", [["yolo"]]),
        ("# hard\n#\tO\nHi\tO\n", [["#", "Hi"]]),
        ("Hi\tO\n# not a comment here\n", [["Hi", "#"]]),
        ("Hi\tO\n\n#\tO\n", [["Hi"], ["#"]]),
        ("Hi\tO\n\n# the end of the file\n", [["Hi"]]),
        ("# a\n\n# b\n\n", []),
        ("#wow\tUH\tO\nHi\tUH\tO\n", [["#wow", "Hi"]]),
    ],
)
def test_a_comment_is_told_from_a_word_that_begins_with_its_sign(
    tmp_path: Path, content: str, expected: list[list[str]]
) -> None:
    assert words(tmp_path, content) == expected


def test_documents_have_names_or_their_line(tmp_path: Path) -> None:
    content = (
        "before\tO\n\n"
        "-DOCSTART-\t-X-\tO\n\na\tO\n\nb\tO\n\n# newdoc id = second one\n# text = c\nc\tO\n\n# newdoc\nd\tO\n\n"
        "# doc: news/4\n-x\tO\n\n# documentation is a comment\ne\tO\n\n#begin document (bc/cctv); part 000\nf\tO\n"
        "-DOCSTART- O\ng\tO\n"
    )
    found = {columns[0][0]: row.document for row in rows(tmp_path, content) for columns in [row.fields["columns"]]}  # type: ignore[union-attr]
    assert found == {
        "before": None,
        "a": "x.conll:3",
        "b": "x.conll:3",
        "c": "second one",
        "d": "x.conll:13",
        "-x": "news/4",
        "e": "news/4",
        "f": "(bc/cctv); part 000",
        "g": "x.conll:24",
    }


def test_bytes_that_are_not_utf8_cost_their_sentence_only(tmp_path: Path) -> None:
    first, broken, last = rows(tmp_path, b"a\tO\n\nb\tB-X\nM\xfcnchen\tB-LOC\nx\tO\n\nc\tO\n")
    assert isinstance(broken, Unreadable)
    assert str(broken).startswith("x.conll:4: byte 0xfc at position 2 is not UTF-8")
    assert broken.kind == "undecodable bytes"
    assert broken.remains is not None
    assert [columns[1] for columns in broken.remains.fields["columns"]] == ["B-X", "B-LOC", "O"]
    assert [row.place for row in (first, last)] == ["x.conll:1", "x.conll:7"]


def test_utf16_is_named(tmp_path: Path) -> None:
    found = rows(tmp_path, "a\tO\n".encode("utf-16"))
    assert isinstance(found[0], Unreadable)
    assert "is the file in UTF-16?" in str(found[0])


def test_rows_come_one_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "x.conll"
    path.write_text("a\tO\n\n" * 100_000)
    stream = read(path, "x.conll")
    assert next(stream).place == "x.conll:1"
    stream.close()  # type: ignore[attr-defined]


def test_an_empty_file_has_no_rows(tmp_path: Path) -> None:
    assert rows(tmp_path, "") == rows(tmp_path, "\ufeff\n\t\n") == []
