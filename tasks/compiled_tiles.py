"""Tiles of products of bfloat16 matrices, for compiled functions (tasks/compiled.py): sums that stay in registers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from tasks.compiled import inner, numbers

COLUMNS = 64  # of the sums in registers, by 6 rows: 24 of the 32 registers, each of 16 numbers
I32, I64 = ir.IntType(32), ir.IntType(64)
FLOATS, WHOLES = ir.VectorType(ir.FloatType(), 16), ir.VectorType(I32, 16)


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


def _tile(height: int, across: int) -> Any:
    """Sums of ``height`` rows by ``across`` vectors of 16 columns over all pairs, and their store as bfloat16."""

    @intrinsic  # type: ignore[untyped-decorator]
    def tile(_: Any, a: Any, row: Any, step: Any, b: Any, pairs: Any, c: Any, width: Any, start: Any) -> Any:  # noqa: ARG001
        def generate(__: Any, builder: Any, ___: Any, values: Sequence[Any]) -> Any:
            a, row, step, b, pairs, c, width, start = values
            multiply = _declared(builder, "llvm.x86.avx512bf16.dpbf16ps.512", FLOATS, (FLOATS, PAIRS, PAIRS))
            rounded = _declared(builder, "llvm.x86.avx512bf16.cvtneps2bf16.512", HALVES, (FLOATS,))
            vectors = range(across)
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
            beside = builder.add(b, builder.mul(k, I64(64 * across)))
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


def _panel(across: int) -> Any:
    """The function for 16 times ``across`` columns of a product. Its arguments are

    a: address of the left operand, whose rows are ``row`` bytes apart and whose pairs ``step`` bytes;
    b: address of the laid out columns of the right one;
    c: address of the result, whose rows are ``width`` bytes apart;
    start: address of what the sums begin with, float32.
    """
    tile6, tile5, tile4, tile3, tile2, tile1 = (_tile(height, across) for height in (6, 5, 4, 3, 2, 1))

    @inner
    def panel(a: Any, row: Any, step: Any, b: Any, pairs: Any, c: Any, width: Any, start: Any, rows: Any) -> None:
        while rows >= 6:
            tile6(a, row, step, b, pairs, c, width, start)
            a, c, rows = a + 6 * row, c + 6 * width, rows - 6
        if rows == 5:
            tile5(a, row, step, b, pairs, c, width, start)
        elif rows == 4:
            tile4(a, row, step, b, pairs, c, width, start)
        elif rows == 3:
            tile3(a, row, step, b, pairs, c, width, start)
        elif rows == 2:
            tile2(a, row, step, b, pairs, c, width, start)
        elif rows == 1:
            tile1(a, row, step, b, pairs, c, width, start)

    return panel


panel4, panel3, panel2, panel1 = (_panel(across) for across in (4, 3, 2, 1))


@intrinsic  # type: ignore[untyped-decorator]
def transpose(_: Any, source: Any, width: Any, target: Any, across: Any) -> Any:  # noqa: ARG001
    """16 by 16 numbers of 32 bits, in four rounds of exchanges; rows of the target are ``across`` bytes apart."""

    def generate(__: Any, builder: Any, ___: Any, values: Sequence[Any]) -> Any:
        source, width, target, across = values
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
            builder.store(one, _at(builder, builder.add(target, builder.mul(across, I64(i))), 0, WHOLES), align=64)
        return None

    return types.void(*[types.int64] * 4), generate


@inner
def pair(rows: Any, width: Any, row: Any, count: Any, target: Any) -> None:
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
