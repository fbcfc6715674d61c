"""Products of small matrices in tiles: right in every layout and size, alone and shared with a helper, and nothing touched beside the
operands."""

import os
import subprocess
import sys
import threading
import time
from itertools import product as combinations
from pathlib import Path

import numpy as np
import pytest

from minigrad.kernels import hands, products
from minigrad.kernels.cache import kernels_enabled

DTYPES = [np.dtype(np.float32), np.dtype(np.float64)]
ROWS, STEPS, COLUMNS = (8, 9, 11, 12, 13, 23, 24, 25, 31), (1, 2, 7, 8, 16, 17, 33, 512), (5, 8, 9, 16, 17, 31, 32, 33, 48, 65)
ROOT = Path(__file__).parent.parent
needs_tiles = pytest.mark.skipif(not kernels_enabled() or products.registers() is None, reason="this processor has no tiles")
needs_linux = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="asks Linux to guard memory, or names processors as it does"
)
needs_helper = pytest.mark.skipif(hands.threads(os.environ) < 2, reason="one thread is all there is")


def in_tiles(a, b, shared=False):
    """a b in tiles, whatever the sizes."""
    (rows, steps), columns = a.shape, b.shape[1]
    out = np.full((rows, columns), np.nan, a.dtype)
    (a, a_turned), (b, b_turned) = ((x, False) if x.flags.c_contiguous else (x.T, True) for x in (a, b))
    help_ = products.help_for(a.dtype, products.SHARED, 1, 1) if shared else products.NO_HELP
    work = np.empty(products.room(a.dtype, products.SHARED, steps, 1), a.dtype)
    products.tiled_product[a.dtype](out, a, b, a_turned, b_turned, work, *help_)
    return out


def layouts(a, b):
    """The operands in row-major and column-major memory."""
    forms = [np.ascontiguousarray, np.asfortranarray]
    return [(left(a), right(b)) for left, right in combinations(forms, forms)]


@needs_tiles
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("rows", ROWS)
def test_values_and_layouts(rows, dtype):
    random = np.random.default_rng(rows)
    for steps, columns in combinations(STEPS, COLUMNS):
        a = random.standard_normal((rows, steps)).astype(dtype)
        b = random.standard_normal((steps, columns)).astype(dtype)
        exact = a.astype(np.longdouble) @ b.astype(np.longdouble)
        bound = (steps + 1) * np.finfo(dtype).eps / 2 * (np.abs(a).astype(np.float64) @ np.abs(b).astype(np.float64))
        found = [in_tiles(*operands) for operands in layouts(a, b)]
        assert (np.abs(found[0] - exact) <= bound).all(), (rows, steps, columns)
        assert len({out.tobytes() for out in found}) == 1, (rows, steps, columns)


@needs_tiles
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_an_element_does_not_depend_on_its_place(dtype):
    """Rows and columns of a larger product are those of a smaller one, whatever tile they fall into."""
    random = np.random.default_rng(0)
    a, b = random.standard_normal((61, 40)).astype(dtype), random.standard_normal((40, 77)).astype(dtype)
    whole = in_tiles(a, b)
    for rows, columns in combinations((8, 10, 12, 29, 60), (16, 17, 40, 64, 76)):
        part = in_tiles(np.ascontiguousarray(a[-rows:]), np.ascontiguousarray(b[:, -columns:]))
        assert np.array_equal(part, whole[-rows:, -columns:])


def test_products_of_all_kinds():
    """What goes into tiles and what does not, operands with gaps, and the same bits from each layout."""
    random = np.random.default_rng(0)
    for rows, steps, columns in [
        (128, 64, 128),
        (128, 64, 1),
        (1, 64, 128),
        (7, 100, 200),
        (64, 1000, 64),
        (3, 0, 4),
        (128, 256, 200),
    ]:
        for dtype in (*DTYPES, np.dtype(np.float16)):
            a, b = random.standard_normal((rows, steps)).astype(dtype), random.standard_normal((steps, columns)).astype(dtype)
            found = [products.product(*operands) for operands in [*layouts(a, b), (np.repeat(a, 2, 1)[:, ::2], b)]]
            for out in found:
                assert (out.dtype, out.shape) == (dtype, (rows, columns))
                np.testing.assert_allclose(out, a.astype(np.float64) @ b, rtol=0, atol=8 * (steps + 1) * np.finfo(dtype).eps)
            if products.tiled(dtype, rows, steps, columns):
                assert len({out.tobytes() for out in found}) == 1


@needs_tiles
def test_which_products_are_tiled():
    single = np.dtype(np.float32)
    assert products.tiled(single, 128, 64, 128)
    assert products.tiled(single, 8, 256, 64)
    assert not products.tiled(single, 7, 256, 128)  # few rows
    assert not products.tiled(single, 8, 257, 64)  # long sums for so few
    assert not products.tiled(single, 256, 1025, 64)  # long sums
    assert not products.tiled(single, 100, 16, 16)  # tiny
    assert not products.tiled(single, 1024, 1024, 1024)  # large
    assert not products.tiled(single, 2000, 64, 7)  # vectors half empty
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
        out = in_tiles(*operands)
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

    turns = (False, True)
    for rows, steps, columns, a_turned, b_turned in combinations((8, 13, 25), (1, 9, 33), (9, 17, 41), turns, turns):
        a, b = (
            at_the_end((steps, rows) if a_turned else (rows, steps)),
            at_the_end((columns, steps) if b_turned else (steps, columns)),
        )
        out, work = at_the_end((rows, columns)), at_the_end((products.room(dtype, rows, steps, columns),))
        a[...], b[...] = np.arange(a.size).reshape(a.shape) % 7, np.arange(b.size).reshape(b.shape) % 5
        products.tiled_product[dtype](out, a, b, a_turned, b_turned, work, *products.NO_HELP)
        assert np.array_equal(out, (a.T if a_turned else a) @ (b.T if b_turned else b))


def run(code, **environment):
    """Run code in a process of its own."""
    command = [sys.executable, "-c", f"import os, numpy, tests.test_products as t\n{code}"]
    return subprocess.run(
        command, check=True, timeout=300, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True
    )


@needs_tiles
@needs_linux
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_nothing_is_touched_behind_the_operands(dtype):
    run(f"t.outside(numpy.dtype('{dtype}'))")


@needs_tiles
@needs_linux
def test_narrower_vectors():
    """The tiles for processors with AVX2 alone, where this one has more."""
    code = (
        "assert t.products.registers().nbytes == 32\n"
        "for dtype in t.DTYPES:\n"
        "    for rows in (8, 11, 13): t.test_values_and_layouts(rows, dtype)\n"
        "    t.test_an_element_does_not_depend_on_its_place(dtype); t.outside(dtype)\n"
    )
    features = "+64bit,+sse,+sse2,+sse3,+ssse3,+sse4.1,+sse4.2,+avx,+avx2,+fma,+bmi,+bmi2,+popcnt,+lzcnt,+f16c"
    run(code, NUMBA_CPU_NAME="haswell", NUMBA_CPU_FEATURES=features)


# ---- shared with a helper


def operands(rows, steps, columns, seed=0):
    random = np.random.default_rng(seed)
    return random.standard_normal((rows, steps)).astype(np.float32), random.standard_normal((steps, columns)).astype(np.float32)


@needs_tiles
@needs_helper
def test_a_helper_takes_its_share():
    """Sooner or later; and whoever does a part, the bits are the same."""
    a, b = operands(200, 300, 333)
    expected = in_tiles(a, b).tobytes()
    helped, end = 0, time.monotonic() + 60
    words = np.frombuffer(hands.helper().words, np.int64)
    while helped < 20 and time.monotonic() < end:
        hands.wake()
        for left, right in layouts(a, b):
            assert in_tiles(left, right, shared=True).tobytes() == expected
            helped += int(words[hands.PLACES["DONE"]])
    assert helped >= 20
    time.sleep(0.05)  # it falls asleep meanwhile
    assert in_tiles(a, b, shared=True).tobytes() == expected


@needs_tiles
@needs_helper
def test_threads_share_one_helper():
    """Who finds the board taken does all parts alone."""
    jobs = [operands(100, 150, columns, columns) for columns in (65, 100, 200, 333)]
    expected = [in_tiles(*job).tobytes() for job in jobs]
    wrong = []

    def work(n):
        for _ in range(200):
            hands.wake()
            if in_tiles(*jobs[n], shared=True).tobytes() != expected[n]:
                wrong.append(n)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


SHARED_PRODUCT = """
a, b = t.operands(256, 256, 256)
def check(): assert t.products.product(a, b).tobytes() == t.in_tiles(a, b).tobytes()
for _ in range(5): check()
"""


@needs_tiles
@needs_helper
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_process_goes_on_alone():
    code = f"{SHARED_PRODUCT}child = os.fork()\nfor _ in range(5): check()\nif child: assert os.waitpid(child, 0)[1] == 0\n"
    run(code)


@needs_tiles
@needs_helper
def test_the_end_of_the_process():
    """With the helper at work, and asleep."""
    run(SHARED_PRODUCT)
    run(f"{SHARED_PRODUCT}import time; time.sleep(0.1)")


def test_number_of_threads():
    every = hands.threads({})
    assert every >= 1
    assert hands.threads({"OMP_NUM_THREADS": "1"}) == hands.threads({"OPENBLAS_NUM_THREADS": "1"}) == 1
    assert hands.threads({"OMP_NUM_THREADS": "", "OPENBLAS_NUM_THREADS": "many"}) == every
    assert hands.threads({"OMP_NUM_THREADS": "0"}) == every
    assert hands.threads({"OMP_NUM_THREADS": "1000"}) == every


@needs_tiles
def test_one_thread_where_one_is_asked_for():
    run(f"{SHARED_PRODUCT}import threading; assert threading.active_count() == 1", OMP_NUM_THREADS="1")
