import itertools
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics import classification_report
from seqeval.scheme import IOB2

from tasks.records import Prediction
from tasks.scoring.confusion import confusion
from tasks.scoring.entities import CATEGORIES, HEADLINE, count, figures, score
from tasks.scoring.tokens import token_table

SAMPLE = Path(__file__).parents[4] / "shared" / "data" / "scoring"
needs_sample = pytest.mark.skipif(not SAMPLE.exists(), reason="the public CoNLL sample is not beside the repository")

IOB = ["B-PER", "I-PER", "B-LOC", "I-LOC", "B", "I"]
ANY = [*IOB, "E-PER", "S-LOC", "NOUN", "MISC"]


def predictions(*pairs: tuple[str, str]) -> list[Prediction]:
    return [
        Prediction(str(i), gold.split(), predicted.split(), [1.0] * len(gold.split()))
        for i, (gold, predicted) in enumerate(pairs)
    ]


def pairs_of(tags: list[str]) -> st.SearchStrategy[list[list[tuple[str, str]]]]:
    """Sentences of (gold, predicted), of which about half of the words are right."""
    tag = st.one_of(st.just("O"), st.sampled_from(tags))
    word = st.one_of(tag.map(lambda one: (one, one)), st.tuples(tag, tag))
    return st.lists(st.lists(word, min_size=1, max_size=12), min_size=1, max_size=6)


def sides(sentences: list[list[tuple[str, str]]]) -> list[list[list[str]]]:
    return [[[pair[side] for pair in pairs] for pairs in sentences] for side in (0, 1)]


def scored(gold: list[list[str]], predicted: list[list[str]]) -> dict[str, Any]:
    return figures(count(gold, predicted))


def reference(gold: list[list[str]], predicted: list[list[str]], **mode: Any) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of types without gold, and that NOUN seems to be no tag
        table: dict[str, Any] = classification_report(gold, predicted, output_dict=True, zero_division=0, **mode)
    return table


def near(value: float) -> Any:
    return pytest.approx(value, abs=1e-6)


@settings(max_examples=700)
@given(pairs_of(IOB))
def test_strict_micro_macro_and_types_equal_seqeval(sentences: list[list[tuple[str, str]]]) -> None:
    gold, predicted = sides(sentences)
    ours = scored(gold, predicted)
    if not (ours["gold_entities"] or ours["predicted_entities"]):
        assert ours["entity_f1"] == ours["entity_f1_macro"] == 0  # seqeval fails here
        return
    theirs = reference(gold, predicted, mode="strict", scheme=IOB2)
    assert ours["entity_f1"] == near(theirs["micro avg"]["f1-score"])
    assert ours["entity_precision"] == near(theirs["micro avg"]["precision"])
    assert ours["entity_recall"] == near(theirs["micro avg"]["recall"])
    assert ours["entity_f1_macro"] == near(theirs["macro avg"]["f1-score"])
    types = {name: row for name, row in theirs.items() if not name.endswith(" avg")}
    assert list(ours["per_type"]) == sorted(types)
    for name, row in types.items():
        mine = ours["per_type"][name]
        assert (mine["f1"], mine["precision"]) == (near(row["f1-score"]), near(row["precision"]))
        assert (mine["recall"], mine["support"]) == (near(row["recall"]), row["support"])


@settings(max_examples=700)
@given(pairs_of(ANY))
def test_lenient_equals_seqeval(sentences: list[list[tuple[str, str]]]) -> None:
    gold, predicted = sides(sentences)
    ours = scored(gold, predicted)
    if all(tag == "O" for tag in itertools.chain(*gold, *predicted)):
        assert ours["entity_f1_lenient"] == 0
        return
    theirs = reference(gold, predicted)["micro avg"]
    assert ours["entity_f1_lenient"] == near(theirs["f1-score"])
    assert ours["entity_precision_lenient"] == near(theirs["precision"])
    assert ours["entity_recall_lenient"] == near(theirs["recall"])


@settings(max_examples=300)
@given(pairs_of(ANY))
def test_schemata_lose_no_entity_and_are_ordered(sentences: list[list[tuple[str, str]]]) -> None:
    ours = scored(*sides(sentences))
    for table in ours["schemata"].values():
        both = table["correct"] + table["incorrect"] + table["partial"]
        assert both + table["missed"] == ours["gold_entities"]
        assert both + table["spurious"] == ours["predicted_entities"]
    assert ours["schemata"]["strict"]["f1"] == ours["entity_f1"]
    assert ours["entity_f1"] <= ours["schemata"]["exact"]["f1"] <= ours["entity_f1_partial"]
    assert ours["entity_f1"] <= ours["entity_f1_type_only"]


def test_schemata_of_semeval_2013_by_hand() -> None:
    made = predictions(
        ("B-DRUG I-DRUG O", "B-DRUG I-DRUG O"),  # equal
        ("B-DRUG I-DRUG O", "B-GROUP I-GROUP O"),  # equal but for the type
        ("B-DRUG I-DRUG O", "B-DRUG O O"),  # overlap, same type
        ("B-DRUG I-DRUG O", "O B-GROUP I-GROUP"),  # overlap, another type
        ("B-DRUG O O", "O O O"),  # missed
        ("O O O", "O O B-DRUG"),  # spurious
    )
    counts = count([one.gold for one in made], [one.predicted for one in made])
    table = {name: dict(zip(CATEGORIES, rows.sum(axis=0), strict=True)) for name, rows in counts.schemata.items()}
    assert [list(table[name].values()) for name in ("strict", "exact", "partial", "type")] == [
        [1, 3, 0, 1, 1],
        [2, 2, 0, 1, 1],
        [2, 0, 2, 1, 1],
        [2, 2, 0, 1, 1],
    ]
    scores = score(made)
    assert scores["entity_f1_partial"] == pytest.approx(3 / 5)  # (2 + 2 / 2) of 5 predicted and 5 gold
    assert scores["entity_f1_type_only"] == pytest.approx(2 / 5)


def test_strict_and_lenient_differ_where_an_entity_starts_with_i() -> None:
    scores = score(predictions(("B-PER I-PER O B-LOC", "I-PER I-PER O B-LOC")))
    assert scores["entity_f1"] == pytest.approx(2 * 1 / 3, abs=1e-6)
    assert scores["entity_f1_lenient"] == 1.0
    assert (scores["mode"], scores["scheme"]) == ("strict", "IOB2")
    row = {"f1": 0.0, "f1_low": 0.0, "f1_high": 0.0, "precision": 0.0, "recall": 0.0, "support": 1}
    assert scores["per_type"]["PER"] == row
    assert (scores["gold_entities"], scores["sentences"], scores["words"]) == (2, 1, 4)


@pytest.mark.parametrize("pairs", [[("O O", "O O")], [("", "")], []])
def test_no_entity_anywhere_scores_zero_without_a_warning(pairs: list[tuple[str, str]]) -> None:
    scores = score(predictions(*pairs))
    assert scores["entity_f1"] == scores["entity_f1_lenient"] == scores["entity_f1_macro_high"] == 0.0
    assert scores["per_type"] == {}


def test_gold_as_prediction_is_perfect() -> None:
    scores = score(predictions(("B-PER I-PER B-PER", "B-PER I-PER B-PER"), ("O B-X", "O B-X")))
    names = (
        "entity_f1",
        "entity_precision",
        "entity_recall",
        "entity_f1_low",
        "entity_f1_partial",
        "entity_f1_macro",
    )
    assert [scores[name] for name in names] == [1.0] * 6
    assert scores["gold_entities"] == scores["predicted_entities"] == 3


def test_every_headline_has_an_interval_around_it() -> None:
    pairs = [("B-PER O", "B-PER O"), ("B-PER I-PER", "B-PER O"), ("O B-LOC", "O B-PER"), ("I-X O", "B-X B-LOC")] * 10
    scores = score(predictions(*pairs))
    for ending in ("", "_lenient", "_partial", "_type_only", "_macro"):
        name = f"entity_f1{ending}"
        assert 0 < scores[f"{name}_low"] < scores[name] < scores[f"{name}_high"] < 1
    row = scores["per_type"]["PER"]
    assert row["f1_low"] < row["f1"] < row["f1_high"]


def test_the_counts_of_the_headline_are_those_of_the_score() -> None:
    made = predictions(("B-PER I-PER O", "B-PER I-PER O"), ("B-ORG O", "B-PER B-LOC"), ("O", "O"))
    assert HEADLINE.counts(made).tolist() == [[1, 1, 1], [0, 2, 1], [0, 0, 0]]
    assert round(HEADLINE.of(made), 6) == score(made)["entity_f1"]


def test_sides_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="number of tags"):
        count([["O"], ["O", "O"]], [["O", "O"], ["O"]])


def sample() -> list[Prediction]:
    blocks = (SAMPLE / "conll2000_sample_output.txt").read_text().split("\n\n")
    rows = [[line.split() for line in block.splitlines() if line.strip()] for block in blocks]
    pairs = [(" ".join(row[-2] for row in lines), " ".join(row[-1] for row in lines)) for lines in rows if lines]
    return predictions(*pairs)


@needs_sample
def test_every_row_of_conlleval_on_its_own_sample() -> None:
    made = sample()
    head, accuracy, *rows = (SAMPLE / "conll2000_sample_result.txt").read_text().splitlines()
    counts = count([one.gold for one in made], [one.predicted for one in made])
    right, predicted, gold = counts.lenient.sum(axis=0)
    found = f"found: {predicted:.0f} phrases; correct: {right:.0f}."
    assert head == f"processed {counts.words} tokens with {gold:.0f} phrases; {found}"
    same = sum(one == other for each in made for one, other in zip(each.gold, each.predicted, strict=True))
    scores = score(made)
    percent = [100 * scores[f"entity_{name}_lenient"] for name in ("precision", "recall", "f1")]
    assert accuracy == "accuracy: {:6.2f}%; precision: {:6.2f}%; recall: {:6.2f}%; FB1: {:6.2f}".format(
        100 * same / counts.words, *percent
    )
    assert f"{percent[2]:.2f}" == "74.35"
    assert len(rows) == 6
    for row in rows:
        name = row.split(":")[0].strip()
        only = [Prediction(one.id, kept(one.gold, name), kept(one.predicted, name), []) for one in made]
        mine = score(only)
        row_counts = count([one.gold for one in only], [one.predicted for one in only]).lenient.sum(axis=0)
        assert row == "{:>17}: precision: {:6.2f}%; recall: {:6.2f}%; FB1: {:6.2f}  {:.0f}".format(
            name, *(100 * mine[f"entity_{figure}_lenient"] for figure in ("precision", "recall", "f1")), row_counts[1]
        )


def kept(tags: list[str], name: str) -> list[str]:
    """The tags of one type; those of others are outside."""
    return [tag if tag[2:] == name else "O" for tag in tags]


@needs_sample
def test_the_sample_strict_equals_seqeval() -> None:
    made = sample()
    gold, predicted = [one.gold for one in made], [one.predicted for one in made]
    theirs = reference(gold, predicted, mode="strict", scheme=IOB2)["micro avg"]["f1-score"]
    assert score(made)["entity_f1"] == near(theirs)
    assert theirs < np.float64(0.7435)


def test_token_table_counts_o() -> None:
    table = token_table(predictions(("B-PER O O O", "O O O O")))
    assert table["accuracy"] == 0.75
    assert table["labels"]["O"] == {
        "precision": 0.75,
        "recall": 1.0,
        "f1-score": pytest.approx(6 / 7, abs=1e-6),
        "support": 3,
    }
    assert table["labels"]["B-PER"]["support"] == 1


def test_confusion_matches_overlapping_entities_and_names_the_rest() -> None:
    pairs = confusion(predictions(("B-PER I-PER O B-LOC O O", "B-ORG I-ORG O O O B-MISC")))
    assert sorted(pairs) == [("LOC", "none"), ("PER", "ORG"), ("none", "MISC")]
