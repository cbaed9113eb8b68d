"""`hone resolve` on two real branches that conflict in dvc.lock and in the metrics."""

import json
import re


def conflicts(branches) -> list[str]:
    return branches.must("git", "diff", "--name-only", "--diff-filter=U").splitlines()


def test_a_run_that_fits_the_merge_is_kept_whole(branches):
    """Both sides changed the same param; the merge takes one of the two, so that side's results fit."""
    branches.must("git", "checkout", "-q", "worse")
    assert branches.call("git", "merge", "better").returncode == 1
    assert sorted(conflicts(branches)) == ["data/metrics.test.json", "dvc.lock", "params.yaml"]
    done = branches.hone("resolve")
    assert done.returncode == 1 and "params.yaml: settle these first" in done.stderr
    branches.must("git", "checkout", "--theirs", "params.yaml")
    branches.must("git", "add", "params.yaml")
    done = branches.hone("resolve")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^preprocess +the same on both sides", done.stdout, flags=re.M)
    assert re.search(r"^evaluate +the other side's result fits", done.stdout, flags=re.M)
    assert "next: dvc checkout" in done.stdout and conflicts(branches) == []
    for path in ("dvc.lock", "data/metrics.test.json"):
        assert branches.must("git", "diff", "better", "--", path) == "", "taken to the byte"
    branches.must("dvc", "checkout", "-q")
    assert json.loads(branches.must("dvc", "status", "--json")) == {}
    branches.must("git", "commit", "-qm", "merged")


def test_what_fits_neither_side_runs_again(branches):
    """One side changed the rate, the other the seed: the merged params were never run."""
    branches.must("git", "checkout", "-q", "better")
    assert branches.call("git", "merge", "same").returncode == 1
    assert sorted(conflicts(branches)) == ["data/metrics.test.json", "dvc.lock"]
    done = branches.hone("resolve")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^evaluate +neither side's result fits the merged files; it runs again", done.stdout, flags=re.M)
    assert "next: hone run (it makes evaluate)" in done.stdout and conflicts(branches) == []
    assert not (branches.folder / "data/metrics.test.json").exists(), "no figure without its run"
    branches.must("dvc", "checkout", "-q", "--allow-missing", "--force")
    ran = branches.must("dvc", "repro")
    assert "Running stage 'evaluate'" in ran and "Stage 'preprocess' didn't change" in ran
    branches.must("git", "add", "--update")
    branches.must("git", "commit", "-qm", "merged")
    assert branches.hone("diff", "same").stdout.startswith("Better: ")


def test_a_rebase_is_settled_too(branches):
    branches.must("git", "checkout", "-q", "same")
    assert branches.call("git", "rebase", "worse").returncode == 1
    assert "dvc.lock" in conflicts(branches)
    done = branches.hone("resolve")
    assert done.returncode == 0 and "neither side's result fits" in done.stdout
    assert branches.call("git", "rebase", "--continue", GIT_EDITOR="true").returncode == 0


def test_other_conflicts_are_left_and_named(branches):
    for name in ("better", "same"):
        branches.must("git", "checkout", "-q", name)
        (branches.folder / "notes.txt").write_text(name)
        branches.must("git", "add", "notes.txt")
        branches.must("git", "commit", "-qm", "notes")
    assert branches.call("git", "merge", "better").returncode == 1
    done = branches.hone("resolve")
    assert done.returncode == 0 and "still in conflict, for you: notes.txt" in done.stdout
    assert conflicts(branches) == ["notes.txt"]


def test_without_a_conflict_there_is_nothing_to_settle(branches):
    done = branches.hone("resolve")
    assert done.returncode == 1 and done.stderr == "error: dvc.lock has no merge conflict\n"
