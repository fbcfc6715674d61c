"""Elementary functions that LLVM vectorises: exp, log, tanh, erf … as branch-free polynomials, in float32 and float64.

A generated loop takes them from `functions("float32")` and calls them on scalars of that dtype; `inline="always"` puts
their few instructions into the loop. Each function is written once, below, for both dtypes. Names in capitals are
constants of the dtype, names such as `exp_polynomial` its polynomials; both are bound when the functions of a dtype are
first asked for, so the bare functions of this module cannot be called.

Fused and unfused kernels agree bit for bit, and NaN goes in and comes out, because no fast-math flag is used (but in
`add_sum`) and nothing branches: a multiply-add is asked for by name, a choice is a true `where`.

The errors named are the largest seen over all binades in float32 and float64, in ulp; below the normal range, in
spacings of the subnormal numbers.
"""

from __future__ import annotations

import math
from functools import cache
from types import FunctionType
from typing import Any

import numpy as np
from numba import njit

from minigrad.kernels import coefficients, vector_instructions, vector_trig
from minigrad.kernels.cache import file_digest
from minigrad.kernels.vector_instructions import (
    absolute,
    copy_sign,
    exponent,
    fused,
    half_power,
    inverse_power,
    multiply_add,
    polynomial,
    scale,
    significand,
    where,
)
from minigrad.kernels.vector_trig import exact_sum

MATH = (
    "exp", "scaled_exp", "exp2", "expm1", "log", "log1p", "log2", "log10", "sinh", "cosh", "tanh", "sigmoid", "softplus",
    "erf", "erfc", "normal_cdf", "scaled_normal_cdf", "normal_pdf", "gelu_slope", "scaled_gelu_exp", "gelu_tanh_slope",
    "quotient_reach", *vector_trig.NAMES,
)  # fmt: skip
NEAR = {f"near_{name}": name for name in vector_trig.REDUCED}
INSTRUCTIONS = ("sqrt", "absolute", "floor", "ceil", "trunc", "rint", "fmod", "near_fmod", "maximum", "minimum", "where", "add_sum")
NAMES: tuple[str, ...] = (*MATH, *NEAR, *INSTRUCTIONS)

# Constants of a dtype: `_constants` has the values.
_bound_later: Any = None
ZERO = HALF = ONE = TWO = THREE = INFINITY = NOT_A_NUMBER = QUOTIENT_REACH = _bound_later
ROUNDER = _bound_later  # adding it rounds to an integer, which then stands in the lowest bits of the sum
LOG2_E = LN2_HIGH = LN2_LOW = _bound_later  # LN2_HIGH times a binary exponent is exact
EXP_LOWEST = EXPM1_LOWEST = _bound_later  # below, exp rounds to 0, expm1 to −1
EXP_HIGHEST = _bound_later  # above, exp overflows
EXP2_LOWEST = EXP2_HIGHEST = SINH_HIGHEST = _bound_later  # beyond, exp2 rounds to 0 or overflows; so do sinh and cosh
LN2 = LOG10_E = LOG10_2_HIGH = LOG10_2_LOW = QUARTER = _bound_later
TANH_HIGHEST = ERF_HIGHEST = SIGMOID_HIGHEST = _bound_later  # above, the result rounds to 1
ERFC_HIGHEST = NORMAL_HIGHEST = _bound_later  # above, erfc rounds to 0; so do the normal density and tail
TANH_SPLIT = ERF_SPLIT = _bound_later  # below, an odd polynomial
ERFC_MIDDLE = NORMAL_MIDDLE = _bound_later  # the argument at which the variable of `scaled_erfc`, `scaled_tail` is 0
DENSITY_AT_0 = _bound_later  # 1 / √(2π)
GELU_SLOPE = GELU_SLOPE_LOW = GELU_CUBE = GELU_CUBE_LOW = _bound_later  # 2√(2/π) and 0.044715 times that, in two parts
GELU_HIGHEST = _bound_later  # above, `scaled_gelu_exp` rounds to 0
SMALLEST_NORMAL = _bound_later
NORMALIZER = NORMALIZER_EXPONENT = _bound_later  # a power of two that makes every subnormal number normal

# Polynomials of a dtype: `coefficients` says what each approximates.
exp_remainder = exp_polynomial = log_remainder = sinh_remainder = tanh_remainder = erf_remainder = _bound_later
log_erfc = scaled_erfc = scaled_tail = _bound_later


# The functions. In all of them eˣ = 2ⁿ · eʳ, n = round(x / ln 2), r = x − n · ln 2 with ln 2 in two parts (Cody and
# Waite, Software Manual for the Elementary Functions, 1980).


def exp(x: Any) -> Any:
    """eˣ. Error: 0.9 and 0.8."""
    x = where(x > EXP_HIGHEST, EXP_HIGHEST, x)
    x = where(x < EXP_LOWEST, EXP_LOWEST, x)
    t = multiply_add(x, LOG2_E, ROUNDER)
    n = t - ROUNDER
    r = multiply_add(-n, LN2_LOW, multiply_add(-n, LN2_HIGH, x))
    return scale(exp_polynomial(r), t)


def scaled_exp(x: Any, factor: Any) -> Any:
    """factor · eˣ, the power of two last: right also where eˣ alone would be subnormal. Error: 0.9 and 0.9."""
    a = where(x > EXP_HIGHEST, EXP_HIGHEST, x)
    a = where(a < EXP_LOWEST, EXP_LOWEST, a)
    t = multiply_add(a, LOG2_E, ROUNDER)
    n = t - ROUNDER
    r = multiply_add(-n, LN2_LOW, multiply_add(-n, LN2_HIGH, a))
    growth = multiply_add(r * r, exp_remainder(r), r)
    return where(x < EXP_LOWEST, ZERO * factor, scale(multiply_add(factor, growth, factor), t))


def exp2(x: Any) -> Any:
    """2ˣ = 2ⁿ · e^(r ln 2), n = round(x), r = x − n. Error: 0.9 and 0.9."""
    x = where(x > EXP2_HIGHEST, EXP2_HIGHEST, x)
    x = where(x < EXP2_LOWEST, EXP2_LOWEST, x)
    t = x + ROUNDER
    return scale(exp_polynomial((x - (t - ROUNDER)) * LN2), t)


def expm1(x: Any) -> Any:
    """eˣ − 1 = 2ⁿ(eʳ − 1) + (2ⁿ − 1), the second term exact. Error: 1.6 and 1.7."""
    a = where(x > EXP_HIGHEST, EXP_HIGHEST, x)
    a = where(a < EXPM1_LOWEST, EXPM1_LOWEST, a)
    t = multiply_add(a, LOG2_E, ROUNDER)
    n = t - ROUNDER
    r = multiply_add(-n, LN2_LOW, multiply_add(-n, LN2_HIGH, a))
    near = multiply_add(r * r, exp_remainder(r), r)
    half = half_power(t)
    far = TWO * multiply_add(near, half, half - HALF)
    # Halving a subnormal number would round it, and 0 would lose its sign.
    return copy_sign(where(n == ZERO, near, far), x)


def log(x: Any) -> Any:
    """log x = n · ln 2 + log(1 + f) for x = 2ⁿ(1 + f), odd in s = f / (2 + f) (fdlibm, e_log.c). Error: 0.8 and 0.8."""
    subnormal = x < SMALLEST_NORMAL
    a = where(subnormal, x * NORMALIZER, x)
    n = exponent(a) - where(subnormal, NORMALIZER_EXPONENT, ZERO)
    f = significand(a) - ONE
    s = f / (f + TWO)
    z = s * s
    half_square = HALF * f * f
    low = multiply_add(s, multiply_add(z, log_remainder(z), half_square), n * LN2_LOW)
    y = multiply_add(n, LN2_HIGH, f - (half_square - low))
    y = where(x < INFINITY, y, x)
    return where(x > ZERO, y, where(x == ZERO, -INFINITY, NOT_A_NUMBER))


def log2(x: Any) -> Any:
    """log₂ x = n + log(1 + f) / ln 2, as `log`; exact at powers of two. Error: 1.4 and 1.4."""
    subnormal = x < SMALLEST_NORMAL
    a = where(subnormal, x * NORMALIZER, x)
    n = exponent(a) - where(subnormal, NORMALIZER_EXPONENT, ZERO)
    f = significand(a) - ONE
    s = f / (f + TWO)
    z = s * s
    half_square = HALF * f * f
    y = multiply_add(f - (half_square - s * multiply_add(z, log_remainder(z), half_square)), LOG2_E, n)
    y = where(x < INFINITY, y, x)
    return where(x > ZERO, y, where(x == ZERO, -INFINITY, NOT_A_NUMBER))


def log10(x: Any) -> Any:
    """log₁₀ x = n · log₁₀ 2 + log(1 + f) / ln 10, as `log`. Error: 1.7 and 1.7."""
    subnormal = x < SMALLEST_NORMAL
    a = where(subnormal, x * NORMALIZER, x)
    n = exponent(a) - where(subnormal, NORMALIZER_EXPONENT, ZERO)
    f = significand(a) - ONE
    s = f / (f + TWO)
    z = s * s
    half_square = HALF * f * f
    y = multiply_add(f - (half_square - s * multiply_add(z, log_remainder(z), half_square)), LOG10_E, n * LOG10_2_LOW)
    y = where(x < INFINITY, multiply_add(n, LOG10_2_HIGH, y), x)
    return where(x > ZERO, y, where(x == ZERO, -INFINITY, NOT_A_NUMBER))


def log1p(x: Any) -> Any:
    """log(1 + x): `log` of the rounded sum, and what the rounding lost divided by the sum. Error: 0.8 and 0.8."""
    u = ONE + x
    lost = where(x < ONE, x - (u - ONE), ONE - (u - x))
    n = exponent(u)
    near = n == ZERO
    f = where(near, x, significand(u) - ONE)
    s = f / (f + TWO)
    z = s * s
    half_square = HALF * f * f
    # 1 / (1 + f) ≈ 1 − 2s + 2s²: the correction needs few digits.
    correction = where(near, ZERO, lost * inverse_power(u)) * multiply_add(s, multiply_add(s, TWO, -TWO), ONE)
    low = multiply_add(s, multiply_add(z, log_remainder(z), half_square), multiply_add(n, LN2_LOW, correction))
    y = multiply_add(n, LN2_HIGH, f - (half_square - low))
    y = where(x < INFINITY, copy_sign(y, x), x)
    return where(x > -ONE, y, where(x == -ONE, -INFINITY, NOT_A_NUMBER))


def sinh(x: Any) -> Any:
    """sinh x: odd polynomial for |x| < 1, else eˣ / 2 − e⁻ˣ / 2. Error: 1.3 and 1.2."""
    a = absolute(x)
    z = a * a
    small = multiply_add(a * z, sinh_remainder(z), a)
    a = where(a > SINH_HIGHEST, SINH_HIGHEST, a)
    t = multiply_add(a, LOG2_E, ROUNDER)
    n = t - ROUNDER
    r = multiply_add(-n, LN2_LOW, multiply_add(-n, LN2_HIGH, a))
    # eˣ / 4: the highest n, for which eˣ / 2 is finite, needs 2ⁿ⁻².
    quarter = exp_polynomial(r) * half_power(t - ONE)
    large = TWO * (quarter - QUARTER * QUARTER / quarter)
    return copy_sign(where(absolute(x) < ONE, small, large), x)


def cosh(x: Any) -> Any:
    """cosh x = eˣ / 2 + e⁻ˣ / 2. Error: 1.1 and 1.2."""
    a = absolute(x)
    a = where(a > SINH_HIGHEST, SINH_HIGHEST, a)
    t = multiply_add(a, LOG2_E, ROUNDER)
    n = t - ROUNDER
    r = multiply_add(-n, LN2_LOW, multiply_add(-n, LN2_HIGH, a))
    quarter = exp_polynomial(r) * half_power(t - ONE)
    return TWO * (quarter + QUARTER * QUARTER / quarter)


def tanh(x: Any) -> Any:
    """tanh x: odd polynomial for |x| < 0.55, else 1 − 2 / (e²ˣ + 1). Error: 1.6 and 1.5."""
    a = absolute(x)
    z = a * a
    small = multiply_add(a * z, tanh_remainder(z), a)
    a2 = TWO * where(a > TANH_HIGHEST, TANH_HIGHEST, a)
    t = multiply_add(a2, LOG2_E, ROUNDER)
    n = t - ROUNDER
    r = multiply_add(-n, LN2_LOW, multiply_add(-n, LN2_HIGH, a2))
    large = ONE - ONE / multiply_add(exp_polynomial(r), half_power(t), HALF)
    return copy_sign(where(a < TANH_SPLIT, small, large), x)


def sigmoid(x: Any) -> Any:
    """1 / (1 + e⁻ˣ) as c − c e / (1 + e), e = e^−|x|, c = 1 or e: the quotient's rounding counts little; 1 from where 1 + e is. Error: 1.5
    and 1.5."""
    e = exp(-absolute(x))
    c = where(x >= ZERO, ONE, e)
    return where(x > SIGMOID_HIGHEST, ONE, multiply_add(-c, e / (ONE + e), c))


def softplus(x: Any) -> Any:
    """log(1 + eˣ) = max(x, 0) + log1p(e^−|x|). Error: 1.2 and 1.2."""
    return where(x < ZERO, ZERO, x) + log1p(exp(-absolute(x)))


def erf(x: Any) -> Any:
    """Error function: odd polynomial for |x| < 0.9, else 1 − e^P(|x|) with P fitted to log erfc. Error: 1.1 and 1.2."""
    a = absolute(x)
    z = a * a
    small = multiply_add(a, erf_remainder(z), a)
    p = log_erfc(where(a > ERF_HIGHEST, ERF_HIGHEST, a))
    t = multiply_add(p, LOG2_E, ROUNDER)
    n = t - ROUNDER
    r = multiply_add(-n, LN2_LOW, multiply_add(-n, LN2_HIGH, p))
    large = multiply_add(-TWO * exp_polynomial(r), half_power(t), ONE)
    return copy_sign(where(a < ERF_SPLIT, small, large), x)


def exp_parts(high: Any, low: Any) -> Any:
    """t and r with e^(high + low) = 2ⁿ · eʳ, t = n + ROUNDER: the rounding error of the sum would be multiplied by it."""
    t = multiply_add(high, LOG2_E, ROUNDER)
    n = t - ROUNDER
    return t, multiply_add(-n, LN2_HIGH, high) + multiply_add(-n, LN2_LOW, low)


def erfc(x: Any) -> Any:
    """1 − erf x = e^(−a²) · G((a − M) / (a + M)) / (a + M) for x = a ≥ 0, and 2 minus that for x = −a. Error: 3.4 and 3.4."""
    a = absolute(x)
    a = where(a > ERFC_HIGHEST, ERFC_HIGHEST, a)
    square = a * a
    t, r = exp_parts(-square, -fused(a, a, -square))
    q = ONE / (a + ERFC_MIDDLE)
    y = scale(exp_polynomial(r) * (q * scaled_erfc((a - ERFC_MIDDLE) * q)), t)
    return where(x < ZERO, TWO - y, y)


def normal_cdf(x: Any) -> Any:
    """Standard normal distribution function Φ(x): its lower tail is as accurate. Error: 3.6 and 3.7."""
    return scaled_normal_cdf(x, ONE)


def scaled_normal_cdf(x: Any, factor: Any) -> Any:
    """factor · Φ(x), as `erfc`, the power of two last: right also where Φ(x) alone would be subnormal. Error: 3.6 and 3.8."""
    a = absolute(x)
    beyond = a > NORMAL_HIGHEST
    a = where(beyond, NORMAL_HIGHEST, a)
    half = HALF * a
    square = half * a
    t, r = exp_parts(-square, -fused(half, a, -square))
    q = ONE / (a + NORMAL_MIDDLE)
    tail = exp_polynomial(r) * (q * scaled_tail((a - NORMAL_MIDDLE) * q))
    y = where(beyond, ZERO * factor, scale(factor * tail, t))
    return where(x > ZERO, where(beyond, factor, factor - y), y)


def gelu_slope(x: Any) -> Any:
    """Φ(x) + x φ(x), which is e^(−a² / 2) (tail − a φ(0)) for x = −a ≤ 0, and 1 minus that for x = a. NaN at ±∞.

    Error: 3.0 and 3.4, but near its zero.
    """
    a = absolute(x)
    a = where(a > NORMAL_HIGHEST, NORMAL_HIGHEST, a)
    half = HALF * a
    square = half * a
    t, r = exp_parts(-square, -fused(half, a, -square))
    q = ONE / (a + NORMAL_MIDDLE)
    y = scale(exp_polynomial(r) * multiply_add(q, scaled_tail((a - NORMAL_MIDDLE) * q), -DENSITY_AT_0 * a), t)
    y = multiply_add(ZERO, x, y)
    return where(x > ZERO, ONE - y, y)


def normal_pdf(x: Any) -> Any:
    """Standard normal density φ(x) = e^(−x² / 2) / √(2π). Error: 1.9 and 1.9."""
    a = absolute(x)
    a = where(a > NORMAL_HIGHEST, NORMAL_HIGHEST, a)
    half = HALF * a
    square = half * a
    t, r = exp_parts(-square, -fused(half, a, -square))
    return scale(DENSITY_AT_0 * exp_polynomial(r), t)


def quotient_reach(a: Any, b: Any) -> Any:
    """A number for which `is_near` says whether `near_fmod` is right; 0 where the rest of a / b is NaN, as it is in both forms."""
    size = absolute(a)
    return where((size < INFINITY) & (b != ZERO), absolute(size / b) * QUOTIENT_REACH, ZERO)


def gelu_exp_parts(a: Any) -> Any:
    """`exp_parts` of −2u, 2u = 2√(2/π) (a + 0.044715 a³)."""
    z = a * a
    p = GELU_CUBE * z
    p_low = fused(GELU_CUBE, z, -p) + (GELU_CUBE * fused(a, a, -z) + GELU_CUBE_LOW * z)
    s, s_low = exact_sum(GELU_SLOPE, p)
    u = a * s
    return exp_parts(-u, -fused(a, s, -u) - a * (s_low + (p_low + GELU_SLOPE_LOW)))


def scaled_gelu_exp(x: Any, factor: Any) -> Any:
    """factor · e^−|2u|, u = √(2/π) (x + 0.044715 x³), the power of two last, as in `scaled_exp`. Error: 0.9 and 0.9."""
    a = absolute(x)
    beyond = a > GELU_HIGHEST
    t, r = gelu_exp_parts(where(beyond, GELU_HIGHEST, a))
    growth = multiply_add(r * r, exp_remainder(r), r)
    return where(beyond, ZERO * factor, scale(multiply_add(factor, growth, factor), t))


def gelu_tanh_slope(x: Any) -> Any:
    """d/dx x σ(2u): e (1 + e − a 2u′) / (1 + e)², e = e^−|2u|, for x = −a ≤ 0, and 1 minus that for x = a. NaN at ±∞.

    Error: 3.0 and 3.4, but near its zero.
    """
    a = absolute(x)
    a = where(a > GELU_HIGHEST, GELU_HIGHEST, a)
    t, r = gelu_exp_parts(a)
    growth = multiply_add(r * r, exp_remainder(r), r)
    e = scale(ONE + growth, t)
    factor = multiply_add(-a, multiply_add(THREE * GELU_CUBE, a * a, GELU_SLOPE), ONE + e) / multiply_add(e, e + TWO, ONE)
    y = multiply_add(ZERO, x, scale(multiply_add(factor, growth, factor), t))
    return where(x > ZERO, ONE - y, y)


def _constants(dtype_name: str) -> dict[str, Any]:
    """The names in capitals and the polynomials, for one dtype."""
    single = dtype_name == "float32"
    scalar: Any = np.float32 if single else np.float64
    fraction, bias = (23, 127) if single else (52, 1023)
    values = {
        "ZERO": 0.0,
        "HALF": 0.5,
        "ONE": 1.0,
        "TWO": 2.0,
        "THREE": 3.0,
        "INFINITY": math.inf,
        "NOT_A_NUMBER": math.nan,
        "ROUNDER": 1.5 * 2.0**fraction + 2 * bias,
        "LOG2_E": math.log2(math.e),
        "LN2_HIGH": 0.693359375 if single else 6.93147180369123816490e-01,
        "LN2_LOW": -2.12194440054690583e-4 if single else 1.90821492927058770002e-10,
        "EXP_LOWEST": -110.0 if single else -760.0,  # so far that a factor of |x| does not lift it out of 0 again
        "EXP_HIGHEST": 89.0 if single else 710.0,
        "EXP2_LOWEST": -160.0 if single else -1100.0,
        "EXP2_HIGHEST": 129.0 if single else 1025.0,
        "SINH_HIGHEST": 90.0 if single else 711.0,
        "LN2": math.log(2),
        "LOG10_E": math.log10(math.e),
        "LOG10_2_HIGH": 0.30078125 if single else 3.01029995663611771306e-01,
        "LOG10_2_LOW": 2.48745663981195213739e-04 if single else 3.69423907715893078616e-13,
        "QUARTER": 0.25,
        "QUOTIENT_REACH": vector_trig.constants(single)["NEAR_HIGHEST"] / 2.0**52,
        "EXPM1_LOWEST": -18.0 if single else -38.0,
        "TANH_HIGHEST": 10.0 if single else 20.0,
        "ERF_HIGHEST": 4.0 if single else 6.0,
        "SIGMOID_HIGHEST": math.log(2) * (24 if single else 53),
        "ERFC_HIGHEST": 10.1 if single else 27.5,
        "NORMAL_HIGHEST": 14.8 if single else 38.9,
        "TANH_SPLIT": 0.55,
        "ERF_SPLIT": 0.9,
        "ERFC_MIDDLE": 1.0 if single else 1.5,
        "NORMAL_MIDDLE": 1.5 if single else 2.0,
        "DENSITY_AT_0": 1 / math.sqrt(2 * math.pi),
        "GELU_SLOPE": 1.5957691216057308,
        "GELU_SLOPE_LOW": -4.534068e-08 if single else -9.96930880911092e-17,
        "GELU_CUBE": 0.07135481627260025,
        "GELU_CUBE_LOW": 2.3988325e-09 if single else -6.175149918155315e-19,
        "GELU_HIGHEST": 11.0 if single else 22.0,
        "SMALLEST_NORMAL": float(np.finfo(scalar).tiny),
        "NORMALIZER": 2.0**fraction,
        "NORMALIZER_EXPONENT": fraction,
    }
    names: dict[str, Any] = {name: scalar(value) for name, value in (values | vector_trig.constants(single)).items()}
    for (name, dtype), fitted in coefficients.COEFFICIENTS.items():
        if dtype == dtype_name:
            names[name] = polynomial(fitted, name)
            if name == "exp_remainder":
                names["exp_polynomial"] = polynomial((*fitted, 1.0, 1.0), "exp_polynomial")
    return names


@cache
def functions(dtype_name: str) -> dict[str, Any]:
    """All `NAMES` for "float32" or "float64", to be called in compiled code with scalars of that dtype."""
    if dtype_name not in ("float32", "float64"):
        raise ValueError(f"vector_math: dtype is {dtype_name!r}, expected 'float32' or 'float64'")
    names = {**vars(vector_trig), **globals(), **_constants(dtype_name)}
    # Without the wrappers, which only calls from Python need, a kernel compiles a third faster.
    compiled = njit(inline="always", error_model="numpy")
    for name in (*vector_trig.HELPERS, "exp_parts", "gelu_exp_parts", *MATH):
        names[name] = compiled(FunctionType(names[name].__code__, names, name))
    for name, whole in NEAR.items():
        near = {**names, "quadrant": names["near_quadrant"]}
        names[name] = compiled(FunctionType(getattr(vector_trig, whole).__code__, near, name))
    return {**{name: names[name] for name in (*MATH, *NEAR)}, **{name: getattr(vector_instructions, name) for name in INSTRUCTIONS}}


@cache
def digest() -> str:
    """A hash of all that decides the machine code of these functions, for the names of cached kernels."""
    return file_digest(__file__, vector_instructions.__file__, vector_trig.__file__, coefficients.__file__)
