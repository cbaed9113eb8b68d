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
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from torch import Tensor

from tasks.compiled import Function, arguments, barrier, from_bits, function, inner, numbers, share, thread

CPUINFO = Path("/proc/cpuinfo")
COLUMNS = 64  # of the sums in registers, by 6 rows: 24 of the 32 registers, each of 16 numbers
CHUNK = 48  # rows of a gradient of weights that are laid out at once
I32, I64 = ir.IntType(32), ir.IntType(64)
FLOATS, WHOLES = ir.VectorType(ir.FloatType(), 16), ir.VectorType(I32, 16)


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


class _BFloat(ir.types.Type):  # type: ignore[misc]
    """The type that llvmlite has no name for."""

    def _to_string(self) -> str:
        return "bfloat"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _BFloat)

    def __hash__(self) -> int:
        return hash(_BFloat)


PAIRS, HALVES = ir.VectorType(_BFloat(), 32), ir.VectorType(_BFloat(), 16)


def _at(builder: Any, address: Any, offset: int, kind: Any) -> Any:
    return builder.inttoptr(builder.add(address, I64(offset)), kind.as_pointer())


def _declared(builder: Any, name: str, result: Any, takes: Sequence[Any]) -> Any:
    module = builder.module
    return module.globals.get(name) or ir.Function(module, ir.FunctionType(result, takes), name)


def _tile(height: int) -> Any:
    """Sums of ``height`` rows by 64 columns over all pairs, and their store as bfloat16."""

    @intrinsic  # type: ignore[untyped-decorator]
    def tile(_: Any, a: Any, row: Any, step: Any, b: Any, pairs: Any, c: Any, width: Any, start: Any) -> Any:  # noqa: ARG001
        def generate(__: Any, builder: Any, ___: Any, values: Sequence[Any]) -> Any:
            a, row, step, b, pairs, c, width, start = values
            multiply = _declared(builder, "llvm.x86.avx512bf16.dpbf16ps.512", FLOATS, (FLOATS, PAIRS, PAIRS))
            rounded = _declared(builder, "llvm.x86.avx512bf16.cvtneps2bf16.512", HALVES, (FLOATS,))
            vectors = range(COLUMNS // 16)
            first = [builder.load(_at(builder, start, 64 * v, FLOATS), align=4) for v in vectors]
            rows = [builder.add(a, builder.mul(row, I64(i))) for i in range(height)]
            before, loop, after = (
                builder.block,
                builder.append_basic_block("pairs"),
                builder.append_basic_block("summed"),
            )
            builder.branch(loop)
            builder.position_at_end(loop)
            k = builder.phi(I64)
            sums = [[builder.phi(FLOATS) for _ in vectors] for _ in rows]
            beside = builder.add(b, builder.shl(k, I64(8)))
            right = [
                builder.bitcast(builder.load(_at(builder, beside, 64 * v, WHOLES), align=64), PAIRS) for v in vectors
            ]
            added = []
            for address, held in zip(rows, sums, strict=True):
                pair = builder.load(_at(builder, builder.add(address, builder.mul(k, step)), 0, I32), align=2)
                lone = builder.insert_element(WHOLES(ir.Undefined), pair, I32(0))
                left = builder.bitcast(builder.shuffle_vector(lone, lone, WHOLES(None)), PAIRS)
                added.append([builder.call(multiply, (held[v], left, right[v])) for v in vectors])
            following = builder.add(k, I64(1))
            k.add_incoming(I64(0), before)
            k.add_incoming(following, loop)
            for held, new in zip(sums, added, strict=True):
                for v in vectors:
                    held[v].add_incoming(first[v], before)
                    held[v].add_incoming(new[v], loop)
            builder.cbranch(builder.icmp_signed("<", following, pairs), loop, after)
            builder.position_at_end(after)
            for i, new in enumerate(added):
                line = builder.add(c, builder.mul(width, I64(i)))
                for v in vectors:
                    builder.store(builder.call(rounded, (new[v],)), _at(builder, line, 32 * v, HALVES), align=2)
            return None

        return types.void(*[types.int64] * 8), generate

    return tile


_tile6, _tile5, _tile4, _tile3, _tile2, _tile1 = (_tile(height) for height in (6, 5, 4, 3, 2, 1))


@inner
def _panel(a: Any, row: Any, step: Any, b: Any, pairs: Any, c: Any, width: Any, start: Any, rows: Any) -> None:
    """64 columns of a product.

    Args:
        a: address of the left operand, whose rows are ``row`` bytes apart and whose pairs ``step`` bytes.
        b: address of the laid out columns of the right one.
        c: address of the result, whose rows are ``width`` bytes apart.
        start: address of what the sums begin with, 64 float32.
    """
    while rows >= 6:
        _tile6(a, row, step, b, pairs, c, width, start)
        a, c, rows = a + 6 * row, c + 6 * width, rows - 6
    if rows == 5:
        _tile5(a, row, step, b, pairs, c, width, start)
    elif rows == 4:
        _tile4(a, row, step, b, pairs, c, width, start)
    elif rows == 3:
        _tile3(a, row, step, b, pairs, c, width, start)
    elif rows == 2:
        _tile2(a, row, step, b, pairs, c, width, start)
    elif rows == 1:
        _tile1(a, row, step, b, pairs, c, width, start)


@intrinsic  # type: ignore[untyped-decorator]
def _transpose(_: Any, source: Any, width: Any, target: Any) -> Any:  # noqa: ARG001
    """16 by 16 numbers of 32 bits, in four rounds of exchanges; rows of the target are 256 bytes apart."""

    def generate(__: Any, builder: Any, ___: Any, values: Sequence[Any]) -> Any:
        source, width, target = values
        rows = [
            builder.load(_at(builder, builder.add(source, builder.mul(width, I64(i))), 0, WHOLES), align=2)
            for i in range(16)
        ]
        for distance in (1, 2, 4, 8):
            low = WHOLES([16 + lane - distance if lane & distance else lane for lane in range(16)])
            high = WHOLES([16 + lane if lane & distance else lane + distance for lane in range(16)])
            for i in (i for i in range(16) if not i & distance):
                pair = rows[i], rows[i + distance]
                rows[i], rows[i + distance] = (builder.shuffle_vector(*pair, mask) for mask in (low, high))
        for i, one in enumerate(rows):
            builder.store(one, _at(builder, target, 4 * COLUMNS * i, WHOLES), align=64)
        return None

    return types.void(*[types.int64] * 3), generate


@inner
def _pair(rows: Any, width: Any, row: Any, count: Any, target: Any) -> None:
    """Pair ``count`` numbers of each row with those below: ``rows`` of them to half as many; the last may lack one."""
    for k in range((rows + 1) // 2):
        first = numbers(row + 2 * k * width, count, np.uint16)
        pairs = numbers(target, count, np.uint32)
        if 2 * k + 1 < rows:
            second = numbers(row + (2 * k + 1) * width, count, np.uint16)
            for j in range(count):
                pairs[j] = np.uint32(first[j]) | (np.uint32(second[j]) << np.uint32(16))
        else:
            for j in range(count):
                pairs[j] = np.uint32(first[j])
        target += 4 * count


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
                        _transpose(w + (n * 64 + j) * 2 * units + 4 * k, 2 * units, laid + 256 * k + 4 * j)
            top, bottom = rows * group // groups, rows * (group + 1) // groups
            _panel(
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
            _pair(rows, 2 * units, x + 128 * n, 64, laid + 256 * half * n)
        barrier()
        begin, end = share((outs + CHUNK - 1) // CHUNK)
        for chunk in range(begin, end):
            count = min(CHUNK, outs - CHUNK * chunk)
            _pair(rows, 2 * outs, g + 2 * CHUNK * chunk, count, own)
            for n in range(units // COLUMNS):
                _panel(
                    own, 4, 4 * count, laid + 256 * half * n, half,
                    g_w + (CHUNK * chunk * units + 64 * n) * 2, 2 * units, start, count,
                )  # fmt: skip
        there = np.int64(-1)
        begin, end = share(units // COLUMNS * groups)
        for task in range(begin, end):
            n, group = task // groups, task % groups
            if n != there:
                _pair(outs, 2 * units, w + 128 * n, 64, own)
                there = n
            top, bottom = rows * group // groups, rows * (group + 1) // groups
            _panel(
                g + top * 2 * outs, 2 * outs, 4, own, outs // 2, g_x + (top * units + 64 * n) * 2, 2 * units, start,
                bottom - top,
            )  # fmt: skip

    return body
