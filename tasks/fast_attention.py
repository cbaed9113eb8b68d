"""Self-attention of the fast path, forward and backward: over padded sentences anywhere, over packed ones on a GPU.

Over packed ones on a processor: tasks/compiled_attention.py.

Shapes: B sentences, T rows in all, h heads of d units, H = h * d. Both forms take query, key and value of every row
beside one another, (T, 3H), and give a context per row, (T, H), in the same type.
"""

import math
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from tasks.fast_operations import Dropped, Operations

aten = torch.ops.aten

Held = tuple[Tensor, ...]


@dataclass(frozen=True)
class Padded:
    """Sentences of the same number of sub-words, T = B * L: two products over all pairs and a softmax in float32.

    Attributes:
        operations: softmax and dropout.
        batch: B.
        length: L, padding among them.
        padding: what the operations know of it.
        dropped: dropout of the attention weights, (B * h, L, L); None for none.
    """

    operations: Operations
    batch: int
    length: int
    padding: Any
    dropped: Dropped

    def forward(self, qkv: Tensor, heads: int) -> tuple[Tensor, Held]:
        """The context, and what `backward` needs."""
        b, length, h = self.batch, self.length, heads
        d = qkv.shape[1] // 3 // h
        q, k, v = qkv.view(b, length, 3, h, d).permute(2, 0, 3, 1, 4).reshape(3, b * h, length, d).unbind(0)
        weights, kept = self.operations.attend(q, k, self.padding, self.dropped)
        context = torch.bmm(kept, v).view(b, h, length, d).transpose(1, 2).reshape(b * length, h * d)
        return context, (q, k, v, weights, kept)

    def backward(self, gradient: Tensor, held: Held, heads: int, g_bias: Tensor) -> Tensor:
        """The gradient of ``qkv`` from that of the context; its sum over the rows is written to ``g_bias``."""
        q, k, v, weights, kept = held
        b, length, h = self.batch, self.length, heads
        d = gradient.shape[1] // h
        g_c = gradient.view(b, length, h, d).transpose(1, 2).reshape(b * h, length, d)
        blocks = g_c.new_empty(3, *g_c.shape)
        torch.bmm(kept.transpose(1, 2), g_c, out=blocks[2])
        g_kept = torch.bmm(g_c, v.transpose(1, 2))
        g_s = self.operations.attend_backward(g_kept, weights, self.dropped, 1 / math.sqrt(d))
        torch.bmm(g_s, k, out=blocks[0])
        torch.bmm(g_s.transpose(1, 2), q, out=blocks[1])
        g_qkv = blocks.view(3, b, h, length, d).permute(1, 3, 0, 2, 4).reshape(b * length, 3 * h * d)
        torch.sum(g_qkv, 0, out=g_bias)
        return g_qkv


@dataclass(frozen=True)
class Packed:
    """Sentences behind one another without padding, none of which sees another: FlashAttention (Dao 2023) on a GPU.

    The kernels are those that torch has built in; they take bfloat16 and float16 alone. With
    torch.use_deterministic_algorithms their backward pass gives the same bits each time.

    Attributes:
        bounds: where each sentence begins, and the end of the last, int32 (B + 1,).
        longest: sub-words of the longest sentence.
        dropout: share of the attention weights that is dropped, by torch's own generator.
    """

    bounds: Tensor
    longest: int
    dropout: float

    def forward(self, qkv: Tensor, heads: int) -> tuple[Tensor, Held]:
        """The context, and what `backward` needs."""
        rows, width = qkv.shape
        q, k, v = qkv.view(rows, 3, heads, width // 3 // heads).unbind(1)
        out, *told = flash_forward(q, k, v, self.bounds, self.longest, self.dropout)
        return out.reshape(rows, width // 3), (q, k, v, out, *told)

    def backward(self, gradient: Tensor, held: Held, heads: int, g_bias: Tensor) -> Tensor:
        """The gradient of ``qkv`` from that of the context; its sum over the rows is written to ``g_bias``."""
        rows, width = gradient.shape
        g_out = gradient.view(rows, heads, width // heads)
        parts = flash_backward(g_out, held, self.bounds, self.longest, self.dropout)
        g_qkv = torch.stack(parts, 1).view(rows, 3 * width)
        torch.sum(g_qkv, 0, out=g_bias)
        return g_qkv


class Attention(Protocol):
    """Any of these, and tasks.compiled_attention.Tiled."""

    def forward(self, qkv: Tensor, heads: int) -> tuple[Tensor, Held]:
        """The context, and what `backward` needs."""

    def backward(self, gradient: Tensor, held: Held, heads: int, g_bias: Tensor) -> Tensor:
        """The gradient of ``qkv`` from that of the context; its sum over the rows is written to ``g_bias``."""


def flash_forward(q: Tensor, k: Tensor, v: Tensor, bounds: Tensor, longest: int, dropout: float) -> Held:
    """Context (T, h, d), logarithms of the sums of each softmax, and the state of the random numbers in two tensors."""
    found: Held = aten._flash_attention_forward(
        q, k, v, bounds, bounds, longest, longest, dropout, False, False, scale=1 / math.sqrt(q.shape[-1])
    )
    return found[:4]


def flash_backward(
    gradient: Tensor, held: Held, bounds: Tensor, longest: int, dropout: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of query, key and value, (T, h, d) each."""
    q, k, v, out, sums, *state = held
    found: tuple[Tensor, Tensor, Tensor] = aten._flash_attention_backward(
        gradient, q, k, v, out, sums, bounds, bounds, longest, longest, dropout, False, *state,
        scale=1 / math.sqrt(q.shape[-1]),
    )  # fmt: skip
    return found
