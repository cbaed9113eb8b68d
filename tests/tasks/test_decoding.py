from itertools import product

import numpy as np
import pytest

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


@pytest.mark.parametrize("seed", range(20))
def test_it_is_the_best_of_all_valid_sequences(seed: int) -> None:
    rows = np.random.default_rng(seed).dirichlet(np.full(5, 0.5), size=5).astype(np.float32)
    found = best_valid(list(rows), CLASSES)
    sequences = [path for path in product(range(5), repeat=5) if is_valid([CLASSES[index] for index in path])]

    def score(path: tuple[int, ...]) -> float:
        return float(sum(np.log(max(rows[word][index], 1e-12)) for word, index in enumerate(path)))

    assert is_valid([CLASSES[index] for index in found])
    assert score(tuple(found)) == pytest.approx(max(map(score, sequences)), abs=1e-6)


def test_a_word_that_nobody_answered_is_outside() -> None:
    row = np.array([0.1, 0.5, 0.2, 0.1, 0.1], np.float32)
    assert best_valid([row, None, row], CLASSES) == [1, 0, 1]
