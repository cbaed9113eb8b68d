"""Repeated rows are found within and across splits and named by their places."""

from tasks import duplicates
from tasks.records import Example

SPLITS = ("train", "validation", "test")


def found(rows: list[tuple[str, str]]) -> dict[str, tuple[int, list[list[str]]]]:
    """Counts and places for (split, words), of which the n-th stands in line n."""
    remembered = duplicates.Duplicates(SPLITS)
    for line, (split, words) in enumerate(rows, start=1):
        remembered.add(split, Example(f"a:{split}.conll:{line}", None, {"words": words.split()}, ["O"] * line))
    return {pair: (own["count"], own["places"]) for pair, own in remembered.summary().items()}


def test_nothing_repeats() -> None:
    assert found([]) == found([("train", "a b"), ("train", "ab"), ("test", "a  c")])
    assert set(found([])) == {*SPLITS, "train/validation", "train/test", "validation/test"}
    assert all(own == (0, []) for own in found([]).values())


def test_repeats_within_and_across_are_counted_in_the_later_one() -> None:
    rows = [("test", "x"), ("train", "x"), ("train", "y"), ("train", "x"), ("test", "x"), ("validation", "y")]
    assert {pair: own for pair, own in found(rows).items() if own[0]} == {
        "train": (1, [["a:train.conll:4", "a:train.conll:2"]]),
        "test": (1, [["a:test.conll:5", "a:test.conll:1"]]),
        "train/validation": (1, [["a:validation.conll:6", "a:train.conll:3"]]),
        "train/test": (
            2,
            [["a:test.conll:1", "a:train.conll:2"], ["a:test.conll:5", "a:train.conll:2"]],
        ),
    }


def test_only_the_first_places_are_named() -> None:
    count, places = found([("train", "x")] * 50)["train"]
    assert count == 49
    assert len(places) == duplicates.SHOWN
    assert places[0] == ["a:train.conll:2", "a:train.conll:1"]


def test_sixteen_bytes_an_example() -> None:
    remembered = duplicates.Duplicates(SPLITS)
    remembered.add("train", Example("x:1", None, {"words": ["a"]}, ["O"]))
    arrays = [remembered._hashes, remembered._lines, remembered._places]
    assert sum(part.itemsize for part in arrays) == 16
