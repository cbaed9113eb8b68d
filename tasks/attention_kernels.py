"""Softmax and dropout of attention, compiled for a processor (tasks/compiled_operations.py calls them)."""

import functools
from typing import Any

import numpy as np

from tasks.compiled import Function, arguments, exponential, function, kept, narrow, numbers, share, widen


@functools.cache
def softmax(work: Any) -> Function:
    """Weights of attention: softmax of scale * scores over the real keys of each sentence, and the same with dropout.

    Rows of L scores, ``per`` of them for each sentence, whose number of real keys stands in ``sizes``, int64.
    """

    @function(10, 2)
    def body(p: Any) -> None:
        a, f = arguments(p)
        shape = (a[4], a[5])
        length, per = a[5], a[6]
        scores, weights, dropped = numbers(a[0], shape, work), numbers(a[1], shape, work), numbers(a[2], shape, work)
        sizes = numbers(a[3], a[4] // per, np.int64)
        first, second, limit = np.uint32(a[7]), np.uint32(a[8]), np.uint32(a[9])
        inner, scale = np.float32(f[10]), np.float32(f[11])
        scratch = np.empty(length, np.float32)
        begin, end = share(a[4])
        for i in range(begin, end):
            start = np.uint32(first + np.uint32(i * length))
            real = sizes[i // per]
            highest = np.float32(-3e38)
            for j in range(real):
                highest = max(highest, widen(scores[i, j]))
            total = np.float32(0)
            for j in range(real):
                e = exponential((widen(scores[i, j]) - highest) * inner)
                scratch[j] = e
            for j in range(real):
                total += scratch[j]
            total = np.float32(1) / total
            for j in range(real):
                low = narrow(scratch[j] * total, weights)
                weights[i, j] = low
                v = widen(low) * scale if kept(j, start, second, limit) else np.float32(0)
                dropped[i, j] = narrow(v, dropped)
            for j in range(real, length):
                weights[i, j] = dropped[i, j] = narrow(np.float32(0), weights)

    return body


@functools.cache
def softmax_backward(work: Any) -> Function:
    """The gradient of the scores, written over that of the weights after dropout."""

    @function(7, 2)
    def body(p: Any) -> None:
        a, f = arguments(p)
        shape = (a[2], a[3])
        length = a[3]
        gradient, weights = numbers(a[0], shape, work), numbers(a[1], shape, work)
        first, second, limit = np.uint32(a[4]), np.uint32(a[5]), np.uint32(a[6])
        inner, scale = np.float32(f[7]), np.float32(f[8])
        scratch = np.empty(length, np.float32)
        begin, end = share(a[2])
        for i in range(begin, end):
            start = np.uint32(first + np.uint32(i * length))
            total = np.float32(0)
            for j in range(length):
                v = widen(gradient[i, j]) * scale if kept(j, start, second, limit) else np.float32(0)
                scratch[j] = v
            for j in range(length):
                total += scratch[j] * widen(weights[i, j])
            for j in range(length):
                gradient[i, j] = narrow((scratch[j] - total) * widen(weights[i, j]) * inner, gradient)

    return body
