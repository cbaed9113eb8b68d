"""The slices of a dialogue's history, for every task that answers one."""

from collections.abc import Sequence

from tasks.scoring.wholes import binned


def slices(turns: Sequence[dict[str, str]]) -> dict[str, str]:
    """How many turns there were before the response, and how long they are."""
    words = sum(len(turn["text"].split()) for turn in turns)
    return {
        "turn": binned(
            len(turns) + 1,
            (0, 3, 5, 9, 13),
            ("2nd or before", "3rd or 4th", "5th to 8th", "9th to 12th", "13th or later"),
        ),
        "history length": binned(
            words, (0, 10, 30, 60, 120), ("under 10 words", "10 to 29", "30 to 59", "60 to 119", "120 or more")
        ),
    }
