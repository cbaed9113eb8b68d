"""Entity scores of tag sequences, with seqeval as the reference scorer."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.records import Prediction
from tasks.scoring import errors, invariance, mistakes, occurrences, slices, suspects
from tasks.scoring.cases import Analysis
from tasks.scoring.measures import Measure, f1
from tasks.scoring.selection import strict_spans

NAMES = {"precision": "entity_precision", "recall": "entity_recall", "f1-score": "entity_f1"}


def score(predictions: Sequence[Prediction]) -> dict[str, Any]:
    """Entity precision, recall and F1: strict IOB2 (the headline) and lenient as conlleval counts, per type.

    Strict: an entity is a B- and the I- of its type after it. Lenient: an I- that follows nothing fitting starts an
    entity too, as in conlleval and in seqeval's default mode.

    Args:
        predictions: gold and predicted hold one IOB2 tag per word.

    Returns:
        Figures between 0 and 1, rounded to six decimals, and counts; 0 where there is nothing to count.
    """
    from seqeval.metrics import classification_report
    from seqeval.scheme import IOB2

    gold = [prediction.gold for prediction in predictions]
    predicted = [prediction.predicted for prediction in predictions]
    scores: dict[str, Any] = {
        "mode": "strict",
        "scheme": "IOB2",
        "sentences": len(predictions),
        "words": sum(map(len, gold)),
    }
    empty = not any(tag != "O" for tags in (*gold, *predicted) for tag in tags)
    for suffix, mode in (("", {"mode": "strict", "scheme": IOB2}), ("_lenient", {})):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # seqeval warns of types without gold or predictions; they score 0
            table = {} if empty else classification_report(gold, predicted, output_dict=True, zero_division=0, **mode)
        micro = table.get("micro avg", dict.fromkeys(NAMES, 0.0))
        for theirs, ours in NAMES.items():
            scores[ours + suffix] = round(float(micro[theirs]), 6)
        if not suffix:
            types = sorted(name for name in table if not name.endswith(" avg"))
            scores["per_type"] = {
                name: {
                    "f1": round(float(table[name]["f1-score"]), 6),
                    "precision": round(float(table[name]["precision"]), 6),
                    "recall": round(float(table[name]["recall"]), 6),
                    "support": int(table[name]["support"]),
                }
                for name in types
            }
    scores["gold_entities"] = sum(entry["support"] for entry in scores["per_type"].values())
    scores["predicted_entities"] = sum(tag.startswith("B-") for tags in predicted for tag in tags)
    return scores


def strict_counts(predictions: Sequence[Prediction]) -> NDArray[np.float64]:
    """Entities of each prediction that are right, predicted and gold, by strict IOB2, shape (n, 3)."""
    counts = np.zeros((len(predictions), 3))
    for row, prediction in zip(counts, predictions, strict=True):
        gold, predicted = strict_spans(prediction.gold), strict_spans(prediction.predicted)
        row[:] = len(gold & predicted), len(predicted), len(gold)
    return counts


def type_counts(predictions: Sequence[Prediction]) -> dict[str, NDArray[np.float64]]:
    """`strict_counts` of each entity type, with which the same figure gives that of the type."""
    tables: dict[str, NDArray[np.float64]] = {}
    for item, prediction in enumerate(predictions):
        gold, predicted = strict_spans(prediction.gold), strict_spans(prediction.predicted)
        for column, spans in enumerate((gold & predicted, predicted, gold)):
            for span in spans:
                tables.setdefault(span[2], np.zeros((len(predictions), 3)))[item, column] += 1
    return tables


HEADLINE = Measure("entity_f1", strict_counts, f1)
ANALYSIS = Analysis(
    kinds=errors.KINDS,
    cases=errors.cases,
    facts=occurrences.occurrences,
    slices=slices.slices,
    mistake=mistakes.mistake,
    suspects=suspects.suspects,
    variants=invariance.swapped,
    variation=invariance.variation,
)
