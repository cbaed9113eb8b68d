"""What a run tells of its epochs while it runs."""

import json
from pathlib import Path

import pytest

from tasks.history import Epoch, tell_epoch


def line(epoch: int, figure: float) -> Epoch:
    return Epoch(epoch, 4 * epoch, 0.001, 0.7, 0.6, figure)


def test_each_epoch_is_a_line_of_the_file_that_is_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = tmp_path / "told.epochs"
    monkeypatch.setenv("HONE_EPOCHS", str(told))
    tell_epoch(line(1, 0.25))
    tell_epoch(line(2, 0.5))
    assert [json.loads(text) for text in told.read_text().splitlines()] == [
        {"epoch": 1, "figure": 0.25},
        {"epoch": 2, "figure": 0.5},
    ]
    assert told.read_text().endswith("\n")  # a reader takes whole lines only


@pytest.mark.parametrize("value", [None, ""])
def test_without_the_variable_nothing_is_written(
    value: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HONE_EPOCHS", raising=False)
    if value is not None:
        monkeypatch.setenv("HONE_EPOCHS", value)
    tell_epoch(line(1, 0.25))
    assert list(tmp_path.iterdir()) == []
