"""Raw text to sentences and words, by one rule for training texts with character spans and for texts to predict.

The rule knows no language. Each character but white space is in exactly one sentence and in exactly one word.

Sentences end at a blank line, at one of ``. ! ? …`` and their like in other scripts, with the quotes and brackets that
close behind it. Where it is doubtful they go on, since a sentence too long costs a little context and one cut in two
costs an entity: without white space after the mark (but in scripts that write none), before a small letter, and for a
full stop after an initial (``J. Ito``), after letters with full stops (``the U.S. team``), after a short number that
may be an ordinal (``am 3. Mai``) and after the titles of ``TITLES``.

Words are runs of letters, digits and the marks on them; what stands between two of them without white space, as in
``Rolls-Royce``, ``AT&T``, ``O'Brien``, ``3.5``, ``21:15`` or ``example.com``, joins them. A full stop belongs to a word
as in ``U.S.`` and ``Mr. Ito``, never to the last word of a sentence. English endings (``Ann | 's``) are words, each
Han, Kana or Thai character is one, and so is every other mark, or a run of the same one.
"""

import functools
import re
import sys
import unicodedata

Span = tuple[int, int]  # first character, character after the last

TITLES = re.compile(
    r"adm|al|approx|av|ave|brig|bros|capt|cf|cie|cmdr|co|col|corp|cpl|dept|dr|dra|ed|esq|"
    r"fig|fr|gen|gov|hon|hr|inc|insp|jr|lt|ltd|maj|messrs|mgr|mlle|mme|mr|mrs|ms|mt|mts|"
    r"no|nr|op|pfc|pp|prof|pte|rep|reps|rev|sen|sgt|sr|sra|st|ste|str|supt|univ|usw|vol|vs",
    re.I,
)
STOPS = ".!?…‼⁇⁈⁉؟۔।॥։።؛"
WIDE_STOPS = "。！？｡︕︖"  # of scripts that write no white space
CLOSING = "\"'”’»›)]}」』】》〉）］”’"
# Thai, Lao, Tibetan, Burmese, Khmer; kana and Bopomofo; Chinese characters. Korean has spaces.
UNSPACED = (
    "\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u312f\u31a0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
END = re.compile(rf"\n[^\S\n]*\n\s*|[{STOPS}{WIDE_STOPS}]+[{re.escape(CLOSING)}]*(?:[ \u00a0\u202f]»(?!\S))?")


def sentences(text: str) -> list[Span]:
    """The sentences of ``text`` in order, without the white space around them."""
    found: list[Span] = []
    start = 0
    for match in END.finditer(text):
        if _ends(text, start, match):
            found += _trimmed(text, start, match.end())
            start = match.end()
    return [*found, *_trimmed(text, start, len(text))]


def words(text: str) -> list[Span]:
    """The words of ``text`` in order."""
    return [word for start, end in sentences(text) for word in words_of_sentence(text, start, end)]


def words_of_sentence(text: str, start: int, end: int) -> list[Span]:
    """The words of the sentence ``text[start:end]``, as characters of ``text``."""
    found = [match.span() for match in _pattern().finditer(text, start, end)]
    last = max((index for index, (first, _) in enumerate(found) if text[first].isalnum()), default=0)
    joined: list[Span] = []
    for index, (first, after) in enumerate(found):
        stands = index < last and text[first:after] == "." and after < end and text[after].isspace()
        if stands and joined and joined[-1][1] == first and text[first - 1].isalnum():
            joined[-1] = (joined[-1][0], after)  # "Mr." of "Mr. Ito"
        else:
            joined.append((first, after))
    return joined


def _ends(text: str, start: int, match: re.Match[str]) -> bool:
    """Whether a sentence that began at ``start`` ends with what was found."""
    mark = match[0]
    if mark[0] == "\n" or mark[0] in WIDE_STOPS or match.end() == len(text):
        return True
    if not text[match.end()].isspace():
        return False
    following = re.compile(r"\s*[^\w\s]*").match(text, match.end())
    after = text[following.end() : following.end() + 1] if following else ""
    if after.islower():
        return False
    if mark[0] != "." or mark[:2] == "..":
        return True
    word = _word_before(text, start, match.start())
    doubtful = (
        (len(word) == 1 and word.isalpha() and word != "I")
        or ("." in word and not any(map(str.isdigit, word)))
        or (len(word) <= 2 and word.isdigit() and not after.isdigit())
        or TITLES.fullmatch(word) is not None
    )
    return not doubtful


def _word_before(text: str, start: int, end: int) -> str:
    """The letters, digits and full stops before ``end``; at most 20, as no title is longer."""
    begin = end
    while begin > max(start, end - 20) and (text[begin - 1].isalnum() or text[begin - 1] == "."):
        begin -= 1
    return text[begin:end]


def _trimmed(text: str, start: int, end: int) -> list[Span]:
    inside = text[start:end]
    left, right = len(inside) - len(inside.lstrip()), len(inside.rstrip())
    return [(start + left, start + right)] if right else []


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
    run = rf"[^\W{UNSPACED}](?:[^\W{UNSPACED}]++|[{inside}\u200c\u200d]++)*+"
    letters = r"(?<!\w)[^\W\d_]\.(?:[^\W\d_]\.)+(?![^\W\d_])"  # U.S.
    ending = r"['’](?:[sS]|re|ve|ll|[dmt]|RE|VE|LL|[DMT])\b"
    joint = rf"(?:[-‐‑/&@·+]|(?!{ending})['’]|(?<=\d)[.,:](?=\d)|\.(?=[a-z0-9]))(?=[^\W{UNSPACED}])"
    return re.compile(
        rf"(?:{letters}|{run})(?:{joint}(?:{letters}|{run}))*|(?<=\w){ending}|(?<!\S){ending}|"
        rf"[{UNSPACED}][{inside}]*|([^\w\s])\1+|\S[{inside}]*"
    )
