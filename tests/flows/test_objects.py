"""Contents by md5 from cache and remote, on a project with both."""

import json
import shutil

import pytest

from flows.objects import objects
from hone.sides import PREDICTIONS
from tasks.yaml_files import read_yaml


@pytest.fixture
def locked(branches, monkeypatch):
    """md5 by path of the outs of main; the project is the current folder."""
    monkeypatch.chdir(branches.folder)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(branches.folder.parent / "site"))
    stages = read_yaml(branches.folder / "dvc.lock")["stages"].values()
    return {out["path"]: out["md5"] for stage in stages for out in stage["outs"]}


def test_a_lost_cache_is_filled_from_the_remote(locked, branches):
    shutil.rmtree(branches.folder / ".dvc/cache")
    with objects() as store:
        assert store.has_remote
        path = store.find(locked[PREDICTIONS])
        assert path is not None and path.read_bytes() == (branches.folder / PREDICTIONS).read_bytes()
        test = store.find_in(locked["data/prepared"], "test.jsonl")
        assert test is not None and json.loads(test.read_text().splitlines()[0])["id"] == "test.conll:1"


def test_what_nobody_has_is_none(locked):
    with objects() as store:
        assert store.find("0" * 32) is None and store.find_in("0" * 32 + ".dir", "x") is None
        assert store.find_in(locked["data/prepared"], "nothing") is None


def test_a_cache_without_a_remote_is_enough(locked, branches):
    branches.must("dvc", "remote", "remove", "store")
    with objects() as store:
        assert not store.has_remote and store.find(locked[PREDICTIONS]) and store.find("0" * 32) is None
