"""Figures and texts as a person reads them."""

import pytest

from tasks.reporting.wording import confidence, count, percent, several, visible


@pytest.mark.parametrize(
    ("value", "written"), [(0.5, "0.50"), (0.9949, "0.99"), (0.995, "> 0.99"), (0.999999, "> 0.99"), (1.0, "1.00")]
)
def test_confidence_is_never_rounded_up_to_certainty(value: float, written: str) -> None:
    assert confidence(value) == written


def test_numbers_with_their_nouns() -> None:
    assert count(2394) == "2,394"
    assert count(1, "word") == "1 word"
    assert count(0, "word") == "0 words"
    assert count(2, "entity", "entities") == "2 entities"
    assert percent(1, 3) == "33\u00a0%"
    assert percent(0, 0) == "-"
    assert [several(list("abc"[:n])) for n in (1, 2, 3)] == ["a", "a and b", "a, b and c"]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("plain", "plain"),
        ("Zürich 東京", "Zürich 東京"),
        ("\x07", "‹U+0007›"),
        ("a\nb\x85", "a‹U+000A›b‹U+0085›"),
        ("\ud800", "‹U+D800›"),
        ("\u202egnp", "‹U+202E›gnp"),
        ("\u200b\ufeff", "‹U+200B›‹U+FEFF›"),
        ("👩\u200d🔧", "👩\u200d🔧"),
        ("می\u200cخواهم", "می\u200cخواهم"),
    ],
)
def test_what_a_page_cannot_show_is_shown_by_its_code_point(text: str, written: str) -> None:
    assert visible(text) == written
    visible(text).encode()
