"""Self-attention of the fast path, forward and backward: over padded sentences anywhere, over packed ones on a GPU.

Shapes: B sentences, T rows in all, h heads of d units, H = h * d. Both forms take query, key and value of every row
beside one another, (T, 3H), and give a context per row, (T, H), in the same type.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tasks.fast_operations import Dropped, Operations

aten = torch.ops.aten

Held = tuple[Tensor, ...]


@dataclass(frozen=True)
class Padded:
    """Products over all pairs of sub-words of a sentence, filled up to L of them, and a softmax in float32.

    Attributes:
        operations: softmax and dropout, and how rows come together and apart.
        starts: the row with which each sentence begins, and T, int64 (B + 1,).
        length: L, padding among them.
        padding: what the operations know of it.
        dropped: dropout of the attention weights, (B * h, L, L); None for none.
    """

    operations: Operations
    starts: Tensor
    length: int
    padding: Any
    dropped: Dropped

    def forward(self, qkv: Tensor, heads: int) -> tuple[Tensor, Held]:
        """The context, and what `backward` needs."""
        do = self.operations
        q, k, v = do.apart(qkv, self.starts, 3, heads, self.length)
        weights, kept = do.attend(q, k, self.padding, self.dropped)
        return do.together(torch.bmm(kept, v)[None], self.starts, len(qkv), None), (q, k, v, weights, kept)

    def backward(self, gradient: Tensor, held: Held, heads: int, g_bias: Tensor) -> Tensor:
        """The gradient of ``qkv`` from that of the context; its sum over the rows is written to ``g_bias``."""
        do = self.operations
        q, k, v, weights, kept = held
        g_c = do.apart(gradient, self.starts, 1, heads, self.length)[0]
        g_qkv = torch.empty(3, *g_c.shape, dtype=g_c.dtype, device=g_c.device)
        torch.bmm(kept.transpose(1, 2), g_c, out=g_qkv[2])
        g_kept = torch.bmm(g_c, v.transpose(1, 2))
        g_s = do.attend_backward(g_kept, weights, self.dropped, 1 / math.sqrt(q.shape[-1]))
        torch.bmm(g_s, k, out=g_qkv[0])
        torch.bmm(g_s.transpose(1, 2), q, out=g_qkv[1])
        return do.together(g_qkv, self.starts, len(gradient), g_bias)


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


Attention = Padded | Packed


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
