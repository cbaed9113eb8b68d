"""How varied texts are: distinct-n (Li et al. 2016), the share of the runs of n words that are different ones.

It falls as texts become more, whoever writes them, and a set drawn with replacement holds fewer different runs than its
original. So the bootstrap would be wrong about it, and the interval comes from leaving out one document at a time (the
jackknife), whose variance is too large rather than too small (Efron and Stein 1981).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tasks.scoring.written import words

NORMAL = 1.959964  # quantile of the normal distribution for 95 %


def distinct(texts: Sequence[str], order: int, groups: NDArray[np.int64]) -> tuple[float, float, float]:
    """Distinct-n between 0 and 1 of all texts together, and its 95 % interval.

    Args:
        order: words of a run.
        groups: number of each text's document, from 0, (n,).

    Returns:
        The figure, its lower and its upper bound; all 0 where no text has a run, and the bounds are the figure where
        there is one document.
    """
    homes: dict[tuple[str, ...], int] = {}  # the document that alone has a run, -1 where several have it
    runs: dict[int, int] = {}
    for text, group in zip(texts, groups.tolist(), strict=True):
        own = words(text)
        found = [tuple(own[at : at + order]) for at in range(len(own) - order + 1)]
        runs[group] = runs.get(group, 0) + len(found)
        for run in found:
            if homes.setdefault(run, group) != group:
                homes[run] = -1
    total = sum(runs.values())
    if not total:
        return 0.0, 0.0, 0.0
    figure = len(homes) / total
    alone = dict.fromkeys(runs, 0)
    for home in homes.values():
        if home >= 0:
            alone[home] += 1
    without = np.array([(len(homes) - alone[one]) / (total - runs[one]) for one in runs if total > runs[one]])
    if len(without) < 2:
        return figure, figure, figure
    spread = NORMAL * float(np.sqrt((len(without) - 1) / len(without) * ((without - without.mean()) ** 2).sum()))
    return figure, max(figure - spread, 0.0), min(figure + spread, 1.0)
