"""Adopting a trial, and dropping the models of weaker ones."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flows.trials import Trial, list_trials, run_trials
from flows.trials.adopt import adopt, find
from flows.trials.disk import cache_folder, own, plan, remove
from flows.trials.place import active, inactive
from tasks.errors import UserError


def tried(**by_name: float) -> None:
    trials = [Trial(name, {"train.rate": rate}, "try", "tests") for name, rate in by_name.items()]
    assert [outcome.error for outcome in run_trials(trials, on="local")] == [""] * len(trials)


def test_adopting_changes_params_and_outs_and_trains_nothing(project: Any) -> None:
    text = Path("params.yaml").read_text()
    tried(fast=0.7, slow=0.2)
    Path("params.yaml").write_text(text.replace("# toy", "# toy, my own comment"))
    Path("notes.txt").write_text("mine\n")
    ran = len(project.notes("start", "train"))
    adopted = adopt(find("fast"))
    assert adopted.params == {"train.rate": (0.5, 0.7)} and adopted.lost == []
    assert Path("params.yaml").read_text() == text.replace("# toy", "# toy, my own comment").replace(
        "rate: 0.5 ", "rate: 0.7 "
    )
    assert Path("data/model/weights").read_text().startswith("1.7")
    assert '"entity_f1": 0.71' in Path("data/metrics.validation.json").read_text()
    assert Path("notes.txt").read_text() == "mine\n"
    project.dvc("repro", "-q")
    assert len(project.notes("start", "train")) == ran
    project.git("commit", "-qam", "Adopt fast")
    assert project.git("status", "--porcelain").split() == ["??", "notes.txt"]
    adopt(find(project.trials()["slow"][:9]))  # of the commit before, by its own
    assert Path("data/model/weights").read_text().startswith("1.2")


def test_a_trial_of_other_code_is_refused_and_an_unknown_one_too(project: Any) -> None:
    tried(fast=0.7)
    Path("toy.py").write_text(Path("toy.py").read_text() + "# changed\n")
    before = project.user_state()
    with pytest.raises(UserError, match=r"^fast was made with other code or data \(toy.py\); try it again"):
        adopt(find("fast"))
    with pytest.raises(UserError, match=r"'fats': no such trial here; did you mean 'fast'\?"):
        find("fats")
    assert project.user_state() == before


def test_outs_that_nobody_has_a_copy_of_are_not_overwritten(project: Any) -> None:
    tried(fast=0.7)
    Path("data/model/weights").write_text("made by hand")
    before = project.user_state()
    with pytest.raises(UserError, match="nothing was changed, for DVC has no copy of what would be overwritten"):
        adopt(find("fast"))
    assert project.user_state() == before


def test_params_that_decide_no_result_stay_the_users(project: Any) -> None:
    tried(fast=0.7)
    text = Path("params.yaml").read_text()
    assert "keep_models: 2 " in text
    Path("params.yaml").write_text(text.replace("keep_models: 2 ", "keep_models: 5 "))
    assert adopt(find("fast")).params == {"train.rate": (0.5, 0.7)}
    assert "keep_models: 5 " in Path("params.yaml").read_text()


def test_only_models_of_weaker_trials_go_and_can_be_made_again(project: Any) -> None:
    tried(a=0.9, b=0.8, c=0.7, d=0.6, e=0.4)
    project.git("branch", "keep-d", project.trials()["d"])
    project.git("tag", "keep-e", project.trials()["e"])
    cache = own(cache_folder())
    found = plan(2, "entity_f1", cache)
    assert [one.trial.name for one in found.kept] == ["a", "b"]
    assert [one.trial.name for one, _ in found.dropped] == ["c"]  # a branch needs d, a tag needs e
    before = {path for path in cache.rglob("*") if path.is_file()}
    freed = remove(found)
    gone = before - {path for path in cache.rglob("*") if path.is_file()}
    assert gone == set(found.objects) and freed == sum(found.objects.values()) > 2000
    assert plan(2, "entity_f1", cache).objects == {}
    project.dvc("status", "-q")
    for name in ("a", "d", "e"):
        assert adopt(find(name)).lost == []
    ran = len(project.notes("start", "train"))
    assert adopt(find("c")).lost == ["data/model"]
    project.dvc("repro", "-q")
    assert len(project.notes("start", "train")) == ran + 1
    assert Path("data/model/weights").read_text().startswith("1.7")
    assert {one.trial.name for one in list_trials()} == {"a", "b", "c", "d", "e"}


def test_nothing_goes_while_trials_run_or_from_a_shared_cache(project: Any, tmp_path: Path) -> None:
    with active(), pytest.raises(UserError, match="trials are at work here"), inactive():
        pass
    with inactive(), pytest.raises(UserError, match="'hone gc' is at work"), active():
        pass
    with pytest.raises(UserError, match="other projects may use this cache"):
        own(tmp_path / "elsewhere")


def test_trials_travel_through_remotes(project: Any, tmp_path: Path) -> None:
    project.dvc("remote", "add", "-q", "-d", "store", str(tmp_path / "store"))
    project.git("commit", "-qam", "remote")
    project.git("init", "-q", "--bare", str(tmp_path / "hub.git"))
    project.git("remote", "add", "origin", str(tmp_path / "hub.git"))
    project.git("push", "-q", "origin", "main")
    tried(fast=0.7)
    project.dvc("exp", "push", "-q", "origin", "fast")
    clone = tmp_path / "clone"
    project.git("clone", "-q", "-b", "main", str(tmp_path / "hub.git"), str(clone))
    run = {"cwd": clone, "env": project.environment, "check": True, "capture_output": True}
    dvc = [sys.executable, "-P", "-m", "dvc"]
    subprocess.run([*dvc, "exp", "pull", "-q", "origin", "fast"], **run)
    code = "from flows.trials.adopt import *; print(adopt(find('fast')).lost)"
    done = subprocess.run([sys.executable, "-c", code], text=True, **run)
    assert done.stdout.strip() == "[]"
    assert (clone / "data/model/weights").read_text().startswith("1.7")
