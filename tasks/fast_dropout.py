"""Dropout masks of the fast path: eight random bits per unit, drawn 64 at a time."""

import math

import torch
from torch import Tensor

BYTES = 256  # dropout is drawn in 256ths


class MaskSource:
    """Draws masks on a device, by a generator of its own.

    Attributes:
        generator: to be seeded before each step.
    """

    def __init__(self, device: torch.device, work_type: torch.dtype) -> None:
        self.generator = torch.Generator(device=device)
        self._device, self._work_type = device, work_type

    def draw(self, share: float, shape: tuple[int, ...]) -> Tensor | None:
        """Zeros with probability ``share``, rounded to 256ths, and the inverse of what is kept elsewhere."""
        limit = round(share * BYTES)
        if limit == 0:
            return None
        numbers = torch.empty(math.prod(shape) // 8 + 1, dtype=torch.long, device=self._device)
        numbers.random_(-(2**63), None, generator=self.generator)  # all 64 bits, eight units each
        kept = torch.empty(math.prod(shape), dtype=self._work_type, device=self._device)
        torch.ge(numbers.view(torch.uint8)[: len(kept)], limit, out=kept)  # no bool in between: a tenth of the time
        return kept.mul_(BYTES / max(BYTES - limit, 1)).view(shape)

    def several(self, share: float, count: int, shape: tuple[int, ...]) -> list[Tensor | None]:
        """As many masks, drawn at once."""
        drawn = self.draw(share, (count, *shape))
        return [None] * count if drawn is None else list(drawn.unbind(0))
