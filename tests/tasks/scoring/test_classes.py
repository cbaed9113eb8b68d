"""Figures of classes against scikit-learn, by hand, and in the corners."""

import random

import numpy as np
import pytest
from sklearn.metrics import f1_score
from sklearn.preprocessing import MultiLabelBinarizer

from tasks.records import Example, Prediction
from tasks.scoring import selection
from tasks.scoring.analysis import analyse
from tasks.scoring.classes import ANALYSIS, HEADLINE, RIGHT, TAKEN_IN, TURNED_AWAY, _kind, class_counts, score

NAMES = ["a", "b", "c", "d", "oos"]


def predictions(pairs: list[tuple[object, object]]) -> list[Prediction]:
    return [Prediction(str(number), gold, given, [0.5]) for number, (gold, given) in enumerate(pairs)]


def test_texts_out_of_scope_are_known_by_any_of_their_names() -> None:
    given = predictions([("OOS", "a"), ("OOS", "OOS"), ("ood", "ood"), ("ood", "ood"), ("a", "OOS")])
    assert score(given)["out_of_scope_recall"] == 0.75
    assert [_kind(one) for one in given] == [TAKEN_IN, RIGHT, RIGHT, RIGHT, TURNED_AWAY]


def test_a_case_by_hand() -> None:
    scores = score(predictions([("a", "a"), ("a", "b"), ("b", "b"), ("oos", "new")]))
    assert scores["accuracy"] == 0.5
    assert {name: row["f1"] for name, row in scores["per_type"].items()} == {
        "a": pytest.approx(2 / 3, abs=1e-6), "b": pytest.approx(2 / 3, abs=1e-6), "oos": 0.0
    }  # fmt: skip
    assert scores["macro_f1"] == pytest.approx(4 / 9, abs=1e-6)
    assert scores["micro_f1"] == 0.5
    assert scores["out_of_scope_recall"] == 0.0
    assert scores["predicted_other"] == ["new"]
    assert (scores["gold_entities"], scores["predicted_entities"]) == (4, 4)


def test_single_labels_agree_with_scikit_learn() -> None:
    source = random.Random(1)
    gold, given = ([source.choice(NAMES) for _ in range(300)] for _ in range(2))
    scores = score(predictions(list(zip(gold, given, strict=True))))
    for average in ("macro", "micro"):
        assert scores[f"{average}_f1"] == pytest.approx(f1_score(gold, given, average=average), abs=1e-6)
    assert scores["macro_f1"] == pytest.approx(selection.macro_f1(gold, given), abs=1e-6)


def test_sets_of_labels_agree_with_scikit_learn() -> None:
    source = random.Random(2)
    gold, given = ([source.sample(NAMES, source.randint(0, 3)) for _ in range(300)] for _ in range(2))
    scores = score(predictions(list(zip(gold, given, strict=True))))
    binary = MultiLabelBinarizer(classes=NAMES).fit(gold)
    wanted = [f1_score(binary.transform(gold), binary.transform(given), average=name) for name in ("macro", "micro")]
    assert [scores["macro_f1"], scores["micro_f1"]] == pytest.approx(wanted, abs=1e-6)
    assert scores["accuracy"] == pytest.approx(
        np.mean([set(a) == set(b) for a, b in zip(gold, given, strict=True)]), abs=1e-6
    )
    assert scores["macro_f1"] == pytest.approx(selection.macro_f1(gold, given), abs=1e-6)
    assert scores["mode"] == "many"


def test_the_measure_is_the_headline_and_its_columns_follow_from_gold() -> None:
    one = predictions([("a", "a"), ("b", "zzz"), ("a", "b")])
    other = predictions([("a", "b"), ("b", "b"), ("a", "a")])
    assert round(HEADLINE.of(one), 6) == score(one)["macro_f1"]
    assert class_counts(one).shape == class_counts(other).shape == (3, 6)


def test_nothing_to_score_scores_nothing() -> None:
    assert score([])["macro_f1"] == score(predictions([([], [])]))["macro_f1"] == 0.0
    assert score(predictions([([], [])]))["accuracy"] == 1.0


def test_mistakes_are_sliced_by_length_rarity_duplicates_and_the_confused_pair() -> None:
    train = [Example(f"t:{number}", None, {"text": f"where is my card {number}"}, "card") for number in range(12)]
    train.append(Example("t:99", None, {"text": "top up failed again"}, "rare"))
    examples = [
        Example("v:1", None, {"text": "Where is my card, 3?"}, "card"),
        Example("v:2", None, {"text": "where is my card now"}, "card"),
        Example("v:3", None, {"text": "top up"}, "rare"),
    ]
    given = ["rare", "card", "card"]
    made = [Prediction(one.id, one.target, label, [0.9]) for one, label in zip(examples, given, strict=True)]
    found = analyse(ANALYSIS, HEADLINE, examples, made, train, lambda _: [], seed=1, variants=0, confidence=0.9)
    assert [line["slices"] for line in found.mistakes] == [
        {
            "text length": "5 to 9",
            "class in train": "10 to 49",
            "duplicate in train": "equal",
            "confused": "card as rare",
        },
        {
            "text length": "under 5 words",
            "class in train": "1 to 9 texts",
            "duplicate in train": "none",
            "confused": "rare as card",
        },
    ]
    assert found.focus["errors"]["wrong class"] == 2
