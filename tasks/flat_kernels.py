"""AdamW on a processor in two passes over the numbers: one for the norm of the gradient, one for the update."""

import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tasks.compiled import (
    BITS,
    Function,
    arguments,
    barrier,
    function,
    inner,
    narrow,
    numbers,
    share,
    thread,
    threads,
    widen,
)

TINY = np.float32(1e-30)  # first moments below it are 0: dividing them by ten a few times more gives slow numbers
PIECE = 4096  # squares that are summed in float32 before they go into a sum in float64


def norm(gradients: Iterable[Tensor]) -> Tensor:
    """Norm of several vectors together, shape (), float64."""
    total = torch.zeros(1, dtype=torch.float64)
    parts = torch.empty(torch.get_num_threads(), dtype=torch.float64)
    for gradient in gradients:
        squares(BITS[gradient.dtype])(gradient, total, len(gradient), parts)
    return total.sqrt().squeeze(0)


@dataclass(frozen=True)
class Rates:
    """What one update multiplies with.

    Attributes:
        kept: of the weights by weight decay.
        rate: learning rate with the corrections of both moments.
        epsilon: with the correction of the second.
        betas: of both moments.
    """

    kept: float
    rate: float
    epsilon: float
    betas: tuple[float, float]

    @staticmethod
    def of(rate: float, decay: float, betas: tuple[float, float], epsilon: float, steps: float) -> "Rates":
        """Those of update number ``steps``, from 1, at a learning rate."""
        root = math.sqrt(1 - betas[1] ** steps)
        return Rates(1 - rate * decay, rate / (1 - betas[0] ** steps) * root, epsilon * root, betas)


def update(
    master: Tensor, first: Tensor, second: Tensor, gradient: Tensor, work: Tensor | None, scale: float, rates: Rates
) -> None:
    """One update of a vector of parameters and its moments, float32, in place.

    Args:
        gradient: bfloat16 or float32; it is divided by ``scale``.
        work: where the parameters also go in bfloat16.
    """
    adamw(BITS[gradient.dtype], low=work is not None)(
        master, first, second, gradient, 0 if work is None else work, len(master),
        1 / scale, rates.kept, rates.rate, rates.epsilon, *rates.betas,
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


@inner
def _moved(w: Any, m: Any, v: Any, g: Any, kept: Any, rate: Any, epsilon: Any, beta1: Any, beta2: Any) -> Any:
    """Weight and moments after one update with gradient ``g``."""
    one = np.float32(1)
    m = m * beta1 + g * (one - beta1)
    m = m if abs(m) >= TINY else np.float32(0)
    v = v * beta2 + g * g * (one - beta2)
    return w * kept - rate * m / (np.sqrt(v) + epsilon), m, v


@functools.cache
def adamw(work: Any, *, low: bool) -> Function:
    """AdamW (Loshchilov and Hutter 2019, algorithm 2) over numbers whose gradients are of type ``work``.

    Args:
        low: whether the new weights are also written in bfloat16.
    """
    size = np.dtype(work).itemsize

    @function(6, 6)
    def body(p: Any) -> None:
        a, f = arguments(p)
        begin, end = share(a[5])
        count = end - begin
        weight = numbers(a[0] + 4 * begin, count, np.float32)
        first, second = numbers(a[1] + 4 * begin, count, np.float32), numbers(a[2] + 4 * begin, count, np.float32)
        gradient = numbers(a[3] + size * begin, count, work)
        copy = numbers(a[4] + 2 * begin, count, np.uint16)
        scale, kept, rate, epsilon = np.float32(f[6]), np.float32(f[7]), np.float32(f[8]), np.float32(f[9])
        beta1, beta2 = np.float32(f[10]), np.float32(f[11])
        for i in range(count):
            g = widen(gradient[i]) * scale
            w, m, v = _moved(weight[i], first[i], second[i], g, kept, rate, epsilon, beta1, beta2)
            weight[i], first[i], second[i] = w, m, v
            if low:
                copy[i] = narrow(w, copy)

    return body


@functools.cache
def rows_updated() -> Function:
    """One update of some rows of a table with their gradients."""

    @function(8, 6)
    def body(p: Any) -> None:
        a, f = arguments(p)
        shape = (a[7], a[6])
        weight, first, second = (
            numbers(a[0], shape, np.float32), numbers(a[1], shape, np.float32), numbers(a[2], shape, np.float32),
        )  # fmt: skip
        gradient, rows = numbers(a[3], shape, np.float32), numbers(a[4], a[5], np.int64)
        scale, kept, rate, epsilon = np.float32(f[8]), np.float32(f[9]), np.float32(f[10]), np.float32(f[11])
        beta1, beta2 = np.float32(f[12]), np.float32(f[13])
        begin, end = share(a[5])
        for i in range(begin, end):
            row = rows[i]
            for j in range(a[6]):
                w, m, v = _moved(
                    weight[row, j], first[row, j], second[row, j], gradient[row, j] * scale,
                    kept, rate, epsilon, beta1, beta2,
                )  # fmt: skip
                weight[row, j], first[row, j], second[row, j] = w, m, v

    return body


@functools.cache
def rows_caught_up() -> Function:
    """The updates that some rows of a table have missed, in which they had no gradient, one after the other.

    ``known`` is the number of updates that each row has had; ``past``, (updates, 3) float32, holds for each update the
    factor of weight decay, the rate and epsilon, from update ``a[10]`` on.
    """

    @function(11, 2)
    def body(p: Any) -> None:
        a, f = arguments(p)
        count, width, steps, base = a[5], a[6], a[9], a[10]
        shape = (a[7], width)
        weight, first, second = (
            numbers(a[0], shape, np.float32), numbers(a[1], shape, np.float32), numbers(a[2], shape, np.float32),
        )  # fmt: skip
        rows, known = numbers(a[4], count, np.int64), numbers(a[3], a[7], np.int64)
        past = numbers(a[8], (steps - base, np.int64(3)), np.float32)
        beta1, beta2 = np.float32(f[11]), np.float32(f[12])
        for i in range(np.int64(thread()), count, np.int64(threads())):  # rows that missed much lie side by side
            row = rows[i]
            for step in range(known[row] - base, steps - base):
                kept, rate, epsilon = past[step, 0], past[step, 1], past[step, 2]
                still = np.float32(0)
                for j in range(width):
                    still = max(still, abs(first[row, j]))
                if still == 0:
                    for j in range(width):
                        weight[row, j] *= kept
                        second[row, j] *= beta2
                else:
                    for j in range(width):
                        w, m, v = _moved(
                            weight[row, j], first[row, j], second[row, j], np.float32(0),
                            kept, rate, epsilon, beta1, beta2,
                        )  # fmt: skip
                        weight[row, j], first[row, j], second[row, j] = w, m, v
            known[row] = steps

    return body
