"""What docs/conll2003.md says of data, params and scores, as far as it can be run without the data."""

import re
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerFast

from tasks import adapters, params_file
from tasks.models import resolve
from tasks.preprocess import preprocess
from tasks.records import Example, Prediction, read_examples
from tasks.scoring.entities import score
from tasks.scoring.selection import strict_spans
from tasks.scoring.tokens import token_table

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TYPES = ["LOC", "MISC", "ORG", "PER"]


# The page


def test_the_params_block_loads(conll2003: Any, tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(conll2003.block("yaml"), encoding="utf-8")
    settings = params_file.load(path)
    options = settings.finetune
    assert (options.model, options.max_length, options.batch_size) == ("bert-base-cased", 128, 16)
    assert (options.learning_rate, options.epochs) == (2e-5, 5)
    _, load = resolve(options.model, options.revision)
    assert re.fullmatch(r"[0-9a-f]{40}", load["revision"])
    adapter = adapters.find(settings.task)
    params_file.check(adapter.options, settings.options, path, "token_classification.")


def test_the_page_names_tests_that_exist(conll2003: Any) -> None:
    named = set(re.findall(r"`(test_\w+)`", conll2003.text))
    assert len(named) == 11
    sources = [path.read_text(encoding="utf-8") for path in HERE.glob("test_conll2003*.py")]
    assert named <= set(re.findall(r"^def (test_\w+)", "".join(sources), flags=re.MULTILINE))


def test_links_into_the_project_exist(conll2003: Any) -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", conll2003.text) if not link.startswith("https://")]
    assert len(links) == 2
    assert {(ROOT / "docs" / link).resolve() for link in links} == set(HERE.glob("test_conll2003*.py"))


def test_the_counts_agree_with_each_other(conll2003: Any) -> None:
    table = [[int(cell.replace(",", "")) for cell in row[1:]] for row in conll2003.rows("split")]
    assert [row[0] for row in table] == [14987 - 946, 3466 - 216, 3684 - 231]
    assert all(sum(row[2:]) == row[1] for row in table)
    train, _, test = table
    misc = 2 + TYPES.index("MISC")
    text = " ".join(conll2003.text.replace(" %", "%").split())
    assert f"3,438 entities of train ({train[misc] / train[1]:.1%})" in text
    assert f"702 of test ({test[misc] / test[1]:.1%})" in text
    assert f"recall cannot pass {1 - test[misc] / test[1]:.1%}." in text
    assert f"has {203621 / train[0]:.1f} words on average" in text  # tokens of train as in their table 1


def iob1(tags: list[str]) -> list[str]:
    """IOB2 as IOB1: B- only where an entity follows one of its own type."""
    before = ["O", *tags]
    return [tag if tag[0] != "B" or before[at][2:] == tag[2:] else f"I-{tag[2:]}" for at, tag in enumerate(tags)]


@pytest.mark.parametrize("scheme", ["IOB1", "IOB2"])
def test_both_forms_of_the_files_are_read(conll2003: Any, tmp_path: Path, scheme: str) -> None:
    neighbours = conll2003.bracketed("[PER Marta Kovac] [PER Lindqvist] sang .")
    sentences = [*conll2003.sentences(), neighbours]
    written = [(words, iob1(tags) if scheme == "IOB1" else tags) for words, tags in sentences]
    if scheme == "IOB1":
        assert [len(strict_spans(tags)) for _, tags in written] == [0, 0, 0, 0, 0, 0, 1]
    raw = tmp_path / "conll2003"
    raw.mkdir()
    docstart = "-DOCSTART- -X- -X- O\n\n"
    text = docstart + docstart.join(
        "".join(f"{word} NN I-NP {tag}\n" for word, tag in zip(*sentence, strict=True)) + "\n" for sentence in written
    )
    for name in ("train.txt", "valid.txt", "test.txt"):
        (raw / name).write_text(text, encoding="utf-8")
    (tmp_path / "params.yaml").write_text(conll2003.block("yaml"), encoding="utf-8")
    settings = params_file.load(tmp_path / "params.yaml")
    adapter = adapters.find(settings.task)
    summary = preprocess(
        raw,
        tmp_path / "prepared",
        adapter=adapter,
        options=params_file.check(adapter.options, settings.options, tmp_path / "params.yaml"),
        dataset=settings.dataset,
        splits=settings.splits.model_dump(),
        seed=settings.seed,
        on_defect=settings.preprocess.on_defect,
        fractions={"validation": 0.1, "test": 0.1},
    )
    for split in ("train", "validation", "test"):
        assert summary["splits"][split]["sentences"] == 7
        assert summary["splits"][split]["entities"] == {"LOC": 3, "MISC": 2, "ORG": 3, "PER": 4}
        found = [(e.inputs["words"], e.target) for e in read_examples(tmp_path / "prepared" / f"{split}.jsonl")]
        assert found == sentences


# 1. MISC


def test_misc_is_a_class() -> None:
    classes = adapters.find("token_classification").classes(TYPES)
    assert len(classes) == 9
    assert {"O", "B-MISC", "I-MISC"} <= set(classes)


def test_a_tag_map_without_misc_loses_it(conll2003: Any, embedded: PreTrainedTokenizerFast) -> None:
    words, gold, mapped = conll2003.header("word"), conll2003.rows("word")[0][1:], conll2003.rows("word")[1][1:]
    known = ["O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC"]
    assert [tag if tag in known else "O" for tag in gold] == mapped
    adapter = adapters.find("token_classification")
    classes = adapter.classes(TYPES)
    example = Example("a:1", None, {"words": words}, gold)
    (window,) = adapter.encode([example], embedded, classes, 128, 32)
    assert [classes[window.labels[position]] for position, _ in window.parts] == gold


# The worked example


def test_the_worked_example(conll2003: Any) -> None:
    misread = conll2003.text.replace("[ORG Hansa Rostock] drew", "[LOC Hansa Rostock] drew")
    pairs = zip(conll2003.sentences(), type(conll2003)(misread).sentences(), strict=True)
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
    assert conll2003.rows("tag") == figures
    assert round(table["weighted avg"]["f1-score"], 3) == 0.973

    nothing = [Prediction(one.id, one.gold, ["O"] * len(one.gold), one.confidence) for one in predictions]
    assert f"accuracy of {token_table(nothing)['accuracy']:.3f} here" in conll2003.text
    assert score(nothing)["entity_f1"] == 0

    spare = [["O"] * (128 - len(one.gold)) for one in predictions]
    with_padding = [
        Prediction(one.id, one.gold + more, one.predicted + more, [])
        for one, more in zip(predictions, spare, strict=True)
    ]
    assert f"reach {token_table(with_padding)['weighted avg']['f1-score']:.3f}." in conll2003.text
    assert score(with_padding)["entity_f1"] == 0.9
