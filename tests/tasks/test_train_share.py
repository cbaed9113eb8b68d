"""A share of train: whole documents, by seed, a smaller one part of a larger one."""

import itertools

from tasks.records import Example
from tasks.train_share import share_of_train


def examples(documents: int = 20, each: int = 3, alone: int = 0) -> list[Example]:
    found = [
        Example(f"a.conll:{3 * document + number}", f"d{document}", {}, [])
        for document in range(documents)
        for number in range(each)
    ]
    return found + [Example(f"b.conll:{number}", None, {}, []) for number in range(alone)]


def ids(chosen: list[Example]) -> set[str]:
    return {example.id for example in chosen}


def test_the_whole_is_left_as_it_is() -> None:
    assert share_of_train(examples(), 1.0, 1) == examples()


def test_documents_stay_whole_and_in_order() -> None:
    chosen = share_of_train(examples(), 0.25, 1)
    assert len(chosen) == 5 * 3
    assert chosen == [example for example in examples() if example.id in ids(chosen)]
    assert len({example.document for example in chosen}) == 5


def test_a_smaller_share_is_part_of_a_larger_one() -> None:
    for seed in range(5):
        sizes = [ids(share_of_train(examples(alone=11), share, seed)) for share in (0.01, 0.1, 0.3, 0.7, 0.99)]
        assert all(small < large for small, large in itertools.pairwise(sizes))
        assert sizes[0]


def test_the_seed_chooses() -> None:
    assert len({frozenset(ids(share_of_train(examples(), 0.5, seed))) for seed in range(4)}) == 4


def test_shares_count_documents_exactly() -> None:
    for tenths in range(1, 10):
        assert len(share_of_train(examples(10, 1), tenths / 10, 3)) == tenths


def test_a_document_more_moves_no_other_one() -> None:
    before, after = examples(20), examples(21)
    first = ids(share_of_train(before, 0.5, 1))
    assert len(first - ids(share_of_train(after, 0.5, 1))) <= 3  # one document at most makes room


def test_the_same_name_in_another_file_is_another_document() -> None:
    two = [Example("a.conll:1", "1", {}, []), Example("b.conll:1", "1", {}, [])]
    assert len(share_of_train(two, 0.5, 1)) == 1
