"""Answers to raw texts: the text is cut as training texts are, the places are characters of the whole text."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tasks.adapters import Adapter
from tasks.raw_text import sentences
from tasks.records import Example, Prediction
from tasks.scoring.calibration import scaled

Predict = Callable[[Iterator[Example]], Iterable[Prediction]]


def answers(
    texts: Sequence[str | Sequence[str]], adapter: Adapter, predict: Predict, temperature: float
) -> list[dict[str, Any]]:
    """What was found in each text.

    Args:
        texts: raw texts; or words, for tasks over words, which are then taken as one sentence joined by spaces.
        predict: predictions of examples, in their order.
        temperature: of the confidences (tasks.scoring.calibration.scaled).

    Returns:
        For each text ``text`` and, by what the task answers,
        ``entities``: list of ``start``, ``end``, ``type``, ``text``, ``confidence``, as characters of the text;
        ``label`` and ``confidence``; ``labels``: list of those two, where there may be several; ``answers``: list of
        ``start``, ``end``, ``text``, ``confidence``, as characters of the context that was asked; or ``candidates``:
        list of ``rank``, ``text``, ``confidence``, the best first.

    Raises:
        UserError: a task needs more than a text and the line does not give it.
    """
    plain = [text if isinstance(text, str) else " ".join(text) for text in texts]
    parts = [part for number, text in enumerate(texts) for part in _parts(number, text, adapter)]
    found: list[dict[str, Any]] = [{"text": text} for text in plain]
    for (number, shift, part, example), prediction in zip(
        parts, predict(iter([part[3] for part in parts])), strict=True
    ):
        _add(found[number], shift, example, prediction, adapter.answer(part, example, prediction), temperature)
    for answer in found:
        if len(answer) == 1:
            answer["entities"] = []  # a text of white space alone
    return found


def _parts(number: int, text: str | Sequence[str], adapter: Adapter) -> Iterator[tuple[int, int, str, Example]]:
    """The examples of a text: (its number, where the part begins, the part, the example)."""
    if not isinstance(text, str):
        ends = np.cumsum([len(word) + 1 for word in text]).tolist()
        offsets = [(end - 1 - len(word), end - 1) for end, word in zip(ends, text, strict=True)]
        inputs = {"words": list(text), "offsets": offsets}
        yield number, 0, " ".join(text), Example(f"text:{number}", None, inputs, [])
        return
    whole = adapter.read(text, f"text:{number}")
    if "words" not in whole.inputs:
        yield number, 0, text, whole
        return
    words, offsets = whole.inputs["words"], whole.inputs["offsets"]
    at = 0
    for start, end in sentences(text):
        first = at
        while at < len(offsets) and offsets[at][1] <= end:
            at += 1
        moved = [(left - start, right - start) for left, right in offsets[first:at]]
        inputs = {**whole.inputs, "words": words[first:at], "offsets": moved}
        yield number, start, text[start:end], replace(whole, id=f"text:{number}", document=str(number), inputs=inputs)


def _add(
    answer: dict[str, Any],
    shift: int,
    example: Example,
    prediction: Prediction,
    found: list[dict[str, Any]],
    temperature: float,
) -> None:
    """Put what was found in one example into the answer to its text."""
    sure = scaled(np.array([item["confidence"] for item in found], np.float64), temperature)
    confidence = [round(value, 6) for value in sure.tolist()]
    if "words" in example.inputs:
        answer.setdefault("entities", []).extend(
            {
                "start": item["start"] + shift,
                "end": item["end"] + shift,
                "type": item["label"],
                "text": item["text"],
                "confidence": value,
            }
            for item, value in zip(found, confidence, strict=True)
        )
    elif isinstance(prediction.predicted, str):
        answer |= {"label": prediction.predicted, "confidence": confidence[0]}
    elif "candidates" in example.inputs:
        answer["candidates"] = [
            {"rank": item["rank"], "text": item["text"], "confidence": value}
            for item, value in zip(found, confidence, strict=True)
        ]
    elif all(isinstance(one, str) for one in prediction.predicted) and "context" not in example.inputs:
        answer["labels"] = [
            {"label": item["label"], "confidence": value} for item, value in zip(found, confidence, strict=True)
        ]
    else:
        keys = ("start", "end", "text")
        answer["answers"] = [
            {**{key: item[key] for key in keys}, "confidence": value}
            for item, value in zip(found, confidence, strict=True)
        ]
