"""Answers of tasks without tags, in JSON lines as hone writes them or with the answer in a field by name."""

from pathlib import Path
from typing import Any, Literal

from tasks import adapters, sources
from tasks.errors import UserError
from tasks.records import Prediction
from tasks.sources import jsonl

NAMES = {
    "gold": ("gold", "target", "label", "labels", "relation", "answers", "answer"),
    "predicted": ("predicted", "prediction", "label", "labels", "relation", "answers", "answer"),
}


def read(path: Path, side: Literal["gold", "predicted"], task: str) -> list[Prediction]:
    """The answers of a file in order, as gold and predicted of a prediction both.

    A line is an example or a prediction of hone, or holds the answer in one of the fields NAMES, and ``id`` if it has
    one. Texts that were written are texts, gold ones also lists of them. Answers to questions may be texts, a list of
    texts, or SQuAD's objects.

    Raises:
        UserError: the file is missing, empty or broken, with file and line.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    found = []
    for row in jsonl.read(path, str(path)):
        if isinstance(row, sources.Unreadable):
            raise UserError(str(row))
        name = next((name for name in NAMES[side] if name in row.fields), None)
        if name is None:
            there = ", ".join(sorted(row.fields)) or "nothing"
            raise UserError(f"{row.place}: it holds {there}; give each line one of the fields {', '.join(NAMES[side])}")
        answer = _answer(row.fields[name], task, f"{row.place}: {name!r}")
        key = str(row.fields.get("id", row.place))
        found.append(Prediction(key, answer, answer, [], row.fields.get("document")))
    if not found:
        raise UserError(f"{path}: no line in it; write a JSON object a line")
    return found


def paired(gold: list[Prediction], predicted: list[Prediction], path: Path, *, by_id: bool) -> list[Prediction]:
    """Gold with the answers of a system: by their ids, else in order.

    Raises:
        UserError: not the same examples.
    """
    if by_id:
        answers = {one.id: one.predicted for one in predicted}
        if missing := [one.id for one in gold if one.id not in answers]:
            raise UserError(f"{path}: no answer to {missing[0]} ({len(missing)} of {len(gold)} lack one)")
    elif len(gold) != len(predicted):
        raise UserError(f"{path}: {len(predicted)} answers to {len(gold)} of gold; give one a line, in the same order")
    ordered = [answers[one.id] for one in gold] if by_id else [one.predicted for one in predicted]
    return [Prediction(one.id, one.gold, given, [], one.document) for one, given in zip(gold, ordered, strict=True)]


def _answer(value: Any, task: str, place: str) -> Any:
    if task == "extractive_qa":
        parts = value if isinstance(value, list) else [value] if value not in (None, "") else []
        parts = [{"text": part} if isinstance(part, str) else part for part in parts]
        if all(isinstance(part, dict) and isinstance(part.get("text"), str) for part in parts):
            return [{"start": part.get("start", part.get("answer_start", 0)), "text": part["text"]} for part in parts]
        raise UserError(f"{place} is no answer; write a text, a list of texts, or objects with 'text'")
    if adapters.find(task).wording.written:
        texts = value if isinstance(value, list) else [value]
        if texts and all(isinstance(text, str) for text in texts):
            return texts
        raise UserError(f"{place} is no text; write one, or for gold a list of several")
    if isinstance(value, list) and task == "text_classification" and all(isinstance(part, str) for part in value):
        return sorted(set(value))
    if isinstance(value, str) and value:
        return value
    raise UserError(f"{place} is no label by name; write one as text")
