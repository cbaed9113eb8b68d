"""Checkpoints: which one comes back, which stay, when the next is due."""

import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch

from tasks import checkpoints
from tasks.checkpoints import Checkpoints
from tasks.errors import UserError

KEY = "5" * 64


def tensors(step: int, size: int = 4) -> dict[str, torch.Tensor]:
    """All filled with the step, by numpy: threads of torch do not survive a fork."""
    return {
        "a": torch.from_numpy(numpy.full(size, step, dtype=numpy.float32)),
        "b": torch.from_numpy(numpy.full((size, 2), step, dtype=numpy.int64)),
    }


def consistent(found: Any) -> int:
    """The step of what load() gave, after a look that all of it is of that step."""
    step, loaded, state = found
    assert state == {"position": step}
    assert all((tensor.numpy() == step).all() for tensor in loaded.values())
    return int(step)


def save(run: Checkpoints, step: int, size: int = 4) -> bool:
    return run.save(step, tensors(step, size), {"position": step})


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Checkpoints]:
    made = Checkpoints(tmp_path, KEY)
    yield made
    made.release()


def names(run: Checkpoints) -> list[str]:
    return sorted(path.name for path in run.folder.iterdir() if path.name != "lock")


def test_the_newest_comes_back_and_two_stay(run: Checkpoints) -> None:
    assert run.load() is None
    for step in (0, 5, 10, 15):
        assert save(run, step)
    assert names(run) == ["step-00000010", "step-00000015"]
    assert consistent(run.load()) == 15


def test_steps_are_sorted_as_numbers(run: Checkpoints) -> None:
    save(run, 99_999_999)
    save(run, 100_000_000)
    assert consistent(run.load()) == 100_000_000


def test_a_step_saved_again_is_newer(run: Checkpoints) -> None:
    for position in (1, 2, 3):
        run.save(7, {}, {"position": position})
    assert names(run) == ["step-00000007-1", "step-00000007-2"]
    found = run.load()
    assert found is not None and found[2] == {"position": 3}
    save(run, 8)
    assert names(run) == ["step-00000007-2", "step-00000008"]


def test_later_steps_of_a_run_begun_anew_go(run: Checkpoints) -> None:
    save(run, 100)
    save(run, 3)
    assert names(run) == ["step-00000003"]


def test_keep(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="keep: 0"):
        Checkpoints(tmp_path, KEY, 0)
    run = Checkpoints(tmp_path, KEY, 1)
    save(run, 1)
    save(run, 2)
    assert names(run) == ["step-00000002"]
    run.release()


def test_success_leaves_nothing(run: Checkpoints, tmp_path: Path) -> None:
    save(run, 1)
    run.done()
    assert list(tmp_path.iterdir()) == []
    assert run.load() is None


@pytest.mark.parametrize("name", ["tensors.safetensors", "state.json", "checksums.json"])
@pytest.mark.parametrize("how", ["flip", "truncate", "remove"])
def test_a_damaged_one_is_named_and_the_one_before_taken(
    run: Checkpoints, capsys: pytest.CaptureFixture[str], name: str, how: str
) -> None:
    save(run, 1)
    save(run, 2)
    path = run.folder / "step-00000002" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    if how == "remove":
        path.unlink()
    else:
        path.write_bytes(content if how == "flip" else content[:-3])
    assert consistent(run.load()) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("checkpoint step-00000002 is damaged (")
    assert lines[0].endswith("and removed; step-00000001 is tried")
    assert names(run) == ["step-00000001"]
    assert save(run, 2) and consistent(run.load()) == 2


def test_all_are_damaged(run: Checkpoints, capsys: pytest.CaptureFixture[str]) -> None:
    for step in (1, 2):
        save(run, step)
        (run.folder / f"step-0000000{step}/state.json").write_text("{}")
    assert run.load() is None
    assert "the run starts anew" in capsys.readouterr().err.splitlines()[1]


def test_what_was_half_written_goes(run: Checkpoints, capsys: pytest.CaptureFixture[str]) -> None:
    save(run, 1)
    shutil.copytree(run.folder / "step-00000001", run.folder / "step-00000002.part")
    assert consistent(run.load()) == 1
    assert names(run) == ["step-00000001"]
    assert capsys.readouterr().err == ""


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file.*Not a directory"):
        Checkpoints(tmp_path / "file", KEY).load()


def test_other_keys_do_not_wait(tmp_path: Path) -> None:
    with Checkpoints(tmp_path, "a" * 64) as one, Checkpoints(tmp_path, "b" * 64) as other:
        save(one, 1)
        save(other, 2)
        assert consistent(one.load()) == 1


def test_a_start_cleans_by_the_rule(tmp_path: Path) -> None:
    for name, days in (("old", 8), ("young", 6)):
        other = Checkpoints(tmp_path, name)
        save(other, 1)
        other.release()
        written = time.time() - days * 86_400
        for path in (*other.folder.iterdir(), other.folder):
            os.utime(path, (written, written))
    with Checkpoints(tmp_path, KEY) as run:
        assert sorted(path.name for path in tmp_path.iterdir()) == [KEY, "young"]
        assert run.clean(["young"], older_than_days=0, limit_bytes=0) == []
        assert run.clean(limit_bytes=0) == ["young"]


def test_due(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: now)
    never = Checkpoints(tmp_path, KEY)
    steps = Checkpoints(tmp_path, KEY, every_steps=10)
    seconds = Checkpoints(tmp_path, KEY, every_seconds=60)
    both = Checkpoints(tmp_path, KEY, every_steps=10, every_seconds=60)
    assert [run.due(9) for run in (never, steps, seconds, both)] == [False, False, False, False]
    assert [run.due(10) for run in (never, steps, seconds, both)] == [False, True, False, True]
    now = 160.0
    assert [run.due(9) for run in (never, steps, seconds, both)] == [False, False, True, True]
    save(both, 9)
    assert not both.due(18) and both.due(19)
    now = 220.0
    assert both.due(10)
    both.load()
    assert not both.due(18) and both.due(19)
    both.release()


def test_the_former_answer_to_sigterm_comes_back(tmp_path: Path) -> None:
    def former(*_: object) -> None:
        """Any handler."""

    before = signal.signal(signal.SIGTERM, former)
    try:
        with Checkpoints(tmp_path, KEY) as run:
            run.install()
            assert signal.getsignal(signal.SIGTERM) == run._told
            run.leave_if_told()
        assert signal.getsignal(signal.SIGTERM) is former
    finally:
        signal.signal(signal.SIGTERM, before)
