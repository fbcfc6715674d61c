"""Losses that are likelihoods: of bits, of counts, of numbers with a variance, and between distributions."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import Operand, Tensor, broadcasts_to, by_replay, check_number, elementwise
from ..errors import ArgumentError, DimError, DomainError, ShapeError
from ..kernels.notation import exp, log, log1p, maximum, sigmoid, softplus, where
from .loss import check_call, check_probabilities, same_shape

_TWO_PI = 6.283185307179586
_HALF_LOG_TWO_PI = 0.9189385332046728


def _weights_fit(name: str, input: Any, **weights: Any) -> None:
    for what, weight in weights.items():
        if not broadcasts_to(np.shape(weight), np.shape(input)):
            raise ShapeError(
                f"{name}: {what} of shape {np.shape(weight)} does not broadcast to the input's shape {np.shape(input)}"
            )


@elementwise
def binary_cross_entropy(input: Tensor, target: Tensor, weight: Operand | None = 1.0, reduction: str = "mean") -> Tensor:
    """Binary cross-entropy of probabilities, −w (t log x + (1 − t) log(1 − x)); its mean, sum or each. Logarithms end at −100.

    Shapes: input and target alike; weight broadcasts. Backward: dL/dinput = g w (x − t) / (x (1 − x)), the divisor at least 1e-12;
    dL/dt = g w (log(1 − x) − log x), as in PyTorch infinite at 0 and 1, where the loss is not.
    Errors: DomainError for an input or target outside [0, 1] (deviation: PyTorch does not look at the target); ShapeError.
    """
    return -weight * (target * maximum(log(input), -100) + (1 - target) * maximum(log1p(-input), -100))


@binary_cross_entropy.check
def _(input, target, weight, reduction):
    same_shape("binary_cross_entropy", input, target)
    _weights_fit("binary_cross_entropy", input, weight=weight)


@binary_cross_entropy.guarded
def _(input, target, weight):
    check_probabilities("binary_cross_entropy", input=input, target=target)


@binary_cross_entropy.backward("input")
def _(g, input, target, weight):
    return g * (weight * (input - target) / maximum(input * (1 - input), 1e-12))


@binary_cross_entropy.backward("target")
def _(g, input, weight):
    return g * (weight * (log1p(-input) - log(input)))


@elementwise
def binary_cross_entropy_with_logits(
    input: Tensor, target: Tensor, weight: Operand | None = 1.0, reduction: str = "mean", pos_weight: Operand | None = 1.0
) -> Tensor:
    """Binary cross-entropy of σ(input), w ((1 − t) softplus(x) + p t softplus(−x)), p = pos_weight; its mean, sum or each.

    The sigmoid is never formed, so both tails keep their digits. Shapes: input and target alike; weight and pos_weight broadcast.
    Backward: dL/dinput = g w ((1 − t) σ(x) − p t σ(−x)), which is g (σ(x) − t) without weights.
    Edge values: +∞ at x = −∞ for t > 0 (PyTorch: NaN), NaN at an infinite x that is wholly right.
    Errors: DomainError for a target outside [0, 1] (deviation: PyTorch takes any); ShapeError.
    """
    return weight * ((1 - target) * softplus(input) + pos_weight * target * softplus(-input))


@binary_cross_entropy_with_logits.check
def _(input, target, weight, pos_weight, reduction):
    same_shape("binary_cross_entropy_with_logits", input, target)
    _weights_fit("binary_cross_entropy_with_logits", input, weight=weight, pos_weight=pos_weight)


@binary_cross_entropy_with_logits.guarded
def _(input, target, weight, pos_weight):
    check_probabilities("binary_cross_entropy_with_logits", target=target)


@binary_cross_entropy_with_logits.backward("input")
def _(g, input, target, weight, pos_weight):
    return g * (weight * ((1 - target) * sigmoid(input) - pos_weight * target * sigmoid(-input)))


@binary_cross_entropy_with_logits.backward("target")
def _(g, input, weight, pos_weight):
    # p softplus(−x) − softplus(x), without a difference where p = 1
    s = (pos_weight - 1) * softplus(where(input >= 0, -input, input))
    return g * (weight * (s - where(input >= 0, input, pos_weight * input)))


@elementwise(labels=("target",))
def multilabel_terms(input: Tensor, target: Tensor, weight: Operand | None = 1.0, reduction: str = "mean") -> Tensor:
    """Terms of the multi-label loss, w ((1 − t) softplus(x) + t softplus(−x)) for any t.

    Backward: dL/dx = g w ((1 − t) σ(x) − t σ(−x)), dL/dt = −g w x.
    """
    return weight * ((1 - target) * softplus(input) + target * softplus(-input))


@multilabel_terms.check
def _(input, target, weight, reduction):
    same_shape("multilabel_soft_margin_loss", input, target)
    _weights_fit("multilabel_soft_margin_loss", input, weight=weight)


@multilabel_terms.backward("input")
def _(g, input, target, weight):
    return g * (weight * ((1 - target) * sigmoid(input) - target * sigmoid(-input)))


@multilabel_terms.backward("target")
def _(g, input, weight):
    return -g * (weight * input)


def multilabel_soft_margin_loss(input: Tensor, target: Tensor, weight: Operand | None = None, reduction: str = "mean") -> Tensor:
    """Binary cross-entropy with logits, averaged over the last axis, the classes: −(1/C) Σ_c w_c (t log σ(x) + (1 − t) log σ(−x));
    then its mean, sum or each row's.

    Shapes: input and target (…, C) alike; weight broadcasts. Backward and tails: as `binary_cross_entropy_with_logits`. Edge values:
    targets outside [0, 1] are taken as they are. Deviation: shapes that differ are refused. Errors: ShapeError, DimError.
    """
    check_call("multilabel_soft_margin_loss", reduction, input=input, target=target)
    if not input.ndim:
        raise DimError("multilabel_soft_margin_loss: input must have an axis of classes, got a 0-d tensor")
    loss = multilabel_terms(input, target, weight, reduction)
    if reduction == "mean":
        return loss
    return loss / input.shape[-1] if reduction == "sum" else loss.mean(-1)


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
    return g * (exp(target) * (target + 1 - input))


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
    check_call("kl_div", "sum", input=input, target=target)
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
    Deviation: shapes that differ are refused, PyTorch broadcasts them; dL/dt with `full` is finite at t ≤ 0 too, PyTorch's is NaN.
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
def raised(x: Tensor, low: float = 1e-6) -> Tensor:
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
    check_call("gaussian_nll_loss", reduction, input=input, target=target)
    if isinstance(var, np.ndarray):
        var = Tensor(var)
    if not isinstance(var, Tensor):
        check_number("gaussian_nll_loss", var=var)
    _check_variance(var)
    if not isinstance(var, Tensor):
        return gaussian_nll(input, target, max(var, eps), full, reduction)
    if var.shape != input.shape:
        if var.shape == input.shape[:-1]:
            var = var.unsqueeze(-1)
        elif var.ndim != input.ndim or [n for n, m in zip(var.shape, input.shape, strict=True) if n != m] != [1]:
            raise ShapeError(f"gaussian_nll_loss: var of shape {var.shape} does not fit the input's shape {input.shape}")
    return gaussian_nll(input, target, raised(var, eps), full, reduction)


@by_replay("free")
def _check_variance(var: float | Tensor) -> None:
    if np.any((var.array if isinstance(var, Tensor) else var) < 0):
        raise DomainError("gaussian_nll_loss: var must not be negative, but it holds negative values")
