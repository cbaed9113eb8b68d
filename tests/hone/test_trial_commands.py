"""try, repeat, adopt, gc: what a person sees, and what the figures are."""

from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from flows.trials import Outcome, Trial
from hone import repeat as repeating
from hone import try_ as trying
from hone.checked_params import CheckedParams
from hone.repeat import statistics, summary
from hone.settings import parse
from hone.trial_view import TrialView, stoppable
from hone.try_ import slug
from tasks.errors import UserError


def outcome(seed: int, figure: float, state: str = "ran") -> Outcome:
    metrics: dict[str, dict[str, Any]] = {
        "validation": {"entity_f1": figure, "per_type": {"PER": {"f1": figure + 0.1}}},
        "test": {"entity_f1": figure - 0.05},
    }
    trial = Trial(f"repeat-seed-{seed}", {"seed": seed}, "repeat", "repeat")
    found = {} if state == "failed" else metrics
    name = "" if state == "failed" else trial.name
    cost = {"seconds": 60.0, "stages": {}}
    return Outcome(trial, state, None, found, cost, Path(f"{seed}.log"), "no" if state == "failed" else "", name)


def test_statistics_are_students_interval_of_the_mean() -> None:
    # t(0.975, 4) = 2.776445; sd of 1..5 = 1.581139; half = 2.776445 * 1.581139 / sqrt(5) = 1.963243
    found = statistics([1.0, 2.0, 3.0, 4.0, 5.0])
    assert found == {"n": 5, "mean": 3.0, "sd": 1.581139, "low": 1.036757, "high": 4.963243}
    assert statistics([0.5]) == {"n": 1, "mean": 0.5, "sd": None, "low": None, "high": None}
    assert statistics([])["mean"] is None


def test_best_and_median_are_chosen_on_validation() -> None:
    found = summary([outcome(1, 0.6), outcome(2, 0.9), outcome(3, 0.7), outcome(4, 0.5, "failed")], "entity_f1")
    assert (found["best"]["seed"], found["median"]["seed"]) == (2, 3)
    assert found["failed"] == ["repeat-seed-4"] and found["seeds"] == [1, 2, 3]
    assert list(found["splits"]) == ["validation", "test"]
    assert found["per_type"]["PER"]["mean"] == pytest.approx(0.833333)
    even = summary([outcome(1, 0.6), outcome(2, 0.9)], "entity_f1")
    assert even["median"]["seed"] == 1


def test_the_summary_fits_80_columns_and_names_failures(capsys: pytest.CaptureFixture[str]) -> None:
    found = summary([outcome(1, 0.6), outcome(2, 0.9), outcome(3, 0.7), outcome(4, 0.5, "failed")], "entity_f1")
    repeating._show(found, "entity_f1")
    said = capsys.readouterr().out
    assert "validation     0.7333  0.1528  0.3539 to 1.1128\n" in said
    assert "failed: repeat-seed-4" in said and "hone adopt repeat-seed-3" in said
    assert "\x1b" not in said and max(map(len, said.splitlines())) < 80


def test_a_known_trial_made_with_other_versions_says_so_once(capsys: pytest.CaptureFixture[str]) -> None:
    view = TrialView(2, "entity_f1")
    for seed, numpy in ((1, version("numpy")), (2, "1.0"), (3, "1.0")):
        files = {"finetune": {"versions": {"numpy": numpy}}}
        view.outcome(replace(outcome(seed, 0.6, "known"), rev="0" * 40, cost={"files": files}))
    note = (
        f"  note: the model was made with numpy 1.0, here {version('numpy')}: the last digits of its figures may differ"
    )
    assert capsys.readouterr().out.splitlines() == [
        "repeat-seed-1  known  validation 0.6000",
        "repeat-seed-2  known  validation 0.6000",
        f"{note} here",
        "repeat-seed-3  known  validation 0.6000",
    ]


def test_a_trial_of_other_data_says_so(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    known = replace(outcome(1, 0.6, "known"), rev="0" * 40)
    for data, said in (("0123456789", False), ("abcdef0123", True)):
        monkeypatch.setattr(trying, "_outs", lambda *_, data=data: {"data/prepared": data})
        params = CheckedParams("token_classification", "entity_f1", 0.05, 1000)
        trying._tell(known, params, trying.Side({"entity_f1": 0.5}, None, "0123456789"), {}.get)
        note = "note        made from other data: data/prepared is abcdef0, here 0123456\n"
        assert (note in capsys.readouterr().out) is said


def test_settings_are_yaml_values() -> None:
    given = ["a=1e-4", "b=true", "c=[1, x]", "d=2021-01-01x", "e="]
    assert parse(given) == {"a": 1e-4, "b": True, "c": [1, "x"], "d": "2021-01-01x", "e": None}
    for bad in (["a"], ["=1"], ["a=1", "a=2"], ["a=[1"]):
        with pytest.raises(UserError):
            parse(bad)


def test_names_come_from_what_is_changed() -> None:
    assert slug({"finetune.learning_rate": 1e-4, "seed": 2}) == "learning_rate-0.0001-seed-2"
    assert slug({"splits.train": ["a.b..c", "d"]}) == "train-a.b-c-d"
    assert slug({}) == "unchanged"


def test_the_view_is_plain_in_pipes_and_knows_the_time_left(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.trials.hands import Running
    from hone import trial_view

    monkeypatch.chdir(tmp_path)
    Path("2.log").write_text("fine-tune: 40 %\r")
    clock = iter([0.0, 10.0, 40.0])
    monkeypatch.setattr(trial_view.time, "monotonic", lambda: next(clock))
    view = TrialView(3, "entity_f1")
    view.outcome(outcome(1, 0.6))
    at_work = [Running(outcome(2, 0).trial, tmp_path / "2.log", 0.0)]
    at_work.append(Running(outcome(4, 0).trial, tmp_path / "4.log", 0.0))  # it waits for a core
    view.tick(at_work)
    view.tick(at_work)
    view.outcome(outcome(3, 0.5, "failed"))
    assert capsys.readouterr().out.splitlines() == [
        "repeat-seed-1  ran  60 s  validation 0.6000",
        "repeat-seed-2  started  log 2.log",
        "1 of 3 done, 1 at work, about 1:30 left",  # 30 s of this one, 60 s of the last
        "repeat-seed-3  failed",
        "  no",
        "  log 3.log",
    ]
    assert trial_view._last_line(tmp_path / "2.log") == "fine-tune: 40 %"
    assert view._status(at_work[:1], 100.0) == "2 of 3 done, 1 at work"  # longer than the others: nobody knows


@pytest.mark.parametrize("ending", [KeyboardInterrupt, SystemExit])
def test_who_ends_it_early_hears_how_it_goes_on(
    ending: type[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    closed: list[int] = []
    with pytest.raises(ending), stoppable(lambda: closed.append(1)):
        raise ending
    assert closed and capsys.readouterr().err.startswith("stopped; nothing of it runs on, and the same command")
    with pytest.raises(UserError), stoppable(lambda: None):
        raise UserError("no")
    with stoppable(lambda: closed.append(2)):
        pass
    assert closed[-1] == 2 and capsys.readouterr().err == ""
