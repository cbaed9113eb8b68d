"""Attention of a sentence and head in one pass over query, key and value where they lie, by tiles.

Shapes: T rows of B sentences behind one another, h heads of d units (32 or 64), L rows of the longest sentence. Weights
are (B * h, L, W) in bfloat16: W columns are L filled up to a multiple of 16, and zero behind a sentence.
"""

import functools
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

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
from tasks.compiled_tiles import pair, panel1, panel2, panel3, panel4, transpose
from tasks.fast_dropout import ALL, Draw
from tasks.fast_operations import Held


@inner
def _product(
    a: Any, row: Any, step: Any, b: Any, pairs: Any, c: Any, width: Any, start: Any, rows: Any, vectors: Any
) -> None:
    """All columns of a product, whose right operand is laid out four vectors at a time and then what is left."""
    while vectors >= 4:
        panel4(a, row, step, b, pairs, c, width, start, rows)
        b, c, vectors = b + 256 * pairs, c + 128, vectors - 4
    if vectors == 3:
        panel3(a, row, step, b, pairs, c, width, start, rows)
    elif vectors == 2:
        panel2(a, row, step, b, pairs, c, width, start, rows)
    elif vectors == 1:
        panel1(a, row, step, b, pairs, c, width, start, rows)


@inner
def _lay_across(source: Any, width: Any, rows: Any, units: Any, place: Any, laid: Any, vectors: Any) -> None:
    """Lay out the transpose of (rows, units), as the right operand of a product with 16 * vectors columns."""
    copy = numbers(place, (16 * vectors, units), np.uint16)
    for i in range(rows):
        line = numbers(source + i * width, units, np.uint16)
        for j in range(units):
            copy[i, j] = line[j]
    for i in range(rows, 16 * vectors):
        for j in range(units):
            copy[i, j] = np.uint16(0)
    first = 0
    while first < vectors:
        wide = min(4, vectors - first)
        for k in range(0, units // 2, 16):
            for v in range(wide):
                transpose(
                    place + (first + v) * 32 * units + 4 * k, 2 * units, laid + 64 * wide * k + 64 * v, 64 * wide
                )  # fmt: skip
        laid += 64 * wide * (units // 2)
        first += wide


@functools.cache
def _forward() -> Function:
    @function(14, 2)
    def body(p: Any) -> None:
        a, f = arguments(p)
        qkv, context, saved, zeros, place = a[0], a[1], a[2], a[3], a[5]
        count, length, heads, units, room = a[6], a[7], a[8], a[9], a[10]
        starts = numbers(a[4], count + 1, np.int64)
        first, second, limit = np.uint32(a[11]), np.uint32(a[12]), np.uint32(a[13])
        inside, scale = np.float32(f[14]), np.float32(f[15])
        vectors = (length + 15) // 16
        width, hidden = 16 * vectors, 2 * heads * units
        copy = place + np.int64(thread()) * room
        laid = copy + 32 * vectors * units
        after = laid + 32 * vectors * units
        values = after + (length + 1) // 2 * 4 * width
        dropped = numbers(after, (length, width), np.uint16)
        scratch = np.empty(width, np.float32)
        begin, end = share(count * heads)
        for block in range(begin, end):
            sentence, head = block // heads, block % heads
            top = starts[sentence]
            rows = starts[sentence + 1] - top
            q = qkv + top * 3 * hidden + 2 * head * units
            mine = saved + block * length * width * 2
            weights = numbers(mine, (length, width), np.uint16)
            _lay_across(q + hidden, 3 * hidden, rows, units, copy, laid, (rows + 15) // 16)
            _product(q, 3 * hidden, 4, laid, units // 2, mine, 2 * width, zeros, rows, (rows + 15) // 16)
            for i in range(rows):
                start = np.uint32(first + np.uint32((block * length + i) * length))
                highest = np.float32(-3e38)
                for j in range(rows):
                    highest = max(highest, widen(weights[i, j]))
                total = np.float32(0)
                for j in range(rows):
                    scratch[j] = exponential((widen(weights[i, j]) - highest) * inside)
                for j in range(rows):
                    total += scratch[j]
                total = np.float32(1) / total
                for j in range(rows):
                    low = narrow(scratch[j] * total, weights)
                    weights[i, j] = low
                    v = widen(low) * scale if kept(j, start, second, limit) else np.float32(0)
                    dropped[i, j] = narrow(v, dropped)
                for j in range(rows, width):
                    weights[i, j] = dropped[i, j] = np.uint16(0)
            pair(rows, 3 * hidden, q + 2 * hidden, units, values)
            _product(
                after, 2 * width, 4, values, (rows + 1) // 2, context + top * hidden + 2 * head * units, hidden, zeros,
                rows, units // 16,
            )  # fmt: skip

    return body


@functools.cache
def _backward() -> Function:
    @function(17, 2)
    def body(p: Any) -> None:
        a, f = arguments(p)
        qkv, g_context, saved, g_qkv, zeros, place, sums = a[0], a[1], a[2], a[3], a[4], a[6], a[7]
        by_thread = a[8]
        count, length, heads, units, room = a[9], a[10], a[11], a[12], a[13]
        starts = numbers(a[5], count + 1, np.int64)
        first, second, limit = np.uint32(a[14]), np.uint32(a[15]), np.uint32(a[16])
        inside, scale = np.float32(f[17]), np.float32(f[18])
        vectors = (length + 15) // 16
        width, hidden = 16 * vectors, 2 * heads * units
        here, all_ = np.int64(thread()), np.int64(threads())
        copy = place + here * room
        laid = copy + 32 * vectors * units
        gradient = laid + 32 * vectors * units
        after = gradient + 2 * (length + 1) * width
        paired = after + 2 * (length + 1) * width
        of_weights, dropped = (
            numbers(gradient, (length, width), np.uint16),
            numbers(after, (length, width), np.uint16),
        )
        scratch = np.empty(width, np.float32)
        total_by = numbers(by_thread, (all_, 3, heads, units), np.float32)
        for i in range(3):
            for j in range(heads):
                for k in range(units):
                    total_by[here, i, j, k] = np.float32(0)
        begin, end = share(count * heads)
        for block in range(begin, end):
            sentence, head = block // heads, block % heads
            top = starts[sentence]
            rows = starts[sentence + 1] - top
            half = (rows + 1) // 2
            across = (rows + 15) // 16
            q = qkv + top * 3 * hidden + 2 * head * units
            g = g_context + top * hidden + 2 * head * units
            out = g_qkv + top * 3 * hidden + 2 * head * units
            weights = numbers(saved + block * length * width * 2, (length, width), np.uint16)
            _lay_across(q + 2 * hidden, 3 * hidden, rows, units, copy, laid, across)
            _product(g, hidden, 4, laid, units // 2, gradient, 2 * width, zeros, rows, across)
            for i in range(rows):
                start = np.uint32(first + np.uint32((block * length + i) * length))
                total = np.float32(0)
                for j in range(rows):
                    keep = kept(j, start, second, limit)
                    scratch[j] = widen(of_weights[i, j]) * scale if keep else np.float32(0)
                    v = widen(weights[i, j]) * scale if keep else np.float32(0)
                    dropped[i, j] = narrow(v, dropped)
                for j in range(rows):
                    total += scratch[j] * widen(weights[i, j])
                for j in range(rows):
                    of_weights[i, j] = narrow((scratch[j] - total) * widen(weights[i, j]) * inside, of_weights)
                for j in range(rows, 16 * across):
                    of_weights[i, j] = dropped[i, j] = np.uint16(0)
            pair(rows, 2 * width, after, 16 * across, paired)
            pair(rows, hidden, g, units, laid)
            _product(paired, 4, 64 * across, laid, half, out + 2 * hidden, 3 * hidden, zeros, rows, units // 16)
            pair(rows, 3 * hidden, q + hidden, units, laid)
            _product(gradient, 2 * width, 4, laid, half, out, 3 * hidden, zeros, rows, units // 16)
            pair(rows, 2 * width, gradient, 16 * across, paired)
            pair(rows, 3 * hidden, q, units, laid)
            _product(paired, 4, 64 * across, laid, half, out + hidden, 3 * hidden, zeros, rows, units // 16)
            for part in range(3):
                done = numbers(out + part * hidden, (rows, 3 * hidden // 2), np.uint16)
                for i in range(rows):
                    for j in range(units):
                        total_by[here, part, head, j] += widen(done[i, j])
        barrier()
        flat = numbers(by_thread, (all_, 3 * heads * units), np.float32)
        result = numbers(sums, 3 * heads * units, np.uint16)
        begin, end = share(3 * heads * units)
        for i in range(begin, end):
            total = np.float32(0)
            for k in range(all_):
                total += flat[k, i]
            result[i] = narrow(total, result)

    return body


class Tiled:
    """As tasks.fast_attention.Padded, over rows without padding and without copies of query, key and value."""

    def __init__(self, starts: Tensor, length: int, dropped: Draw | None) -> None:
        """Know the sentences.

        Args:
            starts: the row with which each of B sentences begins, and T, int64 (B + 1,).
            length: rows of the longest.
            dropped: dropout of the attention weights; None for none.
        """
        self._starts, self._length, self._dropped = starts, length, dropped or ALL
        self._width = -(-length // 16) * 16

    def forward(self, qkv: Tensor, heads: int) -> tuple[Tensor, Held]:
        """The context, and what `backward` needs."""
        count, length, units = len(self._starts) - 1, self._length, qkv.shape[1] // 3 // heads
        context = qkv.new_empty(len(qkv), heads * units)
        weights = qkv.new_empty(count * heads * length * self._width)
        room = 4 * self._width * units + 2 * (length + 1) * (self._width + units)
        place, room = _place(room)
        *keys, scale = self._dropped
        _forward()(
            qkv, context, weights, _zeros(), self._starts, place, count, length, heads, units, room, *keys,
            1 / math.sqrt(units), scale,
        )  # fmt: skip
        return context, (qkv, weights)

    def backward(self, gradient: Tensor, held: Held, heads: int, g_bias: Tensor) -> Tensor:
        """The gradient of ``qkv`` from that of the context; its sum over the rows is written to ``g_bias``."""
        qkv, weights = held
        count, length, units = len(self._starts) - 1, self._length, qkv.shape[1] // 3 // heads
        g_qkv = torch.empty_like(qkv)
        place, room = _place(4 * self._width * units + 6 * (length + 1) * self._width)
        by_thread = torch.empty(torch.get_num_threads() * qkv.shape[1])
        *keys, scale = self._dropped
        _backward()(
            qkv, gradient, weights, g_qkv, _zeros(), self._starts, place, g_bias, by_thread, count, length, heads,
            units, room, *keys, 1 / math.sqrt(units), scale,
        )  # fmt: skip
        return g_qkv


def _place(room: int) -> tuple[Tensor, int]:
    """Memory for each thread to work in, and how many bytes each has."""
    room = -(-room // 64) * 64
    return torch.empty(torch.get_num_threads() * room, dtype=torch.uint8), room


@functools.cache
def _zeros() -> Tensor:
    return torch.zeros(64)
