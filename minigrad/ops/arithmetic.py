"""Arithmetic, powers, exponentials and the error function."""

from __future__ import annotations

import numpy as np

from ..core import Operand, Tensor, elementwise, get_default_dtype
from ..errors import DtypeError
from ..kernels import notation as math
from ..kernels.notation import where as choose

_TWO_OVER_ROOT_PI = 1.1283791670955126


def _kind(value: object) -> str:
    return np.asarray(value).dtype.kind


@elementwise(integers=True)
def add(a: Operand, b: Operand) -> Tensor:
    """a + b.

    Shapes: broadcast. Backward: dL/da = g, dL/db = g.

    >>> add.formula(1.0, 2.0)
    3.0
    """
    return a + b


@add.backward("a")
def _(g):
    return g


@add.backward("b")
def _(g):
    return g


@elementwise(integers=True)
def sub(a: Operand, b: Operand) -> Tensor:
    """a − b.

    Shapes: broadcast. Backward: dL/da = g, dL/db = −g.
    """
    return a - b


@sub.check
def _(a, b):
    if not {_kind(a), _kind(b)} - {"b"}:
        raise DtypeError("sub: booleans cannot be subtracted; use a != b for the elements that differ")


@sub.backward("a")
def _(g):
    return g


@sub.backward("b")
def _(g):
    return -g


@elementwise(integers=True)
def mul(a: Operand, b: Operand) -> Tensor:
    """a · b.

    Shapes: broadcast. Backward: dL/da = g b, dL/db = g a.
    """
    return a * b


@mul.backward("a")
def _(g, b):
    return g * b


@mul.backward("b")
def _(g, a):
    return g * a


@elementwise
def div(a: Operand, b: Operand) -> Tensor:
    """a / b.

    Shapes: broadcast. Backward: dL/da = g / b, dL/db = −g y / b, from the saved output.
    Edge values: x / 0 = ±inf, 0 / 0 = NaN.
    """
    return a / b


@div.backward("a")
def _(g, b):
    return g / b


@div.backward("b")
def _(g, b, y):
    return -g * y / b


@elementwise(integers=True)
def neg(x: Tensor) -> Tensor:
    """−x. Backward: dL/dx = −g."""
    return -x


@neg.check
def _(x):
    if _kind(x) == "b":
        raise DtypeError("neg: booleans have no negative; use ~ or logical_not")


@neg.backward("x")
def _(g):
    return -g


@elementwise(static=("exponent",), integers=True)
def pow_scalar(x: Tensor, exponent: float) -> Tensor:
    """x to a constant power.

    Backward: dL/dx = g p x^(p−1); 0 for p = 0. The power is baked into the kernel: x², √x, 1/x cost no power function.
    Edge values: x^0 = 1 also at 0 and NaN; a negative x to a broken power is NaN.
    """
    return x**exponent


@pow_scalar.backward("x")
def _(g, x, exponent):
    # One less, but for exponent 0: there 0 · x⁰ is 0, and 0 · x⁻¹ would be NaN at 0.
    return g * (exponent * x ** (exponent - (exponent != 0)))


@pow_scalar.check
def _(x, exponent):
    if x.dtype.kind in "iu" and isinstance(exponent, int) and exponent < 0:
        raise DtypeError(f"pow: integers cannot be raised to the negative power {exponent}; convert to float first")
    return


@elementwise(integers=True)
def pow_tensor(x: Operand, exponent: Operand) -> Tensor:
    """x to the power of a tensor, element by element.

    Shapes: broadcast. Backward: dL/dx = g p x^(p−1), 0 where p = 0; dL/dp = g y log x, 0 where x = 0 and p ≥ 0.
    """
    return x**exponent


@pow_tensor.backward("x")
def _(g, x, exponent):
    return choose(exponent == 0, 0, g * (exponent * x ** (exponent - 1)))


@pow_tensor.backward("exponent")
def _(g, x, exponent, y):
    return choose((x == 0) & (exponent >= 0), 0, g * y * math.log(x))


def pow(input: Operand, exponent: Operand) -> Tensor:
    """input to the power of a number (`pow_scalar`) or of a tensor (`pow_tensor`)."""
    if isinstance(input, Tensor) and isinstance(exponent, (int, float)):
        if input.dtype.kind != "f" and isinstance(exponent, float):
            input = input.to(get_default_dtype())
        elif input.dtype.kind == "b":
            input = input.to(np.int64)
        return pow_scalar(input, exponent if input.dtype.kind != "f" else float(exponent))
    return pow_tensor(input, exponent)


@elementwise
def exp(x: Tensor) -> Tensor:
    """eˣ. Backward: dL/dx = g y, from the saved output. Overflows to inf above 88.7 (float32) or 709.7 (float64)."""
    return math.exp(x)


@exp.backward("x")
def _(g, y):
    return g * y


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
def sqrt(x: Tensor) -> Tensor:
    """√x. Backward: dL/dx = g / (2 y), from the saved output; inf at 0. NaN below 0."""
    return math.sqrt(x)


@sqrt.backward("x")
def _(g, y):
    return g / (2 * y)


@elementwise(integers=True)
def abs(x: Tensor) -> Tensor:
    """|x|. Backward: dL/dx = g sign(x); 0 at the kink x = 0."""
    return math.absolute(x)


@abs.backward("x")
def _(g, x):
    return choose(x > 0, g, choose(x < 0, -g, 0))


@elementwise(integers=True)
def floor(x: Tensor) -> Tensor:
    """The largest integer not above x. Backward: 0."""
    return math.floor(x)


@floor.backward("x")
def _(g):
    return choose(g > 0, 0, 0)  # zeros, also where g is infinite


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
