"""Each adapter learns its fixture rows: 20 steps of a toy model through the stages' own code, then saved and loaded."""

import csv
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

from tasks import params, params_file, records, sources
from tasks.adapters import find
from tasks.compute import Machine
from tasks.errors import UserError
from tasks.finetune import finetune
from tasks.models import content_hash
from tasks.params_file import check, tasks_available
from tasks.predictor import Predictor
from tasks.records import Example, Row
from tasks.scoring import selection
from tasks.yaml_files import read_yaml

ROOT = Path(__file__).parents[3]
FIXTURES = Path(__file__).parent / "fixtures"
CPU = Machine(torch.device("cpu"), bf16=False, description="cpu")


def prepare(task: str, folder: Path, **own: Any) -> list[Example]:
    """The fixture rows as train and validation, as preprocess leaves them; ``own`` are changes of the task's block."""
    adapter = find(task)
    options = check(adapter.options, read_yaml(ROOT / "params.yaml")[task] | own, Path("params.yaml"))
    (path,) = (FIXTURES / task).glob("train.*")
    read = sources.reader(adapter.source(path.name, options))
    rows = [row for row in read(path, path.name) if isinstance(row, Row)]
    facts = adapter.survey(rows, options)
    examples = [adapter.parse(row, options, facts, Counter()) for row in rows]
    folder.mkdir()
    records.write_examples(folder / "train.jsonl", examples)
    if adapter.complete is not None:
        examples = list(adapter.complete(examples, options))
    records.write_examples(folder / "validation.jsonl", examples)
    labels = sorted(set().union(*(adapter.items(example.target) for example in examples)))
    records.write_json(folder / "labels.json", labels)
    return examples


def settings_of(task: str, model: Path, **changes: Any) -> params.Params:
    values = params_file.load(ROOT / "params.yaml").model_dump()
    values["task"], values["options"] = task, read_yaml(ROOT / "params.yaml")[task]
    values["finetune"] |= {"model": str(model), "revision": content_hash(model), "max_length": 64, "window_overlap": 8}
    values["finetune"] |= {"batch_size": 4, "max_steps": 20, "epochs": 9, "learning_rate": 1e-2, "dropout": 0.0}
    values["finetune"] |= changes
    values["compute"] |= {"device": "cpu", "precision": "fp32", "threads": 1}
    return params.Params.model_validate(values)


VARIANTS: list[tuple[str, dict[str, Any]]] = [
    *((task, {}) for task in tasks_available()),
    ("text_classification", {"labels": "many", "threshold": 0.2}),
    ("extractive_qa", {"mark_shared": True}),
    ("extractive_qa", {"unanswerable": True}),
]


@pytest.mark.parametrize(("task", "own"), VARIANTS)
@pytest.mark.parametrize(("model", "changes"), [("bert_folder", {}), ("roberta_folder", {"optimizer": "adafactor"})])
def test_twenty_steps_lower_the_loss_and_the_saved_model_answers_as_the_trained_one(
    task: str,
    own: dict[str, Any],
    model: str,
    changes: dict[str, Any],
    tmp_path: Path,
    request: pytest.FixtureRequest,
    capsys: Any,
) -> None:
    examples = prepare(task, tmp_path / "prepared", **own)
    settings = settings_of(task, request.getfixturevalue(model), **changes)
    settings = settings.model_copy(update={"options": settings.options | own})
    finetune(settings, tmp_path / "prepared", tmp_path / "model", tmp_path / "history.csv", None)
    whole = find(task).objective(check(find(task).options, settings.options, Path())) == "sequences"
    assert ("fast path;" in capsys.readouterr().err) == (not changes and not whole)
    rows = list(csv.DictReader((tmp_path / "history.csv").read_text().splitlines()))
    losses = [float(row["train_loss"]) for row in rows]
    assert int(rows[-1]["step"]) == 20
    assert losses[-1] < 0.9 * losses[0]
    assert float(rows[-1]["validation_loss"]) < 0.9 * losses[0]
    predictor = Predictor(tmp_path / "model", find(task), CPU, 8)
    predictions = list(predictor.predict(iter(examples)))
    figure = getattr(selection, find(task).headline)([p.gold for p in predictions], [p.predicted for p in predictions])
    best = max(float(row["validation_f1"]) for row in rows)
    assert figure == pytest.approx(best, abs=1e-6)
    assert best > 0 or whole  # 20 steps teach no toy to write


@pytest.mark.parametrize("changes", [{"batch_size": 1}, {"micro_batch_size": 1}])
def test_steps_that_see_one_pair_of_vectors_at_a_time_are_refused(
    changes: dict[str, int], bert_folder: Path, tmp_path: Path
) -> None:
    prepare("dialogue", tmp_path / "prepared")
    settings = settings_of("dialogue", bert_folder, **changes)
    with pytest.raises(UserError, match="leave 1 history in memory at once"):
        finetune(settings, tmp_path / "prepared", tmp_path / "model", tmp_path / "history.csv", None)


@pytest.mark.parametrize("changes", [{"features": "frozen"}, {"features": "mean_last_4"}, {"micro_batch_size": 2}])
def test_vectors_learn_from_other_features_and_in_micro_batches(
    changes: dict[str, Any], bert_folder: Path, tmp_path: Path
) -> None:
    prepare("dialogue", tmp_path / "prepared")
    settings = settings_of("dialogue", bert_folder, max_steps=4, **changes)
    if changes.get("features") == "mean_last_4":
        with pytest.raises(UserError, match="needs 4 layers"):
            finetune(settings, tmp_path / "prepared", tmp_path / "model", tmp_path / "history.csv", None)
        return
    finetune(settings, tmp_path / "prepared", tmp_path / "model", tmp_path / "history.csv", None)
    assert (tmp_path / "model" / "head.safetensors").is_file()
