"""Text to words: nothing but white space is left out, and spans become exact entities."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import tags
from tasks.words import CharacterSpan, joined, split_words, tag_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Angela Merkel visited Toyota.", ["Angela", "Merkel", "visited", "Toyota", "."]),
        ("U.S.-based  don't", ["U.S.-based", "don", "'t"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("I ❤️ it_2", ["I", "❤️", "it_2"]),
        ("e\u0301te\u0301", ["e\u0301te\u0301"]),
        (" \n", []),
        ("王小明在IBM公司，2024年", ["王", "小", "明", "在", "IBM", "公", "司", "，", "2024", "年"]),
        ("東京タワー", ["東", "京", "タ", "ワ", "ー"]),
        ("서울 시청", ["서울", "시청"]),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert [text[start:end] for start, end in split_words(text)] == words


@given(text=st.text(max_size=40), cuts=st.lists(st.integers(0, 40)))
def test_each_character_is_white_space_or_in_one_word(text: str, cuts: list[int]) -> None:
    words = split_words(text, cuts)
    covered = [index for start, end in words for index in range(start, end)]
    assert covered == sorted(set(covered))
    assert [index for index, character in enumerate(text) if not character.isspace()] == covered
    assert not any(start < cut < end for cut in cuts for start, end in words)


@st.composite
def spans(draw: st.DrawFn) -> tuple[str, list[CharacterSpan]]:
    """A text, and spans that do not overlap and begin and end with something else than white space."""
    text = draw(st.text(alphabet="ab1 .-é\n", min_size=1, max_size=30))
    edges = draw(st.lists(st.integers(0, len(text)), unique=True, max_size=8).map(sorted))
    pairs = zip(edges[::2], edges[1::2], strict=False)
    return text, [(start, end, "XY"[start % 2]) for start, end in pairs if text[start:end].strip() == text[start:end]]


@given(example=spans())
def test_entities_are_exactly_the_spans(example: tuple[str, list[CharacterSpan]]) -> None:
    text, given_spans = example
    words, answer = tag_words(text, given_spans)
    places = split_words(text, [edge for start, end, _ in given_spans for edge in (start, end)])
    assert words == [text[start:end] for start, end in places]
    found = [(places[first][0], places[after - 1][1], kind) for first, after, kind in tags.spans(answer)]
    assert found == given_spans


def test_neighbouring_spans_within_one_word() -> None:
    assert tag_words("Toyota-Werk2", [(0, 6, "ORG"), (7, 11, "X"), (11, 12, "X")]) == (
        ["Toyota", "-", "Werk", "2"],
        ["B-ORG", "O", "B-X", "B-X"],
    )


def test_entities_of_a_text_without_spaces_are_characters() -> None:
    text = "王小明在IBM公司"
    words, answer = tag_words(text, [(0, 3, "PER"), (4, 9, "ORG")])
    assert "".join(words) == text
    assert answer == ["B-PER", "I-PER", "I-PER", "O", "B-ORG", "I-ORG", "I-ORG"]
    assert words == [text[start:end] for start, end in split_words(text)]  # gold decides on no edge


def test_words_are_joined_as_running_text_has_them() -> None:
    assert joined(["王", "小", "明", "在", "IBM", "公", "司", "。"]) == "王小明在IBM公司。"
    assert joined(["Angela", "Merkel", ","]) == "Angela Merkel ,"
    assert joined([]) == ""
