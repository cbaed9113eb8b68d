"""Killed, cut, refused by the disk or told to stop, a run goes on from a state that was whole."""

import errno
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch

from tasks import checkpoints
from tasks.checkpoints import Checkpoints

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


def in_a_child(work: Callable[[], None]) -> int:
    """Fork a process that does ``work`` and ends with 0, with 1 after an exception, or after a minute at the latest."""
    pid = os.fork()
    if pid:
        return pid
    signal.alarm(60)
    try:
        work()
        os._exit(0)
    except SystemExit as error:
        os._exit(int(error.code or 0))
    finally:
        os._exit(1)


class PowerCut(BaseException):
    """The process ends here, between two calls to the system."""


def test_a_cut_before_any_call_to_the_system_loses_no_whole_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cuts = 0
    finished = False
    while not finished:
        place = tmp_path / str(cuts)
        run = Checkpoints(place, KEY)
        save(run, 1)
        save(run, 2)
        left = cuts

        def cut(function: Callable[..., Any]) -> Callable[..., Any]:
            def call(*arguments: Any, **options: Any) -> Any:
                nonlocal left
                left -= 1
                if left < 0:
                    raise PowerCut
                return function(*arguments, **options)

            return call

        with monkeypatch.context() as patched:
            for holder, name in (
                (os, "fsync"),
                (os, "unlink"),
                (os, "rmdir"),
                (Path, "mkdir"),
                (Path, "open"),
                (Path, "rename"),
            ):
                patched.setattr(holder, name, cut(getattr(holder, name)))
            try:
                finished = save(run, 3)
            except PowerCut:
                cuts += 1
        run.release()
        after = Checkpoints(place, KEY)
        step = consistent(after.load())
        assert step == 3 if finished else step in (2, 3)
        assert not [name for name in names(after) if name.endswith(".part")]
        assert save(after, 4) and consistent(after.load()) == 4
        after.release()
    assert cuts > 12


def test_ten_kills_at_random_moments(tmp_path: Path) -> None:
    begun = 0
    for attempt in range(10):
        ready, told = os.pipe()

        def loop(told: int = told) -> None:
            run = Checkpoints(tmp_path, KEY)
            found = run.load()
            step = consistent(found) if found else 0
            while True:
                step += 1
                save(run, step, size=100_000)
                os.write(told, step.to_bytes(4, "big"))

        pid = in_a_child(loop)
        os.close(told)
        step = int.from_bytes(os.read(ready, 4), "big")
        assert step == begun + 1, "a run goes on from the last checkpoint"
        time.sleep(random.random() / 20)  # the random moment of the kill, no wait for anything
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        while later := os.read(ready, 4):
            step = int.from_bytes(later, "big")
        os.close(ready)
        run = Checkpoints(tmp_path, KEY)
        begun = consistent(run.load())
        assert begun in (step, step + 1), attempt
        run.release()


def refuse(number: int) -> Callable[[int], None]:
    def call(_descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    return call


def test_a_full_disk_costs_one_line(
    run: Checkpoints, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save(run, 1)
    save(run, 2)
    usage = shutil.disk_usage(run.folder)
    monkeypatch.setattr(os, "fsync", refuse(errno.ENOSPC))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=300))
    assert not run.save(3, {"a": torch.zeros(1_000_000)}, {})
    assert capsys.readouterr().err == (
        "checkpoint skipped: step 3: No space left on device; free 4 MB or move the project to a larger disk; "
        "the run goes on\n"
    )
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=10**12))
    monkeypatch.setattr(os, "fsync", refuse(errno.EDQUOT))
    assert not run.save(4, {"a": torch.zeros(1_000_000)}, {})
    assert "free 4 MB" in capsys.readouterr().err
    assert names(run) == ["step-00000001", "step-00000002"]
    assert consistent(run.load()) == 2


def test_other_refusals_cost_one_line_too(
    run: Checkpoints, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save(run, 1)
    monkeypatch.setattr(os, "fsync", refuse(errno.EIO))
    assert not save(run, 2)
    assert capsys.readouterr().err.startswith("checkpoint skipped: step 2: Input/output error; look at ")
    assert names(run) == ["step-00000001"]


def test_a_refused_save_is_not_tried_again_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Checkpoints(tmp_path, KEY, every_steps=10)
    monkeypatch.setattr(os, "fsync", refuse(errno.ENOSPC))
    assert run.due(10) and not save(run, 10)
    assert not run.due(11) and run.due(20)
    run.release()


@pytest.mark.faults
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_disk_that_is_really_full(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"mounting is not allowed here: {mounted.stderr.strip()}")
    try:
        run = Checkpoints(disk, KEY)
        assert save(run, 1, size=50_000) and save(run, 2, size=50_000)
        for step in (3, 4):
            assert not save(run, step, size=300_000)
            line = capsys.readouterr().err
            assert line.startswith(f"checkpoint skipped: step {step}: No space left on device; free ")
            assert line.count("\n") == 1
        assert names(run) == ["step-00000001", "step-00000002"]
        assert consistent(run.load()) == 2
        assert save(run, 5, size=50_000) and consistent(run.load()) == 5
        run.release()
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_second_run_waits_and_says_for_whom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    held, end = os.pipe(), os.pipe()

    def first() -> None:
        run = Checkpoints(tmp_path, KEY)
        run.hold()
        os.write(held[1], b"x")
        os.read(end[0], 1)
        save(run, 6)

    pid = in_a_child(first)
    os.close(held[1])
    assert os.read(held[0], 1)
    looks = 0

    def look(_seconds: float) -> None:
        nonlocal looks
        looks += 1
        if looks == 3:
            os.write(end[1], b"x")
            os.waitpid(pid, 0)

    monkeypatch.setattr(checkpoints.time, "sleep", look)
    run = Checkpoints(tmp_path, KEY)
    assert consistent(run.load()) == 6
    assert looks == 3
    assert capsys.readouterr().err == f"another run (process {pid}) works on the same inputs; waiting until it ends\n"
    run.release()
    for descriptor in (held[0], *end):
        os.close(descriptor)


def test_sigterm_saves_and_leaves_with_143(run: Checkpoints, capfd: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        with run:
            for step in range(1, 1000):
                if step == 7:
                    os.kill(os.getpid(), signal.SIGTERM)
                if run.due(step):
                    save(run, step)
                    run.leave_if_told()

    _, status = os.waitpid(in_a_child(work), 0)
    assert os.waitstatus_to_exitcode(status) == 143
    assert consistent(run.load()) == 7
    assert capfd.readouterr().err.splitlines() == [
        "SIGTERM: saves after this step, then leaves; a second SIGTERM ends it at once",
        "ended by SIGTERM after step 7; the same command goes on from the last checkpoint",
    ]


def test_a_second_sigterm_ends_at_once(run: Checkpoints) -> None:
    def work() -> None:
        run.install()
        os.kill(os.getpid(), signal.SIGTERM)
        assert run.stopping
        os.kill(os.getpid(), signal.SIGTERM)
        os._exit(0)

    _, status = os.waitpid(in_a_child(work), 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGTERM
