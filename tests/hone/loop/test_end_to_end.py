"""The commands of the loop over real trials, on a pipeline whose stages take no time."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest


def test_a_sweep_is_confirmed_adopted_and_stands_in_the_ledger(project: Any) -> None:
    said = project.hone("sweep", "--on", "local")
    assert "4 trials (" in said and "It ended as all trials of sweep.trials are run." in " ".join(said.split())
    assert "Is the winner better?" in said and "hone adopt sweep-" in said
    shown = [line for line in said.splitlines() if "  started  log " not in line]  # paths are as long as they are
    assert "\x1b" not in said and max(map(len, shown)) <= 80
    assert project.git("status", "--porcelain") == ""
    page = (project.folder / "data/loop/sweep.html").read_text()
    assert "<svg" in page and "<script" not in page and "http" not in page.replace("http-equiv", "")

    found = json.loads(project.hone("sweep", "--on", "local", "--json"))
    assert len(found["trials"]) == 4 and found["again"] == 0
    best = max((one for one in found["trials"] if one["value"] is not None), key=lambda one: one["value"])
    assert found["best"] == best["name"] and best["low"] < best["value"] < best["high"]
    first = found["trials"][0]["params"]
    assert first == {"finetune.dropout": 0.1, "finetune.head": "linear"}  # what is here comes first

    rows = json.loads(project.hone("ledger", "--json"))
    assert [row["kind"] for row in rows].count("commit") == 1
    assert {row["kind"] for row in rows} == {"commit", "sweep"}
    assert all(row["verdict"]["word"] in ("better", "worse", "no evidence", "too few data", "same") for row in rows[1:])
    assert rows[-1]["test_looks"] >= 4
    assert rows[0]["validation"]["figure"] == pytest.approx(first_figure(found), abs=1e-6)
    learned = project.hone("ledger", "--lessons")
    assert "finetune.dropout" in learned and "Helped" in learned and "Never certain" in learned
    shown = project.hone("ledger")
    assert max(map(len, shown.splitlines())) < 80 and "sweep-" in shown and "first" in shown
    assert "goal 0.8" in (project.folder / "data/loop/ledger.html").read_text()


def first_figure(found: Any) -> Any:
    return found["trials"][0]["value"]


@pytest.mark.slow
def test_a_sweep_that_is_killed_goes_on(project: Any) -> None:
    project.set("max_minutes: 0 ", "max_minutes: 0.4 ")  # the stub sleeps so many seconds per epoch
    process = project.start("sweep", "--on", "local", "--trials", "3")
    deadline = time.monotonic() + 90
    exps = project.folder / ".git/refs/exps"
    while not any(path.is_file() for path in exps.rglob("*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1.5)  # somewhere in the second trial
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    done = project.git("for-each-ref", "refs/exps").splitlines()
    assert done
    found = json.loads(project.hone("sweep", "--on", "local", "--trials", "3", "--json"))
    assert len(found["trials"]) == 3 and found["again"] in (1, 2)  # as many as there are cores
    assert {one["state"] for one in found["trials"]} == {"done"}
    assert set(done) <= set(project.git("for-each-ref", "refs/exps").splitlines())
    assert not project.processes()


@pytest.mark.slow
def test_what_a_choice_is_worth_and_what_more_data_would_bring(project: Any) -> None:
    before, _, after = (project.folder / "params.yaml").read_text().partition("  choices:  ")
    rest = after.partition("\ncurve:")[2]
    choices = (
        "  choices:\n    - {param: finetune.dropout, off: 0.0}\n    - {param: finetune.head, off: linear}\n\ncurve:"
    )
    (project.folder / "params.yaml").write_text(before + choices + rest)
    found = json.loads(project.hone("ablate", "--on", "local", "--seeds", "2", "--json"))
    (dropout,) = found  # the head is off already
    assert dropout["param"] == "finetune.dropout" and dropout["comparison"]["verdict"] in ("better", "too few data")
    assert dropout["comparison"]["difference"] > 0  # without dropout the stub finds more
    said = project.hone("ablate", "--on", "local", "--seeds", "2")
    assert "Off already: finetune.head." in said and "known" in said

    said = project.hone("curve", "--on", "local", "--seeds", "1")
    assert "Twice the data of this kind" in said or "Whether twice the data" in said
    assert max(len(line) for line in said.splitlines() if "  started  log " not in line) <= 80
    assert Path(project.folder / "data/loop/curve.md").read_text().startswith("# Learning curve")
