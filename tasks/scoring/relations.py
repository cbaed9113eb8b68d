"""Scores of relations as the official scorer of SemEval-2010 task 8 counts them (Hendrickx et al. 2010)."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.records import Example, Prediction
from tasks.scoring.cases import RIGHT, Case
from tasks.scoring.measures import Measure, macro_f1
from tasks.scoring.selection import NO_RELATION, undirected
from tasks.scoring.typed import typed
from tasks.scoring.wholes import binned, by_kind, token_table

__all__ = ["ANALYSIS", "HEADLINE", "baselines", "confidences", "confusion", "score", "token_table"]

SWAPPED, MISSED, SPURIOUS, WRONG = "direction swapped", "missed", "spurious", "wrong relation"


def score(predictions: Sequence[Prediction]) -> dict[str, Any]:
    """Macro F1 over the relations (the headline), micro F1, and each relation, with 95 % intervals.

    ``Relation(e1,e2)`` and ``Relation(e2,e1)`` are one relation; an answer is right when the direction is right, too.
    A wrong direction counts as a predicted relation that is wrong and a gold one that was missed. The label of no
    relation (Other, no_relation) is no relation: what is taken for it is missed, what is taken from it is wrong.

    Args:
        predictions: gold and predicted hold one label.
    """
    names = gold_relations(predictions)
    counts = relation_counts(predictions)
    known = {*names, None}
    others = np.array([undirected(one.predicted) not in known for one in predictions], np.float64)
    right = sum(one.gold == one.predicted for one in predictions)
    swapped = sum(
        one.gold != one.predicted and undirected(one.gold) == undirected(one.predicted) is not None
        for one in predictions
    )
    return {
        **typed(predictions, names, counts, others, "relation_f1", "relation_f1_micro"),
        "accuracy": round(right / max(len(predictions), 1), 6),
        "direction_swapped": swapped,
        "gold_entities": len(predictions),
        "mode": "direction counts",
        "predicted_entities": sum(undirected(one.predicted) is not None for one in predictions),
        "scheme": "relations",
        "sentences": len(predictions),
    }


def gold_relations(predictions: Iterable[Prediction]) -> list[str]:
    """Sorted names of the relations of gold, without direction, that of none left out."""
    return sorted({name for one in predictions if (name := undirected(one.gold)) is not None})


def relation_counts(predictions: Sequence[Prediction]) -> NDArray[np.float64]:
    """Of each prediction and each relation of gold: right, predicted and gold, shape (n, 3 R)."""
    index = {name: number for number, name in enumerate(gold_relations(predictions))}
    counts = np.zeros((len(predictions), len(index), 3))
    for row, one in zip(counts, predictions, strict=True):
        gold, predicted = undirected(one.gold), undirected(one.predicted)
        if gold is not None:
            row[index[gold], 2] = 1
            row[index[gold], 0] = one.gold == one.predicted
        if predicted in index:
            row[index[predicted], 1] = 1
    return counts.reshape(len(predictions), 3 * len(index))


def type_counts(predictions: Sequence[Prediction]) -> dict[str, NDArray[np.float64]]:
    """The counts of each relation, (n, 3), from which the same figure gives its F1."""
    counts = relation_counts(predictions)
    return {name: counts[:, 3 * at : 3 * at + 3] for at, name in enumerate(gold_relations(predictions))}


def confidences(predictions: Sequence[Prediction]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """How sure the model is of each answer, and whether it is right, (n,) both."""
    sure = np.array([one.confidence[0] for one in predictions], np.float64)
    return sure, np.array([one.gold == one.predicted for one in predictions], np.bool_)


def baselines(train: Iterable[Example], examples: Iterable[Example]) -> dict[str, list[Prediction]]:
    """The most frequent relation of train everywhere; no relation does not count as one."""
    counts = Counter(example.target for example in train if undirected(example.target) is not None)
    most = max(sorted(counts), key=counts.__getitem__, default=NO_RELATION[0])
    return {"majority": [Prediction(one.id, one.target, most, [1.0], one.document) for one in examples]}


def confusion(predictions: Sequence[Prediction]) -> list[tuple[str, str]]:
    """Gold and predicted label of each text, directions told apart."""
    return [(one.gold, one.predicted) for one in predictions]


def _kind(one: Prediction) -> str:
    if one.gold == one.predicted:
        return RIGHT
    gold, predicted = undirected(one.gold), undirected(one.predicted)
    if gold == predicted:
        return SWAPPED
    return MISSED if predicted is None else SPURIOUS if gold is None else WRONG


def _slices(case: Case, example: Example, _facts: None) -> dict[str, str]:
    """How far the spans are apart, how long the text is, and, of a mistake, the pair of relations."""
    lengths = ("under 10 words", "10 to 19", "20 to 39", "40 or more")
    text, spans = example.inputs["text"], sorted((example.inputs["first"], example.inputs["second"]))
    between = len(text[spans[0][1] : spans[1][0]].split())
    gold, given = case.gold[0][2], case.predicted[0][2]
    found = {
        "words between": binned(between, (0, 1, 3, 6, 11), ("none", "1 or 2", "3 to 5", "6 to 10", "11 or more")),
        "text length": binned(len(text.split()), (0, 10, 20, 40), lengths),
    }
    if case.kind not in (RIGHT, SWAPPED):
        found["confused"] = f"{undirected(gold) or gold} as {undirected(given) or given}"
    if example.document is not None:
        found["document"] = example.document
    return found


HEADLINE = Measure("relation_f1", relation_counts, macro_f1)
ANALYSIS = replace(by_kind(HEADLINE, (SWAPPED, WRONG, MISSED, SPURIOUS), _kind, str), slices=_slices)
