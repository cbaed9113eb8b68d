"""Texts that nearly stand in train: by hand, and against all pairs."""

from hypothesis import given
from hypothesis import strategies as st

from tasks.near_duplicates import ALIKE, near_duplicates, words_of

TEXTS = st.lists(st.text(alphabet=list("abcdef  "), min_size=1, max_size=18), min_size=1, max_size=12)


def test_case_punctuation_and_order_do_not_count() -> None:
    train = ["Where is my card?", "one two three four five six seven eight nine", "我的卡在哪里啊"]
    asked = ["my card, where is", "one two three four five six seven eight ten", "one two three", "我的卡在哪里"]
    assert near_duplicates(asked, train) == ["equal", "near", "none", "near"]
    assert near_duplicates(["?!"], ["..."]) == ["none"]
    assert near_duplicates([], train) == []


@given(TEXTS, TEXTS)
def test_the_search_misses_no_pair(asked: list[str], train: list[str]) -> None:
    def kind(one: frozenset[str]) -> str:
        pairs = [(one, words_of(other)) for other in train]
        if not one or not any(len(a & b) >= ALIKE * len(a | b) - 1e-9 for a, b in pairs):
            return "none"
        return "equal" if any(a == b for a, b in pairs) else "near"

    assert near_duplicates(asked, train) == [kind(words_of(text)) for text in asked]
