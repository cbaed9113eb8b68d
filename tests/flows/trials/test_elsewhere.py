"""A worker that does not see the project's folder: all it has is a clone, the Git remote and the DVC remote."""

import json
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from flows.trials import Trial, list_trials
from flows.trials.adopt import adopt, find
from flows.trials.elsewhere import handed_over, receive
from flows.trials.hands import Hands
from flows.trials.job import Answer, Job
from flows.trials.snapshot import commit, kept, take
from tasks.errors import UserError

ATTEMPT = (
    "import json, sys; from flows.trials.attempt import attempt; print(json.dumps(attempt(json.loads(sys.argv[1]))))"
)


def job_for(trial: Trial, remote: str) -> tuple[Job, Any]:
    snapshot = take()
    hands = Hands("elsewhere", snapshot, iter([trial]), remote, None, None, None, print)
    job = hands.pull()
    assert job is not None
    return replace(job, root="/nowhere/project"), snapshot


def attempt(project: Any, clone: Path, job: Job) -> Answer:
    done = subprocess.run(
        [sys.executable, "-c", ATTEMPT, json.dumps(job.plain())],
        cwd=clone,
        env=project.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return Answer(**json.loads(done.stdout))


def test_the_snapshot_goes_out_and_the_experiment_comes_back(project: Any, clone: Path) -> None:
    Path("toy.py").write_text(Path("toy.py").read_text() + "# not committed\n")
    before = project.user_state()
    job, snapshot = job_for(Trial("far", {"train.rate": 0.7}, "try", "tests"), "origin")
    with kept(snapshot, "elsewhere") as ref, handed_over("origin", commit(snapshot), ref):
        answer = attempt(project, clone, job)
    assert (answer.state, answer.name, answer.error) == ("ran", "far", "")
    assert answer.metrics["validation"]["entity_f1"] == 0.71 and answer.host and "/clone/" in answer.log
    assert project.trials() == {}
    receive(job, answer)
    (recorded,) = list_trials()
    assert recorded.rev == answer.rev and recorded.key == job.key
    assert "# not committed" in project.git("show", f"{recorded.rev}:toy.py")
    assert project.user_state() == before and project.left_behind() == []
    assert project.git("ls-remote", "origin").count("refs/hone") == 0
    assert project.git("-C", str(clone), "status", "--porcelain") == ""
    assert adopt(find("far")).lost == []  # the outs come from the DVC remote
    assert Path("data/model/weights").read_text().startswith("1.7")


def test_a_worker_without_a_way_says_what_it_needs(project: Any, clone: Path) -> None:
    job, _ = job_for(Trial("far", {"seed": 3}, "try", "tests"), "")
    answer = attempt(project, clone, job)
    assert answer.state == "failed" and "does not see /nowhere/project; --git-remote NAME" in answer.error
    job, _ = job_for(Trial("far", {"seed": 3}, "try", "tests"), "nowhere")
    answer = attempt(project, clone, job)
    assert "start workers in a clone of the repository whose remote is named 'nowhere'" in answer.error
    with pytest.raises(UserError, match="--git-remote nowhere: git push"), handed_over("nowhere", job.base, "refs/x"):
        pass
    assert asdict(job)["trial"]["name"] == "far"
