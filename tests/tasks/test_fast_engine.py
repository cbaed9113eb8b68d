"""The fast path computes what the model's own forward, autograd and torch's AdamW compute."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification, DistilBertConfig

from tasks import fast_attention, fast_graphs
from tasks.adapters import Encoded
from tasks.batches import collate
from tasks.compute import Machine
from tasks.depths import depths, freeze
from tasks.dropout import set_dropout
from tasks.encoding import encode_words
from tasks.fast_dropout import MaskSource
from tasks.fast_engine import FastEngine, unfit
from tasks.fast_families import layer_parts
from tasks.fast_operations import operations
from tasks.first_state import text_head
from tasks.models import EMBEDDED, load_model, load_tokenizer, resolve
from tasks.objectives import mean_cross_entropy
from tasks.openmp import available
from tasks.optimizers import parameter_groups, set_rate
from tasks.resident import ResidentWindows

CPU = Machine(torch.device("cpu"), bf16=False, description="cpu")
BF16 = Machine(torch.device("cpu"), bf16=True, description="cpu, bf16")
SENTENCES = [
    ["Angela", "Merkel", "visited", "Toyota", "in", "Nagoya"],
    ["the", "unbelievable", "harbourmaster", "of", "Graz"],
    ["Graz"],
    ["Kestrel", "Freight", "moves", "boxes"],
]
LABELS = [[1, 2, 0, 1, 0, 1], [0, 0, 0, 0, 1], [1], [1, 2, 0, 0]]
FOLDERS = ["bert_folder", "roberta_folder", "embedded"]


def setting(name: str, request: pytest.FixtureRequest) -> tuple[Any, list[Encoded], int]:
    """A model without dropout, windows and the padding id."""
    folder = resolve(EMBEDDED, "embedded")[0] if name == "embedded" else str(request.getfixturevalue(name))
    tokenizer = load_tokenizer(folder, {})
    windows = encode_words(SENTENCES, LABELS, tokenizer, max_length=48, overlap=4)
    torch.manual_seed(0)
    model = load_model(AutoModelForTokenClassification, folder, {}, num_labels=3, attn_implementation="eager")
    set_dropout(model.config, model, 0.0, 0.0)
    return model.train(), windows, tokenizer.pad_token_id


def engine_of(model: Any, windows: list[Encoded], pad: int, machine: Machine = CPU, **changes: Any) -> FastEngine:
    used = {pad}.union(*(window.input_ids for window in windows))
    longest = max(len(window.input_ids) for window in windows)
    options = {"weight_decay": 0.01, "dropout": 0.0, "attention_dropout": 0.0, "seed": 1} | changes
    return FastEngine(model, model.classifier, used, longest, machine=machine, **options)


def plain_loss(model: Any, batch: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
    logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    answered = logits.flatten(0, 1)[batch["answered"]]
    return answered, mean_cross_entropy(answered, batch["targets"], len(answered))


@pytest.fixture(params=["compiled", "torch"])
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Either form of the small operations and of AdamW: the second is that of cards and of macOS."""
    if request.param == "torch":
        for module in ("fast_operations", "flat"):
            monkeypatch.setattr(f"tasks.{module}.available", lambda: False)
    elif not available():
        pytest.skip("torch was built without GNU OpenMP")


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize("name", FOLDERS)
def test_logits_and_gradients_equal_the_plain_padded_model(name: str, request: pytest.FixtureRequest) -> None:
    model, windows, pad = setting(name, request)
    batch = collate(windows, pad_id=pad, device=CPU.device)
    assert batch["padded"]
    logits, loss = plain_loss(model, batch)
    loss.backward()
    expected = {
        key: parameter.grad.clone() for key, parameter in model.named_parameters() if parameter.grad is not None
    }
    engine = engine_of(model, windows, pad)
    own = engine.head(engine._forward(batch)[0])
    assert torch.allclose(own, logits, atol=1e-5)
    model.classifier.zero_grad(set_to_none=False)
    mean_cross_entropy(own, batch["targets"], len(own)).backward()
    whole = engine.flat.collect()
    assert torch.allclose(engine.flat.norm().double(), torch.linalg.vector_norm(whole.double()), rtol=1e-5)
    found = engine.flat.gradients
    names = {id(parameter): key for key, parameter in model.named_parameters()}
    compared = 0
    for number, layer in enumerate(model.base_model.encoder.layer):
        for part, tensors in layer_parts(layer).items():
            whole = torch.cat([expected[names[id(tensor)]] for tensor in tensors])
            assert torch.allclose(found[f"{number}.{part}"], whole, atol=1e-5), (number, part)
            compared += 1
    assert compared == 12 * model.config.num_hidden_layers
    prefix = f"{model.base_model_prefix}.embeddings"
    words = expected[f"{prefix}.word_embeddings.weight"]
    rows = sorted({pad}.union(*(window.input_ids for window in windows)))
    used = words[rows]
    used[rows.index(pad)] = found["words"][rows.index(pad)]  # torch leaves the padding row out, which no loss reaches
    assert torch.allclose(found["words"], used, atol=1e-5)
    positions = expected[f"{prefix}.position_embeddings.weight"][engine._positions]
    assert torch.allclose(found["positions"], positions, atol=1e-5)
    assert torch.allclose(found["kind"], expected[f"{prefix}.token_type_embeddings.weight"][0], atol=1e-5)
    assert torch.allclose(found["head.weight"], expected["classifier.weight"], atol=1e-5)


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize(("frozen", "decay"), [(0, 1.0), (1, 1.0), (2, 1.0), (0, 0.5), (1, 0.5)])
@pytest.mark.parametrize("name", ["bert_folder", "roberta_folder"])
def test_steps_equal_those_of_torch(name: str, frozen: int, decay: float, request: pytest.FixtureRequest) -> None:
    model, windows, pad = setting(name, request)
    other, _, _ = setting(name, request)
    start = {key: value.clone() for key, value in model.state_dict().items()}
    batch = collate(windows, pad_id=pad, device=CPU.device)
    engine = engine_of(other, windows, pad, frozen_layers=frozen, layer_decay=decay)
    freeze(model, frozen)
    optimizer = torch.optim.AdamW(parameter_groups(model, 0.01, decay))
    set_rate(optimizer, 1e-3)
    for number in range(4):
        _, loss = plain_loss(model, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        optimizer.zero_grad()
        own = engine.step([batch], mean, number=number, rate=1e-3, max_norm=0.5)
        assert own.item() == pytest.approx(loss.item(), abs=1e-5)
    synced = engine.sync().state_dict()
    for key, value in model.state_dict().items():
        assert torch.allclose(synced[key], value, atol=2e-4), key  # Adam divides tiny gradients by their own size
    lies = depths(model)
    for key, depth in lies.items():
        assert torch.equal(synced[key], start[key]) == (0 < frozen >= depth), key


@pytest.mark.usefixtures("form")
def test_frozen_layers_are_neither_in_the_vector_nor_in_the_graph(request: pytest.FixtureRequest) -> None:
    layers, numbers = [], []
    for frozen in (0, 1, 2):
        model, windows, pad = setting("bert_folder", request)
        engine = engine_of(model, windows, pad, frozen_layers=frozen)
        freeze(model, frozen)
        trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
        numbers.append(trained - engine.flat.master.numel())
        hidden, _ = engine._forward(collate(windows, pad_id=pad, device=CPU.device))
        for name, gradient in engine.flat.gradients.items():
            gradient.fill_(0.0 if name == "words" and engine.flat.clears else math.nan)
        hidden.sum().backward()
        layers.append(sum(f"{number}.up" in engine.flat.gradients for number in range(2)))
        written = [name for name, gradient in engine.flat.gradients.items() if not gradient.isnan().any()]
        assert sorted(written) == sorted(name for name in engine.flat.gradients if not name.startswith("head."))
    assert layers == [2, 1, 0]
    assert numbers[0] > 0  # embedding rows that the data does not use
    assert numbers[1:] == [0, 0]


def test_a_batch_without_labels_moves_nothing_but_by_decay(request: pytest.FixtureRequest) -> None:
    model, windows, pad = setting("bert_folder", request)
    engine = engine_of(model, windows, pad, weight_decay=0.0)
    before = engine.flat.master.clone()
    blank = [Encoded(window.example, window.input_ids, [-100] * len(window.labels), []) for window in windows]
    batch = collate(blank, pad_id=pad, device=CPU.device)
    engine.step([batch], lambda x, y: mean_cross_entropy(x, y, 1.0), number=0, rate=0.1, max_norm=1.0)
    assert torch.equal(engine.flat.master, before)


def mean(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return mean_cross_entropy(logits, targets, len(targets))


@pytest.mark.usefixtures("form")
def test_two_batches_make_the_step_of_one(request: pytest.FixtureRequest) -> None:
    gradients = []
    for parts in (slice(0, 4),), (slice(0, 2), slice(2, 4)):
        model, windows, pad = setting("bert_folder", request)
        engine = engine_of(model, windows, pad)
        batches = [collate(windows[part], pad_id=pad, device=CPU.device) for part in parts]
        engine.step(batches, lambda x, y: mean_cross_entropy(x, y, 16), number=0, rate=0.0, max_norm=1e9)
        gradients.append(engine.flat.first / 0.1)  # the moment after one step: a tenth of the gradient
    assert gradients[0].abs().max() > 1e-3
    assert torch.allclose(gradients[0], gradients[1], atol=1e-6)


def test_a_head_with_a_part_of_the_encoder_is_not_moved_away_with_it(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, windows, pad = setting("bert_folder", request)
    folder = str(request.getfixturevalue("bert_folder"))
    model = load_model(AutoModelForSequenceClassification, folder, {}, num_labels=3, attn_implementation="eager")
    head = text_head(model)
    options: dict[str, Any] = {"weight_decay": 0.01, "dropout": 0.0, "attention_dropout": 0.0, "seed": 1}
    engine = FastEngine(model, head, range(model.config.vocab_size), 48, machine=CPU, **options)
    engine.sync()
    moved = []

    def moves(module: torch.nn.Module, _device: str) -> torch.nn.Module:  # as from a card to the host: to new memory
        moved.append(module)
        for parameter in module.parameters():
            parameter.data = parameter.data.clone()
        return module

    monkeypatch.setattr(torch.nn.Module, "to", moves)
    engine._lent = True  # as on a card
    engine.step([collate(windows, pad_id=pad, device=CPU.device)], mean, number=0, rate=0.1, max_norm=1.0)
    assert moved == [model.base_model.embeddings, model.base_model.encoder]
    assert any(name.startswith("pooler.") for name, _ in head.named_parameters())
    for name, parameter in head.named_parameters():
        assert parameter.data_ptr() == engine.flat.views[f"head.{name}"].data_ptr(), name


def test_rows_that_are_not_in_the_data_only_decay(request: pytest.FixtureRequest) -> None:
    model, windows, pad = setting("bert_folder", request)
    before = model.base_model.embeddings.word_embeddings.weight.clone()
    engine = engine_of(model, windows, pad)
    for number in range(3):
        engine.step([collate(windows, pad_id=pad, device=CPU.device)], mean, number=number, rate=0.1, max_norm=1.0)
    after = engine.sync().base_model.embeddings.word_embeddings.weight
    unused = [row for row in range(len(before)) if row not in engine._rows.tolist()]
    assert len(unused) > 10
    assert torch.allclose(after[unused], before[unused] * (1 - 0.1 * 0.01) ** 3, atol=1e-6)
    assert not torch.allclose(after[engine._rows], before[engine._rows], atol=1e-3)


@pytest.mark.usefixtures("form")
def test_bfloat16_stays_close(request: pytest.FixtureRequest) -> None:
    losses = []
    for machine in (CPU, BF16):
        model, windows, pad = setting("embedded", request)
        engine = engine_of(model, windows, pad, machine)
        batch = collate(windows, pad_id=pad, device=CPU.device)
        losses.append([engine.step([batch], mean, number=n, rate=1e-4, max_norm=1.0).item() for n in range(5)])
    assert losses[1] == pytest.approx(losses[0], rel=0.03)
    assert losses[1] != losses[0]


def test_without_padding_the_gradients_are_those_of_padded_sentences(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not operations(torch.bfloat16, CPU.device).unpads(12, 384):
        pytest.skip("this processor has no AVX512-BF16, or AMX besides, or torch was built without GNU OpenMP")
    found = []
    for _ in range(2):
        model, windows, pad = setting("embedded", request)
        engine = engine_of(model, windows, pad, BF16)
        batch = collate(windows, pad_id=pad, device=CPU.device)
        assert batch["padded"]
        logits = engine.head(engine._forward(batch)[0])
        mean_cross_entropy(logits, batch["targets"], len(logits)).backward()
        found.append((logits.detach(), engine.flat.collect()))
        monkeypatch.setattr("tasks.compiled_operations.CompiledOperations.unpads", lambda *_: False)
    for own, other in zip(*found, strict=True):
        torch.testing.assert_close(own, other, rtol=0, atol=2**-8 * other.abs().max().item())
        assert (own - other).norm() < 2**-7 * other.norm()


def test_dropout_masks_have_their_share_and_follow_from_the_seed() -> None:
    source = MaskSource(torch.device("cpu"), torch.float32)
    source.seed(5)
    mask = source.draw(0.25, (400, 500))
    assert mask is not None
    assert sorted(mask.unique().tolist()) == pytest.approx([0.0, 4 / 3])
    assert (mask == 0).float().mean().item() == pytest.approx(0.25, abs=0.005)
    assert (mask == 0).float().mean(0).std().item() == pytest.approx((0.25 * 0.75 / 400) ** 0.5, rel=0.15)
    source.seed(5)
    assert torch.equal(mask, source.draw(0.25, (400, 500)))
    assert source.draw(0.0, (4, 5)) is None


@pytest.mark.usefixtures("form")
def test_dropout_changes_the_loss_and_so_does_that_of_attention(request: pytest.FixtureRequest) -> None:
    losses = {}
    for dropout, attention in (0.0, 0.0), (0.3, 0.0), (0.0, 0.3):
        model, windows, pad = setting("bert_folder", request)
        engine = engine_of(model, windows, pad, dropout=dropout, attention_dropout=attention)
        batch = collate(windows, pad_id=pad, device=CPU.device)
        losses[dropout, attention] = engine.step([batch], mean, number=0, rate=0.0, max_norm=1.0).item()
    assert len(set(losses.values())) == 3


def test_other_models_are_refused_with_the_reason(bert_folder: Path) -> None:
    model = load_model(AutoModelForTokenClassification, str(bert_folder), {}, num_labels=3)
    assert unfit(model, CPU) is None
    assert unfit(model, Machine(torch.device("mps"), bf16=False, description="")) == (
        "it is for processors and NVIDIA cards, not mps"
    )
    card = Machine(torch.device("cuda"), bf16=False, description="")
    assert unfit(model, card) == "on a card it computes in bf16 alone"
    model.config.hidden_act = "relu"
    assert unfit(model, CPU) == "the activation is relu"
    model.config.is_decoder = True
    assert unfit(model, CPU) == "the model is a decoder"
    distilled = AutoModelForTokenClassification.from_config(
        DistilBertConfig(vocab_size=50, dim=32, hidden_dim=64, n_heads=4, n_layers=1)
    )
    assert unfit(distilled, CPU) == "it knows bert, roberta, xlm-roberta, camembert, not distilbert"


def attend(q: Tensor, k: Tensor, v: Tensor, bounds: Tensor) -> Tensor:
    """Context (T, h, d), sentence by sentence: what FlashAttention computes, which needs a card (test_gpu.py)."""
    parts = []
    for start, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        own = [tensor[start:end].transpose(0, 1) for tensor in (q, k, v)]
        weights = (own[0] @ own[1].transpose(1, 2) / math.sqrt(q.shape[-1])).softmax(-1)
        parts.append((weights @ own[2]).transpose(0, 1))
    return torch.cat(parts)


@pytest.fixture
def plain_attention(monkeypatch: pytest.MonkeyPatch) -> None:
    def forward(q: Tensor, k: Tensor, v: Tensor, bounds: Tensor, longest: int, dropout: float) -> tuple[Tensor, ...]:
        assert longest >= bounds.diff().max()
        assert dropout == 0.0
        return attend(q, k, v, bounds), bounds, bounds, bounds

    def backward(gradient: Tensor, held: Any, bounds: Tensor, longest: int, dropout: float) -> tuple[Tensor, ...]:
        leaves = [tensor.detach().clone().requires_grad_() for tensor in held[:3]]
        with torch.enable_grad():
            return torch.autograd.grad(attend(*leaves, bounds), leaves, gradient)

    for module in ("fast_operations", "flat"):  # as on a card
        monkeypatch.setattr(f"tasks.{module}.available", lambda: False)
    monkeypatch.setattr(fast_attention, "flash_forward", forward)
    monkeypatch.setattr(fast_attention, "flash_backward", backward)


@pytest.mark.usefixtures("plain_attention")
@pytest.mark.parametrize("name", FOLDERS)
def test_logits_and_gradients_equal_those_of_padded_sentences(name: str, request: pytest.FixtureRequest) -> None:
    model, windows, pad = setting(name, request)
    batches = {
        False: collate(windows, pad_id=pad, device=CPU.device),
        True: ResidentWindows(windows, pad_id=pad, device=CPU.device, packed=True).batch(range(len(windows))),
    }
    logits, gradients = {}, {}
    for packs, batch in batches.items():
        engine = engine_of(model, windows, pad)
        engine.packs = packs
        hidden, targets = engine._forward(batch)
        logits[packs] = engine.head(hidden)
        model.classifier.zero_grad(set_to_none=False)
        mean_cross_entropy(logits[packs], targets, len(targets)).backward()
        gradients[packs] = engine.flat.collect()
    torch.testing.assert_close(logits[True], logits[False], atol=1e-5, rtol=0)
    torch.testing.assert_close(gradients[True], gradients[False], atol=1e-5, rtol=0)
    assert gradients[True].abs().max() > 1e-3


@pytest.mark.usefixtures("plain_attention")
@pytest.mark.parametrize("frozen", [0, 1, 2])
def test_steps_equal_those_of_padded_sentences(frozen: int, request: pytest.FixtureRequest) -> None:
    masters = {}
    for packs in (False, True):
        model, windows, pad = setting("bert_folder", request)
        silent = Encoded(9, windows[0].input_ids, [-100] * len(windows[0].labels), [])
        second = replace(windows[3], example=windows[1].example)  # an example of two windows
        corpus = [windows[0], windows[1], second, silent, windows[2]]
        engine = engine_of(model, corpus, pad, weight_decay=0.1, frozen_layers=frozen)
        engine.packs = packs
        resident = ResidentWindows(corpus, pad_id=pad, device=CPU.device, packed=packs)
        for number in range(3):
            batches = [resident.batch([0, 3]), resident.batch([1, 2, 4])]
            engine.step(
                batches, lambda outputs, targets: mean_cross_entropy(outputs, targets, 16),
                number=number, rate=1e-3, max_norm=1.0,
            )  # fmt: skip
        masters[packs] = engine.flat.master.clone()
    torch.testing.assert_close(masters[True], masters[False], atol=1e-5, rtol=0)


@pytest.mark.usefixtures("plain_attention")
def test_a_form_is_recorded_at_its_second_batch_and_for_one_corpus(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, windows, pad = setting("bert_folder", request)
    passes = engine_of(model, windows, pad)._packed
    made: list[Any] = []

    def record(batch: Any) -> Any:
        made.append(batch.form)
        return object()

    monkeypatch.setattr(passes, "_record", record)
    monkeypatch.setattr(fast_graphs, "MOST", 2)
    first, second = (ResidentWindows(windows, pad_id=pad, device=CPU.device, packed=True) for _ in range(2))
    batch = first.batch([0])["packed"]
    assert passes._recording(batch) is None
    found = passes._recording(batch)
    assert found is not None and passes._recording(first.batch([1])["packed"]) is found  # the same form
    assert made == [batch.form]
    other = second.batch([0])["packed"]
    assert passes._recording(other) is None and passes._recording(other) not in (None, found)
    many = first.batch([0] * 20)["packed"]
    assert [passes._recording(many) for _ in range(3)] == [None] * 3  # beyond MOST nothing is recorded
