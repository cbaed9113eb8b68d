"""Scores of summaries: ROUGE-1, ROUGE-2 and ROUGE-L (the headline), as the rouge-score package has them."""

import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.records import Example, Prediction
from tasks.scoring import intervals
from tasks.scoring.cases import Analysis, Case
from tasks.scoring.figures import bounded
from tasks.scoring.measures import Measure, counted, mean
from tasks.scoring.selection import rouge
from tasks.scoring.wholes import binned, token_table
from tasks.scoring.written import (
    NUMBER_INVENTED,
    NUMBER_LOST,
    by_fault,
    fault_of,
    no_confidences,
    no_confusion,
    repeats,
    words,
)

__all__ = ["ANALYSIS", "HEADLINE", "baselines", "confidences", "confusion", "score", "token_table"]

Floats = NDArray[np.float64]

NAMES = ("rouge_1", "rouge_2", "rouge_l")
PLACES = (0, 1, 2, 3, -1, -2, -3)  # of a sentence, that are tried for a baseline
SEEN = 300  # texts of train by which one of them is chosen
FAR = 0.15  # ROUGE-L of a text below which it counts as far from its references
SENTENCE = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])|\n+")
NEW = ("under a tenth new", "a tenth to 3 tenths", "3 to 6 tenths", "6 tenths or more")


def score(predictions: Sequence[Prediction]) -> dict[str, Any]:
    """ROUGE between 0 and 1 with 95 % intervals, rounded to six decimals.

    Each figure is the mean over the texts of F1 against the reference that a text comes nearest to by that figure, and,
    as ``_mean``, of the mean F1 over its references.

    Args:
        predictions: gold is a list of references, predicted a list of one text.
    """
    groups = intervals.group_ids(predictions)
    best, averaged = figures(predictions)
    scores: dict[str, Any] = {}
    for rows, ending in ((best, ""), (averaged, "_mean")):
        for column, name in enumerate(NAMES):
            scores |= bounded(counted(rows[:, column]), groups, {name + ending: mean})
    return {
        **scores,
        "gold_entities": sum(len(one.gold) for one in predictions),
        "mean_words": round(sum(len(words(one.predicted[0])) for one in predictions) / max(len(predictions), 1), 2),
        "mode": "best of the references",
        "per_type": {},
        "predicted_entities": len(predictions),
        "repeating_texts": sum(repeats(words(one.predicted[0])) for one in predictions),
        "scheme": "texts",
        "sentences": len(predictions),
    }


def figures(predictions: Sequence[Prediction]) -> tuple[Floats, Floats]:
    """ROUGE-1, ROUGE-2 and ROUGE-L of each text: the best of its references, and their mean, both (n, 3)."""
    tables = rouge([one.gold for one in predictions], [one.predicted for one in predictions])
    best = np.array([np.max(table, axis=0) for table in tables], np.float64).reshape(-1, 3)
    return best, np.array([np.mean(table, axis=0) for table in tables], np.float64).reshape(-1, 3)


def counts(predictions: Sequence[Prediction]) -> Floats:
    """ROUGE-L of each text and 1 for it, (n, 2)."""
    return counted(figures(predictions)[0][:, 2])


def baselines(train: Iterable[Example], examples: Iterable[Example]) -> dict[str, list[Prediction]]:
    """The first sentence of each text, and the one at the place that is best on train."""
    every = list(examples)
    return {"lead": at_place(every, 0), "place": at_place(every, best_place(train, HEADLINE))}


def best_place(train: Iterable[Example], measure: Measure) -> int:
    """The place of the sentence with the best ``measure`` on the first SEEN texts of train; below 0 from the end."""
    seen = list(itertools.islice(train, SEEN))
    return max(PLACES, key=lambda place: measure.of(at_place(seen, place)))


def at_place(examples: Iterable[Example], place: int) -> list[Prediction]:
    """The sentence of each text at a place, or the one nearest to it."""
    found = []
    for one in examples:
        parts = sentences(one.inputs["text"])
        at = max(min(place, len(parts) - 1), -len(parts))
        found.append(Prediction(one.id, one.target, [parts[at]], [1.0], one.document))
    return found


def sentences(text: str) -> list[str]:
    """The sentences of a text: its lines where it has some, else what ends with a full stop or the like."""
    parts = text.split("\n") if "\n" in text else SENTENCE.split(text)
    return [part.strip() for part in parts if part.strip()] or [text]


def nearness(one: Prediction) -> float:
    """ROUGE-L of one text."""
    return float(figures([one])[0][0, 2])


def novelty(text: str, source: str) -> float:
    """Share of the pairs of neighbouring words of a text that the source does not have (See et al. 2017); 0 to 1."""
    own, theirs = words(text), words(source)
    pairs, known = list(itertools.pairwise(own)), set(itertools.pairwise(theirs))
    return sum(pair not in known for pair in pairs) / max(len(pairs), 1)


def analysis(measure: Measure, near: Callable[[Prediction], float]) -> Analysis:
    """Faults and slices; what they cost is judged by ``measure``, what is far from the references by ``near``."""
    kind_of = fault_of(near, FAR, without=(NUMBER_LOST, NUMBER_INVENTED))
    return by_fault(measure, kind_of, _slices, near)


def _slices(case: Case, example: Example, _facts: None) -> dict[str, str]:
    """Length, how much of the reference and of the summary is new, and repetition."""
    source, text = example.inputs["text"], case.predicted[0][2]
    own = words(text)
    found = {
        "source length": binned(
            len(words(source)), (0, 101, 151, 201, 301), ("up to 100", "101 to 150", "151 to 200", "201 to 300", "more")
        ),
        "novelty of the reference": _new(example.target[0], source),
        "novelty of the summary": _new(text, source),
        "repetition": "repeats itself" if repeats(own) else "none",
    }
    if example.document is not None:
        found["document"] = example.document
    return found


def _new(text: str, source: str) -> str:
    return binned(round(100 * novelty(text, source)), (0, 10, 30, 60), NEW)


HEADLINE = Measure("rouge_l", counts, mean)
ANALYSIS = analysis(HEADLINE, nearness)
confidences, confusion = no_confidences, no_confusion
