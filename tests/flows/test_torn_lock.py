import fcntl
from pathlib import Path

import pytest
from dvc.schema import COMPILED_LOCKFILE_SCHEMA
from ruamel.yaml import YAML

from flows import torn_lock

WHOLE = """\
schema: '2.0'
stages:
  one:
    cmd: echo one
    deps:
    - path: raw
      hash: md5
      md5: 5d41402abc4b2a76b9719d911017c592
      size: 5
    params:
      params.yaml:
        seed: 1
    outs:
    - path: data/one
      hash: md5
      md5: 5d41402abc4b2a76b9719d911017c592
      size: 5
  two:
    cmd: echo two
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_wherever_a_lock_is_torn_dvc_can_read_what_is_there_then() -> None:
    torn = 0
    for end in range(1, len(WHOLE)):
        torn_lock.LOCK.write_text(WHOLE)
        torn_lock.keep()
        torn_lock.LOCK.write_text(WHOLE[:end])
        if torn_lock.mend():
            torn += 1
            assert torn_lock.LOCK.read_text() == WHOLE
        COMPILED_LOCKFILE_SCHEMA(YAML(typ="safe", pure=True).load(torn_lock.LOCK))
    assert torn > 100


def test_a_torn_lock_is_not_kept() -> None:
    torn_lock.LOCK.write_text(WHOLE)
    torn_lock.keep()
    torn_lock.LOCK.write_text("stages:\n  one:\n")
    torn_lock.keep()
    assert torn_lock.KEPT.read_text() == WHOLE


@pytest.mark.parametrize("text", [WHOLE, "schema: '2.0'\n", "schema: '2.0'\nstages: {}\n"])
def test_a_whole_lock_stays(text: str) -> None:
    torn_lock.LOCK.write_text(text)
    assert not torn_lock.mend()
    assert torn_lock.LOCK.read_text() == text


def test_without_a_copy_the_torn_lock_goes() -> None:
    torn_lock.LOCK.write_text("schema: '2.0'\nstages:\n  one:\n    outs:\n    - has")
    assert torn_lock.mend()
    assert not torn_lock.LOCK.exists()
    assert not torn_lock.mend()


def test_a_lock_that_dvc_may_be_writing_is_left_to_it() -> None:
    torn_lock.LOCK.write_text("stages:\n  one:\n")
    torn_lock.GUARD.parent.mkdir(parents=True)
    with torn_lock.GUARD.open("a+") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        assert not torn_lock.mend()
    assert torn_lock.mend()
