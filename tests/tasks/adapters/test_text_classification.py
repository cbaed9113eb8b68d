"""What is special about texts: sets of labels, windows of long texts, defects by name, transformers' own pipeline."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import pipeline

from tasks.adapters.text_classification import ENDINGS, adapter, decode, encode, parse, raw_items
from tasks.compute import Machine
from tasks.encoding import IGNORED
from tasks.errors import Defect
from tasks.models import load_tokenizer
from tasks.objectives import make
from tasks.params_file import check
from tasks.predictor import Predictor
from tasks.preprocess import preprocess
from tasks.records import Example, Row, write_json
from tasks.yaml_files import read_yaml

ROOT = Path(__file__).parents[3]
CPU = Machine(torch.device("cpu"), bf16=False, description="cpu")


def options(**changes: Any) -> Any:
    return check(adapter.options, read_yaml(ROOT / "params.yaml")["text_classification"] | changes, Path("params.yaml"))


def row(**fields: Any) -> Row:
    return Row("a.jsonl", 7, None, fields)


@pytest.mark.parametrize(
    ("fields", "changes", "kind", "gold"),
    [
        ({"text": " ", "label": "x"}, {}, "no text", 1),
        ({"text": None, "label": "x"}, {}, "no text", 1),
        ({"label": "x"}, {}, "missing field", 1),
        ({"text": "a"}, {}, "no label", 0),
        ({"text": "a", "label": ""}, {}, "no label", 0),
        ({"text": "a", "label": True}, {}, "no label", 1),
        ({"text": "a", "label": 1.5}, {}, "no label", 1),
        ({"text": "a", "label": ["x", "y"]}, {}, "several labels", 2),
        ({"text": "a", "label": "x, y, x"}, {"labels": "many"}, "doubled label", 3),
        ({"text": "a", "label": ["x", {}]}, {"labels": "many"}, "no label", 2),
    ],
)
def test_a_row_that_cannot_be_used_is_refused_by_name(
    fields: dict[str, Any], changes: dict[str, Any], kind: str, gold: int
) -> None:
    with pytest.raises(Defect, match=r"^a\.jsonl:7: ") as error:
        parse(row(**fields), options(**changes), {}, Counter())
    assert (error.value.kind, error.value.entities) == (kind, gold)
    assert raw_items(row(**fields), options(**changes), {}) == gold


def test_sets_of_labels_and_numbers_as_names() -> None:
    repairs: Counter[str] = Counter()
    many = options(labels="many")
    assert parse(row(text="a", label="y, x"), many, {}, repairs).target == ["x", "y"]
    assert parse(row(text="a", label=""), many, {}, repairs).target == []
    assert parse(row(text="a", label=["y"]), many, {}, repairs).target == ["y"]
    assert not repairs
    assert parse(row(text="a", label=3), options(), {}, repairs).target == "3"
    assert repairs == {"a number as label was read as its name": 1}


def test_dots_lead_into_objects_and_into_each_of_a_list() -> None:
    spans = [{"label": "Positive"}, {"label": "Negative"}, {"label": "Positive"}, {}]
    row = Row("a.json", 1, None, {"about": {"content": "Up, then down."}, "spans": spans})
    given = options(text_field="about.content", label_field="spans.label", labels="many")
    assert adapter.parse(row, given, {}, Counter()).inputs == {"text": "Up, then down."}
    assert adapter.parse(row, given, {}, Counter()).target == ["Negative", "Positive"]
    assert adapter.raw_items(row, given, {}) == 2
    with pytest.raises(Defect, match="leave one, or set"):
        adapter.parse(row, options(text_field="about.content", label_field="spans.label"), {}, Counter())
    with pytest.raises(Defect, match=r"no field 'marks\.text'"):
        adapter.parse(row, options(text_field="marks.text", label_field="spans.label"), {}, Counter())


def test_a_label_that_train_lacks_is_not_learned(bert_folder: Path) -> None:
    tokenizer = load_tokenizer(str(bert_folder), {})
    texts = [Example("a:1", None, {"text": "Graz"}, "new"), Example("a:2", None, {"text": "Graz"}, ["new", "y"])]
    one, many = encode(texts, tokenizer, ["x", "y"], 16, 2)
    assert set(one.labels) == {IGNORED}
    assert many.labels[0] == 0b10


def test_the_windows_of_a_long_text_answer_together(bert_folder: Path) -> None:
    tokenizer = load_tokenizer(str(bert_folder), {})
    text = Example("a:1", None, {"text": " ".join(["Graz"] * 30)}, "x")
    windows = encode([text], tokenizer, ["x", "y"], 16, 2)
    assert len(windows) == 3
    rows = [np.array([row], np.float32) for row in ([0.9, 0.1], [0.2, 0.8], [0.2, 0.8])]
    (prediction,) = decode([text], zip(windows, rows, strict=True), ["x", "y"], options())
    assert prediction.predicted == "y"
    assert prediction.confidence == [pytest.approx(1.7 / 3)]


def test_labels_are_given_from_the_threshold_on_and_none_has_a_confidence_too(bert_folder: Path) -> None:
    tokenizer = load_tokenizer(str(bert_folder), {})
    texts = [Example("a:1", None, {"text": "Graz"}, ["x"])] * 2
    windows = [*encode(texts, tokenizer, ["x", "y"], 16, 2)]
    rows = [np.array([row], np.float32) for row in ([0.6, 0.7], [0.2, 0.1])]
    found = decode(texts, zip(windows, rows, strict=True), ["x", "y"], options(labels="many", threshold=0.6))
    assert [prediction.predicted for prediction in found] == [["x", "y"], []]
    assert found[1].confidence == [pytest.approx(0.8)]
    assert adapter.answer("Graz", texts[1], found[1]) == []


@pytest.mark.parametrize(
    ("folder", "labels"), [("bert_folder", "one"), ("roberta_folder", "one"), ("bert_folder", "many")]
)
def test_the_model_answers_in_transformers_as_here(
    folder: str, labels: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    source = str(request.getfixturevalue(folder))
    classes = ["x", "y", "z"]
    torch.manual_seed(0)
    model = adapter.model(source, {}, classes)
    if labels == "many":
        model.config.problem_type = "multi_label_classification"
    model.save_pretrained(tmp_path)
    load_tokenizer(source, {}).save_pretrained(tmp_path)
    own = options(labels=labels, threshold=0.0)
    card = {"classes": classes, "features": "last", "head": "linear", "max_length": 48, "window_overlap": 4}
    write_json(tmp_path / "hone.json", card | {"options": own.model_dump()})
    text = "Angela Merkel visited Toyota, in Nagoya"
    (theirs,) = pipeline("text-classification", model=str(tmp_path), device="cpu", top_k=None)([text])
    (found,) = Predictor(tmp_path, adapter, CPU, 8).predict(iter([adapter.read(text, "0")]))
    wanted = {item["label"]: item["score"] for item in theirs}
    given = dict(zip(found.predicted, found.confidence, strict=True)) if labels == "many" else {
        found.predicted: found.confidence[0]
    }  # fmt: skip
    assert given == {name: pytest.approx(wanted[name], abs=1e-5) for name in given}
    assert labels == "many" or found.predicted == max(wanted, key=wanted.__getitem__)


def test_objective_follows_from_the_labels() -> None:
    assert adapter.objective(options()) == "classes"
    assert make(adapter.objective(options(labels="many")), 3).answer(torch.zeros(1, 3)).tolist() == [[0.5] * 3]
    assert adapter.source("train", options()) == ENDINGS[""] == "folder"
    assert adapter.source("all.json:train", options(format="json")) == "part"


def test_texts_that_nearly_stand_in_train_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = tmp_path / "rows"
    raw.mkdir()
    rows = {
        "train": ["Where is my card?,card", "I want one two three four five six,many"],
        "validation": ["where is my card,card", "I want one two three four five seven,many"],
        "test": ["something else,card"],
    }
    for split, lines in rows.items():
        (raw / f"{split}.csv").write_text("text,label\n" + "\n".join(lines) + "\n")
    found = preprocess(
        raw,
        tmp_path / "prepared",
        adapter=adapter,
        options=options(),
        dataset="rows",
        splits={split: [f"{split}.csv"] for split in rows},
        seed=1,
        on_defect="stop",
        fractions={},
    )
    assert found["near_duplicates"] == {"train/validation": 1, "train/test": 0}
    assert "validation: 2 texts, 12 words, 2 labels; 1 nearly in train" in capsys.readouterr().err
