import math
from pathlib import Path
from typing import Any

import pytest
import torch

from tasks.adapters import Encoded
from tasks.adapters.token_classification import model as token_classifier
from tasks.batches import collate
from tasks.compute import Machine
from tasks.encoding import IGNORED, encode_words
from tasks.errors import UserError
from tasks.models import load_tokenizer
from tasks.training import cross_entropy, linear_schedule, parameter_groups, train, write_history

CPU = Machine(torch.device("cpu"), bf16=False, description="cpu")
SENTENCES = [
    ["Angela", "Merkel", "visited", "Toyota", "in", "Nagoya"],
    ["the", "unbelievable", "harbourmaster", "of", "Graz"],
    ["Kestrel", "Freight", "moves", "boxes"],
    ["Graz"],
] * 4
LABELS = [[1, 2, 0, 1, 0, 1], [0, 0, 0, 0, 1], [1, 2, 0, 0], [1]] * 4


@pytest.fixture
def toy(bert_folder: Path) -> tuple[Any, list[Encoded], int]:
    torch.manual_seed(0)
    tokenizer = load_tokenizer(str(bert_folder), {})
    windows = encode_words(SENTENCES, LABELS, tokenizer, max_length=20, overlap=4)
    return token_classifier(str(bert_folder), {}, ["O", "B-X", "I-X"]), windows, tokenizer.pad_token_id


def run(toy: tuple[Any, list[Encoded], int], **changes: Any) -> tuple[Any, list[int]]:
    model, windows, pad = toy
    kept: list[int] = []
    figures = changes.pop("figures", None)
    settings = {
        "keep": lambda _: kept.append(1),
        "pad_id": pad,
        "machine": CPU,
        "seed": 1,
        "epochs": 3,
        "batch_size": 4,
        "learning_rate": 5e-3,
        "weight_decay": 0.01,
        "warmup_ratio": 0.1,
        "max_gradient_norm": 1.0,
    }
    values = iter(figures or [])
    torch.manual_seed(1)
    result = train(model, windows, lambda _: (0.0, next(values) if figures else 0.5), **(settings | changes))
    return result, kept


def test_the_loss_falls(toy: Any) -> None:
    result, _ = run(toy, epochs=5)
    assert result.history[-1].train_loss < 0.5 * result.history[0].train_loss
    assert result.steps == 5 * 4
    assert result.tokens < result.padded_tokens


def test_the_same_seed_gives_the_same_weights(toy: Any, bert_folder: Path) -> None:
    start = {name: value.clone() for name, value in toy[0].state_dict().items()}
    one, _ = run(toy)
    first = {name: value.clone() for name, value in toy[0].state_dict().items()}
    toy[0].load_state_dict(start)
    two, _ = run(toy)
    assert one.history == two.history
    assert all(torch.equal(first[name], value) for name, value in toy[0].state_dict().items())
    toy[0].load_state_dict(start)
    other, _ = run(toy, seed=2)
    assert other.history != one.history


def test_the_best_epoch_is_kept_and_the_first_of_equals(toy: Any) -> None:
    result, kept = run(toy, epochs=4, figures=[0.1, 0.4, 0.4, 0.3])
    assert result.best.epoch == 2
    assert len(kept) == 2
    assert [line.validation_f1 for line in result.history] == [0.1, 0.4, 0.4, 0.3]


def test_an_epoch_without_any_right_entity_still_leaves_a_model(toy: Any) -> None:
    _, kept = run(toy, epochs=1, figures=[0.0])
    assert len(kept) == 1


def test_more_padding_changes_neither_loss_nor_gradient(toy: Any) -> None:
    model, windows, pad = toy
    model.eval()
    gradients = []
    for extra in (0, 9):
        tensors = collate(windows[:3], pad_id=pad, device=CPU.device)
        padded = {
            "input_ids": torch.nn.functional.pad(tensors["input_ids"], (0, extra), value=pad),
            "attention_mask": torch.nn.functional.pad(tensors["attention_mask"], (0, extra)),
        }
        labels = torch.nn.functional.pad(tensors["labels"], (0, extra), value=IGNORED)
        model.zero_grad()
        total, count = cross_entropy(model(**padded).logits, labels)
        (total / count).backward()
        gradients.append((total.item(), count.item(), model.classifier.weight.grad.clone()))
    assert gradients[0][:2] == pytest.approx(gradients[1][:2], abs=1e-5)
    assert torch.allclose(gradients[0][2], gradients[1][2], atol=1e-6)


def test_all_windows_of_an_example_are_in_one_step(bert_folder: Path) -> None:
    tokenizer = load_tokenizer(str(bert_folder), {})
    windows = encode_words([["Graz"] * 40, ["Graz"]], [[1] * 40, [1]], tokenizer, max_length=12, overlap=2)
    assert len(windows) > 4
    model = token_classifier(str(bert_folder), {}, ["O", "B-X", "I-X"])
    result, _ = run((model, windows, tokenizer.pad_token_id), batch_size=1, epochs=1)
    assert result.steps == 2


def test_learning_rate_rises_and_falls() -> None:
    rate = linear_schedule(1.0, 100, 10)
    assert rate(0) == pytest.approx(1 / 11)
    assert rate(10) == 1.0
    assert rate(55) == pytest.approx(0.5)
    assert 0 < rate(99) < 0.02
    assert linear_schedule(1.0, 10, 0)(0) == 1.0


def test_biases_and_norms_do_not_decay(toy: Any) -> None:
    decayed, plain = parameter_groups(toy[0], 0.01)
    assert decayed["weight_decay"] == 0.01
    assert plain["weight_decay"] == 0.0
    assert all(parameter.ndim == 1 for parameter in plain["params"])
    assert len(decayed["params"]) + len(plain["params"]) == len(list(toy[0].parameters()))


def test_a_loss_that_is_no_number_stops_the_run(toy: Any) -> None:
    with torch.no_grad():
        toy[0].classifier.weight.fill_(math.nan)
    with pytest.raises(UserError, match=r"finetune\.learning_rate: 0\.005 is too high"):
        run(toy)


def test_history_is_a_plain_csv(toy: Any, tmp_path: Path) -> None:
    result, _ = run(toy, epochs=2)
    write_history(tmp_path / "history.csv", result.history)
    lines = (tmp_path / "history.csv").read_text().splitlines()
    assert lines[0] == "epoch,step,learning_rate,train_loss,validation_loss,validation_f1"
    assert [line.split(",")[:2] for line in lines[1:]] == [["1", "4"], ["2", "8"]]
