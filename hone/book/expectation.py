"""Whether what was expected of a trial came true, by the interval of its paired comparison."""

from typing import Literal

from hone.book.verdicts import Verdict

Expected = Literal["held", "did not hold", "no evidence"]


def came_true(expect: float, found: Verdict) -> Expected | None:
    """An expected rise ``expect`` of the headline (a difference of metrics) against the rise that was found.

    ``held``: it rose for sure, and by at least ``expect``. Where no rise was expected (``expect`` is 0 or a loss that
    would be accepted) the whole 95 % interval must lie at or above ``expect``, as in a test of non-inferiority.
    ``did not hold``: the whole interval lies below ``expect``. ``no evidence``: neither. None where nothing is known.
    """
    if found.difference is None or found.low is None or found.high is None:
        return None
    reached = found.word == "better" and found.difference >= expect - 1e-9 if expect > 0 else found.low >= expect
    if reached:
        return "held"
    return "did not hold" if found.high < expect else "no evidence"
