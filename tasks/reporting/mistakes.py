"""The sentences that the model got wrong, with each error in them, surest mistakes first."""

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tasks.errors import UserError
from tasks.records import Example, Prediction
from tasks.reporting.naming import Naming
from tasks.reporting.wording import visible

Show = Callable[[dict[str, Any], Any], list[tuple[str, str | None]]]


@dataclass(frozen=True, slots=True)
class Run:
    """A piece of a text, which is its runs joined by spaces; with a label an item, ``right`` where both have it."""

    text: str
    label: str | None
    right: bool


@dataclass(frozen=True, slots=True)
class Twin:
    """A sentence of train that holds the same words, and the label they have there."""

    id: str
    text: str
    label: str


@dataclass(frozen=True, slots=True)
class Error:
    """One error of a sentence.

    Attributes:
        gold, predicted: labels, None where that side has no item there.
        confidence: the model's probability of what it predicted.
        runner_up: the tag that came second, with its probability; empty where the task does not say.
        slices: indices into ``Mistakes.slices``.
        twins: what train says of the same words; empty where no text may be shown.
    """

    kind: str
    gold: str | None
    predicted: str | None
    text: str
    confidence: float
    runner_up: str
    runner_up_confidence: float
    slices: tuple[int, ...]
    twins: tuple[Twin, ...]


@dataclass(frozen=True, slots=True)
class Mistake:
    """One wrong sentence. Without permission to show text, texts and runs are empty.

    Attributes:
        source: what a text was written for, of tasks that write texts; gold and predicted then hold the texts alone.
    """

    id: str
    confidence: float
    gold: tuple[Run, ...]
    predicted: tuple[Run, ...]
    errors: tuple[Error, ...]
    source: str = ""


@dataclass(frozen=True, slots=True)
class Mistakes:
    """The worst mistakes, and among how many they were chosen.

    Attributes:
        wrong: sentences with an error, of ``examples``; ``errors`` counts all errors in them.
        slices: (dimension, name) of the slices that the worst ones fall into, in order.
    """

    worst: tuple[Mistake, ...]
    wrong: int
    examples: int
    errors: int
    slices: tuple[tuple[str, str], ...]

    @property
    def kinds(self) -> list[str]:
        """The kinds of the errors that are shown."""
        return sorted({error.kind for mistake in self.worst for error in mistake.errors})

    @property
    def labels(self) -> list[str]:
        """The labels of the errors that are shown, of either side."""
        sides = [(error.gold, error.predicted) for mistake in self.worst for error in mistake.errors]
        return sorted({label for side in sides for label in side if label is not None})


def worst_mistakes(
    lines: Iterable[dict[str, Any]],
    examples: Iterable[Example],
    predictions: Iterable[Prediction],
    show: Show,
    naming: Naming,
    *,
    most: int,
    show_text: bool,
    written: bool = False,
    quoted: bool = False,
) -> Mistakes:
    """The ``most`` wrong sentences by the highest confidence of an error, ties in the order of the data.

    Args:
        lines: those of mistakes.validation.jsonl, one per error. Words, runner-up and what train says stand in them
            where the task has such things.
        examples: read side by side with their predictions, one at a time.
        predictions: those of the examples.
        show: the adapter's.
        naming: gives the names of slices.
        written: whether answers are texts, which stand beside their source.
        quoted: whether runners-up are pieces of text and no labels.

    Raises:
        UserError: the files do not belong together.
    """
    errors: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        errors.setdefault(line["id"], []).append(line)
    surest = {name: max(line["confidence"] for line in own) for name, own in errors.items()}
    chosen = heapq.nlargest(most, surest, key=lambda name: surest[name])  # equal ones stay in their order
    drawn: dict[str, tuple[tuple[Run, ...], tuple[Run, ...]]] = dict.fromkeys(chosen, ((), ()))
    sources: dict[str, str] = {}
    seen, found = 0, 0
    for example, prediction in _paired(examples, predictions):
        seen += 1
        found += example.id in errors
        if show_text and example.id in drawn:
            drawn[example.id] = (_write if written else _draw)(example, prediction, show)
            sources[example.id] = visible(" ".join(text for text, _ in show(example.inputs, []))) if written else ""
    if found != len(errors):
        raise UserError(
            f"mistakes of validation: {len(errors) - found} of {len(errors)} wrong examples are not in the prepared "
            "data; 'dvc repro --force evaluate' finds them anew"
        )
    slices = sorted({pair for name in chosen for line in errors[name] for pair in _slices(line, naming)})
    index = {pair: number for number, pair in enumerate(slices)}

    def error(line: dict[str, Any]) -> Error:
        return Error(
            kind=line["kind"],
            gold=_label(line["type"]),
            predicted=_label(line["predicted_type"]),
            text=visible(line.get("text", "")) if show_text else "",
            confidence=line["confidence"],
            runner_up=visible(line.get("runner_up", "")) if show_text or not quoted else "",
            runner_up_confidence=line.get("runner_up_confidence", 0.0),
            slices=tuple(sorted(index[pair] for pair in _slices(line, naming))),
            twins=tuple(map(_twin, line.get("train", ()))) if show_text else (),
        )

    worst = tuple(
        Mistake(
            visible(name), surest[name], *drawn[name], tuple(map(error, errors[name])), source=sources.get(name, "")
        )
        for name in chosen
    )
    return Mistakes(worst, len(errors), seen, sum(map(len, errors.values())), tuple(slices))


def _slices(line: dict[str, Any], naming: Naming) -> Iterator[tuple[str, str]]:
    for dimension, name in line["slices"].items():
        yield dimension, naming.name(dimension, name)


def _twin(own: dict[str, Any]) -> Twin:
    return Twin(visible(own["id"]), visible(own["text"]), visible(own["type"]))


def _label(label: str | None) -> str | None:
    return None if label is None else visible(label)


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


def _draw(example: Example, prediction: Prediction, show: Show) -> tuple[tuple[Run, ...], tuple[Run, ...]]:
    gold, predicted = (show(example.inputs, target) for target in (prediction.gold, prediction.predicted))
    shared = set(_places(gold)) & set(_places(predicted))
    return _runs(gold, shared), _runs(predicted, shared)


def _write(example: Example, prediction: Prediction, show: Show) -> tuple[tuple[Run, ...], tuple[Run, ...]]:
    """The references, apart by a bar, and what was written."""
    sides = [
        " | ".join(text for text, label in show(example.inputs, target) if label is not None)
        for target in (prediction.gold, prediction.predicted)
    ]
    gold, predicted = ((Run(visible(text), None, False),) for text in sides)
    return gold, predicted


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
