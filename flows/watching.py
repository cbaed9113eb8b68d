"""What was predicted over time against the data that the model was made with.

The model's answers to validation are the measure: the same model, on texts of the source that it was trained on and
that it has not seen. Words are unknown that train does not have.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from tasks import adapters
from tasks.errors import UserError
from tasks.params import Params
from tasks.records import read_examples, read_json, read_lines, read_predictions
from tasks.scoring.calibration import scaled
from tasks.scoring.drift import Finding, Sample, drift, words

DATA = Path("data")
YEAR_10000 = 253_402_300_800  # in seconds since 1970; later than any time that can be written


@dataclass(frozen=True)
class Window:
    """The texts of some hours.

    Attributes:
        start: of the window; None for rows without a time.
        findings: against the reference; empty where there are too few texts to judge.
    """

    start: datetime | None
    sample: Sample
    findings: Sequence[Finding]

    @property
    def name(self) -> str:
        """Its beginning in UTC."""
        return f"{self.start:%Y-%m-%d %H:%M}" if self.start else "no time"

    @property
    def alarms(self) -> list[Finding]:
        """What has drifted."""
        return [one for one in self.findings if one.drifted]


@dataclass(frozen=True)
class Watched:
    """All windows, oldest first, and what they were compared with."""

    reference: Sample
    windows: Sequence[Window]

    @property
    def last(self) -> Window:
        """The newest, which alone raises the alarm."""
        return self.windows[-1]


def watched(settings: Params, files: Iterable[Path], data: Path = DATA) -> Watched:
    """Compare the answers in ``files`` with validation: JSON lines, as `hone predict --output` writes them.

    A row has ``entities``, ``labels`` or ``found`` (lists with type or label, and confidence), or ``label`` and
    ``confidence``; ``text`` where it may be kept; ``time`` in ISO 8601 or seconds since 1970.

    Raises:
        UserError: a file that is not that, no rows, or a project without a finished run.
    """
    adapter = adapters.find(settings.task)
    if adapter.wording.written or adapter.complete is not None:
        raise UserError(f"task: {settings.task}: its answers are texts, not labels; 'hone watch' cannot compare them")
    block = settings.watch
    vocabulary = _vocabulary(settings.task, data)
    reference = _reference(settings.task, data, vocabulary)
    seconds = 3600 * block.window_hours
    samples: dict[int | None, Sample] = {}
    for file in files:
        for number, row in enumerate(read_lines(file), start=1):
            if not isinstance(row, dict):
                raise UserError(f"{file}:{number}: JSON, but no object; each line has to be one")
            labels, confidence = answers(row, f"{file}:{number}")
            time = moment(row.get("time"), f"{file}:{number}")
            place = None if time is None else math.floor(time / seconds)
            text = row.get("text")
            sample = samples.setdefault(place, Sample())
            sample.add(labels, confidence, text if isinstance(text, str) else None, vocabulary)
    if not samples:
        raise UserError("nothing was predicted yet: no row in the files; 'hone predict --output FILE' writes them")
    windows = []
    for place in sorted(samples, key=lambda one: -math.inf if one is None else one):
        sample = samples[place]
        enough = sample.texts >= block.minimum
        found = drift(reference, sample, level=block.level, shift=block.shift, surge=block.surge) if enough else []
        start = None if place is None else datetime.fromtimestamp(place * seconds, UTC)
        windows.append(Window(start, sample, found))
    return Watched(reference, windows)


def verdict(found: Watched) -> list[str]:
    """What the newest window says, in sentences."""
    last = found.last
    about = f"The newest window ({last.name}, {last.sample.texts} texts)"
    if not last.findings:
        return [f"{about} has too few texts to judge (watch.minimum)."]
    if not last.alarms:
        return [f"{about} is as the model was trained: no drift that is sure and large."]
    said = [f"{one.what}: {one.before} before, {one.after} now" for one in last.alarms]
    return [f"{about} has drifted. {'; '.join(said)}."]


def table(found: Watched) -> list[dict[str, str]]:
    """One row per window, the reference first."""

    def row(name: str, sample: Sample, alarms: str) -> dict[str, str]:
        common = [f"{label} {100 * sample.share(label):.0f} %" for label, _ in sample.labels.most_common(3)]
        return {
            "window": name,
            "texts": str(sample.texts),
            "most frequent": ", ".join(common),
            "confidence": f"{np.mean(sample.confidence):.3f}" if sample.confidence else "",
            "unknown words": f"{100 * sample.unknown / sum(sample.length):.1f} %" if sample.length else "",
            "words": f"{np.mean(sample.length):.1f}" if sample.length else "",
            "drifted": alarms,
        }

    windows = [row(one.name, one.sample, ", ".join(alarm.what for alarm in one.alarms)) for one in found.windows]
    return [row("validation", found.reference, ""), *windows]


def answers(row: Mapping[str, Any], where: str) -> tuple[list[str], list[float]]:
    """Labels and confidences of a row; both empty where nothing was found.

    Raises:
        UserError: the row holds no answer.
    """
    inner = row.get("predicted")  # beside the fields of the file that was read
    row = inner if isinstance(inner, Mapping) else row
    items = next((row[key] for key in ("entities", "found", "labels", "answers") if key in row), None)
    if items is None and "label" in row:
        items = [row]
    if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
        raise UserError(f"{where}: no answer in this row; it has entities, labels, or label, as 'hone predict' writes")
    labels = [str(item.get("type", item.get("label", "answer"))) for item in items]
    return labels, [float(item["confidence"]) for item in items if isinstance(item.get("confidence"), int | float)]


def moment(value: Any, where: str) -> float | None:
    """Seconds since 1970; a time without a zone is UTC.

    Raises:
        UserError: neither ISO 8601 nor a number.
    """
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        if not 0 <= value < YEAR_10000:
            raise UserError(f"{where}: time {value!r} is not in seconds since 1970; are these milliseconds?")
        return float(value)
    try:
        read = datetime.fromisoformat(str(value))
    except ValueError:
        raise UserError(f"{where}: time {value!r} is neither ISO 8601 nor seconds since 1970") from None
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()


def _vocabulary(task: str, data: Path) -> frozenset[str]:
    show = adapters.find(task).show
    found: set[str] = set()
    for example in _there(data / "prepared/train.jsonl", read_examples):
        found.update(words(_text(show(example.inputs, example.target))))
    return frozenset(found)


def _reference(task: str, data: Path, vocabulary: frozenset[str]) -> Sample:
    adapter = adapters.find(task)
    calibration = data / "calibration.json"
    temperature = float(read_json(calibration)["temperature"]) if calibration.is_file() else 1.0
    sample = Sample()
    examples = _there(data / "prepared/validation.jsonl", read_examples)
    predictions = _there(data / "predictions.validation.jsonl", read_predictions)
    for example, prediction in zip(examples, predictions, strict=True):
        text = _text(adapter.show(example.inputs, example.target))
        inputs = dict(example.inputs)
        if "words" in inputs:
            ends = np.cumsum([len(word) + 1 for word in inputs["words"]]).tolist()
            inputs["offsets"] = [(end - 1 - len(w), end - 1) for end, w in zip(ends, inputs["words"], strict=True)]
            text = " ".join(inputs["words"])
        placed = type(example)(example.id, example.document, inputs, example.target)
        items = adapter.answer(text, placed, prediction)
        sure = scaled(np.array([item["confidence"] for item in items], np.float64), temperature)
        sample.add([item.get("label", "answer") for item in items], sure.tolist(), text, vocabulary)
    return sample


def _there(path: Path, read: Any) -> Iterator[Any]:
    if not path.is_file():
        raise UserError(f"{path}: no finished run to compare with; 'hone run' makes it, 'dvc checkout' brings the last")
    found: Iterator[Any] = read(path)
    return found


def _text(runs: Sequence[tuple[str, str | None]]) -> str:
    return " ".join(text for text, _ in runs)
