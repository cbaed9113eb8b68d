"""How far it is, and how sure that is."""

import pytest

from tasks.reporting.goal import Goal
from tasks.reporting.scores import Interval


@pytest.mark.parametrize(
    ("value", "low", "high", "said"),
    [
        (0.60, 0.50, 0.70, "0.150 to go"),
        (0.70, 0.60, 0.80, "0.050 to go; the interval still holds it"),
        (0.76, 0.70, 0.82, "reached, but the interval begins below"),
        (0.80, 0.75, 0.85, "reached, even at the low end of the interval"),
        (0.75, 0.70, 0.80, "reached, but the interval begins below"),
    ],
)
def test_verdict(value: float, low: float, high: float, said: str) -> None:
    assert Goal("entity_f1", 0.75).verdict(value, Interval(low, high)) == said
