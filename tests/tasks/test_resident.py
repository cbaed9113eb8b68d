import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tasks import compute, training
from tasks.adapters import Encoded
from tasks.adapters.token_classification import model as token_classifier
from tasks.batches import collate
from tasks.compute import Machine
from tasks.encoding import IGNORED
from tasks.objectives import CLASSES, PAIRS, RANKING, RANKING_FIRST, SEQUENCES, SPANS, Objective, label_sets
from tasks.resident import ResidentWindows

CPU = torch.device("cpu")


def windows(count: int) -> list[Encoded]:
    """Windows of 1 to 9 sub-words, some of one example, some without any label."""
    source = random.Random(1)
    made = []
    for number in range(count):
        size = source.randint(1, 9)
        labels = [source.choice([IGNORED, 0, 1, 2]) if number % 5 else IGNORED for _ in range(size)]
        parts = [(place, place) for place, label in enumerate(labels) if label != IGNORED]
        made.append(Encoded(number // 2, [source.randint(5, 90) for _ in range(size)], labels, parts))
    return made


@pytest.mark.parametrize("seed", range(20))
def test_a_batch_is_what_collate_makes(seed: int) -> None:
    corpus = windows(30)
    resident = ResidentWindows(corpus, pad_id=1, device=CPU)
    indexes = random.Random(seed).sample(range(30), k=1 + seed % 7)
    own, expected = resident.batch(indexes), collate([corpus[index] for index in indexes], pad_id=1, device=CPU)
    assert own.keys() == expected.keys()
    for name, value in expected.items():
        if isinstance(value, torch.Tensor):
            assert own[name].dtype == value.dtype
            assert own[name].tolist() == value.tolist(), name
        else:
            assert own[name] == value, name


def paired(count: int) -> list[Encoded]:
    """Windows with two parts, the first of which has a label in four of five."""
    made = []
    for number, window in enumerate(windows(count)):
        labels = [IGNORED] * (len(window.labels) + 2)
        first, second = number % 2, len(labels) - 1
        labels[first] = number % 3 if number % 5 else IGNORED
        made.append(Encoded(number, [*window.input_ids, 6, 7], labels, [(first, 0), (second, 1)]))
    return made


@pytest.mark.parametrize("objective", [CLASSES, PAIRS, label_sets(2), SPANS, RANKING, RANKING_FIRST])
def test_a_batch_holds_what_each_objective_reads(objective: Objective) -> None:
    corpus = paired(30) if objective is PAIRS else windows(30)
    resident = ResidentWindows(corpus, pad_id=1, device=CPU, objective=objective)
    packed = ResidentWindows(corpus, pad_id=1, device=CPU, objective=objective, packed=True)
    for indexes in ([4, 0, 17], [9], list(range(30))):
        own = resident.batch(indexes)
        expected = collate([corpus[index] for index in indexes], pad_id=1, device=CPU, objective=objective)
        assert own["answered"].tolist() == expected["answered"].tolist()
        assert own["targets"].dtype == expected["targets"].dtype
        assert own["targets"].tolist() == expected["targets"].tolist()
        batch = packed.batch(indexes)["packed"]
        laid = batch.lay(batch.windows, batch.form)
        number = expected["attention_mask"].flatten().cumsum(0) - 1
        assert laid.answered[: batch.rows].tolist() == number[expected["answered"]].tolist()
        assert batch.targets[laid.wanted[: batch.outputs]].tolist() == expected["targets"].tolist()


@pytest.mark.parametrize("seed", range(10))
def test_a_packed_batch_is_the_padded_one_without_padding(seed: int) -> None:
    corpus = windows(30)
    indexes = random.Random(seed).sample(range(30), k=1 + seed)
    padded = ResidentWindows(corpus, pad_id=1, device=CPU).batch(indexes)
    packed = ResidentWindows(corpus, pad_id=1, device=CPU, packed=True).batch(indexes)
    real = padded["attention_mask"].flatten().bool()
    number = real.cumsum(0) - 1
    sizes = [len(corpus[index].input_ids) for index in indexes]
    total = sum(sizes)
    batch = packed["packed"]
    form, laid = batch.form, batch.lay(batch.windows, batch.form)
    assert form.sub_words % 64 == form.windows % 16 == form.longest % 64 == 0
    assert 0 <= form.sub_words - total < 64
    assert laid.ids.tolist() == padded["input_ids"].flatten()[real].tolist() + [1] * (form.sub_words - total)
    places = [place for size in sizes for place in range(size)]
    assert laid.places.tolist() == places + [0] * (form.sub_words - total)
    assert laid.answered[: batch.rows].tolist() == number[padded["answered"]].tolist()
    assert batch.targets[laid.wanted[: batch.outputs]].tolist() == padded["targets"].tolist()
    assert laid.bounds.dtype == torch.int32
    empty = [0] * (form.windows - len(indexes))
    assert laid.bounds.diff().tolist() == [*sizes, *empty, form.sub_words - total]
    assert form.longest >= max(laid.bounds.diff())


def test_a_batch_without_labels() -> None:
    corpus = [Encoded(0, [7, 8], [IGNORED, IGNORED], [])]
    found = ResidentWindows(corpus, pad_id=0, device=CPU).batch([0])
    assert (found["answered"].tolist(), found["targets"].tolist(), found["lengths"]) == ([], [], [])
    batch = ResidentWindows(corpus, pad_id=0, device=CPU, packed=True).batch([0])["packed"]
    laid = batch.lay(batch.windows, batch.form)
    assert (batch.rows, batch.outputs, len(laid.answered)) == (0, 0, batch.form.sub_words)


def test_no_operation_of_a_batch_asks_the_device_for_a_size() -> None:
    resident = ResidentWindows(windows(30), pad_id=1, device=CPU)
    asked = []

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            asked.append(str(function))
            return function(*args, **(kwargs or {}))

    with Watch():
        resident.batch([3, 1, 12])
        packed = ResidentWindows(windows(30), pad_id=1, device=CPU, packed=True).batch([3, 1, 12])["packed"]
        packed.lay(packed.windows, packed.form)
    assert asked
    assert not [name for name in asked if "nonzero" in name or "_local_scalar_dense" in name or "item" in name]


def test_only_a_gpu_keeps_the_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    class Kept:
        def __init__(self, *_: Any, device: torch.device, **__: Any) -> None:
            made.append(device.type)

        batch = None

    monkeypatch.setattr(training, "ResidentWindows", Kept)
    machine = Machine(CPU, bf16=False, description="cpu")
    training._batches_on(machine, windows(3), 0, CLASSES, packed=False)([0, 2])
    assert made == []
    card = replace(machine, device=torch.device("cuda"))
    training._batches_on(card, windows(3), 0, SEQUENCES, packed=False)
    assert made == []  # their labels are sequences of their own
    training._batches_on(card, windows(3), 0, CLASSES, packed=True)
    assert made == ["cuda"]


def test_a_gpu_gets_fused_attention_with_the_same_answers(bert_folder: Path) -> None:
    ids = {
        "input_ids": torch.tensor([[5, 6, 7, 0], [5, 6, 7, 8]]),
        "attention_mask": torch.tensor([[1, 1, 1, 0], [1] * 4]),
    }
    model = token_classifier(str(bert_folder), {}, ["O", "B-X", "I-X"]).eval()
    machine = Machine(CPU, bf16=False, description="cpu")
    before = compute.prepare(model, machine)(**ids).logits
    assert model.config._attn_implementation == "eager"
    after = compute.prepare(model, replace(machine, device=torch.device("cuda")))(**ids).logits
    assert model.config._attn_implementation == "sdpa"
    real = ids["attention_mask"].bool()
    torch.testing.assert_close(after[real], before[real], atol=1e-5, rtol=1e-4)
