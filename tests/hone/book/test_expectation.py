"""Whether an expectation came true, by the interval and not by the point."""

import pytest

from hone.book.expectation import came_true
from hone.book.verdicts import UNKNOWN, Verdict


@pytest.mark.parametrize(
    ("expect", "found", "answer"),
    [
        (0.005, Verdict("better", 0.010, 0.002, 0.018), "held"),
        (0.020, Verdict("better", 0.010, 0.002, 0.018), "did not hold"),  # it rose, and surely by less
        (0.015, Verdict("better", 0.010, 0.002, 0.018), "no evidence"),  # it rose, perhaps by enough
        (0.005, Verdict("no evidence", 0.010, -0.002, 0.022), "no evidence"),  # by enough, perhaps by luck
        (0.005, Verdict("worse", -0.020, -0.030, -0.010), "did not hold"),
        (0.005, Verdict("same", 0.0, 0.0, 0.0), "did not hold"),
        (0.0, Verdict("same", 0.0, 0.0, 0.0), "held"),
        (-0.005, Verdict("no evidence", -0.001, -0.004, 0.002), "held"),  # surely no more than was accepted
        (-0.005, Verdict("too few data", -0.001, -0.020, 0.018), "no evidence"),
        (-0.005, Verdict("worse", -0.020, -0.030, -0.010), "did not hold"),
        (0.005, UNKNOWN, None),
        (0.005, Verdict("other data"), None),
    ],
)
def test_the_interval_decides(expect, found, answer):
    assert came_true(expect, found) == answer
