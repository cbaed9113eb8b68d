"""What preprocess found in a split: counts, lengths, repairs and what was refused, in bounded memory."""

from collections import Counter
from typing import Any

from tasks.errors import Defect, UserError
from tasks.records import Example


class Tally:
    """Counts of one split, fed row by row.

    Attributes:
        raw: gold items in the raw rows, counted without parsing them.
        entities: gold items by label in the examples that were written.
        repairs: what parse mended, by kind.
        refused: the rows that were left out, with the gold items in each.
    """

    def __init__(self) -> None:
        self.raw = 0
        self.sentences = 0
        self.words = 0
        self.entities: Counter[str] = Counter()
        self.repairs: Counter[str] = Counter()
        self.refused: list[dict[str, Any]] = []
        self._lengths: Counter[int] = Counter()
        self._documents: set[str] = set()

    def add(self, example: Example, entities: Counter[str]) -> None:
        """Count an example that was written."""
        length = count_words(example.inputs)
        self.sentences += 1
        self.words += length
        self._lengths[length] += 1
        self.entities.update(entities)
        if example.document is not None:
            self._documents.add(example.document)

    def refuse(self, defect: Defect) -> None:
        """List a row that was left out."""
        self.refused.append(
            {"place": defect.place, "kind": defect.kind, "message": defect.message, "entities": defect.entities}
        )

    def balance(self, split: str) -> None:
        """Check that every gold item is accounted for.

        Raises:
            UserError: raw gold is not what was written plus what was refused.
        """
        written = self.entities.total()
        refused = sum(row["entities"] for row in self.refused)
        if self.raw != written + refused:
            raise UserError(
                f"{split}: {self.raw} gold entities are in the raw files, but {written} were written and {refused} "
                "refused; this is a defect of hone, please report it with the data"
            )

    def summary(self) -> dict[str, Any]:
        """JSON-able: sentence lengths are in words, quantiles are nearest ranks."""
        return {
            "documents": len(self._documents),
            "entities": dict(self.entities),
            "gold": {
                "raw": self.raw,
                "refused": sum(row["entities"] for row in self.refused),
                "written": self.entities.total(),
            },
            "lengths": {
                "median": quantile(self._lengths, 0.5),
                "90th": quantile(self._lengths, 0.9),
                "maximum": max(self._lengths, default=0),
            },
            "refused": self.refused,
            "repairs": dict(self.repairs),
            "sentences": self.sentences,
            "words": self.words,
        }


def quantile(counts: Counter[int], share: float) -> int:
    """The smallest value that at least ``share`` of all values do not exceed; 0 where there are none."""
    needed = share * counts.total()
    for value in sorted(counts):
        needed -= counts[value]
        if needed <= 0:
            return value
    return 0


def count_words(inputs: dict[str, Any]) -> int:
    """Words in an example's inputs: the elements of lists, and what white space separates in strings.

    An element that is an object, such as a turn of a dialogue, has the words of its ``text``.
    """
    return sum(
        sum(len(part["text"].split()) if isinstance(part, dict) else 1 for part in value)
        if isinstance(value, list)
        else len(value.split())
        if isinstance(value, str)
        else 0
        for value in inputs.values()
    )


def line(split: str, tally: Tally, cut: bool, examples: str, items: str) -> str:
    """One line about a split for the person who watches; ``examples`` and ``items`` are what these are called."""
    parts = [f"{tally.sentences:,} {examples}", f"{tally.words:,} words", f"{tally.entities.total():,} {items}"]
    if tally.repairs:
        parts.append(f"{tally.repairs.total():,} {'tags' if items == 'entities' else items} repaired")
    if tally.refused:
        entities = sum(row["entities"] for row in tally.refused)
        parts.append(f"{len(tally.refused):,} rows refused with {entities:,} {items}")
    return f"{split}{' (cut from train)' if cut else ''}: {', '.join(parts)}"
