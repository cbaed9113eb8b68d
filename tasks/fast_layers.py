"""The layers of a BERT-like encoder with backward passes of their own: what the fast path computes, and nothing else.

Shapes: T rows, one for each sub-word (of B sentences padded to L sub-words each, or packed behind one another), H
hidden units. The residual stream and the layer norms are float32, the matrix products are in the work type (bfloat16
or float32), as under autocast.
Vaswani et al. 2017 with post-layer-norm and GELU, as in BERT (Devlin et al. 2019).
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tasks.fast_attention import Attention

aten = torch.ops.aten


@dataclass(frozen=True)
class LayerWeights:
    """Weights of one layer in the work type (matrices, biases) and float32 (norms), and where their gradients go.

    ``qkv`` is (3H, H): query, key and value above one another. ``grads`` has the same names and shapes; backward
    overwrites them.
    """

    qkv: Tensor
    qkv_bias: Tensor
    out: Tensor
    out_bias: Tensor
    norm1: Tensor
    norm1_bias: Tensor
    up: Tensor
    up_bias: Tensor
    down: Tensor
    down_bias: Tensor
    norm2: Tensor
    norm2_bias: Tensor
    grads: dict[str, Tensor]


@dataclass(frozen=True)
class Shape:
    """What a layer must know beside its weights: heads, epsilon of the norms, form of GELU."""

    heads: int
    epsilon: float
    gelu: str


@dataclass(frozen=True)
class Masks:
    """Scaled dropout masks of a layer's two outputs in the work type, (T, H) each; None for no dropout."""

    first: Tensor | None
    second: Tensor | None


class EncoderLayer(torch.autograd.Function):
    """One layer: (T, H) float32 to (T, H) float32, or to (n, H) where only n rows are wanted."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        w: LayerWeights,
        attention: Attention,
        masks: Masks,
        shape: Shape,
        rows: Tensor | None,
    ) -> Tensor:
        """``rows``: those of the T that are wanted, each once, int64 (n,); None for all. The last layer's are those
        with a label: nobody reads the others, so they attend and are attended to, but go no further.
        """
        hidden = x.shape[1]
        work = w.qkv.dtype
        xw = x.to(work)
        qkv = aten.linear(xw, w.qkv, w.qkv_bias)
        c, seen = attention.forward(qkv, shape.heads)
        stream = x
        if rows is not None:
            c, stream = c.index_select(0, rows), x.index_select(0, rows)
        o = aten.linear(c, w.out, w.out_bias)
        if masks.first is not None:
            o.mul_(masks.first)
        r1 = stream + o
        y, mean1, rstd1 = aten.native_layer_norm(r1, [hidden], w.norm1, w.norm1_bias, shape.epsilon)
        yw = y.to(work)
        u = aten.linear(yw, w.up, w.up_bias)
        a = aten.gelu(u, approximate=shape.gelu)
        z = aten.linear(a, w.down, w.down_bias)
        if masks.second is not None:
            z.mul_(masks.second)
        r2 = y + z
        out, mean2, rstd2 = aten.native_layer_norm(r2, [hidden], w.norm2, w.norm2_bias, shape.epsilon)
        ctx.held = (xw, seen, c, r1, mean1, rstd1, yw, u, a, r2, mean2, rstd2)
        ctx.w, ctx.attention, ctx.masks, ctx.shape, ctx.rows = w, attention, masks, shape, rows
        result: Tensor = out
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None, None, None]:
        xw, seen, c, r1, mean1, rstd1, yw, u, a, r2, mean2, rstd2 = ctx.held
        w, masks, shape, rows = ctx.w, ctx.masks, ctx.shape, ctx.rows
        ctx.held = None
        g = w.grads
        work = w.qkv.dtype
        g_r2 = _norm_backward(gradient, r2, mean2, rstd2, w.norm2, w.norm2_bias, g["norm2"], g["norm2_bias"])
        g_z = g_r2.to(work) if masks.second is None else masks.second * g_r2.to(work)
        g_a = _linear_backward(g_z, a, w.down, g["down"], g["down_bias"])
        g_u = aten.gelu_backward(g_a, u, approximate=shape.gelu)
        g_y = g_r2 + _linear_backward(g_u, yw, w.up, g["up"], g["up_bias"])
        g_r1 = _norm_backward(g_y, r1, mean1, rstd1, w.norm1, w.norm1_bias, g["norm1"], g["norm1_bias"])
        g_o = g_r1.to(work) if masks.first is None else masks.first * g_r1.to(work)
        g_c = _linear_backward(g_o, c, w.out, g["out"], g["out_bias"])
        if rows is not None:
            g_c = g_c.new_zeros(xw.shape).index_copy_(0, rows, g_c)
        g_qkv = ctx.attention.backward(g_c, seen, shape.heads)
        g_x = _linear_backward(g_qkv, xw, w.qkv, g["qkv"], g["qkv_bias"])
        g_x = g_r1 + g_x if rows is None else g_x.float().index_add_(0, rows, g_r1)
        return g_x, None, None, None, None, None


class Embedding(torch.autograd.Function):
    """Sum of word, position and type embeddings, then a layer norm: ids to (T, H) float32.

    The ids are (B, L); those of packed sentences (T,), with the place of each in its sentence as ``places``, (T,).
    """

    @staticmethod
    def forward(
        ctx: Any,
        anchor: Tensor,  # noqa: ARG004
        ids: Tensor,
        places: Tensor | None,
        words: Tensor,
        positions: Tensor,
        kind: Tensor,
        norm: Tensor,
        norm_bias: Tensor,
        grads: dict[str, Tensor],
        epsilon: float,
    ) -> Tensor:
        """``anchor`` is any tensor that requires a gradient: without one autograd would not come here."""
        flat = ids.flatten()
        if places is None:
            total = words[flat].view(*ids.shape, -1) + (positions[: ids.shape[1]] + kind)
            total = total.flatten(0, 1)
        else:
            total = words[flat] + positions[places] + kind
        out, mean, rstd = aten.native_layer_norm(total, [total.shape[1]], norm, norm_bias, epsilon)
        ctx.held = (flat, places, total, mean, rstd, norm, norm_bias)
        ctx.grads, ctx.shape = grads, ids.shape
        result: Tensor = out
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, ...]:
        flat, places, total, mean, rstd, norm, norm_bias = ctx.held
        ctx.held = None
        g = ctx.grads
        g_total = _norm_backward(gradient, total, mean, rstd, norm, norm_bias, g["norm"], g["norm_bias"])
        g["words"].zero_().index_add_(0, flat, g_total)
        if places is None:
            by_position = g_total.view(*ctx.shape, -1).sum(0)
            g["positions"].zero_()[: len(by_position)] = by_position
        else:
            by_position = g["positions"].zero_().index_add_(0, places, g_total)
        torch.sum(by_position, 0, out=g["kind"])
        return (None,) * 10


def _linear_backward(gradient: Tensor, x: Tensor, weight: Tensor, g_weight: Tensor, g_bias: Tensor) -> Tensor:
    """Write the gradients of ``x @ weight.T + bias`` for weight and bias; return the one for x."""
    torch.mm(gradient.t(), x, out=g_weight)
    torch.sum(gradient, 0, out=g_bias)
    return gradient @ weight


def _norm_backward(
    gradient: Tensor,
    x: Tensor,
    mean: Tensor,
    rstd: Tensor,
    weight: Tensor,
    bias: Tensor,
    g_weight: Tensor,
    g_bias: Tensor,
) -> Tensor:
    g_x, g_w, g_b = aten.native_layer_norm_backward(
        gradient.contiguous(), x, [x.shape[1]], mean, rstd, weight, bias, [True, True, True]
    )
    g_weight.copy_(g_w)
    g_bias.copy_(g_b)
    return g_x  # type: ignore[no-any-return]
