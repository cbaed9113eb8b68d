"""Words of running text, and character spans brought to tags of words."""

import re
from collections.abc import Sequence

from tasks import raw_text, tags

CharacterSpan = tuple[int, int, str]  # first character, character after the last, type

WIDE = re.compile(rf"[{raw_text.UNSPACED}\u3000-\u303f\uff00-\uffef]")


def split_words(text: str, cuts: Sequence[int] = ()) -> list[tuple[int, int]]:
    """Words of ``text`` as (first character, character after the last), in order; white space belongs to none.

    What a word is, tasks.raw_text says. So each character that is not white space is in exactly one word. Words are
    cut at each of ``cuts`` too.
    """
    words = raw_text.words(text)
    if not cuts:
        return words
    edges = set(cuts)
    answer: list[tuple[int, int]] = []
    for start, end in words:
        inside = sorted(edges.intersection(range(start + 1, end)))
        answer += zip([start, *inside], [*inside, end], strict=True)
    return answer


def tag_words(text: str, spans: Sequence[CharacterSpan]) -> tuple[list[str], list[str]]:
    """Words of ``text`` and their IOB2 tags. A word that a span's edge cuts is divided there, so entities are exact.

    Args:
        text: running text.
        spans: within the text, each with a character that is not white space, no two overlapping.
    """
    words = split_words(text, [edge for start, end, _ in spans for edge in (start, end)])
    answer = [tags.OUTSIDE] * len(words)
    entities = iter(sorted(spans))
    start, end, kind = next(entities, (len(text), len(text), ""))
    fresh = True
    for index, (first, last) in enumerate(words):
        while first >= end and end < len(text):
            start, end, kind = next(entities, (len(text), len(text), ""))
            fresh = True
        if start <= first and last <= end and kind:
            answer[index] = f"{'B' if fresh else 'I'}-{kind}"
            fresh = False
    return [text[first:last] for first, last in words], answer


def joined(words: Sequence[str]) -> str:
    """Words as running text: a space between two, but none beside a character of a script without spaces."""
    text = ""
    for word in words:
        gap = text and not WIDE.match(text[-1]) and not WIDE.match(word[:1])
        text += f" {word}" if gap else word
    return text
