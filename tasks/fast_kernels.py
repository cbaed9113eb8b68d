"""The small operations of the fast path on a processor, several in one pass each (tasks/fast_operations.py calls them).

Shapes: T rows of H units. ``work`` is the work type as Numba sees it (tasks.compiled.BITS). Sums over rows are taken
per thread and added up in the order of the threads, so they repeat. ``_backward`` names a backward pass.

A loop that adds up numbers of a row writes nothing: where one writes, LLVM decides by the distance of the arrays in
memory whether it works on many numbers at once, and a sum would follow from where they happened to lie.
"""

import functools
from typing import Any

import numpy as np

from tasks.compiled import (
    Function,
    arguments,
    barrier,
    exponential,
    function,
    inner,
    kept,
    narrow,
    numbers,
    share,
    thread,
    threads,
    widen,
)  # fmt: skip


@functools.cache
def drop(work: Any) -> Function:
    """Dropout of float32 numbers: x -> x * mask, in float32 and in the work type."""
    size = np.dtype(work).itemsize

    @function(7, 1)
    def body(p: Any) -> None:
        a, f = arguments(p)
        begin, end = share(a[3])
        count = end - begin
        x = numbers(a[0] + 4 * begin, count, np.float32)
        y = numbers(a[1] + 4 * begin, count, np.float32)
        low = numbers(a[2] + size * begin, count, work)
        first, second, limit = np.uint32(a[4] + begin), np.uint32(a[5]), np.uint32(a[6])
        scale = np.float32(f[7])
        for i in range(count):
            v = x[i] * scale if kept(i, first, second, limit) else np.float32(0)
            y[i] = v
            low[i] = narrow(v, low)

    return body


@functools.cache
def norm(work: Any) -> Function:
    """r = stream + o * mask; y = layer norm of r, in float32 and in the work type; mean and 1/deviation of each row."""

    @function(14, 2)
    def body(p: Any) -> None:
        a, f = arguments(p)
        shape = (a[9], a[10])
        width = a[10]
        o, stream = numbers(a[0], shape, work), numbers(a[1], shape, np.float32)
        y, low, r = numbers(a[2], shape, np.float32), numbers(a[3], shape, work), numbers(a[4], shape, np.float32)
        means, inverses = numbers(a[5], a[9], np.float32), numbers(a[6], a[9], np.float32)
        weight, bias = numbers(a[7], width, np.float32), numbers(a[8], width, np.float32)
        first, second, limit = np.uint32(a[11]), np.uint32(a[12]), np.uint32(a[13])
        epsilon, scale = np.float32(f[14]), np.float32(f[15])
        begin, end = share(a[9])
        for i in range(begin, end):
            start = np.uint32(first + np.uint32(i * width))
            total = np.float32(0)
            for j in range(width):
                v = stream[i, j]
                v += widen(o[i, j]) * scale if kept(j, start, second, limit) else np.float32(0)
                r[i, j] = v
            for j in range(width):
                total += r[i, j]
            mean = total / np.float32(width)
            total = np.float32(0)
            for j in range(width):
                v = r[i, j] - mean
                total += v * v
            inverse = np.float32(1) / np.sqrt(total / np.float32(width) + epsilon)
            means[i], inverses[i] = mean, inverse
            for j in range(width):
                v = (r[i, j] - mean) * inverse * weight[j] + bias[j]
                y[i, j] = v
                low[i, j] = narrow(v, low)

    return body


@functools.cache
def norm_backward(work: Any) -> Function:
    """From the gradient of y (float32 plus a part in the work type) those of r, o, weight, bias, and the sum of o's."""

    @function(18, 1)
    def body(p: Any) -> None:
        a, f = arguments(p)
        shape = (a[12], a[13])
        width = a[13]
        gradient, branch, r = (
            numbers(a[0], shape, np.float32),
            numbers(a[1], shape, work),
            numbers(a[2], shape, np.float32),
        )
        means, inverses = numbers(a[3], a[12], np.float32), numbers(a[4], a[12], np.float32)
        weight, g_r, g_o = (
            numbers(a[5], width, np.float32),
            numbers(a[6], shape, np.float32),
            numbers(a[7], shape, work),
        )
        g_weight, g_bias, sums = (
            numbers(a[8], width, np.float32),
            numbers(a[9], width, np.float32),
            numbers(a[10], width, work),
        )
        first, second, limit = np.uint32(a[14]), np.uint32(a[15]), np.uint32(a[16])
        both = a[17] != 0  # whether there is such a part
        scale = np.float32(f[18])
        here, count = np.int64(thread()), np.int64(threads())
        parts = numbers(a[11], (count, np.int64(3), width), np.float32)
        by_weight, by_bias, by_o = parts[here, 0], parts[here, 1], parts[here, 2]
        for j in range(width):
            by_weight[j] = by_bias[j] = by_o[j] = np.float32(0)
        begin, end = share(a[12])
        for i in range(begin, end):
            start = np.uint32(first + np.uint32(i * width))
            mean, inverse = means[i], inverses[i]
            along, across = np.float32(0), np.float32(0)
            if both:
                for j in range(width):
                    g_r[i, j] = gradient[i, j] + widen(branch[i, j])
            else:
                for j in range(width):
                    g_r[i, j] = gradient[i, j]
            for j in range(width):
                v = g_r[i, j] * weight[j]
                along += v
                across += v * ((r[i, j] - mean) * inverse)
            along /= np.float32(width)
            across /= np.float32(width)
            for j in range(width):
                x = (r[i, j] - mean) * inverse
                v = g_r[i, j]
                by_weight[j] += v * x
                by_bias[j] += v
                v = (v * weight[j] - along - x * across) * inverse
                g_r[i, j] = v
                low = narrow(v * scale if kept(j, start, second, limit) else np.float32(0), g_o)
                g_o[i, j] = low
                by_o[j] += widen(low)
        barrier()
        begin, end = share(width)
        for j in range(begin, end):
            by = (np.float32(0), np.float32(0), np.float32(0))
            for k in range(count):
                by = (by[0] + parts[k, 0, j], by[1] + parts[k, 1, j], by[2] + parts[k, 2, j])
            g_weight[j], g_bias[j], sums[j] = by[0], by[1], narrow(by[2], sums)

    return body


@inner
def _normal(x: Any) -> tuple[Any, Any]:
    """Distribution function of the normal distribution and e^(-x^2/2), float32.

    Abramowitz and Stegun 1964, 7.1.26: within 1.5e-7.
    """
    z = abs(x) * np.float32(0.7071067811865476)
    e = exponential(-z * z)
    t = np.float32(1) / (np.float32(1) + np.float32(0.3275911) * z)
    q = t * np.float32(1.061405429) + np.float32(-1.453152027)
    q = q * t + np.float32(1.421413741)
    q = q * t + np.float32(-0.284496736)
    q = (q * t + np.float32(0.254829592)) * t
    tail = np.float32(0.5) * q * e
    return np.float32(1) - tail if x > 0 else tail, e


@inner
def _logistic(x: Any) -> tuple[Any, Any]:
    """What takes the place of the distribution function in GELU's form with tanh, and its argument's derivative."""
    z = np.float32(1.5957691216) * (x + np.float32(0.044715) * x * x * x)
    e = exponential(-abs(z))
    s = np.float32(1) / (np.float32(1) + e)
    return s if z > 0 else e * s, np.float32(1.5957691216) * (np.float32(1) + np.float32(0.134145) * x * x)


@functools.cache
def gelu_backward(work: Any, form: str) -> Function:
    """The gradient of GELU's argument, and its sum over the rows."""
    tanh = form == "tanh"

    @function(7)
    def body(p: Any) -> None:
        a, _ = arguments(p)
        shape = (a[5], a[6])
        width = a[6]
        gradient, x, g_x = numbers(a[0], shape, work), numbers(a[1], shape, work), numbers(a[2], shape, work)
        sums = numbers(a[3], width, work)
        here, count = np.int64(thread()), np.int64(threads())
        parts = numbers(a[4], (count, width), np.float32)
        by = parts[here]
        for j in range(width):
            by[j] = np.float32(0)
        begin, end = share(a[5])
        for i in range(begin, end):
            for j in range(width):
                v = widen(x[i, j])
                if tanh:
                    part, inner = _logistic(v)
                    slope = part + v * part * (np.float32(1) - part) * inner
                else:
                    part, density = _normal(v)
                    slope = part + v * density * np.float32(0.3989422804)
                low = narrow(widen(gradient[i, j]) * slope, g_x)
                g_x[i, j] = low
                by[j] += widen(low)
        barrier()
        begin, end = share(width)
        for j in range(begin, end):
            total = np.float32(0)
            for k in range(count):
                total += parts[k, j]
            sums[j] = narrow(total, sums)

    return body
