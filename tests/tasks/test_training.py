import json
import math
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from tasks.adapters import Encoded
from tasks.adapters.token_classification import model as token_classifier
from tasks.batches import collate
from tasks.checkpoints import Checkpoints
from tasks.compute import Machine
from tasks.dropout import set_dropout
from tasks.encoding import encode_words
from tasks.errors import UserError
from tasks.fast_engine import FastEngine
from tasks.history import write_history
from tasks.models import load_tokenizer
from tasks.objectives import mean_cross_entropy
from tasks.plain_engine import PlainEngine
from tasks.training import Plan, train

CPU = Machine(torch.device("cpu"), bf16=False, description="cpu")
SENTENCES = [
    ["Angela", "Merkel", "visited", "Toyota", "in", "Nagoya"],
    ["the", "unbelievable", "harbourmaster", "of", "Graz"],
    ["Kestrel", "Freight", "moves", "boxes"],
    ["Graz"],
] * 4
LABELS = [[1, 2, 0, 1, 0, 1], [0, 0, 0, 0, 1], [1, 2, 0, 0], [1]] * 4


OPTIONS = ("dropout", "optimizer", "frozen_layers", "layer_decay")  # of an engine


@pytest.fixture
def toy(bert_folder: Path) -> tuple[Any, list[Encoded], int]:
    torch.manual_seed(0)
    tokenizer = load_tokenizer(str(bert_folder), {})
    windows = encode_words(SENTENCES, LABELS, tokenizer, max_length=20, overlap=4)
    return token_classifier(str(bert_folder), {}, ["O", "B-X", "I-X"]), windows, tokenizer.pad_token_id


PLAN = Plan(
    epochs=3,
    batch_size=4,
    micro_batch_size=0,
    learning_rate=5e-3,
    schedule="linear",
    warmup_ratio=0.1,
    max_gradient_norm=1.0,
    patience=0,
    minimum_gain=0.0,
    max_steps=0,
    max_minutes=0.0,
    class_weights=None,
)


def engine_of(
    kind: str, model: Any, windows: list[Encoded], pad: int, seed: int = 1, dropout: float = 0.1, **options: Any
) -> Any:
    common = {"machine": CPU, "weight_decay": 0.01, "dropout": dropout, "seed": seed} | options
    if kind == "plain":
        set_dropout(model.config, model, dropout, 0.0)
        return PlainEngine(model, model.classifier, **common)
    used = {pad}.union(*(window.input_ids for window in windows))
    longest = max(len(window.input_ids) for window in windows)
    return FastEngine(model, model.classifier, used, longest, attention_dropout=0.0, **common)


def run(toy: tuple[Any, list[Encoded], int], kind: str = "fast", **changes: Any) -> Any:
    model, windows, pad = toy
    figures = changes.pop("figures", None)
    options = {name: changes.pop(name) for name in OPTIONS if name in changes}
    engine = engine_of(kind, model, windows, pad, changes.get("seed", 1), **options)
    plan = replace(PLAN, **{name: changes.pop(name) for name in list(changes) if hasattr(PLAN, name)})
    settings = {"store": None, "pad_id": pad, "machine": CPU, "seed": 1} | changes
    values = iter(figures or [])
    return train(engine, windows, lambda _: (0.0, next(values) if figures else 0.5), plan, **settings)


@pytest.mark.parametrize("kind", ["fast", "plain"])
def test_the_loss_falls(toy: Any, kind: str) -> None:
    result = run(toy, kind, epochs=5)
    assert result.history[-1].train_loss < 0.5 * result.history[0].train_loss
    assert result.steps == 5 * 4
    assert result.tokens < result.padded_tokens


@pytest.mark.parametrize("kind", ["fast", "plain"])
@pytest.mark.parametrize("threads", [1, 2])
def test_the_same_seed_gives_the_same_weights(
    toy: Any, kind: str, threads: int, request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(partial(torch.set_num_threads, torch.get_num_threads()))
    torch.set_num_threads(threads)
    start = {name: value.clone() for name, value in toy[0].state_dict().items()}
    one = run(toy, kind)
    first = {name: value.clone() for name, value in toy[0].state_dict().items()}
    toy[0].load_state_dict(start)
    torch.manual_seed(99)  # randomness comes from seed and step alone
    two = run(toy, kind)
    assert one.history == two.history
    assert all(torch.equal(first[name], value) for name, value in toy[0].state_dict().items())
    toy[0].load_state_dict(start)
    other = run(toy, kind, seed=2)
    assert other.history != one.history


@pytest.mark.parametrize("kind", ["fast", "plain"])
def test_the_weights_of_the_best_epoch_are_kept_and_of_the_first_among_equals(toy: Any, kind: str) -> None:
    seen: list[torch.Tensor] = []
    model, windows, pad = toy

    def validate(trained: Any) -> tuple[float, float]:
        seen.append(trained.classifier.weight.detach().clone())
        return 0.0, [0.1, 0.4, 0.4, 0.3][len(seen) - 1]

    engine = engine_of(kind, model, windows, pad)
    result = train(
        engine,
        windows,
        validate,
        replace(PLAN, epochs=4),
        store=None,
        pad_id=pad,
        machine=CPU,
        seed=1,
    )
    assert result.best.epoch == 2
    assert [line.validation_f1 for line in result.history] == [0.1, 0.4, 0.4, 0.3]
    assert torch.equal(model.classifier.weight, seen[1])
    assert not torch.equal(model.classifier.weight, seen[3])


def test_an_epoch_without_any_right_entity_still_leaves_a_model(toy: Any) -> None:
    assert run(toy, epochs=1, figures=[0.0]).best.epoch == 1


class Killed(Exception):
    """Stands for the end of the process."""


FREEZING = {"frozen_layers": 1, "layer_decay": 0.5}
STOPPING = {"patience": 1, "epochs": 4, "class_weights": [0.2, 1.0, 3.0]}


@pytest.mark.parametrize(
    ("kind", "step", "options"),
    [
        *((kind, step, {}) for kind in ("fast", "plain") for step in (1, 4, 6, 8, 11)),
        ("fast", 6, {"micro_batch_size": 3}),
        ("fast", 6, FREEZING),
        ("plain", 6, FREEZING),
        ("plain", 6, {"optimizer": "adafactor"}),
        ("plain", 6, {"optimizer": "sgd"}),
        ("fast", 9, {"max_steps": 10, "schedule": "cosine"}),
        ("fast", 9, STOPPING),
    ],
)
def test_a_killed_run_goes_on_to_the_same_bits(
    toy: Any, kind: str, step: int, options: dict[str, Any], tmp_path: Path
) -> None:
    model = toy[0]
    start = {name: value.clone() for name, value in model.state_dict().items()}
    whole = run(toy, kind, figures=[0.5, 0.9, 0.2], **options)
    weights = {name: value.clone() for name, value in model.state_dict().items()}

    def kill(done: int) -> None:
        if done == step + 1:
            raise Killed

    model.load_state_dict(start)
    with Checkpoints(tmp_path, "key", every_steps=1) as store, pytest.raises(Killed):
        run(toy, kind, figures=[0.5, 0.9, 0.2], store=store, on_step=kill, **options)
    model.load_state_dict(start)
    torch.manual_seed(77)
    with Checkpoints(tmp_path, "key", every_steps=1) as store:
        again = run(toy, kind, figures=[0.5, 0.9, 0.2][(step - 1) // 4 :], store=store, **options)
    assert again == whole
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())


def test_a_run_that_goes_on_tells_all_its_epochs(toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = tmp_path / "told"
    monkeypatch.setenv("HONE_EPOCHS", str(told))

    def kill(done: int) -> None:
        if done == 7:  # in the second epoch of four steps each
            raise Killed

    with Checkpoints(tmp_path / "kept", "key", every_steps=1) as store, pytest.raises(Killed):
        run(toy, figures=[0.5], store=store, on_step=kill)
    with Checkpoints(tmp_path / "kept", "key", every_steps=1) as store:
        run(toy, figures=[0.9, 0.2], store=store)
    lines = [json.loads(text) for text in told.read_text().splitlines()]
    assert [(line["epoch"], line["figure"]) for line in lines] == [(1, 0.5), (1, 0.5), (2, 0.9), (3, 0.2)]


@pytest.mark.parametrize("kind", ["fast", "plain"])
def test_more_padding_changes_no_step(toy: Any, kind: str) -> None:
    model, windows, pad = toy
    start = {name: value.clone() for name, value in model.state_dict().items()}
    results = []
    for extra in (0, 9):
        model.load_state_dict(start)
        engine = engine_of(kind, model, [*windows, Encoded(0, [pad] * 29, [], [])], pad, dropout=0.0)
        batch = padded(collate(windows[:3], pad_id=pad, device=CPU.device), extra, pad)
        loss = engine.step([batch], partial(mean_cross_entropy, count=1), number=0, rate=1e-3, max_norm=1e9)
        results.append((loss.item(), {name: value.clone() for name, value in engine.sync().state_dict().items()}))
    assert results[0][0] == pytest.approx(results[1][0], rel=1e-5)
    assert all(torch.allclose(value, results[1][1][name], atol=2e-5) for name, value in results[0][1].items())


def padded(batch: dict[str, Any], extra: int, pad: int) -> dict[str, Any]:
    """The batch with ``extra`` columns of padding more."""
    length = batch["input_ids"].shape[1]
    rows = batch["answered"]
    return batch | {
        "input_ids": torch.nn.functional.pad(batch["input_ids"], (0, extra), value=pad),
        "attention_mask": torch.nn.functional.pad(batch["attention_mask"], (0, extra)),
        "answered": rows // length * (length + extra) + rows % length,
        "padded": True,
    }


def test_all_windows_of_an_example_are_in_one_step(bert_folder: Path) -> None:
    tokenizer = load_tokenizer(str(bert_folder), {})
    windows = encode_words([["Graz"] * 40, ["Graz"]], [[1] * 40, [1]], tokenizer, max_length=12, overlap=2)
    assert len(windows) > 4
    model = token_classifier(str(bert_folder), {}, ["O", "B-X", "I-X"])
    result = run((model, windows, tokenizer.pad_token_id), batch_size=1, epochs=1)
    assert result.steps == 2


def test_a_loss_that_is_no_number_stops_the_run(toy: Any) -> None:
    with torch.no_grad():
        toy[0].classifier.weight.fill_(math.nan)
    with pytest.raises(UserError, match=r"finetune\.learning_rate: 0\.005 is too high"):
        run(toy)


def test_history_is_a_plain_csv(toy: Any, tmp_path: Path) -> None:
    result = run(toy, epochs=2)
    write_history(tmp_path / "history.csv", result.history)
    lines = (tmp_path / "history.csv").read_text().splitlines()
    assert lines[0] == "epoch,step,learning_rate,train_loss,validation_loss,validation_f1"
    assert [line.split(",")[:2] for line in lines[1:]] == [["1", "4"], ["2", "8"]]
