"""What is kept comes back as it was, whole or not at all."""

from pathlib import Path

import pytest

from flows.memo import keep, recall


def test_what_is_kept_comes_back_and_no_draft_stays(tmp_path: Path) -> None:
    path = tmp_path / "folder/@one.json"
    assert recall(path) is None
    keep(path, {"a": [1, "x"]})
    assert recall(path) == {"a": [1, "x"]}
    assert [found.name for found in path.parent.iterdir()] == ["@one.json"]


def test_a_broken_file_is_nothing_and_a_value_that_cannot_be_kept_leaves_the_last(tmp_path: Path) -> None:
    path = tmp_path / "@one.json"
    path.write_text("{")
    assert recall(path) is None
    keep(path, 1)
    with pytest.raises(TypeError):
        keep(path, {1, 2})
    assert recall(path) == 1
