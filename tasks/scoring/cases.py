"""What is right and what is wrong, case by case: the form in which every task hands its mistakes to focus.

A scorer module has, beside ``HEADLINE`` and ``score``, a value ``ANALYSIS`` of the type below. What is written over it
(what-if figures, tables, files) serves every task and knows nothing of entities.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tasks.records import Example, Prediction
from tasks.scoring.measures import Measure

RIGHT = "right"
WRONG = "wrong"

Place = tuple[int, int, str]  # first word, word after the last, type; (0, 0, label) where a text is meant as a whole


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that a prediction got right or wrong as a whole.

    Attributes:
        item: index of its prediction.
        kind: the kind of error, or RIGHT.
        gold: the gold places it is about; empty where there is nothing in gold.
        predicted: the predicted ones; empty where nothing was predicted.
        counts: its share of its prediction's row in ``Measure.counts``, length K; the shares of all cases of a
            prediction sum to that row.
        if_right: what this share would be if the prediction agreed with gold here, length K.
    """

    item: int
    kind: str
    gold: tuple[Place, ...]
    predicted: tuple[Place, ...]
    counts: tuple[float, ...]
    if_right: tuple[float, ...]

    @property
    def place(self) -> Place:
        """Where it is shown and by which it is sliced: its first gold place, else its first predicted one."""
        return (self.gold or self.predicted)[0]

    @property
    def type(self) -> str:
        """The type of `place`."""
        return self.place[2]


@dataclass(frozen=True)
class Analysis:
    """What a task knows of its mistakes.

    Attributes:
        kinds: every kind of error, in the order of tables.
        cases: ``(predictions) -> cases``, those of each prediction together and in its order.
        facts: ``(train, validation, cases) -> facts``: what train says of the things that the cases are about. Reads
            train once, bounded in memory by what the cases need.
        slices: ``(case, example, facts) -> {dimension: name}``.
        mistake: ``(case, example, prediction, facts) -> object``: what a person needs to understand an error.
        suspects: ``(cases, examples, predictions, facts, confidence) -> objects``: gold that may be wrong.
        variants: ``(examples, facts, seed, most) -> (originals, variants)`` of the same length, at most ``most``:
            examples and what they become when something changes that should not matter; None where there is no such
            thing.
        variation: ``(originals, their predictions, variants, their predictions) -> object``: how many answers changed.
    """

    kinds: tuple[str, ...]
    cases: Callable[[Sequence[Prediction]], list[Case]]
    facts: Callable[[Iterable[Example], Sequence[Example], Sequence[Case]], Any]
    slices: Callable[[Case, Example, Any], Mapping[str, str]]
    mistake: Callable[[Case, Example, Prediction, Any], dict[str, Any]]
    suspects: Callable[[Sequence[Case], Sequence[Example], Sequence[Prediction], Any, float], list[dict[str, Any]]]
    variants: Callable[[Sequence[Example], Any, int, int], tuple[list[Example], list[Example]]] | None
    variation: Callable[[Sequence[Example], Sequence[Prediction], Sequence[Example], Sequence[Prediction]], Any]


def whole(measure: Measure) -> Analysis:
    """The analysis of a task whose examples are right or wrong as a whole, such as a class of a text.

    One case per prediction, of kind ``wrong`` unless prediction and gold are equal; its type is the gold label. It
    serves every measure, as gold fed back as prediction gives the counts of being right.
    """

    def cases(predictions: Sequence[Prediction]) -> list[Case]:
        counts = measure.counts(predictions).tolist()
        if_right = measure.counts([_corrected(prediction) for prediction in predictions]).tolist()
        return [
            Case(
                item,
                RIGHT if prediction.predicted == prediction.gold else WRONG,
                ((0, 0, str(prediction.gold)),),
                ((0, 0, str(prediction.predicted)),),
                tuple(counts[item]),
                tuple(if_right[item]),
            )
            for item, prediction in enumerate(predictions)
        ]

    def slices(_case: Case, example: Example, _facts: None) -> dict[str, str]:
        return {} if example.document is None else {"document": example.document}

    def mistake(case: Case, _example: Example, prediction: Prediction, _facts: None) -> dict[str, Any]:
        return {"type": case.type, "predicted_type": case.predicted[0][2], "confidence": min(prediction.confidence)}

    return Analysis(
        kinds=(WRONG,),
        cases=cases,
        facts=lambda _train, _examples, _cases: None,
        slices=slices,
        mistake=mistake,
        suspects=lambda _cases, _examples, _predictions, _facts, _confidence: [],
        variants=None,
        variation=lambda _originals, _before, _variants, _after: None,
    )


def _corrected(prediction: Prediction) -> Prediction:
    return replace(prediction, predicted=prediction.gold)
