"""Answers to raw texts of tasks whose answer is no piece of the text."""

import json
from collections.abc import Iterable, Iterator

from tasks.adapters import find
from tasks.answering import answers
from tasks.records import Example, Prediction


def test_candidates_come_ranked_with_their_texts() -> None:
    """A dialogue's answer is an object; it was taken for a list of labels, and its text was lost."""
    line = json.dumps({"history": [{"role": "user", "text": "where"}], "candidates": ["no", "in Graz"]})

    def predict(examples: Iterator[Example]) -> Iterable[Prediction]:
        for one in examples:
            first, second = one.inputs["candidates"]
            yield Prediction(one.id, one.target, second, [0.75], None, [first["text"]], [0.25])

    (found,) = answers([line], find("dialogue"), predict, 1.0)
    assert found == {
        "text": line,
        "candidates": [
            {"rank": 1, "text": "in Graz", "confidence": 0.75},
            {"rank": 2, "text": "no", "confidence": 0.25},
        ],
    }
