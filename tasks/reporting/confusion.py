"""Which type was taken for which, as a square and as a list."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tasks.reporting.history import read_csv
from tasks.reporting.wording import visible

NONE = "none"  # in confusion.csv: no entity on that side
LARGEST = 30  # labels; a larger square cannot be read


@dataclass(frozen=True, slots=True)
class Cell:
    """One field of the confusion matrix; ``share`` of its row, between 0 and 1, sets its colour."""

    count: int
    share: float
    kind: str


@dataclass(frozen=True, slots=True)
class Matrix:
    """Gold types by row, predicted types by column; the last of both is ``none``."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]


def read_confusion(path: Path) -> dict[tuple[str, str], int]:
    """How often each pair (gold, predicted) stands in confusion.csv, most frequent first."""
    pairs = Counter((visible(gold), visible(predicted)) for gold, predicted in read_csv(path, ("gold", "predicted")))
    return dict(sorted(pairs.items(), key=lambda entry: (-entry[1], entry[0])))


def matrix(confusion: dict[tuple[str, str], int]) -> Matrix | None:
    """The confusion as a square; None where it is empty or too large to be read."""
    labels = sorted({label for pair in confusion for label in pair} - {NONE})
    if not labels or len(labels) > LARGEST:
        return None
    columns = (*labels, NONE)
    totals: Counter[str] = Counter()
    for (gold, _), count in confusion.items():
        totals[gold] += count
    rows = tuple(
        (gold, tuple(_cell(gold, predicted, confusion, totals[gold]) for predicted in columns)) for gold in columns
    )
    return Matrix(columns, rows)


def _cell(gold: str, predicted: str, confusion: dict[tuple[str, str], int], total: int) -> Cell:
    count = confusion.get((gold, predicted), 0)
    if gold == predicted:
        return Cell(count, count / total if total else 0.0, "nothing" if gold == NONE else "right")
    return Cell(count, count / total if total else 0.0, "wrong" if count else "empty")


def mixups(confusion: dict[tuple[str, str], int]) -> list[tuple[str, str, int]]:
    """What was taken for what, most frequent first, the right ones left out."""
    return [(gold, predicted, count) for (gold, predicted), count in confusion.items() if gold != predicted]
