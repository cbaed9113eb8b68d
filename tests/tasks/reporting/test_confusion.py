"""The confusion as a square and as a list."""

from pathlib import Path

import pytest

from tasks.errors import UserError
from tasks.reporting.confusion import matrix, mixups, read_confusion

RUN = Path(__file__).parent / "fixtures/run"


def test_the_square_holds_every_pair() -> None:
    pairs = read_confusion(RUN / "confusion.csv")
    square = matrix(pairs)
    assert square is not None
    assert square.columns == ("LOC", "MISC", "ORG", "PER", "none")
    assert [label for label, _ in square.rows] == list(square.columns)
    assert sum(cell.count for _, cells in square.rows for cell in cells) == sum(pairs.values()) == 15
    location = dict(square.rows)["LOC"]
    assert [(cell.count, cell.kind) for cell in location] == [
        (3, "right"),
        (0, "empty"),
        (2, "wrong"),
        (1, "wrong"),
        (0, "empty"),
    ]
    assert sum(cell.share for cell in location) == pytest.approx(1)
    assert dict(square.rows)["none"][-1].kind == "nothing"


def test_mixups_leave_out_what_is_right_and_begin_with_the_most_frequent() -> None:
    found = mixups(read_confusion(RUN / "confusion.csv"))
    assert found[0] == ("LOC", "ORG", 2)
    assert all(gold != predicted for gold, predicted, _ in found)
    assert [count for *_, count in found] == sorted((count for *_, count in found), reverse=True)


def test_no_square_where_it_could_not_be_read() -> None:
    assert matrix({}) is None
    assert matrix({(f"T{n}", "none"): 1 for n in range(31)}) is None
    assert matrix({(f"T{n}", "none"): 1 for n in range(30)}) is not None


def test_a_broken_line_is_refused_with_its_number(tmp_path: Path) -> None:
    (tmp_path / "confusion.csv").write_text("gold,predicted\nPER,ORG\nPER,ORG,LOC\n")
    with pytest.raises(UserError, match=r"confusion\.csv:3: 3 columns, 2 expected"):
        read_confusion(tmp_path / "confusion.csv")
