"""The token-level table with O. It is not the entity score: most words are O, and O is easy."""

from collections.abc import Sequence
from typing import Any

from tasks.records import Prediction


def token_table(predictions: Sequence[Prediction]) -> dict[str, Any]:
    """Precision, recall and F1 of every tag, O among them, in the form of sklearn's classification_report.

    Returns:
        ``labels`` with one entry per tag, ``accuracy``, ``macro avg`` and ``weighted avg``; rounded to six decimals.
    """
    from sklearn.metrics import classification_report

    gold = [tag for prediction in predictions for tag in prediction.gold]
    predicted = [tag for prediction in predictions for tag in prediction.predicted]
    labels = sorted(set(gold) | set(predicted))
    table = classification_report(gold, predicted, labels=labels, output_dict=True, zero_division=0)
    rounded = {
        name: {key: int(value) if key == "support" else round(float(value), 6) for key, value in row.items()}
        for name, row in table.items()
        if isinstance(row, dict)
    }
    right = sum(one == other for one, other in zip(gold, predicted, strict=True))
    return {
        "accuracy": round(right / max(len(gold), 1), 6),
        "labels": {name: rounded[name] for name in labels},
        "macro avg": rounded["macro avg"],
        "weighted avg": rounded["weighted avg"],
    }
