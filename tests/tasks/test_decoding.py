from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest

from tasks import decoding
from tasks.decoding import best_valid, is_valid

CLASSES = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]


@pytest.mark.parametrize(
    ("tags", "valid"),
    [
        (["O", "B-PER", "I-PER", "B-PER", "O"], True),
        (["I-PER"], False),
        (["O", "I-PER"], False),
        (["B-LOC", "I-PER"], False),
        (["B-PER", "I-PER", "I-LOC"], False),
        ([], True),
    ],
)
def test_what_is_valid(tags: list[str], valid: bool) -> None:
    assert is_valid(tags) == valid


def names(indexes: Sequence[int]) -> list[str]:
    return [CLASSES[index] for index in indexes]


@pytest.mark.parametrize("seed", range(20))
def test_it_is_the_best_of_all_valid_sequences(seed: int) -> None:
    rows = np.random.default_rng(seed).dirichlet(np.full(5, 0.5), size=5).astype(np.float32)
    found = best_valid(rows, [5], CLASSES)
    sequences = [path for path in product(range(5), repeat=5) if is_valid(names(path))]

    def score(path: Sequence[int]) -> float:
        return float(sum(np.log(max(rows[word][index], 1e-12)) for word, index in enumerate(path)))

    assert is_valid(names(found))
    assert score(found) == pytest.approx(max(map(score, sequences)), abs=1e-6)


def test_sentences_of_any_lengths_know_nothing_of_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "CELLS", 3 * 5**2)  # three sentences at a time
    lengths = [3, 0, 1, 12, 1, 7, 0, 4, 2, 9, 0]
    rows = np.random.default_rng(1).random((sum(lengths), 5), dtype=np.float32)
    together = best_valid(rows, lengths, CLASSES)
    ends = np.cumsum(lengths)
    for length, end in zip(lengths, ends, strict=True):
        own = slice(end - length, end)
        assert is_valid(names(together[own]))
        assert together[own].tolist() == best_valid(rows[own], [length], CLASSES).tolist()


def test_valid_tags_are_the_most_probable_of_each_word() -> None:
    rows = np.array([[0.1, 0.6, 0.1, 0.1, 0.1], [0.3, 0.0, 0.4, 0.3, 0.0], [0.9, 0.1, 0.0, 0.0, 0.0]], np.float32)
    assert best_valid(rows, [2, 1], CLASSES).tolist() == [1, 2, 0]


def test_no_word_has_no_tag() -> None:
    assert best_valid(np.zeros((0, 5), np.float32), [0, 0], CLASSES).tolist() == []


def test_an_inner_tag_cannot_follow_a_word_that_is_outside_for_sure() -> None:
    row = [0.1, 0.5, 0.2, 0.1, 0.1]
    rows = np.array([row, [1, 0, 0, 0, 0], [0.1, 0.3, 0.4, 0.1, 0.1]], np.float32)
    assert best_valid(rows, [3], CLASSES).tolist() == [1, 0, 1]
