"""The figures of the files reach the report, and files of another form are refused with a remedy."""

import json
import math
from pathlib import Path

import pytest

from tasks import adapters, params
from tasks.errors import UserError
from tasks.reporting.gather import Report, gather
from tasks.reporting.history import read_history


def test_the_figures_are_those_of_the_files(gathered: Report, run_folder: Path) -> None:
    for split in ("validation", "test"):
        metrics = json.loads((run_folder / f"metrics.{split}.json").read_text())
        own = gathered.scores[split]
        assert own.strict.f1 == metrics["entity_f1"]
        assert (own.interval.low, own.interval.high) == (metrics["entity_f1_low"], metrics["entity_f1_high"])
        assert [variant.name for variant in own.variants] == ["lenient", "macro", "partial", "type_only"]
        assert own.variants[2].interval.high == metrics["entity_f1_partial_high"]
        assert own.baselines == {"dictionary": 0.307692, "majority": 0.0}
        assert (own.ece, own.brier) == (metrics["ece"], metrics["brier"])
        assert own.types["PER"].interval.low == metrics["per_type"]["PER"]["f1_low"]
        assert own.types["PER"].figures.precision == metrics["per_type"]["PER"]["precision"]
        assert sum(line.support for line in own.types.values()) == own.gold == metrics["gold_entities"]
    assert gathered.types == ("LOC", "MISC", "ORG", "PER")
    assert gathered.tokens["validation"].words == gathered.scores["validation"].words == 61
    assert gathered.tokens["validation"].outside == 40


def test_the_best_epoch_is_the_one_with_the_highest_score(gathered: Report) -> None:
    assert [epoch.number for epoch in gathered.history] == [1, 2, 3]
    assert gathered.best.number == 2


def test_the_run_is_described(gathered: Report, settings: params.Params) -> None:
    described = dict(gathered.run)
    assert described["model"] == settings.finetune.model
    assert described["seed"] == str(settings.seed)


def test_an_epoch_that_diverged_is_never_the_best(run_folder: Path, settings: params.Params) -> None:
    file = run_folder / "history.csv"
    file.write_text(file.read_text().replace("1,40,0.0002,1.204411,0.803114,0.416667", "1,40,0.0002,nan,nan,nan"))
    report = gather(run_folder, settings, adapters.find("token_classification"))
    assert math.isnan(report.history[0].score)
    assert report.best.number == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"history\.csv:1: no column epoch, step"),
        ("epoch,step,learning_rate,train_loss,validation_loss,validation_f1\n", "holds no epoch"),
        ("epoch,step,learning_rate,train_loss,validation_loss,validation_f1\n1,2,3\n", ":2: 3 columns, 6 expected"),
        ("epoch,step,learning_rate,train_loss,validation_loss,validation_f1\nx,2,3,4,5,6\n", ":2: invalid literal"),
    ],
)
def test_a_broken_history_is_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "history.csv").write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        read_history(tmp_path / "history.csv")
    assert "dvc repro --force" in str(caught.value)


@pytest.mark.parametrize(
    "name", ["metrics.test.json", "token_table.json", "prepared/summary.json", "focus.json", "calibration.json"]
)
@pytest.mark.parametrize("text", ["{}", "[]", "[1]"])
def test_json_of_another_form_is_refused(name: str, text: str, run_folder: Path, settings: params.Params) -> None:
    (run_folder / name).write_text(text)
    with pytest.raises(UserError, match=f"{name}: has not the form"):
        gather(run_folder, settings, adapters.find("token_classification"))


@pytest.mark.parametrize("name", ["mistakes.validation.jsonl", "suspects.jsonl"])
@pytest.mark.parametrize("text", ["{}\n", "[]\n", '{"id": 1}\n'])
def test_lines_of_another_form_are_refused(name: str, text: str, run_folder: Path, settings: params.Params) -> None:
    (run_folder / name).write_text(text)
    with pytest.raises(UserError, match=f"{name}: has not the form"):
        gather(run_folder, settings, adapters.find("token_classification"))


def test_no_goal_where_none_is_set(run_folder: Path, settings: params.Params) -> None:
    assert gather(run_folder, settings, adapters.find("token_classification")).goal is None


def test_a_run_without_any_entity_is_reported(run_folder: Path, settings: params.Params) -> None:
    for split in ("validation", "test"):
        metrics = json.loads((run_folder / f"metrics.{split}.json").read_text())
        metrics.update(per_type={}, gold_entities=0, predicted_entities=0)
        (run_folder / f"metrics.{split}.json").write_text(json.dumps(metrics))
    summary = json.loads((run_folder / "prepared/summary.json").read_text())
    for own in summary["splits"].values():
        own["entities"] = {}
    (run_folder / "prepared/summary.json").write_text(json.dumps(summary))
    (run_folder / "confusion.csv").write_text("gold,predicted\n")
    report = gather(run_folder, settings, adapters.find("token_classification"))
    assert report.types == ()
    assert report.confusion == {}


def test_the_goal_may_be_that_of_a_slice(run_folder: Path, settings: params.Params) -> None:
    adapter = adapters.find("token_classification")
    goal = gather(run_folder, settings, adapter, ("entity_f1", 0.5), "seen in train: unseen").goal
    assert goal is not None and (goal.metric, goal.figure, goal.value, goal.headline) == (
        "entity_f1 of seen in train: unseen", 0.4, 0.5, False
    )  # fmt: skip
    assert goal.verdict == "0.100 to go" and goal.interval is None
    assert gather(run_folder, settings, adapter, ("entity_f1", 0.5), "casing: none such").goal is None
    hidden = settings.model_copy(update={"report": settings.report.model_copy(update={"show_text": False})})
    goal = gather(run_folder, hidden, adapter, ("entity_f1", 0.5), "document: harbour letters").goal
    assert goal is not None and goal.metric == "entity_f1 of document: document 1" and goal.figure == 0.6
