"""vector_math against high precision: errors in ulp over all binades, special values, and what kernels rely on."""

from __future__ import annotations

import importlib.util
import math
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mpmath import mp, mpf
from numba import njit

import minigrad as mg
from minigrad.kernels import coefficients, notation, vector_math

ROOT = Path(__file__).resolve().parents[1]
DTYPES = ("float32", "float64")
BITS = 200


def exact_erfc(x: Any) -> Any:
    return mpf(2 if x < 0 else 0) if abs(x) > 60 else mp.erfc(x)


def logistic(x: Any) -> Any:
    return 1 / (1 + mp.exp(-max(x, -9999)))


def twice_u(x: Any) -> Any:
    """The argument of σ in the tanh form of gelu."""
    return 2 * mp.sqrt(2 / mp.pi) * (x + mpf("0.044715") * x**3)


def gelu_tanh_slope(x: Any) -> Any:
    if abs(x) > 100:
        return mpf(int(x > 0))
    slope = 2 * mp.sqrt(2 / mp.pi) * (1 + 3 * mpf("0.044715") * x**2)
    return logistic(twice_u(x)) * (1 + x * logistic(-twice_u(x)) * slope)


EXACT: dict[str, Callable[[Any], Any]] = {
    "exp": mp.exp,
    "expm1": mp.expm1,
    "log": mp.log,
    "log1p": mp.log1p,
    "exp2": lambda x: mpf(2) ** x,
    "log2": lambda x: mp.log(x) / mp.log(2),
    "log10": mp.log10,
    "sin": mp.sin,
    "cos": mp.cos,
    "tan": mp.tan,
    "asin": mp.asin,
    "acos": mp.acos,
    "atan": mp.atan,
    "sinh": mp.sinh,
    "cosh": mp.cosh,
    "tanh": mp.tanh,
    "erf": mp.erf,
    "erfc": exact_erfc,
    "normal_cdf": lambda x: exact_erfc(-x / mp.sqrt(2)) / 2,
    "normal_pdf": lambda x: mp.exp(-x * x / 2) / mp.sqrt(2 * mp.pi),
    "sigmoid": lambda x: 1 / (1 + mp.exp(-x)),
    "silu": lambda x: x / (1 + mp.exp(-x)),
    "softplus": lambda x: max(x, mpf(0)) + mp.log1p(mp.exp(-abs(x))),
    "gelu": lambda x: x * exact_erfc(-x / mp.sqrt(2)) / 2,
    "gelu, tanh": lambda x: x * logistic(twice_u(x)),
    "slope of gelu": lambda x: exact_erfc(-x / mp.sqrt(2)) / 2 + x * mp.exp(-min(x * x, mpf(9999)) / 2) / mp.sqrt(2 * mp.pi),
    "slope of gelu, tanh": gelu_tanh_slope,
}


def gelu_tanh(x: Any) -> Any:
    return mg.gelu(x, approximate="tanh")


def values(function: Any) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: function(mg.from_numpy(x)).numpy()  # type: ignore[no-any-return]


def slopes(function: Any) -> Callable[[np.ndarray], np.ndarray]:
    def run(x: np.ndarray) -> np.ndarray:
        variable = mg.tensor(x, requires_grad=True)
        function(variable).sum().backward()
        return variable.grad.numpy()  # type: ignore[union-attr]

    return run


COMPOSED: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    **{name: values(getattr(mg, name)) for name in ("sigmoid", "silu", "softplus", "gelu")},
    "gelu, tanh": values(gelu_tanh),
    "slope of gelu": slopes(mg.gelu),
    "slope of gelu, tanh": slopes(gelu_tanh),
}
LIMITS = {name: 4.0 if "gelu" in name or "erf" in name or "normal" in name else 2.0 for name in EXACT}


# Where each function is neither trivial nor out of range; the second pair is for float64.
DOMAINS: dict[str, tuple[tuple[float, float], tuple[float, float]]] = {
    "exp": ((-104, 88.8), (-745.5, 709.8)),
    "expm1": ((-20, 88.8), (-40, 709.8)),
    "log": ((0.5, 2), (0.5, 2)),
    "log1p": ((-0.9999, 2), (-0.9999, 2)),
    "exp2": ((-150, 128), (-1075, 1024)),
    "log2": ((0.5, 2), (0.5, 2)),
    "log10": ((0.5, 2), (0.5, 2)),
    "sin": ((-50, 50), (-50, 50)),
    "cos": ((-50, 50), (-50, 50)),
    "tan": ((-50, 50), (-50, 50)),
    "asin": ((-1, 1), (-1, 1)),
    "acos": ((-1, 1), (-1, 1)),
    "atan": ((-5, 5), (-5, 5)),
    "sinh": ((-89.4, 89.4), (-710.4, 710.4)),
    "cosh": ((-89.4, 89.4), (-710.4, 710.4)),
    "tanh": ((-3, 3), (-3, 3)),
    "erf": ((-4, 4), (-6, 6)),
    "erfc": ((-4, 10.1), (-6, 27.3)),
    "normal_cdf": ((-14.3, 6), (-38.6, 8)),
    "normal_pdf": ((-14.5, 14.5), (-38.6, 38.6)),
    "sigmoid": ((-104, 20), (-745, 40)),
    "silu": ((-110, 20), (-760, 40)),
    "softplus": ((-104, 20), (-745, 40)),
    "gelu": ((-15, 6), (-39, 8)),
    "gelu, tanh": ((-11, 6), (-23, 8)),
    "slope of gelu": ((-15, 6), (-39, 8)),
    "slope of gelu, tanh": ((-11, 6), (-23, 8)),
}


# Between what each function has a value.
DEFINED = {
    "log": (0, math.inf), "log2": (0, math.inf), "log10": (0, math.inf), "log1p": (-1, math.inf), "asin": (-1, 1), "acos": (-1, 1),
}  # fmt: skip
# The floats that are nearest to multiples of π/2, relative to their spacing (Muller, Elementary Functions, 11.3.2).
HARDEST = {"float32": 16367173.0 * 2.0**72, "float64": 6381956970095103.0 * 2.0**797}


def loop(function: Any) -> Callable[[np.ndarray], np.ndarray]:
    """A kernel as `lift` writes them: one loop, no fast-math flags."""

    @njit(nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
    def kernel(x: Any, out: Any) -> None:
        for i in range(x.size):
            out[i] = function(x[i])

    def run(x: np.ndarray) -> np.ndarray:
        out = np.empty(x.shape, x.dtype)
        kernel(x, out)
        return out

    return run


@cache
def kernel(name: str, dtype: str) -> Callable[[np.ndarray], np.ndarray]:
    if name in COMPOSED:
        return COMPOSED[name]
    return loop(vector_math.functions(dtype)[name])


def samples(name: str, dtype: str, count: int) -> np.ndarray:
    """Points over the domain, near 0, and over all binades, subnormal ones included."""
    random, info, double = np.random.default_rng(7), np.finfo(dtype), dtype == "float64"
    inside = random.uniform(*DOMAINS[name][double], count // 2)
    middle = random.uniform(-1.5, 1.5, count // 4)
    binades = 2.0 ** random.uniform(int(info.minexp) - info.nmant, int(info.maxexp) - 1e-9, count // 4)
    hard = [
        0.0,
        0.5 * math.log(2),
        1.5 * math.log(2),
        0.55,
        0.9,
        math.sqrt(0.5),
        math.sqrt(2),
        1,
        2,
        float(info.tiny),
        float(info.max),
    ]
    near_hard = [np.nextafter(h, side) for h in np.array(hard, dtype) for side in np.array([-3, h, 3], dtype)]
    x = np.concatenate([inside, middle, binades, near_hard]).astype(dtype)
    x = np.concatenate([x, -x])
    if name in ("sin", "cos", "tan"):
        multiples = 0.5 * math.pi * random.integers(1, 10**6, count // 4)
        x = np.concatenate([x, multiples.astype(dtype), np.array([HARDEST[dtype]], dtype)])
    lowest, highest = DEFINED.get(name, (-math.inf, math.inf))
    if name.startswith("slope"):  # near its zero, at −0.75, it has no relative accuracy
        x = x[(x < -1.75) | (x > -0.3)]
    return x[(x > lowest) & (x < highest)]


def spacing(reference: float, dtype: str) -> float:
    """One ulp of `reference`: the distance of the floats around it, subnormal ones included."""
    info = np.finfo(dtype)
    exponent = max(math.frexp(reference)[1] - 1, int(info.minexp))
    return math.ldexp(1.0, exponent - info.nmant)


def largest_error(name: str, dtype: str, x: np.ndarray) -> tuple[float, float]:
    """The largest error in ulp and its x, against 200-bit arithmetic; overflow must give infinity."""
    y = kernel(name, dtype)(x)
    worst = (0.0, 0.0)
    with mp.workprec(BITS):
        overflow = mpf(float(np.finfo(dtype).max)) * (1 + mpf(2) ** -(np.finfo(dtype).nmant + 2))
        for xi, yi in zip(x.tolist(), y.tolist(), strict=True):
            reference = EXACT[name](mpf(xi))
            if abs(reference) >= overflow:
                assert math.copysign(math.inf, reference) == yi, (name, xi)
                continue
            unit = spacing(float(reference), dtype)
            worst = max(worst, (math.inf if math.isinf(yi) else float(abs(mpf(yi) - reference)) / unit, xi))
    return worst


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("dtype", DTYPES)
def test_error_in_ulp(name: str, dtype: str) -> None:
    error, x = largest_error(name, dtype, samples(name, dtype, 2000))
    assert error <= LIMITS[name], f"{name} {dtype}: {error:.2f} ulp at {x!r}"


DENSE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "exp2": np.exp2,
    "log2": np.log2,
    "log10": np.log10,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "erf": np.vectorize(math.erf),
    "erfc": np.vectorize(math.erfc),
    "normal_cdf": np.vectorize(lambda x: math.erfc(-x * math.sqrt(0.5)) / 2),
    "normal_pdf": lambda x: np.exp(-x * x / 2) / math.sqrt(2 * math.pi),
}


@pytest.mark.parametrize("name", DENSE)
def test_float32_error_on_many_points(name: str) -> None:
    x = samples(name, "float32", 200_000)
    y = kernel(name, "float32")(x).astype(np.float64)
    with np.errstate(over="ignore", under="ignore"):
        reference = DENSE[name](x.astype(np.float64))
    finite = abs(reference) < 2.0**128 * (1 - 2.0**-25)
    exponents = np.maximum(np.frexp(reference)[1] - 1, -126)
    errors = abs(y[finite] - reference[finite]) / np.ldexp(1.0, exponents - 23)[finite]
    assert LIMITS[name] >= errors.max()


INF, NAN = math.inf, math.nan
SPECIAL_ARGUMENTS = (0.0, -0.0, INF, -INF, NAN)
SPECIAL_VALUES: dict[str, tuple[float, ...]] = {
    "exp": (1.0, 1.0, INF, 0.0, NAN),
    "expm1": (0.0, -0.0, INF, -1.0, NAN),
    "log": (-INF, -INF, INF, NAN, NAN),
    "log1p": (0.0, -0.0, INF, NAN, NAN),
    "exp2": (1.0, 1.0, INF, 0.0, NAN),
    "log2": (-INF, -INF, INF, NAN, NAN),
    "log10": (-INF, -INF, INF, NAN, NAN),
    "sin": (0.0, -0.0, NAN, NAN, NAN),
    "cos": (1.0, 1.0, NAN, NAN, NAN),
    "tan": (0.0, -0.0, NAN, NAN, NAN),
    "asin": (0.0, -0.0, NAN, NAN, NAN),
    "acos": (math.pi / 2, math.pi / 2, NAN, NAN, NAN),
    "atan": (0.0, -0.0, math.pi / 2, -math.pi / 2, NAN),
    "sinh": (0.0, -0.0, INF, -INF, NAN),
    "cosh": (1.0, 1.0, INF, INF, NAN),
    "tanh": (0.0, -0.0, 1.0, -1.0, NAN),
    "erf": (0.0, -0.0, 1.0, -1.0, NAN),
    "erfc": (1.0, 1.0, 0.0, 2.0, NAN),
    "normal_cdf": (0.5, 0.5, 1.0, 0.0, NAN),
    "normal_pdf": (1 / math.sqrt(2 * math.pi), 1 / math.sqrt(2 * math.pi), 0.0, 0.0, NAN),
    "sqrt": (0.0, -0.0, INF, NAN, NAN),
    "absolute": (0.0, 0.0, INF, INF, NAN),
    "floor": (0.0, -0.0, INF, -INF, NAN),
    "ceil": (0.0, -0.0, INF, -INF, NAN),
    "trunc": (0.0, -0.0, INF, -INF, NAN),
    "rint": (0.0, -0.0, INF, -INF, NAN),
    "sigmoid": (0.5, 0.5, 1.0, 0.0, NAN),
    "softplus": (math.log(2), math.log(2), INF, 0.0, NAN),
}


def same(expected: np.ndarray, actual: np.ndarray) -> bool:
    """Equal bit for bit, but for the payload of a NaN."""
    nan = np.isnan(expected)
    return bool(np.array_equal(nan, np.isnan(actual)) and expected[~nan].tobytes() == actual[~nan].tobytes())


@pytest.mark.parametrize("name", SPECIAL_VALUES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("repeat", [1, 40])
def test_special_values(name: str, dtype: str, repeat: int) -> None:
    """One by one in the scalar rest of the loop, and many at once in its vector body."""
    x = np.repeat(np.array(SPECIAL_ARGUMENTS, dtype), repeat)
    assert same(np.repeat(np.array(SPECIAL_VALUES[name], dtype), repeat), kernel(name, dtype)(x))


VALUES = [
    ("log", 1, 0), ("log", -1, NAN), ("log1p", -1, -INF), ("log1p", -2, NAN), ("log2", 2.0**-140, -140), ("log10", 1, 0),
    ("exp2", 7, 128), ("asin", 1, math.pi / 2), ("asin", -1.5, NAN), ("acos", 1, 0), ("acos", -1, math.pi), ("acos", 2, NAN),
    ("floor", -1.5, -2), ("ceil", -1.5, -1), ("trunc", -1.5, -1), ("rint", 2.5, 2), ("rint", -0.4, -0.0), ("sqrt", 4, 2),
]  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("name", "x", "expected"),
    VALUES,
)
def test_values_at_points(name: str, dtype: str, x: float, expected: float) -> None:
    assert same(np.array([expected], dtype), kernel(name, dtype)(np.array([x], dtype)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["expm1", "log1p", "sin", "tan", "asin", "atan", "sinh", "tanh"])
def test_subnormal_arguments_come_back_unchanged(name: str, dtype: str) -> None:
    x = np.finfo(dtype).smallest_subnormal * np.array([1, 3, 1000, -1, -7], dtype)
    assert same(x, kernel(name, dtype)(x))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["sin", "tan", "asin", "atan", "sinh", "tanh", "erf"])
def test_odd_functions_are_odd(name: str, dtype: str) -> None:
    x = samples(name, dtype, 4000)
    assert same(-kernel(name, dtype)(x), kernel(name, dtype)(-x))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", EXACT)
def test_results_do_not_depend_on_the_position(name: str, dtype: str) -> None:
    """The vector body and the scalar rest of a loop agree bit for bit."""
    x = samples(name, dtype, 200)
    y = kernel(name, dtype)(x)
    assert same(y, np.concatenate([kernel(name, dtype)(x[i : i + 1]) for i in range(x.size)]))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_the_fast_form_near_0_gives_the_same_bits(name: str, dtype: str) -> None:
    reach = {"float32": 2.0**13, "float64": 2.0**30}[dtype]
    x = np.concatenate([samples(name, dtype, 2000), np.random.default_rng(5).uniform(-reach, reach, 2000).astype(dtype)])
    x = np.append(x[np.abs(x) <= reach], np.array([reach, -reach], dtype))
    assert same(kernel(name, dtype)(x), loop(vector_math.functions(dtype)[f"near_{name}"])(x))


def quotients(dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Pairs a, b: of all sizes, with quotients next to integers, and special values."""
    random, info = np.random.default_rng(6), np.finfo(dtype)
    low, high = int(info.minexp) - info.nmant, int(info.maxexp)
    b = (random.choice([-1, 1], 4000) * random.uniform(1, 2, 4000) * 2.0 ** random.uniform(low, high - 2, 4000)).astype(dtype)
    with np.errstate(all="ignore"):
        a = (random.uniform(-1, 1, 4000) * b * 2.0 ** random.uniform(-2, 60, 4000)).astype(dtype)
        whole = (b * random.integers(-(2**20), 2**20, 4000)).astype(dtype)
        beside = np.concatenate([np.nextafter(whole, np.array(side, dtype)) for side in (-math.inf, math.inf)])
    special = np.array([0, -0.0, 1, -1, info.smallest_subnormal, info.tiny, info.max, math.inf, -math.inf, math.nan], dtype)
    pairs = [(a, b), (whole, b), (beside, np.tile(b, 2)), tuple(np.array(np.meshgrid(special, special)).reshape(2, -1))]
    x, y = (np.concatenate(part) for part in zip(*pairs, strict=True))
    return x, y


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_fast_rest_of_a_division_gives_the_same_bits(dtype: str) -> None:
    functions = vector_math.functions(dtype)
    near_fmod, reach, is_near = functions["near_fmod"], functions["quotient_reach"], functions["is_near"]

    @njit(error_model="numpy")  # type: ignore[untyped-decorator]
    def kernel(a: Any, b: Any, out: Any, near: Any) -> None:
        for i in range(a.size):
            out[i], near[i] = near_fmod(a[i], b[i]), is_near(reach(a[i], b[i]))

    a, b = quotients(dtype)
    out, near = np.empty_like(a), np.empty(a.size, bool)
    kernel(a, b, out, near)
    with np.errstate(all="ignore"):
        expected, quotient = np.fmod(a, b), np.abs(a.astype(np.longdouble) / b)
    assert same(out[near], expected[near])
    assert not near[(quotient > 2.0**53) & np.isfinite(expected)].any()
    assert near[quotient < 2.0**51].all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_rest_of_a_division_is_exact_however_large_the_quotient(dtype: str) -> None:
    a, b = quotients(dtype)
    with np.errstate(all="ignore"):
        assert same(mg.fmod(mg.from_numpy(a), mg.from_numpy(b)).numpy(), np.fmod(a, b))
        few = np.abs(a / b) < 100  # no quotient is far
        assert same(mg.fmod(mg.from_numpy(a[few]), mg.from_numpy(b[few])).numpy(), np.fmod(a, b)[few])


@mg.elementwise
def wave(x: mg.Tensor, phase: float = 0.5, *, reduction: str = "none") -> mg.Tensor:
    angle = notation.tan(x) + phase
    return notation.sin(angle) * notation.cos(x)


@pytest.mark.parametrize("dtype", DTYPES)
def test_one_argument_far_from_0_changes_no_other_value(dtype: str) -> None:
    x = np.linspace(-3, 3, 1001, dtype=dtype)
    far = np.array([1e30, -3e20, INF, NAN], dtype)
    together = wave(mg.from_numpy(np.concatenate([x, far]))).numpy()
    assert same(wave(mg.from_numpy(x)).numpy(), together[:-4])
    assert same(wave(mg.from_numpy(far)).numpy(), together[-4:])
    with np.errstate(invalid="ignore"):
        expected = wave.formula(far)
    np.testing.assert_allclose(together[-4:], expected, rtol=1e-3)
    total = wave(mg.from_numpy(np.append(x, far[:2])), reduction="sum").item()
    np.testing.assert_allclose(total, together[:-2].astype(np.float64).sum(), rtol=1e-5)


def both(function: Any) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """A kernel of a function of two arguments."""

    @njit(nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
    def kernel(a: Any, b: Any, out: Any) -> None:
        for i in range(a.size):
            out[i] = function(a[i], b[i])

    def run(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        out = np.empty(a.shape, a.dtype)
        kernel(a, b, out)
        return out

    return run


@pytest.mark.parametrize("dtype", DTYPES)
def test_atan2(dtype: str) -> None:
    info, random = np.finfo(dtype), np.random.default_rng(3)
    powers = 2.0 ** random.uniform(int(info.minexp) - info.nmant, int(info.maxexp) - 1e-9, (2, 500))
    near = random.uniform(0.1, 10, (2, 1500)) * 2.0 ** random.uniform(-20, 20, 1500)
    y, x = (np.concatenate([powers, near], axis=1) * random.choice([-1, 1], (2, 2000))).astype(dtype)
    for a, b, angle in zip(y.tolist(), x.tolist(), both(vector_math.functions(dtype)["atan2"])(y, x).tolist(), strict=True):
        with mp.workprec(BITS):
            exact = mp.atan2(mpf(a), mpf(b))
            assert abs(mpf(angle) - exact) <= 2 * spacing(float(exact), dtype), (a, b)


@pytest.mark.parametrize("dtype", DTYPES)
def test_functions_of_two_arguments_at_special_values(dtype: str) -> None:
    """As the C library has them, signs of zeros included."""
    values = np.array([0.0, -0.0, 1.0, -1.0, 2.5, INF, -INF, NAN], dtype)
    a, b = (part.ravel() for part in np.meshgrid(values, values))
    with np.errstate(invalid="ignore"):
        for name, expected in (("atan2", np.arctan2(a.astype(float), b.astype(float)).astype(dtype)), ("fmod", np.fmod(a, b))):
            assert same(expected, both(vector_math.functions(dtype)[name])(a, b)), name


@pytest.mark.parametrize("dtype", DTYPES)
def test_fused_equals_unfused(dtype: str) -> None:
    functions = vector_math.functions(dtype)
    outer, middle, inner = functions["log1p"], functions["normal_pdf"], functions["expm1"]

    def fused(x: Any) -> Any:
        return outer(middle(inner(x)))

    x = np.linspace(-5, 5, 1001, dtype=dtype)
    step_by_step = kernel("log1p", dtype)(kernel("normal_pdf", dtype)(kernel("expm1", dtype)(x)))
    assert same(step_by_step, loop(njit(inline="always")(fused))(x))


@pytest.mark.parametrize("dtype", DTYPES)
def test_maximum_minimum_and_where(dtype: str) -> None:
    functions = vector_math.functions(dtype)
    maximum, minimum, where = functions["maximum"], functions["minimum"], functions["where"]

    @njit(error_model="numpy")  # type: ignore[untyped-decorator]
    def run(a: Any, b: Any, larger: Any, smaller: Any, chosen: Any) -> None:
        for i in range(a.size):
            larger[i], smaller[i], chosen[i] = maximum(a[i], b[i]), minimum(a[i], b[i]), where(a[i] < b[i], a[i], b[i])

    a, b = np.tile(np.array([[1, -0.0, 0.0, NAN, 1, -INF], [2, 0.0, -0.0, 1, NAN, INF]], dtype), 20)
    larger, smaller, chosen = np.empty((3, a.size), dtype)
    run(a, b, larger, smaller, chosen)
    assert same(np.tile(np.array([2, 0.0, 0.0, NAN, NAN, INF], dtype), 20), larger)
    assert same(np.tile(np.array([1, -0.0, -0.0, NAN, NAN, -INF], dtype), 20), smaller)
    assert same(np.where(a < b, a, b), chosen)


@pytest.mark.parametrize("dtype", DTYPES)
def test_running_maximum_and_sum(dtype: str) -> None:
    functions = vector_math.functions(dtype)
    maximum, add_sum = functions["maximum"], functions["add_sum"]
    lowest, zero = np.array([-INF, 0], dtype)

    @njit(error_model="numpy")  # type: ignore[untyped-decorator]
    def run(x: Any) -> Any:
        largest, total = lowest, zero
        for i in range(x.size):
            largest, total = maximum(largest, x[i]), add_sum(total, x[i])
        return largest, total

    x = np.random.default_rng(0).normal(size=1003).astype(dtype)
    largest, total = run(x)
    assert x.max() == largest
    assert math.fsum(x) == pytest.approx(total, abs=1e3 * float(np.finfo(dtype).eps))
    x[500] = NAN
    assert all(np.isnan(run(x)))


def test_functions_are_built_once_and_complete() -> None:
    for dtype in DTYPES:
        functions = vector_math.functions(dtype)
        assert set(vector_math.NAMES) == set(functions)
        assert functions is vector_math.functions(dtype)
    with pytest.raises(ValueError, match="float16"):
        vector_math.functions("float16")


def test_digest_is_a_hash() -> None:
    assert 64 == len(vector_math.digest())
    assert vector_math.digest() == vector_math.digest()


def test_coefficients_are_reproducible() -> None:
    specification = importlib.util.spec_from_file_location("fit_coefficients", ROOT / "tools" / "fit_coefficients.py")
    assert specification is not None
    assert specification.loader is not None
    tool = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = tool  # dataclasses look their module up
    specification.loader.exec_module(tool)
    text = Path(coefficients.__file__).read_text(encoding="utf-8")
    with mp.workdps(tool.DIGITS):
        entries = [tool.entry(fit) for fit in tool.fits() if fit.name == "tanh_remainder"]
        assert tool.two_over_pi() in text
    assert 2 == len(entries)
    assert all(entry in text for entry in entries)
