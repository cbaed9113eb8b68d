"""Which engine is chosen, and the reason that the log gives."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForTokenClassification

from tasks import params_file
from tasks.adapters import Encoded
from tasks.compute import Machine
from tasks.engines import choose_engine
from tasks.fast_engine import FastEngine
from tasks.models import load_model
from tasks.params import Params
from tasks.plain_engine import PlainEngine

ROOT = Path(__file__).parents[2]
CPU = Machine(torch.device("cpu"), bf16=False, description="cpu")
WINDOW = Encoded(0, [2, 7, 8, 3], [-100, 1, 2, -100], [(1, 0), (2, 1)])


@pytest.fixture
def model(bert_folder: Path) -> Any:
    return load_model(AutoModelForTokenClassification, str(bert_folder), {}, num_labels=3, attn_implementation="eager")


def settings(**changes: Any) -> Params:
    values = params_file.load(ROOT / "params.yaml").model_dump()
    values["finetune"] |= changes
    return Params.model_validate(values)


def test_the_fast_engine_trains_what_it_knows(model: Any) -> None:
    engine, path = choose_engine(model, model.classifier, [WINDOW], 0, CPU, settings())
    assert (type(engine), path) == (FastEngine, "fast path")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"optimizer": "sgd"}, "it has no finetune.optimizer: sgd"),
        ({"features": "frozen"}, "it has no finetune.features: frozen"),
        ({"processes": 2, "head": "crf"}, "it has no finetune.processes: 2 and no finetune.head: crf"),
    ],
)
def test_the_plain_engine_trains_the_rest_and_says_why(model: Any, changes: dict[str, Any], reason: str) -> None:
    engine, path = choose_engine(model, model.classifier, [WINDOW], 0, CPU, settings(**changes))
    assert (type(engine), path) == (PlainEngine, f"plain path (the fast one does not fit: {reason})")


def test_a_model_that_is_trained_whole_has_the_plain_engine(model: Any) -> None:
    engine, path = choose_engine(model, None, [WINDOW], 0, CPU, settings())
    assert (type(engine), path) == (PlainEngine, "plain path (the fast one does not fit: it is for encoders)")
