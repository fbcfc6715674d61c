"""The instructions that `vector_math` is written in, for which Numba has no word: bits of floats, fused products, true selects.

Each is a few lines of LLVM's own language, which vectorise, on floats of one type.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache, reduce
from inspect import signature
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from minigrad.kernels.coefficients import TWO_OVER_PI

LONG_POLYNOMIAL = 8  # from so many terms on, the latency of one Horner chain is what takes the time


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


def polynomial(values: tuple[float, ...], name: str) -> Any:
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


@_instruction
def fused(builder: Any, layout: _Layout, a: Any, b: Any, c: Any) -> Any:
    """a · b + c with one rounding on every processor: what an exact product needs."""
    return _llvm(builder, "fma", a, b, c)


@_instruction
def ceil(builder: Any, layout: _Layout, x: Any) -> Any:
    """The smallest integer ≥ x, as a float."""
    return _llvm(builder, "ceil", x)


@_instruction
def trunc(builder: Any, layout: _Layout, x: Any) -> Any:
    """x without its fraction."""
    return _llvm(builder, "trunc", x)


@_instruction
def rint(builder: Any, layout: _Layout, x: Any) -> Any:
    """The integer next to x, halves to the even one, as a float."""
    return _llvm(builder, "rint", x)


@_instruction
def fmod(builder: Any, layout: _Layout, a: Any, b: Any) -> Any:
    """The rest of a / b, with the sign of a; exact."""
    return builder.frem(a, b)


@_instruction
def near_fmod(builder: Any, layout: _Layout, a: Any, b: Any) -> Any:
    """`fmod` where |a / b| < 2⁵²: a − q b for q = trunc(a / b), in float64.

    The quotient may have been rounded up to the next integer: then q is one too large, and the rest, as exact, has the wrong sign.
    """
    double = ir.DoubleType()
    x, y = (value if value.type == double else builder.fpext(value, double) for value in (a, b))
    quotient = _llvm(builder, "trunc", builder.fdiv(x, y))
    rest = _llvm(builder, "fma", builder.fneg(quotient), y, x)
    too_far = builder.fcmp_ordered("<", builder.fmul(_llvm(builder, "copysign", double(1), x), rest), double(0))
    rest = builder.select(too_far, builder.fadd(rest, _llvm(builder, "copysign", y, x)), rest)
    rest = _llvm(builder, "copysign", rest, x)
    rest = builder.select(builder.fcmp_ordered("==", quotient, double(0)), x, rest)  # also for an infinite b
    return rest if a.type == double else builder.fptrunc(rest, a.type)


@_instruction
def fraction(builder: Any, layout: _Layout, x: Any) -> Any:
    """m of a positive normal x = m · 2ⁿ, 1 ≤ m < 2."""
    field = builder.and_(layout.bits(builder, x), layout.integer((1 << layout.fraction) - 1))
    return builder.bitcast(builder.or_(field, layout.integer(layout.one)), layout.kind)


def _bit(place: int, name: str) -> Any:
    """An instruction: whether n has the bit of that place set, where t = n + 1.5 · 2ᶠ, f the bits of the fraction."""

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        layout = _Layout(values[0].type)
        bit = builder.and_(layout.bits(builder, values[0]), layout.integer(1 << place))
        return builder.icmp_unsigned("!=", bit, layout.integer(0))

    def typed(typing: Any, t: Any) -> Any:
        return (types.boolean(t), code) if _same_floats(t) else None

    typed.__name__ = typed.__qualname__ = name
    return intrinsic(typed)


is_odd, has_two = _bit(0, "is_odd"), _bit(1, "has_two")


def _two_over_pi(word: int) -> Any:
    """An instruction: one of the four words whose sum is 2ⁿ · 2/π modulo 2ᶠ⁺², for x = m · 2ⁿ ≥ ½.

    f are the bits of m behind the point: multiples of 2ᶠ⁺² times m are multiples of 4.
    """

    def emit(builder: Any, layout: _Layout, x: Any) -> Any:
        name = f"two_over_pi_{word}_{layout.kind}"
        table = builder.module.globals.get(name)
        if table is None:
            rows = [layout.kind(row[word]) for row in _two_over_pi_rows(layout.fraction)]
            table = ir.GlobalVariable(builder.module, ir.ArrayType(layout.kind, len(rows)), name)
            table.initializer = ir.Constant(table.type.pointee, rows)
            table.global_constant, table.linkage, table.unnamed_addr = True, "internal", True
        first, last = layout.integer(layout.bias - 1), layout.integer(layout.bias + 1)
        place = builder.sub(builder.lshr(layout.bits(builder, x), layout.integer(layout.fraction)), first)
        place = builder.select(builder.icmp_signed("<", place, layout.integer(0)), layout.integer(0), place)
        place = builder.select(builder.icmp_signed(">", place, last), last, place)
        wide = builder.sext(place, ir.IntType(64)) if layout.integer.width < 64 else place
        return builder.load(builder.gep(table, [ir.IntType(64)(0), wide], inbounds=True))

    emit.__name__ = f"two_over_pi_{word}"
    return _instruction(emit)


@cache
def _two_over_pi_rows(fraction: int) -> list[list[float]]:
    """For n = −1, 0, … up to the largest exponent: 2ⁿ · 2/π modulo 2ᶠ⁺² as a sum of four floats."""
    scalar: Any = np.float32 if fraction == 23 else np.float64
    bits = 4 * len(f"{TWO_OVER_PI:x}")  # TWO_OVER_PI holds so many bits behind the point
    rows = []
    for n in range(-1, 128 if fraction == 23 else 1024):
        shifted = (TWO_OVER_PI << n + 1) % (1 << bits + fraction + 3)  # twice as much, so that no bit is lost for n = −1
        words = []
        for _ in range(4):
            words.append(float(scalar(shifted / (1 << bits + 1))))
            numerator, denominator = words[-1].as_integer_ratio()
            shifted -= (numerator << bits + 1) // denominator
        rows.append(words)
    return rows


two_over_pi_0, two_over_pi_1, two_over_pi_2, two_over_pi_3 = (_two_over_pi(word) for word in range(4))
