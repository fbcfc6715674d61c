"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..core import Tensor
from ..core.tensor import Array
from ..errors import ArgumentError
from ..kernels import update
from .optimizer import Call, Optimizer, settings_of

__all__ = ["ASGD", "SGD"]


class SGD(Optimizer):
    """p ← p − lr d with d = g + λ p; with momentum b ← μ b + (1 − τ) d (at first b = d), p ← p − lr b, or p − lr (d + μ b) by Nesterov.

    λ = weight_decay, μ = momentum, τ = dampening.
    Source: Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning".
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float | Tensor = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ):
        super().__init__(params, settings_of(locals()))

    def check(self, group: Mapping[str, Any]) -> None:
        self.require_not_negative(group, "momentum", "weight_decay")
        self.require_numbers(group, "dampening")
        self.require_flags(group, "nesterov", "maximize")
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ArgumentError(
                f"SGD: nesterov needs a momentum above 0 and no dampening, got momentum {group['momentum']}, dampening {group['dampening']}"
            )

    def state_names(self, group: Mapping[str, Any]) -> Sequence[str]:
        return ("momentum_buffer",) if group["momentum"] else ()

    def updates(self, group: Mapping[str, Any], step: int, state: Mapping[str, Array]) -> Sequence[Call]:
        lr, weight_decay, momentum = float(group["lr"]), float(group["weight_decay"]), float(group["momentum"])
        if not momentum:
            return [(update.sgd, ("p", "g"), (lr, weight_decay))]
        undamped = 1.0 if step == 1 else float(1.0 - group["dampening"])
        numbers = (lr, weight_decay, momentum, undamped, float(group["nesterov"]))
        return [(update.sgd_momentum, ("p", "momentum_buffer", "g"), numbers)]


class ASGD(Optimizer):
    """SGD whose iterates are averaged: p ← (1 − λ η) p − η d, ax ← ax + μ (p − ax), with d = g + weight_decay · p, λ = lambd.

    η is lr at first, then lr / (1 + λ lr t)^α; μ is 1 up to step t0, then 1 / (t − t0). The average is the state "ax". As in PyTorch η
    and μ are numbers of the default dtype.
    Source: Polyak & Juditsky 1992, "Acceleration of stochastic approximation by averaging".
    """

    number_names = ("eta", "mu")

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float | Tensor = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ):
        super().__init__(params, settings_of(locals()))

    def check(self, group: Mapping[str, Any]) -> None:
        self.require_not_negative(group, "weight_decay")
        self.require_numbers(group, "lambd", "alpha", "t0")
        self.require_flags(group, "maximize")

    def state_names(self, group: Mapping[str, Any]) -> Sequence[str]:
        return ("ax",)

    def updates(self, group: Mapping[str, Any], step: int, state: Mapping[str, Array]) -> Sequence[Call]:
        lr, lambd, eta, mu = group["lr"], group["lambd"], state["eta"], state["mu"]
        if step == 1:
            eta[:], mu[:] = lr, 1
        numbers = (eta.item(), float(1 - lambd * eta.item()), float(group["weight_decay"]), mu.item())
        eta[:], mu[:] = lr / (1 + lambd * lr * step) ** group["alpha"], 1 / max(1, step - group["t0"])
        return [(update.asgd, ("p", "ax", "g"), numbers)]
