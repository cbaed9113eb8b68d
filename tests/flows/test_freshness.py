"""The memo that answers "nothing changed" without DVC: never when DVC would say otherwise."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows import freshness
from flows.dag import stages
from flows.freshness import confirm, plainly_changed, remembered, snapshot


@pytest.fixture
def known(done_toy: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished toy project of which DVC said yes, with the second that files need to settle left out."""
    monkeypatch.chdir(done_toy.folder)
    monkeypatch.setattr(freshness, "SETTLED", 0.0)
    assert not remembered()  # a copy has other inodes
    assert confirm(lambda: True)
    assert remembered()
    folder: Path = done_toy.folder
    return folder


def append(path: str) -> None:
    with Path(path).open("a") as file:
        file.write("\n")


def same_size_same_time(path: str) -> None:
    before = Path(path).stat()
    Path(path).write_text("X" * before.st_size)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


EDITS: dict[str, Callable[[], object]] = {
    "a param": lambda: append("params.yaml"),
    "the pipeline": lambda: append("dvc.yaml"),
    "the lock": lambda: append("dvc.lock"),
    "a dep": lambda: append("data/raw/toy.txt"),
    "an out": lambda: append("data/model/weights"),
    "a metric": lambda: append("data/metrics.test.json"),
    "an edit that hides": lambda: same_size_same_time("data/raw/toy.txt"),
    "a touch": lambda: Path("data/raw/toy.txt").touch(),
    "a file more in a dep": lambda: Path("data/raw/more.txt").write_text(""),
    "a file more in an out": lambda: Path("data/model/more").write_text(""),
    "a file less in an out": lambda: Path("data/model/weights").unlink(),
    "an out gone": lambda: Path("data/history.csv").unlink(),
    "a .dvc file for a dep": lambda: Path("data/raw.dvc").write_text("outs: []"),
    "a rule about ignoring": lambda: append(".dvcignore"),
    "a setting of DVC": lambda: Path(".dvc/config.local").write_text("[core]\n"),
    "the same bytes in another file": lambda: (
        Path("t").write_bytes(Path("data/raw/toy.txt").read_bytes()) and Path("t").replace("data/raw/toy.txt")
    ),
    "a link to a folder": lambda: Path("data/raw/link").symlink_to("/"),
    "a broken memo": lambda: append(str(freshness.MEMO)) or freshness.MEMO.write_text("[]"),
    "a memo of another version": lambda: freshness.MEMO.write_text(
        freshness.MEMO.read_text().replace('"basis": ["2"', '"basis": ["0"')
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_every_change_is_a_doubt(known: Path, edit: str) -> None:
    EDITS[edit]()
    assert not remembered()


def test_what_no_stage_reads_is_no_doubt(known: Path) -> None:
    (known / "notes.txt").write_text("mine")
    assert remembered()


def test_a_no_is_not_remembered(known: Path) -> None:
    freshness.MEMO.unlink()
    assert not confirm(lambda: False)
    assert not freshness.MEMO.exists()


def test_a_change_while_dvc_looks_is_not_remembered(known: Path) -> None:
    freshness.MEMO.unlink()

    def ask() -> bool:
        append("data/raw/toy.txt")
        return True

    assert confirm(ask)
    assert not freshness.MEMO.exists()


def test_young_files_are_not_trusted(known: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    freshness.MEMO.unlink()
    monkeypatch.setattr(freshness, "SETTLED", 1000.0)
    assert confirm(lambda: True)
    assert not freshness.MEMO.exists()


def test_patience_waits_for_the_youngest(known: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(freshness, "SETTLED", 1000.0)
    monkeypatch.setattr(freshness.time, "sleep", slept.append)
    confirm(lambda: True, patient=True)
    assert len(slept) == 1
    assert 0 < slept[0] <= 1000


def test_a_lock_that_differs_from_the_pipeline_is_not_remembered(known: Path) -> None:
    freshness.MEMO.unlink()
    text = Path("dvc.yaml").read_text()
    Path("dvc.yaml").write_text(text.replace("deps: [data/raw]", "deps: [data/raw, toy.py]"))
    assert confirm(lambda: True)
    assert not freshness.MEMO.exists()


def test_the_memo_covers_all_that_the_lock_names(known: Path) -> None:
    files = json.loads(freshness.MEMO.read_text())["files"]
    assert {"dvc.yaml", "dvc.lock", "params.yaml", "data/raw/toy.txt", "data/model/weights"} <= set(files)
    assert files["data/raw.dvc"] is None


def test_snapshot_of_a_missing_path(tmp_path: Path) -> None:
    assert snapshot([str(tmp_path / "no")]) == {str(tmp_path / "no"): None}


PLAIN: dict[str, Callable[[], object]] = {
    "a param": lambda: Path("params.yaml").write_text(Path("params.yaml").read_text().replace("seed: 1", "seed: 2")),
    "a file": lambda: append("data/history.csv"),
    "a folder less": lambda: Path("data/raw").rename("elsewhere"),
    "an out gone": lambda: Path("data/history.csv").unlink(),
    "a metric gone": lambda: Path("data/metrics.test.json").unlink(),
    "no lock": lambda: Path("dvc.lock").unlink(),
    "a stage that never ran": lambda: append_stage(),
}


def append_stage() -> None:
    with Path("dvc.yaml").open("a") as file:
        file.write("  more:\n    cmd: true\n    deps: [toy.py]\n")


@pytest.mark.parametrize("edit", PLAIN)
def test_what_is_plain_to_see_needs_no_dvc(known: Path, edit: str) -> None:
    assert not plainly_changed(stages())
    PLAIN[edit]()
    assert plainly_changed(stages())


def test_what_leaves_all_as_it_was_is_no_plain_change(known: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("data/history.csv").touch()
    append("params.yaml")
    assert not plainly_changed(stages())
    monkeypatch.setattr(freshness, "SMALL", 0)  # DVC hashes what is large
    append("data/history.csv")
    assert not plainly_changed(stages())
