"""SIGKILL of fan-out, runners and stages: no finished trial is lost, nothing is left, nothing is touched."""

import fcntl
import os
import random
import signal
import subprocess
from contextlib import suppress
from typing import Any

import psutil
import pytest


def trials(count: int, sleep: float) -> list[dict[str, Any]]:
    names = range(1, count + 1)
    overrides = [{"seed": seed, "train.sleep": sleep, "train.epochs": 4} for seed in names]
    return [
        {"name": f"seed-{seed}", "overrides": over, "kind": "repeat", "group": "kill"}
        for seed, over in zip(names, overrides, strict=True)
    ]


def runners(project: Any) -> list[psutil.Process]:
    found = []
    for process in project.processes():
        try:
            if os.getsid(process.pid) == process.pid:
                found.append(process)
        except ProcessLookupError:
            continue
    return found


def finish(project: Any, asked: list[dict[str, Any]], before: dict[str, str]) -> None:
    """Run to the end and look that all is there and nothing else."""
    process = project.start(asked)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert set(project.trials()) == {trial["name"] for trial in asked}
    assert project.user_state() == before
    assert project.left_behind() == []
    for trial in asked:
        text = project.git("show", f"{project.trials()[trial['name']]}:data/metrics.validation.json")
        assert f'"entity_f1": {round(0.5 + trial["overrides"]["seed"] % 7 / 100, 6)}' in text
    project.git("fsck", "--no-dangling")


def test_a_killed_fan_out_takes_its_runners_along_and_goes_on_later(project: Any) -> None:
    before = project.user_state()
    asked = trials(3, 0.3)
    process = project.start(asked)
    project.until(lambda: len(project.trials()) >= 1 and runners(project))
    os.killpg(process.pid, signal.SIGKILL)  # the fan-out alone: each runner leads a session of its own
    process.communicate()
    kept = project.trials()
    project.until(lambda: not project.processes(), patience=15)
    folders = project.folder / ".dvc/tmp/hone/trials"
    assert [path for path in folders.iterdir() if path.is_dir()] == []
    assert project.user_state() == before
    finish(project, asked, before)
    assert kept.items() <= project.trials().items()


def test_a_killed_runner_and_fan_out_leave_nothing_to_the_next_start(project: Any) -> None:
    before = project.user_state()
    asked = trials(2, 0.4)
    process = project.start(asked)
    project.until(lambda: project.notes("start", "train"))
    for runner in runners(project):
        runner.kill()
    process.kill()
    process.communicate()
    finish(project, asked, before)


def test_a_killed_runner_is_a_failed_trial_and_its_stage_ends(project: Any) -> None:
    before = project.user_state()
    asked = trials(1, 5.0)
    process = project.start(asked)
    project.until(lambda: project.notes("start", "train"))
    (runner,) = runners(project)
    runner.kill()
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 1 and "its runner was ended by SIGKILL" in said
    assert project.processes() == [] and project.user_state() == before
    project.start([]).communicate(timeout=60)  # the next start takes the folder away
    assert project.left_behind() == []


def test_what_a_killed_fan_out_left_goes_even_where_all_trials_are_known(project: Any) -> None:
    before = project.user_state()
    asked = trials(1, 0.0)
    finish(project, asked, before)
    folders = project.folder / ".dvc/tmp/hone/trials"
    (folders / "@fan-out-dead").touch()
    (folders / "0123456789abcdef0123" / "one").mkdir(parents=True)
    project.git("update-ref", "refs/hone/snapshots/dead", "HEAD")
    assert len(project.left_behind()) == 3
    finish(project, asked, before)


def test_who_is_still_dying_at_the_start_is_swept_up_after_at_the_end(project: Any) -> None:
    before = project.user_state()
    dying = project.folder / ".dvc/tmp/hone/trials/@fan-out-dying"
    dying.parent.mkdir(parents=True, exist_ok=True)
    with dying.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        process = project.start(trials(1, 0.3))
        project.until(lambda: project.notes("start", "train"))
    process.communicate(timeout=60)
    assert process.returncode == 0 and project.left_behind() == []
    assert project.user_state() == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_everything_cleanly(project: Any, number: signal.Signals) -> None:
    before = project.user_state()
    process = project.start(trials(2, 5.0))
    project.until(lambda: project.notes("start", "train"))
    process.send_signal(number)
    process.communicate(timeout=30)
    project.until(lambda: not project.processes(), patience=10)
    assert project.user_state() == before
    assert [path for path in (project.folder / ".dvc/tmp/hone/trials").iterdir() if path.is_dir()] == []


@pytest.mark.faults
@pytest.mark.parametrize("seed", range(8))
def test_kills_at_random_moments(project: Any, seed: int) -> None:
    dice = random.Random(seed)
    before = project.user_state()
    asked = trials(4, 0.15)
    kept: dict[str, str] = {}
    for _ in range(4):
        process = project.start(asked)
        with suppress(subprocess.TimeoutExpired):
            process.wait(dice.uniform(0.5, 5))
        victims = {
            "fan-out": [process.pid],
            "runners": [one.pid for one in runners(project)],
            "stages": [one.pid for one in project.processes() if one not in runners(project)],
            "all": [process.pid, *(one.pid for one in project.processes())],
        }[dice.choice(["fan-out", "runners", "stages", "all"])]
        for victim in victims:
            try:
                os.kill(victim, signal.SIGKILL)
            except ProcessLookupError:
                continue
        process.communicate(timeout=120)
        assert kept.items() <= project.trials().items()
        kept = project.trials()
        assert project.user_state() == before
    project.until(lambda: not project.processes(), patience=15)  # nobody sweeps up after who is still dying
    finish(project, asked, before)
