"""Adam and its kin: averages of gradients, divided by averages of their squares."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..core import Tensor
from ..core.tensor import Array
from ..kernels import update
from .optimizer import Call, Optimizer, settings_of

__all__ = ["Adam", "AdamW", "Adamax", "NAdam", "RAdam"]

Params = Iterable[Tensor] | Iterable[dict[str, Any]]


class _Moments(Optimizer):
    """What the family shares: the settings' ranges, the state, and where weight decay goes."""

    def check(self, group: Mapping[str, Any]) -> None:
        self.require_not_negative(group, "eps", "weight_decay")
        self.require_pair(group, "betas", lambda beta1, beta2: 0 <= beta1 < 1 and 0 <= beta2 < 1, "two numbers in [0, 1)")
        self.require_flags(group, "maximize", *(name for name in ("amsgrad", "decoupled_weight_decay") if name in group))

    def state_names(self, group: Mapping[str, Any]) -> Sequence[str]:
        return ("exp_avg", "exp_avg_sq")

    def common(self, group: Mapping[str, Any]) -> tuple[float, ...]:
        """The numbers that all kernels but Adamax's take: shrink, weight_decay (one of the two decays), beta1, beta2, rest1, rest2."""
        (beta1, beta2), weight_decay = group["betas"], float(group["weight_decay"])
        decoupled = group["decoupled_weight_decay"]
        shrink, weight_decay = (float(1 - group["lr"] * weight_decay), 0.0) if decoupled else (1.0, weight_decay)
        return shrink, weight_decay, float(beta1), float(beta2), float(1 - beta1), float(1 - beta2)


class Adam(_Moments):
    """m ← β₁ m + (1 − β₁) d, v ← β₂ v + (1 − β₂) d², p ← p − lr m̂ / (√v̂ + ε), with d = g + λ p, m̂ = m / (1 − β₁ᵗ), v̂ = v / (1 − β₂ᵗ).

    With amsgrad the largest v so far takes the place of v in v̂. λ = weight_decay is L2 in the gradient, which the division by √v̂
    distorts: AdamW, or decoupled_weight_decay, keeps the two apart.
    Source: Kingma & Ba 2015, "Adam: a method for stochastic optimization"; Reddi et al. 2018, "On the convergence of Adam and beyond".
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ):
        super().__init__(params, settings_of(locals()))

    def state_names(self, group: Mapping[str, Any]) -> Sequence[str]:
        return ("exp_avg", "exp_avg_sq", "max_exp_avg_sq") if group["amsgrad"] else ("exp_avg", "exp_avg_sq")

    def updates(self, group: Mapping[str, Any], step: int, state: Mapping[str, Array]) -> Sequence[Call]:
        beta1, beta2 = group["betas"]
        root = math.sqrt(1 - beta2**step)
        step_size, eps = group["lr"] * root / (1 - beta1**step), group["eps"] * root
        numbers = (float(step_size), *self.common(group), float(eps))
        if group["amsgrad"]:
            return [(update.adam_amsgrad, ("p", "exp_avg", "exp_avg_sq", "max_exp_avg_sq", "g"), numbers)]
        return [(update.adam, ("p", "exp_avg", "exp_avg_sq", "g"), numbers)]


class AdamW(Adam):
    """Adam with decoupled weight decay: p ← p (1 − lr λ) beside the Adam step, whose gradient the decay does not enter.

    Source: Loshchilov & Hutter 2019, "Decoupled weight decay regularization".
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ):
        super().__init__(params, **settings_of(locals()), decoupled_weight_decay=True)


class NAdam(_Moments):
    """Adam with Nesterov's look ahead: p ← p − lr ((1 − μₜ) d / (1 − Πμ) + μₜ₊₁ m / (1 − Πμ μₜ₊₁)) / (√v̂ + ε).

    μₜ = β₁ (1 − ½ · 0.96^(t ψ)) with ψ = momentum_decay, Πμ = μ₁ ⋯ μₜ. As in PyTorch Πμ, the state mu_product, is a number of the
    default dtype: float32 rounds it, in float64 training too, unless `set_default_dtype` says otherwise when the optimizer is made.
    Source: Dozat 2016, "Incorporating Nesterov momentum into Adam".
    """

    number_names = ("mu_product",)

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ):
        super().__init__(params, settings_of(locals()))

    def check(self, group: Mapping[str, Any]) -> None:
        super().check(group)
        self.require_not_negative(group, "momentum_decay")

    def updates(self, group: Mapping[str, Any], step: int, state: Mapping[str, Array]) -> Sequence[Call]:
        (beta1, beta2), lr = group["betas"], group["lr"]
        mu, mu_next = (beta1 * (1 - 0.5 * 0.96 ** (t * group["momentum_decay"])) for t in (step, step + 1))
        product = state["mu_product"]
        product[:] = mu if step == 1 else product * product.dtype.type(mu)
        root = math.sqrt(1 - beta2**step)
        step_size = lr * root * (1 - mu) / (1 - product.item())
        step_size_next = lr * root * mu_next / (1 - product.item() * mu_next)
        numbers = (float(step_size), float(step_size_next), *self.common(group), float(group["eps"] * root))
        return [(update.nadam, ("p", "exp_avg", "exp_avg_sq", "g"), numbers)]


class RAdam(_Moments):
    """Adam with its step size rectified: p ← p − lr r m̂ / (√v̂ + ε) while v̂ has a variance, at first p ← p − lr m̂.

    r = √((ρₜ − 4)(ρₜ − 2) ρ∞ / ((ρ∞ − 4)(ρ∞ − 2) ρₜ)) where ρₜ = ρ∞ − 2 t β₂ᵗ / (1 − β₂ᵗ) > 5, ρ∞ = 2 / (1 − β₂) − 1. As in PyTorch
    ε is added to √v, before the bias correction.
    Source: Liu et al. 2020, "On the variance of the adaptive learning rate and beyond".
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ):
        super().__init__(params, settings_of(locals()))

    def updates(self, group: Mapping[str, Any], step: int, state: Mapping[str, Array]) -> Sequence[Call]:
        beta1, beta2 = group["betas"]
        correction = 1 - beta2**step
        most = 2 / (1 - beta2) - 1
        rho = most - 2 * step * beta2**step / correction
        adaptive, step_size = rho > 5, group["lr"] / (1 - beta1**step)
        if adaptive:
            step_size *= math.sqrt(correction * (rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho))
        numbers = (float(step_size), *self.common(group), float(group["eps"]), float(adaptive))
        return [(update.radam, ("p", "exp_avg", "exp_avg_sq", "g"), numbers)]


class Adamax(_Moments):
    """Adam over the largest gradients: m ← β₁ m + (1 − β₁) d, u ← max(β₂ u, |d| + ε), p ← p − lr m / ((1 − β₁ᵗ) u), with d = g + λ p.

    Source: Kingma & Ba 2015, "Adam: a method for stochastic optimization", section 7.1.
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ):
        super().__init__(params, settings_of(locals()))

    def state_names(self, group: Mapping[str, Any]) -> Sequence[str]:
        return ("exp_avg", "exp_inf")

    def updates(self, group: Mapping[str, Any], step: int, state: Mapping[str, Array]) -> Sequence[Call]:
        (beta1, beta2), step_size = group["betas"], group["lr"] / (1 - group["betas"][0] ** step)
        numbers = (step_size, group["weight_decay"], beta1, beta2, 1 - beta1, group["eps"])
        return [(update.adamax, ("p", "exp_avg", "exp_inf", "g"), tuple(map(float, numbers)))]
