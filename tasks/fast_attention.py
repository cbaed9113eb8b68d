"""Self-attention of the fast path, forward and backward: over padded sentences anywhere, over packed ones on a GPU.

Shapes: B sentences, T rows in all, h heads of d units, H = h * d. Both forms take query, key and value of every row
beside one another, (T, 3H), and give a context per row, (T, H), in the same type.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

aten = torch.ops.aten

Held = tuple[Tensor, ...]


@dataclass(frozen=True)
class Padded:
    """Sentences of the same number of sub-words, T = B * L: two products over all pairs and a softmax in float32.

    Attributes:
        batch: B.
        length: L, padding among them.
        bias: (B * h, 1, L) in the work type, far below 0 at padding; None where nothing is padded.
        mask: scaled dropout mask of the attention weights in the work type, (B * h, L, L); None for no dropout.
    """

    batch: int
    length: int
    bias: Tensor | None
    mask: Tensor | None

    def forward(self, qkv: Tensor, heads: int) -> tuple[Tensor, Held]:
        """The context, and what `backward` needs."""
        b, length, h = self.batch, self.length, heads
        d = qkv.shape[1] // 3 // h
        q, k, v = qkv.view(b, length, 3, h, d).permute(2, 0, 3, 1, 4).reshape(3, b * h, length, d).unbind(0)
        scale = 1 / math.sqrt(d)
        if self.bias is None:
            scores = torch.bmm(q, k.transpose(1, 2)).mul_(scale)
        else:
            scores = torch.baddbmm(self.bias, q, k.transpose(1, 2), alpha=scale)
        p = torch.softmax(scores, -1, dtype=torch.float32).to(qkv.dtype)
        kept = p if self.mask is None else p * self.mask
        return torch.bmm(kept, v).view(b, h, length, d).transpose(1, 2).reshape(b * length, h * d), (q, k, v, p)

    def backward(self, gradient: Tensor, held: Held, heads: int) -> Tensor:
        """The gradient of ``qkv`` from that of the context."""
        q, k, v, p = held
        b, length, h = self.batch, self.length, heads
        d = gradient.shape[1] // h
        g_c = gradient.view(b, length, h, d).transpose(1, 2).reshape(b * h, length, d)
        kept = p if self.mask is None else p * self.mask
        g_v = torch.bmm(kept.transpose(1, 2), g_c)
        g_p = torch.bmm(g_c, v.transpose(1, 2))
        if self.mask is not None:
            g_p.mul_(self.mask)
        g_s = aten._softmax_backward_data(g_p.float(), p.float(), -1, torch.float32)
        g_s = g_s.mul_(1 / math.sqrt(d)).to(q.dtype)
        g_qkv = torch.stack((torch.bmm(g_s, k), torch.bmm(g_s.transpose(1, 2), q), g_v))
        return g_qkv.view(3, b, h, length, d).permute(1, 3, 0, 2, 4).reshape(b * length, 3 * h * d)


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

    def backward(self, gradient: Tensor, held: Held, heads: int) -> Tensor:
        """The gradient of ``qkv`` from that of the context."""
        rows, width = gradient.shape
        g_out = gradient.view(rows, heads, width // heads)
        parts = flash_backward(g_out, held, self.bounds, self.longest, self.dropout)
        return torch.stack(parts, 1).view(rows, 3 * width)


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
