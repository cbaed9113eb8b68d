"""The analysis of tasks whose examples are right or wrong as a whole, with kinds of errors of the task's own."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from tasks.records import Example, Prediction
from tasks.scoring.cases import Analysis, Case, whole
from tasks.scoring.measures import Measure


def by_kind(
    measure: Measure,
    kinds: tuple[str, ...],
    kind_of: Callable[[Prediction], str],
    label: Callable[[Any], str],
) -> Analysis:
    """One case per prediction, as tasks.scoring.cases.whole has them, of the kind that ``kind_of`` says.

    Args:
        kinds: every kind of error.
        kind_of: the kind of error of a prediction, or RIGHT.
        label: what a target, gold or predicted, is called; the type of the case is that of gold.
    """
    plain = whole(measure)

    def cases(predictions: Sequence[Prediction]) -> list[Case]:
        return [
            replace(
                case,
                kind=kind_of(one),
                gold=((0, 0, label(one.gold)),),
                predicted=((0, 0, label(one.predicted)),),
            )
            for case, one in zip(plain.cases(predictions), predictions, strict=True)
        ]

    def mistake(case: Case, example: Example, prediction: Prediction, facts: Any) -> dict[str, Any]:
        second = zip(prediction.runner_up[:1], prediction.runner_up_confidence[:1], strict=True)
        return {
            **plain.mistake(case, example, prediction, facts),
            **{key: value for name, sure in second for key, value in _runner_up(name, sure).items()},
        }

    return replace(plain, kinds=kinds, cases=cases, mistake=mistake)


def _runner_up(name: str, sure: float) -> dict[str, Any]:
    return {"runner_up": name, "runner_up_confidence": round(sure, 6)}


def token_table(_predictions: Sequence[Prediction]) -> None:
    """None: there is nothing smaller than the whole to be counted."""


def label_of(target: str | Sequence[str]) -> str:
    """A label, or a set of labels as one; ``none`` for the empty set."""
    return target if isinstance(target, str) else ", ".join(target) or "none"


def binned(value: int, starts: tuple[int, ...], names: tuple[str, ...]) -> str:
    """The name of the bin that ``value`` falls into; a bin goes from its start to before the next one's."""
    return names[bisect_right(starts, value) - 1]
