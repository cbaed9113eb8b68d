"""The sentences that the model got wrong, surest mistakes first."""

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tasks.errors import UserError
from tasks.records import Example, Prediction
from tasks.reporting.wording import visible

Show = Callable[[dict[str, Any], Any], list[tuple[str, str | None]]]


@dataclass(frozen=True, slots=True)
class Run:
    """A piece of a text, which is its runs joined by spaces; with a label an item, ``right`` where both have it."""

    text: str
    label: str | None
    right: bool


@dataclass(frozen=True, slots=True)
class WrongPart:
    """One part (a word) whose prediction is not the gold, with the model's probability of its prediction."""

    text: str
    gold: str
    predicted: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Mistake:
    """One wrong example. Without permission to show text, the texts and parts are empty."""

    id: str
    confidence: float
    wrong: int
    gold: tuple[Run, ...]
    predicted: tuple[Run, ...]
    parts: tuple[WrongPart, ...]


@dataclass(frozen=True, slots=True)
class Mistakes:
    """The worst mistakes, and among how many wrong examples of how many they were chosen."""

    worst: tuple[Mistake, ...]
    wrong: int
    examples: int


def worst_mistakes(
    examples: Iterable[Example], predictions: Iterable[Prediction], show: Show, *, most: int, show_text: bool
) -> Mistakes:
    """The ``most`` wrong examples by the highest confidence of a wrong part, ties in the order of the data.

    Examples are read side by side with their predictions, one at a time; only the worst are kept.

    Raises:
        UserError: the predictions are not those of the examples.
    """
    seen = wrong = 0

    def found() -> Iterator[tuple[float, int, Example, Prediction]]:
        nonlocal seen, wrong
        for example, prediction in _paired(examples, predictions):
            seen += 1
            surest = max((prediction.confidence[index] for index in _wrong(prediction)), default=None)
            if surest is not None:
                wrong += 1
                yield surest, -seen, example, prediction

    entries = found()
    worst = heapq.nlargest(most, entries, key=lambda entry: entry[:2])
    for _ in entries:  # nlargest(0) leaves them unread and so uncounted
        pass
    drawn = tuple(
        _draw(example, prediction, show, surest, show_text=show_text) for surest, _, example, prediction in worst
    )
    return Mistakes(drawn, wrong, seen)


def _paired(examples: Iterable[Example], predictions: Iterable[Prediction]) -> Iterator[tuple[Example, Prediction]]:
    rest = iter(predictions)
    for example in examples:
        prediction = next(rest, None)
        if prediction is None or prediction.id != example.id:
            raise UserError(_unlike(example.id, prediction))
        yield example, prediction
    surplus = next(rest, None)
    if surplus is not None:
        raise UserError(_unlike(None, surplus))


def _unlike(example: str | None, prediction: Prediction | None) -> str:
    return (
        f"predictions of validation: {prediction.id if prediction else 'nothing'} where the prepared data has "
        f"{example or 'nothing'}; 'dvc repro --force evaluate' predicts anew"
    )


def _parts(target: Any) -> list[Any]:
    """The parts that a target answers: one per word where it is a list, else the whole."""
    return target if isinstance(target, list) else [target]


def _wrong(prediction: Prediction) -> list[int]:
    gold, predicted = _parts(prediction.gold), _parts(prediction.predicted)
    if not len(gold) == len(predicted) == len(prediction.confidence):
        raise UserError(
            f"prediction of {prediction.id}: {len(gold)} gold parts, {len(predicted)} predicted and "
            f"{len(prediction.confidence)} confidences; 'dvc repro --force evaluate' predicts anew"
        )
    return [index for index, part in enumerate(gold) if part != predicted[index]]


def _draw(example: Example, prediction: Prediction, show: Show, surest: float, *, show_text: bool) -> Mistake:
    wrong = _wrong(prediction)
    if not show_text:
        return Mistake(visible(example.id), surest, len(wrong), (), (), ())
    gold, predicted = (show(example.inputs, target) for target in (prediction.gold, prediction.predicted))
    shared = set(_places(gold)) & set(_places(predicted))
    texts = example.inputs.get("words") if isinstance(prediction.gold, list) else None
    parts = tuple(
        WrongPart(
            visible(texts[index]) if texts else f"part {index + 1}",
            visible(str(_parts(prediction.gold)[index])),
            visible(str(_parts(prediction.predicted)[index])),
            prediction.confidence[index],
        )
        for index in wrong
    )
    return Mistake(visible(example.id), surest, len(wrong), _runs(gold, shared), _runs(predicted, shared), parts)


def _places(runs: list[tuple[str, str | None]]) -> Iterator[tuple[int, int, str | None]]:
    """Where each run stands in the text, which is the runs joined by spaces."""
    start = 0
    for text, label in runs:
        yield start, start + len(text), label
        start += len(text) + 1


def _runs(runs: list[tuple[str, str | None]], shared: set[tuple[int, int, str | None]]) -> tuple[Run, ...]:
    return tuple(
        Run(visible(text), label and visible(label), place in shared)
        for (text, label), place in zip(runs, _places(runs), strict=True)
    )
