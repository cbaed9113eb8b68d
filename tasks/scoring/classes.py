"""Scores of texts with one class or several: macro F1 (the headline), micro F1, accuracy, each class, out of scope."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.near_duplicates import near_duplicates
from tasks.records import Example, Prediction
from tasks.scoring.cases import RIGHT, Case
from tasks.scoring.confusion import NONE
from tasks.scoring.measures import Measure, macro_f1
from tasks.scoring.selection import label_set
from tasks.scoring.typed import typed
from tasks.scoring.wholes import binned, by_kind, label_of, token_table

__all__ = ["ANALYSIS", "HEADLINE", "baselines", "confidences", "confusion", "score", "token_table"]

OUT_OF_SCOPE = ("oos", "ood", "out_of_scope", "out-of-scope", "out of scope")  # names of the class of all other texts
WRONG_CLASS, TAKEN_IN, TURNED_AWAY = "wrong class", "out of scope taken in", "turned away as out of scope"
TOO_MANY, TOO_FEW, OTHER_SET = "labels too many", "labels too few", "other labels"


def score(predictions: Sequence[Prediction]) -> dict[str, Any]:
    """The figures of classes, between 0 and 1 and rounded to six decimals, with 95 % intervals, and counts.

    Macro figures are means over the classes that gold has. Accuracy is the share of texts whose label, or whole set of
    labels, is right. ``out_of_scope_recall`` is there where gold has a class of such a name (Larson et al. 2019).

    Args:
        predictions: gold and predicted hold a label, or a list of labels.
    """
    names = gold_classes(predictions)
    counts = class_counts(predictions)
    given = [label_set(one.predicted) for one in predictions]
    others = np.array([len(labels - set(names)) for labels in given], np.float64)
    scores = {
        **typed(predictions, names, counts, others, "macro_f1", "micro_f1"),
        "accuracy": round(sum(map(_right, predictions)) / max(len(predictions), 1), 6),
        "gold_entities": int(counts.reshape(len(predictions), len(names), 3)[..., 2].sum()),
        "mode": "one" if all(isinstance(one.gold, str) for one in predictions) else "many",
        "predicted_entities": sum(map(len, given)),
        "predicted_other": sorted(set().union(*given) - set(names)),
        "scheme": "classes",
        "sentences": len(predictions),
    }
    beyond = _beyond(names)
    if beyond:
        columns = counts.reshape(len(predictions), len(names), 3)[:, [names.index(name) for name in beyond]]
        right, _, gold = columns.sum(axis=(0, 1))
        scores["out_of_scope_recall"] = round(float(right / max(gold, 1)), 6)
    return scores


def gold_classes(predictions: Iterable[Prediction]) -> list[str]:
    """Sorted names of the classes that gold has."""
    return sorted(set().union(*(label_set(prediction.gold) for prediction in predictions)))


def class_counts(predictions: Sequence[Prediction]) -> NDArray[np.float64]:
    """Of each prediction and each class of gold: right, predicted and gold, shape (n, 3 C).

    The columns follow from gold alone, so that two models' counts of the same examples stand side by side.
    """
    index = {name: number for number, name in enumerate(gold_classes(predictions))}
    counts = np.zeros((len(predictions), len(index), 3))
    for row, prediction in zip(counts, predictions, strict=True):
        gold, predicted = label_set(prediction.gold), label_set(prediction.predicted)
        for column, names in enumerate((gold & predicted, predicted, gold)):
            for name in names & index.keys():
                row[index[name], column] = 1
    return counts.reshape(len(predictions), 3 * len(index))


def type_counts(predictions: Sequence[Prediction]) -> dict[str, NDArray[np.float64]]:
    """The counts of each class, (n, 3), from which the same figure gives its F1."""
    counts = class_counts(predictions)
    return {name: counts[:, 3 * at : 3 * at + 3] for at, name in enumerate(gold_classes(predictions))}


def confidences(predictions: Sequence[Prediction]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """How sure the model is of each label it gave, and whether it is right, (labels,) both."""
    sure, right = [], []
    for one in predictions:
        labels = [one.predicted] if isinstance(one.predicted, str) else one.predicted
        gold = label_set(one.gold)
        for label, value in zip(labels, one.confidence, strict=False):  # one number stands for no label
            sure.append(value)
            right.append(label in gold)
    return np.array(sure, np.float64), np.array(right, np.bool_)


def baselines(train: Iterable[Example], examples: Iterable[Example]) -> dict[str, list[Prediction]]:
    """Every text gets the most frequent label, or set of labels, of train."""
    counts = Counter(json.dumps(example.target) for example in train)
    most = json.loads(max(sorted(counts), key=counts.__getitem__, default='""'))
    return {"majority": [Prediction(one.id, one.target, most, [1.0], one.document) for one in examples]}


def confusion(predictions: Sequence[Prediction]) -> list[tuple[str, str]]:
    """Gold label and predicted label of each text; of sets of labels what both have, and the others with ``none``."""
    pairs = []
    for one in predictions:
        if isinstance(one.gold, str) and isinstance(one.predicted, str):
            pairs.append((one.gold, one.predicted))
            continue
        gold, predicted = label_set(one.gold), label_set(one.predicted)
        pairs += [(name, name) for name in sorted(gold & predicted)]
        pairs += [(name, NONE) for name in sorted(gold - predicted)]
        pairs += [(NONE, name) for name in sorted(predicted - gold)]
    return pairs


def _right(one: Prediction) -> bool:
    return label_set(one.gold) == label_set(one.predicted)


def _beyond(names: Iterable[str]) -> list[str]:
    """Those that stand for all other texts, in upper or lower case."""
    return [name for name in names if name.lower() in OUT_OF_SCOPE]


def _kind(one: Prediction) -> str:
    if _right(one):
        return RIGHT
    gold, predicted = label_set(one.gold), label_set(one.predicted)
    if _beyond(gold):
        return TAKEN_IN
    if _beyond(predicted):
        return TURNED_AWAY
    if isinstance(one.gold, str):
        return WRONG_CLASS
    return TOO_MANY if gold < predicted else TOO_FEW if predicted < gold else OTHER_SET


@dataclass(frozen=True, slots=True)
class Facts:
    """What train says: how often it has each label, and which texts of validation nearly stand in it, by id."""

    labels: Counter[str]
    near: dict[str, str]


def _slices(case: Case, example: Example, facts: Facts) -> dict[str, str]:
    """Length of the text, how often train has its class and its text, and, of a mistake, the pair of classes."""
    words = len(example.inputs["text"].split())
    gold, given = case.gold[0][2], case.predicted[0][2]
    found = {
        "text length": binned(
            words, (0, 5, 10, 20, 50), ("under 5 words", "5 to 9", "10 to 19", "20 to 49", "50 or more")
        ),
        "class in train": binned(
            facts.labels[gold], (0, 1, 10, 50, 200), ("never", "1 to 9 texts", "10 to 49", "50 to 199", "200 or more")
        ),
        "duplicate in train": facts.near[example.id],
    }
    if case.kind != RIGHT:
        found["confused"] = f"{gold} as {given}"
    if example.document is not None:
        found["document"] = example.document
    return found


def _facts(train: Iterable[Example], examples: Sequence[Example], _cases: Sequence[Case]) -> Facts:
    labels: Counter[str] = Counter()

    def texts() -> Iterator[str]:
        for example in train:
            labels[label_of(example.target)] += 1
            yield example.inputs["text"]

    near = near_duplicates([example.inputs["text"] for example in examples], texts())
    return Facts(labels, {example.id: kind for example, kind in zip(examples, near, strict=True)})


HEADLINE = Measure("macro_f1", class_counts, macro_f1)
ANALYSIS = replace(
    by_kind(HEADLINE, (WRONG_CLASS, TAKEN_IN, TURNED_AWAY, TOO_MANY, TOO_FEW, OTHER_SET), _kind, label_of),
    facts=_facts,
    slices=_slices,
)
