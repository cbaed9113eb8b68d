"""The key of a stage's inputs: the same for the same content anywhere, another when any input changes."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.errors import UserError
from tasks.inputs_key import inputs_key
from tasks.yaml_files import read_yaml

ROOT = Path(__file__).parents[2]

PIPELINE = """
vars: [{name: data}]
stages:
  train:
    cmd: run --in ${name}/prepared --rate ${train.rate}
    deps: ["${name}/prepared", "code/${task}.py"]
    params: [task, train.rate, "${task}", more.yaml: [a.0], "all.yaml": , "set.toml": [b]]
    outs: [model]
  other:
    cmd: [first, second]
    wdir: code
    deps: [x.py]
  many:
    foreach: [1, 2]
    do: {cmd: "run ${item}"}
"""

Change = Callable[[Path], object]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    for name in ("data/prepared/sub", "code/__pycache__"):
        (folder / name).mkdir(parents=True)
    for name, text in {
        "dvc.yaml": PIPELINE,
        "params.yaml": "task: x\nseed: 1\ntrain: {rate: 5e-5, other: 1}\nx: {p: 1}\ny: {p: 1}\n",
        "more.yaml": "a: [1, 2]\nb: 1\n",
        "all.yaml": "a: 1\n",
        "set.toml": "b = 1\n",
        "data/prepared/a": "a",
        "data/prepared/sub/b": "b",
        "code/x.py": "x",
        "code/y.py": "y",
    }.items():
        (folder / name).write_text(text)
    return folder


def key(folder: Path, stage: str = "train") -> str:
    return inputs_key(folder / "dvc.yaml", stage)


def replace(name: str, old: str, new: str) -> Change:
    def change(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new))

    return change


CHANGES: dict[str, Change] = {
    "command": replace("dvc.yaml", "run --in", "run  --in"),
    "value in the command": replace("params.yaml", "5e-5", "6e-5"),
    "declared param": replace("params.yaml", "x: {p: 1}", "x: {p: 2}"),
    "type of a param": replace("params.yaml", "x: {p: 1}", "x: {p: '1'}"),
    "whole number or not": replace("params.yaml", "x: {p: 1}", "x: {p: 1.0}"),
    "key of a param": replace("params.yaml", "x: {p: 1}", "x: {1: p}"),
    "task": replace("params.yaml", "task: x", "task: y"),
    "param of another file": replace("more.yaml", "[1, 2]", "[3, 2]"),
    "file of params as a whole": replace("all.yaml", "a: 1", "a: 2"),
    "file of params that is no YAML": replace("set.toml", "1", "2"),
    "variable": replace("dvc.yaml", "{name: data}", "{name: data/../data}"),
    "file of a folder": lambda folder: (folder / "data/prepared/sub/b").write_text("c"),
    "file more": lambda folder: (folder / "data/prepared/c").write_text(""),
    "file less": lambda folder: (folder / "data/prepared/a").unlink(),
    "name of a file": lambda folder: (folder / "data/prepared/a").rename(folder / "data/prepared/aa"),
    "place of a file": lambda folder: (folder / "data/prepared/a").rename(folder / "data/prepared/sub/a"),
    "code": lambda folder: (folder / "code/x.py").write_text("x "),
    "dependency left out": replace("dvc.yaml", ', "code/${task}.py"', ""),
    "param left out": replace("dvc.yaml", "train.rate, ", ""),
}


@pytest.mark.parametrize("what", CHANGES)
def test_every_input_counts(project: Path, what: str) -> None:
    before = key(project)
    CHANGES[what](project)
    assert key(project) != before


UNSEEN: dict[str, Change] = {
    "other param": replace("params.yaml", "seed: 1", "seed: 2"),
    "other param of a section": replace("params.yaml", "other: 1", "other: 2"),
    "other adapter's param": replace("params.yaml", "y: {p: 1}", "y: {p: 2}"),
    "comment": replace("params.yaml", "seed: 1", "seed: 1 # the first"),
    "other key of a file": replace("more.yaml", "b: 1", "b: 2"),
    "other adapter": lambda folder: (folder / "code/y.py").write_text(""),
    "compiled code": lambda folder: [
        (folder / name / "a.pyc").write_text("a") for name in ("code/__pycache__", "data/prepared")
    ],
    "cache of the interpreter": lambda folder: (folder / "data/prepared/__pycache__").mkdir(),
    "other stage": replace("dvc.yaml", "second", "third"),
    "time": lambda folder: [os.utime(path, (1, 1)) for path in folder.rglob("*")],
    "place": lambda folder: shutil.copytree(folder, folder.with_name("elsewhere")),
}


@pytest.mark.parametrize("what", UNSEEN)
def test_what_is_no_input_does_not_count(project: Path, what: str) -> None:
    before = key(project)
    UNSEEN[what](project)
    assert key(project.with_name("elsewhere") if what == "place" else project) == before


def test_from_another_folder_and_by_a_relative_path(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = key(project)
    monkeypatch.chdir(project)
    assert inputs_key(Path("dvc.yaml"), "train") == before


def test_links_count_as_what_they_lead_to(project: Path) -> None:
    before = key(project)
    (project / "data/prepared/a").rename(project / "cached")
    (project / "data/prepared/a").symlink_to(project / "cached")
    (project / "data/prepared/sub").rename(project / "elsewhere")
    (project / "data/prepared/sub").symlink_to(project / "elsewhere")
    assert key(project) == before
    (project / "elsewhere/b").write_text("changed")
    assert key(project) != before


def test_a_circle_of_links_ends(project: Path) -> None:
    (project / "data/prepared/round").symlink_to(project / "data/prepared")
    assert len(key(project)) == 64


def test_what_stands_in_no_file(project: Path) -> None:
    keys = {inputs_key(project / "dvc.yaml", "train", also=also) for also in ([], ["a"], ["a", "b"], ["ab"])}
    assert len(keys) == 4


def test_another_working_folder(project: Path) -> None:
    before = key(project, "other")
    (project / "code/x.py").write_text("changed")
    assert key(project, "other") != before


@pytest.mark.parametrize(
    ("change", "stage", "message"),
    [
        (lambda folder: None, "nothing", r"stages.nothing: no such stage.*there are: train, other \("),
        (lambda folder: None, "many", "write a stage of foreach or matrix out"),
        (lambda folder: (folder / "code/x.py").unlink(), "train", "code/x.py is not there"),
        (replace("params.yaml", "task: x", "task: z"), "train", "code/z.py is not there"),
        (replace("params.yaml", "x: {p: 1}", "z: 1"), "train", "'x' is not in the params"),
        (replace("dvc.yaml", "train.rate}", "train.speed}"), "train", "'train.speed' is not in the params"),
    ],
)
def test_what_is_missing_is_named(project: Path, change: Change, stage: str, message: str) -> None:
    change(project)
    with pytest.raises(UserError, match=message):
        key(project, stage)


@pytest.mark.parametrize("stage", read_yaml(ROOT / "dvc.yaml")["stages"])
def test_names_in_our_own_pipeline_are_understood(stage: str, tmp_path: Path) -> None:
    for name in ("dvc.yaml", "params.yaml", "numerics.lock"):
        shutil.copy(ROOT / name, tmp_path / name)
    for name in ("tasks", "data/raw"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("prepared", "model"):
        (tmp_path / "data" / name).mkdir(parents=True)
    for found in read_yaml(ROOT / "dvc.yaml")["stages"].values():
        for name in (name for name in found["deps"] if name.startswith("data/") and not (tmp_path / name).exists()):
            if "$" not in name:
                (tmp_path / name).touch()
    assert len(key(tmp_path, stage)) == 64
