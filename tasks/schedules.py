"""The learning rate over a run: it rises linearly, then follows a line, half a cosine, or stays."""

import math
from collections.abc import Callable
from typing import Literal

Shape = Literal["linear", "cosine", "constant"]


def schedule(shape: Shape, peak: float, steps: int, warmup: int) -> Callable[[float], float]:
    """Learning rate at a place of the run, 0 (the first step) up to ``steps``.

    Args:
        shape: what follows the warm-up: linear and cosine (Loshchilov and Hutter 2017, without restarts) fall to 0
            at ``steps``, constant stays at the peak.
        peak: the highest rate, reached after the warm-up.
        steps: optimizer steps of the whole run.
        warmup: steps in which the rate rises from 0.
    """

    def rate(place: float) -> float:
        if place < warmup:
            return peak * (place + 1) / (warmup + 1)
        left = max(0.0, (steps - place) / max(1, steps - warmup))
        if shape == "linear":
            return peak * left
        if shape == "cosine":
            return peak * (1 - math.cos(math.pi * left)) / 2
        return peak

    return rate
