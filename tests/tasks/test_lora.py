from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForTokenClassification

from tasks.adapters.token_classification import model as token_classifier
from tasks.batches import collate
from tasks.compute import Machine
from tasks.encoding import encode_words
from tasks.errors import UserError
from tasks.lora import Lora
from tasks.models import load_tokenizer
from tasks.objectives import mean_cross_entropy
from tasks.plain_engine import PlainEngine

CPU = Machine(torch.device("cpu"), bf16=False, description="cpu")
OPTIONS: dict[str, Any] = {"rank": 4, "alpha": 8, "dropout": 0.0, "targets": ["query", "value"]}


def made(folder: Path, **changes: Any) -> tuple[Any, Lora, dict[str, torch.Tensor]]:
    """A toy model with low-rank matrices, and its weights as they were."""
    torch.manual_seed(0)
    model = token_classifier(str(folder), {}, ["O", "B-X", "I-X"])
    before = {name: value.clone() for name, value in model.state_dict().items()}
    return model, Lora(model.base_model, **OPTIONS | changes), before


def batch_of(folder: Path) -> dict[str, Any]:
    tokenizer = load_tokenizer(str(folder), {})
    windows = encode_words(
        [["Angela", "Merkel", "visited", "Graz"]], [[1, 2, 0, 1]], tokenizer, max_length=20, overlap=4
    )
    return collate(windows, pad_id=tokenizer.pad_token_id, device=CPU.device)


def engine_of(model: Any) -> PlainEngine:
    return PlainEngine(model, model.classifier, machine=CPU, weight_decay=0.01, dropout=0.0, seed=1)


def train(engine: PlainEngine, batch: dict[str, Any], steps: range) -> list[float]:
    def loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return mean_cross_entropy(logits, targets, len(targets))

    return [engine.step([batch], loss, number=step, rate=0.02, max_norm=1.0).item() for step in steps]


def test_only_the_targets_change_and_the_merged_model_computes_the_same(bert_folder: Path, tmp_path: Path) -> None:
    model, lora, before = made(bert_folder)
    batch = batch_of(bert_folder)
    losses = train(engine_of(model), batch, range(20))
    assert losses[-1] < 0.8 * losses[0]
    model.eval()
    inside = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    lora.merge()
    model.save_pretrained(tmp_path)
    loaded = AutoModelForTokenClassification.from_pretrained(tmp_path).eval()
    outside = loaded(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    assert torch.allclose(inside, outside, atol=1e-5)
    assert loaded.state_dict().keys() == before.keys()
    changed = {name for name, value in loaded.state_dict().items() if not torch.equal(value, before[name])}
    layers = {f"bert.encoder.layer.{n}.attention.self.{target}.weight" for n in (0, 1) for target in ("query", "value")}
    assert changed == layers | {"classifier.weight", "classifier.bias"}
    for name in layers:
        assert torch.linalg.matrix_rank(loaded.state_dict()[name] - before[name], tol=1e-5) <= 4


def test_a_run_goes_on_from_its_state_to_the_same_bits(bert_folder: Path) -> None:
    batch = batch_of(bert_folder)
    whole = made(bert_folder, dropout=0.3)[0]
    train(engine_of(whole), batch, range(6))
    first = engine_of(made(bert_folder, dropout=0.3)[0])
    train(first, batch, range(3))
    state = {name: value.clone() for name, value in first.state().items()}
    model = made(bert_folder, dropout=0.3)[0]
    second = engine_of(model)
    second.load(state)
    train(second, batch, range(3, 6))
    assert all(torch.equal(value, whole.state_dict()[name]) for name, value in model.state_dict().items())


def test_rank_alpha_and_dropout_do_something(bert_folder: Path) -> None:
    batch = batch_of(bert_folder)
    losses = {
        str(changes): train(engine_of(made(bert_folder, **changes)[0]), batch, range(5))[-1]
        for changes in ({}, {"rank": 2, "alpha": 4}, {"alpha": 64}, {"dropout": 0.5}, {"targets": ["dense"]})
    }
    assert len(set(losses.values())) == 5


def test_layers_that_the_encoder_does_not_have_are_named(bert_folder: Path) -> None:
    with pytest.raises(UserError, match=r"finetune\.lora\.targets: q_proj: no such layer .*: dense, key, query, value"):
        made(bert_folder, targets=["query", "q_proj"])
