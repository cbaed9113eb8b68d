"""One stage through DVC: verdicts, errors, results put back, the same lock."""

import json
import os
import shutil
import signal
import sys
from typing import Any

import pytest

from flows import dvc
from flows.dag import Stage, stages
from flows.dvc import Busy, Heard, StageFailed, Verdict, clean, reproduce


@pytest.fixture
def inside(done_toy: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A finished toy project as the current folder."""
    monkeypatch.chdir(done_toy.folder)
    for name in ("HONE_STARTER", "HONE_PYTHON"):
        monkeypatch.delenv(name, raising=False)
    for name, value in done_toy.environment.items():
        monkeypatch.setenv(name, value)
    return done_toy


def named(name: str) -> Stage:
    return {stage.name: stage for stage in stages()}[name]


def test_ran_then_unchanged_then_restored(inside: Any) -> None:
    lines: list[tuple[str, bool]] = []
    inside.set("rate: 0.5", "rate: 0.6")
    assert reproduce(named("train"), lambda *line: lines.append(line)) == Verdict.RAN
    assert lines == [("trained on raw1", False)]
    assert reproduce(named("train"), lambda *line: lines.append(line)) == Verdict.UNCHANGED
    inside.set("rate: 0.6", "rate: 0.5")
    assert reproduce(named("train"), lambda *line: lines.append(line)) == Verdict.RESTORED
    assert inside.read("data/model/weights") == "0.5"
    assert reproduce(named("train"), lambda *line: lines.append(line), force=True) == Verdict.RAN
    assert len(lines) == 2


def test_clean_sees_what_changed(inside: Any) -> None:
    assert clean(stages())
    inside.set("rate: 0.5", "rate: 0.6")
    assert not clean(stages())
    assert clean([named("prepare")])


def test_a_failed_stage_says_why_and_has_its_outs_back(inside: Any) -> None:
    lines: list[str] = []
    inside.set("rate: 0.5, sleep: 0, fail: false", "rate: 0.7, sleep: 0, fail: true")
    lock = inside.read("dvc.lock")
    with pytest.raises(StageFailed, match=r"^train: params.yaml: train.fail: true; set it to false$"):
        reproduce(named("train"), lambda text, _: lines.append(text))
    assert lines[-1] == "train: its last results are back (data/history.csv, data/model)"
    assert inside.read("data/model/weights") == "0.5"
    assert not (inside.folder / "data/model/half").exists()
    assert inside.read("dvc.lock") == lock


def test_a_failed_stage_has_its_metrics_back(inside: Any) -> None:
    inside.set("score: {fail: false}", "score: {fail: true}")
    with pytest.raises(StageFailed, match=r"score: its command failed with exit code 1: score.fail is set"):
        reproduce(named("score"), lambda *_: None)
    assert json.loads(inside.read("data/metrics.validation.json"))["entity_f1"] == 0.75
    assert json.loads(inside.read("data/metrics.test.json"))["entity_f1"] == 0.7


def test_an_interrupt_ends_the_group_and_puts_back(inside: Any) -> None:
    inside.set("rate: 0.5, sleep: 0", "rate: 0.7, sleep: 60")

    def interrupt(text: str, progress: bool) -> None:
        if progress:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reproduce(named("train"), interrupt)
    assert inside.read("data/model/weights") == "0.5"
    assert inside.stage_is_gone()


def test_a_killed_dvc_takes_its_stage_along(inside: Any) -> None:
    inside.set("rate: 0.5, sleep: 0", "rate: 0.7, sleep: 60")

    def kill(text: str, progress: bool) -> None:
        if progress:
            os.kill(os.getpgid(int(inside.read("running.pid"))), signal.SIGKILL)  # dvc leads the group

    with pytest.raises(StageFailed, match="dvc was ended by SIGKILL"):
        reproduce(named("train"), kill)
    assert inside.stage_is_gone()
    assert inside.read("data/model/weights") == "0.5"


def test_sources_are_brought_up_to_date_as_dvc_repro_does(inside: Any) -> None:
    inside.dvc("add", "-q", "data/raw")
    before = inside.read("data/raw.dvc")
    inside.set("raw", "changed", "data/raw/toy.txt")
    assert not clean(stages())
    assert reproduce(named("prepare"), lambda *_: None) == Verdict.RAN
    assert inside.read("data/raw.dvc") != before
    assert "data/raw.dvc" not in inside.dvc("status", "--json")


def test_a_missing_dep_names_the_remedy(inside: Any) -> None:
    shutil.rmtree(inside.folder / "data/raw")
    with pytest.raises(StageFailed, match=r"^prepare: data/raw: no such file or folder; 'git checkout -- data/raw'"):
        reproduce(named("prepare"), lambda *_: None)
    (inside.folder / "data/raw.dvc").write_text("outs: []")
    with pytest.raises(StageFailed, match=r"'dvc checkout data/raw.dvc' or 'dvc pull data/raw.dvc' brings it$"):
        reproduce(named("prepare"), lambda *_: None)


def test_a_lock_of_a_living_process_is_busy(inside: Any) -> None:
    holder = {"pid": os.getpid(), "cmd": "dvc repro"}
    out = str(inside.folder / "data/model")
    (inside.folder / ".dvc/tmp/rwlock").write_text(json.dumps({"write": {out: holder}, "read": {}}))
    inside.set("rate: 0.5", "rate: 0.6")
    with pytest.raises(Busy, match=r"is busy, it is being blocked by"):
        reproduce(named("train"), lambda *_: None)
    assert inside.read("data/model/weights") == "0.5"


def test_output_outside_the_stage_is_dvcs_own() -> None:
    heard = Heard("a")
    spoken = [
        "Running stage 'a':",
        "> python a.py",
        "of the stage",
        "> also of the stage",
        "Updating lock file 'dvc.lock'",
        "To track the changes with git, run:",
    ]
    assert [heard.line(text) for text in spoken] == [False, False, True, True, False, False]
    assert heard.verdict == Verdict.RAN


def test_an_out_without_content_is_no_word_of_the_stage() -> None:
    heard = Heard("a")
    spoken = ["Running stage 'a':", "> python a.py", "of the stage", "WARNING: 'data/suspects.jsonl' is empty."]
    assert [heard.line(text) for text in spoken] == [False, False, True, False]


def test_the_problem_without_words_of_the_stage() -> None:
    heard = Heard("a")
    assert heard.problem(-signal.SIGTERM) == "dvc was ended by SIGTERM; run it again"
    assert heard.problem(255) == "dvc ended with 255"
    for text in ("noise", "ERROR: failed to reproduce 'a': no space", "left"):
        heard.line(text)
    assert heard.problem(255) == "no space left"


@pytest.mark.parametrize(
    ("exited", "ending"),
    [
        ("-15", "was ended by SIGTERM"),
        ("137", "was ended by SIGKILL, as the system does when memory runs out"),
        ("2", "failed with exit code 2"),
    ],
)
def test_a_stage_that_ends_in_the_middle_of_a_line(exited: str, ending: str) -> None:
    heard = Heard("a")
    for text in (
        "Running stage 'a':",
        "> c",
        f"14% doneERROR: failed to reproduce 'a': failed to run: c, exited with {exited}",
    ):
        heard.line(text)
    assert heard.problem(255) == f"its command {ending}: 14% done"
    assert heard.killed(255) == ("SIG" in ending)


def test_dvc_is_never_shadowed_by_a_folder_of_the_project(inside: Any) -> None:
    (inside.folder / "dvc").mkdir()
    (inside.folder / "dvc/__init__.py").write_text("raise SystemExit('shadowed')")
    assert dvc.DVC[:3] == [sys.executable, "-P", "-m"]
    assert clean(stages())
