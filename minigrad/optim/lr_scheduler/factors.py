"""Schedules that multiply the learning rates: by a power of the epoch, along a line, by functions of one's own."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ...core.check import check_number
from ...errors import ArgumentError, InputTypeError
from ..optimizer import Optimizer
from .base import LRScheduler, by_group, check_positive, held, rate_of

__all__ = [
    "ConstantLR",
    "ExponentialLR",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "PolynomialLR",
    "StepLR",
]


class _Factor(LRScheduler):
    """A schedule that multiplies the rates in force, so that other changes to them stay."""

    def ratio(self) -> float:
        """By what the rates of the epoch before are multiplied."""
        raise NotImplementedError

    def whole_ratio(self) -> float:
        """By what the initial rates are multiplied, for an epoch that was jumped to."""
        raise NotImplementedError

    def rates(self) -> Sequence[float]:
        ratio = self.ratio()
        return [rate_of(group) * ratio for group in self.optimizer.param_groups]

    def rates_at_once(self) -> Sequence[float]:
        ratio = self.whole_ratio()
        return [lr * ratio for lr in self.base_lrs]


class StepLR(_Factor):
    """lr₀ γ^⌊t / step_size⌋: a factor of `gamma` every `step_size` epochs."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1):
        check_positive("StepLR", step_size=step_size)
        check_number("StepLR", gamma=gamma)
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def ratio(self) -> float:
        return self.gamma if self.last_epoch and self.last_epoch % self.step_size == 0 else 1.0

    def whole_ratio(self) -> float:
        return self.gamma ** (self.last_epoch // self.step_size)


class MultiStepLR(_Factor):
    """lr₀ γⁿ, n the number of `milestones` up to this epoch; a milestone that is listed twice counts twice."""

    def __init__(self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1):
        check_number("MultiStepLR", gamma=gamma)
        if not isinstance(milestones, Iterable):
            raise InputTypeError(f"MultiStepLR: milestones must be a list of epochs, got {milestones!r}")
        self.milestones, self.gamma = Counter(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def ratio(self) -> float:
        return self.gamma ** self.milestones[self.last_epoch]

    def whole_ratio(self) -> float:
        return self.gamma ** bisect_right(sorted(self.milestones.elements()), self.last_epoch)


class ConstantLR(_Factor):
    """lr₀ · factor for the first `total_iters` epochs, then lr₀."""

    def __init__(self, optimizer: Optimizer, factor: float = 1 / 3, total_iters: int = 5, last_epoch: int = -1):
        if not 0 <= factor <= 1:
            raise ArgumentError(f"ConstantLR: factor must be in [0, 1], got {factor}")
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def ratio(self) -> float:
        if self.last_epoch == 0:
            return self.factor
        return 1 / self.factor if self.last_epoch == self.total_iters else 1.0

    def whole_ratio(self) -> float:
        return self.factor + (self.last_epoch >= self.total_iters) * (1 - self.factor)


class LinearLR(_Factor):
    """lr₀ (a + (b − a) t / total_iters), from the factor a = start_factor to b = end_factor, where it stays."""

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ):
        if not 0 < start_factor <= 1:
            raise ArgumentError(f"LinearLR: start_factor must be in (0, 1], got {start_factor}")
        if not 0 <= end_factor <= 1:
            raise ArgumentError(f"LinearLR: end_factor must be in [0, 1], got {end_factor}")
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer, last_epoch)

    def ratio(self) -> float:
        if self.last_epoch == 0:
            return self.start_factor
        if self._is_initial or self.last_epoch > self.total_iters:
            return 1.0
        rise = self.end_factor - self.start_factor
        return 1 + rise / (self.total_iters * self.start_factor + (self.last_epoch - 1) * rise)

    def whole_ratio(self) -> float:
        rise = self.end_factor - self.start_factor
        return self.start_factor + rise * min(self.total_iters, self.last_epoch) / self.total_iters


class ExponentialLR(_Factor):
    """lr₀ γᵗ."""

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1):
        check_number("ExponentialLR", gamma=gamma)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def ratio(self) -> float:
        return 1.0 if self._is_initial else self.gamma

    def whole_ratio(self) -> float:
        return self.gamma**self.last_epoch


class PolynomialLR(_Factor):
    """lr₀ (1 − t / total_iters)^power, 0 after `total_iters` epochs."""

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1):
        self.total_iters, self.power = total_iters, power
        super().__init__(optimizer, last_epoch)

    def ratio(self) -> float:
        if self._is_initial or self.last_epoch > self.total_iters:
            return 1.0
        rest, before = (1 - epoch / self.total_iters for epoch in (self.last_epoch, self.last_epoch - 1))
        return float((rest / before) ** self.power)

    def whole_ratio(self) -> float:
        return float((1 - min(self.total_iters, self.last_epoch) / self.total_iters) ** self.power)


class LambdaLR(LRScheduler):
    """lr₀ f(t), with one function `lr_lambda` for all groups, or a list of one for each.

    A state_dict holds what callable objects hold; of functions nothing.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ):
        self.lr_lambdas = by_group(self.name, "lr_lambda", optimizer, lr_lambda)
        for function in self.lr_lambdas:
            if not callable(function):
                raise InputTypeError(f"{self.name}: lr_lambda must be a function, got {type(function).__name__}")
        super().__init__(optimizer, last_epoch)

    def rates(self) -> Sequence[float]:
        return [lr * function(self.last_epoch) for lr, function in zip(self.base_lrs, self.lr_lambdas, strict=True)]

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "lr_lambdas": [held(function) for function in self.lr_lambdas]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        functions = self.lr_lambdas
        super().load_state_dict(state_dict)
        self.lr_lambdas = functions
        for function, values in zip(functions, state_dict["lr_lambdas"], strict=True):
            vars(function).update(values or {})


class MultiplicativeLR(LambdaLR):
    """lr₀ f(1) f(2) ⋯ f(t): every epoch a factor of f(t), with functions as `LambdaLR` takes them."""

    def rates(self) -> Sequence[float]:
        groups = self.optimizer.param_groups
        if self._is_initial:
            return [rate_of(group) for group in groups]
        return [rate_of(group) * function(self.last_epoch) for group, function in zip(groups, self.lr_lambdas, strict=True)]
