"""The encoder of the fast path as one function with a backward pass of its own: from sub-words to the rows of a head.

Embeddings and layers call one another without autograd, so that a pass is the same sequence of operations each time: on
a processor it runs as it stands, on a card it is recorded (tasks/fast_graphs.py).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tasks.fast_attention import Attention
from tasks.fast_layers import (
    EmbeddingWeights,
    LayerWeights,
    Shape,
    embedding_backward,
    embedding_forward,
    layer_backward,
    layer_forward,
)
from tasks.fast_operations import Dropped, Held

Backward = Callable[[Tensor], None]


@dataclass(frozen=True)
class Tape:
    """What the backward pass needs of a forward pass; what is not trained leaves nothing."""

    embedding: Held | None
    first: Dropped
    last: Dropped
    layers: list[tuple[int, Held, Attention, tuple[Dropped, Dropped], Tensor | None]]


@dataclass(frozen=True)
class Passes:
    """The forward and the backward pass over one batch.

    Attributes:
        embedding: its weights, without places for gradients where it is not trained.
        layers: their weights, likewise.
        shape: what they share.
        frozen: lower layers that are not trained; above 0 the embeddings are not either.
    """

    embedding: EmbeddingWeights
    layers: Sequence[LayerWeights]
    shape: Shape
    frozen: int

    @property
    def dropouts(self) -> int:
        """How many dropouts `forward` wants."""
        return 2 * len(self.layers) + 2

    @property
    def idle(self) -> bool:
        """Whether nothing of it is trained, so that there is nothing to do in the backward pass."""
        return self.frozen == len(self.layers)

    def forward(
        self,
        ids: Tensor,
        places: Tensor | None,
        attentions: Sequence[Attention],
        dropped: Sequence[Dropped],
        rows: Tensor | None,
    ) -> tuple[Tensor, Tape]:
        """Hidden states of the last layer after dropout, float32 (T, H), or of ``rows`` alone, (n, H).

        Args:
            ids: rows of the embedding, (B, L) or packed (T,).
            places: of each packed sub-word in its sentence, (T,).
            attentions: one for each layer.
            dropped: `dropouts` of them, (T, H) each; of ``rows`` alone the first n rows count.
            rows: int64 (n,), each once.
        """
        do = self.shape.operations
        hidden, held = embedding_forward(ids, places, self.embedding, self.shape.epsilon)
        first, *others, last = dropped
        both = do.drop(hidden, first)
        tape = Tape(None if self.frozen else held, first, _top(last, rows), [])
        for number, (weights, attention) in enumerate(zip(self.layers, attentions, strict=True)):
            wanted = rows if number == len(self.layers) - 1 else None
            drop = _top(others[2 * number], wanted), _top(others[2 * number + 1], wanted)
            both, held = layer_forward(both, weights, attention, drop, self.shape, wanted)
            if number >= self.frozen:
                tape.layers.append((number, held, attention, drop, wanted))
        return do.drop(both[0], tape.last)[0], tape

    def backward(self, gradient: Tensor, tape: Tape) -> None:
        """Write the gradients of all weights from that of the hidden states; empties the tape."""
        do = self.shape.operations
        parts: tuple[Tensor, Tensor | None] = do.drop(gradient, tape.last)[0], None
        while tape.layers:
            number, held, attention, drop, rows = tape.layers.pop()
            parts = layer_backward(parts, held, self.layers[number], attention, drop, self.shape, rows)
        if tape.embedding is not None:
            whole = parts[0] if parts[1] is None else parts[0] + parts[1]
            embedding_backward(do.drop(whole, tape.first)[0], tape.embedding, self.embedding)


class Through(torch.autograd.Function):
    """Lets autograd, which knows the head and the loss, call a backward pass of our own."""

    @staticmethod
    def forward(ctx: Any, anchor: Tensor, hidden: Tensor, backward: Backward) -> Tensor:  # noqa: ARG004
        """``hidden`` as it is. ``anchor`` is any tensor that requires a gradient, for else autograd comes not here."""
        ctx.pass_back = backward
        return hidden.view_as(hidden)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, None, None]:
        """Once."""
        ctx.pass_back(gradient)
        ctx.pass_back = None
        return None, None, None


def _top(dropped: Dropped, rows: Tensor | None) -> Dropped:
    """As much of a dropout as these rows need: a mask has a row for each, keys suit any number."""
    return dropped[: len(rows)] if isinstance(dropped, Tensor) and rows is not None else dropped
