"""A scheduled run without Prefect: what is published, what is refused and why, what it leaves alone."""

import json
import os
import re
import shutil
import sys
import time
from typing import Any

import pytest

from flows.unattended import message

PULL = ("pull_request: false", "pull_request: true")


def test_a_better_model_is_published_with_its_verdict_and_anybody_can_have_it(team: Any) -> None:
    here = team.nightly.must("git", "rev-parse", "HEAD")
    team.change("rate: 3.0e-4", "rate: 1.0e-3")
    tip = team.mine.must("git", "rev-parse", "HEAD")
    assert team.ended().startswith("Published: hone/nightly is at ")
    team.mine.must("git", "fetch", "-q")
    message = team.mine.must("git", "log", "-1", "--format=%B", "origin/hone/nightly")
    assert message.startswith("Better: entity_f1 +0.")
    assert "\nGate passed.\n" in message
    assert "| finetune.learning_rate | 0.0003 | 0.001 |" not in message, "up to the figures"
    assert "| entity_f1 | 0.87" in message and "#" not in message
    changed = team.mine.must("git", "diff", "--name-only", tip, "origin/hone/nightly").split()
    assert changed == ["data/metrics.test.json", "dvc.lock"]
    team.mine.must("git", "switch", "-q", "hone/nightly")
    team.mine.must("dvc", "pull", "-q", "--force")
    assert team.mine.must("dvc", "status", "--json") == "{}", "the model came with its commit"

    # The clone itself stayed as it was, and nothing lies about.
    assert team.nightly.must("git", "rev-parse", "HEAD") == here
    assert team.nightly.must("git", "status", "--porcelain") == ""
    assert len(team.nightly.must("git", "worktree", "list").splitlines()) == 1
    assert not (team.nightly.folder / ".dvc/tmp/hone/scheduled").exists()

    # Nothing new: nothing is published again.
    first = team.published()
    assert team.ended().startswith("Unchanged: main ")
    assert team.published() == first

    # The next commit builds on both, so that a push never has to force.
    team.mine.must("git", "switch", "-q", "main")
    team.change("seed: 1 ", "seed: 2 ")
    assert team.ended().startswith("Published: ")
    team.mine.must("git", "fetch", "-q")
    parents = team.mine.must("git", "log", "-1", "--format=%P", "origin/hone/nightly").split()
    assert parents == [first, team.mine.must("git", "rev-parse", "main")]


def test_what_a_colleague_has_run_and_sent_is_judged_but_not_run(team: Any) -> None:
    team.change("rate: 3.0e-4", "rate: 1.0e-3")
    team.mine.must("dvc", "repro", "-q")
    assert "files sent" in team.mine.must(sys.executable, "-m", "hone", "push")
    done = team.once(STUB_HOLD=str(team.folder / "nowhere"))
    assert done.stdout.splitlines()[-1].startswith("Published: hone/nightly is at "), done.stdout + done.stderr
    assert not (team.folder / "nowhere.at-work").exists(), "its stage ran"

    # And a third one who takes the published commit runs nothing either, metrics of the stage in Git or not.
    third = team.folder / "third"
    team.mine.must("git", "clone", "-q", "-b", "hone/nightly", str(team.folder / "origin.git"), str(third))
    clone = type(team.mine)(third)
    assert clone.hone("run", "--pull", "--engine", "local").stdout.count("cached, unchanged") == 2
    shutil.rmtree(third / "data")
    clone.must("git", "restore", "data/raw")
    said = clone.hone("run", "--pull", "--engine", "local").stdout
    assert re.findall(r"^(preprocess|evaluate) +(cached|restored|ran)", said, re.MULTILINE) == [
        ("preprocess", "cached"), ("evaluate", "restored"),
    ]  # fmt: skip


def test_a_worse_model_is_not_published_and_the_gate_is_named(team: Any) -> None:
    team.change("rate: 3.0e-4", "rate: 3.0e-3")
    assert team.failed().startswith("Refused: gate.no_loss: entity_f1 is worse, -0.")
    assert team.published() == ""
    assert not team.nightly.call("git", "rev-parse", "--verify", "-q", "hone/nightly").stdout


@pytest.mark.slow
def test_new_data_starts_a_run_once(team: Any) -> None:
    assert "data/raw is what the last run had" in team.ended("new")
    team.change("seed: 1 ", "seed: 2 ")
    assert "data/raw is what the last run had" in team.ended("new"), "params are no data"
    team.change("241", "301", "data/raw/count")
    cause = team.failed("new")
    assert cause.startswith("Refused: no verdict: ") and "were tested on different data" in cause
    assert "data/raw is what the last run had" in team.ended("new"), "that data had its answer"
    team.change("301", "61", "data/raw/count")
    assert "Refused: train has 60 examples where the live model had 240" in team.failed("new")
    assert "schedule.least_data: 0.5" in team.failed(), "a night says it again"


def test_a_stage_that_fails_is_the_cause(team: Any) -> None:
    team.change("learning_rate: 3.0e-4", "learning_rate: 7.0e-4")
    assert "StageFailed: evaluate: its command failed with exit code 1: KeyError: 0.0007" in team.failed()
    assert team.published() == ""
    assert team.nightly.must("git", "status", "--porcelain") == ""


@pytest.mark.slow
def test_runs_do_not_overlap_and_one_that_was_killed_is_made_up_for(team: Any) -> None:
    team.change("rate: 3.0e-4", "rate: 1.0e-3")
    hold = team.folder / "hold"
    hold.touch()
    first = team.start(STUB_HOLD=str(hold))
    try:
        deadline = time.monotonic() + 60
        while not (team.folder / "hold.at-work").exists():
            assert time.monotonic() < deadline and first.poll() is None
            time.sleep(0.05)
        assert team.ended("new") == f"Skipped: another scheduled run (process {first.pid}) is at work here"
    finally:
        first.kill()
        first.wait()
    hold.unlink()
    done = team.once()
    assert done.stdout.splitlines()[-1].startswith("Published: "), done.stdout + done.stderr
    assert len(team.nightly.must("git", "worktree", "list").splitlines()) == 1


@pytest.mark.slow
def test_a_pull_request_is_opened_and_renewed(team: Any) -> None:
    path = f"{team.folder / 'bin'}{os.pathsep}{team.nightly.environment()['PATH']}"
    more = {"GH_LOG": str(team.folder / "gh.log"), "PATH": path}
    team.nightly.set(*PULL)
    team.change("rate: 3.0e-4", "rate: 1.0e-3")
    assert team.ended(**more).endswith("(https://example.org/pull/7)")
    (listed, _), (created, text) = team.log()
    ends = ["--head", "hone/nightly", "--base", "main"]
    assert listed == ["pr", "list", *ends, "--state", "open", "--json", "url"]
    assert created[:8] == ["pr", "create", *ends, "--title", created[7]] and created[7].startswith("Better: entity_f1")
    assert created[8:] == ["--body-file", "-"] and text.startswith("**Better: entity_f1") and "#### Sentences" in text

    team.change("seed: 1 ", "seed: 2 ")
    opened = json.dumps([{"url": "https://example.org/pull/7"}])
    assert team.ended(**more, GH_OPEN=opened).endswith("(https://example.org/pull/7)")
    assert team.log()[-1][0][:3] == ["pr", "edit", "https://example.org/pull/7"]

    team.change("seed: 2 ", "seed: 3 ")
    before = team.published()
    cause = team.failed(**more, GH_BROKEN="yes")
    assert cause == "UserError: the branch is published, but gh pr create failed: HTTP 401: Bad credentials"
    assert team.published() != before


def test_what_cannot_work_is_said_before_anything_runs(team: Any) -> None:
    def cause(old: str, new: str, **more: str) -> str:
        team.nightly.set(old, new)
        try:
            return team.failed(**more)  # type: ignore[no-any-return]
        finally:
            team.nightly.must("git", "checkout", "-q", "params.yaml")

    assert "schedule.remote: elsewhere is no remote" in cause("remote: origin", "remote: elsewhere")
    assert "schedule.source: there is no branch nowhere at the remote origin" in cause(
        "source: main", "source: nowhere"
    )
    assert "schedule.live: there is no branch or tag v9" in cause("live: main", "live: v9")
    assert "schedule.branch: main is the branch that is run or live" in cause("branch: hone/nightly", "branch: main")
    assert "needs schedule.remote and the program gh" in cause(*PULL, PATH=os.defpath)
    (team.folder / "origin.git").rename(team.folder / "gone.git")
    assert "GitFailed: git fetch: " in team.failed()


def test_without_remotes_a_branch_of_the_clone_is_published_against_a_tag(team: Any) -> None:
    team.mine.must("git", "tag", "v1")
    team.mine.must("dvc", "remote", "remove", "store")
    team.mine.set("remote: origin", 'remote: ""')
    team.mine.set("live: main", "live: v1")
    team.change("rate: 3.0e-4", "rate: 1.0e-3")
    done = team.once(clone=team.mine)
    assert "\nno DVC remote: this clone's cache\n" in done.stdout, done.stderr
    assert done.stdout.splitlines()[-1].startswith("Published: hone/nightly is at ")
    assert team.mine.must("git", "log", "-1", "--format=%s", "hone/nightly").startswith("Better: ")
    assert team.published() == ""


@pytest.mark.parametrize(
    "title", ["Slices that moved most", "Sentences fixed: 3", "Histories broken: 12, the first 10"]
)
def test_the_commit_says_the_figures_and_no_text_of_the_data(title: str) -> None:
    verdict = f"**Better: recall\\_at\\_1**\n\n#### Figures\n\n| a | b |\n\n#### {title}\n\n- `a:1`\n  - gold: secret"
    assert message(verdict) == "Better: recall_at_1\n\nFigures\n\n| a | b |\n"
