"""Attention of the fast path on a processor beside its products (tasks/compiled_operations.py calls them).

Softmax with dropout, and rows of sub-words to blocks of heads and back. Rows stand behind one another, B sentences from
``starts[b]`` to ``starts[b + 1]``, each with one or three parts (query, key and value) of h heads of d units. Blocks
are (parts, B * h, L, d), zero behind the end of a sentence.
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
    kept,
    narrow,
    numbers,
    share,
    thread,
    threads,
    widen,
)


@functools.cache
def apart(work: Any) -> Function:
    """Rows to blocks."""

    @function(8)
    def body(p: Any) -> None:
        a, _ = arguments(p)
        parts, count, length, heads, units = a[3], a[4], a[5], a[6], a[7]
        starts = numbers(a[2], count + 1, np.int64)
        rows = numbers(a[0], (starts[count], parts * heads, units), work)
        blocks = numbers(a[1], (parts * count * heads, length, units), work)
        begin, end = share(parts * count * heads)
        for block in range(begin, end):
            part, sentence, head = block // (count * heads), block // heads % count, block % heads
            first = starts[sentence]
            size = starts[sentence + 1] - first
            for i in range(size):
                for j in range(units):
                    blocks[block, i, j] = rows[first + i, part * heads + head, j]
            for i in range(size, length):
                for j in range(units):
                    blocks[block, i, j] = narrow(np.float32(0), blocks)

    return body


@functools.cache
def together(work: Any) -> Function:
    """Blocks to rows, and the sum of the rows where it is wanted."""

    @function(11)
    def body(p: Any) -> None:
        a, _ = arguments(p)
        parts, count, length, heads, units, summed = a[5], a[6], a[7], a[8], a[9], a[10]
        starts = numbers(a[2], count + 1, np.int64)
        rows = numbers(a[0], (starts[count], parts * heads, units), work)
        blocks = numbers(a[1], (parts, count, heads, length, units), work)
        here, all_ = np.int64(thread()), np.int64(threads())
        width = parts * heads * units
        sums, by_thread = numbers(a[3], width, work), numbers(a[4], (all_, width), np.float32)
        by = numbers(a[4] + 4 * width * here, (parts * heads, units), np.float32)
        if summed:
            for i in range(width):
                by_thread[here, i] = np.float32(0)
        begin, end = share(count * length)
        for task in range(begin, end):
            sentence, i = task // length, task % length
            row = starts[sentence] + i
            if row < starts[sentence + 1]:
                for part in range(parts):
                    for head in range(heads):
                        place = part * heads + head
                        for j in range(units):
                            rows[row, place, j] = blocks[part, sentence, head, i, j]
                        if summed:
                            for j in range(units):
                                by[place, j] += widen(blocks[part, sentence, head, i, j])
        if not summed:
            return
        barrier()
        begin, end = share(width)
        for i in range(begin, end):
            total = np.float32(0)
            for k in range(all_):
                total += by_thread[k, i]
            sums[i] = narrow(total, sums)

    return body


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
