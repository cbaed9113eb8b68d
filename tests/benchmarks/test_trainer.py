"""The other side of the comparison must be strong and honest: aligned, joined in order, scored over all gold."""

import argparse
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import AutoModelForTokenClassification, BertConfig, BertModel, PreTrainedTokenizerFast

from benchmarks import trainer

SENTENCES = [
    (["Mara", "left", "Graz", "."], ["B-PER", "O", "B-LOC", "O"]),
    (["Ajax", "won", "."], ["B-ORG", "O", "O"]),
    (["the", "museum", "in", "Graz", "closed", "early", "."], ["O", "O", "O", "B-LOC", "O", "O", "O"]),
    (["Nordbank", "left", "Mara", "Kovac", "."], ["B-ORG", "O", "B-PER", "I-PER", "O"]),
    (["it", "closed", "."], ["O", "O", "O"]),
]
CLASSES = ["O", "B-LOC", "I-LOC", "B-ORG", "I-ORG", "B-PER", "I-PER"]


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    words = {word for words, _ in SENTENCES for word in words} - {"Nordbank"}
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "Nord", "##bank", *sorted(words)]
    numbers = {word: number for number, word in enumerate(vocabulary)}
    backend = Tokenizer(models.WordPiece(numbers, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]"
    )


@pytest.fixture(scope="module")
def encoder(tokenizer: PreTrainedTokenizerFast, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoder")
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
    )
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def prepare(folder: Path) -> Path:
    for split in ("train", "validation", "test"):
        lines = [
            json.dumps({"id": f"{split}:{at}", "document": None, "inputs": {"words": words}, "target": tags})
            for at, (words, tags) in enumerate(SENTENCES)
        ]
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def options(prepared: Path, encoder: Path, **changed: Any) -> argparse.Namespace:
    values = {
        "prepared": prepared,
        "predictions": prepared / "predictions.jsonl",
        "model": str(encoder),
        "revision": None,
        "seed": 1,
        "epochs": 2,
        "batch_size": 2,
        "learning_rate": 0.02,
        "weight_decay": 0.01,
        "warmup_ratio": 0.1,
        "max_gradient_norm": 1.0,
        "max_length": 32,
        "dropout": 0.0,
        "attention_dropout": 0.0,
        "attention": "eager",
        "precision": "fp32",
        "threads": 1,
        "device": "cpu",
        "group_by_length": False,
        "last": False,
    }
    return argparse.Namespace(**(values | changed))


def test_classes_come_from_train() -> None:
    assert trainer.class_names(SENTENCES) == CLASSES


def test_first_subword_is_labelled(tokenizer: PreTrainedTokenizerFast) -> None:
    row = trainer.encode(SENTENCES, tokenizer, CLASSES, 32)[3]
    assert tokenizer.convert_ids_to_tokens(row["input_ids"])[1:4] == ["Nord", "##bank", "left"]
    assert row["labels"] == [-100, 3, -100, 0, 5, 6, 0, -100]
    assert row["starts"] == [(1, 0), (3, 1), (4, 2), (5, 3), (6, 4)]


def test_cut_words_are_lost_and_count_as_o(tokenizer: PreTrainedTokenizerFast) -> None:
    rows = trainer.encode(SENTENCES, tokenizer, CLASSES, 5)
    assert [row["lost"] for row in rows] == [[3], [], [3, 4, 5, 6], [2, 3, 4], []]
    perfect = [[max(label, 0) for label in row["labels"]] for row in rows]
    found = trainer.word_tags(SENTENCES, rows, range(5), perfect, [row["labels"] for row in rows], CLASSES)
    assert [len(tags) for tags in found] == [len(words) for words, _ in SENTENCES]
    assert found[2] == ["O"] * 7
    score = trainer.entity_f1([tags for _, tags in SENTENCES], found)
    assert score == pytest.approx(2 * 4 / (6 + 4))  # the two entities that were cut off are missed


def test_predictions_are_joined_by_index(tokenizer: PreTrainedTokenizerFast) -> None:
    rows = trainer.encode(SENTENCES, tokenizer, CLASSES, 32)
    order = trainer.longest_first(rows)
    assert order != list(range(5))
    width = max(len(row["labels"]) for row in rows)
    labels = np.array([rows[at]["labels"] + [-100] * (width - len(rows[at]["labels"])) for at in order])
    perfect = np.maximum(labels, 0)
    assert trainer.word_tags(SENTENCES, rows, order, perfect, labels, CLASSES) == [tags for _, tags in SENTENCES]
    with pytest.raises(ValueError, match="does not belong to it"):
        trainer.word_tags(SENTENCES, rows, order[::-1], perfect, labels, CLASSES)


def test_strict_and_lenient_differ_where_they_should() -> None:
    gold = [["B-PER", "I-PER", "O"]]
    headless = [["I-PER", "I-PER", "O"]]
    assert trainer.entity_f1(gold, gold) == 1
    assert trainer.entity_f1(gold, headless) == 0
    assert trainer.entity_f1(gold, headless, strict=False) == 1
    assert trainer.entity_f1([["O"]], [["O"]]) == 0


@pytest.mark.parametrize("changed", [{}, {"group_by_length": True}, {"last": True}, {"precision": "bf16"}])
def test_training_arguments_are_the_ones_of_this_transformers(tmp_path: Path, changed: dict[str, Any]) -> None:
    given = options(tmp_path, tmp_path, **changed)
    arguments = trainer.training_arguments(given, str(tmp_path))
    assert arguments.report_to == []
    assert arguments.get_warmup_steps(100) == 10
    assert arguments.train_sampling_strategy == ("group_by_length" if given.group_by_length else "random")
    assert arguments.load_best_model_at_end is not given.last
    assert arguments.bf16 is (given.precision == "bf16")
    assert (arguments.max_grad_norm, arguments.weight_decay, arguments.seed) == (1.0, 0.01, 1)


@pytest.mark.parametrize("group_by_length", [False, True])
def test_a_run_learns_and_scores_every_sentence(
    tmp_path: Path, encoder: Path, group_by_length: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[Any] = []
    load = AutoModelForTokenClassification.from_pretrained
    monkeypatch.setattr(
        AutoModelForTokenClassification,
        "from_pretrained",
        lambda *args, **keywords: kept.append(load(*args, **keywords)) or kept[-1],
    )
    given = options(prepare(tmp_path), encoder, epochs=12, group_by_length=group_by_length)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of transformers and torch, not ours
        result = trainer.run(given)
    assert result["test_f1"] > 0.8
    assert len(result["validation_f1"]) == 12
    assert max(result["validation_f1"]) == pytest.approx(result["test_f1"])  # same sentences, best epoch kept
    lines = [json.loads(line) for line in given.predictions.read_text(encoding="utf-8").splitlines()]
    assert [line["gold"] for line in lines] == [tags for _, tags in SENTENCES]

    rows = trainer.encode(SENTENCES, PreTrainedTokenizerFast.from_pretrained(encoder), CLASSES, 32)
    for row, line in zip(rows, lines, strict=True):  # one by one, without any order to get wrong
        with torch.inference_mode():
            best = kept[0].eval()(input_ids=torch.tensor([row["input_ids"]])).logits[0].argmax(dim=-1)
        assert [CLASSES[best[position]] for position, _ in row["starts"]] == line["predicted"]
