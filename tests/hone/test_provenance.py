"""Versions and data that a result came from, against those here."""

import os
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from hone.provenance import between, differences, of_trial
from tasks.models import content_hash


def test_a_model_from_here_has_nothing_to_say(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text("{}")
    card = {"versions": {"numpy": version("numpy")}, "data": content_hash(tmp_path)}
    assert differences(card, tmp_path) == []
    assert differences({}, tmp_path) == []  # an older hone made it
    assert between(card, card) == []


def test_other_versions_and_other_data_are_said_with_both_values(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text("{}")
    card = {"versions": {"numpy": "1.0", "nosuchpackage": "2.0"}, "data": "0123456789abcdef"}
    versions, data = differences(card, tmp_path)
    assert versions == (
        f"the model was made with numpy 1.0, here {version('numpy')}; nosuchpackage 2.0, here none: the last digits of "
        "its figures may differ here"
    )
    assert data == f"the model learned from other data: 0123456789abcdef, here {tmp_path} is {content_hash(tmp_path)}"
    assert len(differences(card, None)) == len(differences(card, tmp_path / "nowhere")) == 1


def test_two_models_of_other_versions(tmp_path: Path) -> None:
    old, new = {"versions": {"torch": "2.1", "numpy": "2.0"}}, {"versions": {"torch": "2.2", "numpy": "2.0"}}
    assert between(old, new) == ["The models were made with other versions: torch 2.1 and 2.2."]
    assert between({}, new) == []


def test_a_trial_tells_by_its_cost_or_by_its_model(done_toy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stages = {"finetune": {"versions": {"torch": "2.1"}}, "evaluate": {"versions": {"torch": "2.1", "numpy": "2.0"}}}
    assert of_trial("nowhere", {"files": stages}) == {"versions": {"torch": "2.1", "numpy": "2.0"}}

    line = '        write("data/model/weights",'
    done_toy.set(
        line, f"""{line.replace("weights", "hone.json")} '{{"versions": {{"numpy": "1.0"}}}}')\n{line}""", "toy.py"
    )
    done_toy.set("rate: 0.5", "rate: 0.25")
    assert done_toy.run("local").returncode == 0
    for command in (["add", "-f", "dvc.lock"], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "one"]):
        assert done_toy.call("git", *command).returncode == 0
    monkeypatch.chdir(done_toy.folder)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(done_toy.folder.parent / "site"))
    assert of_trial("HEAD", {"seconds": 1.0}) == {"versions": {"numpy": "1.0"}}
    commit = done_toy.call("git", "rev-parse", "HEAD").stdout.strip()
    assert of_trial(commit, {}) == {"versions": {"numpy": "1.0"}}
    (done_toy.folder / ".dvc/cache").rename(done_toy.folder / "elsewhere")
    assert of_trial("HEAD", {}) == {}
    monkeypatch.setattr("flows.trials.disk.cache_folder", lambda: pytest.fail("DVC was asked again"))
    assert of_trial(commit, {}) == {"versions": {"numpy": "1.0"}}


def test_versions_here_are_asked_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".dvc").mkdir()
    packages = tmp_path / "site-packages"
    packages.mkdir()
    monkeypatch.syspath_prepend(str(packages))
    card = {"versions": {"numpy": version("numpy"), "nosuchpackage": "2.0"}}
    (line,) = differences(card, None)
    with monkeypatch.context() as patch:
        patch.setattr("importlib.metadata.version", lambda name: pytest.fail(f"{name} was asked for again"))
        assert differences(card, None) == [line]
    (packages / "nosuchpackage-2.0.dist-info").mkdir()
    (packages / "nosuchpackage-2.0.dist-info/METADATA").write_text(
        "Metadata-Version: 2.1\nName: nosuchpackage\nVersion: 2.0\n"
    )
    os.utime(packages, ns=(1, 1))  # a file system may count too coarsely for two changes
    assert differences(card, None) == []
