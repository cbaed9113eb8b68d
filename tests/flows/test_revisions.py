import subprocess
from pathlib import Path

import pytest

from flows import revisions
from tasks.errors import UserError


def git(*arguments: str) -> str:
    identity = ["-c", "user.name=T", "-c", "user.email=t@example.org"]
    return subprocess.run(["git", *identity, *arguments], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def history(tmp_path, monkeypatch):
    """Two commits on main, one on a branch that is checked out; the current folder."""
    monkeypatch.chdir(tmp_path)
    git("init", "-q", "-b", "main")
    for key, value in ("name", "T"), ("email", "t@example.org"):  # for those that call git by themselves
        git("config", f"user.{key}", value)
    for number in (1, 2):
        Path("file").write_text(str(number))
        git("add", "-A")
        git("commit", "-qm", str(number))
    git("checkout", "-q", "-b", "topic")
    Path("file").write_text("topic")
    git("commit", "-qam", "topic")
    git("checkout", "-q", "main")
    Path("file").write_text("3")
    git("commit", "-qam", "3")
    git("checkout", "-q", "topic")


def test_names_become_commits(history):
    assert revisions.commit("main~1") == git("rev-parse", "main~1") == revisions.commit(git("rev-parse", "main~1")[:8])
    assert revisions.file("main", "file") == b"3" and revisions.file("main", "nothing") is None


def test_trials_have_names_too_and_must_be_clear(history):
    base, head = git("rev-parse", "main"), git("rev-parse", "topic")
    git("update-ref", f"refs/exps/{base[:2]}/{base[2:]}/faster", head)
    assert revisions.commit("faster") == head
    git("update-ref", f"refs/exps/{head[:2]}/{head[2:]}/faster", base)
    with pytest.raises(UserError, match="a trial on 2 commits"):
        revisions.commit("faster")


@pytest.mark.parametrize("name", ["nowhere", "", "--all", "exps"])
def test_an_unknown_name_is_refused(history, name):
    with pytest.raises(UserError, match="no revision and no trial"):
        revisions.commit(name)


def test_the_merge_base_is_where_head_left_main(history):
    assert revisions.merge_base() == git("rev-parse", "main~1")
    git("branch", "-m", "main", "trunk")
    with pytest.raises(UserError, match="no main branch"):
        revisions.merge_base()
    git("checkout", "-q", "--orphan", "main")
    git("commit", "-qm", "alone")
    git("checkout", "-q", "topic")
    with pytest.raises(UserError, match="no commit in common"):
        revisions.merge_base()


def test_both_sides_of_a_conflict(history):
    assert revisions.unmerged() == []
    assert subprocess.run(["git", "merge", "-q", "main"], capture_output=True).returncode == 1
    assert revisions.unmerged() == ["file"]
    assert (revisions.side("file", True), revisions.side("file", False)) == (b"topic", b"3")
    Path("file").write_text("both")
    revisions.add([Path("file")])
    assert revisions.unmerged() == [] and git("diff", "--cached", "--name-only") == "file"
