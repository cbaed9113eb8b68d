"""The layers of a BERT-like encoder with backward passes of their own: what the fast path computes, and nothing else.

Shapes: T rows, one for each sub-word (of B sentences padded to L sub-words each, or packed behind one another), H
hidden units. The residual stream and the layer norms are float32, the matrix products are in the work type (bfloat16
or float32), as under autocast.
Vaswani et al. 2017 with post-layer-norm and GELU, as in BERT (Devlin et al. 2019).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from tasks.fast_attention import Attention
from tasks.fast_operations import Dropped, Held, Operations

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
    """What a layer must know beside its weights: heads, epsilon of the norms, form of GELU, small operations."""

    heads: int
    epsilon: float
    gelu: str
    operations: Operations


def layer_forward(
    x: tuple[Tensor, Tensor],
    w: LayerWeights,
    attention: Attention,
    dropped: tuple[Dropped, Dropped],
    shape: Shape,
    rows: Tensor | None,
) -> tuple[tuple[Tensor, Tensor], Held]:
    """One layer: (T, H) to (T, H), or to (n, H) where only n rows are wanted; each in float32 and in the work type.

    Args:
        dropped: dropout of the layer's two branches.
        rows: those of the T that are wanted, each once, int64 (n,); None for all. The last layer's are those with a
            label: nobody reads the others, so they attend and are attended to, but go no further.

    Returns:
        What comes out, and what `layer_backward` needs.
    """
    stream, xw = x
    do = shape.operations
    qkv = do.linear(xw, w.qkv, w.qkv_bias)
    c, seen = attention.forward(qkv, shape.heads)
    if rows is not None:
        c, stream = c.index_select(0, rows), stream.index_select(0, rows)
    o = do.linear(c, w.out, w.out_bias)
    y, yw, held1 = do.norm(o, dropped[0], stream, w.norm1, w.norm1_bias, shape.epsilon)
    u = do.linear(yw, w.up, w.up_bias)
    a = aten.gelu(u, approximate=shape.gelu)
    z = do.linear(a, w.down, w.down_bias)
    out, out_w, held2 = do.norm(z, dropped[1], y, w.norm2, w.norm2_bias, shape.epsilon)
    return (out, out_w), (xw, seen, c, held1, yw, u, a, held2)


def layer_backward(
    gradient: tuple[Tensor, Tensor | None],
    held: Held,
    w: LayerWeights,
    attention: Attention,
    dropped: tuple[Dropped, Dropped],
    shape: Shape,
    rows: Tensor | None,
) -> tuple[Tensor, Tensor | None]:
    """The gradient of ``x`` from that of what came out; those of the weights are written to ``w.grads``.

    Gradients of the stream come in two parts that are still to be added, one in float32 and one in the work type.
    """
    xw, seen, c, held1, yw, u, a, held2 = held
    g = w.grads
    do = shape.operations
    norm2, norm1 = (w.norm2, w.norm2_bias), (w.norm1, w.norm1_bias)
    g_r2, g_z = do.norm_backward(gradient, held2, dropped[1], norm2, (g["norm2"], g["norm2_bias"], g["down_bias"]))
    g_a = do.linear_backward(g_z, a, w.down, g["down"])
    g_u = do.gelu_backward(g_a, u, shape.gelu, g["up_bias"])
    g_y = do.linear_backward(g_u, yw, w.up, g["up"])
    g_r1, g_o = do.norm_backward((g_r2, g_y), held1, dropped[0], norm1, (g["norm1"], g["norm1_bias"], g["out_bias"]))
    g_c = do.linear_backward(g_o, c, w.out, g["out"])
    if rows is not None:
        g_c = g_c.new_zeros(xw.shape).index_copy_(0, rows, g_c)
    g_qkv = attention.backward(g_c, seen, shape.heads, g["qkv_bias"])
    g_x = do.linear_backward(g_qkv, xw, w.qkv, g["qkv"])
    return (g_r1, g_x) if rows is None else (g_x.float().index_add_(0, rows, g_r1), None)


@dataclass(frozen=True)
class EmbeddingWeights:
    """Rows of the three tables that the data uses and the norm behind them, float32, and where their gradients go.

    ``grads`` has the same names and shapes; backward overwrites them, but adds to that of the words where ``cleared``.
    """

    words: Tensor
    positions: Tensor
    kind: Tensor
    norm: Tensor
    norm_bias: Tensor
    grads: dict[str, Tensor]
    cleared: bool = False


def embedding_forward(ids: Tensor, places: Tensor | None, w: EmbeddingWeights, epsilon: float) -> tuple[Tensor, Held]:
    """Sum of word, position and type embeddings, then a layer norm, (T, H) float32, and what the backward pass needs.

    Args:
        ids: rows of ``w.words``, (B, L); of packed sentences (T,).
        places: of each sub-word in its packed sentence, (T,); None for padded ones.
    """
    flat = ids.flatten()
    if places is None:
        total = w.words[flat].view(*ids.shape, -1) + (w.positions[: ids.shape[1]] + w.kind)
        total = total.flatten(0, 1)
    else:
        total = w.words[flat] + w.positions[places] + w.kind
    out, mean, rstd = aten.native_layer_norm(total, [total.shape[1]], w.norm, w.norm_bias, epsilon)
    return out, (ids, flat, places, total, mean, rstd)


def embedding_backward(gradient: Tensor, held: Held, w: EmbeddingWeights) -> None:
    """Write the gradients of the weights to ``w.grads`` from that of what came out."""
    ids, flat, places, total, mean, rstd = held
    g = w.grads
    g_total = _norm_backward(gradient, total, mean, rstd, w.norm, w.norm_bias, g["norm"], g["norm_bias"])
    (g["words"] if w.cleared else g["words"].zero_()).index_add_(0, flat, g_total)
    if places is None:
        by_position = g_total.view(*ids.shape, -1).sum(0)
        g["positions"].zero_()[: len(by_position)] = by_position
    else:
        by_position = g["positions"].zero_().index_add_(0, places, g_total)
    torch.sum(by_position, 0, out=g["kind"])


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
