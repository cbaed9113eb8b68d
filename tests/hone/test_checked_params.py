"""What is kept of a checked params.yaml: never of another text, nor by other code."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from hone import checked_params
from hone.checked_params import KEPT, CheckedParams, kept, read
from tasks.errors import UserError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path(".dvc").mkdir()
    Path("params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    return tmp_path


def test_what_was_read_is_kept(project: Path) -> None:
    assert kept() is None
    found = read()
    assert found.task == "token_classification" and found.headline == "entity_f1"
    assert kept() == found


def other_code() -> None:
    note = json.loads(KEPT.read_text())
    assert any(path.endswith("tasks/params.py") for path, *_ in note["code"])
    note["code"][0][1] += 1
    KEPT.write_text(json.dumps(note))


CHANGES: dict[str, Callable[[], object]] = {
    "another text": lambda: Path("params.yaml").write_text(Path("params.yaml").read_text() + "\n"),
    "no text": lambda: Path("params.yaml").unlink(),
    "other code": other_code,
    "a broken note": lambda: KEPT.write_text("{"),
    "another note": lambda: KEPT.write_text("[]"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_is_checked_again(project: Path, change: str) -> None:
    read()
    CHANGES[change]()
    assert kept() is None


def test_another_adapter_is_checked_again(project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    read()
    monkeypatch.setattr(checked_params, "CODE", tmp_path)
    assert kept() is None


def test_what_is_not_in_order_is_not_kept(project: Path) -> None:
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text(text.replace("resamples: ", "resamples: -"))
    with pytest.raises(UserError, match=r"diff\.resamples"):
        read()
    assert not KEPT.exists()


def test_nothing_is_written_outside_a_project(project: Path) -> None:
    Path(".dvc").rmdir()
    assert isinstance(read(), CheckedParams) and kept() is None
