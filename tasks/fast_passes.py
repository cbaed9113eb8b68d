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
    Held,
    LayerWeights,
    Masks,
    Shape,
    embedding_backward,
    embedding_forward,
    layer_backward,
    layer_forward,
)

Backward = Callable[[Tensor], None]


@dataclass(frozen=True)
class Tape:
    """What the backward pass needs of a forward pass; what is not trained leaves nothing."""

    embedding: Held | None
    first: Tensor | None
    last: Tensor | None
    layers: list[tuple[int, Held, Attention, Masks, Tensor | None]]


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
    def masks(self) -> int:
        """How many dropout masks `forward` wants."""
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
        masks: Sequence[Tensor | None],
        rows: Tensor | None,
    ) -> tuple[Tensor, Tape]:
        """Hidden states of the last layer after dropout, float32 (T, H), or of ``rows`` alone, (n, H).

        Args:
            ids: rows of the embedding, (B, L) or packed (T,).
            places: of each packed sub-word in its sentence, (T,).
            attentions: one for each layer.
            masks: `masks` of them, (T, H) in the work type, or None each; of ``rows`` alone the first n of each.
            rows: int64 (n,), each once.
        """
        hidden, held = embedding_forward(ids, places, self.embedding, self.shape.epsilon)
        first, *others, last = masks
        hidden = hidden if first is None else hidden * first
        tape = Tape(None if self.frozen else held, first, _top(last, rows), [])
        for number, (weights, attention) in enumerate(zip(self.layers, attentions, strict=True)):
            wanted = rows if number == len(self.layers) - 1 else None
            drop = Masks(_top(others[2 * number], wanted), _top(others[2 * number + 1], wanted))
            hidden, held = layer_forward(hidden, weights, attention, drop, self.shape, wanted)
            if number >= self.frozen:
                tape.layers.append((number, held, attention, drop, wanted))
        return hidden if tape.last is None else hidden * tape.last, tape

    def backward(self, gradient: Tensor, tape: Tape) -> None:
        """Write the gradients of all weights from that of the hidden states; empties the tape."""
        gradient = gradient if tape.last is None else gradient * tape.last
        while tape.layers:
            number, held, attention, drop, rows = tape.layers.pop()
            gradient = layer_backward(gradient, held, self.layers[number], attention, drop, self.shape, rows)
        if tape.embedding is not None:
            gradient = gradient if tape.first is None else gradient * tape.first
            embedding_backward(gradient, tape.embedding, self.embedding)


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


def _top(mask: Tensor | None, rows: Tensor | None) -> Tensor | None:
    """As much of a dropout mask as these rows need."""
    return mask if rows is None or mask is None else mask[: len(rows)]
