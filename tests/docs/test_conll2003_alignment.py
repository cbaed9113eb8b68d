"""What docs/conll2003.md says of sub-words and padding, for a WordPiece and a byte-level tokenizer made here."""

from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertForTokenClassification, PreTrainedTokenizerFast

from tasks import adapters
from tasks.adapters import Encoded
from tasks.batches import collate
from tasks.compute import Machine
from tasks.encoding import IGNORED, encode_words
from tasks.inference import probabilities
from tasks.objectives import mean_cross_entropy
from tasks.records import Example
from tasks.scoring.entities import score

CPU = torch.device("cpu")
TYPES = ["LOC", "MISC", "ORG", "PER"]


@pytest.fixture(scope="module")
def sentences(conll2003: Any) -> list[list[str]]:
    return [words for words, _ in conll2003.sentences()]


@pytest.fixture(scope="module")
def wordpiece(sentences: list[list[str]]) -> PreTrainedTokenizerFast:
    backend = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer()
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    trainer = trainers.WordPieceTrainer(vocab_size=90, special_tokens=special, show_progress=False)
    backend.train_from_iterator([" ".join(words) for words in sentences], trainer)
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]"
    )


@pytest.fixture(scope="module")
def byte_level(sentences: list[list[str]]) -> PreTrainedTokenizerFast:
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator([" ".join(words) for words in sentences], trainer)
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="<unk>", pad_token="<pad>", cls_token="<s>", sep_token="</s>"
    )


@pytest.fixture(scope="module")
def tiny_model() -> BertForTokenClassification:
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=100,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        num_labels=9,
    )
    return BertForTokenClassification(config).eval()


def loss(model: BertForTokenClassification, tensors: dict[str, Any]) -> float:
    """The loss of a training step of hone."""
    with torch.inference_mode():
        logits = model(input_ids=tensors["input_ids"], attention_mask=tensors["attention_mask"]).logits
    answered = logits.float().flatten(0, 1)[tensors["answered"]]
    return float(mean_cross_entropy(answered, tensors["targets"], len(tensors["targets"])))


# 2. Alignment


@pytest.mark.parametrize("kind", ["wordpiece", "byte_level"])
def test_first_subword_carries_the_tag(sentences: list[list[str]], kind: str, request: pytest.FixtureRequest) -> None:
    tokenizer = request.getfixturevalue(kind)
    numbers = [list(range(len(words))) for words in sentences]  # each word a label of its own
    windows = encode_words(sentences, numbers, tokenizer, max_length=128, overlap=32)
    split = 0
    for words, window in zip(sentences, windows, strict=True):
        expected = [IGNORED]
        for number, word in enumerate(words):
            pieces = tokenizer.backend_tokenizer.encode([word], is_pretokenized=True, add_special_tokens=False).ids
            expected += [number] + [IGNORED] * (len(pieces) - 1)
            split += len(pieces) > 1
        assert window.labels == [*expected, IGNORED]
        assert [word for _, word in window.parts] == list(range(len(words)))
    assert split > 20


def test_unaligned_tags_stand_elsewhere(conll2003: Any, embedded: PreTrainedTokenizerFast) -> None:
    words, tags = conll2003.bracketed("[PER Kovac] left [ORG Nordbank] .")
    adapter = adapters.find("token_classification")
    classes = adapter.classes(TYPES)
    (window,) = adapter.encode([Example("a:1", None, {"words": words}, tags)], embedded, classes, 128, 32)
    unaligned, aligned = conll2003.rows("sub-word")
    assert conll2003.header("sub-word") == embedded.convert_ids_to_tokens(window.input_ids)
    assert aligned[1:] == ["-" if label == IGNORED else classes[label] for label in window.labels]
    assert unaligned[1:] == (tags + ["O"] * 128)[: len(window.input_ids)]


@pytest.mark.parametrize("kind", ["wordpiece", "embedded"])
def test_a_word_without_subwords_is_answered(kind: str, request: pytest.FixtureRequest) -> None:
    words = ["Kovac", "\x01", "left"]
    (window,) = encode_words([words], [[1, 2, 3]], request.getfixturevalue(kind), max_length=128, overlap=32)
    assert [word for _, word in window.parts] == [0, 1, 2]
    assert [window.labels[position] for position, _ in window.parts] == [1, 2, 3]


@pytest.mark.parametrize("kind", ["wordpiece", "byte_level"])
def test_a_long_sentence_loses_no_word(sentences: list[list[str]], kind: str, request: pytest.FixtureRequest) -> None:
    words = [word for sentence in sentences for word in sentence] * 3
    numbers = list(range(len(words)))
    windows = encode_words([words], [numbers], request.getfixturevalue(kind), max_length=128, overlap=32)
    assert len(windows) > 2
    assert max(len(window.input_ids) for window in windows) <= 128
    assert sorted(word for window in windows for _, word in window.parts) == numbers
    assert all(window.labels[position] == word for window in windows for position, word in window.parts)


# 3. Padding


@pytest.fixture(scope="module")
def windows(conll2003: Any, wordpiece: PreTrainedTokenizerFast) -> list[Encoded]:
    words, tags = zip(*conll2003.sentences(), strict=True)
    classes = adapters.find("token_classification").classes(TYPES)
    labels = [[classes.index(tag) for tag in sentence] for sentence in tags]
    return encode_words(words, labels, wordpiece, max_length=128, overlap=32)


def test_padding_never_enters_the_loss(windows: list[Encoded], tiny_model: BertForTokenClassification) -> None:
    short = min(windows, key=lambda window: len(window.input_ids))
    tensors = collate([short], pad_id=0, device=CPU)
    alone = loss(tiny_model, tensors)
    for length in (60, 128):
        silent = Encoded(1, [5] * length, [IGNORED] * length, [])  # makes collate pad the short one to its length
        batch = collate([short, silent], pad_id=0, device=CPU)
        assert batch["input_ids"].shape == (2, length)
        assert loss(tiny_model, batch) == pytest.approx(alone, abs=1e-6)


def test_padding_labelled_o_changes_the_loss(windows: list[Encoded], tiny_model: BertForTokenClassification) -> None:
    short = min(windows, key=lambda window: len(window.input_ids))
    spare = 128 - len(short.input_ids)
    labelled = Encoded(0, short.input_ids + [0] * spare, short.labels + [0] * spare, short.parts)
    right, wrong = (loss(tiny_model, collate([window], pad_id=0, device=CPU)) for window in (short, labelled))
    assert abs(wrong - right) > 1e-3


def test_padding_never_enters_the_score(
    conll2003: Any, wordpiece: PreTrainedTokenizerFast, tiny_model: BertForTokenClassification
) -> None:
    adapter = adapters.find("token_classification")
    classes = adapter.classes(TYPES)
    examples = [
        Example(f"a:{at}", None, {"words": words}, tags) for at, (words, tags) in enumerate(conll2003.sentences())
    ]
    found = []
    for batch_size in (1, 6):  # without padding, and padded to the longest of six
        windows = adapter.encode(examples, wordpiece, classes, 128, 32)
        machine = Machine(CPU, False, "test")
        answers = probabilities(
            tiny_model, tiny_model.classifier, windows, pad_id=0, machine=machine, batch_size=batch_size
        )
        found.append(adapter.decode(examples, answers, classes, None))
    assert [p.predicted for p in found[0]] == [p.predicted for p in found[1]]
    for alone, together in zip(*found, strict=True):
        assert together.confidence == pytest.approx(alone.confidence, abs=1e-5)
    assert [len(p.predicted) for p in found[1]] == [len(words) for words, _ in conll2003.sentences()]
    assert score(found[1])["words"] == 74
