"""Nearest neighbours on an encoder that has not been trained."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks import adapters, compute, params_file
from tasks.adapters import Likeness
from tasks.encoder_decoders import write_small
from tasks.evaluate import _neighbours
from tasks.models import SCRATCH, content_hash
from tasks.records import Example
from tasks.untrained import Embedder, Neighbours, drawn

ROOT = Path(__file__).parents[2]


def texts(*pairs: tuple[str, Any]) -> list[Example]:
    return [Example(f"f:{number}", None, {"text": text}, target) for number, (text, target) in enumerate(pairs)]


def by_letters(given: Sequence[str]) -> Any:
    """A vector of length 1 for each text: how often it has a, b and c."""
    counts = np.array([[text.count(letter) for letter in "abc"] for text in given], np.float32)
    return counts / np.linalg.norm(counts, axis=1, keepdims=True)


def text_of(example: Example) -> Likeness:
    return Likeness(example.inputs["text"])


@pytest.fixture
def embed(bert_folder: Path) -> Embedder:
    shipped = params_file.load(ROOT / "params.yaml")
    machine = compute.set_up(
        shipped.compute.model_copy(update={"device": "cpu", "precision": "fp32", "threads": 1}), seed=1
    )
    return Embedder.load(str(bert_folder), content_hash(bert_folder), machine, max_length=16, batch_size=2)


def test_the_neighbours_vote_with_their_cosines() -> None:
    train = texts(("a", "one"), ("ab", "two"), ("abb", "two"), ("c", "three"))
    asked = texts(("a", "one"), ("bc", "two"))
    assert [one.predicted for one in Neighbours(text_of, train, by_letters, 1).answers(asked)] == ["one", "three"]
    assert [one.predicted for one in Neighbours(text_of, train, by_letters, 3).answers(asked)] == ["two", "two"]
    assert [one.gold for one in Neighbours(text_of, train, by_letters, 9).answers(asked)] == ["one", "two"]


def test_several_labels_are_taken_over_together() -> None:
    train = texts(("a", ["x", "y"]), ("b", []))
    assert [
        one.predicted for one in Neighbours(text_of, train, by_letters, 1).answers(texts(("aab", ["x"]), ("b", [])))
    ] == [
        ["x", "y"],
        [],
    ]


def test_choices_of_an_example_come_before_train() -> None:
    def likeness(example: Example) -> Likeness:
        return Likeness(example.inputs["text"], [("b", "B"), ("c", "C"), ("a", "A")])

    assert [one.predicted for one in Neighbours(likeness, [], by_letters, 5).answers(texts(("ca", 0), ("aab", 0)))] == [
        "C",
        "A",
    ]


def test_vectors_are_means_of_the_last_states_whatever_stands_in_the_batch(embed: Embedder) -> None:
    import torch

    sentences = ["Kestrel Freight moves boxes", "Graz", "the harbourmaster of Graz moves"]
    vectors = embed(sentences)
    assert vectors.shape == (3, 32)
    for text, vector in zip(sentences, vectors, strict=True):
        ids = embed.tokenizer(text, max_length=16, truncation=True)["input_ids"]
        with torch.no_grad():
            mean = embed.model(input_ids=torch.tensor([ids])).last_hidden_state[0].mean(0).numpy()
        assert vector == pytest.approx(mean / np.linalg.norm(mean), abs=1e-5)
    assert np.array_equal(embed(sentences), vectors)
    assert np.array_equal(embed([*sentences, sentences[0]])[3], embed([*sentences, sentences[0]])[0])


def test_rows_are_drawn_by_seed_and_stay_in_order() -> None:
    examples = texts(*((str(number), "x") for number in range(50)))
    some = drawn(iter(examples), 10, seed=1)
    assert len(some) == 10
    assert [one.id for one in some] == [one.id for one in examples if one in some]
    assert some == drawn(iter(examples), 10, seed=1) != drawn(iter(examples), 10, seed=2)
    assert drawn(iter(examples), 50, seed=1) == examples


def test_sentences_of_a_context_are_choices_with_their_places() -> None:
    likeness = adapters.find("extractive_qa").likeness
    assert likeness is not None
    context = "Merkel visited Graz. Who knows?  It is 3.5 m.\nNothing. 他来了。是的"
    found = likeness(Example("1", None, {"question": "who", "context": context}, []))
    assert [text for text, _ in found.choices] == [
        "Merkel visited Graz.",
        "Who knows?",
        "It is 3.5 m.",
        "Nothing.",
        "他来了。",
        "是的",
    ]
    for text, (answer,) in found.choices:
        assert context[answer["start"] :].startswith(text) and answer["text"] == text


def test_spans_in_any_order_are_compared_by_what_lies_between() -> None:
    likeness = adapters.find("relation_extraction").likeness
    assert likeness is not None
    inputs = {"text": "the fire caused by rain", "first": [19, 23], "second": [4, 8]}
    assert likeness(Example("1", None, inputs, "Other")) == Likeness("fire caused by rain")


def test_of_an_encoder_decoder_the_encoder_compares_and_a_new_model_has_none(tmp_path: Path) -> None:
    shipped = params_file.load(ROOT / "params.yaml")
    machine = compute.set_up(
        shipped.compute.model_copy(update={"device": "cpu", "precision": "fp32", "threads": 1}), seed=1
    )
    pairs = ["who visited Graz", "Angela visited Graz"]
    write_small(tmp_path / "small", pairs, vocabulary=300, width=32, layers=1, heads=4, positions=32, seed=1)
    made = Embedder.load(
        str(tmp_path / "small"), content_hash(tmp_path / "small"), machine, max_length=16, batch_size=2
    )
    assert made(pairs).shape == (2, 32)
    assert np.linalg.norm(made(pairs), axis=1) == pytest.approx([1, 1], abs=1e-5)
    finetune = shipped.finetune.model_copy(update={"model": SCRATCH, "revision": "none"})
    settings = shipped.model_copy(update={"finetune": finetune})
    found = _neighbours(settings, adapters.find("dialogue_generation"), tmp_path, machine, 16)
    assert found("validation") == {}
