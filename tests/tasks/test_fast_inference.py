"""The fast path of prediction gives what the model's own forward gives."""

from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForTokenClassification, DistilBertConfig, PreTrainedConfig

from tasks.adapters import Encoded
from tasks.compute import Machine
from tasks.encoding import encode_words
from tasks.fast_inference import FastEncoder, unfit
from tasks.heads import Tagger, hidden_states
from tasks.inference import probabilities, validated
from tasks.lora import Lora
from tasks.models import EMBEDDED, load_model, load_tokenizer, resolve
from tasks.objectives import CLASSES

CPU = Machine(torch.device("cpu"), bf16=False, description="cpu")
BF16 = Machine(torch.device("cpu"), bf16=True, description="cpu, bf16")
SENTENCES = [
    ["Angela", "Merkel", "visited", "Toyota", "in", "Nagoya"],
    ["the", "unbelievable", "harbourmaster", "of", "Graz"],
    ["Graz"],
    ["Kestrel", "Freight", "moves", "boxes"],
    ["Graz", "visited", "Toyota", "in", "the", "Kestrel", "boxes"],
]
FOLDERS = ["bert_folder", "roberta_folder", "embedded"]


def setting(name: str, request: pytest.FixtureRequest) -> tuple[Any, list[Encoded], int]:
    """A model whose layer norms and biases are not what they begin with, windows and the padding id."""
    folder = resolve(EMBEDDED, "embedded")[0] if name == "embedded" else str(request.getfixturevalue(name))
    tokenizer = load_tokenizer(folder, {})
    labels = [[index % 3 for index in range(len(words))] for words in SENTENCES]
    windows = encode_words(SENTENCES, labels, tokenizer, max_length=48, overlap=4)
    torch.manual_seed(0)
    model = load_model(AutoModelForTokenClassification, folder, {}, num_labels=3, attn_implementation="eager")
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(torch.randn_like(parameter) / 10)
    return model.eval(), windows, tokenizer.pad_token_id


def both(model: Any, windows: list[Encoded], pad: int, machine: Machine, batch_size: int) -> tuple[Any, Any]:
    """Answers of the model's own forward and of the fast path, the windows one after the other (n, classes)."""
    answers = []
    for encoder in (None, FastEncoder(model, machine)):
        found = probabilities(
            model, model.classifier, windows, pad_id=pad, machine=machine, batch_size=batch_size, encoder=encoder
        )
        assert [window for window, _ in found] == windows
        answers.append(np.concatenate([rows for _, rows in found]))
    return answers[0], answers[1]


@pytest.mark.parametrize("name", FOLDERS)
def test_hidden_states_equal_the_plain_padded_model(name: str, request: pytest.FixtureRequest) -> None:
    model, windows, pad = setting(name, request)
    longest = max(len(window.input_ids) for window in windows)
    ids = torch.tensor([window.input_ids + [pad] * (longest - len(window.input_ids)) for window in windows])
    sizes = torch.tensor([len(window.input_ids) for window in windows])
    assert sizes.min() < longest
    rows = torch.tensor([row * longest + place for row, window in enumerate(windows) for place, _ in window.parts])
    mask = (torch.arange(longest) < sizes[:, None]).long()
    with torch.inference_mode():
        plain = hidden_states(model.base_model, "last", ids, mask).flatten(0, 1)[rows]
        fast = FastEncoder(model, CPU)(ids, sizes, rows)
    assert fast.dtype == torch.float32
    assert plain.std() > 0.1
    assert torch.allclose(fast, plain, atol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 2, 32])
@pytest.mark.parametrize("name", FOLDERS)
def test_answers_equal_those_of_the_plain_path(name: str, batch_size: int, request: pytest.FixtureRequest) -> None:
    plain, fast = both(*setting(name, request), CPU, batch_size)
    assert np.ptp(plain, axis=0).max() > 0.01
    assert np.allclose(plain, fast, atol=1e-5)


@pytest.mark.skipif(not torch.ops.mkldnn._is_mkldnn_bf16_supported(), reason="no bf16 in oneDNN")
@pytest.mark.parametrize("name", FOLDERS)
def test_bfloat16_is_as_near_to_float32_as_autocast_is(name: str, request: pytest.FixtureRequest) -> None:
    model, windows, pad = setting(name, request)
    exact, _ = both(model, windows, pad, CPU, 2)
    plain, fast = both(model, windows, pad, BF16, 2)
    assert 0 < np.abs(fast - exact).max() <= max(2 * np.abs(plain - exact).max(), 0.01)


def test_the_number_of_threads_changes_no_bit_and_is_left_as_it_was(request: pytest.FixtureRequest) -> None:
    model, windows, pad = setting("embedded", request)
    before = torch.get_num_threads()
    found = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found.append(both(model, windows * 3, pad, CPU, 2)[1])
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert np.array_equal(*found)


def test_validation_in_training_answers_as_evaluate_does(request: pytest.FixtureRequest) -> None:
    model, windows, pad = setting("bert_folder", request)
    options = {"pad_id": pad, "machine": CPU, "batch_size": 2, "objective": CLASSES}
    answers, loss = validated(model, model.classifier, windows, **options)
    expected = probabilities(model, model.classifier, windows, encoder=FastEncoder(model, CPU), **options)
    assert all(np.array_equal(one[1], other[1]) for one, other in zip(answers, expected, strict=True))
    assert loss > 0


def test_what_does_not_fit_is_said(request: pytest.FixtureRequest) -> None:
    model, _, _ = setting("bert_folder", request)
    assert unfit(model, CPU) is None
    assert "cuda" in str(unfit(model, Machine(torch.device("cuda"), bf16=True, description="gpu")))
    assert "mean_last_4" in str(unfit(Tagger(model.base_model, model.classifier, "mean_last_4"), CPU))
    other: PreTrainedConfig = DistilBertConfig(vocab_size=30, dim=32, n_layers=1, n_heads=4, hidden_dim=64)
    assert "distilbert" in str(unfit(AutoModelForTokenClassification.from_config(other), CPU))


def test_weights_beside_the_products_do_not_fit(request: pytest.FixtureRequest) -> None:
    model, _, _ = setting("bert_folder", request)
    lora = Lora(model.base_model, rank=2, alpha=4, dropout=0.0, targets=["query"])
    assert "merged" in str(unfit(model, CPU))
    lora.merge()
    assert unfit(model, CPU) is None
