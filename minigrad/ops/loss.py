"""Losses of one element: regression.

Each is an elementwise operation with a `reduction`: its kernel sums as it goes.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..core import Operand, Tensor, apply, check_reduction, elementwise
from ..errors import ArgumentError, DomainError, InputTypeError, ShapeError
from ..kernels import rows
from ..kernels.cache import compilable, kernels_enabled
from ..kernels.notation import absolute, exp, log1p, maximum, tanh, where

_LOG_2 = 0.6931471805599453
_TINY = 1e-30  # in the place of β = 0 in smooth_l1_loss, so that the branch not taken has a finite slope


def same_shape(name: str, input: Any, target: Any, other: str = "target") -> None:
    """Deviation from PyTorch, which warns and broadcasts: (n, 1) against (n,) would silently compare n × n pairs."""
    if np.shape(input) != np.shape(target):
        raise ShapeError(
            f"{name}: input and {other} must have the same shape, got input {np.shape(input)}, {other} {np.shape(target)}"
        )


def check_call(name: str, reduction: str, **tensors: Any) -> None:
    """For losses that are written as plain functions: a known reduction, and tensors (or arrays) where they are expected."""
    check_reduction(name, reduction)
    for what, value in tensors.items():
        if not isinstance(value, (Tensor, np.ndarray)):
            raise InputTypeError(f"{name}: {what} must be a Tensor, got {type(value).__name__}; make it one with mg.tensor(...)")


def check_probabilities(name: str, **values: Any) -> None:
    """Refuse values outside [0, 1]; a target may be off by roundings, as the mean of several is."""
    for what, tensor in values.items():
        array = np.asarray(tensor.array if isinstance(tensor, Tensor) else tensor)
        if compilable(array.dtype) and kernels_enabled():
            outside = rows.outside_unit[array.dtype](array.ravel())
        else:
            outside = array.size - np.count_nonzero((array >= 0) & (array <= 1))
        if outside and what == "target" and array.dtype.kind == "f":
            slack = 16 * np.finfo(array.dtype).eps
            outside = array.size - np.count_nonzero((array >= -slack) & (array <= 1 + slack))
        if outside:
            hint = "; for logits there is binary_cross_entropy_with_logits" if what == "input" else ""
            raise DomainError(f"{name}: {what} must hold probabilities in [0, 1]; {outside} of {array.size} values do not{hint}")


def _weight_fits(name: str, input: Any, weight: Any) -> None:
    """A weight for each element; a float is the default, 1."""
    if not isinstance(weight, float):
        same_shape(name, input, weight, "weight")


def _positive(name: str, what: str, value: float) -> None:
    if not value > 0:
        raise ArgumentError(f"{name}: {what} must be positive, got {value}")


def _weighted(loss: Any, input: Tensor, target: Tensor, reduction: str = "mean", weight: Tensor | None = None) -> Tensor:
    """A call that names a weight: its mean divides by Σ w."""
    if reduction != "mean" or not isinstance(weight, Tensor):
        return apply(loss, (input, target, weight), (reduction,))
    return apply(loss, (input, target, weight), ("sum",)) / weight.sum()


@elementwise
def mse_loss(input: Tensor, target: Tensor, reduction: str = "mean", weight: Operand | None = 1.0) -> Tensor:
    """Squared error, w (input − target)²; its mean, sum or each. With a weight, the mean divides by Σ w.

    Shapes: all alike. Backward: dL/dinput = g w 2 (input − target), dL/dtarget its negative, dL/dw = g (input − target)².
    Deviation: shapes that differ are refused, PyTorch broadcasts them with a warning.
    """
    d = input - target
    return weight * (d * d)


mse_loss.variant("weight")(partial(_weighted, mse_loss))


@mse_loss.check
def _(input, target, weight, reduction):
    same_shape("mse_loss", input, target)
    _weight_fits("mse_loss", input, weight)


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


@elementwise
def l1_loss(input: Tensor, target: Tensor, reduction: str = "mean", weight: Operand | None = 1.0) -> Tensor:
    """Absolute error, w |input − target|; its mean, sum or each. With a weight, the mean divides by Σ w.

    Shapes: all alike. Backward: dL/dinput = g w sign(input − target), 0 at the kink; dL/dw = g |input − target|.
    Deviation: shapes that differ are refused.
    """
    return weight * absolute(input - target)


l1_loss.variant("weight")(partial(_weighted, l1_loss))


@l1_loss.check
def _(input, target, weight, reduction):
    same_shape("l1_loss", input, target)
    _weight_fits("l1_loss", input, weight)


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

    Computed as log1p(cosh d − 1) for |d| < 1, with the power series, else as |d| − log 2 + log1p(e^−2|d|): nothing cancels or overflows.
    Shapes: both alike. Backward: dL/dinput = g tanh(input − target), dL/dtarget its negative.
    """
    a = absolute(input - target)
    z = where(a < 1, a * a, 0)
    h = 1 / 3628800 + z * (1 / 479001600 + z * (1 / 87178291200 + z * (1 / 20922789888000 + z * (1 / 6402373705728000))))
    c = z / 2 + z * z * (1 / 24 + z * (1 / 720 + z * (1 / 40320 + z * h)))  # cosh d − 1
    return where(a < 1, log1p(c), (a - _LOG_2) + log1p(exp(-2 * a)))


@log_cosh.check
def _(input, target, reduction):
    same_shape("log_cosh", input, target)


@log_cosh.backward("input")
def _(g, input, target):
    return g * tanh(input - target)


@log_cosh.backward("target")
def _(g, input, target):
    return -g * tanh(input - target)


log_cosh_loss = log_cosh
