"""What decode makes of probabilities: tags, their confidence and the runner-up of each word."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.adapters import Encoded
from tasks.adapters.token_classification import adapter, decode
from tasks.models import load_tokenizer
from tasks.records import Example, Prediction

CLASSES = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]


def decoded(*rows: list[float]) -> Prediction:
    words = [str(index) for index in range(len(rows))]
    example = Example("a:1", "report 1", {"words": words}, ["O"] * len(rows))
    window = Encoded(0, [], [], [(index, index) for index in range(len(rows))])
    (prediction,) = decode([example], [(window, np.array(rows, np.float32))], CLASSES, None)
    return prediction


def test_the_runner_up_is_the_second_most_probable_class() -> None:
    made = decoded([0.1, 0.6, 0.0, 0.3, 0.0], [0.15, 0.0, 0.8, 0.0, 0.05])
    assert made.document == "report 1"
    assert (made.predicted, made.runner_up) == (["B-PER", "I-PER"], ["B-LOC", "O"])
    assert made.confidence == pytest.approx([0.6, 0.8])
    assert made.runner_up_confidence == pytest.approx([0.3, 0.15])


def test_a_tag_that_iob2_forbade_is_the_runner_up_and_more_probable() -> None:
    made = decoded([0.9, 0.04, 0.02, 0.02, 0.02], [0.3, 0.1, 0.4, 0.1, 0.1])
    assert (made.predicted, made.runner_up[1]) == (["O", "O"], "I-PER")
    assert made.confidence[1] == pytest.approx(0.3)
    assert made.runner_up_confidence[1] == pytest.approx(0.4)


def test_minus_signs_of_a_chain_say_what_was_not_chosen() -> None:
    made = decoded([-0.1, 0.3, -0.1, -0.45, -0.05])
    assert (made.predicted, made.runner_up) == (["B-PER"], ["B-LOC"])
    assert (made.confidence, made.runner_up_confidence) == (pytest.approx([0.3]), pytest.approx([0.45]))


def test_a_word_that_no_window_answers_is_outside_and_unsure() -> None:
    examples = [Example("a:1", None, {"words": ["x", "y"]}, ["O", "O"]), Example("a:2", None, {"words": []}, [])]
    answers: list[tuple[Encoded, Any]] = [(Encoded(0, [], [], [(0, 0)]), np.eye(5, dtype=np.float32)[[3]])]
    one, empty = decode(examples, answers, CLASSES, None)
    assert (one.predicted, one.confidence, one.runner_up_confidence) == (["B-LOC", "O"], [1.0, 0.0], [0.0, 0.0])
    assert (empty.predicted, empty.confidence, empty.runner_up) == ([], [], [])


def test_chinese_from_characters_in_to_characters_out(bert_folder: Path) -> None:
    text = "王小明在IBM公司工作"
    example = adapter.read(text, "0")
    assert "".join(example.inputs["words"]) == text
    tokenizer = load_tokenizer(str(bert_folder), {})
    (window,) = adapter.encode([example], tokenizer, ["O", "B-PER", "I-PER"], 32, 4)
    assert [word for _, word in window.parts] == list(range(9))  # 王 小 明 在 IBM 公 司 工 作
    tags = ["B-PER", "I-PER", "I-PER", *["O"] * 6]
    (found,) = adapter.answer(text, example, Prediction("0", [], tags, [0.9] * 9))
    assert (found["start"], found["end"], found["text"]) == (0, 3, "王小明")
    assert adapter.show(example.inputs, tags)[0] == ("王小明", "PER")
