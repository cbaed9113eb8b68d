"""The stage over a toy model: what params.yaml says reaches training, the log and the model's card."""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from tasks import params, params_file, records
from tasks.errors import UserError
from tasks.finetune import finetune
from tasks.models import content_hash

ROOT = Path(__file__).parents[2]
WORDS = ["Angela", "Merkel", "visited", "Toyota", "in", "Nagoya"]
TAGS = ["B-PER", "I-PER", "O", "B-ORG", "O", "B-LOC"]


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    """Train and validation as preprocess leaves them."""
    folder = tmp_path / "prepared"
    folder.mkdir()
    examples = [records.Example(f"a.conll:{number}", None, {"words": WORDS}, TAGS) for number in range(8)]
    records.write_examples(folder / "train.jsonl", examples)
    records.write_examples(folder / "validation.jsonl", examples[:2])
    records.write_json(folder / "labels.json", ["LOC", "ORG", "PER"])
    return folder


def run(bert_folder: Path, prepared: Path, **changes: Any) -> dict[str, Any]:
    """Run the stage with some values of the block finetune changed; the model's card."""
    values = params_file.load(ROOT / "params.yaml").model_dump()
    values["finetune"] |= {"model": str(bert_folder), "revision": content_hash(bert_folder), "max_length": 48}
    values["finetune"] |= {"epochs": 2, "batch_size": 4, "window_overlap": 4} | changes
    values["compute"] |= {"device": "cpu", "precision": "fp32", "threads": 1}
    folder = prepared.parent
    finetune(params.Params.model_validate(values), prepared, folder / "model", folder / "history.csv", None)
    card: dict[str, Any] = json.loads((folder / "model" / "hone.json").read_text())
    return card


def test_a_budget_of_time_marks_the_model(bert_folder: Path, prepared: Path, capsys: Any) -> None:
    card = run(bert_folder, prepared, max_minutes=0.00001)
    assert (card["rebuildable"], card["steps"]) == (False, 1)
    log = capsys.readouterr().err
    assert "finetune.max_minutes: 1e-05: the clock decides this model, which cannot be rebuilt" in log
    assert "stops after step 1 of 4" in log


def test_a_budget_of_steps_does_not(bert_folder: Path, prepared: Path, capsys: Any) -> None:
    card = run(bert_folder, prepared, max_steps=3)
    assert (card["rebuildable"], card["steps"]) == (True, 3)
    assert card["data"] == content_hash(prepared)
    assert card["versions"]["torch"] == version("torch") and "transformers" in card["versions"]
    log = capsys.readouterr().err
    assert "rebuilt" not in log
    assert ", fast path;" in log


@pytest.mark.parametrize("optimizer", ["adafactor", "sgd"])
def test_the_log_says_why_the_fast_path_is_left(bert_folder: Path, prepared: Path, optimizer: str, capsys: Any) -> None:
    run(bert_folder, prepared, optimizer=optimizer, epochs=1)
    assert (
        f"plain path (the fast one does not fit: it has no finetune.optimizer: {optimizer})" in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"micro_batch_size": 1, "frozen_layers": 1, "layer_decay": 0.5},
        {"schedule": "constant"},
        {"class_weights": "balanced"},
        {"class_weights": "square_root"},
    ],
)
def test_each_option_reaches_training(bert_folder: Path, prepared: Path, changes: dict[str, Any]) -> None:
    run(bert_folder, prepared)
    before = (prepared.parent / "history.csv").read_text()
    run(bert_folder, prepared, **changes)
    assert (prepared.parent / "history.csv").read_text() != before


def test_patience_reaches_training(bert_folder: Path, prepared: Path) -> None:
    run(bert_folder, prepared, epochs=4, patience=1, minimum_gain=1.0, learning_rate=1e-9)
    assert len((prepared.parent / "history.csv").read_text().splitlines()) == 1 + 2


def test_what_the_model_cannot_do_is_refused_before_any_step(bert_folder: Path, prepared: Path) -> None:
    with pytest.raises(UserError, match=r"finetune\.frozen_layers: 3 is more than the 2 layers of finetune\.model"):
        run(bert_folder, prepared, frozen_layers=3)


def test_a_combination_that_is_refused_leaves_the_last_model(bert_folder: Path, prepared: Path) -> None:
    run(bert_folder, prepared, max_steps=1)
    before = content_hash(prepared.parent / "model")
    with pytest.raises(UserError, match=r"finetune\.model: scratch is for tasks that write texts"):
        run(bert_folder, prepared, model="scratch")
    assert content_hash(prepared.parent / "model") == before
