"""What costs most: the headline if just one kind of error, type or slice were right, read from focus.json."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.reporting.naming import Naming
from tasks.reporting.scores import unpacked


@dataclass(frozen=True, slots=True)
class Entry:
    """One kind, type or slice of validation.

    Attributes:
        figure: the headline within it, where it has one.
        right: what the headline over all would be if just these errors were right; ``gain`` is how much more.
    """

    dimension: str
    name: str
    errors: int
    gold: int
    predicted: int
    figure: float | None
    right: float
    gain: float


@dataclass(frozen=True, slots=True)
class Invariance:
    """Names swapped for others of the same type: of ``swapped`` entities, how many got another answer.

    ``lost`` were right before and are not after, ``gained`` the other way round.
    """

    swapped: int
    changed: int
    lost: int
    gained: int


@dataclass(frozen=True, slots=True)
class Focus:
    """What costs most.

    Attributes:
        value: the headline of validation.
        kinds: errors by kind; they sum to all errors.
        entries: kinds, types and slices by gain, the largest first.
        left_out: entries by dimension that evaluate did not keep.
        invariance: None where the task has no such test.
    """

    value: float
    kinds: dict[str, int]
    entries: tuple[Entry, ...]
    left_out: dict[str, int]
    invariance: Invariance | None

    @property
    def ranking(self) -> tuple[Entry, ...]:
        """What is worth work: entries with a gain, without the types and slices that do no worse than the whole.

        That a large slice holds many errors is no news.
        """
        return tuple(
            entry for entry in self.entries if entry.gain > 0 and (entry.figure is None or entry.figure < self.value)
        )

    def of(self, dimension: str) -> tuple[Entry, ...]:
        """The entries of one dimension, by gain."""
        return tuple(entry for entry in self.entries if entry.dimension == dimension)

    @property
    def slices(self) -> dict[str, tuple[Entry, ...]]:
        """The entries that are neither a kind nor a type, by dimension in the order of their largest gain."""
        dimensions = dict.fromkeys(entry.dimension for entry in self.entries)
        return {name: self.of(name) for name in dimensions if name not in ("kind", "type")}


def read_focus(path: Path, naming: Naming) -> Focus:
    """Read focus.json of evaluate.

    Raises:
        UserError: the file is missing or has another form.
    """

    def entry(own: dict[str, Any]) -> Entry:
        return Entry(
            dimension=own["dimension"],
            name=naming.name(own["dimension"], own["name"]),
            errors=own["errors"],
            gold=own["gold"],
            predicted=own["predicted"],
            figure=own["figure"],
            right=own["figure_if_right"],
            gain=own["gain"],
        )

    def focus(value: dict[str, Any]) -> Focus:
        swaps = value["invariance"]
        return Focus(
            value=value["headline"]["value"],
            kinds=dict(value["errors"]),
            entries=tuple(map(entry, value["entries"])),
            left_out=dict(value["left_out"]),
            invariance=swaps and Invariance(swaps["swapped"], swaps["changed"], swaps["lost"], swaps["gained"]),
        )

    return unpacked(path, focus)
