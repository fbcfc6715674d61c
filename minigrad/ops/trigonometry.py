"""Circular and hyperbolic functions and their inverses."""

from __future__ import annotations

from math import inf, nan, pi

from ..core import Operand, Tensor, elementwise
from ..kernels import notation as math
from ..kernels.notation import where as choose

_FAR = 1e8  # a² + 1 is a² from here on, and a² is finite up to here and far beyond
_LOG_2 = 0.6931471805599453


@elementwise
def sin(x: Tensor) -> Tensor:
    """sin x, for arguments of any size. Backward: dL/dx = g cos x. Edge values: NaN at ±inf."""
    return math.sin(x)


@sin.backward("x")
def _(g, x):
    return g * math.cos(x)


@elementwise
def cos(x: Tensor) -> Tensor:
    """cos x, for arguments of any size. Backward: dL/dx = −g sin x. Edge values: NaN at ±inf."""
    return math.cos(x)


@cos.backward("x")
def _(g, x):
    return -g * math.sin(x)


@elementwise
def tan(x: Tensor) -> Tensor:
    """tan x, for arguments of any size. Backward: dL/dx = g (1 + y²), from the saved output. Edge values: NaN at ±inf."""
    return math.tan(x)


@tan.backward("x")
def _(g, y):
    return g * (1 + y * y)


@elementwise
def asin(x: Tensor) -> Tensor:
    """Inverse sine, −π/2 to π/2. Backward: dL/dx = g / √((1 − x)(1 + x)); inf at ±1. NaN where |x| > 1."""
    return math.asin(x)


@asin.backward("x")
def _(g, x):
    return g / math.sqrt((1 - x) * (1 + x))


@elementwise
def acos(x: Tensor) -> Tensor:
    """Inverse cosine, 0 to π. Backward: dL/dx = −g / √((1 − x)(1 + x)); −inf at ±1. NaN where |x| > 1."""
    return math.acos(x)


@acos.backward("x")
def _(g, x):
    return -g / math.sqrt((1 - x) * (1 + x))


@elementwise
def atan(x: Tensor) -> Tensor:
    """Inverse tangent, −π/2 to π/2. Backward: dL/dx = g / (1 + x²)."""
    return math.atan(x)


@atan.backward("x")
def _(g, x):
    return g / (1 + x * x)


@elementwise
def atan2(a: Operand, b: Operand) -> Tensor:
    """The angle of the point (b, a), −π to π, in the quadrant that both signs name, those of zeros included.

    Shapes: broadcast. Backward: dL/da = g b / (a² + b²), dL/db = −g a / (a² + b²); 0 at the origin.
    """
    return math.atan2(a, b)


@atan2.backward("a")
def _(g, a, b):
    square = a * a + b * b
    return choose(square == 0, 0, g * b / square)


@atan2.backward("b")
def _(g, a, b):
    square = a * a + b * b
    return choose(square == 0, 0, -g * a / square)


@elementwise
def sinh(x: Tensor) -> Tensor:
    """Hyperbolic sine. Backward: dL/dx = g cosh x."""
    return math.sinh(x)


@sinh.backward("x")
def _(g, x):
    return g * math.cosh(x)


@elementwise
def cosh(x: Tensor) -> Tensor:
    """Hyperbolic cosine. Backward: dL/dx = g sinh x."""
    return math.cosh(x)


@cosh.backward("x")
def _(g, x):
    return g * math.sinh(x)


@elementwise
def asinh(x: Tensor) -> Tensor:
    """Inverse hyperbolic sine, log(x + √(x² + 1)), computed as log1p(a + a² / (1 + √(1 + a²))) with a = |x|, far out as log 2a.

    Backward: dL/dx = g / √(1 + x²).
    """
    a = math.absolute(x)
    y = choose(a > _FAR, math.log(a) + _LOG_2, math.log1p(a + a * a / (1 + math.sqrt(1 + a * a))))
    return choose(x < 0, -y, choose(x == 0, x, y))


@asinh.backward("x")
def _(g, x):
    return g / math.sqrt(1 + x * x)


@elementwise
def acosh(x: Tensor) -> Tensor:
    """Inverse hyperbolic cosine, log(x + √(x² − 1)), computed as log1p(t + √(2t + t²)) with t = x − 1, far out as log 2x.

    Backward: dL/dx = g / √((x − 1)(x + 1)); inf at 1. Edge values: NaN below 1.
    """
    t = x - 1
    near = choose(x < 1, nan, math.log1p(t + math.sqrt(2 * t + t * t)))
    return choose(x > _FAR, math.log(x) + _LOG_2, near)


@acosh.backward("x")
def _(g, x):
    return g / math.sqrt((x - 1) * (x + 1))


@elementwise
def atanh(x: Tensor) -> Tensor:
    """Inverse hyperbolic tangent, log((1 + x) / (1 − x)) / 2, computed as log1p(2a / (1 − a)) / 2 with a = |x|.

    Backward: dL/dx = g / ((1 − x)(1 + x)); inf at ±1. Edge values: ±inf at ±1, NaN beyond.
    """
    a = math.absolute(x)
    y = math.log1p(2 * a / (1 - a)) / 2
    return choose(x < 0, -y, choose(x == 0, x, y))


@atanh.backward("x")
def _(g, x):
    return g / ((1 - x) * (1 + x))


@elementwise
def hypot(a: Operand, b: Operand) -> Tensor:
    """√(a² + b²), computed as m √(1 + (n/m)²) with m the larger of |a| and |b| and n the smaller: no square overflows.

    Shapes: broadcast. Backward: dL/da = g a / y, dL/db = g b / y; NaN at the origin.
    Edge values: inf if either is infinite, even beside NaN.
    """
    p = math.absolute(a)
    q = math.absolute(b)
    m = math.maximum(p, q)
    ratio = math.minimum(p, q) / choose(m == 0, 1, m)
    return choose((p == inf) | (q == inf), inf, m * math.sqrt(1 + ratio * ratio))


@hypot.backward("a")
def _(g, a, y):
    return g * a / y


@hypot.backward("b")
def _(g, b, y):
    return g * b / y


@elementwise
def deg2rad(x: Tensor) -> Tensor:
    """Degrees in radians, x π / 180. Backward: dL/dx = g π / 180."""
    return x * (pi / 180)


@deg2rad.backward("x")
def _(g):
    return g * (pi / 180)


@elementwise
def rad2deg(x: Tensor) -> Tensor:
    """Radians in degrees, x 180 / π. Backward: dL/dx = g 180 / π."""
    return x * (180 / pi)


@rad2deg.backward("x")
def _(g):
    return g * (180 / pi)


arcsin, arccos, arctan, arctan2 = asin, acos, atan, atan2
arcsinh, arccosh, arctanh = asinh, acosh, atanh
