import itertools
import warnings
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.scheme import IOB2, Entities

from tasks.scoring.selection import strict_spans
from tasks.scoring.spans import Mode, Spans, align, encode, find, same_spans, starts_of

# No type may be another one's name without its first letter: seqeval cuts that letter off tags without a prefix.
IOB = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-x-y", "I-x-y", "B", "I"]
ANY = [*IOB, "E-PER", "S-PER", "E-LOC", "S-LOC", "NOUN", "MISC", "E", "S"]


def texts(tags: list[str]) -> st.SearchStrategy[list[list[str]]]:
    """Sentences of random tags, of which every second one is outside, and some of nothing but these."""
    tag = st.one_of(st.just("O"), st.sampled_from(tags))
    return st.lists(st.lists(tag, max_size=12), min_size=1, max_size=6)


def found(sequences: list[list[str]], mode: Mode) -> set[tuple[int, int, int, str]]:
    """Entities as (sentence, first word, last word + 1, type)."""
    kinds: dict[str, int] = {}
    spans, starts, names = find(encode(sequences, kinds), mode), starts_of(sequences), list(kinds)
    sentence = np.searchsorted(starts, spans.start, side="right") - 1
    begins, ends = spans.start - starts[sentence], spans.end - starts[sentence]
    rows = zip(sentence.tolist(), begins.tolist(), ends.tolist(), spans.kind.tolist(), strict=True)
    return {(s, b, e, names[k]) for s, b, e, k in rows}


@settings(max_examples=1000)
@given(texts(IOB))
def test_strict_equals_seqeval(sequences: list[list[str]]) -> None:
    reference = itertools.chain(*Entities(sequences, IOB2).entities)
    assert found(sequences, "strict") == {(one.sent_id, one.start, one.end, one.tag) for one in reference}


@settings(max_examples=1000)
@given(texts(ANY))
def test_lenient_equals_seqeval(sequences: list[list[str]]) -> None:
    expected = set()
    for number, tags in enumerate(sequences):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that NOUN seems not to be a tag
            entities = get_entities(tags)
        whole = {"OUN": "NOUN", "ISC": "MISC"}
        expected |= {(number, start, last + 1, whole.get(kind, kind)) for kind, start, last in entities}
    assert found(sequences, "lenient") == expected


@settings(max_examples=500)
@given(texts(ANY))
def test_strict_passes_over_what_is_no_iob2_tag(sequences: list[list[str]]) -> None:
    outside = [[tag if tag in IOB else "O" for tag in tags] for tags in sequences]
    assert found(sequences, "strict") == found(outside, "strict")


@settings(max_examples=500)
@given(texts([tag for tag in IOB if "-" in tag]))
def test_strict_is_what_the_best_epoch_is_chosen_by(sequences: list[list[str]]) -> None:
    expected = {(number, *span) for number, tags in enumerate(sequences) for span in strict_spans(tags)}
    assert found(sequences, "strict") == expected


@pytest.mark.parametrize("mode", ["strict", "lenient"])
def test_nothing_is_found_in_nothing(mode: Mode) -> None:
    assert found([], mode) == found([[]], mode) == found([["O"], [], ["O-X", ""]], mode) == set()


def test_a_sentence_ends_its_entities() -> None:
    assert found([["B-PER", "I-PER"], ["I-PER"], ["NOUN"], ["NOUN"]], "lenient") == {
        (0, 0, 2, "PER"),
        (1, 0, 1, "PER"),
        (2, 0, 1, "NOUN"),
        (3, 0, 1, "NOUN"),
    }


def spans(*rows: tuple[int, int, int]) -> Spans:
    array = np.array(rows, np.int64).reshape(-1, 3)
    return Spans(array[:, 0], array[:, 1], array[:, 2])


def test_alignment_takes_equal_spans_first_then_those_that_share_most() -> None:
    gold = spans((0, 4, 0), (6, 7, 1), (8, 10, 0), (12, 13, 0))
    predicted = spans((0, 1, 0), (1, 4, 1), (6, 7, 0), (9, 11, 0), (14, 15, 0))
    one, other = align(gold, predicted, words=16)
    assert sorted(zip(one.tolist(), other.tolist(), strict=True)) == [(0, 1), (1, 2), (2, 3)]


def test_alignment_of_equal_overlaps_prefers_near_edges_then_the_type() -> None:
    one, other = align(spans((0, 2, 1)), spans((0, 1, 0), (1, 2, 1)), words=2)
    assert (one.tolist(), other.tolist()) == ([0], [1])
    one, other = align(spans((2, 6, 0)), spans((0, 4, 0), (4, 6, 0)), words=6)
    assert other.tolist() == [1]


@settings(max_examples=300)
@given(texts(IOB))
def test_alignment_is_one_to_one_and_holds_every_equal_span(sequences: list[list[str]]) -> None:
    flat = list(itertools.chain(*sequences))
    kinds: dict[str, int] = {}
    gold = find(encode([flat], kinds), "strict")
    predicted = find(encode([flat[::-1]], kinds), "lenient")
    one, other = align(gold, predicted, words=len(flat))
    assert max([0, *Counter(one.tolist()).values(), *Counter(other.tolist()).values()]) <= 1
    assert all(
        min(gold.end[g], predicted.end[p]) > max(gold.start[g], predicted.start[p])
        for g, p in zip(one, other, strict=True)
    )
    equal = set(zip(*map(np.ndarray.tolist, same_spans(gold, predicted, words=len(flat))), strict=True))
    assert equal <= set(zip(one.tolist(), other.tolist(), strict=True))
