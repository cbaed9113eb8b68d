"""Cutting validation and test from train, by seed."""

import random
from array import array
from collections.abc import Iterable

from tasks.errors import UserError


class Cut:
    """Which split each row of train goes to, found from one pass over the rows and asked in the same order.

    Rows of one document stay together; a row without a document stands for itself. Documents are drawn in an order
    that depends on the seed alone (Python's Mersenne Twister, the same on every platform) until a split has its share:
    ``floor(fraction * rows + 1/2)`` rows, at least one. As a document is not divided a split may get more.

    A row without a document takes about 16 bytes, a document as much as its name.
    """

    def __init__(self) -> None:
        self._names: dict[str, int] = {}  # document: its unit
        self._unit_of_row = array("L")
        self._sizes = array("L")
        self._split_of_unit = bytearray()

    def add(self, document: str | None) -> None:
        """Take note of the next row of train."""
        unit = len(self._sizes) if document is None else self._names.setdefault(document, len(self._sizes))
        if unit == len(self._sizes):
            self._sizes.append(0)
        self._sizes[unit] += 1
        self._unit_of_row.append(unit)

    def draw(self, fractions: Iterable[float], seed: int) -> None:
        """Give split 1, 2, ... its fraction of all rows; the rest stays train. An empty train stays empty.

        Raises:
            UserError: nothing would be left for train.
        """
        rows = len(self._unit_of_row)
        self._split_of_unit = bytearray(len(self._sizes))
        order = list(range(len(self._sizes)))
        random.Random(seed).shuffle(order)
        for split, fraction in enumerate(fractions, start=1):
            wanted = max(1, int(fraction * rows + 0.5))
            while wanted > 0 and order:
                unit = order.pop()
                self._split_of_unit[unit] = split
                wanted -= self._sizes[unit]
        if rows and not order:
            units = f" in {len(self._sizes)} documents" if self._names else ""
            raise UserError(
                f"params.yaml: splits: nothing is left of train's {rows} rows{units} after "
                "validation and test are cut from it; lower preprocess.validation_fraction and test_fraction, "
                "or name files for these splits"
            )

    def split_of(self, row: int) -> int:
        """The split of a row by its number in train, from 0; 0 is train."""
        return self._split_of_unit[self._unit_of_row[row]]
