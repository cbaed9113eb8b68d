"""`hone why` in a small DVC project of its own: each kind of change is named with its old and new value."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from flows import dvc_lock
from hone import past, why
from hone.closure import importers
from tasks.errors import UserError

PIPELINE = """
stages:
  prepare:
    cmd: sh -c 'mkdir -p data/prepared && cp data/raw/*.txt data/prepared'
    deps: [data/raw]
    params: [seed]
    outs: [data/prepared]
  train:
    cmd: sh -c 'cat data/prepared/* > data/model' -m tasks.train
    deps: [data/prepared, tasks/train.py, tasks/loop.py, tasks/adapters/tagging.py]
    params: [train]
    outs: [data/model]
"""


def dvc(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "dvc", *arguments, "-q"], check=True, env={**os.environ, "CI": "1"})


def git(*arguments: str) -> None:
    identity = ["-c", "user.name=T", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *identity, *arguments], check=True, capture_output=True)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A project that has run once and is committed."""
    root = tmp_path_factory.mktemp("built")
    before = Path.cwd()
    os.chdir(root)
    try:
        git("init", "-q", ".")
        dvc("init")
        for path, text in {
            "dvc.yaml": PIPELINE,
            "params.yaml": "task: tagging\nseed: 1\ntrain: {learning_rate: 5e-5, layers: [1, 2]}\n",
            "data/raw/a.txt": "one\ntwo\n",
            "data/raw/b.txt": "b\n",
            "data/raw/README": "no data\n",
            ".dvcignore": "data/raw/README\n",
            "data/.gitignore": "/prepared\n/model\n",
            "tasks/train.py": "from tasks import loop\n",
            "tasks/loop.py": "STEPS = 1\n",
            "tasks/adapters/tagging.py": "",
        }.items():
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).write_text(text)
        dvc("repro")
        git("add", "-A")
        git("commit", "-qm", "first")
    finally:
        os.chdir(before)
    return root


@pytest.fixture
def project(built, tmp_path, monkeypatch):
    """A copy of the built project to change at will."""
    subprocess.run(["cp", "-a", f"{built}/.", str(tmp_path)], check=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def explain(stage: str) -> why.Answer:
    return why.explain(stage, dvc_lock.read())


def text(answer: why.Answer) -> str:
    return "\n".join(why.lines(answer))


def test_nothing_changed(project):
    answer = explain("train")
    assert answer.verdict == "unchanged" and "up to date" in text(answer)


def test_a_param_is_shown_by_its_full_key_with_old_and_new_value(project):
    Path("params.yaml").write_text("task: tagging\nseed: 1\ntrain: {learning_rate: 3e-4, layers: [1, 2], new: x}\n")
    answer = explain("train")
    assert [(c.name, c.old, c.new) for c in answer.causes] == [
        ("train.learning_rate", 5e-05, 3e-4),
        ("train.new", dvc_lock.ABSENT, "x"),
    ]
    assert "train.learning_rate  5e-05 -> 0.0003" in text(answer)


def test_a_param_that_is_gone(project):
    Path("params.yaml").write_text("task: tagging\nseed: 1\ntrain: {learning_rate: 5e-5}\n")
    (cause,) = explain("train").causes
    assert (cause.name, cause.old, cause.new) == ("train.layers", [1, 2], dvc_lock.ABSENT)


def test_an_imported_helper_is_named_with_its_importer_and_lines(project):
    Path("tasks/loop.py").write_text("STEPS = 2\nMORE = 1\n")
    (cause,) = explain("train").causes
    assert (cause.kind, cause.name, cause.lines) == ("code", "tasks/loop.py", (2, 1))
    assert cause.role == "imported by tasks/train.py"
    assert "+2 -1 lines" in text(explain("train"))


def test_lines_are_counted_from_an_older_commit_too(project):
    Path("tasks/loop.py").write_text("STEPS = 1\n" * 3)
    git("commit", "-qam", "second")
    Path("tasks/loop.py").write_text("STEPS = 1\n" * 5)
    git("commit", "-qam", "third")
    assert explain("train").causes[0].lines == (4, 0)


def test_an_old_version_that_git_never_saw_has_no_line_count(project):
    Path("tasks/train.py").write_text("x = 1\n")
    dvc("repro")
    Path("tasks/train.py").write_text("x = 2\n")
    (cause,) = explain("train").causes
    assert cause.lines is None and cause.role == "entry point of the stage"


def test_a_folder_from_git_lists_its_files_and_the_stage_below_is_warned(project):
    Path("data/raw/a.txt").write_text("one\n")
    Path("data/raw/b.txt").unlink()
    Path("data/raw/c.txt").write_text("c\n")
    (cause,) = explain("prepare").causes
    assert cause.files == {"added": ["c.txt"], "removed": ["b.txt"], "changed": ["a.txt"]}
    assert "1 added, 1 removed, 1 changed, raw data" in text(explain("prepare"))
    below = explain("train")
    assert (below.verdict, below.upstream) == ("upstream changed", {"prepare": ["data/prepared"]})
    assert "prepare is out of date and runs first; it may change data/prepared" in text(below)


def test_a_folder_from_the_cache_lists_its_files(project):
    Path("data/raw/a.txt").write_text("other\n")
    dvc("repro", "--single-item", "prepare")
    (cause,) = explain("train").causes
    assert cause.files == {"added": [], "removed": [], "changed": ["a.txt"]}
    assert cause.role == "made by prepare"


def test_a_missing_out_and_a_changed_command(project):
    Path("data/model").unlink()
    Path("dvc.yaml").write_text(PIPELINE.replace("data/prepared/* >", "data/prepared/*.txt >"))
    command, out = explain("train").causes
    assert command.kind == "command" and "*.txt" in command.new and "*.txt" not in command.old
    assert "  data/prepared/* -> data/prepared/*.txt" in text(explain("train"))
    assert (out.kind, out.name, out.new) == ("out", "data/model", dvc_lock.ABSENT)
    assert "data/model  is missing" in text(explain("train"))


def test_a_dep_that_is_new_and_one_that_is_missing(project):
    Path("tasks/more.py").touch()
    Path("dvc.yaml").write_text(PIPELINE.replace("tasks/loop.py", "tasks/loop.py, tasks/more.py"))
    Path("tasks/loop.py").unlink()
    said = text(explain("train"))
    assert "tasks/more.py  new among the deps (d41d8cd), listed in deps of dvc.yaml" in said
    assert re.search(r"tasks/loop.py  is missing \(was [0-9a-f]{7}\)", said)


def test_a_stage_that_never_ran(project):
    Path("dvc.lock").unlink()
    answer = explain("train")
    assert answer.verdict == "never ran" and list(answer.upstream) == ["prepare"]
    assert "never ran" in text(answer)


def test_an_unknown_stage_lists_those_that_exist(project):
    with pytest.raises(UserError, match=r"'trian' is not a stage of dvc\.yaml; there are: prepare, train"):
        explain("trian")


def test_a_broken_pipeline_is_one_clear_line(project):
    Path("dvc.yaml").write_text("stages:\n  train:\n    cmd: echo ${nothing}\n")
    with pytest.raises(UserError, match="nothing") as caught:
        dvc_lock.read()
    assert "\n" not in str(caught.value)


def test_json(project, capsys):
    Path("tasks/loop.py").write_text("STEPS = 2\n")
    assert why.why("train", as_json=True) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["verdict"] == "changed" and answer["causes"][0]["name"] == "tasks/loop.py"


def test_it_answers_while_dvc_holds_its_locks(project):
    """A run in progress, which `dvc status` would wait for and fail on."""
    busy = {"write": {str(project / "data/model"): {"pid": os.getpid(), "cmd": "dvc repro"}}}
    Path(".dvc/tmp/rwlock").write_text(json.dumps(busy))
    assert explain("train").verdict == "unchanged"


def test_the_folder_md5_is_that_of_dvc(project):
    entry = dvc_lock.read_yaml(Path("dvc.lock"))["stages"]["prepare"]["deps"][0]
    assert past.folder_md5(dvc_lock.folder_files("data/raw")) == entry["md5"]


def test_importers_follow_relative_imports_and_imports_inside_functions(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path, source in {
        "tasks/__init__.py": "",
        "tasks/train.py": "def train():\n    from .deep.inner import thing\n    import json\n",
        "tasks/deep/__init__.py": "",
        "tasks/deep/inner.py": "from ..other import x\n",
        "tasks/other.py": "def broken(:\n",
        "tasks/unused.py": "",
    }.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(source)
    assert importers("tasks/python -m tasks.train --out data", []) == {
        "tasks/__init__.py": "entry point of the stage",
        "tasks/train.py": "entry point of the stage",
        "tasks/deep/__init__.py": "imported by tasks/train.py",
        "tasks/deep/inner.py": "imported by tasks/train.py",
        "tasks/other.py": "imported by tasks/deep/inner.py",
    }
