"""AdamW over a table of which a step reads few rows: the others are brought up to date when they are read next.

Rows without a gradient move all the same, by what is left of their moments and by weight decay. For all of them in each
step that moves 28 bytes a number; here a row makes up for the updates that it has missed, one after the other, while it
is in the processor's cache. Per number these are the same operations in the same order, so the bits are the same.
"""

import numpy as np
import torch
from torch import Tensor

from tasks.flat_kernels import Rates, rows_caught_up, rows_updated


class LateRows:
    """A table, its moments and its gradient, (R, H) float32 each, all parts of larger vectors.

    Attributes:
        rows: those that were read since the last update, ascending, int64.
    """

    def __init__(self, table: Tensor, first: Tensor, second: Tensor, gradient: Tensor) -> None:
        """Nothing is copied; all rows are up to date and the gradient is 0."""
        self._table, self._first, self._second, self._gradient = table, first, second, gradient
        self._all = torch.arange(len(table))
        self._written = self._all[:0]  # rows whose gradient is not 0
        self._betas = (0.0, 0.0)
        self.rows = self._all[:0]
        self.restart(0)

    def restart(self, steps: int) -> None:
        """All rows have had this many updates."""
        self._base = self._steps = steps
        self._known = torch.full((len(self._table),), steps)
        self._past = np.empty((64, 3), np.float32)

    def read(self, ids: Tensor) -> None:
        """Bring the rows with these numbers up to date and clear the gradient, before a batch with them runs."""
        rows = torch.unique(ids)
        self._gradient.index_fill_(0, self._written, 0.0)
        self._written = rows
        self.rows = rows if len(self.rows) == 0 else torch.unique(torch.cat([self.rows, rows]))
        self._catch_up(rows)

    def norm_parts(self) -> Tensor:
        """The gradients of the rows that were read, one after the other."""
        return self._gradient.index_select(0, self.rows).flatten()

    def update(self, gradient: Tensor | None, scale: float, rates: Rates) -> None:
        """One update, now for the rows that were read and later for the others.

        Args:
            gradient: (R, H) instead of the one that backward wrote; only the rows that were read may differ from 0.
        """
        if self._steps - self._base == len(self._past):
            self._past = np.concatenate([self._past, np.empty_like(self._past)])
        self._past[self._steps - self._base] = rates.kept, rates.rate, rates.epsilon
        self._betas = rates.betas
        self._steps += 1
        count, width = self._table.shape
        rows_updated()(
            self._table, self._first, self._second, self._gradient if gradient is None else gradient, self.rows,
            len(self.rows), width, count, 1 / scale, rates.kept, rates.rate, rates.epsilon, *rates.betas,
        )  # fmt: skip
        self._known[self.rows] = self._steps
        self.rows = self._all[:0]

    def finish(self) -> None:
        """Bring all rows up to date."""
        self._catch_up(self._all)

    def _catch_up(self, rows: Tensor) -> None:
        if self._steps > self._base:
            count, width = self._table.shape
            rows_caught_up()(
                self._table, self._first, self._second, self._known, rows, len(rows), width, count,
                self._past.ctypes.data, self._steps, self._base, *self._betas,
            )  # fmt: skip
