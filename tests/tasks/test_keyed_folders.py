"""Folders by key: the same one from every worktree, one owner at a time, old ones go by rule."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tasks.keyed_folders import LOCK, PLACE, clean, holder, remove, shared_place, try_lock

DAY = 86_400


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    environment = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, env=environment)


@pytest.fixture
def main(tmp_path: Path) -> Path:
    folder = tmp_path / "main"
    (folder / "sub").mkdir(parents=True)
    git(folder, "init", "-q")
    (folder / "sub/file").write_text("a")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    git(folder, "worktree", "add", "-q", "--detach", str(tmp_path / "tree"))
    return folder


@pytest.fixture
def tree(main: Path, tmp_path: Path) -> Path:
    return tmp_path / "tree"


def test_a_worktree_uses_the_place_of_the_main_checkout(main: Path, tree: Path) -> None:
    (main / ".dvc").mkdir()
    (tree / ".dvc").mkdir()
    assert shared_place(main) == shared_place(tree) == main / ".dvc" / PLACE


def test_a_project_in_a_sub_folder(main: Path, tree: Path) -> None:
    (main / "sub/.dvc").mkdir()
    assert shared_place(main / "sub") == shared_place(tree / "sub") == main / "sub/.dvc" / PLACE


def test_a_main_checkout_without_dvc_is_not_used(main: Path, tree: Path) -> None:
    (tree / ".dvc").mkdir()
    assert shared_place(tree) == tree / ".dvc" / PLACE


def test_a_variable_of_a_hook_does_not_mislead(main: Path, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (main / ".dvc").mkdir()
    monkeypatch.setenv("GIT_DIR", "/nowhere/.git")
    assert shared_place(tree) == main / ".dvc" / PLACE


def test_without_a_repository_or_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert shared_place(tmp_path) == tmp_path / ".dvc" / PLACE
    monkeypatch.setenv("PATH", "")
    assert shared_place(tmp_path) == tmp_path / ".dvc" / PLACE


def test_one_owner_at_a_time(tmp_path: Path) -> None:
    first = try_lock(tmp_path / "a")
    assert first is not None
    assert try_lock(tmp_path / "a") is None
    assert holder(tmp_path / "a") == str(os.getpid())
    os.close(first)
    second = try_lock(tmp_path / "a")
    assert second is not None
    os.close(second)
    assert holder(tmp_path / "b") == "unknown"


def test_the_lock_of_a_removed_folder_is_worth_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    flock = fcntl.flock
    times = []

    def late(descriptor: int, operation: int) -> None:
        if not times:
            shutil.rmtree(tmp_path / "a")
        times.append(1)
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    descriptor = try_lock(tmp_path / "a")
    assert descriptor is not None and len(times) == 2
    assert os.path.samestat(os.fstat(descriptor), (tmp_path / "a" / LOCK).stat())
    os.close(descriptor)


def test_remove(tmp_path: Path) -> None:
    descriptor = try_lock(tmp_path / "a")
    assert descriptor is not None
    (tmp_path / "a/step").mkdir()
    (tmp_path / "a/step/file").write_text("a")
    (tmp_path / "a/file").write_text("a")
    remove(tmp_path / "a")
    os.close(descriptor)
    assert list(tmp_path.iterdir()) == []


def folder_of(place: Path, name: str, *, days: float, size: int = 10) -> Path:
    folder = place / name
    (folder / "step").mkdir(parents=True)
    (folder / "step/file").write_bytes(b"a" * size)
    (folder / LOCK).touch()
    written = time.time() - days * DAY
    for path in (folder / "step", folder / LOCK, folder):
        os.utime(path, (written, written))
    return folder


def left(place: Path) -> list[str]:
    return sorted(path.name for path in place.iterdir())


def test_old_ones_go(tmp_path: Path) -> None:
    for name, days in (("fresh", 6.9), ("old", 7.1), ("older", 100), ("spared", 100)):
        folder_of(tmp_path, name, days=days)
    assert clean(tmp_path, {"spared"}, days=7, limit=10**9) == ["older", "old"]
    assert left(tmp_path) == ["fresh", "spared"]


def test_a_new_file_makes_a_folder_young(tmp_path: Path) -> None:
    (folder_of(tmp_path, "a", days=9) / "step-2").mkdir()
    assert clean(tmp_path, set(), days=7, limit=10**9) == []


def test_the_oldest_go_until_the_rest_fits(tmp_path: Path) -> None:
    for name, days in (("a", 1), ("b", 3), ("c", 2), ("own", 4)):
        folder_of(tmp_path, name, days=days, size=100_000)
    assert clean(tmp_path, {"own"}, days=7, limit=250_000) == ["b", "c"]
    assert left(tmp_path) == ["a", "own"]


def test_the_living_and_what_is_not_ours_stay(tmp_path: Path) -> None:
    for name in ("alive", "dead", "foreign"):
        folder_of(tmp_path, name, days=50)
    (tmp_path / "foreign" / LOCK).unlink()
    (tmp_path / "file").write_text("a")
    start, end = os.pipe(), os.pipe()
    if not (pid := os.fork()):
        signal.alarm(60)
        try_lock(tmp_path / "alive")
        # the lock has touched the folder: it must be the lock, not its age, that saves it
        for path in (tmp_path / "alive" / LOCK, tmp_path / "alive"):
            os.utime(path, (0, 0))
        os.write(start[1], b"x")
        os.close(end[1])
        os.read(end[0], 1)
        os._exit(0)
    os.close(start[1])
    assert os.read(start[0], 1)
    assert clean(tmp_path, set(), days=7, limit=0) == ["dead"]
    assert left(tmp_path) == ["alive", "file", "foreign"]
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    for descriptor in (start[0], *end):
        os.close(descriptor)
    assert clean(tmp_path, set(), days=7, limit=0) == ["alive"]


def test_no_folder_at_all(tmp_path: Path) -> None:
    assert clean(tmp_path / "nothing", set(), days=7, limit=0) == []
