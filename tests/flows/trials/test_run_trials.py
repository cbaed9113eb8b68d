"""Trials on a toy pipeline: recorded as experiments, known again, side by side, the workspace untouched."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from flows.trials import Outcome, Trial, list_trials, run_trials
from flows.trials.hands import Running
from tasks.errors import UserError


def trial(name: str, **overrides: Any) -> Trial:
    keys = {key.replace("__", "."): value for key, value in overrides.items()}
    return Trial(name, keys, "try", "tests", reason="more is more", expect=0.01)


def test_a_trial_becomes_an_experiment_and_is_known_from_then_on(project: Any) -> None:
    (project.folder / "params.yaml").write_text(project.call("cat", "params.yaml").replace("epochs: 2", "epochs: 3"))
    (project.folder / "notes.txt").write_text("untracked, carried along\n")
    before = project.user_state()
    (first,) = run_trials([trial("fast", train__rate=0.7)], on="local")
    assert (first.state, first.name, first.error) == ("ran", "fast", "")
    assert first.metrics["validation"]["entity_f1"] == 0.71
    assert first.cost["stages"]["prepare"]["verdict"] == "cached, unchanged"
    assert first.cost["stages"]["train"]["verdict"] == "ran"
    assert set(first.cost["files"]) == {"train"}
    assert "epoch 3" in first.log.read_text()
    assert project.user_state() == before
    assert project.left_behind() == []
    assert first.rev == project.trials()["fast"]
    assert project.git("show", f"{first.rev}:notes.txt") == "untracked, carried along\n"
    text = project.git("show", f"{first.rev}:params.yaml")
    assert "rate: 0.7      # of learning" in text and "epochs: 3" in text and "# a comment that stays" in text
    started = time.perf_counter()
    (again,) = run_trials([trial("other-name", train__rate=0.7)], on="local")
    assert time.perf_counter() - started < 1.0  # measured apart in test_speed
    assert (again.state, again.rev, again.name, again.metrics) == ("known", first.rev, "fast", first.metrics)
    assert len(project.notes("start", "train")) == 1
    (recorded,) = list_trials()
    assert recorded.trial == Trial("fast", {"train.rate": 0.7}, "try", "tests", "more is more", 0.01)
    assert (recorded.rev, recorded.ours, recorded.metrics) == (first.rev, True, first.metrics)
    assert recorded.params["train"] == {"rate": 0.7, "sleep": 0.0, "epochs": 3, "fail": False}
    assert recorded.cost["stages"] == first.cost["stages"]


def test_dvc_shows_compares_and_applies_a_trial(project: Any) -> None:
    run_trials([trial("slow", train__rate=0.2), trial("fast", train__rate=0.7)], on="local")
    shown = json.loads(project.dvc("exp", "show", "--json"))
    names = {exp["name"] for row in shown for exp in row["experiments"] or []} if isinstance(shown, list) else set()
    if not names:
        names = {exp["revs"][0]["name"] for row in shown for exp in row.get("experiments") or []}
    assert names >= {"slow", "fast"}
    assert "0.71" in project.dvc("exp", "diff", "slow", "fast")
    project.dvc("exp", "apply", "fast")
    assert "rate: 0.7 " in (project.folder / "params.yaml").read_text()
    assert (project.folder / "data/model/weights").read_text().startswith("1.7")
    notes = len(project.notes("start", "train"))
    project.dvc("repro", "-q")
    assert len(project.notes("start", "train")) == notes


def test_what_trials_share_runs_once_and_each_has_its_core(project: Any) -> None:
    (project.folder / "data/raw/toy.txt").write_text("other\n")
    ticks: list[list[Running]] = []
    outcomes = run_trials(
        [trial(f"seed-{seed}", seed=seed, train__sleep=0.3) for seed in (1, 2, 3)], on="local", on_tick=ticks.append
    )
    assert [outcome.state for outcome in outcomes] == ["ran"] * 3
    assert [outcome.trial.name for outcome in outcomes] == ["seed-1", "seed-2", "seed-3"]
    assert len(project.notes("start", "prepare")) == 1
    spans = [
        (start[5], end[5], tuple(start[4]))
        for start in project.notes("start", "train")
        for end in project.notes("end", "train")
        if start[2] == end[2]
    ]
    assert len(spans) == 3 and all(len(cores) == 1 for *_, cores in spans)
    for index, (start, end, cores) in enumerate(spans):
        for other, until, others in spans[:index]:
            assert cores != others or start >= until or other >= end
    assert any(running[0].log.exists() for running in ticks if running)


def test_a_failed_trial_says_why_and_the_others_go_on(project: Any) -> None:
    said: list[Outcome] = []
    outcomes = run_trials([trial("bad", train__fail=True), trial("good", seed=3)], on="local", on_outcome=said.append)
    assert [outcome.state for outcome in outcomes] == ["failed", "ran"]
    assert outcomes[0].error == "train: params.yaml: train.fail: true; set it to false"
    assert "set it to false" in outcomes[0].log.read_text()
    assert {outcome.trial.name for outcome in said} == {"bad", "good"}
    assert set(project.trials()) == {"good"}
    assert project.left_behind() == []


def test_an_epoch_may_end_a_trial(project: Any) -> None:
    seen: list[tuple[str, int, float]] = []

    def prune(this: Trial, epoch: int, figure: float) -> bool:
        seen.append((this.name, epoch, round(figure, 6)))
        return this.name == "weak"

    (weak, strong) = run_trials(
        [trial("weak", train__rate=0.1, train__epochs=400, train__sleep=0.2), trial("strong", train__rate=0.9)],
        on="local",
        on_epoch=prune,
    )
    assert (weak.state, strong.state) == ("pruned", "ran")
    assert ("weak", 1, 0.1) in seen and ("strong", 2, 1.8) in seen
    assert project.left_behind() == [] and set(project.trials()) == {"strong"}


def test_a_generator_sees_what_came_before(project: Any) -> None:
    outcomes: list[Outcome] = []

    def ask() -> Any:
        yield trial("first", train__rate=0.3)
        yield trial("second", train__rate=round(outcomes[0].metrics["validation"]["entity_f1"] + 0.1, 6))

    run_trials(ask(), on="local", on_outcome=outcomes.append, limit=1)
    assert [outcome.trial.overrides for outcome in outcomes] == [{"train.rate": 0.3}, {"train.rate": 0.41}]


def test_two_of_a_kind_run_once_and_names_are_never_overwritten(project: Any) -> None:
    first, second = run_trials([trial("a", seed=5), trial("b", seed=5)], on="local")
    assert (first.state, second.state, second.rev) == ("ran", "known", first.rev)
    (third,) = run_trials([trial("a", seed=6)], on="local")
    assert third.name == "a-2" and set(project.trials()) == {"a", "a-2"}


def test_data_under_dvc_comes_along_and_an_edit_that_is_not_added_is_refused(project: Any) -> None:
    project.git("rm", "-rq", "--cached", "data/raw")
    project.dvc("add", "-q", "data/raw")
    (outcome,) = run_trials([trial("tracked", seed=2)], on="local")
    assert outcome.state == "ran", outcome.error
    (project.folder / "data/raw/toy.txt").write_text("edited\n")
    with pytest.raises(UserError, match=r"^data/raw: differs from data/raw.dvc.*'dvc add data/raw' takes the change"):
        run_trials([trial("tracked", seed=2)], on="local")
    project.dvc("add", "-q", "data/raw")
    (outcome,) = run_trials([trial("tracked", seed=2)], on="local")
    assert (outcome.state, outcome.name) == ("ran", "tracked-2")


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        ("echo bin > data/raw/big.bin && echo '*.bin' >> .gitignore", "data/raw/big.bin: a stage reads it and Git ign"),
        ("touch .git/MERGE_HEAD", "a merge is under way here"),
        ("git rm -q --cached toy.py && echo toy.py >> .gitignore", "toy.py is in neither Git nor DVC"),
        ("truncate -s 60000000 huge.txt", "huge.txt: 60 MB that neither Git nor DVC knows"),
    ],
)
def test_what_a_worktree_would_silently_lack_is_refused(project: Any, prepare: str, said: str) -> None:
    project.call("sh", "-c", prepare)
    with pytest.raises(UserError, match=said):
        run_trials([trial("never", seed=2)], on="local")
    assert project.trials() == {} and project.left_behind() == []


def test_unknown_keys_and_names_are_refused_before_anything_runs(project: Any) -> None:
    with pytest.raises(UserError, match=r"train.rates: no such key; did you mean 'train.rate'\?"):
        run_trials([trial("x", train__rates=1)], on="local")
    with pytest.raises(UserError, match="cannot name a trial"):
        run_trials([trial("a b", seed=1)], on="local")
    with pytest.raises(UserError, match="--address x is for --on dask and --on ray"):
        run_trials([], on="local", address="x")
    assert not Path(".dvc/tmp/hone/logs").exists()
