"""What a program without a model would score on the same sentences, so that the model's figure means something.

The tag that most words have is O, and saying O everywhere finds nothing: F1 0. So the two here are:

majority    each word gets the tag that it most often has in train, O if it never occurs there (the unigram baseline)
dictionary  the entities of train are looked up, the longest first from left to right, each with the type that it most
            often has there (the baseline of CoNLL-2003, but for ambiguous entities, which are not left out here)
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from tasks.tags import from_spans, spans

Tagged = tuple[Sequence[str], Sequence[str]]  # words and their IOB2 tags


class Baselines:
    """Both baselines, learned in one pass over the sentences of train."""

    def __init__(self, train: Iterable[Tagged]) -> None:
        tags: defaultdict[str, Counter[str]] = defaultdict(Counter)
        types: defaultdict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
        for words, target in train:
            for word, tag in zip(words, target, strict=True):
                tags[word][tag] += 1
            for start, end, label in spans(target):
                types[tuple(words[start:end])][label] += 1
        self._tags = {word: _most_frequent(seen) for word, seen in tags.items()}
        self._types = {form: _most_frequent(seen) for form, seen in types.items()}
        self._longest: dict[str, int] = {}
        for form in self._types:
            self._longest[form[0]] = max(self._longest.get(form[0], 0), len(form))

    def majority(self, words: Sequence[str]) -> list[str]:
        """The most frequent tag of each word; an I- that follows nothing fitting starts an entity and becomes B-."""
        tags = [self._tags.get(word, "O") for word in words]
        return from_spans(spans(tags), len(tags)) if any(tag != "O" for tag in tags) else tags

    def dictionary(self, words: Sequence[str]) -> list[str]:
        """The entities of train that occur, capitals and all."""
        found, start = [], 0
        while start < len(words):
            step = 1
            for length in range(min(self._longest.get(words[start], 0), len(words) - start), 0, -1):
                label = self._types.get(tuple(words[start : start + length]))
                if label is not None:
                    found.append((start, start + length, label))
                    step = length
                    break
            start += step
        return from_spans(found, len(words))


def _most_frequent(seen: Counter[str]) -> str:
    """The first by the alphabet among equals."""
    return min(seen, key=lambda name: (-seen[name], name))
