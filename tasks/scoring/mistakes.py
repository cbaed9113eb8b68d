"""Each mistake with what is needed to understand it: how sure the model was, what it nearly said, what train says."""

from typing import Any

from tasks.records import Example, Prediction
from tasks.scoring.cases import Case
from tasks.scoring.occurrences import Occurrences, words_of

TWINS = 3  # sentences of train that are shown with the same words


def mistake(case: Case, example: Example, prediction: Prediction, facts: Occurrences) -> dict[str, Any]:
    """What an error is about.

    ``start`` and ``end`` (words, the second after the last), ``text`` and ``train`` are of the first gold entity, or of
    the predicted one where nothing is in gold; ``gold`` and ``predicted`` list all entities of the error. ``type`` is
    null for a spurious entity, ``predicted_type`` for a missed one. ``confidence`` and ``runner_up`` are those of one
    word: among those with a wrong tag the one whose tag was least sure, where the model was nearest to being right;
    the latter is null where the predictions have no runner-up.
    """
    start, end, _ = case.place
    form = words_of(example, start, end)
    second = bool(prediction.runner_up)
    places = [*case.gold, *case.predicted]
    touched = range(min(place[0] for place in places), max(place[1] for place in places))
    wrong = [word for word in touched if prediction.gold[word] != prediction.predicted[word]]
    word = min(wrong, key=lambda index: prediction.confidence[index])
    return {
        "type": case.gold[0][2] if case.gold else None,
        "predicted_type": case.predicted[0][2] if case.predicted else None,
        "start": start,
        "end": end,
        "text": " ".join(form),
        "gold": [list(place) for place in case.gold],
        "predicted": [list(place) for place in case.predicted],
        "confidence": round(prediction.confidence[word], 6),
        "runner_up": prediction.runner_up[word] if second else None,
        "runner_up_confidence": round(prediction.runner_up_confidence[word], 6) if second else None,
        "train": facts.examples(form, TWINS),
    }
