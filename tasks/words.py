"""Words of running text, and character spans brought to tags of words."""

import functools
import re
import sys
import unicodedata
from collections.abc import Sequence

from tasks import tags

CharacterSpan = tuple[int, int, str]  # first character, character after the last, type


# Thai, Lao, Tibetan, Burmese, Khmer; kana and Bopomofo; Chinese characters. Korean has spaces.
UNSPACED = (
    "\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u312f\u31a0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
WIDE = re.compile(rf"[{UNSPACED}\u3000-\u303f\uff00-\uffef]")


def split_words(text: str, cuts: Sequence[int] = ()) -> list[tuple[int, int]]:
    """Words of ``text`` as (first character, character after the last), in order; white space belongs to none.

    A word is a run of letters, digits, underscores and the marks and joiners on them, or one other character with its
    marks. In scripts that set no spaces between words (UNSPACED) each character is a word. So each character that is
    not white space is in exactly one word. Words are cut at each of ``cuts`` too.
    """
    words = [match.span() for match in _pattern().finditer(text)]
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


@functools.cache
def _pattern() -> re.Pattern[str]:
    """Python's ``\\w`` knows no combining marks, of which Indic scripts are full, and no joiners."""
    marks: list[list[int]] = []
    for code in range(0x300, sys.maxunicode + 1):
        if unicodedata.category(chr(code))[0] == "M":
            if marks and marks[-1][1] == code - 1:
                marks[-1][1] = code
            else:
                marks.append([code, code])
    inside = "".join(f"{chr(first)}-{chr(last)}" for first, last in marks)
    letter = rf"(?![{UNSPACED}])\w"
    return re.compile(rf"{letter}(?:{letter}|[{inside}\u200c\u200d])*|\S[{inside}]*")
