"""Schedules that rise and fall: cosine annealing, cyclic rates, one cycle."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...core import by_replay
from ...errors import ArgumentError
from ..optimizer import Optimizer
from .base import LRScheduler, by_group, check_optimizer, check_positive, held, rate_of, set_momentum, set_rate

__all__ = ["CosineAnnealingLR", "CosineAnnealingWarmRestarts", "CyclicLR", "OneCycleLR"]


class CosineAnnealingLR(LRScheduler):
    """η + (lr₀ − η)(1 + cos(π t / T_max)) / 2, with η = eta_min: half a wave down, then up again.

    Each epoch goes on from the rate in force, so that other changes to it stay.
    Source: Loshchilov & Hutter 2017, "SGDR: stochastic gradient descent with warm restarts", without the restarts.
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1):
        check_positive("CosineAnnealingLR", T_max=T_max)
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def rates(self) -> Sequence[float]:
        groups, t, low = self.optimizer.param_groups, self.last_epoch, self.eta_min
        if self._is_initial:
            return [rate_of(group) for group in groups]
        if (t - 1 - self.T_max) % (2 * self.T_max) == 0:  # up from the bottom, where the ratio below is 0 / 0
            rise = 1 - math.cos(math.pi / self.T_max)
            return [rate_of(group) + (lr - low) * rise / 2 for group, lr in zip(groups, self.base_lrs, strict=True)]
        now, before = (1 + math.cos(math.pi * epoch / self.T_max) for epoch in (t, t - 1))
        return [now / before * (rate_of(group) - low) + low for group in groups]

    def rates_at_once(self) -> Sequence[float]:
        return _cosine(self.base_lrs, self.eta_min, self.last_epoch, self.T_max)


def _cosine(rates: Sequence[float], low: float, t: float, period: float) -> list[float]:
    return [low + (lr - low) * (1 + math.cos(math.pi * t / period)) / 2 for lr in rates]


class CosineAnnealingWarmRestarts(LRScheduler):
    """η + (lr₀ − η)(1 + cos(π T_cur / T_i)) / 2, with η = eta_min: down in T_i epochs, then anew with T_i `T_mult` times as long.

    T_i is `T_0` at first, T_cur counts from the last restart. `step(epoch)` takes fractions of an epoch too.
    Source: Loshchilov & Hutter 2017, "SGDR: stochastic gradient descent with warm restarts".
    """

    def __init__(self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1):
        for name, value in (("T_0", T_0), ("T_mult", T_mult)):
            if not isinstance(value, int) or value < 1:
                raise ArgumentError(f"CosineAnnealingWarmRestarts: {name} must be a positive int, got {value!r}")
        if not isinstance(eta_min, (int, float)):
            raise ArgumentError(f"CosineAnnealingWarmRestarts: eta_min must be a number, got {eta_min!r}")
        self.T_0, self.T_i, self.T_mult, self.eta_min = T_0, T_0, T_mult, eta_min
        self.T_cur: float = last_epoch
        super().__init__(optimizer, last_epoch)

    def rates(self) -> Sequence[float]:
        return _cosine(self.base_lrs, self.eta_min, self.T_cur, self.T_i)

    @by_replay("barrier")
    def step(self, epoch: float | None = None) -> None:
        """Go on to the next epoch, or to `epoch`, which may lie between two."""
        if epoch is None and self.last_epoch >= 0:
            epoch = self.last_epoch + 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur %= self.T_i
                self.T_i *= self.T_mult
        else:
            epoch = epoch or 0
            if epoch < 0:
                raise ArgumentError(f"CosineAnnealingWarmRestarts.step: epoch must be at least 0, got {epoch}")
            self._jump(epoch)
        self._update_lr(math.floor(epoch))

    def _jump(self, epoch: float) -> None:
        if self.T_mult == 1 or epoch < self.T_0:
            restarts = 0
            self.T_cur = epoch % self.T_0
        else:
            restarts = int(math.log(epoch / self.T_0 * (self.T_mult - 1) + 1, self.T_mult))
            self.T_cur = epoch - self.T_0 * (self.T_mult**restarts - 1) / (self.T_mult - 1)
        self.T_i = self.T_0 * self.T_mult**restarts


class _Cycling(LRScheduler):
    """A schedule that moves momentum, or β₁, against the learning rate."""

    def _start_momentum(self, base_momentum: Any, max_momentum: Any, last_epoch: int) -> None:
        optimizer = self.optimizer
        if "momentum" not in optimizer.defaults and "betas" not in optimizer.defaults:
            raise ArgumentError(f"{self.name}: cycle_momentum needs an optimizer with momentum or betas, got {optimizer.name}")
        self.base_momentums = by_group(self.name, "base_momentum", optimizer, base_momentum)
        self.max_momentums = by_group(self.name, "max_momentum", optimizer, max_momentum)
        if last_epoch == -1:
            for group, low, high in zip(optimizer.param_groups, self.base_momentums, self.max_momentums, strict=True):
                set_momentum(group, high)
                group["max_momentum"], group["base_momentum"] = high, low


class CyclicLR(_Cycling):
    """Up from base_lr to max_lr in `step_size_up` steps and down again in `step_size_down` (as many, if None), over and over.

    mode "triangular2" halves the height every cycle, "exp_range" takes gammaᵗ of it; or scale_fn(cycle) of it, with scale_mode
    "iterations" scale_fn(t). With cycle_momentum the momentum (or β₁) goes from max_momentum down to base_momentum and up.
    Source: Smith 2017, "Cyclical learning rates for training neural networks".
    """

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | Sequence[float],
        max_lr: float | Sequence[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | Sequence[float] = 0.8,
        max_momentum: float | Sequence[float] = 0.9,
        last_epoch: int = -1,
    ):
        base_lrs = by_group("CyclicLR", "base_lr", optimizer, base_lr)
        self.max_lrs = by_group("CyclicLR", "max_lr", optimizer, max_lr)
        if mode not in ("triangular", "triangular2", "exp_range") and scale_fn is None:
            raise ArgumentError(f"CyclicLR: mode must be one of 'triangular', 'triangular2', 'exp_range', got {mode!r}")
        down = step_size_up if step_size_down is None else step_size_down
        self.total_size = float(step_size_up) + float(down)
        self.step_ratio = step_size_up / self.total_size
        self.mode, self.gamma, self.custom_scale = mode, gamma, scale_fn
        self.scale_mode = scale_mode if scale_fn else "iterations" if mode == "exp_range" else "cycle"
        self.optimizer, self.cycle_momentum = optimizer, cycle_momentum
        if last_epoch == -1:
            for group, lr in zip(optimizer.param_groups, base_lrs, strict=True):
                set_rate(group, lr)
        if cycle_momentum:
            self._start_momentum(base_momentum, max_momentum, last_epoch)
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def scale_fn(self, x: float) -> float:
        """By what the height of a cycle is scaled."""
        if self.custom_scale is not None:
            return self.custom_scale(x)
        if self.mode == "triangular2":
            return float(0.5 ** (x - 1))
        return self.gamma**x if self.mode == "exp_range" else 1.0

    def rates(self) -> Sequence[float]:
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        height = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        scale = self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            for group, low, high in zip(self.optimizer.param_groups, self.base_momentums, self.max_momentums, strict=True):
                set_momentum(group, high - (high - low) * height * scale)
        return [low + (high - low) * height * scale for low, high in zip(self.base_lrs, self.max_lrs, strict=True)]

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "custom_scale": held(self.custom_scale)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        scale = self.custom_scale
        super().load_state_dict(state_dict)
        self.custom_scale = scale
        if scale is not None:
            vars(scale).update(state_dict["custom_scale"] or {})


class OneCycleLR(_Cycling):
    """From max_lr / div_factor up to max_lr in `pct_start` of the steps, then down to 1 / final_div_factor of where it began.

    Along half a cosine, or a line (anneal_strategy "linear"); with `three_phase` down as it went up, and then further. With
    cycle_momentum the momentum (or β₁) goes from max_momentum down to base_momentum and back. The steps are `total_steps`, or
    epochs · steps_per_epoch; `step()` is called after every step of the optimizer, and beyond the last raises ArgumentError.
    Source: Smith & Topin 2018, "Super-convergence: very fast training of neural networks using large learning rates".
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | Sequence[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | Sequence[float] = 0.85,
        max_momentum: float | Sequence[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ):
        check_optimizer("OneCycleLR", optimizer)
        self.optimizer = optimizer
        self.total_steps = _steps(total_steps, epochs, steps_per_epoch)
        if not isinstance(pct_start, float) or not 0 <= pct_start <= 1:
            raise ArgumentError(f"OneCycleLR: pct_start must be a float in [0, 1], got {pct_start!r}")
        if anneal_strategy not in ("cos", "linear"):
            raise ArgumentError(f"OneCycleLR: anneal_strategy must be 'cos' or 'linear', got {anneal_strategy!r}")
        self.anneal_strategy, self.cycle_momentum = anneal_strategy, cycle_momentum
        # Where each phase ends, and the names of the learning rate and of the momentum that it ends with.
        top = ("max_lr", "base_momentum")
        self.phases: list[tuple[float, str, str]] = [(pct_start * self.total_steps - 1, *top)]
        if three_phase:
            self.phases.append((2 * pct_start * self.total_steps - 2, "initial_lr", "max_momentum"))
        self.phases.append((self.total_steps - 1, "min_lr", "max_momentum"))
        rates = by_group("OneCycleLR", "max_lr", optimizer, max_lr)
        if last_epoch == -1:
            for group, lr in zip(optimizer.param_groups, rates, strict=True):
                group["initial_lr"] = lr / div_factor
                group["max_lr"] = lr
                group["min_lr"] = group["initial_lr"] / final_div_factor
        if cycle_momentum:
            self._start_momentum(base_momentum, max_momentum, last_epoch)
        super().__init__(optimizer, last_epoch)

    def rates(self) -> Sequence[float]:
        t = self.last_epoch
        if t > self.total_steps:
            raise ArgumentError(f"OneCycleLR.step: called {t} times, but the schedule has {self.total_steps} steps")
        start, lr, momentum = 0.0, "initial_lr", "max_momentum"
        for end, end_lr, end_momentum in self.phases:
            if t <= end or end == self.phases[-1][0]:
                break
            start, lr, momentum = end, end_lr, end_momentum
        part = (t - start) / (end - start)
        if self.cycle_momentum:
            for group in self.optimizer.param_groups:
                set_momentum(group, self._between(group[momentum], group[end_momentum], part))
        return [self._between(group[lr], group[end_lr], part) for group in self.optimizer.param_groups]

    def _between(self, start: float, end: float, part: float) -> float:
        if self.anneal_strategy == "linear":
            return (end - start) * part + start
        return end + (start - end) / 2 * (math.cos(math.pi * part) + 1)


def _steps(total_steps: int | None, epochs: int | None, steps_per_epoch: int | None) -> int:
    given = {"total_steps": total_steps} if total_steps is not None else {"epochs": epochs, "steps_per_epoch": steps_per_epoch}
    for name, value in given.items():
        if value is None:
            raise ArgumentError("OneCycleLR: give total_steps, or both epochs and steps_per_epoch")
        if not isinstance(value, int) or value <= 0:
            raise ArgumentError(f"OneCycleLR: {name} must be a positive int, got {value!r}")
    return math.prod(value for value in given.values() if value is not None)
