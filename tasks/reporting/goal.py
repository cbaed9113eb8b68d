"""How far the headline is from the goal."""

from dataclasses import dataclass

from tasks.reporting.scores import Interval


@dataclass(frozen=True, slots=True)
class Goal:
    """The figure to reach on validation."""

    metric: str
    value: float

    def verdict(self, figure: float, interval: Interval) -> str:
        """Whether ``figure`` reaches it, and whether that is sure, in words."""
        if figure >= self.value:
            sure = (
                "even at the low end of the interval" if interval.low >= self.value else "but the interval begins below"
            )
            return f"reached, {sure}"
        within = "; the interval still holds it" if interval.high >= self.value else ""
        return f"{self.value - figure:.3f} to go{within}"
