"""Exponentials, logarithms, the error function and the normal distribution."""

from __future__ import annotations

from ..core import Operand, Tensor, elementwise
from ..kernels import notation as math
from ..kernels.notation import where as choose

_LOG_2, _LOG_10 = 0.6931471805599453, 2.302585092994046
_TWO_OVER_ROOT_PI = 1.1283791670955126


@elementwise
def exp(x: Tensor) -> Tensor:
    """eˣ. Backward: dL/dx = g y, from the saved output. Overflows to inf above 88.7 (float32) or 709.7 (float64)."""
    return math.exp(x)


@exp.backward("x")
def _(g, y):
    return g * y


@elementwise
def exp2(x: Tensor) -> Tensor:
    """2ˣ. Backward: dL/dx = g y log 2, from the saved output."""
    return math.exp2(x)


@exp2.backward("x")
def _(g, y):
    return g * (y * _LOG_2)


@elementwise
def expm1(x: Tensor) -> Tensor:
    """eˣ − 1, exact also near 0. Backward: dL/dx = g (y + 1)."""
    return math.expm1(x)


@expm1.backward("x")
def _(g, y):
    return g * (y + 1)


@elementwise
def log(x: Tensor) -> Tensor:
    """Natural logarithm. Backward: dL/dx = g / x. Edge values: log 0 = −inf, NaN below 0."""
    return math.log(x)


@log.backward("x")
def _(g, x):
    return g / x


@elementwise
def log1p(x: Tensor) -> Tensor:
    """log(1 + x), exact also near 0. Backward: dL/dx = g / (1 + x). Edge values: −inf at −1, NaN below."""
    return math.log1p(x)


@log1p.backward("x")
def _(g, x):
    return g / (1 + x)


@elementwise
def log2(x: Tensor) -> Tensor:
    """Logarithm to base 2. Backward: dL/dx = g / (x log 2). Edge values: log₂ 0 = −inf, NaN below 0."""
    return math.log2(x)


@log2.backward("x")
def _(g, x):
    return g / (x * _LOG_2)


@elementwise
def log10(x: Tensor) -> Tensor:
    """Logarithm to base 10. Backward: dL/dx = g / (x log 10). Edge values: log₁₀ 0 = −inf, NaN below 0."""
    return math.log10(x)


@log10.backward("x")
def _(g, x):
    return g / (x * _LOG_10)


@elementwise
def logaddexp(a: Operand, b: Operand) -> Tensor:
    """log(eᵃ + eᵇ), computed as max(a, b) + log1p(e^−|a − b|), so that nothing overflows.

    Shapes: broadcast. Backward: dL/da = g σ(a − b), dL/db = g σ(b − a).
    Edge values: two equal infinities give that infinity, with gradient NaN.
    """
    return math.maximum(a, b) + choose(a == b, _LOG_2, math.log1p(math.exp(-math.absolute(a - b))))


@logaddexp.backward("a")
def _(g, a, b):
    return g * math.sigmoid(a - b)


@logaddexp.backward("b")
def _(g, a, b):
    return g * math.sigmoid(b - a)


@elementwise
def xlogy(a: Operand, b: Operand) -> Tensor:
    """a log b, and 0 where a = 0 (unless b is NaN).

    Shapes: broadcast. Backward: dL/da = g log b, 0 where a = 0 and b ≤ 0; dL/db = g a / b.
    """
    return choose((a == 0) & (b == b), 0, a * math.log(b))


@xlogy.backward("a")
def _(g, a, b):
    return choose((a == 0) & (b <= 0), 0, g * math.log(b))


@xlogy.backward("b")
def _(g, a, b):
    return g * a / b


@elementwise
def erf(x: Tensor) -> Tensor:
    """Error function, 2/√π ∫₀ˣ exp(−t²) dt. Backward: dL/dx = g 2/√π exp(−x²)."""
    return math.erf(x)


@erf.backward("x")
def _(g, x):
    return g * (_TWO_OVER_ROOT_PI * math.exp(-x * x))


@elementwise
def erfc(x: Tensor) -> Tensor:
    """1 − erf(x), with all its digits in the tail. Backward: dL/dx = −g 2/√π exp(−x²)."""
    return math.erfc(x)


@erfc.backward("x")
def _(g, x):
    return -g * (_TWO_OVER_ROOT_PI * math.exp(-x * x))


@elementwise
def normal_cdf(x: Tensor) -> Tensor:
    """Φ(x), the distribution function of the standard normal; PyTorch's `special.ndtr`. Backward: dL/dx = g φ(x)."""
    return math.normal_cdf(x)


@normal_cdf.backward("x")
def _(g, x):
    return g * math.normal_pdf(x)


@elementwise
def normal_pdf(x: Tensor) -> Tensor:
    """φ(x) = exp(−x²/2) / √(2π). Backward: dL/dx = −g x y."""
    return math.normal_pdf(x)


@normal_pdf.backward("x")
def _(g, x, y):
    return -g * (x * y)
