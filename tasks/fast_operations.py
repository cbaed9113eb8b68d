"""The small operations of the fast path: what they are, and by torch; tasks/compiled_operations.py has them compiled.

Shapes: T rows of H units, the residual stream in float32, the branches (what the matrix products take and give) in the
work type, bfloat16 or float32. Both forms compute the same but for rounding and the random numbers of dropout.
"""

import math
from typing import Any, Protocol

import torch
from torch import Tensor

from tasks.fast_dropout import MaskSource, Source
from tasks.openmp import available

aten = torch.ops.aten

Dropped = Any  # a mask or a Draw, whatever the source of the same operations gives; None for no dropout
Held = tuple[Any, ...]


class Operations(Protocol):
    """What a layer is made of."""

    @property
    def dropout(self) -> Source:
        """Where ``Dropped`` comes from."""

    def unpads(self, heads: int, hidden: int) -> bool:
        """Whether such an encoder takes sentences without padding (tasks.compiled_attention), any number of rows."""

    def drop(self, x: Tensor, dropped: Dropped) -> tuple[Tensor, Tensor]:
        """Dropout of (T, H) float32: the result, and the same in the work type."""

    def norm(
        self, branch: Tensor, dropped: Dropped, stream: Tensor, weight: Tensor, bias: Tensor, epsilon: float
    ) -> tuple[Tensor, Tensor, Held]:
        """Layer norm of ``stream`` plus the branch after dropout, in float32 and in the work type, and what is kept."""

    def norm_backward(
        self,
        gradient: tuple[Tensor, Tensor | None],
        held: Held,
        dropped: Dropped,
        weights: tuple[Tensor, Tensor],
        grads: tuple[Tensor, Tensor, Tensor],
    ) -> tuple[Tensor, Tensor]:
        """The gradients of stream, float32, and branch, work type.

        Args:
            gradient: of the norm's result: float32, and what else to add, in the work type.
            weights: weight and bias.
            grads: where the gradients of weight and bias go, and the sum of the branch's over its rows.
        """

    def linear(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """``x @ weight.T + bias``, (T, N), from (T, K), (N, K) and (N,), all in the work type."""

    def linear_backward(self, gradient: Tensor, x: Tensor, weight: Tensor, g_weight: Tensor) -> Tensor:
        """Write the gradient of ``x @ weight.T`` for weight; return the one for x."""

    def gelu_backward(self, gradient: Tensor, x: Tensor, form: str, g_bias: Tensor) -> Tensor:
        """The gradient of ``x``, whose sum over the rows is written to ``g_bias``."""

    def padding(self, mask: Tensor, heads: int) -> Any:
        """What `attend` wants to know of the padding of a batch whose attention mask is (B, L)."""

    def attend(self, q: Tensor, k: Tensor, padding: Any, dropped: Dropped) -> tuple[Tensor, Tensor]:
        """Weights of attention (B * h, L, L) before and after dropout; queries and keys are (B * h, L, d)."""

    def attend_backward(self, gradient: Tensor, weights: Tensor, dropped: Dropped, scale: float) -> Tensor:
        """The gradient of the scores times ``scale``, from that of the weights after dropout, which is overwritten."""


def operations(work: torch.dtype, device: torch.device) -> Operations:
    """The faster form that runs here."""
    if device.type == "cpu" and available():
        from tasks.compiled_operations import CompiledOperations  # Numba takes a fifth of a second to import

        return CompiledOperations(work)
    return TorchOperations(work, device)


class TorchOperations:
    """By torch's own operations, one after the other."""

    def __init__(self, work: torch.dtype, device: torch.device) -> None:
        self._work = work
        self.dropout = MaskSource(device, work)

    def unpads(self, heads: int, hidden: int) -> bool:  # noqa: ARG002
        """As `Operations` says, and so are the others."""
        return False

    def drop(self, x: Tensor, dropped: Dropped) -> tuple[Tensor, Tensor]:
        y = x if dropped is None else x * dropped
        return y, y.to(self._work)

    def norm(
        self, branch: Tensor, dropped: Dropped, stream: Tensor, weight: Tensor, bias: Tensor, epsilon: float
    ) -> tuple[Tensor, Tensor, Held]:
        r = stream + (branch if dropped is None else branch.mul_(dropped))
        y, mean, inverse = aten.native_layer_norm(r, [r.shape[1]], weight, bias, epsilon)
        return y, y.to(self._work), (r, mean, inverse)

    def norm_backward(
        self,
        gradient: tuple[Tensor, Tensor | None],
        held: Held,
        dropped: Dropped,
        weights: tuple[Tensor, Tensor],
        grads: tuple[Tensor, Tensor, Tensor],
    ) -> tuple[Tensor, Tensor]:
        whole, branch = gradient
        whole = whole if branch is None else whole + branch
        r, mean, inverse = held
        g_r, *found = aten.native_layer_norm_backward(
            whole.contiguous(), r, [r.shape[1]], mean, inverse, *weights, [True, True, True]
        )
        for place, value in zip(grads, found, strict=False):
            place.copy_(value)
        g_branch = g_r.to(self._work)
        g_branch = g_branch if dropped is None else dropped * g_branch
        torch.sum(g_branch, 0, out=grads[2])
        return g_r, g_branch

    def linear(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return linear(x, weight, bias)

    def linear_backward(self, gradient: Tensor, x: Tensor, weight: Tensor, g_weight: Tensor) -> Tensor:
        return linear_backward(gradient, x, weight, g_weight)

    def gelu_backward(self, gradient: Tensor, x: Tensor, form: str, g_bias: Tensor) -> Tensor:
        g_x: Tensor = aten.gelu_backward(gradient, x, approximate=form)
        torch.sum(g_x, 0, out=g_bias)
        return g_x

    def padding(self, mask: Tensor, heads: int) -> Any:
        away = (1 - mask).to(self._work) * torch.finfo(self._work).min / 2
        return away[:, None, None, :].expand(-1, heads, 1, -1).reshape(-1, 1, mask.shape[1])

    def attend(self, q: Tensor, k: Tensor, padding: Any, dropped: Dropped) -> tuple[Tensor, Tensor]:
        scores = torch.baddbmm(padding, q, k.transpose(1, 2), alpha=1 / math.sqrt(q.shape[-1]))
        weights = torch.softmax(scores, -1, dtype=torch.float32).to(self._work)
        return weights, weights if dropped is None else weights * dropped

    def attend_backward(self, gradient: Tensor, weights: Tensor, dropped: Dropped, scale: float) -> Tensor:
        gradient = gradient if dropped is None else gradient.mul_(dropped)
        g_scores = aten._softmax_backward_data(gradient.float(), weights.float(), -1, torch.float32)
        return g_scores.mul_(scale).to(self._work)  # type: ignore[no-any-return]


def linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """`Operations.linear` by torch."""
    y: Tensor = aten.linear(x, weight, bias)
    return y


def linear_backward(gradient: Tensor, x: Tensor, weight: Tensor, g_weight: Tensor) -> Tensor:
    """`Operations.linear_backward` by torch."""
    torch.mm(gradient.t(), x, out=g_weight)
    return gradient @ weight
