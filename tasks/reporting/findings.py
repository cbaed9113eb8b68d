"""What preprocess found, repaired and refused, read from its summary for a person."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.reporting.scores import unpacked
from tasks.reporting.wording import count, several, visible

ORDER = ("train", "validation", "test")
EXAMPLES = 3  # places that a note names


@dataclass(frozen=True, slots=True)
class Split:
    """A prepared split. Lengths are words per sentence; ``raw`` entities are written ones and refused ones."""

    name: str
    documents: int
    sentences: int
    words: int
    median: int
    longest: int
    entities: Mapping[str, int]
    written: int
    refused: int
    raw: int


@dataclass(frozen=True, slots=True)
class Change:
    """How often something was ``refused`` or ``repaired`` in a split, and how many gold entities were lost by it."""

    split: str
    what: str
    kind: str
    times: int
    entities: int


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A raw row that was left out. The message quotes the data, so it is empty where no text may be shown."""

    place: str
    kind: str
    message: str
    entities: int


@dataclass(frozen=True, slots=True)
class Findings:
    """All of it. The notes are sentences with numbers, labels and places, but no text of the data."""

    splits: tuple[Split, ...]
    changes: tuple[Change, ...]
    refused: tuple[RefusedRow, ...]
    notes: tuple[str, ...]


def read_findings(path: Path, example: str, *, show_text: bool) -> Findings:
    """Read summary.json of preprocess; ``example`` is what an example is called.

    Raises:
        UserError: the file is missing or has another form.
    """

    def findings(summary: dict[str, Any]) -> Findings:
        splits = {name: summary["splits"][name] for name in ORDER}
        rows = tuple(
            RefusedRow(
                visible(row["place"]), row["kind"], visible(row["message"]) if show_text else "", row["entities"]
            )
            for own in splits.values()
            for row in own["refused"]
        )
        changes = tuple(change for name, own in splits.items() for change in _changes(name, own))
        return Findings(
            tuple(_split(*entry) for entry in splits.items()), changes, rows, tuple(_notes(summary, example))
        )

    return unpacked(path, findings)


def _split(name: str, own: dict[str, Any]) -> Split:
    return Split(
        name=name,
        documents=own["documents"],
        sentences=own["sentences"],
        words=own["words"],
        median=own["lengths"]["median"],
        longest=own["lengths"]["maximum"],
        entities={visible(label): number for label, number in sorted(own["entities"].items())},
        written=own["gold"]["written"],
        refused=own["gold"]["refused"],
        raw=own["gold"]["raw"],
    )


def _changes(split: str, own: dict[str, Any]) -> list[Change]:
    rows: Counter[str] = Counter()
    entities: Counter[str] = Counter()
    for row in own["refused"]:
        rows[row["kind"]] += 1
        entities[row["kind"]] += row["entities"]
    refused = [Change(split, "refused", kind, times, entities[kind]) for kind, times in sorted(rows.items())]
    repairs = sorted(own["repairs"].items())
    return refused + [Change(split, "repaired", visible(kind), times, 0) for kind, times in repairs]


def _notes(summary: dict[str, Any], example: str) -> list[str]:
    """What a person should know before believing the scores; also that nothing was found, where it was looked for."""
    notes = []
    if summary["cut_from_train"]:
        notes.append(f"Cut from train by seed: {several(summary['cut_from_train'])}.")
    pairs = summary["duplicates"].items()
    repeated = [_repeated(splits, found, example) for splits, found in pairs if found["count"]]
    notes += repeated or [f"No {example} is repeated, within a split or across splits."]
    for splits, number in sorted(summary["near_duplicates"].items()):
        if number:
            earlier, _, later = splits.partition("/")
            verb = "stands" if number == 1 else "stand"
            notes.append(
                f"{count(number, example)} of {later} nearly {verb} in {earlier} (four words of five are the same)."
            )
    lacking = {split: summary["labels_missing"][split] for split in ORDER if summary["labels_missing"][split]}
    for split, labels in lacking.items():
        named = several([visible(label) for label in labels])
        effect = "nothing there teaches it" if split == "train" else "nothing there measures it"
        notes.append(f"{split} holds no {named}: {effect}.")
    if not lacking:
        notes.append("Every label occurs in every split.")
    return notes


def _repeated(splits: str, found: dict[str, Any], example: str) -> str:
    """``splits`` is one name, or ``earlier/later``."""
    earlier, _, later = splits.partition("/")
    number, places = found["count"], found["places"]
    named = "; ".join(f"{visible(place)} as {visible(first)}" for place, first in places[:EXAMPLES])
    where = f" ({named}{'; …' if number > EXAMPLES else ''})" if named else ""
    verb = "stands" if number == 1 else "stand"
    if later:
        effect = ", which flatters the score" if earlier == "train" else ""
        return f"{count(number, example)} of {later} {verb} in {earlier} too{where}{effect}."
    return f"{count(number, example)} of {earlier} {'repeats' if number == 1 else 'repeat'} an earlier one{where}."
