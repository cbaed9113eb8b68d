from tasks.records import Example, Prediction
from tasks.scoring.errors import cases
from tasks.scoring.mistakes import mistake
from tasks.scoring.occurrences import occurrences

TRAIN = [
    Example("t:1", None, {"words": ["Ford", "won"]}, ["B-PER", "O"]),
    Example("t:2", None, {"words": ["a", "Ford"]}, ["O", "B-ORG"]),
    Example("t:3", None, {"words": ["Ford", "sold"]}, ["B-ORG", "O"]),
    Example("t:4", None, {"words": ["Ford", "sank"]}, ["B-ORG", "O"]),
]


def explained(gold: str, predicted: str, confidence: list[float]) -> list[dict]:
    words = ["Ford", "Motor", "paid", "Ford"]
    runner_up = ["B-ORG", "I-ORG", "B-PER", "B-PER"]
    one = Prediction("v:1", gold.split(), predicted.split(), confidence, None, runner_up, [0.1, 0.2, 0.3, 0.4])
    example = Example("v:1", "news", {"words": words}, one.gold)
    found = [case for case in cases([one]) if case.kind != "right"]
    facts = occurrences(iter(TRAIN), [example], found)
    return [mistake(case, example, one, facts) for case in found]


def test_a_wrong_type_shows_train_and_what_the_model_nearly_said() -> None:
    (found,) = explained("O O O B-PER", "O O O B-ORG", [0.9, 0.9, 0.9, 0.55])
    assert found == {
        "type": "PER",
        "predicted_type": "ORG",
        "start": 3,
        "end": 4,
        "text": "Ford",
        "gold": [[3, 4, "PER"]],
        "predicted": [[3, 4, "ORG"]],
        "confidence": 0.55,
        "runner_up": "B-PER",
        "runner_up_confidence": 0.4,
        "train": [
            {"id": "t:2", "text": "a Ford", "type": "ORG"},
            {"id": "t:1", "text": "Ford won", "type": "PER"},
            {"id": "t:3", "text": "Ford sold", "type": "ORG"},
        ],
    }


def test_at_a_wrong_boundary_the_word_in_question_is_asked() -> None:
    (found,) = explained("B-ORG I-ORG O O", "B-ORG O O O", [0.3, 0.8, 0.9, 0.9])
    assert (found["text"], found["confidence"], found["runner_up"]) == ("Ford Motor", 0.8, "I-ORG")
    assert (found["gold"], found["predicted"], found["train"]) == ([[0, 2, "ORG"]], [[0, 1, "ORG"]], [])


def test_missed_and_spurious_entities_have_one_side() -> None:
    missed, spurious = explained("B-ORG I-ORG O O", "O O O B-ORG", [0.7, 0.8, 0.9, 0.6])
    assert (missed["type"], missed["predicted_type"], missed["confidence"]) == ("ORG", None, 0.7)
    assert (spurious["type"], spurious["predicted_type"], spurious["text"]) == (None, "ORG", "Ford")


def test_predictions_without_runner_up_have_none_here() -> None:
    one = Prediction("v:1", ["B-PER"], ["O"], [0.9])
    example = Example("v:1", None, {"words": ["Ford"]}, one.gold)
    (case,) = cases([one])
    found = mistake(case, example, one, occurrences(iter(TRAIN), [example], [case]))
    assert (found["confidence"], found["runner_up"], found["runner_up_confidence"]) == (0.9, None, None)
