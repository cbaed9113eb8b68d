"""`hone score` for labels, relations and answers."""

import json
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from hone.score import score
from hone.settings import headline, predict_command
from tasks.errors import UserError

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def project(task: str) -> None:
    values = YAML(typ="safe").load((ROOT / "params.yaml").read_text())
    with Path("params.yaml").open("w") as file:
        YAML().dump(values | {"task": task}, file)


def lines(name: str, *values: Any) -> Path:
    Path(name).write_text("".join(json.dumps(value) + "\n" for value in values), encoding="utf-8")
    return Path(name)


def result(capsys: pytest.CaptureFixture[str], *files: Path, form: Any = "json") -> Any:
    assert score(files[0], list(files[1:]), form, None, -1, -1) == 0
    text = capsys.readouterr().out
    return json.loads(text) if form == "json" else text


def test_labels_by_order_and_by_id(capsys: pytest.CaptureFixture[str]) -> None:
    project("text_classification")
    gold = lines("gold.jsonl", *({"text": "t", "label": label} for label in "aabb"))
    given = lines("given.jsonl", *({"label": label} for label in "aaba"))
    assert result(capsys, gold, given)["systems"][0]["accuracy"] == 0.75
    gold = lines("gold.jsonl", *({"id": n, "target": label} for n, label in enumerate("aabb")))
    turned = lines(
        "turned.jsonl", *({"id": n, "predicted": label} for n, label in [(3, "a"), (0, "a"), (2, "b"), (1, "a")])
    )
    assert result(capsys, gold, turned)["systems"][0]["accuracy"] == 0.75
    with pytest.raises(UserError, match=r"given\.jsonl: no answer to 7 \(1 of 1 lack one\)"):
        result(capsys, lines("gold.jsonl", {"id": 7, "label": "a"}), lines("given.jsonl", {"id": 8, "label": "a"}))


def test_relations_and_answers_are_judged_by_their_scorers(capsys: pytest.CaptureFixture[str]) -> None:
    project("relation_extraction")
    gold = lines("gold.jsonl", {"relation": "Cause-Effect(e1,e2)"}, {"relation": "Other"})
    swapped = lines("given.jsonl", {"relation": "Cause-Effect(e2,e1)"}, {"relation": "Other"})
    assert result(capsys, gold, swapped)["systems"][0]["relation_f1"] == 0.0
    project("extractive_qa")
    gold = lines("gold.jsonl", {"answers": [{"text": "the Broncos", "answer_start": 3}]}, {"answers": []})
    given = lines("given.jsonl", {"answer": "Broncos"}, {"answer": ""})
    assert result(capsys, gold, given)["systems"][0]["exact_match"] == 1.0


def test_texts_that_were_written_are_judged_by_their_scorers(capsys: pytest.CaptureFixture[str]) -> None:
    project("dialogue_generation")
    gold = lines("gold.jsonl", {"target": ["Where to?"]}, {"target": "In Graz."})
    given = lines("given.jsonl", {"predicted": ["where to?"]}, {"predicted": "in graz."})
    assert result(capsys, gold, given)["systems"][0]["chrf"] == 1.0
    assert "chrf" in result(capsys, gold, given, form="text")
    with pytest.raises(UserError, match=r"given\.jsonl:1: 'predicted' is no text"):
        result(capsys, gold, lines("given.jsonl", {"predicted": []}, {"predicted": 3}))


def test_with_the_mean_of_references_summaries_are_compared_by_it(capsys: pytest.CaptureFixture[str]) -> None:
    values = YAML(typ="safe").load((ROOT / "params.yaml").read_text())
    values["summarization"]["references"] = "mean"
    with Path("params.yaml").open("w") as file:
        YAML().dump(values | {"task": "summarization"}, file)
    gold = lines("gold.jsonl", *({"target": ["we learn rules", "else"]} for _ in range(9)))
    given = lines("given.jsonl", *({"predicted": "we learn rules"} for _ in range(9)))
    found = result(capsys, gold, given)["systems"][0]
    assert (found["rouge_l"], found["rouge_l_mean"], found["mode"]) == (1.0, 0.5, "mean of the references")
    assert result(capsys, gold, given, form="text").splitlines()[1].startswith("rouge_l_mean")
    assert headline() == "rouge_l_mean"
    assert "mean ROUGE-L +0.5" in result(
        capsys, gold, lines("no.jsonl", *([{"predicted": "no"}] * 9)), given, form="text"
    )


def test_two_systems_are_compared_in_words_of_the_task(capsys: pytest.CaptureFixture[str]) -> None:
    project("text_classification")
    gold = lines("gold.jsonl", *({"label": "ab"[n % 2]} for n in range(60)))
    poor = lines("poor.jsonl", *({"label": "a"} for _ in range(60)))
    text = result(capsys, gold, poor, gold, form="text")
    assert "gold.jsonl against poor.jsonl: better; macro F1 +0.6667" in text
    assert "60 texts, 60 gold labels; in brackets: 95 % bootstrap over texts, 1000 resamples" in text
    assert "entit" not in text


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"x": 1}, r"gold\.jsonl:1: it holds x; give each line one of the fields gold, target"),
        ({"label": 3}, r"gold\.jsonl:1: 'label' is no label by name"),
        ({"label": ["a", 3]}, r"gold\.jsonl:1: 'label' is no label by name"),
    ],
)
def test_lines_that_say_nothing_are_refused(value: Any, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    project("text_classification")
    with pytest.raises(UserError, match=message):
        result(capsys, lines("gold.jsonl", value), lines("given.jsonl", {"label": "a"}))


def test_files_of_different_length_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    project("text_classification")
    one, two = {"label": "a"}, lines("gold.jsonl", {"label": "a"}, {"label": "a"})
    with pytest.raises(UserError, match="1 answers to 2 of gold"):
        result(capsys, two, lines("given.jsonl", one))


@pytest.mark.parametrize(
    ("task", "command"),
    [
        ("token_classification", 'hone predict "Angela Merkel visited Toyota in Nagoya."'),
        ("relation_extraction", 'hone predict "The <e1>fire</e1> was caused by <e2>lightning</e2>."'),
        ("extractive_qa", 'hone predict \'{"question": '),
    ],
)
def test_the_example_of_hone_predict_is_one_of_the_task(task: str, command: str) -> None:
    project(task)
    assert predict_command().startswith(command)
