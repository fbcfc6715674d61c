"""Activation functions that are smooth; those made of pieces are in `rectifier`."""

from __future__ import annotations

from math import inf, prod
from typing import Any

import numpy as np

from ..core import Tensor, elementwise, op
from ..errors import ArgumentError, DtypeError, ShapeError
from ..kernels import notation as math
from ..kernels import rows
from ..kernels.arrays import put
from ..kernels.cache import one_dtype
from ..kernels.notation import (
    absolute,
    exp,
    gelu_slope,
    gelu_tanh_slope,
    log1p,
    minimum,
    normal_cdf,
    normal_pdf,
    scaled_exp,
    scaled_gelu_exp,
    scaled_normal_cdf,
    where,
)
from .reduction import axis_of

_TWO_ROOT_TWO_OVER_PI = 1.5957691216057308  # 2 √(2/π)


@elementwise
def sigmoid(x: Tensor) -> Tensor:
    """Logistic function, σ(x) = 1 / (1 + e⁻ˣ), computed with e^−|x| so that nothing overflows.

    Backward: dL/dx = g σ(1 − σ), from the saved output.
    Edge values: rounds to exactly 1 from x = 17 (float32) or 37 (float64); keeps its digits in the negative tail.

    >>> sigmoid.formula(0.0)
    0.5
    """
    return math.sigmoid(x)


@sigmoid.backward("x")
def _(g, y):
    return g * (y * (1 - y))


@elementwise
def tanh(x: Tensor) -> Tensor:
    """Hyperbolic tangent.

    Backward: dL/dx = g (1 − y²), from the saved output.
    """
    return math.tanh(x)


@tanh.backward("x")
def _(g, y):
    return g * (1 - y * y)


@elementwise
def silu(x: Tensor, inplace: bool = False) -> Tensor:
    """Sigmoid linear unit, x σ(x); `swish` is the same.

    Backward: dL/dx = g σ (1 + x (1 − σ)).
    Source: Elfwing, Uchibe & Doya 2017; Ramachandran, Zoph & Le 2017.
    """
    a = absolute(x)
    e = scaled_exp(-a, 1)
    return where(x >= 0, x, scaled_exp(-a, x)) / (1 + e)


@silu.backward("x")
def _(g, x):
    s = math.sigmoid(x)
    return g * (s * (1 + x * (1 - s)))


swish = silu


@elementwise
def mish(x: Tensor, inplace: bool = False) -> Tensor:
    """x tanh(softplus(x)), which is x n / (n + 2) with n = eˣ (eˣ + 2); written with e^−|x|, so that nothing overflows and the negative
    tail keeps its digits.

    Backward: dL/dx = g (n / (n + 2) + 4 x eˣ (1 + eˣ) / (n + 2)²).
    Edge values: NaN at −∞, where it is −∞ · 0; the gradient is NaN at both infinities.
    Source: Misra 2019, "Mish: a self regularized non-monotonic activation function".
    """
    a = absolute(x)
    e = exp(-a)
    n = where(x >= 0, x * (1 + 2 * e), scaled_exp(-a, x) * (2 + e))
    return n / where(x >= 0, 1 + e * (2 + 2 * e), 2 + e * (2 + e))


@mish.backward("x")
def _(g, x):
    e = exp(where(x >= 0, -x, x))  # not −|x|: its slope at 0, for second derivatives, is the one-sided one that the next lines take
    n = where(x >= 0, 1 + 2 * e, e * (2 + e))
    d = n + where(x >= 0, 2 * e * e, 2)
    return g * (n / d + x * (where(x >= 0, e * e, e) * (4 + 4 * e) / (d * d)))


@elementwise
def gelu_exact(x: Tensor) -> Tensor:
    """Gaussian error linear unit, x Φ(x).

    Backward: dL/dx = g (Φ(x) + x φ(x)).
    Deviation: keeps its relative accuracy in the negative tail, where PyTorch's loses all digits.
    Source: Hendrycks & Gimpel 2016, "Gaussian error linear units".
    """
    return scaled_normal_cdf(x, x)


@gelu_exact.backward("x")
def _(g, x):
    return g * gelu_slope(x)


@elementwise
def gelu_tanh(x: Tensor) -> Tensor:
    """The tanh approximation of gelu, x/2 (1 + tanh u) with u = √(2/π) (x + 0.044715 x³); computed as x σ(2u), which is the same
    without the difference in the negative tail.

    Backward: dL/dx = g (σ + x σ(1 − σ) 2u′), σ = σ(2u).
    Deviation: keeps its relative accuracy in the negative tail, where PyTorch's loses all digits.
    Source: Hendrycks & Gimpel 2016, equation 2.
    """
    return where(x >= 0, x, scaled_gelu_exp(x, x)) / (1 + scaled_gelu_exp(x, 1))


@gelu_tanh.backward("x")
def _(g, x):
    return g * gelu_tanh_slope(x)


def slope_of_gelu(x: Tensor) -> Tensor:
    """The notation's `gelu_slope` over Tensors."""
    return normal_cdf(x) + x * normal_pdf(x)


def slope_of_gelu_tanh(x: Tensor) -> Tensor:
    """The notation's `gelu_tanh_slope` over Tensors."""
    s = math.sigmoid(_TWO_ROOT_TWO_OVER_PI * (x + 0.044715 * (x * x * x)))
    return s + x * (s * (1 - s)) * (_TWO_ROOT_TWO_OVER_PI * (1 + 0.134145 * (x * x)))


@elementwise(static=("beta", "threshold"))
def softplus(x: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """Smooth rectifier, log(1 + e^(βx)) / β, computed as (max(βx, 0) + log1p(e^−|βx|)) / β; x itself where βx > threshold.

    Backward: dL/dx = g σ(βx); g beyond the threshold.
    Deviation: nothing overflows here, so the threshold's default, 20, cuts nothing off (PyTorch's answer differs by up to 2.1e-9).
    Source: Dugas et al. 2000, "Incorporating second-order functional knowledge for better option pricing".
    """
    t = beta * x
    return where(t > threshold, x, math.softplus(t) / beta)


@softplus.backward("x")
def _(g, x, beta, threshold):
    t = beta * x
    return where(t > threshold, g, g * math.sigmoid(t))


@softplus.check
def _(x, beta, threshold):
    if beta == 0:
        raise ArgumentError("softplus: beta must not be 0")
    return {"threshold": inf} if threshold == 20 else None


@elementwise
def logsigmoid(x: Tensor) -> Tensor:
    """log σ(x) = −log(1 + e⁻ˣ), computed as min(x, 0) − log1p(e^−|x|): exact in both tails.

    Backward: dL/dx = g σ(−x) = g (1 − σ(x)).
    """
    return minimum(x, 0) - log1p(exp(-absolute(x)))


@logsigmoid.backward("x")
def _(g, x):
    return g * math.sigmoid(-x)


@elementwise
def softsign(x: Tensor) -> Tensor:
    """x / (1 + |x|).

    Backward: dL/dx = g / (1 + |x|)²; the second derivative at 0, a kink of the first, is 0.
    Edge values: NaN at ±∞, where it is ∞ / ∞, with gradient NaN.
    Source: Bergstra, Desjardins, Lamblin & Bengio 2009, "Quadratic polynomials learn better image features".
    """
    return x / (1 + absolute(x))


@softsign.backward("x")
def _(g, x):
    a = absolute(x)
    t = 1 / (1 + a)
    return g * (t * (t + 0 * a))  # 0 · ∞: NaN where the value is


@elementwise
def tanhshrink(x: Tensor) -> Tensor:
    """x − tanh x.

    For |x| < 1, where the difference would lose digits, it is x³ p / d with the polynomials of x² that Lambert's continued fraction
    tanh x = x / (1 + x² / (3 + x² / (5 + …))) gives in ten levels, written as x³ (1 + (4p − d) / d) / 4 so that few roundings count.
    Beyond, (|x| − 1) + 2 / (e^2|x| + 1), which only adds.

    Backward: dL/dx = g tanh² x.
    Source: Lambert 1768, "Mémoire sur quelques propriétés remarquables des quantités transcendentes".
    """
    a = absolute(x)
    z = a * a
    h = (a + 4096 * a) - 4096 * a  # the upper bits of a, so few that the square is exact in float32,
    k = (h + 2**30 * h) - 2**30 * h  # and those of h in float64
    lost = ((k * k - z) + (h + k) * (h - k)) + (a + h) * (a - h)  # what the rounding of z took away
    n = 218243025 - z * (245810565 + z * (17760600 + z * (309595 + z * (1481 + z))))
    d = 654729075 + z * (310134825 + z * (18918900 + z * (315315 + z * (1485 + z))))
    near = (a * z + (a * z * (n / d) + a * lost)) / 4
    e = exp(-2 * a)
    y = where(a < 1, near, (a - 1) + 2 * (e - e * (e / (1 + e))))
    return where(x < 0, -y, y)


@tanhshrink.backward("x")
def _(g, x):
    t = math.tanh(x)
    return g * (t * t)


def _halves(shape: tuple[int, ...], dim: int) -> tuple[Any, Any]:
    """The indices of the two halves along an axis."""
    half, before = shape[dim] // 2, (slice(None),) * dim
    return (*before, slice(0, half)), (*before, slice(half, None))


@op
def glu(x: Tensor, dim: int = -1) -> Tensor:
    """Gated linear unit, a σ(b), where a and b are the halves of x along `dim`.

    Shapes: (…, 2n, …) → (…, n, …).
    Backward: to a, g σ(b); to b, g a σ(b) (1 − σ(b)).
    Errors: ShapeError where the axis has an odd length or x has no axis; DimError for an axis that is not there; DtypeError for integers.
    Source: Dauphin, Fan, Auli & Grangier 2016, "Language modeling with gated convolutional networks".
    """
    first, second = _halves(x.shape, dim)
    return x[first] * sigmoid.formula(x[second])


@glu.check
def _(x, dim):
    if x.dtype.kind != "f":
        raise DtypeError(f"glu: expected a floating-point tensor, got dtype {x.dtype}")
    if x.ndim == 0:
        raise ShapeError("glu: needs an axis to halve, got a tensor without any")
    axis = axis_of("glu", dim, x.ndim)
    if x.shape[axis] % 2:
        raise ShapeError(f"glu: axis {axis} must have an even length, got shape {x.shape}")
    return {"dim": axis}


@glu.backward("x")
def _(g, x, dim, x_shape):
    first, second = _halves(x_shape, dim)
    a, s = x[first], sigmoid.of(x[second])
    return put(g * s, first, x_shape) + put(g * (a * (s * (1 - s))), second, x_shape)


@glu.kernel(when=lambda x, dim: one_dtype(x), residual=True)
def _(x, dim):
    matrix = np.ascontiguousarray(x).reshape(prod(x.shape[:dim]), -1)  # a row holds a half and then the other
    halves = matrix.shape[0], matrix.shape[1] // 2
    out, gate = np.empty(halves, x.dtype), np.empty(halves, x.dtype)
    rows.glu_rows[x.dtype](out, gate, matrix)
    return out.reshape(*x.shape[:dim], -1, *x.shape[dim + 1 :]), gate


@glu.backward_kernel("x")
def _(g, x, residual):
    dx = np.empty((residual.shape[0], 2 * residual.shape[1]), x.dtype)
    given, matrix = np.ascontiguousarray(g).reshape(residual.shape), np.ascontiguousarray(x).reshape(dx.shape)
    rows.glu_rows_backward[x.dtype](dx, given, residual, matrix)
    return dx.reshape(x.shape)


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """Gaussian error linear unit: x Φ(x) (`approximate="none"`), or its tanh approximation (`"tanh"`)."""
    if approximate not in ("none", "tanh"):
        raise ArgumentError(f"gelu: approximate must be 'none' or 'tanh', got {approximate!r}")
    return gelu_tanh(input) if approximate == "tanh" else gelu_exact(input)
