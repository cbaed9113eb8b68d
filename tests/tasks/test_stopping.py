import pytest

from tasks.stopping import Budget, epochs_without_gain


@pytest.mark.parametrize(
    ("figures", "minimum", "expected"),
    [
        ([], 0.0, 0),
        ([0.0], 0.0, 0),
        ([0.5, 0.5], 0.0, 1),  # an equal is no gain
        ([0.5, 0.4, 0.45, 0.49], 0.0, 3),
        ([0.5, 0.4, 0.6], 0.0, 0),
        ([0.5, 0.505, 0.509], 0.01, 2),
        ([0.5, 0.505, 0.511], 0.01, 0),  # small gains add up
        ([0.5, 0.505, 0.511, 0.515], 0.01, 1),
    ],
)
def test_epochs_without_gain(figures: list[float], minimum: float, expected: int) -> None:
    assert epochs_without_gain(figures, minimum) == expected


class Clock:
    """A clock that stands until it is set."""

    seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def test_steps_are_a_budget_that_no_clock_touches() -> None:
    clock = Clock()
    budget = Budget(10, 0.0, now=clock)
    clock.seconds += 1e9
    assert not budget.spent(9)
    assert budget.spent(10)
    assert budget.place(7) == 7


def test_minutes_count_over_all_processes() -> None:
    clock = Clock()
    budget = Budget(100, 2.0, seconds=50.0, now=clock)
    assert budget.seconds == 50.0
    clock.seconds += 69
    assert not budget.spent(5)
    clock.seconds += 1
    assert budget.spent(5)
    assert budget.seconds == 120.0


def test_the_schedule_follows_what_ends_first() -> None:
    clock = Clock()
    budget = Budget(100, 2.0, now=clock)
    clock.seconds += 60
    assert budget.place(20) == 50.0
    assert budget.place(70) == 70
    clock.seconds += 600
    assert budget.place(20) == 100.0
