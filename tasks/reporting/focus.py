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
class Focus:
    """The errors of validation by kind, and all entries by gain, the largest first."""

    kinds: dict[str, int]
    entries: tuple[Entry, ...]

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

    return unpacked(path, lambda value: Focus(dict(value["errors"]), tuple(map(entry, value["entries"]))))
