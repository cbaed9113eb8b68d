"""Scores of texts with one class or several: macro F1 (the headline), micro F1, accuracy, each class, out of scope."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.records import Prediction
from tasks.scoring.measures import Measure, f1, macro_f1
from tasks.scoring.selection import label_set

OUT_OF_SCOPE = ("oos", "ood", "out_of_scope", "out-of-scope", "out of scope")  # names of the class of all other texts


def score(predictions: Sequence[Prediction]) -> dict[str, Any]:
    """The figures of classes, between 0 and 1 and rounded to six decimals, and counts.

    Macro figures are means over the classes that gold has. Accuracy is the share of texts whose label, or whole set of
    labels, is right. ``out_of_scope_recall`` is there where gold has a class of such a name (Larson et al. 2019).

    Args:
        predictions: gold and predicted hold a label, or a list of labels.
    """
    names = gold_classes(predictions)
    sums = class_counts(predictions).sum(axis=0).reshape(-1, 3)
    others = set().union(*(label_set(prediction.predicted) for prediction in predictions)) - set(names)
    precision, recall = _shares(sums[:, 0], sums[:, 1]), _shares(sums[:, 0], sums[:, 2])
    every = f1(sums)
    per_type = {
        name: {
            "f1": round(float(every[index]), 6),
            "precision": round(float(precision[index]), 6),
            "recall": round(float(recall[index]), 6),
            "support": int(sums[index, 2]),
        }
        for index, name in enumerate(names)
    }
    given = sum(len(label_set(prediction.predicted)) for prediction in predictions)
    right = sum(label_set(prediction.gold) == label_set(prediction.predicted) for prediction in predictions)
    whole = np.array([sums[:, 0].sum(), given, sums[:, 2].sum()])
    scores = {
        "accuracy": round(right / max(len(predictions), 1), 6),
        "gold_entities": int(sums[:, 2].sum()),
        "macro_f1": round(float(macro_f1(sums.reshape(-1))), 6),
        "macro_precision": round(_mean(precision), 6),
        "macro_recall": round(_mean(recall), 6),
        "micro_f1": round(float(f1(whole)), 6),
        "mode": "one" if all(isinstance(prediction.gold, str) for prediction in predictions) else "many",
        "per_type": per_type,
        "predicted_entities": given,
        "predicted_other": sorted(others),
        "scheme": "classes",
        "sentences": len(predictions),
    }
    beyond = [name for name in names if name.lower() in OUT_OF_SCOPE]
    if beyond:
        scores["out_of_scope_recall"] = per_type[beyond[0]]["recall"]
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


def _shares(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    result: NDArray[np.float64] = np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
    return result


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else 0.0


HEADLINE = Measure("macro_f1", class_counts, macro_f1)
