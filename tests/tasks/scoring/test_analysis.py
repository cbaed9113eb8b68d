import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tasks.errors import UserError
from tasks.records import Example, Prediction
from tasks.scoring.analysis import analyse
from tasks.scoring.entities import ANALYSIS, HEADLINE
from tasks.tags import from_spans

TRAIN = [
    Example("t:1", None, {"words": ["Ann", "left"]}, ["B-PER", "O"]),
    Example("t:2", None, {"words": ["Bob", "left"]}, ["B-PER", "O"]),
]
EXAMPLES = [
    Example("v:1", "news", {"words": ["Ann", "met", "Zoe"]}, ["B-PER", "O", "B-PER"]),
    Example("v:2", "news", {"words": ["Bob", "slept"]}, ["O", "O"]),
]


def model(examples: Iterator[Example]) -> Iterator[Prediction]:
    """Knows the names of train and is sure of them."""
    for example in examples:
        words = example.inputs["words"]
        tags = from_spans([(i, i + 1, "PER") for i, word in enumerate(words) if word in ("Ann", "Bob")], len(words))
        yield Prediction(
            example.id, example.target, tags, [0.95] * len(words), None, ["O"] * len(words), [0.04] * len(words)
        )


def test_everything_is_found_and_fits_together() -> None:
    asked = []

    def counting(examples: Iterator[Example]) -> Iterator[Prediction]:
        chosen = list(examples)
        asked.append([example.id for example in chosen])
        return model(iter(chosen))

    predictions = list(model(iter(EXAMPLES)))
    options = {"seed": 1, "variants": 10, "confidence": 0.9}
    found = analyse(ANALYSIS, HEADLINE, EXAMPLES, predictions, iter(TRAIN), counting, **options)
    assert found.focus["headline"]["value"] == 0.5
    assert found.focus["errors"]["missed"] == found.focus["errors"]["spurious"] == 1
    assert [(one["id"], one["document"], one["kind"], one["text"]) for one in found.mistakes] == [
        ("v:1", "news", "missed", "Zoe"),
        ("v:2", "news", "spurious", "Bob"),
    ]
    assert found.mistakes[1]["slices"]["seen in train"] == "seen"
    assert [(one["text"], one["gold"], one["train"]) for one in found.suspects] == [("Bob", "O", {"PER": 1})]
    assert asked == [["v:1"], ["v:1"]]  # the original under the conditions of the variant
    assert found.focus["invariance"]["swapped"] == 2
    again = analyse(ANALYSIS, HEADLINE, EXAMPLES, predictions, iter(TRAIN), counting, **options)
    assert json.dumps(again.focus) == json.dumps(found.focus)


def test_no_variants_ask_nothing_of_the_model() -> None:
    def never(examples: Iterator[Example]) -> Iterator[Prediction]:
        raise AssertionError

    predictions = list(model(iter(EXAMPLES)))
    found = analyse(ANALYSIS, HEADLINE, EXAMPLES, predictions, iter(TRAIN), never, seed=1, variants=0, confidence=0.9)
    assert found.focus["invariance"] is None


def test_cases_that_do_not_add_up_stop_the_run() -> None:
    broken = replace(ANALYSIS, cases=lambda predictions: ANALYSIS.cases(predictions)[1:])
    predictions = list(model(iter(EXAMPLES)))
    with pytest.raises(
        UserError, match=r"entity_f1: right and wrong cases do not add up to its counts \[1.0, 2.0, 2.0\]"
    ):
        analyse(broken, HEADLINE, EXAMPLES, predictions, iter(TRAIN), model, seed=1, variants=0, confidence=0.9)
