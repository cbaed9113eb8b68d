import pytest

from tasks.records import Example, Prediction
from tasks.scoring.errors import cases
from tasks.scoring.occurrences import OUTSIDE, PART, occurrences
from tasks.scoring.slices import casing, slices


def example(name: str, words: str, tags: str, document: str | None = None) -> Example:
    return Example(name, document, {"words": words.split()}, tags.split())


TRAIN = [
    example("t:1", "Paris is big", "B-LOC O O"),
    example("t:2", "Paris Hilton sang in Paris", "B-PER I-PER O O B-LOC"),
    example("t:3", "Ford built a Ford", "B-PER O O B-ORG"),
    example("t:4", "a march in March", "O O O O"),
]


def sliced(words: str, gold: str, document: str | None = None) -> list[dict[str, str]]:
    one = example("v:1", words, gold, document)
    found = cases([Prediction("v:1", one.target, one.target, [1.0] * len(one.target))])
    facts = occurrences(iter(TRAIN), [one], found)
    return [dict(slices(case, one, facts)) for case in found]


def test_slices_of_entities_that_train_knows_well_badly_and_not() -> None:
    paris, ford, march = sliced("Paris met Ford in March", "B-LOC O B-PER O B-MISC", "news")
    assert paris == {
        "entity length": "1 word",
        "seen in train": "seen",
        "frequency in train": "2 to 4 times",
        "label consistency": "mostly this type",  # once it is part of a person
        "sentence length": "under 10 words",
        "position": "first word",
        "casing": "capital first letters",
        "document": "news",
    }
    assert (ford["seen in train"], ford["label consistency"], ford["position"]) == (
        "ambiguous",
        "mostly this type",
        "first half",
    )
    assert (march["seen in train"], march["label consistency"]) == ("unseen", "never this type")
    assert "frequency in train" not in march
    assert march["position"] == "second half"


def test_known_as_another_type_only_is_ambiguous_and_without_documents_there_is_no_such_slice() -> None:
    (hilton,) = sliced("Paris Hilton", "B-ORG I-ORG")
    assert (hilton["seen in train"], hilton["entity length"]) == ("ambiguous", "2 words")
    assert "document" not in hilton
    (new,) = sliced("Graz", "B-LOC")
    assert new["seen in train"] == "unseen"
    assert not {"frequency in train", "label consistency"} & new.keys()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("new york", "lower case"),
        ("New York", "capital first letters"),
        ("A", "capital first letters"),
        ("NATO", "upper case"),
        ("U.S.", "upper case"),
        ("iPhone", "mixed case"),
        ("Bank of England", "mixed case"),
        ("1999", "no letters with case"),
        ("東京", "no letters with case"),
    ],
)
def test_casing(words: str, expected: str) -> None:
    assert casing(tuple(words.split())) == expected


def test_occurrences_count_every_place_of_the_words() -> None:
    one = example("v:1", "Paris a", "B-LOC B-LOC")
    found = occurrences(iter(TRAIN), [one], cases([Prediction("v:1", one.target, one.target, [1.0, 1.0])]))
    assert found.labels[("Paris",)] == {"LOC": 2, PART: 1}
    assert found.labels[("a",)] == {OUTSIDE: 2}
    assert [(shown["id"], shown["type"]) for shown in found.examples(("Paris",), 3)] == [
        ("t:1", "LOC"),
        ("t:2", PART),
        ("t:2", "LOC"),
    ]
    assert found.examples(("Graz",), 3) == []
    assert found.names["PER"] == [("Ford",), ("Paris", "Hilton")]
