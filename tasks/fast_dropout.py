"""Dropout of the fast path: masks from eight random bits per unit, or keys from which a unit's bits follow anywhere."""

import math
import random
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

BYTES = 256  # masks are drawn in 256ths


class Source(Protocol):
    """Where the dropout of a step comes from."""

    def seed(self, number: int) -> None:
        """Begin a step; all that follows comes from this number."""

    def several(self, share: float, count: int, shape: tuple[int, ...]) -> list[Any]:
        """Dropout of ``count`` tensors of a shape; None each where the share is 0."""


class MaskSource:
    """Draws masks on a device, by a generator of its own.

    Attributes:
        generator: what `seed` seeds.
    """

    def __init__(self, device: torch.device, work_type: torch.dtype) -> None:
        self.generator = torch.Generator(device=device)
        self._device, self._work_type = device, work_type

    def seed(self, number: int) -> None:
        """Begin a step."""
        self.generator.manual_seed(number)

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


class Draw(NamedTuple):
    """One dropout: two keys of 32 bits, the limit below which a unit's 32 bits drop it, the inverse of what is kept."""

    first: int
    second: int
    limit: int
    scale: float


ALL = Draw(0, 0, 0, 1.0)  # keeps all


class KeySource:
    """Gives keys, for operations that draw the bits of a unit where they need them (tasks.compiled.kept)."""

    def __init__(self) -> None:
        self._source = random.Random(0)

    def seed(self, number: int) -> None:
        """Begin a step."""
        self._source.seed(number)

    def several(self, share: float, count: int, shape: tuple[int, ...]) -> list[Draw | None]:  # noqa: ARG002
        """As many draws; their shape does not matter."""
        limit = round(share * 2**32)
        if limit == 0:
            return [None] * count
        bits = self._source.getrandbits
        return [Draw(bits(32), bits(32), limit, 1 / (1 - share)) for _ in range(count)]
