"""The counts of a split, and the balance of its gold."""

from collections import Counter

import pytest

from tasks import summary
from tasks.errors import Defect, UserError
from tasks.records import Example


def tally(lengths: list[int]) -> summary.Tally:
    found = summary.Tally()
    for line, length in enumerate(lengths, start=1):
        found.add(Example(f"x:{line}", f"d{line % 2}", {"words": ["a"] * length}, []), Counter(PER=1))
    return found


def test_counts_and_lengths() -> None:
    found = tally([3, 1, 9, 4])
    found.raw = 6
    found.refuse(Defect("no words", "x:9", "it is empty", "mend it", 2))
    found.balance("train")
    assert found.summary() == {
        "documents": 2,
        "entities": {"PER": 4},
        "gold": {"raw": 6, "refused": 2, "written": 4},
        "lengths": {"median": 3, "90th": 9, "maximum": 9},
        "refused": [{"place": "x:9", "kind": "no words", "message": "it is empty", "entities": 2}],
        "repairs": {},
        "sentences": 4,
        "words": 17,
    }


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [([], 0.5, 0), ([7], 0.9, 7), ([1, 2, 3, 4], 0.5, 2), (list(range(1, 101)), 0.9, 90), ([5, 5, 5, 9], 0.75, 5)],
)
def test_quantiles_are_nearest_ranks(values: list[int], share: float, expected: int) -> None:
    assert summary.quantile(Counter(values), share) == expected


@pytest.mark.parametrize("raw", [0, 3, 5])
def test_gold_that_is_lost_or_made_up_stops(raw: int) -> None:
    found = tally([1, 1, 1, 1])
    found.raw = raw
    with pytest.raises(UserError, match=f"^test: {raw} gold entities are in the raw files, but 4 were written and 0"):
        found.balance("test")


def test_words_of_any_inputs() -> None:
    assert summary.count_words({"words": ["New York", "b"], "text": "a  b c", "number": 7}) == 5


def test_the_line_says_what_was_lost() -> None:
    found = tally([1000, 500])
    assert summary.line("test", found, False, "sentences", "entities") == "test: 2 sentences, 1,500 words, 2 entities"
    found.repairs["I- became B-"] = 3
    found.refuse(Defect("no words", "x:9", "it is empty", "mend it", 2))
    assert summary.line("test", found, True, "sentences", "entities") == (
        "test (cut from train): 2 sentences, 1,500 words, 2 entities, 3 tags repaired, 1 rows refused with 2 entities"
    )
