"""Texts that nearly stand in train as well: a figure on them says what was memorized, not what was learned.

Two texts are near duplicates where the sets of their words (in lower case, without punctuation) have a Jaccard
similarity of at least ALIKE. The search is exact: a pair that is so alike shares one of the rarest words of either, so
only these are looked up (prefix filtering, Chaudhuri et al. 2006). Memory grows with the questions, not with train.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

ALIKE = 0.8  # Jaccard similarity; of texts of nine words, one is another
WORDS = re.compile(r"\w+")
IDEOGRAPH = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")

EQUAL, NEAR, NONE = "equal", "near", "none"


def near_duplicates(texts: Sequence[str], train: Iterable[str]) -> list[str]:
    """For each text EQUAL, where train has one with the same words, NEAR, or NONE. Reads train once."""
    asked = [words_of(text) for text in texts]
    often = Counter(word for words in asked for word in words)
    index: defaultdict[str, list[int]] = defaultdict(list)
    for number, words in enumerate(asked):
        for word in _rarest(words, often):
            index[word].append(number)
    found = [NONE] * len(asked)
    for text in train:
        words = words_of(text)
        for number in {number for word in _rarest(words, often) for number in index.get(word, ())}:
            if found[number] == EQUAL:
                continue
            shared = len(words & asked[number])
            if shared >= ALIKE * (len(words) + len(asked[number]) - shared) - 1e-9:
                found[number] = EQUAL if words == asked[number] else NEAR
    return found


def words_of(text: str) -> frozenset[str]:
    """The words of a text in lower case; each Chinese character or kana is one."""
    return frozenset(WORDS.findall(IDEOGRAPH.sub(r" \g<0> ", text.lower())))


def _rarest(words: frozenset[str], often: Counter[str]) -> list[str]:
    """As many of the rarest words that a text without them cannot be alike."""
    keep = len(words) - math.ceil(ALIKE * len(words) - 1e-9) + 1 if words else 0
    return sorted(words, key=lambda word: (often[word], word))[:keep]
