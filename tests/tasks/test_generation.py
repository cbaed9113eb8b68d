"""Encoder-decoders: where they come from, that they train and resume to the bit, and what they write."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForSeq2SeqLM

from tasks import text_to_text
from tasks.adapters import Encoded
from tasks.batches import collate
from tasks.checkpoints import Checkpoints
from tasks.compute import Machine
from tasks.dropout import set_dropout
from tasks.encoder_decoders import label_logits, load, write_small
from tasks.encoding import IGNORED
from tasks.errors import UserError
from tasks.generation import Writer, mean_loss, writer_of, written
from tasks.models import content_hash, load_tokenizer
from tasks.objectives import SEQUENCES
from tasks.params import Generation, Scratch
from tasks.plain_engine import PlainEngine
from tasks.records import Example
from tasks.training import Plan, train

CPU = Machine(torch.device("cpu"), bf16=False, description="cpu")
PAIRS = [
    ("Angela visited Graz", "Angela besuchte Graz"),
    ("Kestrel moves 12 boxes", "Kestrel bewegt 12 Kisten"),
    ("the harbourmaster of Graz visited Angela", "der Hafenmeister von Graz besuchte Angela"),
    ("Toyota", "Toyota"),
] * 3
EXAMPLES = [Example(f"a:{number}", None, {"text": one}, [other]) for number, (one, other) in enumerate(PAIRS)]
SETTINGS = Generation(max_new_tokens=12, beams=1, length_penalty=1.0, no_repeat_ngram=0)
PLAN = Plan(
    epochs=8,
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


def small(folder: Path, seed: int = 1) -> Path:
    texts = [text for pair in PAIRS for text in pair]
    write_small(folder, texts, vocabulary=300, width=32, layers=2, heads=4, positions=32, seed=seed)
    return folder


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small(tmp_path_factory.mktemp("small"))


def opened(folder: Path) -> tuple[Any, Any, list[Encoded]]:
    torch.manual_seed(0)
    tokenizer = load_tokenizer(str(folder), {})
    return load(str(folder), {}), tokenizer, text_to_text.encode(EXAMPLES, tokenizer, [], 32, 0)


def trained(folder: Path, store: Checkpoints | None = None, dropout: float = 0.1, **keywords: Any) -> tuple[Any, Any]:
    model, tokenizer, windows = opened(folder)
    set_dropout(model.config, model, dropout, 0.0)
    engine = PlainEngine(model, None, machine=CPU, weight_decay=0.01, dropout=dropout, seed=1)
    pad = tokenizer.pad_token_id

    def validate(own: Any) -> tuple[float, float]:
        loss = mean_loss(own, windows, pad_id=pad, machine=CPU, batch_size=8)
        return loss, 1 / (1 + loss)

    keywords = {"plan": PLAN, "store": store, "pad_id": pad, "seed": 1, **keywords}
    found = train(engine, windows, validate, machine=CPU, objective=SEQUENCES, **keywords)
    return engine.sync(), found


def test_a_new_model_is_the_same_for_the_same_texts_and_loads_in_transformers(toy: Path, tmp_path: Path) -> None:
    assert content_hash(small(tmp_path / "again")) == content_hash(toy)
    assert content_hash(small(tmp_path / "other", seed=2)) != content_hash(toy)
    assert {path.suffix for path in toy.iterdir()} == {".json", ".safetensors"}
    _, tokenizer, windows = opened(toy)
    assert tokenizer.decode(windows[1].labels, skip_special_tokens=True) == "Kestrel bewegt 12 Kisten"
    assert windows[0].labels[-1] == windows[0].input_ids[-1] == tokenizer.eos_token_id


@pytest.mark.parametrize("name", ["bert_folder", "roberta_folder"])
def test_an_encoder_begins_both_sides_and_the_saved_model_is_the_same(
    name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    model, tokenizer, windows = opened(request.getfixturevalue(name))
    words = model.encoder.get_input_embeddings().weight
    assert torch.equal(words, model.decoder.get_input_embeddings().weight)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    assert not any(str(tmp_path.parent) in path.read_text() for path in tmp_path.glob("*.json"))
    batch = collate(windows, pad_id=tokenizer.pad_token_id, device=torch.device("cpu"), objective=SEQUENCES)
    model.eval()
    with torch.inference_mode():
        one, other = (label_logits(own.eval(), batch) for own in (model, load(str(tmp_path), {})))
    assert torch.equal(one, other)
    assert type(AutoModelForSeq2SeqLM.from_pretrained(tmp_path)).__name__ == "EncoderDecoderModel"


def test_the_loss_is_that_of_transformers_and_padding_is_ignored(toy: Path) -> None:
    model, tokenizer, windows = opened(toy)
    ours = mean_loss(model, windows, pad_id=tokenizer.pad_token_id, machine=CPU, batch_size=5)
    total = 0.0
    for window in windows:
        labels = torch.tensor([window.labels])
        total += model(input_ids=torch.tensor([window.input_ids]), labels=labels).loss.item() * len(window.labels)
    assert ours == pytest.approx(total / sum(len(window.labels) for window in windows), rel=1e-5)
    assert SEQUENCES.weight(windows, None) == sum(len(window.labels) for window in windows)


def test_it_learns_and_writes_the_texts_in_their_order_whatever_the_batches(toy: Path) -> None:
    model, found = trained(toy, dropout=0.0, plan=replace(PLAN, epochs=40))
    assert found.history[-1].train_loss < 0.1 * found.history[0].train_loss
    _, tokenizer, windows = opened(toy)
    own = Writer(tokenizer, SETTINGS)
    beams = Writer(tokenizer, SETTINGS.model_copy(update={"beams": 3, "no_repeat_ngram": 3}))
    wanted = [other for _, other in PAIRS]
    for writer, size in ((own, 1), (own, 5), (own, 99), (beams, 4)):
        answers = written(model, windows, writer, pad_id=tokenizer.pad_token_id, machine=CPU, batch_size=size)
        assert [window for window, _ in answers] == windows
        assert [answer.text for _, answer in answers] == wanted
        assert all(0 < answer.confidence <= 1 for _, answer in answers)


def test_the_confidence_is_the_mean_probability_of_what_was_written(toy: Path) -> None:
    model, _ = trained(toy, dropout=0.0)
    _, tokenizer, windows = opened(toy)
    settings = SETTINGS.model_copy(update={"max_new_tokens": 4})
    (answer,) = written(
        model, windows[:1], Writer(tokenizer, settings), pad_id=tokenizer.pad_token_id, machine=CPU, batch_size=1
    )
    source = torch.tensor([windows[0].input_ids])
    ids = model.generate(source, max_new_tokens=4, do_sample=False, output_scores=True, return_dict_in_generate=True)
    steps = [scores.softmax(-1).max().item() for scores in ids.scores]
    expected = torch.tensor(steps).log().mean().exp().item()
    assert answer[1].confidence == pytest.approx(expected, rel=1e-4)


def test_a_killed_run_goes_on_to_the_same_bits(toy: Path, tmp_path: Path) -> None:
    whole, found = trained(toy)

    class Killed(Exception):
        pass

    def kill(step: int) -> None:
        if step == 10:
            raise Killed

    with Checkpoints(tmp_path, "key", every_steps=4, every_seconds=0) as store, pytest.raises(Killed):
        trained(toy, store, on_step=kill)
    with Checkpoints(tmp_path, "key", every_steps=4, every_seconds=0) as store:
        again, resumed = trained(toy, store)
    assert resumed.history == found.history
    for name, value in whole.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name


def test_what_is_too_long_is_cut_and_more_than_the_decoder_can_write_refused(toy: Path) -> None:
    model, tokenizer, _ = opened(toy)
    (window,) = text_to_text.encode(EXAMPLES[2:3], tokenizer, [], 4, 0)
    assert len(window.input_ids) == len(window.labels) == 4
    assert window.input_ids[-1] == tokenizer.eos_token_id
    assert window.labels[-1] != tokenizer.eos_token_id  # to stop there is not what it shall learn

    class Options:
        generation = SETTINGS.model_copy(update={"max_new_tokens": 33})

    with pytest.raises(UserError, match=r"max_new_tokens: 33 is more than the 32 sub-words"):
        writer_of(Options, tokenizer, model)
    assert writer_of(object(), tokenizer, model) is None


def test_heads_that_do_not_divide_the_width_are_refused(tmp_path: Path) -> None:
    class Options:
        scratch = Scratch(vocabulary=300, width=32, layers=1, heads=5)
        generation = SETTINGS

    with pytest.raises(UserError, match=r"scratch\.heads: 5 does not divide scratch\.width: 32"):
        text_to_text.scratch(tmp_path, EXAMPLES, Options, 32, 1)


def test_a_batch_ends_with_ignored_labels(toy: Path) -> None:
    _, tokenizer, windows = opened(toy)
    batch = collate(windows[:4], pad_id=tokenizer.pad_token_id, device=torch.device("cpu"), objective=SEQUENCES)
    assert batch["labels"].shape == (4, max(len(window.labels) for window in windows[:4]))
    assert batch["targets"].tolist() == [label for window in windows[:4] for label in window.labels]
    assert (batch["labels"][3] == IGNORED).sum() == batch["labels"].shape[1] - len(windows[3].labels)
    assert batch["answered"].numel() == 0
