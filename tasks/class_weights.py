"""How much each class counts in the loss, so that rare labels are not drowned by O."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from tasks.adapters import Encoded
from tasks.encoding import IGNORED

Rule = Literal["none", "balanced", "square_root"]


def class_weights(rule: Rule, windows: Sequence[Encoded], classes: int) -> list[float] | None:
    """Weight of each class, or None where all count alike.

    balanced: n / (classes that occur * occurrences of the class), so that every class has the same share of the loss
    (King and Zeng 2001). square_root: the roots of those weights, which lift rare classes less (the smoothing of
    Mahajan et al. 2018). A class that does not occur has weight 0, which no loss ever meets.

    Args:
        windows: of train; their labels are counted.
        classes: number of classes.
    """
    if rule == "none":
        return None
    counts = Counter(label for window in windows for label in window.labels if label != IGNORED)
    total = sum(counts.values())
    power = 1.0 if rule == "balanced" else 0.5
    return [
        math.pow(total / (len(counts) * counts[index]), power) if counts[index] else 0.0 for index in range(classes)
    ]


def weight_of(windows: Sequence[Encoded], weights: Sequence[float] | None) -> float:
    """What the labelled words of the windows weigh together, by which their summed loss is divided; above 0."""
    if weights is None:
        return max(1, sum(len(window.parts) for window in windows))
    return sum(weights[label] for window in windows for label in window.labels if label != IGNORED) or 1.0
