"""Cuts are the same everywhere, of the promised size, and never through a document."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.errors import UserError
from tasks.splitting import Cut


def drawn(documents: list[str | None], fractions: list[float], seed: int) -> list[int]:
    cut = Cut()
    for document in documents:
        cut.add(document)
    cut.draw(fractions, seed)
    return [cut.split_of(row) for row in range(len(documents))]


@pytest.mark.parametrize(
    ("rows", "fraction", "size"),
    [(10, 0.1, 1), (14, 0.1, 1), (15, 0.1, 2), (3, 0.01, 1), (2, 0.9, 0), (3394, 0.1, 339)],
)
def test_the_share_is_rounded_half_up_and_at_least_one(rows: int, fraction: float, size: int) -> None:
    if not size:
        with pytest.raises(UserError, match="nothing is left of train's 2 rows"):
            drawn([None] * rows, [fraction], 1)
    else:
        assert sum(drawn([None] * rows, [fraction], 1)) == size


def test_the_draw_is_the_same_on_every_platform() -> None:
    assert drawn([None] * 12, [0.2, 0.2], 1) == [0, 2, 1, 0, 2, 0, 0, 0, 0, 1, 0, 0]


def test_another_seed_draws_others() -> None:
    assert len({tuple(drawn([None] * 50, [0.2], seed)) for seed in range(10)}) > 8


@given(
    documents=st.lists(st.none() | st.sampled_from("abcdef"), min_size=4, max_size=60),
    fractions=st.lists(st.floats(0.01, 0.4), min_size=1, max_size=2),
    seed=st.integers(0, 2**40),
)
def test_documents_stay_whole_and_no_split_is_empty(
    documents: list[str | None], fractions: list[float], seed: int
) -> None:
    try:
        splits = drawn(documents, fractions, seed)
    except UserError:
        return  # too few documents to leave one for train
    sizes = Counter(splits)
    assert set(sizes) == set(range(len(fractions) + 1))
    for name in set(documents) - {None}:
        assert len({split for split, document in zip(splits, documents, strict=True) if document == name}) == 1
    largest = max(Counter(document for document in documents if document is not None).values(), default=1)
    for split, fraction in enumerate(fractions, start=1):
        wanted = max(1, int(fraction * len(documents) + 0.5))
        assert wanted <= sizes[split] < wanted + largest


def test_one_document_cannot_be_cut() -> None:
    with pytest.raises(UserError) as caught:
        drawn(["a"] * 100, [0.1], 1)
    assert str(caught.value).startswith("params.yaml: splits: nothing is left of train's 100 rows in 1 documents after")
    with pytest.raises(UserError, match="nothing is left of train's 1 rows after validation"):
        drawn([None], [0.1], 1)


def test_nothing_cut_from_nothing_is_no_error() -> None:
    assert drawn([], [0.1], 1) == []
