"""Entities of tag sequences as arrays: found, compared and counted for millions of words at once.

All sentences are laid one after the other, so that a position counts words over all of them.

A tag is ``O``, or a prefix, ``-`` and a type (``B-PER``). A bare prefix (``B``) has the type ``_``; any other tag
without a prefix that conlleval knows (``PER``) is of the type that it spells. Two modes say what is an entity:

strict   IOB2: a ``B-`` and the ``I-`` of its type at once after it, nothing else (seqeval with ``mode="strict"``).
lenient  as conlleval.pl of CoNLL-2000 counts, and seqeval without a mode: an ``I-`` (``E-``) that follows nothing
         fitting starts an entity, ``S-`` is one, ``E-`` ends one, and equal tags without a prefix in a row are one.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Mode = Literal["strict", "lenient"]
OUTSIDE, B, I, E, S, BARE = range(6)  # noqa: E741 the prefixes' own names
PREFIXES = {"B": B, "I": I, "E": E, "S": S}


@dataclass(frozen=True)
class Words:
    """The tags of all sentences.

    Attributes:
        prefix: one of OUTSIDE to BARE, (words,).
        kind: number of the type; meaningless for OUTSIDE, (words,).
        first: whether the word begins a sentence, (words,).
    """

    prefix: NDArray[np.int8]
    kind: Ints
    first: NDArray[np.bool_]


@dataclass(frozen=True)
class Spans:
    """Entities in the order of the text; those of one side never overlap.

    Attributes:
        start: position of the first word, (m,).
        end: position after the last word, (m,).
        kind: number of the type, (m,).
    """

    start: Ints
    end: Ints
    kind: Ints

    def __len__(self) -> int:
        return len(self.start)


def starts_of(sequences: Sequence[Sequence[str]]) -> Ints:
    """Position of the first word of each sentence, and at the end the number of all words, (n + 1,)."""
    return np.concatenate([[0], np.cumsum([len(tags) for tags in sequences], dtype=np.int64)]).astype(np.int64)


def encode(sequences: Sequence[Sequence[str]], kinds: dict[str, int]) -> Words:
    """The tags as numbers; types that ``kinds`` lacks are added to it with the next number."""
    tags = list(itertools.chain.from_iterable(sequences))
    known = {tag: index for index, tag in enumerate(dict.fromkeys(tags))}
    prefixes, types = np.zeros(len(known), np.int8), np.zeros(len(known), np.int64)
    for tag, index in known.items():
        prefixes[index], name = _parse(tag)
        types[index] = kinds.setdefault(name, len(kinds))
    codes = np.fromiter(map(known.__getitem__, tags), np.int64, len(tags))
    first = np.zeros(len(tags) + 1, np.bool_)
    first[starts_of(sequences)] = True
    return Words(prefixes[codes], types[codes], first[:-1])


def _parse(tag: str) -> tuple[int, str]:
    if tag in PREFIXES:
        return PREFIXES[tag], "_"
    if tag in ("", "O") or tag.startswith("O-"):
        return OUTSIDE, "_"
    letter, dash, name = tag.partition("-")
    return (PREFIXES[letter], name or "_") if dash and letter in PREFIXES else (BARE, tag)


def find(words: Words, mode: Mode) -> Spans:
    """The entities of the sequences."""
    prefix, kind = words.prefix, words.kind
    before = np.concatenate([[OUTSIDE], prefix[:-1]]).astype(np.int8)[: len(prefix)]
    same = ~words.first
    same[1:] &= kind[1:] == kind[:-1]
    if mode == "strict":
        on = (prefix == I) & same & ((before == B) | (before == I))
        starting = prefix == B
    else:
        inner = ((prefix == I) | (prefix == E)) & ((before == B) | (before == I))
        on = same & (inner | ((prefix == BARE) & (before == BARE)))
        starting = (prefix != OUTSIDE) & ~on
    edges = np.flatnonzero(~on)
    begins = np.flatnonzero(starting[edges])
    ends = np.concatenate([edges, [len(prefix)]])[begins + 1]
    return Spans(edges[begins], ends, kind[edges[begins]])


def same_spans(gold: Spans, predicted: Spans, *, words: int, typed: bool = True) -> tuple[Ints, Ints]:
    """Indexes (gold, predicted) of the pairs with equal first and last word, and equal type where ``typed``.

    Args:
        words: number of all words.
    """
    at = np.full(words, -1, np.int64)
    at[gold.start] = np.arange(len(gold))
    other = at[predicted.start]
    pairs = np.flatnonzero(other >= 0)
    other = other[pairs]
    equal = gold.end[other] == predicted.end[pairs]
    if typed:
        equal &= gold.kind[other] == predicted.kind[pairs]
    return other[equal], pairs[equal]


def align(gold: Spans, predicted: Spans, *, words: int) -> tuple[Ints, Ints]:
    """Indexes (gold, predicted) of the pairs that belong together; each entity is in one pair at most.

    Equal spans first, whatever their type. Of the others, those that share most words, then those whose edges are
    nearest, then of one type, then in the order of the text.
    """
    sure_gold, sure_predicted = same_spans(gold, predicted, words=words, typed=False)
    free = [np.setdiff1d(np.arange(len(gold)), sure_gold), np.setdiff1d(np.arange(len(predicted)), sure_predicted)]
    covers = []
    for spans, left in zip((gold, predicted), free, strict=True):
        cover = np.full(words, -1, np.int64)
        sizes = spans.end[left] - spans.start[left]
        steps = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        cover[np.repeat(spans.start[left], sizes) + steps] = np.repeat(left, sizes)
        covers.append(cover)
    both = (covers[0] >= 0) & (covers[1] >= 0)
    pairs, shared = np.unique(np.stack([covers[0][both], covers[1][both]], 1), axis=0, return_counts=True)
    one, other = pairs[:, 0], pairs[:, 1]
    apart = abs(gold.start[one] - predicted.start[other]) + abs(gold.end[one] - predicted.end[other])
    order = np.lexsort((other, one, gold.kind[one] != predicted.kind[other], apart, -shared))
    used: tuple[set[int], set[int]] = (set(), set())
    chosen = []
    for index, g, p in zip(order.tolist(), one[order].tolist(), other[order].tolist(), strict=True):
        if g not in used[0] and p not in used[1]:
            used[0].add(g)
            used[1].add(p)
            chosen.append(index)
    return np.concatenate([sure_gold, one[chosen]]), np.concatenate([sure_predicted, other[chosen]])
