"""Losses of one element: regression and likelihoods.

Each is an elementwise operation with a `reduction`: its kernel sums as it goes.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any, ParamSpec

import numpy as np

from ..core import Elementwise, Operand, Tensor, apply, check_number, elementwise
from ..core.op import registered
from ..errors import ArgumentError, DomainError, ShapeError
from ..kernels.notation import absolute, exp, expm1, log, log1p, maximum, tanh, where

P = ParamSpec("P")

_LOG_2 = 0.6931471805599453
_TWO_PI = 6.283185307179586
_HALF_LOG_TWO_PI = 0.9189385332046728
_TINY = 1e-30  # in the place of β = 0 in smooth_l1_loss, so that the branch not taken has a finite slope


def same_shape(name: str, input: Any, target: Any, other: str = "target") -> None:
    """Deviation from PyTorch, which warns and broadcasts: (n, 1) against (n,) would silently compare n × n pairs."""
    if np.shape(input) != np.shape(target):
        raise ShapeError(
            f"{name}: input and {other} must have the same shape, got input {np.shape(input)}, {other} {np.shape(target)}"
        )


def _weight_fits(name: str, input: Any, weight: Any) -> None:
    """A weight for each element; a float is the default, 1."""
    if not isinstance(weight, float):
        same_shape(name, input, weight, "weight")


def _positive(name: str, what: str, value: float) -> None:
    if not value > 0:
        raise ArgumentError(f"{name}: {what} must be positive, got {value}")


class _OwnMean(Elementwise[P]):
    """A loss with a mean of its own: its sum over what `divisor` says; where that is None, the ordinary reduction."""

    divisor: Callable[..., Any]

    def divided_by(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Declare the divisor, a function of inputs and reduction."""
        self.divisor = function
        return function

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Tensor:
        bind = self._binders.get((len(args), *kwargs)) or self._make_binder(len(args), tuple(kwargs))
        inputs, (reduction, *attrs), _ = bind(args, kwargs)
        divisor = self.divisor(*inputs, reduction)
        if divisor is None:
            return apply(self, inputs, (reduction, *attrs))
        return apply(self, inputs, ("sum", *attrs)) / divisor


def _own_mean(function: FunctionType) -> Any:
    return registered(_OwnMean(function, integers=False, static=()))


@_own_mean
def mse_loss(input: Tensor, target: Tensor, reduction: str = "mean", weight: Operand | None = 1.0) -> Tensor:
    """Squared error, w (input − target)²; its mean, sum or each. With a weight, the mean divides by Σ w.

    Shapes: all alike. Backward: dL/dinput = g w 2 (input − target), dL/dtarget its negative, dL/dw = g (input − target)².
    Deviation: shapes that differ are refused, PyTorch broadcasts them with a warning.
    """
    d = input - target
    return weight * (d * d)


@mse_loss.check
def _(input, target, weight, reduction):
    same_shape("mse_loss", input, target)
    _weight_fits("mse_loss", input, weight)


@mse_loss.divided_by
def _weights_in_mean(input: Any, target: Any, weight: Any, reduction: str) -> Any:
    return weight.sum() if reduction == "mean" and isinstance(weight, (Tensor, np.ndarray)) else None


@mse_loss.backward("input")
def _(g, input, target, weight):
    return g * (weight * (2 * (input - target)))


@mse_loss.backward("target")
def _(g, input, target, weight):
    return -g * (weight * (2 * (input - target)))


@mse_loss.backward("weight")
def _(g, input, target):
    d = input - target
    return g * (d * d)


@_own_mean
def l1_loss(input: Tensor, target: Tensor, reduction: str = "mean", weight: Operand | None = 1.0) -> Tensor:
    """Absolute error, w |input − target|; its mean, sum or each. With a weight, the mean divides by Σ w.

    Shapes: all alike. Backward: dL/dinput = g w sign(input − target), 0 at the kink; dL/dw = g |input − target|.
    Deviation: shapes that differ are refused.
    """
    return weight * absolute(input - target)


@l1_loss.check
def _(input, target, weight, reduction):
    same_shape("l1_loss", input, target)
    _weight_fits("l1_loss", input, weight)


l1_loss.divided_by(_weights_in_mean)


@l1_loss.backward("input")
def _(g, input, target, weight):
    return weight * where(input > target, g, where(input < target, -g, 0))


@l1_loss.backward("target")
def _(g, input, target, weight):
    return weight * where(input > target, -g, where(input < target, g, 0))


@l1_loss.backward("weight")
def _(g, input, target):
    return g * absolute(input - target)


@elementwise(static=("delta",))
def huber_loss(input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0, weight: Operand | None = 1.0) -> Tensor:
    """Huber loss: with d = input − target, w d²/2 for |d| ≤ δ, else w δ (|d| − δ/2); its mean, sum or each.

    The mean divides by the number of elements, with or without a weight. Shapes: all alike.
    Backward: dL/dinput = g w clamp(d, −δ, δ). Deviation: shapes that differ are refused.
    Source: Huber 1964, "Robust estimation of a location parameter".
    """
    a = absolute(input - target)
    return weight * where(a <= delta, 0.5 * a * a, delta * (a - 0.5 * delta))


@huber_loss.check
def _(input, target, weight, reduction, delta):
    same_shape("huber_loss", input, target)
    _weight_fits("huber_loss", input, weight)
    _positive("huber_loss", "delta", delta)


@huber_loss.backward("input")
def _(g, input, target, weight, delta):
    d = input - target
    return g * (weight * where(d >= delta, delta, where(d <= -delta, -delta, d)))


@huber_loss.backward("target")
def _(g, input, target, weight, delta):
    d = input - target
    return -g * (weight * where(d >= delta, delta, where(d <= -delta, -delta, d)))


@huber_loss.backward("weight")
def _(g, input, target, delta):
    a = absolute(input - target)
    return g * where(a <= delta, 0.5 * a * a, delta * (a - 0.5 * delta))


@elementwise(static=("beta",))
def smooth_l1_loss(input: Tensor, target: Tensor, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """Smooth absolute error: with d = input − target, d²/(2β) for |d| < β, else |d| − β/2; its mean, sum or each.

    β = 0 is `l1_loss`; otherwise it is `huber_loss` / β. Backward: dL/dinput = g clamp(d/β, −1, 1); for β = 0, 0 at the kink.
    Deviation: shapes that differ are refused. Source: Girshick 2015, "Fast R-CNN", equation 3.
    """
    a = absolute(input - target)
    return where(a < beta, 0.5 * a * a / maximum(beta, _TINY), a - 0.5 * beta)


@smooth_l1_loss.check
def _(input, target, reduction, beta):
    same_shape("smooth_l1_loss", input, target)
    if not beta >= 0:
        raise ArgumentError(f"smooth_l1_loss: beta must not be negative, got {beta}")


@smooth_l1_loss.backward("input")
def _(g, input, target, beta):
    d = input - target
    side = where(d > 0, g, where(d < 0, -g, 0))
    return where((absolute(d) >= beta) | (beta == 0), side, g * (d / maximum(beta, _TINY)))


@smooth_l1_loss.backward("target")
def _(g, input, target, beta):
    d = input - target
    side = where(d > 0, -g, where(d < 0, g, 0))
    return where((absolute(d) >= beta) | (beta == 0), side, -g * (d / maximum(beta, _TINY)))


@elementwise
def log_cosh(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """log cosh(input − target): d²/2 near 0, |d| − log 2 far out; its mean, sum or each.

    Computed as log(1 + u²/(2 + 2u)), u = e^−|d| − 1, for |d| < 2, else as |d| − log 2 + log(1 + e^−2|d|): nothing cancels or overflows.
    Shapes: both alike. Backward: dL/dinput = g tanh(input − target), dL/dtarget its negative.
    """
    a = absolute(input - target)
    u = expm1(-a)
    return where(a < 2, log1p(u * u / (2 + 2 * u)), (a - _LOG_2) + log1p(exp(-2 * a)))


@log_cosh.check
def _(input, target, reduction):
    same_shape("log_cosh", input, target)


@log_cosh.backward("input")
def _(g, input, target):
    return g * tanh(input - target)


@log_cosh.backward("target")
def _(g, input, target):
    return -g * tanh(input - target)


# ---- likelihoods


@elementwise
def kl_div_of_logs(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Terms of the Kullback-Leibler divergence of log-probabilities, eᵗ (t − x). Backward: dL/dx = −g eᵗ, dL/dt = g eᵗ (t − x + 1)."""
    return exp(target) * (target - input)


@kl_div_of_logs.check
def _(input, target, reduction):
    same_shape("kl_div", input, target)


@kl_div_of_logs.backward("input")
def _(g, target):
    return -g * exp(target)


@kl_div_of_logs.backward("target")
def _(g, input, target):
    return g * (exp(target) * (target - input + 1))


@elementwise
def kl_div_of_probabilities(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Terms of the Kullback-Leibler divergence, t log t − t x, where 0 log 0 = 0. Backward: dL/dx = −g t, dL/dt = g (log t + 1 − x)."""
    return where(target == 0, 0, target * log(target)) - target * input


@kl_div_of_probabilities.check
def _(input, target, reduction):
    same_shape("kl_div", input, target)


@kl_div_of_probabilities.backward("input")
def _(g, target):
    return -g * target


@kl_div_of_probabilities.backward("target")
def _(g, input, target):
    return g * (log(target) + 1 - input)


def kl_div(input: Tensor, target: Tensor, reduction: str = "mean", log_target: bool = False) -> Tensor:
    """Kullback-Leibler divergence KL(target ‖ eⁱⁿᵖᵘᵗ) = Σ t (log t − x), x the log-probabilities `input`, t the target or, with
    `log_target`, its logarithm; each term, their sum or mean, or with "batchmean" the sum over input.shape[0], which alone is the divergence.

    Shapes: both alike. Backward: dL/dinput = −g t, dL/dt = g (log t + 1 − x). Edge values: a target of 0 counts 0, with slope −∞ in t.
    Deviation: shapes that differ are refused, PyTorch broadcasts them; PyTorch warns about "mean", and its slope at t = 0 is NaN.
    """
    if reduction not in ("none", "mean", "sum", "batchmean"):
        raise ArgumentError(f"kl_div: reduction must be one of 'none', 'mean', 'sum', 'batchmean', got {reduction!r}")
    terms = kl_div_of_logs if log_target else kl_div_of_probabilities
    if reduction != "batchmean":
        return terms(input, target, reduction)
    loss = terms(input, target, "sum")
    return loss / input.shape[0] if input.ndim else loss


@elementwise(static=("log_input", "full"))
def poisson_nll_loss(
    input: Tensor, target: Tensor, log_input: bool = True, full: bool = False, eps: float = 1e-8, reduction: str = "mean"
) -> Tensor:
    """Negative log-likelihood of counts t, eˣ − t x for a log-rate x, or with log_input=False x − t log(x + ε) for a rate x.

    `full` adds Stirling's log t! ≈ t log t − t + ½ log(2πt) where t > 1. Shapes: both alike.
    Backward: dL/dx = g (eˣ − t), or g (1 − t / (x + ε)); dL/dt = −g x, or −g log(x + ε), and with `full` + g (log t + 1/(2t)) where t > 1.
    Deviation: shapes that differ are refused, PyTorch broadcasts them.
    """
    s = maximum(target, 1)
    rest = where((target > 1) & (full > 0), s * log(s) - s + 0.5 * log(_TWO_PI * s), 0)
    return where(log_input > 0, exp(input) - target * input, input - target * log(input + eps)) + rest


@poisson_nll_loss.check
def _(input, target, log_input, full, eps, reduction):
    same_shape("poisson_nll_loss", input, target)


@poisson_nll_loss.backward("input")
def _(g, input, target, log_input, eps):
    e = exp(where(log_input > 0, input, 0))  # of the branch that is not taken, no slope may overflow
    rate = where(log_input > 0, 1, input + eps)
    return g * where(log_input > 0, e - target, 1 - target / rate)


@poisson_nll_loss.backward("target")
def _(g, input, target, log_input, full, eps):
    s = maximum(target, 1)
    rest = where((target > 1) & (full > 0), log(s) + 0.5 / s, 0)
    return g * (rest - where(log_input > 0, input, log(where(log_input > 0, 1, input + eps))))


@elementwise
def gaussian_nll(input: Tensor, target: Tensor, var: Operand, full: bool = False, reduction: str = "mean") -> Tensor:
    """Negative log-likelihood of a normal distribution with mean input and variance v, ½ (log v + d²/v), d = input − target;
    `full` adds ½ log 2π.

    Shapes: broadcast. Backward: dL/dinput = g d/v, dL/dtarget its negative, dL/dv = g ½ (1 − d²/v) / v.
    """
    d = input - target
    return 0.5 * (log(var) + d * d / var) + _HALF_LOG_TWO_PI * full


@gaussian_nll.backward("input")
def _(g, input, target, var):
    return g * ((input - target) / var)


@gaussian_nll.backward("target")
def _(g, input, target, var):
    return -g * ((input - target) / var)


@gaussian_nll.backward("var")
def _(g, input, target, var):
    d = input - target
    return g * (0.5 * (1 - d * d / var) / var)


@elementwise
def raised(x: Tensor, low: float) -> Tensor:
    """max(x, low), differentiated as if it were x: what keeps a variance away from 0 shall not stop it from learning. Backward: dL/dx = g."""
    return maximum(x, low)


@raised.backward("x")
def _(g):
    return g


def gaussian_nll_loss(
    input: Tensor, target: Tensor, var: Operand, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Tensor:
    """Negative log-likelihood of a normal distribution, ½ (log v + (input − target)²/v), v = max(var, ε); `full` adds ½ log 2π.

    Shapes: var a number, or of input's shape, or with one axis of size 1, or without the last axis; target broadcasts.
    Backward: dL/dinput = g d/v, dL/dvar = g ½ (1 − d²/v) / v, also where var < ε.
    Errors: DomainError for a negative var; ShapeError. Source: Nix & Weigend 1994.
    """
    if isinstance(var, np.ndarray):
        var = Tensor(var)
    if not isinstance(var, Tensor):
        check_number("gaussian_nll_loss", var=var)
    if np.any((var.array if isinstance(var, Tensor) else var) < 0):
        raise DomainError("gaussian_nll_loss: var must not be negative, but it holds negative values")
    if not isinstance(var, Tensor):
        return gaussian_nll(input, target, max(var, eps), full, reduction)
    if var.shape != input.shape:
        if var.shape == input.shape[:-1]:
            var = var.unsqueeze(-1)
        elif var.ndim != input.ndim or [n for n, m in zip(var.shape, input.shape, strict=True) if n != m] != [1]:
            raise ShapeError(f"gaussian_nll_loss: var of shape {var.shape} does not fit the input's shape {input.shape}")
    return gaussian_nll(input, target, raised(var, eps), full, reduction)
