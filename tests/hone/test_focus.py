"""`hone focus` on the files that evaluate leaves, in a project of its own."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from hone.focus import focus
from hone.run import _work_on_next
from tasks.errors import UserError
from tasks.records import Example, Prediction, write_examples, write_json, write_lines, write_predictions
from tasks.scoring.analysis import analyse
from tasks.scoring.entities import ANALYSIS, HEADLINE

TRAIN = [Example(f"t:{n}", None, {"words": ["Ford", word]}, ["B-ORG", "O"]) for n, word in enumerate(("won", "sold"))]
EXAMPLES = [
    Example("v:1", None, {"words": ["a", "Ford", "sank"]}, ["O", "B-PER", "O"]),
    Example("v:2", None, {"words": ["in", "Graz"]}, ["O", "B-LOC"]),
    Example("v:3", None, {"words": ["Ford", "paid"]}, ["B-ORG", "O"]),
]
PREDICTED = [["O", "B-ORG", "O"], ["O", "O"], ["B-ORG", "O"]]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the outs of evaluate that a pipeline of one stage names; the current folder."""
    monkeypatch.chdir(tmp_path)
    outs = ["data/prepared", "data/focus.json", "data/mistakes.validation.jsonl", "data/suspects.jsonl"]
    Path("dvc.yaml").write_text(f"stages: {{evaluate: {{cmd: 'true', outs: [{', '.join(outs)}]}}}}\n")
    Path("params.yaml").write_text("seed: 1\n")
    predictions = [
        Prediction(one.id, one.target, tags, [0.97] * len(tags), None, ["B-PER"] * len(tags), [0.02] * len(tags))
        for one, tags in zip(EXAMPLES, PREDICTED, strict=True)
    ]
    found = analyse(ANALYSIS, HEADLINE, EXAMPLES, predictions, TRAIN, lambda _: (), seed=1, variants=0, confidence=0.9)
    found.focus["invariance"] = {"swapped": 40, "changed": 10, "share": 0.25, "lost": 7, "gained": 1}
    Path("data/prepared").mkdir(parents=True)
    write_examples(Path("data/prepared/validation.jsonl"), EXAMPLES)
    write_json(Path("data/focus.json"), found.focus)
    write_lines(Path("data/mistakes.validation.jsonl"), found.mistakes)
    write_lines(Path("data/suspects.jsonl"), found.suspects)
    return tmp_path


def shown(capsys: pytest.CaptureFixture[str], **options: Any) -> str:
    defaults = {"kind": None, "type_": None, "suspects": False, "most": 20, "as_json": False}
    assert focus(**defaults | options) == 0
    return capsys.readouterr().out


def test_the_table_has_every_kind_type_and_slice(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys).splitlines()
    assert lines[0] == "entity_f1 0.4000 on validation: 2 errors among 3 gold and 2 predicted items"
    rows = [line.split() for line in lines]
    assert ["missed", "1", "1", "0.6667", "+0.2667"] in rows
    assert ["wrong", "type", "1", "1", "0.8000", "+0.4000"] in rows
    assert ["PER", "1", "1", "0.0000", "0.8000", "+0.4000"] in rows
    assert any(line.startswith("label consistency") for line in lines)
    assert lines[-1] == (
        "names swapped for others of their type: 10 of 40 answers change (25%; 7 right ones are lost, 1 gained)"
    )
    assert json.loads(shown(capsys, as_json=True))["headline"]["errors"] == 2


def test_mistakes_are_listed_with_what_explains_them(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, kind="wrong type") == (
        "wrong type  gold PER, predicted ORG  v:1\n"
        "  a [Ford] sank\n"
        "  sure 0.97, runner-up B-PER 0.02\n"
        "  train: ORG  Ford won  t:0\n"
        "  train: ORG  Ford sold  t:1\n"
        "1 of 1 mistakes, the surest first\n"
    )
    assert "gold LOC, predicted nothing" in shown(capsys, type_="LOC")
    assert shown(capsys, kind="missed", type_="PER") == "0 of 0 mistakes, the surest first\n"
    assert len(json.loads(shown(capsys, type_="ORG", as_json=True))) == 1


def test_suspects_are_listed_for_an_annotator(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, suspects=True, most=1)
    assert "suspect  gold PER, predicted ORG (0.97), in train ORG 2  v:1\n  a [Ford] sank\n" in text
    assert json.loads(shown(capsys, suspects=True, type_="LOC", as_json=True)) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "lost"}, "--kind lost: validation has: boundary and type,"),
        ({"type_": "TIME"}, "--type TIME: validation has: LOC, ORG, PER"),
        ({"kind": "missed", "suspects": True}, "--kind goes with mistakes"),
    ],
)
def test_what_is_not_there_is_refused(project: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        focus(**{"kind": None, "type_": None, "suspects": False, "most": 20, "as_json": False} | options)


def test_without_a_run_the_remedy_is_said(project: Path) -> None:
    Path("data/focus.json").unlink()
    with pytest.raises(UserError, match=r"focus.json is not there; 'hone run'"):
        focus(kind=None, type_=None, suspects=False, most=20, as_json=False)


def test_a_run_ends_with_what_to_work_on_next(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from flows.dag import stages

    _work_on_next(stages())
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("what to work on next  entity_f1 on validation")
    assert lines[2].split() == ["kind:", "wrong", "type", "1", "error", "0.4000", "->", "0.8000", "+0.4000"]
    Path("data/focus.json").unlink()
    _work_on_next(stages())
    assert capsys.readouterr().out == ""


def other_task(task: str, scorer: str, examples: list[Example], predictions: list[Prediction]) -> None:
    """The outs of a task without words, in place of those of the project."""
    own = import_module(f"tasks.scoring.{scorer}")
    found = analyse(own.ANALYSIS, own.HEADLINE, examples, predictions, examples, list, seed=1, variants=0, confidence=0)
    outs = ["prepared", "focus.json", "mistakes.validation.jsonl", "predictions.validation.jsonl"]
    named = ", ".join(f"data/{out}" for out in outs)
    Path("dvc.yaml").write_text(f"stages: {{evaluate: {{cmd: 'true', outs: [{named}]}}}}\n")
    Path("params.yaml").write_text(f"task: {task}\n")
    write_examples(Path("data/prepared/validation.jsonl"), examples)
    write_predictions(Path("data/predictions.validation.jsonl"), predictions)
    write_json(Path("data/focus.json"), found.focus)
    write_lines(Path("data/mistakes.validation.jsonl"), found.mistakes)


TURN = {"role": "user", "text": "where is it"}


def test_a_response_that_was_chosen_stands_below_the_history_and_no_f1_is_spoken_of(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gold, other = ({"text": text, "service": "Freight", "act": ""} for text in ("In Graz.", "Bye now."))
    example = Example("v:1", None, {"history": [TURN], "candidates": [gold, other]}, gold)
    made = Prediction("v:1", gold, other, [0.9], None, ["In Graz."], [0.1])
    other_task("dialogue", "dialogue", [example], [made])
    assert shown(capsys, kind="another response") == (
        "another response  gold Freight, predicted Freight  v:1\n"
        "  user: where is it\n"
        "  gold       [In Graz. Freight]\n"
        "  predicted  [Bye now. Freight]\n"
        "  sure 0.90, the gold response at place 2\n"
        "1 of 1 mistakes, the surest first\n"
    )
    assert "F1" not in shown(capsys)


def test_a_response_that_was_written_stands_beside_the_gold_one(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    about = {"service": "Freight", "act": ""}
    example = Example("v:1", None, {"history": [TURN], "about": about}, ["The boxes are in Graz."])
    other_task(
        "dialogue_generation", "dialogue_generation", [example], [Prediction("v:1", example.target, [""], [0.5])]
    )
    assert shown(capsys, kind="nothing written") == (
        "nothing written  v:1\n"
        "  user: where is it\n"
        "  gold       The boxes are in Graz.\n"
        "  predicted  \n"
        "  sure 0.50, chrF 0.00\n"
        "1 of 1 mistakes, the surest first\n"
    )


def test_a_text_that_differs_by_label_alone_is_shown_once(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example = Example("v:1", None, {"text": "it rains"}, "weather")
    other_task("text_classification", "classes", [example], [Prediction("v:1", "weather", "sport", [0.8])])
    text = shown(capsys, type_="weather")
    assert "gold weather, predicted sport  v:1\n  [it rains weather]\n  sure 0.80\n" in text
