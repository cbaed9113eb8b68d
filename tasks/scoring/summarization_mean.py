"""Scores of summaries whose headline is the mean over the references of a text (``summarization.references: mean``)."""

from collections.abc import Iterable, Sequence
from typing import Any

from tasks.records import Example, Prediction
from tasks.scoring import summarization
from tasks.scoring.measures import Measure, counted, mean
from tasks.scoring.summarization import Floats, at_place, best_place, confidences, confusion, figures
from tasks.scoring.wholes import token_table

__all__ = ["ANALYSIS", "HEADLINE", "baselines", "confidences", "confusion", "score", "token_table"]


def score(predictions: Sequence[Prediction]) -> dict[str, Any]:
    """All figures of tasks/scoring/summarization.py; ``mode`` says which of them is the headline."""
    return {**summarization.score(predictions), "mode": "mean of the references"}


def counts(predictions: Sequence[Prediction]) -> Floats:
    """Mean ROUGE-L of each text over its references and 1 for it, (n, 2)."""
    return counted(figures(predictions)[1][:, 2])


def nearness(one: Prediction) -> float:
    """Mean ROUGE-L of one text over its references."""
    return float(figures([one])[1][0, 2])


def baselines(train: Iterable[Example], examples: Iterable[Example]) -> dict[str, list[Prediction]]:
    """The first sentence of each text, and the one at the place that is best on train."""
    every = list(examples)
    return {"lead": at_place(every, 0), "place": at_place(every, best_place(train, HEADLINE))}


HEADLINE = Measure("rouge_l_mean", counts, mean)
ANALYSIS = summarization.analysis(HEADLINE, nearness)
