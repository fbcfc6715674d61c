"""Activation functions of one element."""

from __future__ import annotations

from math import inf

from ..core import Tensor, elementwise
from ..errors import ArgumentError
from ..kernels import notation as math
from ..kernels.notation import absolute, exp, log1p, maximum, normal_cdf, normal_pdf, scaled_exp, scaled_normal_cdf, where

_TWO_ROOT_TWO_OVER_PI = 1.5957691216057308  # 2 √(2/π)


@elementwise(integers=True)
def relu(x: Tensor) -> Tensor:
    """Rectifier, max(x, 0).

    Backward: dL/dx = g where y > 0, else 0: the mask of the saved output. At the kink x = 0 the gradient is 0.
    Edge values: NaN stays NaN, with gradient g.
    Source: Nair & Hinton 2010, "Rectified linear units improve restricted Boltzmann machines".

    >>> relu.formula(-3.0), relu.formula(2.0)
    (0.0, 2.0)
    """
    return maximum(x, 0)


@relu.backward("x")
def _(g, y):
    return where(y <= 0, 0, g)


@elementwise
def leaky_relu(x: Tensor, negative_slope: float = 0.01) -> Tensor:
    """Leaky rectifier, x for x > 0, else αx with α = negative_slope.

    Backward: dL/dx = g for x > 0, else α g; at the kink x = 0 it is α g.
    Source: Maas, Hannun & Ng 2013, "Rectifier nonlinearities improve neural network acoustic models".

    >>> leaky_relu.formula(-2.0)
    -0.02
    """
    return where(x > 0, x, negative_slope * x)


@leaky_relu.backward("x")
def _(g, x, negative_slope):
    return where(x > 0, g, negative_slope * g)


@elementwise
def sigmoid(x: Tensor) -> Tensor:
    """Logistic function, σ(x) = 1 / (1 + e⁻ˣ), written with e^−|x| so that nothing overflows.

    Backward: dL/dx = g σ(1 − σ), from the saved output.
    Edge values: rounds to exactly 1 from x = 17 (float32) or 37 (float64); keeps its digits in the negative tail.

    >>> sigmoid.formula(0.0)
    0.5
    """
    e = exp(-absolute(x))
    c = where(x >= 0, 1, e)
    return c - c * (e / (1 + e))  # c / (1 + e), with the rounding of the quotient on a small term


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
def silu(x: Tensor) -> Tensor:
    """Sigmoid linear unit (swish), x σ(x).

    Backward: dL/dx = g σ (1 + x (1 − σ)).
    Source: Elfwing, Uchibe & Doya 2017; Ramachandran, Zoph & Le 2017.
    """
    a = absolute(x)
    return where(x >= 0, x, scaled_exp(-a, x)) / (1 + exp(-a))


@silu.backward("x")
def _(g, x):
    e = exp(where(x >= 0, -x, x))  # not −|x|: its slope at 0, for second derivatives, is the one-sided one that the next line takes
    s = where(x >= 0, 1, e) / (1 + e)
    return g * (s * (1 + x * (1 - s)))


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
    return g * (normal_cdf(x) + x * normal_pdf(x))


@elementwise
def gelu_tanh(x: Tensor) -> Tensor:
    """The tanh approximation of gelu, x/2 (1 + tanh u) with u = √(2/π) (x + 0.044715 x³); computed as x σ(2u), which is the same
    and loses no digits in the negative tail.

    Backward: dL/dx = g (σ + x σ(1 − σ) 2u′).
    Source: Hendrycks & Gimpel 2016, equation 2.
    """
    a = absolute(_TWO_ROOT_TWO_OVER_PI * (x + 0.044715 * (x * x * x)))
    return where(x >= 0, x, scaled_exp(-a, x)) / (1 + exp(-a))


@gelu_tanh.backward("x")
def _(g, x):
    t = _TWO_ROOT_TWO_OVER_PI * (x + 0.044715 * (x * x * x))
    e = exp(where(x >= 0, -t, t))
    s = where(x >= 0, 1, e) / (1 + e)
    return g * (s + x * (s * (1 - s)) * (_TWO_ROOT_TWO_OVER_PI * (1 + 0.134145 * (x * x))))


@elementwise(static=("beta", "threshold"))
def softplus(x: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """Smooth rectifier, log(1 + e^(βx)) / β, computed as (max(βx, 0) + log1p(e^−|βx|)) / β; x itself where βx > threshold.

    Backward: dL/dx = g σ(βx); g beyond the threshold.
    Deviation: nothing overflows here, so the threshold's default, 20, cuts nothing off (PyTorch's answer differs by up to 2.1e-9).
    Source: Dugas et al. 2000, "Incorporating second-order functional knowledge for better option pricing".
    """
    t = beta * x
    return where(t > threshold, x, (maximum(t, 0) + log1p(exp(-absolute(t)))) / beta)


@softplus.backward("x")
def _(g, x, beta, threshold):
    t = beta * x
    e = exp(where(t >= 0, -t, t))
    return where(t > threshold, g, g * (where(t >= 0, 1, e) / (1 + e)))


@softplus.check
def _(x, beta, threshold):
    if beta == 0:
        raise ArgumentError("softplus: beta must not be 0")
    return {"threshold": inf} if threshold == 20 else None


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """Gaussian error linear unit: x Φ(x) (`approximate="none"`), or its tanh approximation (`"tanh"`)."""
    if approximate not in ("none", "tanh"):
        raise ArgumentError(f"gelu: approximate must be 'none' or 'tanh', got {approximate!r}")
    return gelu_tanh(input) if approximate == "tanh" else gelu_exact(input)
