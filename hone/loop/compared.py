"""Two systems over several seeds each, on validation, by the rule of `tasks.scoring.paired`."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from flows.trials import Outcome
from hone.loop.target import Counts, Target
from tasks.errors import UserError
from tasks.scoring.paired import Comparison, compare


def compared(
    target: Target, before: Sequence[Outcome], after: Sequence[Outcome], *, relevant: float, resamples: int
) -> Comparison | None:
    """The comparison of the seeds of one system with those of another; None where a side has no finished trial.

    Raises:
        UserError: predictions are lost, or the trials have different validation data.
    """
    sides = [[one for one in side if one.rev] for side in (before, after)]
    if not all(sides):
        return None
    counted = [[_counts(target, one) for one in side] for side in sides]
    first = counted[0][0][1]
    for side in counted:
        for _, groups in side:
            if not np.array_equal(groups, first):
                raise UserError(
                    "the trials have different validation data, so their figures cannot be compared; name files in "
                    "splits.validation, for what is cut from train depends on the seed"
                )
    old, new = ([counts for counts, _ in side] for side in counted)
    return compare(old, new, first, target.measure.figure, relevant=relevant, resamples=resamples)


def _counts(target: Target, outcome: Outcome) -> tuple[Counts, NDArray[np.int64]]:
    found = target.counts(outcome.rev or "")
    if found is None:
        raise UserError(
            f"{outcome.name}: its predictions are neither in DVC's cache nor in its remote; 'dvc exp remove "
            f"{outcome.name}' and run this again, or 'dvc pull' them where they are"
        )
    return found
