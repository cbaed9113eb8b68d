"""What flows through the pipeline, and the plain files it rests in (JSON and JSON lines, stable to the byte)."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tasks.errors import UserError

ABOUT = "about"  # of the inputs: what no model reads and no duplicate is told by


@dataclass(frozen=True, slots=True)
class Row:
    """One raw record as a reader found it.

    Attributes:
        file: name of the raw file, relative to the dataset's folder.
        line: number of its first line, from 1.
        document: identifier of its document, or None where the format knows of none.
        fields: what the format holds: ``{"columns": [[...], ...]}`` for CoNLL (one list per word), the object for JSON.
    """

    file: str
    line: int
    document: str | None
    fields: dict[str, Any]

    @property
    def place(self) -> str:
        """``file:line``, as it stands in messages."""
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Example:
    """One row brought to the form of its task.

    Attributes:
        id: ``<file>:<line>`` of the row, unique within the dataset.
        document: identifier of its document, or None.
        inputs: what the model sees, e.g. ``{"words": [...]}``; under ABOUT what is only known of it, for slices.
        target: the gold answer, e.g. one IOB2 tag per word.
    """

    id: str
    document: str | None
    inputs: dict[str, Any]
    target: Any


@dataclass(frozen=True, slots=True)
class Prediction:
    """The model's answer to one example, at the level of its text (words, not sub-words).

    Attributes:
        id: the example's.
        gold: the example's target.
        predicted: same form as ``gold``.
        confidence: the model's probability of each predicted part, between 0 and 1.
        document: the example's, or None.
        runner_up: the most probable other label of each part; empty where the model has none to offer. Where the answer
            is one of some candidates, all the others, the most probable first.
        runner_up_confidence: its probability. It can be above ``confidence`` where the whole answer decides on its
            parts (a tag sequence that IOB2 allows, a chain of tags).
    """

    id: str
    gold: Any
    predicted: Any
    confidence: list[float]
    document: str | None = None
    runner_up: list[str] = field(default_factory=list)
    runner_up_confidence: list[float] = field(default_factory=list)


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` with sorted keys, UTF-8 and a newline at the end; the file appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    text = json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True, allow_nan=False)
    part.write_text(text + "\n", encoding="utf-8")
    part.replace(path)


def read_json(path: Path) -> Any:
    """Read a JSON file; raise UserError where it is missing or broken."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; 'dvc repro' makes it") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not JSON ({error}); 'dvc checkout --force' brings the last good one back") from None


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def write_examples(path: Path, examples: Iterable[Example]) -> int:
    """Write examples as JSON lines, one at a time; return how many."""
    count = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for example in examples:
            file.write(example_line(example))
            count += 1
    return count


def example_line(example: Example) -> str:
    """The JSON line of an example, with its newline."""
    return (
        _encode(
            {
                "id": example.id,
                "document": example.document,
                "inputs": example.inputs,
                "target": example.target,
            }
        )
        + "\n"
    )


def read_examples(path: Path) -> Iterator[Example]:
    """Yield the examples of a prepared split in order."""
    for line in read_lines(path):
        yield Example(line["id"], line["document"], line["inputs"], line["target"])


def write_lines(path: Path, values: Iterable[Any]) -> int:
    """Write values as JSON lines, keys in the order of each value; return how many."""
    count = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for value in values:
            file.write(_encode(value) + "\n")
            count += 1
    return count


def write_predictions(path: Path, predictions: Iterable[Prediction]) -> int:
    """Write predictions as JSON lines in the order of the examples, confidence to six decimals; return how many."""
    count = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for prediction in predictions:
            line = {
                "id": prediction.id,
                "document": prediction.document,
                "gold": prediction.gold,
                "predicted": prediction.predicted,
                "confidence": [round(value, 6) for value in prediction.confidence],
                "runner_up": prediction.runner_up,
                "runner_up_confidence": [round(value, 6) for value in prediction.runner_up_confidence],
            }
            file.write(_encode(line) + "\n")
            count += 1
    return count


def read_predictions(path: Path) -> Iterator[Prediction]:
    """Yield the predictions of a split in order; those of older revisions know no document and no runner-up."""
    for line in read_lines(path):
        yield Prediction(**line)


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a file of JSON lines; raise UserError where it is missing or a line is broken."""
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                try:
                    yield json.loads(line)
                except (ValueError, RecursionError) as error:
                    raise UserError(
                        f"{path}:{number}: not JSON ({error}); 'dvc checkout --force' brings the last good one back"
                    ) from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 ({error}); 'dvc checkout --force' brings the last good one back") from None
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; 'dvc repro' makes it") from None
