"""The analysis of tasks whose answers are texts: no text is right as a whole, but some have a fault with a name.

What a kind of fault or a slice costs is judged by the other texts: the headline, if the faulty texts of it were as good
as those without fault are on average, each at the length of its own reference. Gold in their place would promise what
no model reaches.
"""

import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.records import Example, Prediction
from tasks.scoring.cases import RIGHT, Analysis, Case
from tasks.scoring.measures import Measure
from tasks.scoring.selection import IDEOGRAPHS

Floats = NDArray[np.float64]

EMPTY, REPEATS = "nothing written", "repeats itself"
NUMBER_LOST, NUMBER_INVENTED = "number lost", "number invented"
TOO_SHORT, TOO_LONG, FAR = "too short", "too long", "far from the references"
FAULTS = (EMPTY, REPEATS, NUMBER_LOST, NUMBER_INVENTED, TOO_SHORT, TOO_LONG, FAR)
SHORT, LONG = 0.6, 1.6  # of the length of the nearest reference, in words
RUN = 3  # words that, written twice where no reference has them twice, are a repetition
TYPE = "text"  # the type of every case

WORD = re.compile(r"\d+(?:[.,:]\d+)*|\w+(?:['’-]\w+)*")
NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")


def words(text: str) -> list[str]:
    """Words and numbers without punctuation, lower case; Chinese characters and kana one by one."""
    return WORD.findall(IDEOGRAPHS.sub(r" \g<0> ", text.lower()))


def fault_of(
    measure: Callable[[Prediction], float], far: float, without: Sequence[str] = ()
) -> Callable[[Prediction], str]:
    """``(prediction) -> kind``: the first of FAULTS that a text has, or RIGHT.

    Args:
        measure: how near a text comes to its references, between 0 and 1.
        far: below which it counts as far from them.
        without: faults that are none in this task.
    """

    def kind(one: Prediction) -> str:
        text, wanted = one.predicted[0], [words(reference) for reference in one.gold]
        own = words(text)
        numbers, known = set(NUMBER.findall(text)), [set(NUMBER.findall(reference)) for reference in one.gold]
        nearest = min(map(len, wanted), key=lambda length: abs(length - len(own)))
        found = {
            EMPTY: not text.strip(),
            REPEATS: repeats(own) and not any(map(repeats, wanted)),
            NUMBER_LOST: bool(set.intersection(*known) - numbers),
            NUMBER_INVENTED: bool(numbers - set.union(*known)),
            TOO_SHORT: len(own) < SHORT * nearest,
            TOO_LONG: len(own) > LONG * nearest,
        }
        first = next((name for name in FAULTS if found.get(name) and name not in without), None)
        return first or (FAR if measure(one) < far else RIGHT)

    return kind


def repeats(own: Sequence[str]) -> bool:
    """Whether a word stands twice in a row, or a run of RUN words in two places."""
    if any(one == other for one, other in itertools.pairwise(own)):
        return True
    runs = [tuple(own[at : at + RUN]) for at in range(len(own) - RUN + 1)]
    return len(set(runs)) < len(runs)


def by_fault(
    measure: Measure,
    kind_of: Callable[[Prediction], str],
    slices: Callable[[Case, Example, Any], Mapping[str, str]],
    near: Callable[[Prediction], float],
) -> Analysis:
    """One case per text, of the kind of its fault.

    The first predicted place of a case has the text that was written as its label.

    Args:
        measure: the headline.
        kind_of: one of FAULTS, or RIGHT.
        slices: as in Analysis.
        near: how near a text comes to its references, which is shown with a mistake.
    """

    def cases(predictions: Sequence[Prediction]) -> list[Case]:
        counts = measure.counts(predictions)
        kinds = [kind_of(one) for one in predictions]
        mended = as_good_as_the_rest(measure, predictions, counts, [kind == RIGHT for kind in kinds])
        return [
            Case(
                item,
                kind,
                ((0, 0, TYPE),),
                ((0, 0, predictions[item].predicted[0]),),
                tuple(counts[item].tolist()),
                tuple(mended[item].tolist()),
            )
            for item, kind in enumerate(kinds)
        ]

    def mistake(case: Case, _example: Example, prediction: Prediction, _facts: Any) -> dict[str, Any]:
        return {
            "type": case.type,
            "predicted_type": case.type,
            "confidence": round(prediction.confidence[0], 6),
            "nearness": round(near(prediction), 6),
        }

    def facts(_train: Iterable[Example], _examples: Sequence[Example], _cases: Sequence[Case]) -> None:
        return None

    return Analysis(
        kinds=FAULTS,
        cases=cases,
        facts=facts,
        slices=slices,
        mistake=mistake,
        suspects=lambda _cases, _examples, _predictions, _facts, _confidence: [],
        variants=None,
        variation=lambda _originals, _before, _variants, _after: None,
    )


def as_good_as_the_rest(
    measure: Measure, predictions: Sequence[Prediction], counts: Floats, right: Sequence[bool]
) -> Floats:
    """The counts (n, K) that the texts would have if the faulty ones were as good as the others.

    Every count of a faulty text is what gold in its place would have, times the share of it that the texts without
    fault reach together. Without such texts it is that of gold.
    """
    gold = measure.counts([_as_gold(one) for one in predictions])
    chosen = np.array(right, dtype=bool)
    reached, possible = counts[chosen].sum(axis=0), gold[chosen].sum(axis=0)
    share = np.divide(reached, possible, out=np.ones_like(reached), where=possible > 0)
    result: Floats = np.where(chosen[:, None], counts, gold * share)
    return result


def _as_gold(one: Prediction) -> Prediction:
    return Prediction(one.id, one.gold, [one.gold[0]], [1.0], one.document)


def no_confidences(_predictions: Sequence[Prediction]) -> tuple[Floats, NDArray[np.bool_]]:
    """Nothing: a text is neither right nor wrong, so that no confidence can be held against it."""
    return np.zeros(0), np.zeros(0, np.bool_)


def no_confusion(_predictions: Sequence[Prediction]) -> list[tuple[str, str]]:
    """Nothing: a text is not taken for another."""
    return []
