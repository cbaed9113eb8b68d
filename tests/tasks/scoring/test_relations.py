"""Relations against counts by hand and scikit-learn's, as SemEval's official scorer has them."""

import random

import pytest
from sklearn.metrics import f1_score

from tasks.records import Example, Prediction
from tasks.scoring import selection
from tasks.scoring.analysis import analyse
from tasks.scoring.relations import ANALYSIS, HEADLINE, score

LABELS = ["A(e1,e2)", "A(e2,e1)", "B(e1,e2)", "B(e2,e1)", "Other"]


def predictions(pairs: list[tuple[str, str]]) -> list[Prediction]:
    return [Prediction(str(number), gold, given, [0.5]) for number, (gold, given) in enumerate(pairs)]


CASE = [
    ("A(e1,e2)", "A(e1,e2)"),  # right
    ("A(e1,e2)", "A(e2,e1)"),  # the direction is wrong
    ("B(e1,e2)", "Other"),  # missed
    ("Other", "B(e2,e1)"),  # spurious
    ("B(e2,e1)", "A(e1,e2)"),  # another
    ("Other", "Other"),
]


def test_a_case_by_hand() -> None:
    scores = score(predictions(CASE))
    assert scores["per_type"]["A"]["f1"] == pytest.approx(2 * 1 / (3 + 2), abs=1e-6)
    assert scores["per_type"]["B"]["f1"] == 0.0
    assert scores["relation_f1"] == pytest.approx(0.2)
    assert scores["relation_f1_micro"] == pytest.approx(2 * 1 / (4 + 4))
    assert scores["accuracy"] == pytest.approx(2 / 6, abs=1e-6)
    assert scores["direction_swapped"] == 1
    assert "Other" not in scores["per_type"]


def test_a_relation_that_gold_lacks_weighs_on_the_micro_figure_alone() -> None:
    scores = score(predictions([("A(e1,e2)", "A(e1,e2)"), ("Other", "C(e1,e2)")]))
    assert scores["relation_f1"] == 1.0
    assert scores["relation_f1_micro"] == pytest.approx(2 / 3, abs=1e-6)


def test_without_directions_it_is_macro_f1_of_the_labels_but_one() -> None:
    source = random.Random(1)
    names = ["A", "B", "C", "no_relation"]
    gold, given = ([source.choice(names) for _ in range(300)] for _ in range(2))
    wanted = f1_score(gold, given, labels=names[:3], average="macro")
    assert score(predictions(list(zip(gold, given, strict=True))))["relation_f1"] == pytest.approx(wanted, abs=1e-6)


def test_the_figure_that_chooses_the_epoch_is_the_headline() -> None:
    source = random.Random(2)
    gold, given = ([source.choice(LABELS) for _ in range(200)] for _ in range(2))
    made = predictions(list(zip(gold, given, strict=True)))
    assert selection.relation_f1(gold, given) == pytest.approx(HEADLINE.of(made))
    assert score(made)["relation_f1"] == pytest.approx(HEADLINE.of(made), abs=1e-6)


def test_errors_have_kinds_and_mending_all_reaches_one() -> None:
    inputs = {"text": "a b c d", "first": [0, 1], "second": [6, 7]}
    examples = [Example(str(number), None, inputs, gold) for number, (gold, _) in enumerate(CASE)]
    found = analyse(
        ANALYSIS, HEADLINE, examples, predictions(CASE), [], lambda _: [], seed=1, variants=0, confidence=0.9
    )
    assert found.focus["errors"] == {"direction swapped": 1, "wrong relation": 1, "missed": 1, "spurious": 1}
    assert {line["slices"]["words between"] for line in found.mistakes} == {"1 or 2"}
    by_name = {(entry["dimension"], entry["name"]): entry for entry in found.focus["entries"]}
    assert by_name["words between", "1 or 2"]["figure_if_right"] == 1.0
