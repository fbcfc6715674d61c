"""Products of small matrices in tiles: right in every layout and size, and nothing touched beside the operands."""

import os
import subprocess
import sys
from itertools import product as combinations
from pathlib import Path

import numpy as np
import pytest

from minigrad.kernels import products
from minigrad.kernels.cache import kernels_enabled

DTYPES = [np.dtype(np.float32), np.dtype(np.float64)]
ROWS, STEPS, COLUMNS = (8, 9, 11, 12, 13, 23, 24, 25, 31), (1, 2, 7, 8, 16, 17, 33, 512), (5, 8, 9, 16, 17, 31, 32, 33, 48, 65)
HAS_TILES = kernels_enabled() and products.registers() is not None
ROOT = Path(__file__).parent.parent
needs_tiles = pytest.mark.skipif(not HAS_TILES, reason="this processor has no tiles")


def layouts(a, b):
    """The operands in every layout: row-major, column-major, and with gaps."""
    forms = [lambda x: x, np.asfortranarray, lambda x: np.repeat(x, 2, 1)[:, ::2]]
    return [(left(a), right(b)) for left, right in combinations(forms, forms)]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("rows", ROWS)
def test_values_and_layouts(rows, dtype):
    random = np.random.default_rng(rows)
    for steps, columns in combinations(STEPS, COLUMNS):
        a = random.standard_normal((rows, steps)).astype(dtype)
        b = random.standard_normal((steps, columns)).astype(dtype)
        exact = a.astype(np.longdouble) @ b.astype(np.longdouble)
        bound = (steps + 1) * np.finfo(dtype).eps / 2 * (np.abs(a).astype(np.float64) @ np.abs(b).astype(np.float64))
        found = [products.product(*operands) for operands in layouts(a, b)]
        assert (np.abs(found[0] - exact) <= bound).all(), (rows, steps, columns)
        if products.tiled(dtype, rows, steps, columns):
            assert len({out.tobytes() for out in found}) == 1, (rows, steps, columns)


@needs_tiles
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_an_element_does_not_depend_on_its_place(dtype):
    """Rows and columns of a larger product are those of a smaller one, whatever tile they fall into."""
    random = np.random.default_rng(0)
    a, b = random.standard_normal((61, 40)).astype(dtype), random.standard_normal((40, 77)).astype(dtype)
    whole = products.product(a, b)
    for rows, columns in combinations((8, 10, 12, 29, 60), (16, 17, 40, 64, 76)):
        assert products.tiled(dtype, rows, 40, columns)
        assert np.array_equal(products.product(a[-rows:], b[:, -columns:]), whole[-rows:, -columns:])


@needs_tiles
def test_which_products_are_tiled():
    single = np.dtype(np.float32)
    assert products.tiled(single, 128, 64, 128)
    assert products.tiled(single, 8, 1, 8)
    assert not products.tiled(single, 7, 64, 128)  # few rows
    assert not products.tiled(single, 128, 513, 16)  # long sums
    assert not products.tiled(single, 512, 512, 512)  # large
    assert not products.tiled(single, 128, 64, 1)
    assert not products.tiled(single, 128, 0, 64)
    assert not products.tiled(np.dtype(np.float16), 128, 64, 128)
    assert not products.tiled(np.dtype(">f4"), 128, 64, 128)


@needs_tiles
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_special_values_stay_where_they_belong(dtype):
    a, b = np.ones((20, 9), dtype), np.ones((9, 40), dtype)
    a[3, 4], a[7, 1], b[2, 33] = np.nan, np.inf, np.inf
    a[5, 2] = 0
    with np.errstate(invalid="ignore"):
        expected = a @ b
    for operands in layouts(a, b):
        out = products.product(*operands)
        assert np.array_equal(out, expected, equal_nan=True)
        assert np.isnan(out[3]).all()
        assert np.isnan(out[5, 33])
        assert np.isinf(out[7]).all()
        assert np.isfinite(np.delete(np.delete(out, [3, 5, 7], 0), 33, 1)).all()


def outside(dtype):
    """Run products whose operands and result end where memory ends: a page behind them may not be touched."""
    import ctypes
    import mmap

    page = mmap.PAGESIZE
    libc = ctypes.CDLL(None)

    def at_the_end(shape):
        size = int(np.prod(shape)) * dtype.itemsize
        memory = mmap.mmap(-1, (size + page - 1) // page * page + page)
        address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        begin = len(memory) - page - size
        array = np.frombuffer(memory, dtype, int(np.prod(shape)), begin).reshape(shape)
        assert libc.mprotect(ctypes.c_void_p(address + len(memory) - page), page, 0) == 0
        return array

    for rows, steps, columns, a_turned, b_turned in combinations(
        (8, 13, 25), (1, 9, 33), (9, 17, 41), (False, True), (False, True)
    ):
        if not products.tiled(dtype, rows, steps, columns):
            continue
        a, b = (
            at_the_end((steps, rows) if a_turned else (rows, steps)),
            at_the_end((columns, steps) if b_turned else (steps, columns)),
        )
        out, work = at_the_end((rows, columns)), at_the_end((products.room(dtype, steps),))
        a[...], b[...] = np.arange(a.size).reshape(a.shape) % 7, np.arange(b.size).reshape(b.shape) % 5
        products.tiled_product[dtype](out, a, b, a_turned, b_turned, work)
        assert np.array_equal(out, (a.T if a_turned else a) @ (b.T if b_turned else b))


@needs_tiles
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux to guard memory")
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_nothing_is_touched_behind_the_operands(dtype):
    """In a process of its own, which would die of it."""
    code = f"import numpy, tests.test_products as t; t.outside(numpy.dtype('{dtype}'))"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300, cwd=ROOT)


@needs_tiles
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="names of processors as on Linux")
def test_narrower_vectors():
    """The tiles for processors with AVX2 alone, where this one has more."""
    code = (
        "from minigrad.kernels.products import registers; assert registers().nbytes == 32\n"
        "import tests.test_products as t\n"
        "for dtype in t.DTYPES:\n"
        "    for rows in (8, 11, 13): t.test_values_and_layouts(rows, dtype)\n"
        "    t.test_an_element_does_not_depend_on_its_place(dtype); t.outside(dtype)\n"
    )
    features = "+64bit,+sse,+sse2,+sse3,+ssse3,+sse4.1,+sse4.2,+avx,+avx2,+fma,+bmi,+bmi2,+popcnt,+lzcnt,+f16c"
    env = {**os.environ, "NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": features}
    subprocess.run([sys.executable, "-c", code], check=True, timeout=600, cwd=ROOT, env=env)
