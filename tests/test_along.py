"""Kernels along one axis, on sizes beyond those of the table: blocks and their rests, rows of one column, special values, accuracy."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad.errors import IndexRangeError
from minigrad.kernels import arrays
from minigrad.kernels.cache import kernels_enabled
from minigrad.ops import extremes, scan

SHAPES = [((3, 200), 1), ((200, 3), 0), ((2, 130, 3), 1), ((300,), 0), ((5, 64), -1), ((2, 1, 70, 1), 2)]
DTYPES = ["float32", "float64"]
inf, nan = math.inf, math.nan


def drawn(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Numbers around ±1, so that products neither vanish nor overflow."""
    random = np.random.default_rng(sum(shape))
    return np.asarray(random.choice([-1, 1], shape) * random.uniform(0.9, 1.1, shape)).astype(np.float32).astype(dtype)


def both(function: Callable[..., mg.Tensor], x: np.ndarray, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """The result, and the gradient for random dL/dy."""
    t = mg.tensor(x).requires_grad_()
    y = function(t)
    g = np.random.default_rng(seed).uniform(0.5, 1.5, y.shape).astype(np.float32).astype(x.dtype)
    y.backward(mg.tensor(g))
    assert (y.dtype, t.grad.dtype) == (x.dtype, x.dtype)
    return y.detach().numpy(), t.grad.numpy()


def differences(function: Callable[[np.ndarray], np.ndarray], x: np.ndarray, seed: int = 1) -> np.ndarray:
    """The gradient by central differences in float64, element by element."""
    x = x.astype(np.float64)
    y = function(x)
    g = np.random.default_rng(seed).uniform(0.5, 1.5, y.shape).astype(np.float32).astype(np.float64)
    found, h = np.empty(x.shape), 1e-6
    for place in np.ndindex(x.shape):
        ends = []
        for side in (h, -h):
            moved = x.copy()
            moved[place] += side
            ends.append((function(moved) * g).sum())
        found[place] = (ends[0] - ends[1]) / (2 * h)
    return found


FUNCTIONS: dict[str, tuple[Callable[..., mg.Tensor], Callable[..., Any]]] = {
    "cumsum": (mg.cumsum, lambda x, dim: np.cumsum(x, dim)),
    "cumprod": (mg.cumprod, lambda x, dim: np.cumprod(x, dim)),
    "prod": (mg.prod, lambda x, dim: np.prod(x, dim)),
    "sum": (mg.sum, lambda x, dim: np.sum(x, dim)),
    "logsumexp": (mg.logsumexp, lambda x, dim: np.logaddexp.reduce(x, dim)),
    "norm": (lambda x, dim: mg.norm(x, dim=dim), lambda x, dim: np.sqrt((x * x).sum(dim))),
    "var": (mg.var, lambda x, dim: np.var(x, dim, ddof=1)),
    "std": (mg.std, lambda x, dim: np.std(x, dim, ddof=1)),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("shape", "dim"), SHAPES, ids=str)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_long_axes(name: str, shape: tuple[int, ...], dim: int, dtype: str) -> None:
    function, reference = FUNCTIONS[name]
    x = drawn(shape, dtype)
    y, gradient = both(lambda t: function(t, dim), x)
    close = 1e-6 if dtype == "float32" else 1e-12
    expected = reference(x.astype(np.float64), dim)
    np.testing.assert_allclose(y, expected, rtol=close * 4, atol=close * np.abs(expected).max())
    slope = differences(lambda x: reference(x, dim), x)
    np.testing.assert_allclose(gradient, slope, rtol=3e-5 if dtype == "float32" else 1e-6, atol=1e-5 * np.abs(slope).max())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("columns", [1, 3])
def test_products_with_zeros_infinities_and_tiny_results(columns: int, dtype: str) -> None:
    """No gradient is lost where the product is 0, infinite, NaN or subnormal; the other rows and columns stay as they are."""
    x = drawn((6, 70, columns), dtype)
    x[1, 5], x[2, [5, 9]], x[3, 4], x[4, 4] = 0, 0, inf, nan
    x[5, [1, 2]] = np.array(np.finfo(dtype).tiny) ** 0.75
    y, gradient = both(lambda t: mg.prod(t, 1), x)
    g = np.random.default_rng(1).uniform(0.5, 1.5, y.shape).astype(np.float32).astype(dtype)
    with np.errstate(all="ignore"):
        for i, k in np.ndindex(6, columns):
            others = [np.prod(np.delete(x[i, :, k], j), dtype=np.longdouble) for j in range(70)]
            close = 1e-5 if dtype == "float32" else 1e-12
            np.testing.assert_allclose(gradient[i, :, k], (g[i, k] * np.array(others)).astype(dtype), rtol=close)
            np.testing.assert_allclose(y[i, k], np.prod(x[i, :, k], dtype=np.longdouble).astype(dtype), rtol=close)


def wide(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Numbers over the whole range: along any axis products overflow, vanish, and come back."""
    random, ends = np.random.default_rng(sum(shape)), np.finfo(dtype)
    return np.asarray(random.choice([-1, 1], shape) * 2.0 ** random.integers(ends.minexp // 4, ends.maxexp // 4, shape)).astype(
        dtype
    )


def by_formula(function: Callable[..., mg.Tensor], operation: Any, x: np.ndarray, **settings: Any) -> Any:
    """What `both` gives, by the formula and, as for second derivatives, by the rule on Tensors."""
    t = mg.tensor(x).requires_grad_()
    y = function(t)
    g = np.random.default_rng(1).uniform(0.5, 1.5, y.shape).astype(np.float32).astype(x.dtype)
    (slope,) = mg.grad(y, t, mg.tensor(g), create_graph=True)
    with np.errstate(all="ignore"):
        return operation.formula(x, **settings), slope.detach().numpy()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("shape", "dim"), [*SHAPES, ((4, 5), 1), ((5, 4), 0), ((2000, 6), 1)], ids=str)
def test_products_of_a_wide_range_are_those_of_the_formula(shape: tuple[int, ...], dim: int, dtype: str) -> None:
    """Powers of 2 are multiplied without rounding: where the formula neither overflows nor vanishes, the kernel says the same."""
    x = wide(shape, dtype)
    y, gradient = both(lambda t: mg.prod(t, dim), x)
    plain, slope = by_formula(lambda t: mg.prod(t, dim), scan.prod_along, x, dim=dim % x.ndim)
    finite = np.isfinite(plain) & (plain != 0)
    np.testing.assert_array_equal(y[finite], plain[finite])
    finite = np.isfinite(slope) & (slope != 0)
    ends = np.finfo(dtype)
    np.testing.assert_allclose(gradient[finite], slope[finite], rtol=4 * ends.eps, atol=float(ends.tiny))


@pytest.mark.parametrize(("shape", "dim"), [*SHAPES, ((4, 5), 1), ((5, 4), 0)], ids=str)
@pytest.mark.parametrize("operation", [mg.logsumexp, mg.cumsum, mg.cumprod, mg.sum], ids=lambda operation: operation.name)
def test_a_wide_range_along_axes_is_that_of_the_formula(operation: Any, shape: tuple[int, ...], dim: int) -> None:
    """Values between which there lie many powers of 10; products that stay within bounds."""
    x = 10 * np.random.default_rng(5).standard_cauchy(shape)
    if operation is mg.cumprod:
        x = np.where(np.indices(shape).sum(0) % 2, x, 1 / np.roll(x, 1, dim))
    settings: dict[str, Any] = {"dim": dim % x.ndim} if operation in (mg.cumsum, mg.cumprod) else {"dim": (dim % x.ndim,)}
    y, gradient = both(lambda t: operation(t, dim), x)
    plain, slope = by_formula(
        lambda t: operation(t, dim), operation, x, **settings, **({} if operation is mg.logsumexp else {"dtype": x.dtype})
    )
    sums = operation in (mg.sum, mg.cumsum)
    np.testing.assert_allclose(y, plain, rtol=1e-11, atol=1e-14 * np.abs(x).sum() if sums else 0)
    np.testing.assert_allclose(gradient, slope, rtol=1e-11, atol=1e-11 * np.abs(slope).max())


@pytest.mark.parametrize("columns", [1, 3])
def test_products_overflow_only_where_their_sequence_does(columns: int) -> None:
    """The elements of one column are multiplied in 64 lanes: that two large ones meet in one of them is nobody's business."""
    x = np.ones((256, columns))
    x[0], x[1], x[64], x[65] = 1e200, 1e-200, 1e200, 1e-200
    y, gradient = both(lambda t: mg.prod(t, 0), x)
    np.testing.assert_allclose(y, 1, rtol=1e-12)
    assert np.isfinite(gradient).all()
    x = np.ones((256, columns))
    x[0], x[1], x[64], x[65] = 1e-160, 1e160, 1.23456789e-160, 1e160  # a lane that is subnormal, though their product is not
    np.testing.assert_allclose(mg.prod(mg.tensor(x), 0).numpy(), 1.23456789, rtol=1e-12)


@pytest.mark.parametrize("columns", [1, 3])
def test_float32_products_are_multiplied_up_in_float64(columns: int) -> None:
    x = np.repeat(np.array([1e-20, 1.23e-20, 1e20, 1e20], np.float32)[:, None], columns, 1)
    np.testing.assert_allclose(mg.prod(mg.tensor(x), 0).numpy(), 1.23, rtol=1e-6)
    np.testing.assert_allclose(scan.prod_along.formula(x, 0), 1.23, rtol=1e-6)
    x = np.repeat(np.array([1e-20, 1e-20, 0, 1e20, 1e20], np.float32)[:, None], columns, 1)
    for create_graph in (False, True):
        t = mg.tensor(x).requires_grad_()
        (slope,) = mg.grad(t.prod(0).sum(), t, create_graph=create_graph)
        assert slope.dtype == np.float32
        np.testing.assert_allclose(slope.detach().numpy()[:, 0], [0, 0, 1, 0, 0], rtol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("columns", [1, 3])
def test_log_sums_of_infinities(columns: int, dtype: str) -> None:
    x = np.tile(np.array([[-inf, -inf, -inf], [inf, 0, -inf], [nan, 0, 1], [1e4, -1e4, 1e4]], dtype)[:, :, None], (1, 1, columns))
    t = mg.tensor(x).requires_grad_()
    y = mg.logsumexp(t, 1)
    y.sum().backward()
    for k in range(columns):
        np.testing.assert_array_equal(y.detach().numpy()[:, k], np.array([-inf, inf, nan, 1e4 + math.log(2)], dtype))
        np.testing.assert_array_equal(t.grad.numpy()[0, :, k], [0, 0, 0])
        np.testing.assert_array_equal(t.grad.numpy()[1, :, k], [nan, 0, 0])
        np.testing.assert_array_equal(t.grad.numpy()[2, :, k], [nan, nan, nan])
        np.testing.assert_allclose(t.grad.numpy()[3, :, k], [0.5, 0, 0.5], rtol=2 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("shape", "dim"), [((300,), 0), ((4, 50), 1), ((50, 4), 0), ((2, 30, 3), 1)], ids=str)
@pytest.mark.parametrize("level", [0.0, 1e4, -1e6, "max", "-max"])
def test_slopes_of_log_sums_do_not_know_the_level(level: Any, shape: tuple[int, ...], dim: int, dtype: str) -> None:
    """The softmax of x, though y has been rounded; by the kernel and by the formula, which the second derivative takes."""
    largest = float(np.finfo(dtype).max)
    offset = {"max": largest, "-max": -largest}.get(level, level)
    steps = np.random.default_rng(3).integers(-3, 4, shape)  # at 1e6 float32 still holds their differences
    x = (steps + offset).astype(dtype)
    steps = (x.astype(np.longdouble) - offset).astype(np.float64)
    expected = np.exp(steps - steps.max(dim, keepdims=True))
    expected /= expected.sum(dim, keepdims=True)
    t = mg.tensor(x).requires_grad_()
    y = mg.logsumexp(t, dim).sum()
    for create_graph in (False, True):
        (slope,) = mg.grad(y, t, create_graph=create_graph, retain_graph=True)
        np.testing.assert_allclose(slope.detach().numpy(), expected, rtol=16 * np.finfo(dtype).eps)


@pytest.mark.parametrize(("shape", "dim"), [((2, 5_000_000, 1), 1), ((5, 100_000, 20), 1), ((1_000_000, 10), 0), ((10, 10**6), 1)])
def test_float32_sums_of_many_terms_keep_their_accuracy(shape: tuple[int, ...], dim: int) -> None:
    x = np.random.default_rng(0).random(shape, np.float32)
    wide = x.astype(np.float64)
    for function, reference in (
        (mg.sum, wide.sum(dim)),
        (mg.norm, np.sqrt((wide * wide).sum(dim))),
        (mg.var, wide.var(dim, ddof=1)),
        (mg.logsumexp, np.log(np.exp(wide).sum(dim))),
        (lambda x, dim: mg.cumsum(x, dim).max(dim)[0], wide.sum(dim)),
    ):
        given = {} if function is not mg.norm else {"p": 2}
        np.testing.assert_allclose(function(mg.tensor(x), dim=dim, **given).numpy(), reference, rtol=1e-6)


def test_the_gradient_of_a_variance_knows_the_mean_of_many_terms() -> None:
    x = mg.tensor(np.random.default_rng(0).random((10**6, 3), np.float32)).requires_grad_()
    mg.var(x, 0).sum().backward()
    wide = x.detach().numpy().astype(np.float64)
    expected = 2 * (wide - wide.mean(0)) / (10**6 - 1)
    np.testing.assert_allclose(x.grad.numpy(), expected, rtol=1e-5, atol=1e-7 * expected.max())


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
@pytest.mark.parametrize(("shape", "dim"), SHAPES, ids=str)
def test_elements_by_their_places(shape: tuple[int, ...], dim: int, dtype: str) -> None:
    """`pick` and `place` against NumPy, places repeated, and fewer of them than elements outside of the axis."""
    random, axis = np.random.default_rng(4), dim % len(shape)
    x = random.integers(-9, 9, shape).astype(dtype)
    for count, less in ((7, 0), (shape[axis], 0), (5, 1)):
        rest = [max(n - less, 1) for n in shape]
        places = random.integers(0, shape[axis], [count if i == axis else n for i, n in enumerate(rest)])
        part = x[tuple(slice(None) if i == axis else slice(n) for i, n in enumerate(rest))]
        picked = extremes.pick(mg.tensor(x), places, axis)
        np.testing.assert_array_equal(picked.numpy(), np.take_along_axis(part, places, axis))
        expected = np.zeros_like(x)
        grid = list(np.indices(places.shape))
        grid[axis] = places
        np.add.at(expected, tuple(grid), picked.numpy())
        np.testing.assert_array_equal(extremes.place(picked, places, axis, shape).numpy(), expected)


@pytest.mark.skipif(not kernels_enabled(), reason="NumPy looks at places itself")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 4)], ids=str)
@pytest.mark.parametrize("bad", [-1, 3, 2**40, -(2**62), 2**62])
def test_kernels_trust_no_place(bad: int, shape: tuple[int, ...], dtype: str) -> None:
    """Whoever checked them before: another thread may write into an index meanwhile."""
    x, places = np.ones(shape, dtype), np.zeros(shape, np.int64)
    places[1, 1] = bad
    number = np.flatnonzero(places)[0]
    with pytest.raises(IndexRangeError, match=f"index number {number} is out of range for an axis of length 3"):
        arrays.take_along(x, places, 1)
    with pytest.raises(IndexRangeError, match=f"index number {number} is out of range for an axis of length 3"):
        arrays.put_along(x, places, 1, shape)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
@pytest.mark.parametrize(("shape", "axis"), [((4, 3), 0), ((3, 4), 1), ((2, 5, 3), 1), ((2, 3, 4), 2), ((6,), 0), ((2, 3, 0), 1)])
def test_values_are_added_to_slices(shape: tuple[int, ...], axis: int, dtype: str) -> None:
    """Places repeated, counted from the end, and in an array of two axes."""
    random, n = np.random.default_rng(4), shape[axis]
    for places in (random.integers(-n, n, 9), random.integers(0, n, (2, 3)), random.integers(0, n, 3).astype(np.int32)):
        index = (*(slice(None),) * axis, places)
        out = random.integers(-9, 9, shape).astype(dtype)
        values = random.integers(-9, 9, out[index].shape).astype(dtype)
        expected = out.copy()
        np.add.at(expected, index, values)
        arrays.add_at(out, index, values)
        np.testing.assert_array_equal(out, expected)
        np.testing.assert_array_equal(mg.tensor(out)[index].numpy(), out[index])
