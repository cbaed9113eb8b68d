"""The predictions of validation looked into: what to work on next, every mistake, and gold that may be wrong."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks.errors import UserError
from tasks.records import Example, Prediction
from tasks.scoring.cases import RIGHT, Analysis
from tasks.scoring.focus import focus
from tasks.scoring.measures import Measure


@dataclass(frozen=True)
class Findings:
    """JSON-able: ``focus`` as tasks/scoring/focus.py has it, with ``invariance``; an object per mistake and suspect."""

    focus: dict[str, Any]
    mistakes: list[dict[str, Any]]
    suspects: list[dict[str, Any]]


def analyse(
    analysis: Analysis,
    measure: Measure,
    examples: Sequence[Example],
    predictions: Sequence[Prediction],
    train: Iterable[Example],
    predict: Callable[[Iterator[Example]], Iterable[Prediction]],
    *,
    seed: int,
    variants: int,
    confidence: float,
) -> Findings:
    """Look into the predictions of validation.

    Args:
        analysis: what the task knows of its mistakes.
        measure: its headline.
        examples: those of validation.
        predictions: theirs, in the same order.
        train: the examples of train, read once.
        predict: the model, for the variants and, under the same conditions, for their originals.
        seed: decides which examples are varied and how.
        variants: at most this many examples are varied; 0 varies none.
        confidence: from which on a prediction makes gold suspect.

    Raises:
        UserError: the cases do not add up to the counts of the headline, which is a defect of the scorer.
    """
    cases = analysis.cases(predictions)
    counts = measure.counts(predictions).sum(axis=0)
    if cases and not np.allclose(np.array([case.counts for case in cases]).sum(axis=0), counts):
        raise UserError(
            f"{measure.name}: right and wrong cases do not add up to its counts {counts.tolist()}; this is a defect of "
            "the scorer, please report it with the data"
        )
    facts = analysis.facts(train, examples, cases)
    slices = [analysis.slices(case, examples[case.item], facts) for case in cases]
    found = focus(measure, cases, slices, analysis.kinds)
    found["invariance"] = None
    if analysis.variants is not None and variants > 0:
        originals, varied = analysis.variants(examples, facts, seed, variants)
        before, after = list(predict(iter(originals))), list(predict(iter(varied)))
        found["invariance"] = analysis.variation(originals, before, varied, after)
    mistakes = [
        {
            "id": examples[case.item].id,
            "document": examples[case.item].document,
            "kind": case.kind,
            **analysis.mistake(case, examples[case.item], predictions[case.item], facts),
            "slices": dict(names),
        }
        for case, names in zip(cases, slices, strict=True)
        if case.kind != RIGHT
    ]
    return Findings(found, mistakes, analysis.suspects(cases, examples, predictions, facts, confidence))
