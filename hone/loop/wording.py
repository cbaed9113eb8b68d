"""A comparison in words, the same wherever one is shown."""

from tasks.scoring.paired import Comparison

VERDICTS = {
    "better": "Better:",
    "worse": "Worse:",
    "no evidence": "No evidence of a difference:",
    "too few data": "Too few data to tell:",
}


def verdict(one: Comparison) -> str:
    """The verdict with the difference, its interval and p-value, as the beginning of a sentence."""
    p = f"{one.p:.4f}" if one.p >= 0.001 else "< 0.001"
    return f"{VERDICTS[one.verdict]} {span(one)}, p {p};"


def span(one: Comparison) -> str:
    """The difference and its 95 % interval."""
    return f"{one.difference:+.4f} ({one.low:+.4f} to {one.high:+.4f})"
