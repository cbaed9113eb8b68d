import pytest

from tasks.records import Example, Prediction
from tasks.scoring.errors import cases
from tasks.scoring.occurrences import occurrences
from tasks.scoring.suspects import suspects


def train(word: str, *tags: str) -> list[Example]:
    return [Example(f"t:{number}", None, {"words": [word, "x"]}, [tag, "O"]) for number, tag in enumerate(tags)]


def suspected(gold: str, predicted: str, sure: float, rows: list[Example]) -> list[dict]:
    one = Prediction("v:1", [gold, "O"], [predicted, "O"], [sure, 1.0])
    example = Example("v:1", None, {"words": ["Ford", "x"]}, one.gold)
    found = cases([one])
    return suspects(found, [example], [one], occurrences(iter(rows), [example], found), 0.9)


@pytest.mark.parametrize(
    ("gold", "predicted", "tags", "label"),
    [
        ("B-PER", "B-ORG", ("B-ORG", "B-ORG", "B-PER"), "ORG"),
        ("O", "B-ORG", ("B-ORG",), "ORG"),
        ("B-PER", "O", ("O", "O", "B-PER"), "O"),
    ],
)
def test_a_sure_answer_that_train_shares_makes_gold_suspect(
    gold: str, predicted: str, tags: tuple[str, ...], label: str
) -> None:
    (found,) = suspected(gold, predicted, 0.95, train("Ford", *tags))
    assert (found["id"], found["start"], found["end"], found["text"]) == ("v:1", 0, 1, "Ford")
    assert (found["gold"], found["predicted"], found["confidence"]) == (gold.removeprefix("B-"), label, 0.95)
    assert sum(found["train"].values()) == len(tags)


@pytest.mark.parametrize(
    ("predicted", "sure", "tags"),
    [
        ("B-ORG", 0.89, ("B-ORG",)),  # not sure
        ("B-ORG", 0.95, ("B-ORG", "B-PER")),  # train is divided
        ("B-ORG", 0.95, ()),  # train does not know the words
        ("B-PER", 0.95, ("B-ORG",)),  # right
    ],
)
def test_what_is_unsure_unknown_or_right_makes_nothing_suspect(
    predicted: str, sure: float, tags: tuple[str, ...]
) -> None:
    assert suspected("B-PER", predicted, sure, train("Ford", *tags)) == []


def test_the_gold_label_is_that_of_the_entity_most_words_are_shared_with_and_the_surest_come_first() -> None:
    gold, predicted = ["B-PER", "B-LOC", "I-LOC", "O", "B-LOC"], ["B-ORG", "I-ORG", "I-ORG", "O", "B-ORG"]
    words = ["Ford", "Motor", "Works", "in", "Ford"]
    one = Prediction("v:1", gold, predicted, [0.95, 0.95, 0.95, 1.0, 0.99])
    example = Example("v:1", None, {"words": words}, gold)
    rows = [Example("t:1", None, {"words": words}, predicted)]
    found = cases([one])
    listed = suspects(found, [example], [one], occurrences(iter(rows), [example], found), 0.9)
    assert [(suspect["text"], suspect["gold"], suspect["confidence"]) for suspect in listed] == [
        ("Ford Motor Works", "LOC", 0.95)
    ]  # "Ford" alone is once ORG and once part of another in train
