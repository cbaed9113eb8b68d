"""Encoders of several families serve each task as transformers' own classes would, and other models are refused."""

from pathlib import Path
from typing import Any

import pytest
import transformers
from transformers import AutoModel

from tasks.adapters import find
from tasks.errors import UserError
from tasks.heads import refuse_other_head, with_head
from tasks.objectives import make
from tasks.params_file import check, tasks_available
from tasks.yaml_files import read_yaml

ROOT = Path(__file__).parents[2]
CLASSES = {"extractive_qa": ["start", "end"], "token_classification": ["O", "B-X", "I-X"]}
TASKS = ["extractive_qa", "relation_extraction", "text_classification", "token_classification"]
SMALL = {
    "vocab_size": 30,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 40,
}
DISTIL = {"vocab_size": 30, "dim": 16, "n_layers": 1, "n_heads": 2, "hidden_dim": 16, "max_position_embeddings": 40}


def folder(kind: str, place: Path, **config: Any) -> Path:
    """A tiny random model of a family, saved."""
    made = transformers.AutoConfig.for_model(kind, **config)
    AutoModel.from_config(made).save_pretrained(place / kind)
    return place / kind


def checked(task: str, source: Path, head: str = "linear") -> Any:
    """The model of a task as finetune makes it, with its head."""
    adapter = find(task)
    options = check(adapter.options, read_yaml(ROOT / "params.yaml")[task], Path("params.yaml"))
    classes = CLASSES.get(task, ["a", "b", "c"])
    rows = make(adapter.objective(options), len(classes)).rows_per_output
    load = {"use_safetensors": True, "trust_remote_code": False, "local_files_only": True}
    model = with_head(adapter.model(str(source), load, classes), head, "last", classes, rows)
    refuse_other_head(model, adapter.head(model))
    return model


def test_these_are_tasks() -> None:
    assert set(TASKS) <= set(tasks_available())


@pytest.mark.parametrize("kind", ["bert", "roberta", "electra", "distilbert"])
def test_encoders_serve_every_task(kind: str, tmp_path: Path) -> None:
    source = folder(kind, tmp_path, **(DISTIL if kind == "distilbert" else SMALL))
    for task in TASKS:
        assert checked(task, source).config.model_type == kind


def test_a_head_that_hone_does_not_know_is_refused_and_another_one_works(tmp_path: Path) -> None:
    source = folder("deberta-v2", tmp_path, **SMALL)
    with pytest.raises(UserError, match=r"finetune\.head: linear is more than one layer on a deberta-v2.*write mlp"):
        checked("text_classification", source)
    checked("text_classification", source, head="mlp")
    checked("token_classification", source)


@pytest.mark.parametrize("task", TASKS)
def test_models_of_another_kind_are_refused_in_one_line(task: str, tmp_path: Path) -> None:
    t5 = folder("t5", tmp_path, vocab_size=30, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
    with pytest.raises(
        UserError, match=r"finetune\.model: .* is an encoder-decoder \(t5\); this task needs an encoder"
    ):
        checked(task, t5)
    gpt = folder("gpt2", tmp_path, vocab_size=30, n_embd=16, n_layer=1, n_head=2, n_positions=40)
    with pytest.raises(UserError, match=r"reads from left to right only \(gpt2\)"):
        checked(task, gpt)
    vit = folder("vit", tmp_path, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    with pytest.raises(
        UserError, match=r"is a vit, for which transformers has no \w+Classification|is a vit, for which"
    ):
        checked(task, vit)


def test_a_model_with_other_classes_is_refused_in_one_line(tmp_path: Path) -> None:
    config = transformers.AutoConfig.for_model("bert", **SMALL, num_labels=7)
    transformers.AutoModelForSequenceClassification.from_config(config).save_pretrained(tmp_path / "other")
    with pytest.raises(UserError, match=r"has a head of its own for other classes; take the encoder"):
        checked("text_classification", tmp_path / "other")
