"""The fast path on an NVIDIA card: right, repeatable, and without a wait of the host inside a step."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate.state import AcceleratorState
from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification

from tasks import params_file, training
from tasks.adapters import Encoded
from tasks.batches import collate
from tasks.compute import Machine, set_up
from tasks.dropout import set_dropout
from tasks.encoding import END, FIRST, IGNORED, START, encode_words
from tasks.engines import choose_engine
from tasks.fast_engine import FastEngine
from tasks.first_state import text_head
from tasks.models import load_model, load_tokenizer
from tasks.objectives import CLASSES, mean_cross_entropy, span_loss
from tasks.params import Params
from tasks.plain_engine import PlainEngine
from tasks.resident import ResidentWindows

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA card here")
NAMES = ["Angela Merkel visited Toyota in Nagoya", "the harbourmaster of Graz", "Graz", "Kestrel Freight moves boxes"]


def settings(**changes: Any) -> Params:
    values = params_file.load(ROOT / "params.yaml").model_dump()
    values["finetune"] |= {"epochs": 3, "learning_rate": 1e-3} | changes
    return Params.model_validate(values)


@pytest.fixture
def machine() -> Iterator[Machine]:
    AcceleratorState._reset_state(reset_partial_state=True)
    yield set_up(settings().compute, 1)
    torch.use_deterministic_algorithms(False)


@pytest.fixture
def corpus(bert_folder: Path) -> list[Encoded]:
    """160 windows of 3 to 30 sub-words."""
    tokenizer = load_tokenizer(str(bert_folder), {})
    sentences = [(NAMES[number % 4] + " " + NAMES[number % 3]).split()[: 1 + number % 11] for number in range(160)]
    labels = [[len(word) % 3 for word in words] for words in sentences]
    return encode_words(sentences, labels, tokenizer, max_length=48, overlap=4)


def model_of(folder: Path) -> Any:
    torch.manual_seed(0)
    return load_model(AutoModelForTokenClassification, str(folder), {}, num_labels=3, attn_implementation="eager")


def engine_of(folder: Path, corpus: list[Encoded], machine: Machine, **changes: Any) -> FastEngine:
    model = model_of(folder)
    used = {0}.union(*(window.input_ids for window in corpus))
    options = {"weight_decay": 0.01, "dropout": 0.1, "attention_dropout": 0.0, "seed": 1} | changes
    return FastEngine(model, model.classifier, used, 48, machine=machine, **options)


def step(engine: FastEngine, batches: list[dict[str, Any]], number: int) -> torch.Tensor:
    def loss(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return mean_cross_entropy(outputs, targets, 50)

    return engine.step(batches, loss, number=number, rate=1e-3, max_norm=1.0)


def steps(engine: FastEngine, resident: ResidentWindows, numbers: range) -> list[torch.Tensor]:
    """Steps of 16 windows from the start of the corpus on, four different ones in turn."""
    batches = [range(place * 16, place * 16 + 16) for place in range(4)]
    return [step(engine, [resident.batch(batches[number % 4])], number) for number in numbers]


def test_logits_and_gradients_are_those_of_the_plain_padded_model_in_float32(
    bert_folder: Path, corpus: list[Encoded], machine: Machine
) -> None:
    model = model_of(bert_folder)
    set_dropout(model.config, model, 0.0, 0.0)
    padded = collate(corpus[:32], pad_id=0, device=torch.device("cpu"))
    logits = model(input_ids=padded["input_ids"], attention_mask=padded["attention_mask"]).logits
    expected = logits.flatten(0, 1)[padded["answered"]]
    mean_cross_entropy(expected, padded["targets"], 50).backward()
    engine = engine_of(bert_folder, corpus, machine, dropout=0.0)
    batch = ResidentWindows(corpus, pad_id=0, device=machine.device, packed=True).batch(range(32))
    for _ in range(3):  # as it stands, recorded, replayed
        hidden, targets = engine._forward(batch)
        found = engine.head(hidden)
        engine.head.zero_grad(set_to_none=False)
        mean_cross_entropy(found.float(), targets, 50).backward()
    assert relative(found, expected) < 0.02  # bfloat16 has 8 bits
    for number, layer in enumerate(model.base_model.encoder.layer):
        gradient = engine.flat.gradients[f"{number}.down"]
        assert relative(gradient, layer.output.dense.weight.grad) < 0.03
        query = engine.flat.gradients[f"{number}.qkv"].chunk(3)
        for part, own in zip(query, ("query", "key", "value"), strict=True):
            assert relative(part, getattr(layer.attention.self, own).weight.grad) < 0.06, own
    words = engine.flat.gradients["words"]
    assert relative(words, model.base_model.embeddings.word_embeddings.weight.grad[engine._rows.cpu()]) < 0.03


def relative(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Norm of the difference over that of what is expected."""
    difference = found.detach().double().cpu() - expected.detach().double()
    return float(difference.norm() / expected.detach().double().norm())


def test_steps_of_several_micro_batches_give_the_same_bits_from_a_state(
    bert_folder: Path, corpus: list[Encoded], machine: Machine
) -> None:
    resident = ResidentWindows(corpus, pad_id=0, device=machine.device, packed=True)
    parts = [range(16), range(16, 24), range(24, 40)]

    def run(engine: FastEngine, numbers: range) -> list[torch.Tensor]:
        return [step(engine, [resident.batch(part) for part in parts], number) for number in numbers]

    first = engine_of(bert_folder, corpus, machine, attention_dropout=0.2)
    run(first, range(4))
    state = {name: value.cpu().clone() for name, value in first.state().items()}
    losses = run(first, range(4, 8))
    again = engine_of(bert_folder, corpus, machine, attention_dropout=0.2)
    again.load(state)
    assert torch.equal(torch.stack(losses), torch.stack(run(again, range(4, 8))))
    assert torch.equal(first.flat.master, again.flat.master)


@pytest.mark.parametrize("attention_dropout", [0.0, 0.2])
def test_the_same_steps_give_the_same_bits_from_a_state_too(
    attention_dropout: float, bert_folder: Path, corpus: list[Encoded], machine: Machine
) -> None:
    first = engine_of(bert_folder, corpus, machine, attention_dropout=attention_dropout)
    resident = ResidentWindows(corpus, pad_id=0, device=machine.device, packed=True)
    losses = steps(first, resident, range(9))
    state = {name: value.cpu().clone() for name, value in first.state().items()}
    losses += steps(first, resident, range(9, 21))  # replayed
    assert all(first._packed._recordings.values())
    again = engine_of(bert_folder, corpus, machine, attention_dropout=attention_dropout)
    again.load(state)
    torch.manual_seed(77)
    resident = ResidentWindows(corpus, pad_id=0, device=machine.device, packed=True)
    repeated = steps(again, resident, range(9, 21))  # as they stand, then recorded
    assert torch.equal(torch.stack(losses[9:]), torch.stack(repeated))
    assert torch.equal(first.flat.master, again.flat.master)
    assert torch.stack(losses).isfinite().all()


def test_the_model_lies_on_the_card_only_between_sync_and_the_next_step(
    bert_folder: Path, corpus: list[Encoded], machine: Machine
) -> None:
    engine = engine_of(bert_folder, corpus, machine, frozen_layers=1)
    resident = ResidentWindows(corpus, pad_id=0, device=machine.device, packed=True)
    for number in range(3):
        steps(engine, resident, range(4 * number, 4 * number + 4))
        assert {parameter.device.type for parameter in engine.model.base_model.parameters()} == {"cpu"}
        model = engine.sync()
        assert {parameter.device.type for parameter in model.parameters()} == {"cuda"}
        assert torch.equal(model.classifier.weight, engine.flat.masters()["head.weight"])
        assert torch.equal(model.base_model.encoder.layer[1].output.dense.weight, engine.flat.masters()["1.down"])


def test_a_head_with_a_pooler_trains_on_after_validation(
    bert_folder: Path, corpus: list[Encoded], machine: Machine
) -> None:
    model = load_model(AutoModelForSequenceClassification, str(bert_folder), {}, num_labels=3)
    head = text_head(model)
    options: dict[str, Any] = {"weight_decay": 0.01, "dropout": 0.0, "attention_dropout": 0.0, "seed": 1}
    engine = FastEngine(model, head, range(model.config.vocab_size), 48, machine=machine, **options)
    resident = ResidentWindows(corpus, pad_id=0, device=machine.device, packed=True)
    for number in range(3):
        steps(engine, resident, range(4 * number, 4 * number + 4))
        assert {parameter.device.type for parameter in head.parameters()} == {"cuda"}
        pooler = engine.sync().base_model.pooler
        assert torch.equal(pooler.dense.weight, engine.flat.masters()["head.pooler.dense.weight"])


def test_a_head_learns_on_an_encoder_that_is_frozen_as_a_whole(
    bert_folder: Path, corpus: list[Encoded], machine: Machine
) -> None:
    engine = engine_of(bert_folder, corpus, machine, frozen_layers=2)
    before = model_of(bert_folder)
    resident = ResidentWindows(corpus, pad_id=0, device=machine.device, packed=True)
    losses = [loss.item() for loss in steps(engine, resident, range(40))]
    assert losses[-1] < losses[0]
    after = engine.sync()
    found = {name: value.cpu() for name, value in after.base_model.state_dict().items()}
    assert all(torch.equal(found[name], value) for name, value in before.base_model.state_dict().items())
    assert not torch.equal(after.classifier.weight.cpu(), before.classifier.weight)


def test_attention_dropout_changes_the_loss(bert_folder: Path, corpus: list[Encoded], machine: Machine) -> None:
    losses = {}
    for share in (0.0, 0.3):
        engine = engine_of(bert_folder, corpus, machine, dropout=0.0, attention_dropout=share)
        resident = ResidentWindows(corpus, pad_id=0, device=machine.device, packed=True)
        losses[share] = steps(engine, resident, range(1))[0].item()
    assert losses[0.0] != losses[0.3]


@pytest.mark.filterwarnings("ignore:Synchronization debug mode")  # torch says that it is new
def test_nothing_waits_for_the_card_inside_a_step(bert_folder: Path, corpus: list[Encoded], machine: Machine) -> None:
    engine = engine_of(bert_folder, corpus, machine)
    resident = ResidentWindows(corpus, pad_id=0, device=machine.device, packed=True)
    both = [range(16), range(16, 40)]
    for number in range(3):  # as it stands, recorded, replayed
        step(engine, [resident.batch(one) for one in both], number)
    try:
        torch.cuda.set_sync_debug_mode("error")
        for number in range(3, 7):
            step(engine, [resident.batch(one) for one in both], number)
            step(engine, [resident.batch(both[0])], number)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_the_card_takes_the_fast_path_in_bf16_alone(bert_folder: Path, corpus: list[Encoded], machine: Machine) -> None:
    assert machine.bf16
    model = model_of(bert_folder)
    engine, path = choose_engine(model, model.classifier, corpus, 0, machine, settings())
    assert (type(engine), path) == (FastEngine, "fast path")
    single = Machine(machine.device, bf16=False, description="")
    engine, path = choose_engine(model, model.classifier, corpus, 0, single, settings())
    assert isinstance(engine, PlainEngine)
    assert "on a card it computes in bf16 alone" in path


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_the_loop_learns_on_the_card(
    optimizer: str, bert_folder: Path, corpus: list[Encoded], machine: Machine
) -> None:
    model = model_of(bert_folder)
    options = settings(optimizer=optimizer, learning_rate=1e-3 if optimizer == "adamw" else 0.1)
    engine, _ = choose_engine(model, model.classifier, corpus, 0, machine, options)
    assert engine.packs == (optimizer == "adamw")
    found = training.train(
        engine,
        corpus,
        lambda _: (0.0, 0.0),
        training.Plan(4, 16, 0, options.finetune.learning_rate, "linear", 0.1, 1.0, 0, 0.0, 0, 0.0, None),
        store=None,
        pad_id=0,
        machine=machine,
        seed=1,
        objective=CLASSES,
    )
    losses = [line.train_loss for line in found.history]
    assert losses[-1] < 0.8 * losses[0]
    assert found.tokens == sum(len(window.input_ids) for window in corpus) * 4
    assert (found.padded_tokens == found.tokens) == engine.packs
    assert any(label != IGNORED for window in corpus for label in window.labels)


@pytest.mark.filterwarnings("ignore:Synchronization debug mode")  # torch says that it is new
def test_the_loss_of_spans_waits_for_nothing_and_is_that_of_a_processor() -> None:
    generator = torch.Generator().manual_seed(1)
    outputs = torch.randn(40, 2, generator=generator)
    targets = torch.zeros(40, dtype=torch.long)
    targets[[0, 15, 31]] = FIRST
    targets[[4, 15, 33]] += START
    targets[[7, 15, 33]] += END
    expected = outputs.clone().requires_grad_()
    span_loss(expected, targets, 3).backward()
    found, there = outputs.cuda().requires_grad_(), targets.cuda()
    span_loss(found, there, 3).backward()  # as torch loads its kernels it may wait
    found.grad = None
    torch.cuda.synchronize()
    try:
        torch.cuda.set_sync_debug_mode("error")
        span_loss(found, there, 3).backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert found.grad is not None and expected.grad is not None
    assert torch.allclose(found.grad.cpu(), expected.grad, atol=1e-6)
