"""Adam and AdamW."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..core import Tensor
from ..core.tensor import Array
from ..kernels import update
from .optimizer import Optimizer

__all__ = ["Adam", "AdamW"]


class Adam(Optimizer):
    """m ← β₁ m + (1 − β₁) d, v ← β₂ v + (1 − β₂) d², p ← p − lr m̂ / (√v̂ + ε), with d = g + λ p, m̂ = m / (1 − β₁ᵗ), v̂ = v / (1 − β₂ᵗ).

    λ = weight_decay is L2 in the gradient, which the division by √v̂ distorts: AdamW keeps the two apart.
    Source: Kingma & Ba 2015, "Adam: a method for stochastic optimization".
    """

    decoupled = False

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
    ):
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    def check(self, group: Mapping[str, Any]) -> None:
        self.require_not_negative(group, "lr", "eps", "weight_decay")
        betas = group["betas"]
        pair = isinstance(betas, (tuple, list)) and len(betas) == 2 and all(isinstance(beta, (int, float)) for beta in betas)
        self.require(group, "betas", pair and all(0 <= beta < 1 for beta in betas), "two numbers in [0, 1)")

    def state_names(self, group: Mapping[str, Any]) -> Sequence[str]:
        return ("exp_avg", "exp_avg_sq")

    def update(self, group: Mapping[str, Any], step: int, p: Array, g: Array, state: Sequence[Array]) -> None:
        (beta1, beta2), lr, weight_decay = group["betas"], group["lr"], float(group["weight_decay"])
        shrink, added_decay = (1 - lr * weight_decay, 0.0) if self.decoupled else (1.0, weight_decay)
        root = math.sqrt(1 - beta2**step)
        step_size, eps = lr * root / (1 - beta1**step), group["eps"] * root
        update.adam[p.dtype](p, state[0], state[1], g, step_size, shrink, added_decay, beta1, beta2, 1 - beta1, 1 - beta2, eps)


class AdamW(Adam):
    """Adam with decoupled weight decay: p ← p (1 − lr λ) beside the Adam step, whose gradient the decay does not enter.

    Source: Loshchilov & Hutter 2019, "Decoupled weight decay regularization".
    """

    decoupled = True

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ):
        super().__init__(params, lr, betas, eps, weight_decay)
