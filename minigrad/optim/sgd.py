"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..core import Tensor
from ..core.tensor import Array
from ..errors import ArgumentError
from ..kernels import update
from .optimizer import Optimizer

__all__ = ["SGD"]


class SGD(Optimizer):
    """p ← p − lr d with d = g + λ p; with momentum b ← μ b + (1 − τ) d (at first b = d), p ← p − lr b, or p − lr (d + μ b) by Nesterov.

    λ = weight_decay, μ = momentum, τ = dampening.
    Source: Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning".
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ):
        settings = {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay, "nesterov": nesterov}
        super().__init__(params, {**settings, "maximize": maximize})

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

    def update(self, group: Mapping[str, Any], step: int, p: Array, g: Array, state: Mapping[str, Array]) -> None:
        lr, weight_decay, momentum = float(group["lr"]), float(group["weight_decay"]), float(group["momentum"])
        if not momentum:
            update.sgd[p.dtype](p, g, lr, weight_decay)
            return
        undamped, buffer = 1.0 if step == 1 else 1.0 - group["dampening"], state["momentum_buffer"]
        update.sgd_momentum[p.dtype](p, buffer, g, lr, weight_decay, momentum, undamped, float(group["nesterov"]))
