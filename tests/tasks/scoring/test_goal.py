"""The distance to the goal, in figures and words."""

from typing import Any

from tasks.params import Goal
from tasks.scoring.goal import Figure, distance, figure, words

FOCUS: dict[str, Any] = {
    "headline": {"name": "entity_f1", "value": 0.6, "split": "validation"},
    "entries": [
        {"dimension": "type", "name": "PER", "errors": 30, "figure": 0.8, "figure_if_right": 0.75, "gain": 0.15},
        {"dimension": "kind", "name": "missed", "errors": 20, "figure": None, "figure_if_right": 0.7, "gain": 0.1},
        {"dimension": "type", "name": "ORG", "errors": 9, "figure": 0.4, "figure_if_right": 0.65, "gain": 0.05},
    ],
}
METRICS = {"entity_f1": 0.6, "entity_f1_low": 0.55, "entity_f1_high": 0.66, "per_type": {"ORG": {"f1": 0.4}}}


def goal(metric: str = "headline", value: float = 0.7, part: str = "") -> Goal:
    return Goal(metric=metric, value=value, slice=part, budget_hours=0.0)


def test_the_figure_is_the_headline_a_named_metric_or_a_slice() -> None:
    assert figure(goal(), METRICS, FOCUS, "entity_f1") == Figure("entity_f1", 0.6, 0.55, 0.66)
    assert figure(goal("per_type.ORG.f1"), METRICS, None, "entity_f1") == Figure("per_type.ORG.f1", 0.4)
    assert figure(goal(part="type: ORG"), METRICS, FOCUS, "entity_f1") == Figure("entity_f1 of type: ORG", 0.4)
    assert figure(goal(part="type: DOG"), METRICS, FOCUS, "entity_f1") is None
    assert figure(goal("per_type"), METRICS, FOCUS, "entity_f1") is None


def test_the_end_of_a_run_says_distance_and_shortest_way() -> None:
    assert words(goal(), METRICS, FOCUS, "entity_f1") == [
        ("goal", "entity_f1 0.6000 (0.5500 to 0.6600) of 0.7000, 0.1000 to go"),
        ("shortest way", "kind: missed, 20 errors, +0.1000 if these were right"),  # PER does better than the whole
    ]


def test_a_goal_that_is_reached_asks_for_nothing_more() -> None:
    ((_, said),) = words(goal(value=0.58), METRICS, FOCUS, "entity_f1")
    assert said.endswith("of 0.5800, reached; the interval still reaches below")
    assert distance(goal(value=0.5), Figure("f", 0.6, 0.55, 0.66)).endswith("reached")
    assert distance(goal(value=0.5), Figure("f", 0.6)).endswith("reached")


def test_no_goal_says_nothing_and_an_unknown_one_names_itself() -> None:
    assert words(goal(value=0), METRICS, FOCUS, "entity_f1") == []
    ((_, said),) = words(goal("per_type.DOG.f1"), METRICS, FOCUS, "entity_f1")
    assert "per_type.DOG.f1 is not in validation" in said
