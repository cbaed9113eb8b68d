"""Everything that docs/conll2003.md says and that can be run without the data."""

import re
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertForTokenClassification, PreTrainedTokenizerFast

from tasks import adapters, params
from tasks.adapters import Encoded
from tasks.batches import collate
from tasks.compute import Machine
from tasks.encoding import IGNORED, encode_words
from tasks.inference import probabilities
from tasks.models import EMBEDDED, load_tokenizer, resolve
from tasks.records import Example, Prediction
from tasks.scoring.entities import score
from tasks.scoring.tokens import token_table

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "conll2003.md").read_text(encoding="utf-8")
CPU = torch.device("cpu")
TYPES = ["LOC", "MISC", "ORG", "PER"]


def block(language: str) -> str:
    """The only code block of the page in this language."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)
    return str(found)


def rows(first_cell: str) -> list[list[str]]:
    """Body rows of the page's table whose header starts with this cell."""
    after = PAGE.split(f"| {first_cell} |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip(" `") for cell in line.strip().strip("|").split("|")] for line in after]


def header(first_cell: str) -> list[str]:
    line = next(line for line in PAGE.splitlines() if line.startswith(f"| {first_cell} |"))
    return [cell.strip(" `") for cell in line.strip().strip("|").split("|")]


def bracketed(line: str) -> tuple[list[str], list[str]]:
    """Words and IOB2 tags of ``[PER Marta Kovac] left ...``."""
    words, tags = [], []
    for label, entity, word in re.findall(r"\[([A-Z]+) ([^\]]+)\]|(\S+)", line):
        found = entity.split() or [word]
        words += found
        tags += [f"{'I' if at else 'B'}-{label}" if label else "O" for at in range(len(found))]
    return words, tags


GOLD = [bracketed(line) for line in block("text").splitlines()]
PREDICTED = [bracketed(line.replace("[ORG Hansa", "[LOC Hansa")) for line in block("text").splitlines()]
SENTENCES = [words for words, _ in GOLD]


@pytest.fixture(scope="module")
def wordpiece() -> PreTrainedTokenizerFast:
    backend = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer()
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    trainer = trainers.WordPieceTrainer(vocab_size=90, special_tokens=special, show_progress=False)
    backend.train_from_iterator([" ".join(words) for words in SENTENCES], trainer)
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]"
    )


@pytest.fixture(scope="module")
def byte_level() -> PreTrainedTokenizerFast:
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator([" ".join(words) for words in SENTENCES], trainer)
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="<unk>", pad_token="<pad>", cls_token="<s>", sep_token="</s>"
    )


@pytest.fixture(scope="module")
def embedded() -> PreTrainedTokenizerFast:
    return load_tokenizer(*resolve(EMBEDDED, "embedded"))


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


def loss(model: BertForTokenClassification, tensors: dict[str, torch.Tensor]) -> float:
    with torch.inference_mode():
        return float(model(**tensors).loss)


def padded(tensors: dict[str, torch.Tensor], width: int, label: int) -> dict[str, torch.Tensor]:
    """The same batch, padded on to ``width`` with this label."""
    more = width - tensors["input_ids"].shape[1]
    values = {"input_ids": 0, "attention_mask": 0, "labels": label}
    return {key: torch.nn.functional.pad(tensor, (0, more), value=values[key]) for key, tensor in tensors.items()}


# The page


def test_the_params_block_loads(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(block("yaml"), encoding="utf-8")
    settings = params.load(path)
    options = settings.finetune
    assert (options.model, options.max_length, options.batch_size) == ("bert-base-cased", 128, 16)
    assert (options.learning_rate, options.epochs) == (2e-5, 5)
    _, load = resolve(options.model, options.revision)
    assert re.fullmatch(r"[0-9a-f]{40}", load["revision"])
    adapter = adapters.find(settings.task)
    params.check(adapter.options, settings.options, path, "token_classification.")


def test_the_page_names_tests_that_exist() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) == 10
    assert named <= set(globals())


def test_links_into_the_project_exist() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", PAGE) if not link.startswith("https://")]
    assert links == ["../tests/docs/test_conll2003.py"]
    assert (ROOT / "docs" / links[0]).resolve() == Path(__file__).resolve()


def test_the_counts_agree_with_each_other() -> None:
    table = [[int(cell.replace(",", "")) for cell in row[1:]] for row in rows("split")]
    assert [row[0] for row in table] == [14987 - 946, 3466 - 216, 3684 - 231]
    assert all(sum(row[2:]) == row[1] for row in table)
    train, _, test = table
    misc = 2 + TYPES.index("MISC")
    assert f"3,438 entities of train ({train[misc] / train[1]:.1%})".replace("%", " %") in " ".join(PAGE.split())
    assert f"702 of test ({test[misc] / test[1]:.1%})".replace("%", " %") in PAGE
    assert f"recall cannot pass {1 - test[misc] / test[1]:.1%}.".replace("%", " %") in " ".join(PAGE.split())
    assert f"has {203621 / train[0]:.1f} words on average" in PAGE  # tokens of train as in their table 1


# 1. MISC


def test_misc_is_a_class() -> None:
    classes = adapters.find("token_classification").classes(TYPES)
    assert len(classes) == 9
    assert {"O", "B-MISC", "I-MISC"} <= set(classes)


def test_a_tag_map_without_misc_loses_it(embedded: PreTrainedTokenizerFast) -> None:
    words, gold, mapped = header("word")[1:], rows("word")[0][1:], rows("word")[1][1:]
    known = ["O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC"]
    assert [tag if tag in known else "O" for tag in gold] == mapped
    adapter = adapters.find("token_classification")
    classes = adapter.classes(TYPES)
    example = Example("a:1", None, {"words": words}, gold)
    (window,) = adapter.encode([example], embedded, classes, 128, 32)
    assert [classes[window.labels[position]] for position, _ in window.parts] == gold


# 2. Alignment


@pytest.mark.parametrize("kind", ["wordpiece", "byte_level"])
def test_first_subword_carries_the_tag(kind: str, request: pytest.FixtureRequest) -> None:
    tokenizer = request.getfixturevalue(kind)
    numbers = [list(range(len(words))) for words in SENTENCES]  # each word a label of its own
    windows = encode_words(SENTENCES, numbers, tokenizer, max_length=128, overlap=32)
    split = 0
    for words, window in zip(SENTENCES, windows, strict=True):
        expected = [IGNORED]
        for number, word in enumerate(words):
            pieces = tokenizer.backend_tokenizer.encode([word], is_pretokenized=True, add_special_tokens=False).ids
            expected += [number] + [IGNORED] * (len(pieces) - 1)
            split += len(pieces) > 1
        assert window.labels == [*expected, IGNORED]
        assert [word for _, word in window.parts] == list(range(len(words)))
    assert split > 20


def test_unaligned_tags_stand_elsewhere(embedded: PreTrainedTokenizerFast) -> None:
    words, tags = bracketed("[PER Kovac] left [ORG Nordbank] .")
    adapter = adapters.find("token_classification")
    classes = adapter.classes(TYPES)
    (window,) = adapter.encode([Example("a:1", None, {"words": words}, tags)], embedded, classes, 128, 32)
    unaligned, aligned = rows("sub-word")
    assert header("sub-word")[1:] == embedded.convert_ids_to_tokens(window.input_ids)
    assert aligned[1:] == ["-" if label == IGNORED else classes[label] for label in window.labels]
    assert unaligned[1:] == (tags + ["O"] * 128)[: len(window.input_ids)]


@pytest.mark.parametrize("kind", ["wordpiece", "embedded"])
def test_a_word_without_subwords_is_answered(kind: str, request: pytest.FixtureRequest) -> None:
    words = ["Kovac", "\x01", "left"]
    (window,) = encode_words([words], [[1, 2, 3]], request.getfixturevalue(kind), max_length=128, overlap=32)
    assert [word for _, word in window.parts] == [0, 1, 2]
    assert [window.labels[position] for position, _ in window.parts] == [1, 2, 3]


@pytest.mark.parametrize("kind", ["wordpiece", "byte_level"])
def test_a_long_sentence_loses_no_word(kind: str, request: pytest.FixtureRequest) -> None:
    words = [word for sentence in SENTENCES for word in sentence] * 3
    numbers = list(range(len(words)))
    windows = encode_words([words], [numbers], request.getfixturevalue(kind), max_length=128, overlap=32)
    assert len(windows) > 2
    assert max(len(window.input_ids) for window in windows) <= 128
    assert sorted(word for window in windows for _, word in window.parts) == numbers
    assert all(window.labels[position] == word for window in windows for position, word in window.parts)


# 3. Padding


def windows_of(tokenizer: PreTrainedTokenizerFast) -> list[Encoded]:
    classes = adapters.find("token_classification").classes(TYPES)
    labels = [[classes.index(tag) for tag in tags] for _, tags in GOLD]
    return encode_words(SENTENCES, labels, tokenizer, max_length=128, overlap=32)


def test_padding_never_enters_the_loss(
    wordpiece: PreTrainedTokenizerFast, tiny_model: BertForTokenClassification
) -> None:
    short = min(windows_of(wordpiece), key=lambda window: len(window.input_ids))
    tensors = collate([short], pad_id=0, device=CPU)
    alone = loss(tiny_model, tensors)
    assert loss(tiny_model, padded(tensors, 128, IGNORED)) == pytest.approx(alone, abs=1e-6)
    silent = Encoded(1, [5] * 60, [IGNORED] * 60, [])  # makes collate pad the short one itself
    batch = collate([short, silent], pad_id=0, device=CPU)
    assert batch["input_ids"].shape == (2, 60)
    assert loss(tiny_model, batch) == pytest.approx(alone, abs=1e-6)


def test_padding_labelled_o_changes_the_loss(
    wordpiece: PreTrainedTokenizerFast, tiny_model: BertForTokenClassification
) -> None:
    tensors = collate(windows_of(wordpiece)[:1], pad_id=0, device=CPU)
    assert abs(loss(tiny_model, padded(tensors, 128, 0)) - loss(tiny_model, tensors)) > 1e-3


def test_padding_never_enters_the_score(
    wordpiece: PreTrainedTokenizerFast, tiny_model: BertForTokenClassification
) -> None:
    adapter = adapters.find("token_classification")
    classes = adapter.classes(TYPES)
    examples = [Example(f"a:{at}", None, {"words": words}, tags) for at, (words, tags) in enumerate(GOLD)]
    found = []
    for batch_size in (1, 6):  # without padding, and padded to the longest of six
        windows = adapter.encode(examples, wordpiece, classes, 128, 32)
        machine = Machine(CPU, False, "test")
        answers = probabilities(tiny_model, windows, pad_id=0, machine=machine, batch_size=batch_size)
        found.append(adapter.decode(examples, answers, classes))
    assert [p.predicted for p in found[0]] == [p.predicted for p in found[1]]
    assert [len(p.predicted) for p in found[1]] == [len(words) for words in SENTENCES]
    assert score(found[1])["words"] == 74


# The worked example


def test_the_worked_example() -> None:
    pairs = zip(GOLD, PREDICTED, strict=True)
    predictions = [Prediction("a:1", gold, found, [1.0] * len(gold)) for (_, gold), (_, found) in pairs]
    assert sum(one.gold != one.predicted for one in predictions) == 1
    entities = score(predictions)
    assert entities["gold_entities"] == entities["predicted_entities"] == 10
    assert [entities[f"entity_{name}"] for name in ("precision", "recall", "f1")] == [0.9, 0.9, 0.9]

    table = token_table(predictions)
    lines = table["labels"] | {name: table[name] for name in ("macro avg", "weighted avg")}
    figures = [
        [name, *(f"{line[key]:.3f}" for key in ("precision", "recall", "f1-score")), str(line["support"])]
        for name, line in lines.items()
    ]
    assert rows("tag") == figures
    assert round(table["weighted avg"]["f1-score"], 3) == 0.973

    nothing = [Prediction(one.id, one.gold, ["O"] * len(one.gold), one.confidence) for one in predictions]
    assert f"accuracy of {token_table(nothing)['accuracy']:.3f} here" in PAGE
    assert score(nothing)["entity_f1"] == 0

    spare = [["O"] * (128 - len(one.gold)) for one in predictions]
    with_padding = [
        Prediction(one.id, one.gold + more, one.predicted + more, [])
        for one, more in zip(predictions, spare, strict=True)
    ]
    assert f"reach {token_table(with_padding)['weighted avg']['f1-score']:.3f}." in PAGE
    assert score(with_padding)["entity_f1"] == 0.9
