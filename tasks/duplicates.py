"""Rows whose inputs are the same, within a split and across splits (where they leak)."""

import hashlib
import json
from array import array
from collections.abc import Sequence
from typing import Any

from tasks.records import ABOUT, Example

SHOWN = 20  # places that are named for each pair of splits


class Duplicates:
    """Remembers each example by 16 bytes: 8 of its inputs' hash, the rest says where it stands."""

    def __init__(self, splits: Sequence[str]) -> None:
        self._splits = list(splits)
        self._files: dict[str, int] = {}
        self._hashes = array("Q")
        self._lines = array("I")
        self._places = array("I")  # number of the file times number of splits, plus number of the split

    def add(self, split: str, example: Example) -> None:
        """Take note of an example; the same words with other tags are a duplicate too."""
        inputs = {name: value for name, value in example.inputs.items() if name != ABOUT}
        text = json.dumps(inputs, sort_keys=True, separators=(",", ":"))
        file, _, line = example.id.rpartition(":")
        number = self._files.setdefault(file, len(self._files))
        self._hashes.append(int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little"))
        self._lines.append(int(line))
        self._places.append(number * len(self._splits) + self._splits.index(split))

    def summary(self) -> dict[str, Any]:
        """Count of repeated examples by ``"split"`` and by ``"earlier split/later split"``, and the first places.

        Within a split each example counts that has an equal one before it; across splits each example of the later
        split that occurs in the earlier one. A place is ``[file:line, file:line of the first equal one]``.
        """
        import numpy as np

        hashes = np.frombuffer(self._hashes, dtype=np.uint64)
        order = np.argsort(hashes, kind="stable")
        equal = hashes[order][1:] == hashes[order][:-1]
        starts = np.flatnonzero(np.diff(np.concatenate(([0], equal.astype(np.int8), [0]))) == 1)
        ends = np.flatnonzero(np.diff(np.concatenate(([0], equal.astype(np.int8), [0]))) == -1)
        found: dict[str, list[tuple[int, int]]] = {split: [] for split in self._splits}
        for one, first in enumerate(self._splits):
            found |= {f"{first}/{other}": [] for other in self._splits[one + 1 :]}
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            self._compare(sorted(order[start : end + 1].tolist()), found)
        return {
            key: {
                "count": len(pairs),
                "places": [[self._place(later), self._place(first)] for later, first in sorted(pairs)[:SHOWN]],
            }
            for key, pairs in found.items()
        }

    def _compare(self, group: list[int], found: dict[str, list[tuple[int, int]]]) -> None:
        """Sort the members of one group of equal examples into the pairs of splits."""
        firsts: dict[int, int] = {}
        for member in group:
            split = self._places[member] % len(self._splits)
            if split in firsts:
                found[self._splits[split]].append((member, firsts[split]))
            firsts.setdefault(split, member)
        for member in group:
            split = self._places[member] % len(self._splits)
            for earlier in sorted(firsts):
                if earlier < split:
                    found[f"{self._splits[earlier]}/{self._splits[split]}"].append((member, firsts[earlier]))

    def _place(self, member: int) -> str:
        file = list(self._files)[self._places[member] // len(self._splits)]
        return f"{file}:{self._lines[member]}"
