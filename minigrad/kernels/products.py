"""Products of matrices: those of small ones, for which BLAS has much overhead, in tiles that stay in registers.

A tile is two vectors wide, and as high as there are registers. Each element is the sum of its products one after the other, wherever
a tile begins: the result does not depend on how the operands lie in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from .cache import compilable, compiled, kernels_enabled
from .quiet import quiet

__all__ = ["product", "registers", "room", "tiled", "tiled_product"]

Array = np.ndarray[Any, Any]

# What goes into tiles, as measured against OpenBLAS (AVX-512, two threads; benchmarks/PROFILE.md): at least so many rows, at most so many
# products for an element and in all, and no more than half of the vectors empty.
LOWEST, LONGEST, LARGEST = 8, 512, 1 << 22


class Registers(NamedTuple):
    """What tiles are made for: how many bytes a vector register has, how many rows of two vectors the registers hold beside the operands,
    and behind that the heights of tiles for rows that are left over."""

    nbytes: int
    heights: Sequence[int]


@cache
def registers() -> Registers | None:
    """Those of the processor that Numba compiles for: 32 of AVX-512, 16 of AVX2; None for others."""
    from numba.core.registry import cpu_target

    has = set(cpu_target.target_context.codegen().magic_tuple()[2].split(","))
    if "+avx512f" in has:
        return Registers(64, (12, 8, 4))
    return Registers(32, (6, 4)) if {"+avx2", "+fma"} <= has else None


def tiled(dtype: Any, rows: int, steps: int, columns: int) -> bool:
    """Whether a product of matrices (rows, steps) and (steps, columns) is made in tiles."""
    lanes = _lanes(dtype)
    fits = LOWEST <= rows and 0 < steps <= LONGEST and rows * steps * columns <= LARGEST
    return fits and lanes > 0 and 2 * columns >= -(-columns // lanes) * lanes


@cache
def _lanes(dtype: Any) -> int:
    """How many numbers a vector has; 0 where there are no tiles."""
    found = registers() if compilable(dtype) and kernels_enabled() else None
    return 0 if found is None else int(found.nbytes // dtype.itemsize)


def room(dtype: Any, steps: int) -> int:
    """How much scratch a product in tiles needs if its right operand is transposed."""
    return 2 * _lanes(dtype) * steps


def product(a: Array, b: Array) -> Array:
    """a b, for matrices of one dtype."""
    rows, steps = a.shape
    columns = b.shape[1]
    if not tiled(a.dtype, rows, steps, columns):
        return quiet.run(a.dot, b)  # type: ignore[no-any-return]
    out = np.empty((rows, columns), a.dtype)
    (a, a_turned), (b, b_turned) = _stored(a), _stored(b)
    tiled_product[a.dtype](out, a, b, a_turned, b_turned, np.empty(room(a.dtype, steps) if b_turned else 0, a.dtype))
    return out


def _stored(x: Array) -> tuple[Array, bool]:
    """A matrix as it lies in memory, row by row, and whether that is its transpose."""
    if x.flags.c_contiguous:
        return x, False
    return (x.T, True) if x.flags.f_contiguous else (np.ascontiguousarray(x), False)


_SOURCE = """\
# {digests}
from numba import njit
from minigrad.kernels.addresses import start
from minigrad.kernels.tiles import tile, turn

SIZE = {size}
LANES = {nbytes} // SIZE
{instructions}turned = turn("{dtype}", {nbytes})

{strips}

@njit(cache=CACHE, nogil=True, error_model="numpy")
def lay_turned(work, width, b, first, rows, steps):
    '''The rows of b from the first on, turned, as columns of `work`.'''
    row, last = SIZE * steps, b + SIZE * steps * (rows - 1)
    for j in range(0, width, LANES):
        from_row = min(b + row * (first + j), last)
        for n in range(0, steps, LANES):
            n = min(n, steps - LANES)
            turned(from_row + SIZE * n, row, last + SIZE * n, work + SIZE * (n * width + j), SIZE * width)

@njit(cache=CACHE, nogil=True, error_model="numpy")
def product(out, a, b, a_turned, b_turned, work):
    rows, columns = out.shape
    steps = a.shape[0] if a_turned else a.shape[1]
    a_row, a_step = (SIZE, SIZE * rows) if a_turned else (SIZE * steps, SIZE)
    at_a, at_b, at_out, at_work = start(a), start(b), start(out), start(work)
    j = 0
    while j < columns:
        width = 2 * LANES if columns - j >= 2 * LANES else LANES
        b_j, b_step = at_b + SIZE * j, SIZE * columns
        if b_turned:
            b_j, b_step = at_work, SIZE * width
            if steps >= LANES:
                lay_turned(at_work, width, at_b, j, columns, steps)
            else:
                for q in range(width):
                    for n in range(steps):
                        work[n * width + q] = b[min(j + q, columns - 1), n]
        strip = (at_a, a_row, a_step, b_j, b_step, at_out + SIZE * j, SIZE * columns, rows, steps, min(width, columns - j))
        if width == LANES:
            one_vector(*strip)
        else:
            two_vectors(*strip)
        j += width
"""

_STRIP = """
@njit(cache=CACHE, nogil=True, error_model="numpy")
def {name}(a, a_row, a_step, b, b_step, c, c_row, rows, steps, columns):
    i = 0
    while i < rows:
{tiles}
"""
_TILE = """\
        {keyword}rows - i > {lower} and rows >= {height}:
            i = min(i, rows - {height})
            {name}_{height}(a + i * a_row, a_row, a_step, b, b_step, c + i * c_row, c_row, steps, columns)
            i += {height}
"""
_WIDTHS = {"one_vector": 1, "two_vectors": 2}


def _source(dtype: Any, on: Registers) -> str:
    from . import addresses, tiles

    nbytes, heights = on
    instructions = "".join(
        f'{name}_{height} = tile("{dtype.name}", {nbytes}, {height}, {width})\n'
        for name, width in _WIDTHS.items()
        for height in heights
    )
    strips = "".join(_STRIP.format(name=name, tiles=_choices(name, heights)) for name in _WIDTHS)
    return _SOURCE.format(
        digests=addresses.digest() + tiles.digest(),
        size=dtype.itemsize,
        nbytes=nbytes,
        dtype=dtype.name,
        instructions=instructions,
        strips=strips,
    )


def _choices(name: str, heights: Sequence[int]) -> str:
    """Which tile comes next: a lower one where it takes all the rows that are left. It may begin in rows that are there already."""
    return "".join(
        _TILE.format(keyword="elif " if n else "if ", name=name, height=height, lower=lower)
        for n, (height, lower) in enumerate(zip(heights, [*heights[1:], 0], strict=True))
    )


class _Products(dict[Any, Callable[..., Any]]):
    """`tiled_product[dtype](out, a, b, a_turned, b_turned, work)` writes a b to out; a and b as they lie in memory, each one turned or
    not."""

    def __missing__(self, dtype: Any) -> Callable[..., Any]:
        from numba import types

        found = registers()
        assert found is not None
        matrix, vector = (types.Array(getattr(types, dtype.name), n, "C") for n in (2, 1))
        signature = [matrix, matrix, matrix, types.boolean, types.boolean, vector]
        return self.setdefault(dtype, compiled(_source(dtype, found), "product", signature))


tiled_product = _Products()
