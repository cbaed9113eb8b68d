"""BLEU and chrF as measures over texts that were written; how they are counted stands in tasks/scoring/selection.py."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tasks.records import Prediction
from tasks.scoring import selection
from tasks.scoring.measures import Measure
from tasks.scoring.selection import ORDER


def bleu(*, lowercase: bool) -> Measure:
    """BLEU between 0 and 1, from counts (n, 10); ``lowercase`` takes upper and lower case alike."""

    def counts(predictions: Sequence[Prediction]) -> NDArray[np.float64]:
        rows = selection.bleu_counts(*_sides(predictions), lowercase=lowercase)
        return np.array(rows, np.float64).reshape(-1, 10)

    return Measure("bleu", counts, selection.bleu_of)


def chrf(*, lowercase: bool) -> Measure:
    """chrF between 0 and 1, from counts (n, 3 ORDER); ``lowercase`` takes upper and lower case alike."""

    def counts(predictions: Sequence[Prediction]) -> NDArray[np.float64]:
        rows = selection.chrf_counts(*_sides(predictions), lowercase=lowercase)
        return np.array(rows, np.float64).reshape(-1, 3 * ORDER)

    return Measure("chrf", counts, selection.chrf_of)


def _sides(predictions: Sequence[Prediction]) -> tuple[list[Sequence[str]], list[Sequence[str]]]:
    return [one.gold for one in predictions], [one.predicted for one in predictions]
