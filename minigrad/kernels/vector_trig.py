"""Circular functions and their inverses for `vector_math`, right over the whole range of arguments, huge ones included.

The argument of sin, cos and tan is reduced modulo π/2: near 0 by subtracting multiples of π/2 in three parts (Cody & Waite 1980), far
away by exact products with those bits of 2/π that leave a remainder modulo 4 (Payne & Hanek 1983). No branch decides between the two,
so that loops vectorise; as the second is much the slower, there are `near_sin`, `near_cos` and `near_tan` without it, which give the
same values, bit for bit, where `is_near` holds for |x|.

As in `vector_math`, names in capitals are constants of the dtype; the errors named are the largest seen, float32 and float64, in ulp.
"""

from __future__ import annotations

import math
from typing import Any

from minigrad.kernels.vector_instructions import (
    absolute,
    copy_sign,
    fraction,
    fused,
    has_two,
    is_odd,
    multiply_add,
    rint,
    sqrt,
    two_over_pi_0,
    two_over_pi_1,
    two_over_pi_2,
    two_over_pi_3,
    where,
)

REDUCED = ("sin", "cos", "tan")
NAMES = (*REDUCED, "asin", "acos", "atan", "atan2", "is_near")
# Helpers of these functions, inlined into them.
HELPERS = ("exact_sum", "near_quadrant", "far_quadrant", "quadrant", "sin_near", "cos_near", "arc", "arc_sine")

_bound_later: Any = None
ZERO = QUARTER = HALF = ONE = TWO = FOUR = INFINITY = _bound_later
COUNTER = _bound_later  # adding it rounds to an integer, which then stands in the lowest bits of the sum
EIGHTH = EIGHTH_LOW = QUARTER_TURN = QUARTER_TURN_LOW = HALF_TURN = HALF_TURN_LOW = _bound_later  # π/4, π/2, π in two parts
TWO_OVER_PI = QUARTER_TURN_LOWEST = NEAR_HIGHEST = _bound_later
ARC_HIGHEST = ARC_SHRINKS = _bound_later
sin_remainder = cos_remainder = atan_remainder = asin_remainder = _bound_later


def constants(single: bool) -> dict[str, float]:
    """The names in capitals that this module adds, for float32 or float64."""
    parts = {"EIGHTH": 0.25, "QUARTER_TURN": 0.5, "HALF_TURN": 1.0}
    high = 3.1415927410125732 if single else math.pi
    low = -8.742277657347586e-08 if single else 1.2246467991473532e-16
    return {
        **{name: part * high for name, part in parts.items()},
        **{f"{name}_LOW": part * low for name, part in parts.items()},
        "FOUR": 4.0,
        "COUNTER": 1.5 * 2.0 ** (23 if single else 52),
        "TWO_OVER_PI": 2 / math.pi,
        "QUARTER_TURN_LOWEST": -1.7151245100058819e-15 if single else -1.4973849048591698e-33,
        "NEAR_HIGHEST": 2.0 ** (13 if single else 30),
        "ARC_HIGHEST": 2.0 ** (30 if single else 60),  # beyond, atan rounds to π/2
        "ARC_SHRINKS": 2.0 ** (120 if single else 1000),  # above, atan2 divides both arguments by 4: their sum must be finite
    }


def exact_sum(a: Any, b: Any) -> Any:
    """a + b, rounded, and what the rounding lost (Knuth, The Art of Computer Programming 2, 4.2.2, theorem B)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def is_near(a: Any) -> Any:
    """Whether |x| = a is small enough for `near_quadrant`."""
    return a <= NEAR_HIGHEST


def near_quadrant(a: Any) -> Any:
    """`quadrant` for a ≤ NEAR_HIGHEST. The first part of π/2 is subtracted exactly: both are multiples of the same small power of two."""
    t = multiply_add(a, TWO_OVER_PI, COUNTER)
    n = t - COUNTER
    p = n * QUARTER_TURN_LOW
    angle, low = exact_sum(fused(-n, QUARTER_TURN, a), -p)
    return t, angle, low - multiply_add(n, QUARTER_TURN_LOWEST, fused(n, QUARTER_TURN_LOW, -p))


def quadrant(a: Any) -> Any:
    """a = n π/2 + θ + θ_low with |θ| ≤ π/4 for a ≥ 0: the number n + COUNTER, of which the last two bits count, θ and θ_low."""
    near, near_angle, near_low = near_quadrant(a)
    far, far_angle, far_low = far_quadrant(a)
    chosen = is_near(a)
    return where(chosen, near, far), where(chosen, near_angle, far_angle), where(chosen, near_low, far_low)


def far_quadrant(a: Any) -> Any:
    """`quadrant` for a > ½. For a = m · 2ᵏ, four words sum up to 2ᵏ · 2/π without the bits that give multiples of 4 with every m."""
    m = fraction(a)
    w0, w1, w2 = two_over_pi_0(a), two_over_pi_1(a), two_over_pi_2(a)
    p, q, r = m * w0, m * w1, m * w2
    p_low, q_low, r_low = fused(m, w0, -p), fused(m, w1, -q), fused(m, w2, -r)
    # All but the last additions are exact: near a multiple of π/2 the first terms cancel.
    b, b_low = exact_sum(p_low, q)
    c, c_low = exact_sum(p - FOUR * rint(p * QUARTER), b)
    t = c + COUNTER
    d, d_low = exact_sum(b_low, c_low)
    e, e_low = exact_sum(q_low, r)
    f, f_low = exact_sum(d, e)
    h, h_low = exact_sum(c - (t - COUNTER), f)
    h_low = h_low + (f_low + (d_low + e_low + multiply_add(m, two_over_pi_3(a), r_low)))
    angle = h * QUARTER_TURN
    angle_low = fused(h, QUARTER_TURN, -angle) + multiply_add(h, QUARTER_TURN_LOW, h_low * QUARTER_TURN)
    return t, angle, angle_low


def sin_near(angle: Any, low: Any) -> Any:
    """sin(θ + θ_low) for |θ| ≤ π/4, as a sum of two, the first much the larger."""
    z = angle * angle
    return angle, multiply_add(angle * z, sin_remainder(z), low * multiply_add(-HALF, z, ONE))


def cos_near(angle: Any, low: Any) -> Any:
    """cos(θ + θ_low) for |θ| ≤ π/4, as a sum of two: 1 − θ²/2, and what that loses + θ⁴ C(θ²) − θ θ_low."""
    z = angle * angle
    half = HALF * z
    w = ONE - half
    return w, ((ONE - w) - half) + multiply_add(z * z, cos_remainder(z), -angle * low)


def sin(x: Any) -> Any:
    """sin x. Error: 0.8 and 0.8."""
    a = absolute(x)
    t, angle, low = quadrant(a)
    sine, sine_low = sin_near(angle, low)
    cosine, cosine_low = cos_near(angle, low)
    y = where(is_odd(t), cosine, sine) + where(is_odd(t), cosine_low, sine_low)
    y = where(has_two(t) != (x < ZERO), -y, y)
    return where(a < INFINITY, where(x == ZERO, x, y), a - a)


def cos(x: Any) -> Any:
    """cos x. Error: 0.7 and 0.7."""
    a = absolute(x)
    t, angle, low = quadrant(a)
    sine, sine_low = sin_near(angle, low)
    cosine, cosine_low = cos_near(angle, low)
    y = where(is_odd(t), sine, cosine) + where(is_odd(t), sine_low, cosine_low)
    return where(a < INFINITY, where(is_odd(t) != has_two(t), -y, y), a - a)


def tan(x: Any) -> Any:
    """tan x: sin θ / cos θ in even quadrants, −cos θ / sin θ in odd ones, the quotient corrected. Error: 0.8 and 0.8."""
    a = absolute(x)
    t, angle, low = quadrant(a)
    sine, sine_low = sin_near(angle, low)
    cosine, cosine_low = cos_near(angle, low)
    n, n_low = where(is_odd(t), cosine, sine), where(is_odd(t), cosine_low, sine_low)
    d, d_low = where(is_odd(t), sine, cosine), where(is_odd(t), sine_low, cosine_low)
    n, n_low = n + n_low, (n - (n + n_low)) + n_low
    d, d_low = d + d_low, (d - (d + d_low)) + d_low
    inverse = ONE / d
    y = n * inverse
    y = y + (fused(-y, d, n) + (n_low - y * d_low)) * inverse
    y = where(is_odd(t) != (x < ZERO), -y, y)
    return where(a < INFINITY, where(x == ZERO, x, y), a - a)


def arc(n: Any, d: Any, base: Any, base_low: Any, sign: Any) -> Any:
    """base + sign · atan(n / d) for 0 ≤ n ≤ d, d > 0, with the rounding error of the quotient made good.

    Above ½ it is π/4 + atan((n − d) / (n + d)).
    """
    far = n > HALF * d
    u = where(far, n - d, n)
    v = where(far, n + d, d)
    v_low = where(far, n - (v - d), ZERO)
    quotient = u / v
    quotient_low = (fused(-quotient, v, u) - quotient * v_low) / v
    z = quotient * quotient
    tail = multiply_add(quotient * z, atan_remainder(z), quotient_low * (ONE - z)) + where(far, EIGHTH_LOW, ZERO)
    first = where(far, EIGHTH, ZERO)
    high = first + quotient
    low = (first - high) + quotient + tail
    y = base + sign * high
    return y + ((base - y) + sign * high + (sign * low + base_low))


def atan(x: Any) -> Any:
    """atan x, by 1 / x where |x| > 1. Error: 0.6 and 0.6."""
    a = absolute(x)
    a = where(a > ARC_HIGHEST, ARC_HIGHEST, a)
    steep = a > ONE
    base, base_low = where(steep, QUARTER_TURN, ZERO), where(steep, QUARTER_TURN_LOW, ZERO)
    y = arc(where(steep, ONE, a), where(steep, a, ONE), base, base_low, where(steep, -ONE, ONE))
    return copy_sign(y, x)


def atan2(y: Any, x: Any) -> Any:
    """The angle of the point (x, y), −π to π. Error: 0.7 and 0.6."""
    a, b = absolute(y), absolute(x)
    steep, behind = a > b, copy_sign(ONE, x) < ZERO
    n, d = where(steep, b, a), where(steep, a, b)
    n = where(d == INFINITY, where(n == INFINITY, ONE, ZERO), n)
    d = where(d == INFINITY, ONE, where(d == ZERO, ONE, d))
    shrink = where(d > ARC_SHRINKS, HALF * HALF, ONE)
    base = where(steep, QUARTER_TURN, where(behind, HALF_TURN, ZERO))
    base_low = where(steep, QUARTER_TURN_LOW, where(behind, HALF_TURN_LOW, ZERO))
    angle = arc(n * shrink, d * shrink, base, base_low, where(steep != behind, -ONE, ONE))
    return where((x == x) & (y == y), copy_sign(angle, y), x + y)


def arc_sine(a: Any) -> Any:
    """For 0 ≤ a ≤ 1, q and what it lacks to asin(a) where a < ½, else to asin(√((1 − a) / 2)) = (π/2 − asin a) / 2."""
    far = a >= HALF
    z = where(far, HALF * (ONE - a), a * a)
    root = sqrt(z)
    q = where(far, root, a)
    lost = where(far & (z > ZERO), fused(-root, root, z) / (root + root), ZERO)
    return q, multiply_add(q * z, asin_remainder(z), lost)


def asin(x: Any) -> Any:
    """asin x: odd polynomial for |x| < ½, else π/2 − 2 asin √((1 − |x|) / 2). Error: 0.6 and 0.6."""
    a = absolute(x)
    q, low = arc_sine(a)
    far = a >= HALF
    high = QUARTER_TURN - TWO * q
    large = high + ((QUARTER_TURN - high) - TWO * q - TWO * low + QUARTER_TURN_LOW)
    return copy_sign(where(far, large, q + low), x)


def acos(x: Any) -> Any:
    """acos x = π/2 − asin x for |x| < ½, else 2 asin √((1 − x) / 2), or π minus that of −x. Error: 0.6 and 0.6."""
    a = absolute(x)
    q, low = arc_sine(a)
    far = a >= HALF
    base = where(far, where(x < ZERO, HALF_TURN, ZERO), QUARTER_TURN)
    base_low = where(far, where(x < ZERO, HALF_TURN_LOW, ZERO), QUARTER_TURN_LOW)
    factor = where(far, where(x < ZERO, -TWO, TWO), copy_sign(ONE, -x))
    high = base + factor * q
    return high + ((base - high) + factor * q + multiply_add(factor, low, base_low))
