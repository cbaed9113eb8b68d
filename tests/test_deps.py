"""`deps` in dvc.yaml are all that a stage imports from this repository, and nothing else."""

import re
from pathlib import Path
from typing import Any

import pytest

from hone.closure import importers
from tasks import adapters
from tasks.params_file import tasks_available
from tasks.yaml_files import read_yaml

ROOT = Path(__file__).parents[1]
PIPELINE = {
    "stages": {
        name: block
        for file in ("dvc.yaml", "export/dvc.yaml")
        for name, block in read_yaml(ROOT / file)["stages"].items()
    }
}
STAGES = list(PIPELINE["stages"])
TASKS = tasks_available()


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def code_deps(stage: str, task: str) -> list[str]:
    """Files and folders of code that dvc.yaml names for the stage."""
    deps = [dep.replace("${task}", task) for dep in PIPELINE["stages"][stage]["deps"]]
    return [dep for dep in deps if dep.startswith(("tasks/", "hone/", "flows/"))]


def imported(stage: str, task: str) -> set[str]:
    """Files of the repository that the stage loads for a task, the scorer that the adapter names among them."""
    loaded = []
    command = PIPELINE["stages"][stage]["cmd"]
    if "find(" in entry_source(command):
        loaded.append(f"tasks/adapters/{task}.py")
    if "adapter.scorer" in entry_source(command):
        loaded.append(f"tasks/scoring/{adapters.find(task).scorer}.py")
    if "sources.reader(" in entry_source(command):
        loaded += [path.as_posix() for path in Path("tasks/sources").glob("*.py")]
    return {path for path in importers(command, loaded) if Path(path).read_text().strip()}


def entry_source(command: str) -> str:
    (module,) = re.findall(r"-m\s+([\w.]+)", command)
    return Path(*module.split(".")).with_suffix(".py").read_text()


def missing(files: set[str], deps: list[str]) -> list[str]:
    return sorted(file for file in files if not any(file == dep or file.startswith(dep + "/") for dep in deps))


def test_there_are_the_four_stages_and_export() -> None:
    assert STAGES == ["preprocess", "finetune", "evaluate", "report", "export"]
    assert all(PIPELINE["stages"][stage]["desc"] for stage in STAGES)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("stage", STAGES)
def test_every_import_is_a_dep(stage: str, task: str) -> None:
    assert missing(imported(stage, task), code_deps(stage, task)) == []


@pytest.mark.parametrize("stage", STAGES)
def test_every_dep_is_imported(stage: str) -> None:
    used = set().union(*(imported(stage, task) for task in TASKS))
    idle = [
        dep for dep in code_deps(stage, TASKS[0]) if not any(file == dep or file.startswith(dep + "/") for file in used)
    ]
    assert idle == []


@pytest.mark.parametrize("stage", STAGES)
def test_a_dep_that_is_taken_out_is_found(stage: str) -> None:
    named = {task: code_deps(stage, task) for task in TASKS}
    used = {task: imported(stage, task) for task in TASKS}
    count = len(named[TASKS[0]])
    assert count > 3
    for out in range(count):  # what one task alone uses is missed by that task
        assert any(missing(used[task], named[task][:out] + named[task][out + 1 :]) for task in TASKS)


def test_what_is_imported_inside_functions_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tasks").mkdir()
    Path("tasks/a.py").write_text("def f():\n    from tasks import b\n")
    Path("tasks/b.py").write_text("import tasks.c\n")
    Path("tasks/c.py").write_text("import json\n")
    assert set(importers("tasks/python -m tasks.a", [])) == {"tasks/a.py", "tasks/b.py", "tasks/c.py"}


@pytest.mark.parametrize("stage", STAGES)
def test_editing_one_adapter_leaves_the_results_of_the_others_fresh(stage: str) -> None:
    for task in TASKS:
        files = {dep for dep in code_deps(stage, task) if dep.startswith("tasks/adapters/")}
        assert files == {"tasks/adapters/__init__.py", f"tasks/adapters/{task}.py"}
    assert not any(dep.rstrip("/") in ("tasks", "tasks/adapters") for dep in code_deps(stage, TASKS[0]))


def test_finetune_depends_on_one_scoring_file_alone() -> None:
    scoring = [dep for dep in code_deps("finetune", TASKS[0]) if "scoring" in dep]
    assert scoring == ["tasks/scoring/__init__.py", "tasks/scoring/selection.py"]
    assert not any("scoring" in dep for dep in code_deps("preprocess", TASKS[0]))


@pytest.mark.parametrize(
    ("stage", "numbers"), [("finetune", True), ("evaluate", True), ("report", False), ("export", True)]
)
def test_versions_that_decide_numbers_are_a_dep(stage: str, numbers: bool) -> None:
    assert ("numerics.lock" in PIPELINE["stages"][stage]["deps"]) == numbers


@pytest.mark.parametrize("stage", STAGES)
def test_params_that_a_stage_reads_are_declared(stage: str) -> None:
    text = entry_source(PIPELINE["stages"][stage]["cmd"])
    declared: list[Any] = [key.split(".")[0] for key in PIPELINE["stages"][stage]["params"]]
    used = set(re.findall(r"settings\.(\w+)", text)) | set(re.findall(r"params\.(task|dataset|seed)\b", text))
    used -= {"checkpoints", "goal"}  # nothing that comes out depends on them
    assert {"${task}" if key == "options" else key for key in used} <= set(declared)


FORBIDDEN = {
    "tasks": r"^\s*(?:from|import) (?:flows|hone|prefect|dvc)\b",
    "tasks/scoring": r"^\s*(?:from|import) (?:torch|transformers)\b",
    "hone": r"^\s*(?:from|import) (?:torch|transformers|tasks\.(?:finetune|evaluate|adapters))\b",
    "serving": r"^\s*(?:from|import) (?:torch|transformers|flows|hone|prefect|dvc|tasks\.(?!errors|onnx_model))",
    "flows": r"^\s*(?:from|import) (?:torch|transformers|hone|tasks\.(?:finetune|evaluate|preprocess|report)\b)",
}


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_who_may_import_whom(folder: str) -> None:
    files = list(Path(folder).rglob("*.py"))
    assert len(files) > 3
    wrong = [
        f"{path}: {line.strip()}"
        for path in files
        for line in path.read_text().splitlines()
        if re.search(FORBIDDEN[folder], line)
    ]
    assert wrong == []


def test_stages_and_adapters_do_not_import_each_other() -> None:
    for stage in STAGES:
        others = "|".join(other for other in STAGES if other != stage)
        assert not re.search(rf"tasks(?:\.| import )(?:{others})\b", Path(f"tasks/{stage}.py").read_text())
    for task in TASKS:
        assert not re.search(r"tasks\.adapters\.\w+", Path(f"tasks/adapters/{task}.py").read_text())
