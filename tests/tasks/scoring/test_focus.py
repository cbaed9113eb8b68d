from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.records import Example, Prediction
from tasks.scoring.cases import RIGHT, whole
from tasks.scoring.entities import HEADLINE
from tasks.scoring.errors import KINDS, cases
from tasks.scoring.focus import MOST, focus
from tasks.scoring.focus_table import table
from tasks.scoring.measures import Measure, f1
from tasks.scoring.selection import strict_spans

TAGS = st.sampled_from(["O", "B-A", "I-A", "B-B", "I-B", "O"])


def entry(found: dict, dimension: str, name: str) -> dict:
    (one,) = [one for one in found["entries"] if (one["dimension"], one["name"]) == (dimension, name)]
    return one


PREDICTIONS = [
    Prediction("v:1", ["B-A", "O", "B-B"], ["B-A", "B-A", "O"], [1.0] * 3),  # right, spurious A, missed B
    Prediction("v:2", ["B-B", "I-B"], ["B-A", "I-A"], [1.0] * 2),  # wrong type
]


def test_figures_worked_out_by_hand() -> None:
    found = cases(PREDICTIONS)
    ranked = focus(HEADLINE, found, [{"half": "left" if case.place[0] == 0 else "right"} for case in found], KINDS)
    assert ranked["headline"] == {
        "name": "entity_f1",
        "value": 0.333333,  # 1 right, 3 predicted, 3 gold
        "split": "validation",
        "errors": 3,
        "gold": 3,
        "predicted": 3,
    }
    assert {kind: number for kind, number in ranked["errors"].items() if number} == {
        "missed": 1,
        "spurious": 1,
        "wrong type": 1,
    }
    assert list(ranked["errors"]) == list(KINDS)
    missed = entry(ranked, "kind", "missed")
    assert (missed["figure"], missed["figure_if_right"], missed["gain"]) == (None, 0.571429, 0.238096)  # 2 2 / (4 + 3)
    assert entry(ranked, "kind", "spurious")["figure_if_right"] == 0.4  # 2 1 / (2 + 3)
    assert entry(ranked, "kind", "wrong type")["figure_if_right"] == 0.666667  # 2 2 / (3 + 3)
    b = entry(ranked, "type", "B")
    assert (b["errors"], b["gold"], b["predicted"], b["figure"], b["figure_if_right"]) == (2, 2, 1, 0.0, 0.857143)
    left = entry(ranked, "half", "left")
    assert (left["errors"], left["figure"], left["figure_if_right"]) == (1, 0.5, 0.666667)
    gains = [one["gain"] for one in ranked["entries"]]
    assert gains == sorted(gains, reverse=True)


@given(st.lists(st.lists(st.tuples(TAGS, TAGS), max_size=10), max_size=4))
def test_the_what_if_is_the_figure_of_predictions_that_are_mended(pairs: list[list[tuple[str, str]]]) -> None:
    predictions = [
        Prediction(f"v:{n}", [gold for gold, _ in rows], [other for _, other in rows], [])
        for n, rows in enumerate(pairs)
    ]
    found = cases(predictions)
    ranked = focus(HEADLINE, found, [{} for _ in found], KINDS)
    assert sum(ranked["errors"].values()) == ranked["headline"]["errors"]
    for one in ranked["entries"]:
        sums = np.zeros(3)
        for n, prediction in enumerate(predictions):
            gold, predicted = strict_spans(prediction.gold), strict_spans(prediction.predicted)
            for case in found:
                if case.item == n and one["name"] in (case.kind, case.type):
                    predicted = (predicted - set(case.predicted)) | set(case.gold)
            sums += len(gold & predicted), len(predicted), len(gold)
        assert one["figure_if_right"] == pytest.approx(float(f1(sums)), abs=1e-6)
        assert one["gain"] >= 0


def accuracy(predictions: Sequence[Prediction]) -> np.ndarray:
    rows = [[float(one.gold == one.predicted), 1.0] for one in predictions]
    return np.array(rows, dtype=np.float64).reshape(len(predictions), 2)


ACCURACY = Measure("accuracy", accuracy, lambda sums: sums[..., 0] / np.maximum(sums[..., 1], 1))


def test_another_task_with_another_figure_needs_nothing_more() -> None:
    analysis = whole(ACCURACY)
    predictions = [Prediction("v:1", "joy", "joy", [0.9]), Prediction("v:2", "joy", "anger", [0.8])]
    predictions.append(replace(predictions[0], id="v:3", gold="anger", predicted="joy"))
    examples = [Example(one.id, document, {}, one.gold) for one, document in zip(predictions, "aab", strict=True)]
    found = analysis.cases(predictions)
    assert [case.kind for case in found] == [RIGHT, "wrong", "wrong"]
    ranked = focus(
        ACCURACY, found, [analysis.slices(case, examples[case.item], None) for case in found], analysis.kinds
    )
    assert ranked["headline"]["value"] == 0.333333
    assert entry(ranked, "kind", "wrong")["figure_if_right"] == 1.0
    assert entry(ranked, "type", "joy")["figure_if_right"] == 0.666667
    assert entry(ranked, "document", "b")["gain"] == 0.333334
    assert analysis.mistake(found[1], examples[1], predictions[1], None)["predicted_type"] == "anger"


def test_many_documents_are_bounded_and_the_rest_is_counted() -> None:
    found = cases([Prediction(f"v:{n}", ["B-A"], ["O"], [1.0]) for n in range(MOST + 5)])
    ranked = focus(HEADLINE, found, [{"document": f"{case.item}"} for case in found], KINDS)
    assert sum(one["dimension"] == "document" for one in ranked["entries"]) == MOST
    assert ranked["left_out"] == {"document": 5}


def test_nothing_to_judge_gives_an_empty_table() -> None:
    ranked = focus(HEADLINE, [], [], KINDS)
    assert (ranked["headline"]["value"], ranked["entries"], table(ranked)) == (0.0, [], [])


def test_the_short_table_names_the_costly_kinds_and_what_does_worse_than_the_whole() -> None:
    found = cases(PREDICTIONS)
    lines = table(
        focus(HEADLINE, found, [{"half": "left" if case.place[0] == 0 else "right"} for case in found], KINDS)
    )
    assert lines[0] == "kind: wrong type      1 error   0.3333 -> 0.6667  +0.3333"
    assert [line.split("  ")[0] for line in lines] == [
        "kind: wrong type",
        "kind: missed",
        "kind: spurious",
        "type: B",
        "half: right",
    ]
