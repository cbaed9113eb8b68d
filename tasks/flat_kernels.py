"""AdamW on a processor in two passes over the numbers: one for the norm of the gradient, one for the update."""

import functools
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tasks.compiled import BITS, Function, arguments, barrier, function, narrow, numbers, share, thread, threads, widen

PIECE = 4096  # squares that are summed in float32 before they go into a sum in float64


def norm(gradients: Iterable[Tensor]) -> Tensor:
    """Norm of several vectors together, shape (), float64."""
    total = torch.zeros(1, dtype=torch.float64)
    parts = torch.empty(torch.get_num_threads(), dtype=torch.float64)
    for gradient in gradients:
        squares(BITS[gradient.dtype])(gradient, total, len(gradient), parts)
    return total.sqrt().squeeze(0)


def update(
    master: Tensor,
    first: Tensor,
    second: Tensor,
    gradient: Tensor,
    work: Tensor | None,
    *,
    rate: float,
    decay: float,
    betas: tuple[float, float],
    epsilon: float,
    scale: float,
    steps: float,
) -> None:
    """One update of a vector of parameters and its moments, float32, in place.

    Args:
        gradient: bfloat16 or float32; it is divided by ``scale``.
        work: where the parameters also go in bfloat16.
        rate: learning rate.
        steps: that of this update, from 1.
    """
    beta1, beta2 = betas
    root = math.sqrt(1 - beta2**steps)
    adamw(BITS[gradient.dtype], low=work is not None)(
        master, first, second, gradient, 0 if work is None else work, len(master),
        1 / scale, 1 - rate * decay, rate / (1 - beta1**steps) * root,
        beta1, beta2, 1 - beta1, 1 - beta2, epsilon * root,
    )  # fmt: skip


@functools.cache
def squares(work: Any) -> Function:
    """Sum of the squares of numbers of one type, in float64, added to what stands in the result."""
    size = np.dtype(work).itemsize

    @function(4)
    def body(p: Any) -> None:
        a, _ = arguments(p)
        begin, end = share(a[2])
        count = end - begin
        x = numbers(a[0] + size * begin, count, work)
        parts = numbers(a[3], np.int64(threads()), np.float64)
        total = np.float64(0)
        for start in range(0, count, PIECE):
            piece = x[start : min(start + PIECE, count)]
            part = np.float32(0)
            for j in range(len(piece)):
                v = widen(piece[j])
                part += v * v
            total += np.float64(part)
        parts[np.int64(thread())] = total
        barrier()
        if thread() == 0:
            result = numbers(a[1], 1, np.float64)
            for k in range(len(parts)):
                result[0] += parts[k]

    return body


@functools.cache
def adamw(work: Any, *, low: bool) -> Function:
    """AdamW (Loshchilov and Hutter 2019, algorithm 2) over numbers whose gradients are of type ``work``.

    Args:
        low: whether the new weights are also written in bfloat16.
    """
    size = np.dtype(work).itemsize

    @function(6, 8)
    def body(p: Any) -> None:
        a, f = arguments(p)
        begin, end = share(a[5])
        count = end - begin
        weight = numbers(a[0] + 4 * begin, count, np.float32)
        first, second = numbers(a[1] + 4 * begin, count, np.float32), numbers(a[2] + 4 * begin, count, np.float32)
        gradient = numbers(a[3] + size * begin, count, work)
        copy = numbers(a[4] + 2 * begin, count, np.uint16)
        scale, kept, rate = np.float32(f[6]), np.float32(f[7]), np.float32(f[8])
        beta1, beta2, rest1, rest2 = np.float32(f[9]), np.float32(f[10]), np.float32(f[11]), np.float32(f[12])
        epsilon = np.float32(f[13])
        for i in range(count):
            g = widen(gradient[i]) * scale
            m = first[i] * beta1 + g * rest1
            v = second[i] * beta2 + g * g * rest2
            first[i], second[i] = m, v
            w = weight[i] * kept - rate * m / (np.sqrt(v) + epsilon)
            weight[i] = w
            if low:
                copy[i] = narrow(w, copy)

    return body
