"""Step sizes by element: Adagrad, RMSprop, Adadelta, Rprop."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..core import Tensor
from ..core.tensor import Array
from ..kernels import update
from .optimizer import Call, Optimizer, settings_of

__all__ = ["Adadelta", "Adagrad", "RMSprop", "Rprop"]

Params = Iterable[Tensor] | Iterable[dict[str, Any]]


class Adagrad(Optimizer):
    """s ← s + d², p ← p − lr / (1 + (t − 1) η) · d / (√s + ε), with d = g + λ p, η = lr_decay, s = initial_accumulator_value at first.

    Source: Duchi et al. 2011, "Adaptive subgradient methods for online learning and stochastic optimization".
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ):
        super().__init__(params, settings_of(locals()))

    def check(self, group: Mapping[str, Any]) -> None:
        self.require_not_negative(group, "lr_decay", "weight_decay", "initial_accumulator_value", "eps")
        self.require_flags(group, "maximize")

    def state_names(self, group: Mapping[str, Any]) -> Sequence[str]:
        return ("sum",)

    def updates(self, group: Mapping[str, Any], step: int, state: Mapping[str, Array]) -> Sequence[Call]:
        if step == 1:  # once: its start, which is not 0
            state["sum"].fill(self.defaults["initial_accumulator_value"])
        step_size = group["lr"] / (1 + (step - 1) * group["lr_decay"])
        numbers = (float(step_size), float(group["weight_decay"]), float(group["eps"]))
        return [(update.adagrad, ("p", "sum", "g"), numbers)]


class RMSprop(Optimizer):
    """v ← α v + (1 − α) d², p ← p − lr d / (√v + ε), with d = g + λ p; centered, √(v − m²) for √v with m ← α m + (1 − α) d.

    With momentum μ: b ← μ b + d / (√v + ε), p ← p − lr b.
    Source: Tieleman & Hinton 2012, "Lecture 6.5: RMSprop"; Graves 2013, "Generating sequences with recurrent neural networks" (centered).
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ):
        super().__init__(params, settings_of(locals()))

    def check(self, group: Mapping[str, Any]) -> None:
        self.require_not_negative(group, "alpha", "eps", "weight_decay", "momentum")
        self.require_flags(group, "centered", "maximize")

    def state_names(self, group: Mapping[str, Any]) -> Sequence[str]:
        return ("square_avg", *(("momentum_buffer",) if group["momentum"] else ()), *(("grad_avg",) if group["centered"] else ()))

    def updates(self, group: Mapping[str, Any], step: int, state: Mapping[str, Array]) -> Sequence[Call]:
        lr, momentum, alpha = float(group["lr"]), float(group["momentum"]), group["alpha"]
        numbers = (float(group["weight_decay"]), float(alpha), float(1 - alpha), float(group["eps"]))
        scale: Call = (update.rmsprop, ("work", "square_avg", "p", "g"), numbers)
        if group["centered"]:
            scale = (update.rmsprop_centered, ("work", "square_avg", "grad_avg", "p", "g"), numbers)
        if momentum:
            return [scale, (update.sgd_momentum, ("p", "momentum_buffer", "work"), (lr, 0.0, momentum, 1.0, 0.0))]
        return [scale, (update.sgd, ("p", "work"), (lr, 0.0))]


class Adadelta(Optimizer):
    """v ← ρ v + (1 − ρ) d², δ = d √(u + ε) / √(v + ε), u ← ρ u + (1 − ρ) δ², p ← p − lr δ, with d = g + λ p.

    Source: Zeiler 2012, "ADADELTA: an adaptive learning rate method".
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ):
        super().__init__(params, settings_of(locals()))

    def check(self, group: Mapping[str, Any]) -> None:
        self.require_not_negative(group, "rho", "eps", "weight_decay")
        self.require(group, "rho", group["rho"] <= 1, "in [0, 1]")
        self.require_flags(group, "maximize")

    def state_names(self, group: Mapping[str, Any]) -> Sequence[str]:
        return ("square_avg", "acc_delta")

    def updates(self, group: Mapping[str, Any], step: int, state: Mapping[str, Array]) -> Sequence[Call]:
        rho = group["rho"]
        numbers = (float(group["lr"]), float(group["weight_decay"]), float(rho), float(1 - rho), float(group["eps"]))
        return [(update.adadelta, ("p", "square_avg", "acc_delta", "g"), numbers)]


class Rprop(Optimizer):
    """Steps by the sign of the gradient: p ← p − sign(g) s, where s grows by η⁺ while the sign stays and shrinks by η⁻ when it turns.

    s is lr at first and stays within step_sizes; etas = (η⁻, η⁺). After a turn the element rests for a step.
    Source: Riedmiller & Braun 1993, "A direct adaptive method for faster backpropagation learning: the RPROP algorithm".
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ):
        super().__init__(params, settings_of(locals()))

    def check(self, group: Mapping[str, Any]) -> None:
        self.require_pair(
            group, "etas", lambda shrink, grow: 0 < shrink < 1 < grow, "two numbers, the first in (0, 1), the second above 1"
        )
        self.require_pair(group, "step_sizes", lambda smallest, largest: True, "two numbers")
        self.require_flags(group, "maximize")

    def state_names(self, group: Mapping[str, Any]) -> Sequence[str]:
        return ("prev", "step_size")

    def updates(self, group: Mapping[str, Any], step: int, state: Mapping[str, Array]) -> Sequence[Call]:
        if step == 1:  # once: their start, which is not 0
            state["step_size"].fill(group["lr"])
        numbers = tuple(map(float, (*group["etas"], *group["step_sizes"])))
        return [(update.rprop, ("p", "prev", "step_size", "g"), numbers)]
