import pytest

from tasks.schedules import schedule


def test_a_line_rises_and_falls() -> None:
    rate = schedule("linear", 1.0, 100, 10)
    assert rate(0) == pytest.approx(1 / 11)
    assert rate(10) == 1.0
    assert rate(55) == pytest.approx(0.5)
    assert 0 < rate(99) < 0.02
    assert schedule("linear", 1.0, 10, 0)(0) == 1.0


def test_half_a_cosine_falls_slowly_at_both_ends() -> None:
    rate = schedule("cosine", 2.0, 110, 10)
    assert rate(10) == 2.0
    assert rate(60) == pytest.approx(1.0)
    assert rate(35) == pytest.approx(1 + 0.5**0.5)
    assert rate(85) == pytest.approx(1 - 0.5**0.5)
    assert 0 < rate(109) < 0.001
    assert rate(110) == 0.0


def test_constant_stays_at_the_peak() -> None:
    rate = schedule("constant", 3.0, 100, 10)
    assert {rate(place) for place in range(10, 100)} == {3.0}


@pytest.mark.parametrize("shape", ["linear", "cosine", "constant"])
def test_all_of_them_warm_up(shape: str) -> None:
    rate = schedule(shape, 1.0, 100, 4)
    assert [rate(step) for step in range(5)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])


def test_a_place_between_two_steps_lies_between_their_rates() -> None:
    rate = schedule("linear", 1.0, 100, 10)
    assert rate(20) > rate(20.5) > rate(21)
