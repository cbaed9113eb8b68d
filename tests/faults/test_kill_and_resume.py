"""A run killed at any moment and started again ends with the bytes of one that nobody interrupted.

HONE_FAULT_ROUNDS is the number of kills (10), HONE_FAULT_SEED chooses their moments (1), HONE_FAULT_THREADS the
threads of training (1).
"""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

pytestmark = [pytest.mark.faults, pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")]

SEED = int(os.environ.get("HONE_FAULT_SEED", "1"))
ROUNDS = [  # what is killed in turn, and under which command
    ("steps", "stage", "dvc repro"),
    ("preprocess", "dvc", "dvc repro"),
    ("writing", "flow", "hone run local"),
    ("evaluate", "stage", "hone run local"),
    ("writing", "dvc", "dvc repro"),
    ("steps", "flow", "hone run"),
    ("writing", "stage", "hone run local"),
    ("evaluate", "dvc", "dvc repro"),
    ("preprocess", "flow", "hone run local"),
    ("commit", "dvc", "dvc repro"),
    ("preprocess", "stage", "hone run local"),
    ("steps", "dvc", "hone run local"),
    ("evaluate", "flow", "hone run local"),
]
COUNT = int(os.environ.get("HONE_FAULT_ROUNDS", "10"))
FIRST = {"steps": "finetune", "writing": "finetune", "commit": "finetune"}  # the stage that a moment is in


@pytest.mark.parametrize("number", range(1, COUNT + 1))
def test_a_kill_changes_no_byte(
    number: int, project: Any, reference: Any, until: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    moment, target, command = ROUNDS[(number - 1) % len(ROUNDS)]
    chance = random.Random(f"{SEED} {number}")
    stage = FIRST.get(moment, moment)
    project.reset(stage)
    with project.watched(trainers=0 if stage == "evaluate" else 1):
        run = project.start(command)
        while (found := MOMENTS[moment](project, until, stage, chance)) is None:  # the stage was faster
            assert run.wait() == 0, run.said
            project.reset(stage)
            run = project.start(command)
        frozen, words = found
        before = project.steps()
        victim = {"stage": frozen, "dvc": project.dvc(), "flow": psutil.Process(run.process.pid)}[target]
        victim.kill()
        if target != "stage":
            with suppress(psutil.NoSuchProcess):
                frozen.resume()
        assert run.wait() != 0, run.said
        again = project.rerun(command)
    resumed = [step for other in again for step in other.resumed]
    told = f"goes on after step {resumed[0]}" if resumed else "goes on with a stage anew"
    with capsys.disabled():
        sys.stdout.write(f"\n{number:>3}  {words:<40} {target:<6} {command:<15} {told} (try {len(again)})")
    assert project.results() == reference.results()
    if moment in ("steps", "writing"):
        assert len(resumed) == 1
        assert resumed[0] == before[-1] if target == "stage" else resumed[0] >= before[-1]
    else:
        assert not resumed


def after_a_while(project: Any, until: Any, stage: str, chance: random.Random) -> tuple[psutil.Process, str] | None:
    """The process of a stage, stopped at a random moment of its life; None if it had ended by then."""
    process = until(lambda: project.stage(stage), f"the start of {stage}")
    delay = chance.uniform(0, 0.3 if stage == "preprocess" else 4)
    time.sleep(delay)
    return (process, f"{stage}, {delay:.2f} s in it") if stopped(process, until) else None


def between_checkpoints(project: Any, until: Any, stage: str, chance: random.Random) -> tuple[psutil.Process, str]:
    """Finetune, stopped a random time after a random checkpoint."""
    step, delay = chance.randrange(10, 200), chance.uniform(0, 0.1)
    until(lambda: project.steps()[-1:] >= [step] or None, f"a checkpoint of step {step}")
    process = project.stage(stage)
    time.sleep(delay)
    assert stopped(process, until)
    return process, f"{stage}, {delay:.3f} s after step {project.steps()[-1]}"


def while_writing(project: Any, until: Any, stage: str, chance: random.Random) -> tuple[psutil.Process, str]:
    """Finetune, stopped while it writes a checkpoint after a random one."""
    step = chance.randrange(10, 200)
    until(lambda: project.steps()[-1:] >= [step] or None, f"a checkpoint of step {step}")
    process = project.stage(stage)

    def half_written() -> int | None:
        part = project.steps("*/step-*.part")
        return part[-1] if part and part[-1] > project.steps()[-1] else None  # others are being removed

    while True:
        until(half_written, "a checkpoint that is being written", pause=0.0005)
        assert stopped(process, until)
        if part := half_written():
            return process, f"{stage}, writing checkpoint {part}"
        process.resume()


def while_dvc_takes_over(project: Any, until: Any, stage: str, chance: random.Random) -> tuple[psutil.Process, str]:
    """Finetune has ended, and dvc brings its outs into the cache."""
    process = until(lambda: project.stage(stage), f"the start of {stage}")
    until(lambda: None if process.is_running() else True, f"the end of {stage}")
    delay = chance.uniform(0, 0.3)
    time.sleep(delay)
    return process, f"{delay:.2f} s after {stage}"


MOMENTS = {
    "preprocess": after_a_while,
    "steps": between_checkpoints,
    "writing": while_writing,
    "commit": while_dvc_takes_over,
    "evaluate": after_a_while,
}


def stopped(process: psutil.Process, until: Any) -> bool:
    """Stop a process, so that what is seen of it stays so; whether it was alive."""

    def look() -> bool | None:
        try:
            state = process.status()
        except psutil.NoSuchProcess:
            return False
        return {psutil.STATUS_STOPPED: True, psutil.STATUS_ZOMBIE: False}.get(state)

    with suppress(psutil.NoSuchProcess):
        process.suspend()
    return bool(until(look, "the stop of a process"))


@pytest.mark.parametrize(
    ("number", "target", "command"),
    [
        (signal.SIGTERM, "stage", "dvc repro"),
        (signal.SIGTERM, "flow", "hone run local"),
        (signal.SIGKILL, "dvc", "dvc repro"),
        (signal.SIGKILL, "flow", "hone run local"),
    ],
)
def test_a_training_that_has_to_end_saves_and_the_next_run_goes_on_right_there(
    number: signal.Signals, target: str, command: str, project: Any, reference: Any, until: Any
) -> None:
    project.set("every_steps", "0")
    project.set("every_seconds", "3600")  # no checkpoint but that of the end
    project.reset("finetune")
    with project.watched():
        run = project.start(command)
        until(lambda: "epoch 2/" in run.said or None, "an epoch")
        stage = project.stage("finetune")
        assert not project.steps()
        (stage if target == "stage" else run.process).send_signal(number)
        stage.wait(timeout=10)
        assert run.wait() != 0
        (step,) = project.steps()
        again = project.rerun(command)
    if target != "flow":  # else nobody hears its last words
        assert f"ended by SIGTERM after step {step};" in run.said
    assert [other.resumed for other in again if other.resumed] == [[step]]
    assert project.results() == reference.results()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk_costs_lines_and_no_result(project: Any, reference: Any) -> None:
    project.set("every_steps", "100")
    project.reset("finetune")
    disk = project.folder / ".dvc/tmp/hone"
    shutil.rmtree(disk)
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"mounting is not allowed here: {mounted.stderr.strip()}")
    try:
        with project.watched():
            run = project.start("dvc repro")
            assert run.wait() == 0, run.said
    finally:
        project.end_all()
        subprocess.run(["umount", "--lazy", disk], check=True)
    lines = [line for line in run.said.splitlines() if "No space left" in line or "Error" in line]
    assert [re.findall(r"^checkpoint skipped: step (\d+00): No space left on device; free \d+ MB or move", line)
            for line in lines] == [["100"], ["200"]]  # fmt: skip
    assert project.results() == reference.results()


@pytest.mark.parametrize(
    ("one", "other"),
    [("hone run local", "hone run local"), ("dvc repro", "dvc repro"), ("dvc repro", "hone run local")],
)
def test_of_two_runs_at_once_one_waits_or_says_for_whom(one: str, other: str, project: Any, reference: Any) -> None:
    project.reset("finetune")
    with project.watched():
        runs = [project.start(one), project.start(other)]
        codes = [run.wait() for run in runs]
    said = "".join(run.said for run in runs)
    assert 0 in codes
    holders = "|".join(str(run.process.pid) for run in runs)
    assert re.search(rf"another run .*\(process ({holders}) |busy.*\n?.*PID ({holders})|Unable to acquire lock", said)
    assert said.count("epoch 1/14 ") == 1
    assert project.results() == reference.results()


@pytest.mark.skipif(
    hasattr(os, "sched_getaffinity") and len(os.sched_getaffinity(0)) < 2, reason="two processes want two cores"
)
def test_several_processes_go_on_where_the_first_was_killed(project: Any, until: Any) -> None:
    project.set("processes", "2")
    project.reset("finetune")
    whole = project.start("stage")
    assert whole.wait() == 0, whole.said
    expected = project.results()
    run = project.start("stage")
    until(lambda: project.steps()[-1:] >= [40] or None, "a checkpoint of step 40")
    assert len(project.processes()) == 2
    run.process.kill()
    run.wait()
    step = project.steps()[-1]
    until(lambda: None if project.processes() else True, "the end of the other process", patience=20)
    again = project.start("stage")
    assert again.wait() == 0, again.said
    assert again.resumed == [step]
    assert project.results() == expected


def test_two_trainers_would_be_seen(project: Any, until: Any) -> None:
    project.reset("finetune")
    project.start("stage")
    until(lambda: project.steps() or None, "a checkpoint")
    assert len(project.trainers()) == 1
    first = project.stage("finetune")
    assert stopped(first, until)
    for lock in (project.folder / ".dvc/tmp/hone").rglob("*lock"):
        lock.unlink()  # what keeps the second one waiting
    project.start("stage")
    until(lambda: len(project.trainers()) == 2 or None, "a second trainer")


def test_the_project_trains_something(reference: Any) -> None:
    lines = (Path(reference.folder) / "data/history.csv").read_text().splitlines()
    figures = [float(line.split(",")[-1]) for line in lines[1:]]
    assert len(figures) == 14
    assert 0.0 < figures[-1] < max(figures)  # so that the weights of another epoch are kept
