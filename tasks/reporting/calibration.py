"""How far the model's confidence can be believed, read from calibration.json and reliability.csv."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.errors import UserError
from tasks.reporting.history import read_csv
from tasks.reporting.scores import unpacked


@dataclass(frozen=True, slots=True)
class Bin:
    """Predicted entities of similar confidence: how many, their mean confidence, and the share that is right."""

    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class Threshold:
    """Precision and recall if only entities with at least this confidence were kept."""

    confidence: float
    precision: float
    recall: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """All of validation. ``temperature`` divides the logits; fitted on validation, 1 changes nothing."""

    temperature: float
    bins: tuple[Bin, ...]
    thresholds: tuple[Threshold, ...]


def read_calibration(path: Path, reliability: Path) -> Calibration:
    """Read calibration.json and reliability.csv of evaluate.

    Raises:
        UserError: a file is missing or has another form.
    """
    bins = []
    for number, row in enumerate(read_csv(reliability, ("count", "confidence", "accuracy")), start=2):
        try:
            bins.append(Bin(int(row[0]), float(row[1]), float(row[2])))
        except ValueError as error:
            raise UserError(f"{reliability}:{number}: {error}; 'dvc repro --force evaluate' writes it anew") from None

    def calibration(own: dict[str, Any]) -> Calibration:
        thresholds = [Threshold(line["confidence"], line["precision"], line["recall"]) for line in own["thresholds"]]
        return Calibration(own["temperature"], tuple(bins), tuple(thresholds))

    return unpacked(path, calibration)
