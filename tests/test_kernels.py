"""Kernels: row kernels and updates against float64 formulas, rules lifted into loops, and the cache on disk."""

from __future__ import annotations

import itertools
import json
import linecache
import math
import os
import shutil
import stat
import subprocess
import sys
import textwrap
import threading
import warnings
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.errors import ArgumentError, DtypeError, RuleError
from minigrad.kernels import cache as cache_module
from minigrad.kernels import cross_entropy as cross_entropy_kernels
from minigrad.kernels import notation, rows, update
from minigrad.kernels.cache import kernels_enabled
from minigrad.kernels.lift import Operand, loop
from minigrad.kernels.notation import exp, where
from minigrad.kernels.text import Text

ROOT = Path(__file__).resolve().parents[1]
DTYPES = [np.dtype(np.float32), np.dtype(np.float64)]
COLUMNS = [1, 2, 10, 64, 65, 1000]
TOLERANCE = {"float32": {"rtol": 4e-6, "atol": 4e-7}, "float64": {"rtol": 1e-13, "atol": 1e-15}}
dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=str)
columns = pytest.mark.parametrize("columns", COLUMNS)


# ---- rows


def matrix(n: int, columns: int, dtype: Any, seed: int = 0, size: float = 3.0) -> np.ndarray:
    return (np.random.default_rng((seed, n, columns)).standard_normal((n, columns)) * size).astype(dtype)


def edge_rows(columns: int, dtype: Any) -> np.ndarray:
    """Ties, large, −inf, +inf, NaN, all −inf, and a plain row behind them that must not be touched by any."""
    x = matrix(9, columns, dtype)
    x[0] = 2.5
    x[1, 0] = 1e4
    x[2, -1] = -1e4
    x[3, columns // 2] = -np.inf
    x[4, 0] = np.inf
    x[5, -1] = np.nan
    x[6] = -np.inf
    x[7, :] = np.inf
    return x


def run_rows(kernel: Any, *arrays: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    out = np.full(arrays[0].shape, 77, arrays[0].dtype)
    kernel[out.dtype](out, *arrays, temperature)
    return out


def log_softmax_64(x: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        shifted = x.astype(np.float64) - x.max(1, keepdims=True)
        return shifted - np.log(np.exp(shifted).sum(1, keepdims=True))


def softmax_64(x: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        e = np.exp(x.astype(np.float64) - x.max(1, keepdims=True))
        return e / e.sum(1, keepdims=True)


@dtypes
@columns
def test_softmax_rows(columns, dtype):
    for x in (
        matrix(1, columns, dtype),
        matrix(7, columns, dtype),
        matrix(130, columns, dtype, size=30),
        edge_rows(columns, dtype),
    ):
        before = x.copy()
        y = run_rows(rows.softmax_rows, x)
        np.testing.assert_allclose(y, softmax_64(x), **TOLERANCE[dtype.name])
        assert np.array_equal(before, x, equal_nan=True)
        finite = np.isfinite(x).all(1)
        np.testing.assert_allclose(y[finite].sum(1, dtype=np.float64), 1, rtol=1e-6)
        assert finite[-1]


@dtypes
@columns
def test_softmax_rows_backward(columns, dtype):
    y = run_rows(rows.softmax_rows, matrix(7, columns, dtype))
    g = matrix(7, columns, dtype, seed=1)
    g64, y64 = g.astype(np.float64), y.astype(np.float64)
    expected = np.stack([(np.diag(p) - np.outer(p, p)) @ v for p, v in zip(y64, g64, strict=True)])
    np.testing.assert_allclose(run_rows(rows.softmax_rows_backward, g, y), expected, **TOLERANCE[dtype.name])


@dtypes
@columns
def test_log_softmax_rows(columns, dtype):
    for x in (
        matrix(1, columns, dtype),
        matrix(7, columns, dtype),
        matrix(130, columns, dtype, size=30),
        edge_rows(columns, dtype),
    ):
        work = np.full(x.size if columns <= 256 else columns, 77, dtype)
        out = np.empty_like(x)
        rows.log_softmax_rows[dtype](out, work, x, 1.0)
        np.testing.assert_allclose(out, log_softmax_64(x), **TOLERANCE[dtype.name])


@dtypes
@columns
def test_log_softmax_rows_backward(columns, dtype):
    y = log_softmax_64(matrix(7, columns, dtype)).astype(dtype)
    g = matrix(7, columns, dtype, seed=1)
    p = np.exp(y.astype(np.float64))
    expected = g - p * g.astype(np.float64).sum(1, keepdims=True)
    tolerance = {"float32": {"rtol": 1e-5, "atol": 1e-5}, "float64": {"rtol": 1e-12, "atol": 1e-13}}[dtype.name]
    np.testing.assert_allclose(run_rows(rows.log_softmax_rows_backward, g, y), expected, **tolerance)


def cross_entropy(x, target, weight=None, ignore_index=-100, reduce=2, smoothing=0.0):
    """What the kernel says: status, loss, gradient."""
    n, classes = x.shape
    loss, dx, work = np.full(n if reduce == 0 else 1, 77, x.dtype), np.full(x.shape, 77, x.dtype), np.empty((4, n), x.dtype)
    weights = np.ones(classes, x.dtype) if weight is None else weight.astype(x.dtype)
    status = cross_entropy_kernels.cross_entropy_rows[x.dtype](loss, dx, work, x, target, weights, ignore_index, reduce, smoothing)
    return status, loss, dx


def cross_entropy_64(x, target, weight=None, ignore_index=-100, reduce=2, smoothing=0.0):
    """−Σ_c Q_c log p_c row by row, Q = w ((1 − ε) one-hot + ε/C), and its gradient p Σ Q − Q."""
    x = x.astype(np.float64)
    n, classes = x.shape
    weight = np.ones(classes) if weight is None else weight
    losses, gradients, divisor = np.zeros(n), np.zeros((n, classes)), 0.0
    for i, t in enumerate(target):
        if t == ignore_index:
            continue
        log_p = log_softmax_64(x[i : i + 1])[0]
        q = weight * ((1 - smoothing) * (np.arange(classes) == t) + smoothing / classes)
        losses[i] = -(q[q != 0] * log_p[q != 0]).sum()
        gradients[i] = np.exp(log_p) * q.sum() - q
        divisor += weight[t]
    if reduce == 0:
        return losses, gradients
    with np.errstate(invalid="ignore"):
        scale = 1 / divisor if reduce == 2 and divisor else 1.0
        return np.array([np.float64(losses.sum()) / (divisor if reduce == 2 else 1.0)]), gradients * scale


@dtypes
@columns
@pytest.mark.parametrize("reduce", [0, 1, 2], ids=["none", "sum", "mean"])
@pytest.mark.parametrize("smoothing", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
def test_cross_entropy_rows(weighted, smoothing, reduce, columns, dtype):
    rng = np.random.default_rng(columns)
    weight = rng.uniform(0.1, 3, columns).astype(dtype).astype(np.float64) if weighted else None
    for n, ignore_index in ((1, -100), (9, -100), (70, -100), (9, 0), (9, -7)):
        x = matrix(n, columns, dtype)
        x[0, :] = x[0, 0]
        target = rng.integers(0, columns, n)
        target[n // 2] = ignore_index if ignore_index != -100 or n > 1 else target[n // 2]
        target[0] = columns - 1
        settings = {"weight": weight, "ignore_index": ignore_index, "reduce": reduce, "smoothing": smoothing}
        status, loss, dx = cross_entropy(x, target, **settings)
        expected_loss, expected_dx = cross_entropy_64(x, target, **settings)
        assert 0 == status
        tolerance = {"float32": {"rtol": 1e-5, "atol": 3e-6}, "float64": {"rtol": 1e-12, "atol": 1e-14}}[dtype.name]
        np.testing.assert_allclose(loss, expected_loss, **tolerance)
        np.testing.assert_allclose(dx, expected_dx, **tolerance)
        ignored = target == ignore_index
        assert not dx[ignored].any()


@dtypes
def test_cross_entropy_rows_at_the_edges(dtype):
    x = np.array([[1, -np.inf, 2], [-np.inf, 0, 0], [np.nan, 1, 2], [1, 2, 3], [np.inf, 1, 2], [1e4, 0, -1e4]], dtype)
    target = np.array([0, 0, 1, 2, 0, 2])
    _, loss, dx = cross_entropy(x, target, reduce=0)
    expected = [math.log1p(math.e), math.inf, math.nan, math.log(1 + math.exp(-1) + math.exp(-2)), math.nan, 2e4]
    np.testing.assert_allclose(loss, expected, rtol=1e-6)
    assert 0.0 == dx[0, 1]
    np.testing.assert_allclose(dx[1], [-1, 0.5, 0.5], rtol=1e-6)
    assert np.isnan(dx[[2, 4]]).all()
    np.testing.assert_allclose(dx[3].astype(np.float64).sum(), 0, atol=1e-6)
    assert [1.0, 0.0, -1.0] == dx[5].tolist()
    _, loss, dx = cross_entropy(x, np.array([-100, 0, -100, 2, -100, -100]))
    assert math.inf == loss[0]
    assert np.isfinite(dx).all()
    _, loss, dx = cross_entropy(x, np.full(6, -100))
    assert math.isnan(loss[0])
    assert not dx.any()
    assert 0.0 == cross_entropy(x, np.full(6, -100), reduce=1)[1][0]


@dtypes
def test_cross_entropy_rows_names_the_first_row_whose_target_is_no_class(dtype):
    x = matrix(5, 3, dtype)
    for target, row in (([0, 1, 3, 2, 9], 3), ([-1, 0, 0, 0, 0], 1), ([0, 0, 0, 0, 1 << 40], 5), ([-100, 2, 2, 2, -100], 0)):
        assert row == cross_entropy(x, np.array(target))[0]


def test_cross_entropy_kernel_equals_formula_where_an_impossible_class_weighs_nothing():
    x, target, weight = np.array([[-np.inf, 1.0, 2.0]]), np.array([1]), np.array([0.0, 1.0, 1.0])
    with np.errstate(invalid="ignore"):
        formula = mg.cross_entropy.formula(x, target, weight, label_smoothing=0.1)
    loss = mg.cross_entropy(mg.tensor(x), mg.tensor(target), mg.tensor(weight), label_smoothing=0.1)
    assert formula == pytest.approx(loss.item(), rel=4e-16)


@dtypes
def test_cross_entropy_rows_backward(dtype):
    dx = matrix(5, 4, dtype)
    for g in (np.array([3], dtype), np.array([1, -2, 0, 0.5, 7], dtype)):
        out = np.empty_like(dx)
        cross_entropy_kernels.cross_entropy_rows_backward[dtype](out.ravel(), g, dx.ravel(), 5, 4)
        assert np.array_equal((g[:, None] * dx), out)


@dtypes
@columns
def test_add_to_rows_and_column_sums(columns, dtype):
    for n in (0, 1, 3, 4, 63, 64, 65, 67, 200):
        x, row = matrix(n, columns, dtype), matrix(1, columns, dtype, seed=5)[0]
        out = np.full(columns, 77, dtype)
        rows.column_sums[dtype](out, x)
        exact = np.array([math.fsum(column) for column in x.T])
        scale = np.abs(x).sum(0, dtype=np.float64) * np.finfo(dtype).eps
        assert (np.abs(out - exact) <= 8 * scale).all()
        expected = x + row
        rows.add_to_rows[dtype](x, row)
        assert np.array_equal(expected, x)


@dtypes
def test_row_sums(dtype):
    for columns in (0, 1, 7, 127, 128, 129, 1000):
        x = matrix(5, columns, dtype) if columns else np.zeros((5, 0), dtype)
        for divisor in (1.0, 3.0):
            out = np.full(5, 77, dtype)
            rows.row_sums[dtype](out, x, divisor)
            exact = np.array([math.fsum(row) / divisor for row in x])
            assert (np.abs(out - exact) <= 8 * np.abs(x).sum(1, dtype=np.float64) * np.finfo(dtype).eps).all()


@dtypes
def test_linear_scan_rows(dtype):
    a, b = matrix(3, 6, dtype), matrix(3, 6, dtype, seed=2)
    out = np.empty_like(b)
    rows.linear_scan_rows[dtype](out, a, b)
    expected = b.copy()
    for k in range(1, 6):
        expected[:, k] += a[:, k] * expected[:, k - 1]
    np.testing.assert_allclose(out, expected, rtol=8 * np.finfo(dtype).eps)
    rows.linear_scan_rows[dtype](out[:, :0].copy(), a[:, :0].copy(), b[:, :0].copy())


def test_column_sums_of_a_million_float32_rows():
    rng = np.random.default_rng(0)
    x = np.stack([rng.random(10**6), rng.random(10**6) * 1e-3 + 5, np.full(10**6, 0.1)], 1).astype(np.float32)
    out = np.empty(3, np.float32)
    rows.column_sums[DTYPES[0]](out, x)
    exact = [math.fsum(column.tolist()) for column in x.T]
    np.testing.assert_allclose(out, exact, rtol=1e-6)
    np.testing.assert_allclose(mg.tensor(x).sum(0).numpy(), exact, rtol=1e-6)


@dtypes
def test_outside_unit(dtype):
    assert 0 == rows.outside_unit[dtype](np.array([0, 1, 0.5, -0.0], dtype))
    outside = [-np.finfo(dtype).tiny, 1 + np.finfo(dtype).eps, np.nan, np.inf, -np.inf]
    assert 5 == rows.outside_unit[dtype](np.array([0.5, *outside], dtype))
    assert 0 == rows.outside_unit[dtype](np.empty(0, dtype))


# ---- updates

UPDATES = [
    (update.sgd, 1, (0.1, 0.3)),
    (update.sgd_momentum, 2, (0.1, 0.3, 0.9, 0.6, 0.0)),
    (update.sgd_momentum, 2, (0.1, 0.3, 0.9, 1.0, 1.0)),
    (update.adam, 3, (0.05, 0.97, 0.2, 0.9, 0.999, 0.1, 0.001, 1e-4)),
    (update.adam_amsgrad, 4, (0.05, 0.97, 0.2, 0.9, 0.999, 0.1, 0.001, 1e-4)),
    (update.nadam, 3, (0.05, 0.03, 0.97, 0.2, 0.9, 0.999, 0.1, 0.001, 1e-4)),
    (update.radam, 3, (0.05, 0.97, 0.2, 0.9, 0.999, 0.1, 0.001, 1e-4, 1.0)),
    (update.radam, 3, (0.05, 0.97, 0.2, 0.9, 0.999, 0.1, 0.001, 1e-4, 0.0)),
    (update.adamax, 3, (0.05, 0.2, 0.9, 0.999, 0.1, 1e-4)),
    (update.adagrad, 2, (0.05, 0.2, 1e-4)),
    (update.adadelta, 3, (0.05, 0.2, 0.9, 0.1, 1e-4)),
    (update.rmsprop, 2, (0.2, 0.9, 0.1, 1e-4)),
    (update.rmsprop_centered, 3, (0.2, 0.9, 0.1, 1e-4)),
    (update.rprop, 3, (0.5, 1.2, 0.3, 0.8)),
]
# The arrays that hold squares.
SQUARES = {"v", "u", "top", "total", "moved"}


@dtypes
@pytest.mark.parametrize(
    ("rule", "changed", "settings"), UPDATES, ids=lambda value: getattr(getattr(value, "formula", None), "__name__", None)
)
def test_update_kernels_equal_their_formula(rule, changed, settings, dtype):
    rng = np.random.default_rng(0)
    for size in (0, 1, 7, 1000):
        arrays = [rng.standard_normal(size) for _ in rule.arrays]
        arrays = [np.abs(array) if name in SQUARES else array for name, array in zip(rule.arrays, arrays, strict=True)]
        if rule is update.rmsprop_centered:
            arrays[1] += 20  # above the square of the average, far enough for float32
        if size == 1000:
            arrays[-1][:3] = [np.nan, np.inf, 0.0]
        arrays = [array.astype(dtype) for array in arrays]
        with np.errstate(all="ignore"):
            expected = rule.formula(*[array.astype(np.float64) for array in arrays], *settings)
        expected = expected if changed > 1 else (expected,)
        by_kernel, by_numpy = [a.copy() for a in arrays], [a.copy() for a in arrays]
        rule[dtype](*by_kernel, *settings)
        rule._run(*by_numpy, *settings)
        tolerance = {"rtol": 1e-5, "atol": 1e-6} if dtype == np.float32 else {"rtol": 1e-14, "atol": 1e-15}
        for results in (by_kernel, by_numpy):
            for result, value in zip(results[:changed], expected, strict=True):
                np.testing.assert_allclose(result, value, **tolerance)
            for result, given in zip(results[changed:], arrays[changed:], strict=True):
                assert np.array_equal(given, result, equal_nan=True)


# ---- rules lifted into loops

_numbers = itertools.count()
POINTS = np.array([-2.5, -1.0, -0.75, 0.5, 1.0, 3.0])


def rule(body: str, parameters: str = "x", **names: Any) -> FunctionType:
    """A function declared from text, as a file or a notebook cell would."""
    source = f"def op({parameters}):\n" + textwrap.indent(body, "    ") + "\n"
    filename = f"<rule {next(_numbers)}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    scope = {**notation.NAMES, "math": math, "np": np, **names}
    exec(compile(source, filename, "exec"), scope)
    return scope["op"]


def lifted(function: FunctionType, x: np.ndarray) -> np.ndarray:
    kernel = loop(Text(function), [Operand("x", "f")], {}, x.dtype.name)
    assert kernel is not None
    out = np.full(x.shape, 77, x.dtype)
    kernel(out, x)
    return out


ALLOWED = [
    "return x",
    "return 5",
    "return +x - -x",
    "return x + 1 - 2 * x / 3",
    "return 1 - (2 - x) * (x - (x - 1)) / (x / (x / 2))",
    "return -x ** 2",
    "return (-x) ** 2",
    "return 1 / (1 + exp(-x))",
    "a = exp(x)\nb = a * a\nreturn b / (a + 1)",
    "x = x * 2\nx = x + 1\nreturn x * x",
    "'''A docstring is no statement.'''\ny = x\nreturn y",
    "return expm1(x) + log1p(x * x) + log(x * x) + sqrt(x * x)",
    "return tanh(x) + erf(x) + erfc(x) + normal_cdf(x) + normal_pdf(x)",
    "return absolute(x) + floor(x) + floor(-x)",
    "return maximum(x, 0) + minimum(x, 1.5) + maximum(-x, x)",
    "return where(x > 0, x, 10 * x)",
    "return where(x >= 1, 1, 0) + where(x < 1, 2, 0) + where(x <= -1, 4, 0) + where(x == 1, 8, 0) + where(x != 1, 16, 0)",
    "return where((x > -1) & (x < 1), x, 0) + where((x < -1) | (x > 1), 1, 0)",
    "inside = x * x < 1\nreturn where(inside, sqrt(1 - minimum(x * x, 1)), 0)",
    "return (x > 0) * x",
    "return x * math.pi + math.e * np.pi",
    "return where(x > 0, x, math.inf)",
    "return where(x > 0, x, math.nan)",
    "return x * 1e-3 + 1e300 * 1e-300 + 2 ** 3",
]


@pytest.mark.parametrize("body", ALLOWED)
def test_what_a_rule_may_hold_compiles_and_equals_python(body):
    function = rule(body)
    expected = [float(function(value)) for value in POINTS.tolist()]
    np.testing.assert_allclose(lifted(function, POINTS), expected, rtol=4e-15)
    np.testing.assert_allclose(lifted(function, POINTS.astype(np.float32)), expected, rtol=2e-6, atol=1e-6)


POWERS = [
    "x ** 2",
    "x ** 0.5",
    "x ** -1",
    "x ** 3",
    "x ** 4.0",
    "x ** -2",
    "x ** 1",
    "x ** 0",
    "(x + 1) ** (1 + 1)",
    "x ** (1 / 2)",
    "x ** TWO",
]


@pytest.mark.parametrize("power", POWERS)
def test_small_powers_become_products(power):
    function = rule(f"return {power}", TWO=2)
    lines, result = Text(function).lines({"x": "x[i]"}, "t_")
    assert [] == lines
    assert "**" not in result
    x = np.abs(POINTS)
    np.testing.assert_allclose(lifted(function, x), [function(value) for value in x.tolist()], rtol=1e-15)


@pytest.mark.parametrize("power", ["x ** 1.5", "x ** x", "2 ** x", "x ** 5", "x ** -0.5"])
def test_other_powers_are_left_to_numpy(power):
    assert loop(Text(rule(f"return {power}")), [Operand("x", "f")], {}, "float64") is None


REFUSED = {
    "return where(~(x > 0), x, 0)": "`Invert` has no place in a rule",
    "if x > 0:\n    x = 1\nreturn x": "a rule is straight-line assignments and one return, not `if x > 0:`; choose .* with where",
    "for i in x:\n    pass\nreturn x": "not `for i in x:`",
    "while x:\n    pass\nreturn x": "not `while x:`",
    "with x:\n    pass\nreturn x": "not `with x:`",
    "x += 1\nreturn x": r"not `x \+= 1`",
    "y: float = x\nreturn y": "not `y: float = x`",
    "a, b = x, x\nreturn a": r"not `a, b = \(x, x\)`",
    "a = b = x\nreturn a": "not `a = b = x`",
    "import math\nreturn x": "not `import math`",
    "print(x)\nreturn x": r"not `print\(x\)`",
    "def f(): return x\nreturn f": r"not `def f\(\):`",
    "return x\nreturn x": "not `return x`",
    "pass": "a rule must end with `return` and a value",
    "y = x": "a rule must end with `return` and a value",
    "return": "a rule must end with `return` and a value",
    "return x if x > 0 else 0": "`x if x > 0 else 0` has no place in a rule; it takes arithmetic",
    "return x > 0 and x < 1": "`x > 0 and x < 1` has no place in a rule; it takes arithmetic, comparisons, &, |",
    "return x or 1": "`x or 1` has no place",
    "return not x": "`Not` has no place",
    "return 0 < x < 1": "write `0 < x < 1` as two comparisons joined by &",
    "return x is x": "`Is` has no place",
    "return x in x": "`In` has no place",
    "return x % 2": "`Mod` has no place",
    "return x // 2": "`FloorDiv` has no place",
    "return x @ x": "`MatMult` has no place",
    "return x ^ 2": "`BitXor` has no place",
    "return x << 1": "`LShift` has no place",
    "return x[0]": r"`x\[0\]` has no place",
    "return [x]": r"`\[x\]` has no place",
    "return {x: 1}": "has no place",
    "return f'{x}'": "has no place",
    "return (y := x)": r"`\(y := x\)` has no place",
    "return exp(*x)": r"`\*x` has no place",
    "return exp(x=x)": r"`exp\(x=x\)` calls what is no function of the notation",
    "return abs(x)": r"`abs\(x\)` calls what is no function of the notation \(absolute,",
    "return max(x, 1)": r"`max\(x, 1\)` calls what is no function",
    "return math.exp(x)": r"`math.exp\(x\)` calls what is no function",
    "return np.tanh(x)": r"`np.tanh\(x\)` calls what is no function",
    "return sum_to(x, 1)": r"`sum_to\(x, 1\)` calls what is no function",
    "return unknown(x)": r"`unknown\(x\)` calls what is no function",
    "return (lambda z: z)(x)": "calls what is no function",
    "return unknown + x": "`unknown` is neither an argument, a local, a notation function nor a number",
    "return later\nlater = x": "must end with `return`",
    "y = later\nlater = x\nreturn y": "`later` is neither an argument, a local",
    "return x.T": "`x.T` is neither",
    "return math.nothing": "`math.nothing` is neither",
    "return exp": "`exp` is neither",
    "return x * text": "`text` is neither",
    "return x * flag": "`flag` is neither",
    "return x * array": "`array` is neither",
}


@pytest.mark.parametrize("body", REFUSED)
def test_what_a_rule_may_not_hold_is_refused_when_it_is_declared(body):
    with pytest.raises(RuleError, match="^rule 'op': .*" + REFUSED[body]):
        Text(rule(body, text="2", flag=True, array=np.ones(2)))


UNNOTICED = {
    "return 'x'": "a text",
    "return x + None": "None",
    "return x * 1j": "a complex number",
    "return exp(x, x)": "two arguments for one",
    "return where(x > 0, x)": "two arguments for three",
    "return 10 ** 400 * x": "an integer beyond floats",
}


@pytest.mark.parametrize("body", UNNOTICED, ids=UNNOTICED.values())
def test_refused_when_it_is_declared(body):
    with pytest.raises(RuleError):
        Text(rule(body))


def test_a_rule_without_source_is_refused():
    scope: dict[str, Any] = {}
    exec("def op(x): return x", scope)
    with pytest.raises(RuleError, match="rule 'op': its source text cannot be read; declare it with `def`"):
        Text(scope["op"])
    with pytest.raises(RuleError, match="its source text cannot be read"):
        Text(lambda x: x)


def test_a_refused_declaration_says_so_at_once():
    before = list(mg.Op.instances)
    with pytest.raises(RuleError, match="rule 'gate': `x if x > 0 else 0` has no place"):

        @mg.elementwise
        def gate(x):
            return x if x > 0 else 0

    mg.Op.instances[:] = before


SLOPE = 0.25


def scaled_by(factor: float) -> FunctionType:
    def op(x):
        return where(x > 0, x * factor, x * SLOPE)

    return op


def test_module_constants_and_closures_are_baked_in():
    assert np.where(POINTS > 0, 3 * POINTS, POINTS / 4).tolist() == lifted(scaled_by(3), POINTS).tolist()
    assert "T(0.25)" in Text(scaled_by(3)).lines({"x": "x[i]"}, "")[1]


def test_each_closure_has_its_own_constants():
    for factor in (2.0, 5.0):
        assert np.where(POINTS > 0, factor * POINTS, POINTS / 4).tolist() == lifted(scaled_by(factor), POINTS).tolist()


@pytest.mark.parametrize("body", ["return x + A ** 2", "return A ** 2 * x", "return x * A ** 4"])
def test_a_negative_constant_under_a_power(body):
    function = rule(body, A=-3.0)
    assert [function(value) for value in POINTS.tolist()] == lifted(function, POINTS).tolist()


def test_static_settings_are_baked_in():
    text = Text(rule("return x ** p + p", "x, p"))
    kernel = loop(text, [Operand("x", "f")], {"p": -2}, "float64")
    out = np.empty(6)
    kernel(out, POINTS)
    np.testing.assert_allclose(out, POINTS**-2.0 - 2, rtol=1e-15)
    assert loop(text, [Operand("x", "f")], {"p": 1.7}, "float64") is None


@dtypes
def test_layouts(dtype):
    """f full, r repeated over rows, c repeated over columns, s one number; masks are booleans."""
    function = rule("return where(m, x * r - c, s + x)", "x, r, c, s, m")
    n, k = 5, 7
    x, r, c = matrix(n, k, dtype), matrix(1, k, dtype), matrix(n, 1, dtype)
    for layout, m in (("f", x > 0), ("r", r > 0), ("c", c > 0), ("s", np.True_)):
        operands = [Operand("x", "f"), Operand("r", "r"), Operand("c", "c"), Operand("s", "s"), Operand("m", layout, mask=True)]
        out = np.empty(n * k, dtype)
        mask = bool(m) if layout == "s" else m.ravel()
        loop(Text(function), operands, {}, dtype.name)(out, x.ravel(), r.ravel(), c.ravel(), 2.5, mask, n, k)
        np.testing.assert_allclose(out.reshape(n, k), np.where(m, x * r - c, 2.5 + x), rtol=1e-6, atol=1e-6)


@dtypes
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_reductions_add_up_in_double_precision(reduction, dtype):
    function = rule("return x * y", "x, y")
    for size in (1, 255, 256, 257, 10**6):
        x = np.random.default_rng(size).random(size).astype(dtype)
        out = np.empty(1, dtype)
        loop(Text(function), [Operand("x", "f"), Operand("y", "s")], {}, dtype.name, reduction)(out, x, 0.1)
        exact = math.fsum((x * dtype.type(0.1)).tolist()) / (size if reduction == "mean" else 1)
        np.testing.assert_allclose(out[0], exact, rtol=1e-6 if dtype == np.float32 else 1e-14)


def test_a_condition_must_be_bool():
    @mg.elementwise
    def choose(m, x):
        return where(m, x, -x)

    mg.Op.instances.remove(choose)
    x = mg.tensor([1.0, 2.0])
    assert [1.0, -2.0] == choose(mg.tensor([True, False]), x).tolist()
    assert [-1.0, -2.0] == choose(False, x).tolist()
    for bad, what in ((x, "dtype float32"), (mg.tensor([1, 0]), "dtype int64"), (1, "int")):
        with pytest.raises(DtypeError, match=f"choose: m must be a bool tensor, got {what}"):
            choose(bad, x)


# ---- the cache on disk, seen from processes of their own

PROBE = """
import json, sys
import minigrad as mg
x = mg.tensor([0.5, -1.0, 2.0])
values = [mg.tanh(x).tolist(), mg.softmax(x, 0).tolist()]
hits = misses = 0
for name, module in list(sys.modules.items()):
    if name.startswith("minigrad_kernel_"):
        for value in vars(module).values():
            if getattr(value, "__module__", "") == name and hasattr(value, "stats"):
                hits += sum(value.stats.cache_hits.values())
                misses += sum(value.stats.cache_misses.values())
print(json.dumps({"values": values, "hits": hits, "misses": misses}))
"""


def environment(**variables: str | Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MINIGRAD_", "NUMBA_", "XDG_CACHE_HOME"))}
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**kept, "PYTHONPATH": path, **{k: str(v) for k, v in variables.items()}}


def python(code: str, **variables: str | Path) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(**variables), capture_output=True, text=True, timeout=300, check=False
    )
    assert 0 == done.returncode, done.stderr
    return json.loads(done.stdout)


def contents(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(p.relative_to(folder)): (p.stat().st_mtime_ns, p.stat().st_ino) for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def filled(tmp_path_factory) -> tuple[Path, Any]:
    """A cache filled by one process, and what that process printed."""
    folder = tmp_path_factory.mktemp("kernels") / "deep" / "cache"
    return folder, python(PROBE, MINIGRAD_CACHE=folder)


@pytest.fixture
def cache(filled, tmp_path) -> Path:
    """A copy of it, file times included."""
    return Path(shutil.copytree(filled[0], tmp_path / "cache"))


def test_kernels_are_written_to_the_named_folder(filled):
    folder, printed = filled
    assert (0, 2) == (printed["hits"], printed["misses"])
    np.testing.assert_allclose(printed["values"][0], np.tanh([0.5, -1.0, 2.0]), rtol=1e-6)
    assert 2 == len(list(folder.glob("minigrad_kernel_*.py")))
    assert 2 == len(list(folder.glob("__pycache__/*.nbi"))) == len(list(folder.glob("__pycache__/*.nbc")))
    assert 0o700 == stat.S_IMODE(folder.stat().st_mode)
    assert all(0o600 == stat.S_IMODE(file.stat().st_mode) for file in folder.glob("*.py"))


def test_a_second_process_compiles_nothing(filled):
    folder, printed = filled
    before = contents(folder)
    again = python(PROBE, MINIGRAD_CACHE=folder)
    assert (2, 0) == (again["hits"], again["misses"])
    assert printed["values"] == again["values"]
    assert before == contents(folder)


def damage_index(folder: Path) -> None:
    for file in folder.glob("__pycache__/*.nbi"):
        os.truncate(file, 30)


def empty_index(folder: Path) -> None:
    for file in folder.glob("__pycache__/*.nbi"):
        os.truncate(file, 0)


def damage_code(folder: Path) -> None:
    for file in folder.glob("__pycache__/*.nbc"):
        os.truncate(file, file.stat().st_size // 2)


def empty_code(folder: Path) -> None:
    for file in folder.glob("__pycache__/*.nbc"):
        os.truncate(file, 0)


def garble_index(folder: Path) -> None:
    for file in folder.glob("__pycache__/*.nbi"):
        file.write_bytes(np.random.default_rng(0).bytes(500))


def garble_code(folder: Path) -> None:
    for file in folder.glob("__pycache__/*.nbc"):
        file.write_bytes(np.random.default_rng(0).bytes(5000))


def exchange_index(folder: Path) -> None:
    one, two = folder.glob("__pycache__/*.nbi")
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second), two.write_bytes(first)


def exchange_code(folder: Path) -> None:
    one, two = folder.glob("__pycache__/*.nbc")
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second), two.write_bytes(first)


def lose_code(folder: Path) -> None:
    for file in folder.glob("__pycache__/*.nbc"):
        file.unlink()


def truncate_source(folder: Path) -> None:
    for file in folder.glob("*.py"):
        os.truncate(file, 40)


def foreign_source(folder: Path) -> None:
    for file in folder.glob("*.py"):
        file.write_text("raise SystemExit('a foreign file was executed')\n", encoding="utf-8")


def binary_source(folder: Path) -> None:
    for file in folder.glob("*.py"):
        file.write_bytes(b"\xff\xfe\x00broken")


@pytest.mark.parametrize(
    "damage",
    [
        damage_index,
        empty_index,
        garble_index,
        exchange_index,
        damage_code,
        empty_code,
        garble_code,
        lose_code,
        exchange_code,
        truncate_source,
        foreign_source,
        binary_source,
    ],
)
def test_damaged_files_are_repaired(damage, cache, filled):
    damage(cache)
    damaged = contents(cache)
    first = python(PROBE, MINIGRAD_CACHE=cache)
    assert filled[1]["values"] == first["values"]
    second = python(PROBE, MINIGRAD_CACHE=cache)
    assert filled[1]["values"] == second["values"]
    assert (2, 0) == (second["hits"], second["misses"])
    assert damaged != contents(cache)
    for file in filled[0].glob("*.py"):
        assert file.read_text(encoding="utf-8") == (cache / file.name).read_text(encoding="utf-8")


def test_without_a_writable_folder_kernels_are_compiled_for_the_process_only(tmp_path, filled):
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    printed = python(PROBE, MINIGRAD_CACHE=tmp_path / "file" / "cache")
    assert filled[1]["values"] == printed["values"]
    assert 0 == printed["hits"]
    assert ["file"] == [p.name for p in tmp_path.iterdir()]


def test_a_folder_in_which_numba_cannot_write(tmp_path, filled):
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "__pycache__").write_text("no folder either", encoding="utf-8")
    below = tmp_path / "file" / "home"
    assert filled[1]["values"] == python(PROBE, MINIGRAD_CACHE=tmp_path / "cache", HOME=below, XDG_CACHE_HOME=below)["values"]


def test_damage_in_numbas_own_cache_folder_is_repaired(tmp_path, filled):
    variables = {"MINIGRAD_CACHE": tmp_path / "cache", "NUMBA_CACHE_DIR": tmp_path / "numba"}
    python(PROBE, **variables)
    for file in (tmp_path / "numba").rglob("*.nbc"):
        os.truncate(file, 0)
    assert filled[1]["values"] == python(PROBE, **variables)["values"]


def test_two_processes_may_start_on_an_empty_cache(tmp_path, filled):
    both = [
        subprocess.Popen(
            [sys.executable, "-c", PROBE],
            env=environment(MINIGRAD_CACHE=tmp_path / "cache"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for process in both:
        out, error = process.communicate(timeout=300)
        assert 0 == process.returncode, error
        assert filled[1]["values"] == json.loads(out)["values"]
    third = python(PROBE, MINIGRAD_CACHE=tmp_path / "cache")
    assert (2, 0) == (third["hits"], third["misses"])
    assert set(contents(filled[0])) == set(contents(tmp_path / "cache"))


def test_a_changed_rule_gets_another_kernel_and_the_old_one_stays(tmp_path):
    script = tmp_path / "script.py"
    known_files: dict[str, Any] = {}
    for factor, files in ((2, 1), (3, 2), (2, 2)):
        script.write_text(
            "import minigrad as mg\n\n@mg.elementwise\ndef scaled(x):\n"
            f"    return x * {factor}\n\nprint(scaled(mg.tensor([1.0, 2.0])).tolist())\n",
            encoding="utf-8",
        )
        assert [factor, 2 * factor] == python(f"import runpy; runpy.run_path({str(script)!r})", MINIGRAD_CACHE=tmp_path / "cache")
        now = contents(tmp_path / "cache")
        assert files == len([name for name in now if name.endswith(".py")])
        assert known_files.items() <= now.items()
        known_files = now


WHERE = "import json; from minigrad.kernels.cache import folder; print(json.dumps(str(folder())))"


def test_where_the_cache_is(tmp_path):
    home, xdg = tmp_path / "home", tmp_path / "xdg"
    assert str(xdg / "minigrad") == python(WHERE, HOME=home, XDG_CACHE_HOME=xdg)
    assert str(home / ".cache" / "minigrad") == python(WHERE, HOME=home)
    assert 0o700 == stat.S_IMODE((xdg / "minigrad").stat().st_mode)
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert "None" == python(WHERE, HOME=tmp_path / "file", XDG_CACHE_HOME="")


# ---- without Numba


def train() -> list[float]:
    """Losses of a few steps through linear, gelu, dropout, cross-entropy and three optimizers."""
    losses = []
    for make in (
        lambda params: optim.AdamW(params, lr=0.05),
        lambda params: optim.Adam(params, lr=0.05, weight_decay=0.1),
        lambda params: optim.SGD(params, lr=0.1, momentum=0.9),
    ):
        mg.manual_seed(0)
        model = nn.Sequential(nn.Linear(5, 8), nn.GELU(), nn.Dropout(0.3), nn.Linear(8, 3), nn.Tanh())
        optimizer = make(model.parameters())
        x, y = mg.randn(20, 5), mg.randint(3, (20,))
        for _ in range(3):
            loss = nn.functional.cross_entropy(model(x), y, label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return losses


@pytest.mark.skipif(not kernels_enabled(), reason="kernels are switched off")
def test_numpy_alone_trains_alike_and_never_imports_numba(tmp_path):
    code = (
        "import json, runpy, sys\n"
        "sys.modules['numba'] = sys.modules['llvmlite'] = None\n"
        "import minigrad as mg\nfrom minigrad import nn, optim\n"
        f"{Path(__file__).read_text(encoding='utf-8').split('# ---- without Numba')[1].split('@pytest')[0]}\n"
        "print(json.dumps(train()))\n"
    )
    losses = python(code, MINIGRAD_KERNELS="numpy", MINIGRAD_CACHE=tmp_path / "cache")
    np.testing.assert_allclose(losses, train(), rtol=1e-6)
    assert losses[2] < losses[0]
    assert not (tmp_path / "cache").exists()


def test_numbas_own_switch_is_respected(filled):
    code = "import json, minigrad as mg; print(json.dumps(mg.tanh(mg.tensor([0.5, -1.0, 2.0])).tolist()))"
    np.testing.assert_allclose(python(code, NUMBA_DISABLE_JIT="1"), filled[1]["values"][0], rtol=1e-6)


@pytest.mark.parametrize("value", ["numbra", "1", "NUMPY"])
def test_an_unknown_choice_of_kernels_is_refused(value, monkeypatch):
    monkeypatch.setenv("MINIGRAD_KERNELS", value)
    with pytest.raises(ArgumentError, match=f"MINIGRAD_KERNELS: expected 'numba' or 'numpy', got '{value}'"):
        kernels_enabled.__wrapped__()


def test_the_notation_reads_numbers_and_arrays():
    assert math.e == exp(1.0)
    assert isinstance(exp(1.0), float)
    assert np.array_equal(np.exp(POINTS), exp(POINTS))
    assert [1.0, math.e] == pytest.approx(mg.tensor([0.0, 1.0]).exp().tolist(), rel=1e-6)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_child_born_while_a_thread_compiles_can_compile_too():
    compiling, done = threading.Event(), threading.Event()

    def compile_for_long() -> None:
        with cache_module._lock:
            compiling.set()
            done.wait(0.5)

    thread = threading.Thread(target=compile_for_long)
    thread.start()
    compiling.wait()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python warns of forks beside threads
        child = os.fork()
    if child == 0:
        os._exit(0 if cache_module._lock.acquire(timeout=5) else 1)
    done.set()
    thread.join()
    assert 0 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
