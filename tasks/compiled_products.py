"""Products of bfloat16 matrices for processors that multiply pairs of such numbers (AVX512-BF16) and have no AMX.

oneDNN, which torch calls for them, writes code anew for each number of rows, and with few of them stays below the rate
that it reaches with large square ones. Here the same code serves any number. As in every such library (Goto and van de
Geijn 2008) one operand is laid out for the other to run over it: here 64 columns of two rows beside one another; and
the sums of 6 rows by 64 columns stay in registers for the whole product. A sum is taken in the order of its products,
whatever other rows there are and however many threads: its bits follow from its operands alone.

Shapes: T rows, K units in, N units out; K and N are multiples of 64, T is any number.
"""

import functools
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tasks.compiled import Function, arguments, barrier, from_bits, function, numbers, share, thread
from tasks.compiled_tiles import COLUMNS, pair, panel4, transpose

CPUINFO = Path("/proc/cpuinfo")
CHUNK = 48  # rows of a gradient of weights that are laid out at once


@functools.cache
def suits_processor() -> bool:
    """Whether this processor has the instruction, and nothing better that oneDNN would use."""
    if not CPUINFO.is_file():
        return False
    flags = CPUINFO.read_text(encoding="utf-8", errors="replace").partition("\nflags")[2].partition("\n")[0].split()
    return "avx512_bf16" in flags and "amx_bf16" not in flags


@functools.cache
def suits(outs: int, units: int) -> bool:
    """Whether a weight (N, K) can be taken."""
    return not (outs % COLUMNS or units % COLUMNS)


class Products:
    """The products of linear layers; one object for one thread of Python, as it has a place of its own to work in."""

    def __init__(self) -> None:
        self._forward, self._backward = _forward(), _backward()
        self._place = torch.empty(0, dtype=torch.uint8)

    def linear(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """``x @ weight.T + bias``, (T, N), from (T, K), (N, K) and (N,), all bfloat16 and contiguous."""
        rows, (outs, units), count = len(x), weight.shape, torch.get_num_threads()
        y = x.new_empty(rows, outs)
        place = self._room(count * (2 * units + 4) * COLUMNS)
        self._forward(x, weight, bias, y, place, rows, units, outs, _groups(outs, count))
        return y

    def linear_backward(self, gradient: Tensor, x: Tensor, weight: Tensor, g_weight: Tensor) -> Tensor:
        """Write the gradient of ``x @ weight.T`` for weight, (N, K), from that of the product, (T, N); return x's."""
        rows, (outs, units), count = len(x), weight.shape, torch.get_num_threads()
        g_x = x.new_empty(rows, units)
        if not rows:
            g_weight.zero_()
            return g_x
        half = (rows + 1) // 2
        own = max(4 * CHUNK * half, 2 * COLUMNS * outs)
        place = self._room(4 * COLUMNS + 4 * half * units + own * count)
        self._backward(gradient, x, weight, g_weight, g_x, place, rows, units, outs, _groups(units, count), own)
        return g_x

    def _room(self, size: int) -> Tensor:
        if len(self._place) < size:
            self._place = torch.empty(size, dtype=torch.uint8)
        return self._place


@functools.cache
def _groups(columns: int, count: int) -> int:
    """Into how many groups of rows a product is cut, so that all threads have the same number of things to do."""
    return count // math.gcd(columns // COLUMNS, count)


@functools.cache
def _forward() -> Function:
    @function(9)
    def body(p: Any) -> None:
        a, _ = arguments(p)
        x, w, b, y, rows, units, outs, groups = a[0], a[1], a[2], a[3], a[5], a[6], a[7], a[8]
        start = a[4] + np.int64(thread()) * (2 * units + 4) * COLUMNS
        laid = start + 256
        sums, there = numbers(start, 64, np.float32), np.int64(-1)
        begin, end = share(outs // COLUMNS * groups)
        for task in range(begin, end):
            n, group = task // groups, task % groups
            if n != there:
                bias, there = numbers(b + 128 * n, 64, np.uint16), n
                for j in range(64):
                    sums[j] = from_bits(np.uint32(bias[j]) << np.uint32(16))
                for k in range(0, units // 2, 16):
                    for j in range(0, 64, 16):
                        transpose(w + (n * 64 + j) * 2 * units + 4 * k, 2 * units, laid + 256 * k + 4 * j, 256)
            top, bottom = rows * group // groups, rows * (group + 1) // groups
            panel4(
                x + top * 2 * units, 2 * units, 4, laid, units // 2, y + (top * outs + 64 * n) * 2, 2 * outs, start,
                bottom - top,
            )  # fmt: skip

    return body


@functools.cache
def _backward() -> Function:
    @function(11)
    def body(p: Any) -> None:
        a, _ = arguments(p)
        g, x, w, g_w, g_x, start = a[0], a[1], a[2], a[3], a[4], a[5]
        rows, units, outs, groups = a[6], a[7], a[8], a[9]
        half = (rows + 1) // 2
        zeros = numbers(start, 64, np.float32)
        laid = start + 256
        own = laid + 4 * half * units + np.int64(thread()) * a[10]
        if thread() == 0:
            for j in range(64):
                zeros[j] = np.float32(0)
        begin, end = share(units // COLUMNS)
        for n in range(begin, end):
            pair(rows, 2 * units, x + 128 * n, 64, laid + 256 * half * n)
        barrier()
        begin, end = share((outs + CHUNK - 1) // CHUNK)
        for chunk in range(begin, end):
            count = min(CHUNK, outs - CHUNK * chunk)
            pair(rows, 2 * outs, g + 2 * CHUNK * chunk, count, own)
            for n in range(units // COLUMNS):
                panel4(
                    own, 4, 4 * count, laid + 256 * half * n, half,
                    g_w + (CHUNK * chunk * units + 64 * n) * 2, 2 * units, start, count,
                )  # fmt: skip
        there = np.int64(-1)
        begin, end = share(units // COLUMNS * groups)
        for task in range(begin, end):
            n, group = task // groups, task % groups
            if n != there:
                pair(outs, 2 * units, w + 128 * n, 64, own)
                there = n
            top, bottom = rows * group // groups, rows * (group + 1) // groups
            panel4(
                g + top * 2 * outs, 2 * outs, 4, own, outs // 2, g_x + (top * units + 64 * n) * 2, 2 * units, start,
                bottom - top,
            )  # fmt: skip

    return body
