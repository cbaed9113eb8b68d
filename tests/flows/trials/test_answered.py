"""Known trials answered from Git alone, and nothing answered that `run_trials` would not call known."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows.trials import Trial, list_trials, run_trials, tracked
from flows.trials.answered import look
from flows.trials.experiment import message, name_it
from flows.trials.git import git
from flows.trials.keys import KEPT
from flows.trials.known import Inputs
from flows.trials.snapshot import identity, take

FAST = Trial("fast", {"train.rate": 0.6}, "try", "try", "why not")


def record(trial: Trial, when: int = 1_700_000_000, said: Callable[[str], str] = str) -> str:
    """A make-believe result of ``trial`` for the workspace as it is; its commit."""
    snapshot = take()
    facts = {"key": Inputs.of(snapshot).key(trial.overrides), "metrics": {"test": "data/metrics.test.json"}, "cost": {}}
    time = f"{when} +0130"
    also = identity(("ann", "ann@localhost")) | {"GIT_COMMITTER_DATE": time, "GIT_AUTHOR_DATE": time}
    text = said(message(trial, facts))
    commit = git("commit-tree", snapshot.tree, "-p", snapshot.base, stdin=text, also=also)
    name_it(Path(), snapshot.base, trial.name, commit)
    return commit


def answer(trial: Trial = FAST) -> str | None:
    """The name of the recorded trial that answers, if one does."""
    with look([trial]) as seen:
        found = None if seen is None else seen.known([trial])
    return None if found is None else found[0].name


def test_all_that_is_known_of_a_trial_is_told(project: Any) -> None:
    record(FAST)
    with look([FAST]) as seen:
        assert seen is not None
        (one,) = seen.recorded([seen.inputs.key(FAST.overrides)]).values()
        ((outcome,), none) = seen.known([FAST]) or [], seen.known([FAST, Trial("b", {"seed": 5}, "try", "try")])
    (listed,) = list_trials()
    assert one == listed and one.time.isoformat() == "2023-11-14T23:43:20+01:30"
    assert none is None and outcome.state == "known" and outcome.rev == listed.rev
    assert outcome.metrics == {"test": {"entity_f1": 0.5, "per_type": {"LOC": {"f1": 0.255}, "PER": {"f1": 0.51}}}}


def test_a_known_trial_starts_neither_dvc_nor_a_worktree(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    record(FAST)
    run_trials([FAST])
    started: list[list[str]] = []
    real = subprocess.Popen

    def popen(command: list[str], *rest: Any, **options: Any) -> Any:
        started.append(command)
        return real(command, *rest, **options)

    monkeypatch.setattr(subprocess, "Popen", popen)
    (outcome,) = run_trials([FAST])
    assert outcome.state == "known"
    assert sorted(command[:2] for command in started) == [
        ["git", "cat-file"], ["git", "for-each-ref"], ["git", "ls-files"], ["git", "ls-files"]
    ]  # fmt: skip


CHANGES: dict[str, Callable[[], object]] = {
    "a dep": lambda: Path("toy.py").write_text(Path("toy.py").read_text() + "# more\n"),
    "a file more in a dep": lambda: Path("data/raw/more.txt").write_text("more"),
    "a file less in a dep": lambda: (Path("data/raw/more.txt").write_text(""), Path("data/raw/toy.txt").unlink()),
    "a param": lambda: Path("params.yaml").write_text(Path("params.yaml").read_text().replace("seed: 1", "seed: 2")),
    "the pipeline": lambda: Path("dvc.yaml").write_text(Path("dvc.yaml").read_text().replace("toy.py score", "x")),
    "staged": lambda: (Path("toy.py").write_text("# other\n"), git("add", "toy.py")),
    "a mode": lambda: Path("data/raw/toy.txt").chmod(0o755),
    "a link": lambda: (Path("data/raw/toy.txt").unlink(), Path("data/raw/toy.txt").symlink_to("there")),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_not_committed_makes_another_trial(project: Any, change: str) -> None:
    record(FAST)
    assert answer() == "fast"
    CHANGES[change]()
    assert answer() is None
    git("add", "-A")
    git("-c", "user.name=ann", "-c", "user.email=ann@localhost", "commit", "-qm", "change")
    assert answer() is None
    record(FAST)
    assert answer() == "fast-2"


def test_uncommitted_changes_are_known_too(project: Any) -> None:
    CHANGES["a dep"]()
    Path("notes.txt").write_text("mine")
    before = project.user_state()
    record(FAST)
    assert answer() == "fast"
    Path("notes.txt").write_text("no stage reads this")
    assert answer() == "fast" and answer(Trial("b", {"seed": 5}, "try", "try")) is None
    Path("notes.txt").write_text("mine")
    assert project.user_state() == before


def test_the_last_of_several_answers(project: Any) -> None:
    record(Trial("late", FAST.overrides, "try", "try", "later"), when=1_700_000_500)
    record(FAST)
    assert answer() == "late" == list_trials()[-1].trial.name


@pytest.mark.parametrize("said", [lambda text: f"{text}Signed-off-by: ann\n", lambda text: text.replace(": {", ":  {")])
def test_a_message_written_anew_is_left_to_git(project: Any, said: Callable[[str], str]) -> None:
    record(FAST, said=said)
    assert answer() == "fast"


def test_trials_that_come_and_go_are_seen(project: Any) -> None:
    assert answer() is None
    record(FAST)
    assert answer() == "fast"
    KEPT.write_text("[]")
    assert answer() == "fast"
    git("update-ref", "-d", f"refs/exps/{take().base[:2]}/{take().base[2:]}/fast")
    assert answer() is None


def conflict() -> None:
    for branch, text in (("one", "1"), ("two", "2")):
        git("checkout", "-q", "-B", branch, "main")
        Path("both.txt").write_text(text)
        git("add", "both.txt")
        git("-c", "user.name=ann", "-c", "user.email=ann@localhost", "commit", "-qm", branch)
    author = ["-c", "user.name=ann", "-c", "user.email=ann@localhost"]
    subprocess.run(["git", *author, "merge", "-q", "one"], capture_output=True, check=False)
    assert Path(".git/MERGE_HEAD").exists()


REFUSED: dict[str, Callable[[], object]] = {
    "a merge": conflict,
    "a conflict left": lambda: (conflict(), Path(".git/MERGE_HEAD").unlink()),
    "ignored data": lambda: (Path(".gitignore").write_text("*.bin\n"), Path("data/raw/x.bin").write_text("")),
    "data under DVC that was not looked at": lambda: (
        project_adds_data(), Path("data/raw/toy.txt").write_text("other")
    ),
    "no pipeline": lambda: Path("dvc.yaml").unlink(),
    "params that Git ignores": lambda: (git("rm", "-q", "--cached", "params.yaml"),
                                        Path(".gitignore").write_text("params.yaml\n")),
    "no repository": lambda: Path(".git").rename(".elsewhere"),
}  # fmt: skip


def project_adds_data() -> None:
    git("rm", "-rq", "--cached", "data/raw")
    Path("data/raw.dvc").write_text("outs:\n- md5: 0\n  path: raw\n")
    Path("data/.gitignore").write_text("/raw\n/prepared\n/model\n/predictions.validation.jsonl\n")


@pytest.mark.parametrize("case", REFUSED)
def test_what_run_trials_would_refuse_is_left_to_it(project: Any, case: str) -> None:
    record(FAST)
    REFUSED[case]()
    with look([FAST]) as seen:
        assert seen is None


def test_ids_are_those_of_git(project: Any) -> None:
    def by_git() -> dict[str, str]:
        lines = git("ls-tree", "-r", "-t", "-z", "--full-tree", take().tree).split("\0")
        return {line.partition("\t")[2]: line.split()[2] for line in lines if line}

    def ours() -> dict[str, str]:
        return tracked.ids(git(*tracked.STATE), Path(".git/index"))

    assert ours() == by_git()
    for name in ("a/b/c.txt", "a.txt", "a-b/c", "a b/ü \t.txt", "deep/er/one", "deep/er.txt", "deep/er-"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(name)
    Path("link").symlink_to("nowhere")
    Path("a.txt").chmod(0o755)
    Path("toy.py").unlink()
    changed = ours()
    assert changed == by_git() and "deep/er" in changed and "toy.py" not in changed
    git("add", "-A")
    assert ours() == changed
