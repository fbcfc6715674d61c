"""Products of matrices: those of small ones, for which BLAS has much overhead, in tiles that stay in registers.

A tile is two vectors wide, and as high as there are registers. Each element is the sum of its products one after the other, wherever
a tile begins: the result does not depend on how the operands lie in memory.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np

from . import hands
from .cache import compilable, compiled, file_digest, kernels_enabled, native
from .quiet import quiet

__all__ = ["NO_HELP", "help_for", "product", "registers", "room", "tiled", "tiled_product"]

Array = np.ndarray[Any, Any]

# What goes into tiles, as measured against OpenBLAS (AVX-512, two threads; benchmarks/PROFILE.md): at least so many rows, at most so many
# products for an element, as transposing the right operand must pay, and no more than half of the vectors empty. And at most so many
# products in all, more where two threads share them as BLAS would, and at least so many, as a call of BLAS is shorter by a microsecond;
# below SHARED, handing the operands over costs more than it saves.
LOWEST, LONGEST, FOR_A_ROW, SMALLEST, LARGEST, LARGEST_OF_TWO, SHARED = 8, 1024, 32, 1 << 16, 1 << 22, 1 << 25, 1 << 22


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
    if rows < LOWEST or steps > min(LONGEST, FOR_A_ROW * rows) or not SMALLEST <= rows * steps * columns <= _largest():
        return False
    lanes = _lanes(dtype)
    return lanes > 0 and 2 * columns >= -(-columns // lanes) * lanes


@cache
def _largest() -> int:
    return LARGEST_OF_TWO if hands.threads(os.environ) in (2, 3) else LARGEST


@cache
def _lanes(dtype: Any) -> int:
    """How many numbers a vector has; 0 where there are no tiles."""
    found = registers() if compilable(dtype) and kernels_enabled() else None
    return 0 if found is None else int(found.nbytes // dtype.itemsize)


def room(dtype: Any, rows: int, steps: int, columns: int) -> int:
    """How much scratch a product in tiles needs if its right operand is transposed: for each thread, for a part."""
    return 2 * _lanes(dtype) * steps * (1 + (rows * steps * columns >= SHARED))


NO_HELP = 0, 0
"""The same where one thread does it all."""


def help_for(dtype: Any, rows: int, steps: int, columns: int) -> tuple[int, int]:
    """The last arguments of a product in tiles: the board where its parts are shared out, and the address of the function that does one."""
    found = hands.helper() if rows * steps * columns >= SHARED else None
    return NO_HELP if found is None else (found.board, _part(dtype))


def product(a: Array, b: Array) -> Array:
    """a b, for matrices of one dtype."""
    rows, steps = a.shape
    columns = b.shape[1]
    way = _way(a.dtype, rows, steps, columns) if rows * steps * columns >= SMALLEST else None
    if way is None:
        return quiet.run(a.dot, b)  # type: ignore[no-any-return]
    kernel, size, help_, nothing = way
    out = np.empty((rows, columns), a.dtype)
    (a, a_turned), (b, b_turned) = _stored(a), _stored(b)
    if help_ is not NO_HELP:
        hands.wake()
    kernel(out, a, b, a_turned, b_turned, np.empty(size, a.dtype) if b_turned else nothing, *help_)
    return out


@lru_cache(4096)
def _way(dtype: Any, rows: int, steps: int, columns: int) -> Any:
    """What a product in tiles takes: the kernel, the size of its scratch, help, and an array for where no scratch is needed."""
    sizes = dtype, rows, steps, columns
    return (tiled_product[dtype], room(*sizes), help_for(*sizes), np.empty(0, dtype)) if tiled(*sizes) else None


def _stored(x: Array) -> tuple[Array, bool]:
    """A matrix as it lies in memory, row by row, and whether that is its transpose."""
    if x.flags.c_contiguous:
        return x, False
    return (x.T, True) if x.flags.f_contiguous else (np.ascontiguousarray(x), False)


_SOURCE = """\
# {digest}
from numba import njit
from minigrad.kernels.addresses import array, start
from minigrad.kernels.tiles import tile, turn
{parts}
matrix = array("{dtype}", 2)

SIZE = {size}
LANES = {nbytes} // SIZE
{instructions}turned = turn("{dtype}", {nbytes})

{strips}

@njit(cache=CACHE, nogil=True, error_model="numpy")
def lay_turned(work, width, b, first, rows, steps):
    '''The rows of b from the first on, turned, as columns of `work`.'''
    row, last = SIZE * steps, b + SIZE * steps * (rows - 1)
    if steps < LANES:
        lines, laid = matrix(b, rows, steps), matrix(work, steps, width)
        for j in range(width):
            for n in range(steps):
                laid[n, j] = lines[min(first + j, rows - 1), n]
        return
    for j in range(0, width, LANES):
        from_row = min(b + row * (first + j), last)
        for n in range(0, steps, LANES):
            n = min(n, steps - LANES)
            turned(from_row + SIZE * n, row, last + SIZE * n, work + SIZE * (n * width + j), SIZE * width)

@njit(cache=CACHE, nogil=True, error_model="numpy")
def panel(n, a, a_row, a_step, b, b_turned, out, work, rows, steps, columns):
    '''The columns of the result with the number n, two vectors wide.'''
    j, last = n * 2 * LANES, min((n + 1) * 2 * LANES, columns)
    while j < last:
        width = 2 * LANES if last - j == 2 * LANES else LANES
        b_j, b_step = b + SIZE * j, SIZE * columns
        if b_turned:
            b_j, b_step = work, SIZE * width
            lay_turned(work, width, b, j, columns, steps)
        strip = (a, a_row, a_step, b_j, b_step, out + SIZE * j, SIZE * columns, rows, steps, min(width, last - j))
        if width == LANES:
            one_vector(*strip)
        else:
            two_vectors(*strip)
        j += width

@njit(cache=CACHE, nogil=True, error_model="numpy")
def part(job, number):
    work = word(job, 7) + (number >> 32) * SIZE * 2 * LANES * word(job, 9)
    panel(number & 0xFFFFFFFF, word(job, 1), word(job, 2), word(job, 3), word(job, 4), word(job, 5), word(job, 6), work,
          word(job, 8), word(job, 9), word(job, 10))
    return 0

@njit(cache=CACHE, nogil=True, error_model="numpy")
def product(out, a, b, a_turned, b_turned, work, board, part):
    rows, columns = out.shape
    steps = a.shape[0] if a_turned else a.shape[1]
    a_row, a_step = (SIZE, SIZE * rows) if a_turned else (SIZE * steps, SIZE)
    panels = -(-columns // (2 * LANES))
    given = (start(a), a_row, a_step, start(b), int(b_turned), start(out), start(work), rows, steps, columns)
    if board != 0 and panels > 1 and swap(board + LOCK, 0, 1):
        store(board + JOB, part)
        for n in range(len(given)):
            store(board + JOB + 8 * (n + 1), given[n])
        do_parts(board, panels)
        publish(board + LOCK, 0)
    else:
        for n in range(panels):
            panel(n, *given)
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
        parts=hands.PARTS,
        digest=file_digest(addresses.__file__, tiles.__file__),
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


def _compiled(dtype: Any, function: str, signature: Sequence[Any]) -> Callable[..., Any]:
    found = registers()
    assert found is not None
    return compiled(_source(dtype, found), function, signature)


class _Products(dict[Any, Callable[..., Any]]):
    """`tiled_product[dtype](out, a, b, a_turned, b_turned, work, *help_for(…))` writes a b to out; a and b as they lie in memory, each one
    turned or not."""

    def __missing__(self, dtype: Any) -> Callable[..., Any]:
        from numba import types

        matrix, vector = (types.Array(getattr(types, dtype.name), n, "C") for n in (2, 1))
        signature = [matrix, matrix, matrix, types.boolean, types.boolean, vector, types.int64, types.int64]
        return self.setdefault(dtype, _compiled(dtype, "product", signature))


@cache
def _part(dtype: Any) -> int:
    from numba import types

    return native(_compiled(dtype, "part", [types.int64, types.int64]), for_c=True).address


tiled_product = _Products()
