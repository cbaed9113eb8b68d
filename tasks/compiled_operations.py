"""The small operations of the fast path on a processor, compiled: several of torch's in one pass over a row.

Shapes as in tasks/fast_operations.py. No mask of dropout is kept: each pass draws a unit's bits anew from the keys.
"""

import math
from typing import Any

import torch
from torch import Tensor

from tasks import attention_kernels, compiled_products, compiled_tiles, fast_kernels
from tasks.compiled import BITS
from tasks.fast_dropout import ALL, KeySource
from tasks.fast_operations import Dropped, Held, linear, linear_backward


class CompiledOperations:
    """Those of tasks.fast_operations by functions compiled for this processor."""

    def __init__(self, work: torch.dtype) -> None:
        kind = BITS[work]
        self._work, self._kind = work, kind
        self._drop, self._norm, self._norm_backward = (
            fast_kernels.drop(kind), fast_kernels.norm(kind), fast_kernels.norm_backward(kind),
        )  # fmt: skip
        self._softmax, self._softmax_backward = (
            attention_kernels.softmax(kind),
            attention_kernels.softmax_backward(kind),
        )
        self.dropout = KeySource()
        own = work == torch.bfloat16 and compiled_products.suits_processor()
        self._products = compiled_products.Products() if own else None

    def unpads(self, heads: int, hidden: int) -> bool:
        """As `Operations` says, and so are the others."""
        return self._products is not None and hidden % compiled_tiles.COLUMNS == 0 and hidden // heads in (32, 64)

    def drop(self, x: Tensor, dropped: Dropped) -> tuple[Tensor, Tensor]:
        draw = dropped or ALL
        y, low = torch.empty_like(x), torch.empty_like(x, dtype=self._work)
        self._drop(x.contiguous(), y, low, x.numel(), *draw)
        return y, low

    def norm(
        self, branch: Tensor, dropped: Dropped, stream: Tensor, weight: Tensor, bias: Tensor, epsilon: float
    ) -> tuple[Tensor, Tensor, Held]:
        rows, width = stream.shape
        y, r, low = torch.empty_like(stream), torch.empty_like(stream), torch.empty_like(branch)
        mean, inverse = torch.empty(2, rows).unbind()
        *keys, scale = dropped or ALL
        self._norm(branch, stream, y, low, r, mean, inverse, weight, bias, rows, width, *keys, epsilon, scale)
        return y, low, (r, mean, inverse)

    def norm_backward(
        self,
        gradient: tuple[Tensor, Tensor | None],
        held: Held,
        dropped: Dropped,
        weights: tuple[Tensor, Tensor],
        grads: tuple[Tensor, Tensor, Tensor],
    ) -> tuple[Tensor, Tensor]:
        whole, branch = gradient
        whole = whole.contiguous()
        r, mean, inverse = held
        rows, width = r.shape
        g_r, g_branch = torch.empty_like(r), torch.empty_like(r, dtype=self._work)
        parts = torch.empty(torch.get_num_threads(), 3, width)
        *keys, scale = dropped or ALL
        self._norm_backward(
            whole, whole if branch is None else branch, r, mean, inverse, weights[0], g_r, g_branch, *grads, parts,
            rows, width, *keys, branch is not None, scale,
        )  # fmt: skip
        return g_r, g_branch

    def linear(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        if self._products is not None and compiled_products.suits(*weight.shape):
            return self._products.linear(x, weight, bias)
        return linear(x, weight, bias)

    def linear_backward(self, gradient: Tensor, x: Tensor, weight: Tensor, g_weight: Tensor) -> Tensor:
        if self._products is not None and compiled_products.suits(*weight.shape):
            return self._products.linear_backward(gradient, x, weight, g_weight)
        return linear_backward(gradient, x, weight, g_weight)

    def gelu_backward(self, gradient: Tensor, x: Tensor, form: str, g_bias: Tensor) -> Tensor:
        rows, width = x.shape
        g_x, parts = torch.empty_like(x), torch.empty(torch.get_num_threads(), width)
        fast_kernels.gelu_backward(self._kind, form)(gradient, x, g_x, g_bias, parts, rows, width)
        return g_x

    def padding(self, mask: Tensor, heads: int) -> Any:  # noqa: ARG002
        return mask.sum(1)

    def attend(self, q: Tensor, k: Tensor, padding: Any, dropped: Dropped) -> tuple[Tensor, Tensor]:
        scores = torch.bmm(q, k.transpose(1, 2))
        weights, after = torch.empty_like(scores), torch.empty_like(scores)
        count, length, _ = scores.shape
        *keys, scale = dropped or ALL
        per = count * length // len(padding)
        self._softmax(
            scores, weights, after, padding, count * length, length, per, *keys, 1 / math.sqrt(q.shape[-1]), scale
        )
        return weights, after

    def attend_backward(self, gradient: Tensor, weights: Tensor, dropped: Dropped, scale: float) -> Tensor:
        length = gradient.shape[-1]
        *keys, share = dropped or ALL
        self._softmax_backward(gradient, weights, gradient.numel() // length, length, *keys, scale, share)
        return gradient
