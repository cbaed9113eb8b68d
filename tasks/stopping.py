"""When a run ends before its last epoch: no gain on validation any more, or a budget of steps or minutes is spent."""

import time
from collections.abc import Callable, Sequence


def epochs_without_gain(figures: Sequence[float], minimum_gain: float) -> int:
    """How many of the last epochs brought no gain.

    Args:
        figures: of validation by epoch, higher is better.
        minimum_gain: a gain is more than this above the last one that counted, so that many small ones add up.
    """
    standard, without = float("-inf"), 0
    for figure in figures:
        without += 1
        if figure > standard + minimum_gain:
            standard, without = figure, 0
    return without


class Budget:
    """What a run may spend.

    Args:
        steps: optimizer steps.
        minutes: of training and validation, over all processes that worked on the run; 0 sets no limit.
        seconds: spent by processes before this one.
        now: a clock in seconds.
    """

    def __init__(
        self, steps: int, minutes: float, *, seconds: float = 0.0, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.steps = steps
        self._limit = 60 * minutes
        self._now = now
        self._started = now() - seconds

    @property
    def seconds(self) -> float:
        """Spent so far."""
        return self._now() - self._started

    def spent(self, step: int) -> bool:
        """Whether the run ends after ``step`` steps."""
        return step >= self.steps or (self._limit > 0 and self.seconds >= self._limit)

    def place(self, step: int) -> float:
        """Where the learning rate's schedule is: at the step, or further on where time passes faster than steps.

        So the rate has fallen to its end whichever budget ends the run (Li et al. 2020, Budgeted Training). Without
        a limit of time the step itself, which no clock can change.
        """
        if self._limit == 0:
            return step
        return max(step, min(1.0, self.seconds / self._limit) * self.steps)
