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
from collections.abc import Callable
from functools import cache, reduce
from hashlib import sha256
from inspect import signature
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from minigrad.kernels import coefficients

MATH = ("exp", "scaled_exp", "expm1", "log", "log1p", "tanh", "erf", "erfc", "normal_cdf", "scaled_normal_cdf", "normal_pdf")
INSTRUCTIONS = ("sqrt", "absolute", "floor", "maximum", "minimum", "where", "add_sum")
NAMES: tuple[str, ...] = MATH + INSTRUCTIONS
LONG_POLYNOMIAL = 8  # from so many terms on, the latency of one Horner chain is what takes the time

# Constants of a dtype: `_constants` has the values.
_bound_later: Any = None
ZERO = HALF = ONE = TWO = INFINITY = NOT_A_NUMBER = _bound_later
ROUNDER = _bound_later  # adding it rounds to an integer, which then stands in the lowest bits of the sum
LOG2_E = LN2_HIGH = LN2_LOW = _bound_later  # LN2_HIGH times a binary exponent is exact
EXP_LOWEST = EXPM1_LOWEST = _bound_later  # below, exp rounds to 0, expm1 to −1
EXP_HIGHEST = _bound_later  # above, exp overflows
TANH_HIGHEST = ERF_HIGHEST = _bound_later  # above, the result rounds to 1
ERFC_HIGHEST = NORMAL_HIGHEST = _bound_later  # above, erfc rounds to 0; so do the normal density and tail
TANH_SPLIT = ERF_SPLIT = _bound_later  # below, an odd polynomial
ERFC_MIDDLE = NORMAL_MIDDLE = _bound_later  # the argument at which the variable of `scaled_erfc`, `scaled_tail` is 0
DENSITY_AT_0 = _bound_later  # 1 / √(2π)
SMALLEST_NORMAL = _bound_later
NORMALIZER = NORMALIZER_EXPONENT = _bound_later  # a power of two that makes every subnormal number normal

# Polynomials of a dtype: `coefficients` says what each approximates.
exp_remainder = exp_polynomial = log_remainder = tanh_remainder = erf_remainder = _bound_later
log_erfc = scaled_erfc = scaled_tail = _bound_later


# Instructions for which Numba has no word.


class _Layout:
    """Where the exponent stands in the bits of an LLVM float type."""

    def __init__(self, kind: Any) -> None:
        single = isinstance(kind, ir.FloatType)
        scalar: Any = np.float32 if single else np.float64
        self.kind = kind
        self.integer: Any = ir.IntType(32 if single else 64)
        self.fraction = 23 if single else 52
        self.bias = 127 if single else 1023
        self.one = self.bias << self.fraction
        self.root_half = int(scalar(math.sqrt(0.5)).view(np.int32 if single else np.int64))
        self.low_half = (1 << (12 if single else 27)) - 1

    def bits(self, builder: Any, x: Any) -> Any:
        return builder.bitcast(x, self.integer)

    def biased_exponent(self, builder: Any, x: Any) -> Any:
        """n + bias, in bits, for a positive normal x = m · 2ⁿ with √½ ≤ m < √2."""
        return builder.lshr(
            builder.add(self.bits(builder, x), self.integer(self.one - self.root_half)), self.integer(self.fraction)
        )


def _same_floats(*arguments: Any) -> bool:
    return arguments[0] in (types.float32, types.float64) and all(argument == arguments[0] for argument in arguments)


def _use_full_width(function: Any) -> None:
    """Let the loops of this LLVM function use AVX-512 in full: left alone, LLVM takes half of it on most processors."""
    # llvmlite refuses attributes it does not know, but prints whatever stands in its set.
    if isinstance(function.attributes, set):
        set.add(function.attributes, '"prefer-vector-width"="512"')


def _instruction(emit: Callable[..., Any]) -> Any:
    """Make `emit(builder, layout, *values)` callable in compiled code, on floats of one type."""

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        _use_full_width(builder.function)
        return emit(builder, _Layout(values[0].type), *values)

    def typed(*arguments: Any) -> Any:
        return (arguments[0](*arguments), code) if _same_floats(*arguments) else None

    by_count: dict[int, Any] = {
        1: lambda typing, x: typed(x),
        2: lambda typing, x, y: typed(x, y),
        3: lambda typing, x, y, z: typed(x, y, z),
    }
    function = by_count[len(signature(emit).parameters) - 2]
    function.__name__ = function.__qualname__ = emit.__name__
    function.__doc__ = emit.__doc__
    return intrinsic(function)


def _llvm(builder: Any, name: str, *values: Any) -> Any:
    """Call LLVM's own `llvm.<name>` on floats of one type."""
    kind = values[0].type
    return builder.call(
        builder.module.declare_intrinsic(f"llvm.{name}", [kind], ir.FunctionType(kind, [kind] * len(values))), values
    )


def _polynomial(values: tuple[float, ...], name: str) -> Any:
    """An instruction that evaluates a polynomial, highest power first, by Horner's rule."""

    def emit(builder: Any, layout: _Layout, x: Any) -> Any:
        def horner(terms: list[Any], variable: Any) -> Any:
            return reduce(lambda total, term: _llvm(builder, "fmuladd", total, variable, term), terms)

        terms = [layout.kind(value) for value in values]
        if len(terms) < LONG_POLYNOMIAL:
            return horner(terms, x)
        # Two chains of half the length for the small terms; the last two terms, which decide the error, one by one.
        square = builder.fmul(x, x)
        even, odd = horner(terms[-3::-2][::-1], square), horner(terms[-4::-2][::-1], square)
        return horner([odd, even, *terms[-2:]], x)

    emit.__name__ = name
    return _instruction(emit)


@_instruction
def multiply_add(builder: Any, layout: _Layout, a: Any, b: Any, c: Any) -> Any:
    """a · b + c, with one rounding where the processor has such an instruction."""
    return _llvm(builder, "fmuladd", a, b, c)


@_instruction
def copy_sign(builder: Any, layout: _Layout, x: Any, sign: Any) -> Any:
    """|x| with the sign of `sign`."""
    return _llvm(builder, "copysign", x, sign)


@_instruction
def scale(builder: Any, layout: _Layout, x: Any, t: Any) -> Any:
    """x · 2ⁿ, where t = n + ROUNDER: in two factors, so that subnormal results round once."""
    bits = layout.bits(builder, t)
    # ROUNDER carries twice the bias: half of the low bits is the first factor's exponent field, the rest the second's.
    first = builder.shl(builder.ashr(bits, layout.integer(1)), layout.integer(layout.fraction))
    second = builder.sub(builder.shl(bits, layout.integer(layout.fraction)), first)
    return builder.fmul(builder.fmul(x, builder.bitcast(first, layout.kind)), builder.bitcast(second, layout.kind))


@_instruction
def half_power(builder: Any, layout: _Layout, t: Any) -> Any:
    """2ⁿ⁻¹, where t = n + ROUNDER: the half keeps the highest n finite."""
    field = builder.shl(layout.bits(builder, t), layout.integer(layout.fraction))
    return builder.bitcast(builder.sub(field, layout.integer((layout.bias + 1) << layout.fraction)), layout.kind)


@_instruction
def exponent(builder: Any, layout: _Layout, x: Any) -> Any:
    """n of a positive normal x = m · 2ⁿ, √½ ≤ m < √2; by bits, as AVX2 cannot convert 64-bit integers to floats."""
    rounder = 1.5 * 2.0**layout.fraction
    rounder_bits = (layout.bias + layout.fraction << layout.fraction) + (1 << layout.fraction - 1)
    shifted = builder.add(layout.biased_exponent(builder, x), layout.integer(rounder_bits - layout.bias))
    return builder.fsub(builder.bitcast(shifted, layout.kind), layout.kind(rounder))


@_instruction
def significand(builder: Any, layout: _Layout, x: Any) -> Any:
    """m of a positive normal x = m · 2ⁿ, √½ ≤ m < √2."""
    field = builder.shl(layout.biased_exponent(builder, x), layout.integer(layout.fraction))
    return builder.bitcast(builder.sub(layout.bits(builder, x), builder.sub(field, layout.integer(layout.one))), layout.kind)


@_instruction
def inverse_power(builder: Any, layout: _Layout, x: Any) -> Any:
    """2⁻ⁿ of a positive normal x = m · 2ⁿ, √½ ≤ m < √2; 0 where that is no normal number."""
    field = builder.shl(layout.biased_exponent(builder, x), layout.integer(layout.fraction))
    power = builder.sub(layout.integer(2 * layout.one), field)
    positive = builder.icmp_signed(">", power, layout.integer(0))
    return builder.bitcast(builder.select(positive, power, layout.integer(0)), layout.kind)


@_instruction
def high_half(builder: Any, layout: _Layout, x: Any) -> Any:
    """x without the low half of its bits, so that the square is exact."""
    return builder.bitcast(builder.and_(layout.bits(builder, x), layout.integer(~layout.low_half)), layout.kind)


@_instruction
def sqrt(builder: Any, layout: _Layout, x: Any) -> Any:
    """√x, correctly rounded."""
    return _llvm(builder, "sqrt", x)


@_instruction
def absolute(builder: Any, layout: _Layout, x: Any) -> Any:
    """|x|."""
    return _llvm(builder, "fabs", x)


@_instruction
def floor(builder: Any, layout: _Layout, x: Any) -> Any:
    """The largest integer ≤ x, as a float."""
    return _llvm(builder, "floor", x)


@_instruction
def maximum(builder: Any, layout: _Layout, a: Any, b: Any) -> Any:
    """The larger; NaN if either is; +0 above −0. A running maximum vectorises."""
    return _llvm(builder, "maximum", a, b)


@_instruction
def minimum(builder: Any, layout: _Layout, a: Any, b: Any) -> Any:
    """The smaller; NaN if either is; −0 below +0. A running minimum vectorises."""
    return _llvm(builder, "minimum", a, b)


@_instruction
def add_sum(builder: Any, layout: _Layout, total: Any, x: Any) -> Any:
    """total + x, for running sums only: these additions may be reordered, so that the loop vectorises."""
    return builder.fadd(total, x, flags=["reassoc"])


def _where(typing: Any, condition: Any, a: Any, b: Any) -> Any:
    """`a` if `condition` else `b`, both evaluated: a select, which LLVM leaves one."""
    if condition != types.boolean or not _same_floats(a, b):
        return None
    return a(condition, a, b), lambda context, builder, signature, values: builder.select(*values)


where: Any = intrinsic(_where)


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


def erfc(x: Any) -> Any:
    """1 − erf x = e^(−a²) · G((a − M) / (a + M)) / (a + M) for x = a ≥ 0, and 2 minus that for x = −a.

    a² comes in two parts, the first exact, as its rounding error would be multiplied by a². Error: 3.4 and 3.4.
    """
    a = absolute(x)
    a = where(a > ERFC_HIGHEST, ERFC_HIGHEST, a)
    high = high_half(a)
    square = high * high
    square_low = (a - high) * (a + high)
    t = multiply_add(-(square + square_low), LOG2_E, ROUNDER)
    n = t - ROUNDER
    r = multiply_add(-n, LN2_HIGH, -square) + multiply_add(-n, LN2_LOW, -square_low)
    q = ONE / (a + ERFC_MIDDLE)
    y = scale(exp_polynomial(r) * (q * scaled_erfc((a - ERFC_MIDDLE) * q)), t)
    return where(x < ZERO, TWO - y, y)


def normal_cdf(x: Any) -> Any:
    """Standard normal distribution function Φ(x), as `erfc`: its lower tail is as accurate. Error: 3.6 and 3.7."""
    a = absolute(x)
    a = where(a > NORMAL_HIGHEST, NORMAL_HIGHEST, a)
    high = high_half(a)
    square = HALF * high * high
    square_low = HALF * (a - high) * (a + high)
    t = multiply_add(-(square + square_low), LOG2_E, ROUNDER)
    n = t - ROUNDER
    r = multiply_add(-n, LN2_HIGH, -square) + multiply_add(-n, LN2_LOW, -square_low)
    q = ONE / (a + NORMAL_MIDDLE)
    y = scale(exp_polynomial(r) * (q * scaled_tail((a - NORMAL_MIDDLE) * q)), t)
    return where(x > ZERO, ONE - y, y)


def scaled_normal_cdf(x: Any, factor: Any) -> Any:
    """factor · Φ(x), the power of two last: right also where Φ(x) alone would be subnormal. Error: 3.6 and 3.6."""
    a = absolute(x)
    a = where(a > NORMAL_HIGHEST, NORMAL_HIGHEST, a)
    high = high_half(a)
    square = HALF * high * high
    square_low = HALF * (a - high) * (a + high)
    t = multiply_add(-(square + square_low), LOG2_E, ROUNDER)
    n = t - ROUNDER
    r = multiply_add(-n, LN2_HIGH, -square) + multiply_add(-n, LN2_LOW, -square_low)
    q = ONE / (a + NORMAL_MIDDLE)
    tail = exp_polynomial(r) * (q * scaled_tail((a - NORMAL_MIDDLE) * q))
    lower = where(x < -NORMAL_HIGHEST, ZERO * factor, scale(factor * tail, t))
    return where(x > ZERO, factor * (ONE - scale(tail, t)), lower)


def normal_pdf(x: Any) -> Any:
    """Standard normal density φ(x) = e^(−x² / 2) / √(2π), with x² in two parts as in `erfc`. Error: 2.0 and 2.0."""
    a = absolute(x)
    a = where(a > NORMAL_HIGHEST, NORMAL_HIGHEST, a)
    high = high_half(a)
    square = HALF * high * high
    square_low = HALF * (a - high) * (a + high)
    t = multiply_add(-(square + square_low), LOG2_E, ROUNDER)
    n = t - ROUNDER
    r = multiply_add(-n, LN2_HIGH, -square) + multiply_add(-n, LN2_LOW, -square_low)
    return scale(DENSITY_AT_0 * exp_polynomial(r), t)


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
        "INFINITY": math.inf,
        "NOT_A_NUMBER": math.nan,
        "ROUNDER": 1.5 * 2.0**fraction + 2 * bias,
        "LOG2_E": math.log2(math.e),
        "LN2_HIGH": 0.693359375 if single else 6.93147180369123816490e-01,
        "LN2_LOW": -2.12194440054690583e-4 if single else 1.90821492927058770002e-10,
        "EXP_LOWEST": -110.0 if single else -760.0,  # so far that a factor of |x| does not lift it out of 0 again
        "EXP_HIGHEST": 89.0 if single else 710.0,
        "EXPM1_LOWEST": -18.0 if single else -38.0,
        "TANH_HIGHEST": 10.0 if single else 20.0,
        "ERF_HIGHEST": 4.0 if single else 6.0,
        "ERFC_HIGHEST": 10.1 if single else 27.5,
        "NORMAL_HIGHEST": 14.8 if single else 38.9,
        "TANH_SPLIT": 0.55,
        "ERF_SPLIT": 0.9,
        "ERFC_MIDDLE": 1.0 if single else 1.5,
        "NORMAL_MIDDLE": 1.5 if single else 2.0,
        "DENSITY_AT_0": 1 / math.sqrt(2 * math.pi),
        "SMALLEST_NORMAL": float(np.finfo(scalar).tiny),
        "NORMALIZER": 2.0**fraction,
        "NORMALIZER_EXPONENT": fraction,
    }
    names: dict[str, Any] = {name: scalar(value) for name, value in values.items()}
    for (name, dtype), fitted in coefficients.COEFFICIENTS.items():
        if dtype == dtype_name:
            names[name] = _polynomial(fitted, name)
            if name == "exp_remainder":
                names["exp_polynomial"] = _polynomial((*fitted, 1.0, 1.0), "exp_polynomial")
    return names


@cache
def functions(dtype_name: str) -> dict[str, Any]:
    """All `NAMES` for "float32" or "float64", to be called in compiled code with scalars of that dtype."""
    if dtype_name not in ("float32", "float64"):
        raise ValueError(f"vector_math: dtype is {dtype_name!r}, expected 'float32' or 'float64'")
    names = {**globals(), **_constants(dtype_name)}
    # Without the wrappers, which only calls from Python need, a kernel compiles a third faster.
    compiled = njit(inline="always", error_model="numpy")
    bound = {name: compiled(FunctionType(globals()[name].__code__, names, name)) for name in MATH}
    return {**bound, **{name: globals()[name] for name in INSTRUCTIONS}}


@cache
def digest() -> str:
    """A hash of all that decides the machine code of these functions, for the names of cached kernels."""
    return sha256(Path(__file__).read_bytes() + Path(coefficients.__file__).read_bytes()).hexdigest()
