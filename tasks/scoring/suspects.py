"""Gold that may be wrong: the model is sure of another answer, and train sides with the model against the gold."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from tasks.records import Example, Prediction
from tasks.scoring.cases import RIGHT, Case, Place
from tasks.scoring.occurrences import OUTSIDE, Occurrences, words_of


def suspects(
    cases: Sequence[Case],
    examples: Sequence[Example],
    predictions: Sequence[Prediction],
    facts: Occurrences,
    confidence: float,
) -> list[dict[str, Any]]:
    """Places of validation for an annotator, the surest first, ties in the order of the data.

    A place is listed if the least sure of its predicted tags has at least ``confidence`` and more than half of the
    occurrences of its words in train have the predicted label (``O`` where the model found nothing). Asked are the
    predicted entities of every error, and the gold one of a missed one. ``train`` counts all labels of the words there.
    """
    found = []
    for case in cases:
        if case.kind == RIGHT:
            continue
        example, prediction = examples[case.item], predictions[case.item]
        asked = [(place, place[2]) for place in case.predicted] or [(place, OUTSIDE) for place in case.gold]
        for (start, end, _), predicted in asked:
            form = words_of(example, start, end)
            labels = facts.labels.get(form, Counter())
            sure = min(prediction.confidence[start:end])
            if sure >= confidence and 2 * labels.get(predicted, 0) > sum(labels.values()):
                found.append(
                    {
                        "id": example.id,
                        "start": start,
                        "end": end,
                        "text": " ".join(form),
                        "gold": _gold(case, start, end),
                        "predicted": predicted,
                        "confidence": round(sure, 6),
                        "train": dict(sorted(labels.items())),
                    }
                )
    return sorted(found, key=lambda suspect: -suspect["confidence"])


def _gold(case: Case, start: int, end: int) -> str:
    """The type of the gold entity that shares most words with the place, OUTSIDE where there is none."""

    def shared(place: Place) -> int:
        return min(place[1], end) - max(place[0], start)

    best = max(case.gold, key=shared, default=None)
    return OUTSIDE if best is None or shared(best) <= 0 else best[2]
