"""The instructions that `products` is written in: a tile of a product of matrices that stays in vector registers, and a square of a matrix
turned over its diagonal.

Each is some lines of LLVM's own language, on addresses and distances in bytes. Nothing is checked here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .addresses import call

__all__ = ["tile", "turn"]

_WORD, _INT = ir.IntType(64), ir.IntType(32)
_KINDS = {"float32": ir.FloatType(), "float64": ir.DoubleType()}


class _Vectors:
    """Vectors of as many numbers as a register holds; with a count, of which no more than the first so many are in memory."""

    def __init__(self, builder: Any, dtype: str, nbytes: int, count: Any = None):
        self.builder, self.size = builder, np.dtype(dtype).itemsize
        self.lanes = nbytes // self.size
        self.number = _KINDS[dtype]
        self.kind = ir.VectorType(self.number, self.lanes)
        self.suffix = f"v{self.lanes}f{8 * self.size}"
        self.mask = None if count is None else self._first(count)

    def zero(self) -> Any:
        return ir.Constant(self.kind, [0.0] * self.lanes)

    def at(self, address: Any, n: int = 0) -> Any:
        """A pointer to the vector with the number n from an address on."""
        return self.builder.inttoptr(self.builder.add(address, _WORD(n * self.lanes * self.size)), self.kind.as_pointer())

    def load(self, address: Any, n: int = 0) -> Any:
        if self.mask is None:
            return self.builder.load(self.at(address, n), align=self.size)
        return self.call("masked.load", self.kind, self.at(address, n), _INT(self.size), self.mask, self.zero())

    def store(self, vector: Any, address: Any, n: int = 0) -> None:
        if self.mask is None:
            self.builder.store(vector, self.at(address, n), align=self.size)
        else:
            self.call("masked.store", ir.VoidType(), vector, self.at(address, n), _INT(self.size), self.mask)

    def prefetch(self, address: Any, n: int = 0) -> None:
        """Get the memory of a vector into the cache, to be written."""
        call(self.builder, "llvm.prefetch.p0", ir.VoidType(), self.at(address, n), _INT(1), _INT(3), _INT(1))

    def repeated(self, value: Any) -> Any:
        """A vector of one value."""
        nothing = ir.Constant(ir.VectorType(value.type, self.lanes), ir.Undefined)
        return self.mixed(self.builder.insert_element(nothing, value, _INT(0)), nothing, [0] * self.lanes)

    def mixed(self, a: Any, b: Any, places: Sequence[int]) -> Any:
        """The elements of a and b, one behind the other, at these places."""
        return self.builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(_INT, self.lanes), list(places)))

    def call(self, name: str, result: Any, *arguments: Any) -> Any:
        """Call one of LLVM's own functions of vectors."""
        return call(self.builder, f"llvm.{name}.{self.suffix}", result, *arguments)

    def _first(self, count: Any) -> Any:
        """Which elements are among the first `count`."""
        numbers = ir.Constant(ir.VectorType(_INT, self.lanes), list(range(self.lanes)))
        return self.builder.icmp_signed("<", numbers, self.repeated(self.builder.trunc(count, _INT)))


def tile(dtype: str, nbytes: int, rows: int, vectors: int) -> Any:
    """A function that computes so many rows and vectors of C = A B, of sums over `steps` products, one after the other.

    From one row, and one step, to the next it goes by `a_row` and `a_step` in A, by `b_step` in B, by `c_row` in C. A tile of one vector
    has `columns` columns, one of two is full.
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, a_row, a_step, b, b_step, c, c_row, steps, columns = arguments
        v = _Vectors(builder, dtype, nbytes, columns if vectors == 1 else None)
        before, loop, after = builder.block, builder.append_basic_block("step"), builder.append_basic_block("store")
        for i in range(rows):  # what is written at the end is on its way to the cache meanwhile
            for j in range(vectors):
                v.prefetch(builder.add(c, builder.mul(c_row, _WORD(i))), j)
        builder.branch(loop)
        builder.position_at_end(loop)
        n, left, right = (builder.phi(_WORD) for _ in range(3))
        sums = [[builder.phi(v.kind) for _ in range(vectors)] for _ in range(rows)]
        b_row = [v.load(right, j) for j in range(vectors)]
        new = []
        for i in range(rows):
            address = builder.add(left, builder.mul(a_row, _WORD(i)))
            factor = v.repeated(builder.load(builder.inttoptr(address, v.number.as_pointer())))
            new.append([v.call("fmuladd", v.kind, factor, b_row[j], sums[i][j]) for j in range(vectors)])
        carried = [(n, _WORD(0), _WORD(1)), (left, a, a_step), (right, b, b_step)]
        for variable, start, step in carried:
            variable.add_incoming(start, before)
            variable.add_incoming(builder.add(variable, step), loop)
        for i in range(rows):
            for j in range(vectors):
                sums[i][j].add_incoming(v.zero(), before)
                sums[i][j].add_incoming(new[i][j], loop)
        builder.cbranch(builder.icmp_signed("<", builder.add(n, _WORD(1)), steps), loop, after)
        builder.position_at_end(after)
        for i in range(rows):
            for j in range(vectors):
                v.store(new[i][j], builder.add(c, builder.mul(c_row, _WORD(i))), j)
        return context.get_dummy_value()

    @intrinsic
    def compute(
        typingctx: Any, a: Any, a_row: Any, a_step: Any, b: Any, b_step: Any, c: Any, c_row: Any, steps: Any, columns: Any
    ) -> Any:
        return types.none(*[types.int64] * 9), emit

    return compute


def turn(dtype: str, nbytes: int) -> Any:
    """A function that writes a square matrix, a register wide, turned over its diagonal: out[i, j] = x[j, i].

    From one row to the next it goes by `x_row` and by `out_row`; rows of x behind that at `last` are that one.
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x, x_row, last, out, out_row = arguments
        v = _Vectors(builder, dtype, nbytes)
        rows = []
        for _ in range(v.lanes):
            rows.append(v.load(x))
            x = builder.add(x, x_row)
            x = builder.select(builder.icmp_signed("<", x, last), x, last)
        distance = 1
        while distance < v.lanes:  # in each square of 2 · distance, change the two that are off the diagonal
            for i in (i for i in range(v.lanes) if not i & distance):
                upper, lower = rows[i], rows[i + distance]
                places = [j + (v.lanes - distance if j & distance else 0) for j in range(v.lanes)]
                rows[i] = v.mixed(upper, lower, places)
                rows[i + distance] = v.mixed(upper, lower, [p + distance for p in places])
            distance *= 2
        for row in rows:
            v.store(row, out)
            out = builder.add(out, out_row)
        return context.get_dummy_value()

    @intrinsic
    def compute(typingctx: Any, x: Any, x_row: Any, last: Any, out: Any, out_row: Any) -> Any:
        return types.none(*[types.int64] * 5), emit

    return compute
