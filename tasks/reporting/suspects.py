"""Gold that may be wrong: sure predictions that differ from it and that train contradicts too."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tasks.reporting.wording import visible


@dataclass(frozen=True, slots=True)
class Suspect:
    """One item of validation for an annotator; ``train`` counts the labels of the same words there.

    ``text`` is empty where no text may be shown.
    """

    id: str
    text: str
    gold: str | None
    predicted: str | None
    confidence: float
    train: dict[str, int]


def read_suspects(lines: Iterable[dict[str, Any]], *, show_text: bool) -> tuple[Suspect, ...]:
    """The lines of suspects.jsonl, surest first, ties in the order of the file."""

    def label(value: str | None) -> str | None:
        return None if value is None else visible(value)

    found = [
        Suspect(
            id=visible(line["id"]),
            text=visible(line["text"]) if show_text else "",
            gold=label(line["gold"]),
            predicted=label(line["predicted"]),
            confidence=line["confidence"],
            train={visible(name): number for name, number in sorted(line["train"].items())},
        )
        for line in lines
    ]
    return tuple(sorted(found, key=lambda suspect: -suspect.confidence))
