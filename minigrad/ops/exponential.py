"""Exponentials, logarithms, the error function and the normal distribution."""

from __future__ import annotations

from math import inf, nan

from ..core import Operand, Tensor, elementwise
from ..core.check import check_kind
from ..kernels import notation as math
from ..kernels.notation import where as choose
from .comparison import clamp

_LOG_2, _LOG_10 = 0.6931471805599453, 2.302585092994046
_TWO_OVER_ROOT_PI, _HALF_ROOT_PI = 1.1283791670955126, 0.886226925452758


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
def erfinv(x: Tensor) -> Tensor:
    """The inverse of the error function: erf(y) = x.

    Winitzki's approximation, then three steps of Halley's method on erf(y) = a, a = |x|, or on erfc(y) = 1 − a in the tail.
    Backward: dL/dx = g √π/2 exp(y²), from the saved output. Edge values: ±inf at ±1, NaN beyond.
    Source: Winitzki, A handy approximation for the error function and its inverse (2008).
    """
    a = math.absolute(x)
    w = choose(a < 0.5, math.log1p(-a * a), math.log((1 - a) * (1 + a)))
    t = 4.330746750799873 + w / 2
    y = math.sqrt(-w / 0.147 / (math.sqrt(t * t - w / 0.147) + t))
    step = _HALF_ROOT_PI * math.exp(y * y) * choose(a < 0.5, math.erf(y) - a, (1 - a) - math.erfc(y))
    y = y - step / (1 + y * step)
    step = _HALF_ROOT_PI * math.exp(y * y) * choose(a < 0.5, math.erf(y) - a, (1 - a) - math.erfc(y))
    y = y - step / (1 + y * step)
    step = _HALF_ROOT_PI * math.exp(y * y) * choose(a < 0.5, math.erf(y) - a, (1 - a) - math.erfc(y))
    y = choose(a == 1, inf, y - step / (1 + y * step))
    return choose(x < 0, -y, choose(x == 0, x, y))


@erfinv.backward("x")
def _(g, y):
    return g * (_HALF_ROOT_PI * math.exp(y * y))


@elementwise
def log_odds(x: Tensor) -> Tensor:
    """log(x / (1 − x)), the inverse of the sigmoid; from ¼ on as ±log1p(|2x − 1| / min(x, 1 − x)), exact also near ½.

    Backward: dL/dx = g / (x (1 − x)). Edge values: −inf at 0, inf at 1, NaN beyond, there with gradient NaN.
    """
    upper = choose(x < 0.5, -math.log1p((1 - 2 * x) / x), math.log1p((2 * x - 1) / (1 - x)))
    return choose(x < 0.25, math.log(x / (1 - x)), upper)


@log_odds.backward("x")
def _(g, x):
    return choose((x < 0) | (x > 1), nan, g / (x * (1 - x)))


def logit(input: Tensor, eps: float | None = None) -> Tensor:
    """log(x / (1 − x)), with input limited to [eps, 1 − eps] first if eps is given; outside of that the gradient is 0."""
    check_kind("logit", "eps", eps, "float | None")
    return log_odds(input if eps is None else clamp(input, eps, 1 - eps))


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
