"""How far it is, and how sure that is."""

from pathlib import Path

import pytest

from tasks.errors import UserError
from tasks.reporting.goal import Goal, read_goal
from tasks.reporting.scores import Interval

METRICS = Path(__file__).parent / "fixtures/run/metrics.validation.json"


@pytest.mark.parametrize(
    ("figure", "interval", "said"),
    [
        (0.60, Interval(0.50, 0.70), "0.150 to go"),
        (0.70, Interval(0.60, 0.80), "0.050 to go; the interval still holds it"),
        (0.76, Interval(0.70, 0.82), "reached, but the interval begins below"),
        (0.80, Interval(0.75, 0.85), "reached, even at the low end of the interval"),
        (0.75, None, "reached"),
        (0.60, None, "0.150 to go"),
    ],
)
def test_verdict(figure: float, interval: Interval | None, said: str) -> None:
    assert Goal("entity_f1", 0.75, figure, interval, headline=True).verdict == said


def test_any_figure_of_the_metrics_can_be_the_goal() -> None:
    assert read_goal(METRICS, "entity_f1", 0.75, "entity_f1") == Goal(
        "entity_f1", 0.75, 0.592593, Interval(0.442593, 0.742593), headline=True
    )
    nested = read_goal(METRICS, "per_type.LOC.f1", 0.5, "entity_f1")
    assert (nested.figure, nested.interval, nested.headline) == (0.444444, Interval(0.244444, 0.644444), False)
    assert read_goal(METRICS, "entity_recall", 0.5, "entity_f1").interval is None


@pytest.mark.parametrize("metric", ["no_such", "per_type.XYZ.f1", "per_type", "scheme", "entity_f1.f1"])
def test_a_goal_that_nothing_measures_is_refused(metric: str) -> None:
    with pytest.raises(UserError, match=r"goal\.metric: '.*' is no figure of .*metrics\.validation\.json"):
        read_goal(METRICS, metric, 0.5, "entity_f1")
