"""What all schedules share: the epoch, the optimizer's rates, state_dict."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from types import FunctionType
from typing import Any

from ...core import Tensor, by_replay
from ...core.check import check_number
from ...errors import ArgumentError, InputTypeError, StateDictError
from ..optimizer import Optimizer

__all__ = [
    "LRScheduler",
    "by_group",
    "check_optimizer",
    "check_positive",
    "held",
    "rate_of",
    "set_momentum",
    "set_rate",
    "warn_of_epoch",
]


class LRScheduler:
    """Base of the schedules: `step()`, after the optimizer's steps of an epoch, sets each group's learning rate to what `get_lr` returns.

    A schedule of one's own defines `get_lr` (or `rates`, which `get_lr` hands on). With `last_epoch` a schedule goes on after that epoch;
    the groups must then have an "initial_lr". As in PyTorch `step()` warns if the optimizer's step was not called before.
    Errors: InputTypeError for what is no optimizer, KeyError for a group without "initial_lr".
    """

    _within_step = False
    _is_initial = False

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1):
        check_optimizer(self.name, optimizer)
        self.optimizer = optimizer
        for n, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", rate_of(group))
            elif "initial_lr" not in group:
                raise KeyError(
                    f"{self.name}: 'initial_lr' is missing in param_groups[{n}], which last_epoch {last_epoch} needs; load the "
                    "optimizer's state first, or leave last_epoch at -1"
                )
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._initial_step()

    @property
    def name(self) -> str:
        return type(self).__name__

    def _initial_step(self) -> None:
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    # ---- what a subclass defines

    def rates(self) -> Sequence[float]:
        """The learning rates of the epoch `last_epoch`, one a group; the groups hold those of the epoch before."""
        raise NotImplementedError(f"{self.name} does not define get_lr")

    def rates_at_once(self) -> Sequence[float]:
        """The learning rates of the epoch `last_epoch`, whatever the groups hold: for an epoch that was jumped to."""
        return self.get_lr()

    # ---- what they share

    def get_lr(self) -> Sequence[float]:
        """What `step` sets. Ask for the rates in force with `get_last_lr`."""
        if not self._within_step:
            warnings.warn(
                f"{self.name}.get_lr: ask for the learning rates in force with `get_last_lr()`", UserWarning, stacklevel=2
            )
        return self.rates()

    def get_last_lr(self) -> list[float]:
        """The learning rates that the last step set, one a group."""
        return self._last_lr

    @by_replay("barrier")
    def step(self, epoch: int | None = None) -> None:
        """Go on to the next epoch (or, deprecated as in PyTorch, to `epoch`)."""
        if self._step_count == 1 and not self.optimizer.stepped:
            warnings.warn(
                "Detected call of `lr_scheduler.step()` before `optimizer.step()`: the first learning rate of the schedule is skipped; "
                "call `optimizer.step()` first",
                UserWarning,
                stacklevel=3,
            )
        self._step_count += 1
        if epoch is not None:
            warn_of_epoch(self.name)
        self._update_lr(epoch)

    def _update_lr(self, epoch: int | None = None) -> None:
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        self._within_step = True
        try:
            rates = self.get_lr() if epoch is None else self.rates_at_once()
        finally:
            self._within_step = False
        self._set_rates(rates)

    def _set_rates(self, rates: Sequence[float]) -> None:
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            set_rate(group, rate)
        self._last_lr = [rate_of(group) for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """All that the schedule knows, but for the optimizer."""
        return {key: value for key, value in vars(self).items() if key != "optimizer"}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over a state_dict of a schedule like this one."""
        if not isinstance(state_dict, Mapping):
            raise StateDictError(f"{self.name}.load_state_dict: expected a dictionary, got {type(state_dict).__name__}")
        vars(self).update(state_dict)


def check_optimizer(name: str, optimizer: Any) -> None:
    if not isinstance(optimizer, Optimizer):
        raise InputTypeError(f"{name}: optimizer must be an Optimizer, got {type(optimizer).__name__}")


def by_group(name: str, argument: str, optimizer: Optimizer, value: Any) -> list[Any]:
    """A value for each group, given one for all or a list."""
    check_optimizer(name, optimizer)
    groups = len(optimizer.param_groups)
    if not isinstance(value, (list, tuple)):
        return [value] * groups
    if len(value) != groups:
        raise ArgumentError(f"{name}: {argument} has {len(value)} values, but the optimizer has {groups} parameter groups")
    return list(value)


def check_positive(name: str, **values: Any) -> None:
    """Refuse what is no number above 0."""
    check_number(name, **values)
    for argument, value in values.items():
        if not value > 0:
            raise ArgumentError(f"{name}: {argument} must be above 0, got {value}")


def held(function: Any) -> dict[str, Any] | None:
    """What a callable object holds, for a state_dict; a function holds nothing."""
    return None if function is None or isinstance(function, FunctionType) else vars(function).copy()


def rate_of(group: Mapping[str, Any]) -> Any:
    """The learning rate of a group, as a number."""
    return group["lr"].item() if isinstance(group["lr"], Tensor) else group["lr"]


def set_rate(group: dict[str, Any], rate: float) -> None:
    """Set the learning rate of a group; one that is a Tensor stays that Tensor."""
    if isinstance(group["lr"], Tensor):
        group["lr"].fill_(rate)
    else:
        group["lr"] = rate


def set_momentum(group: dict[str, Any], value: float) -> None:
    """Set the momentum of a group, or its β₁."""
    if "betas" in group:
        group["betas"] = (value, *group["betas"][1:])
    else:
        group["momentum"] = value


def warn_of_epoch(name: str) -> None:
    warnings.warn(f"{name}.step: the argument epoch is deprecated; call step() once an epoch", UserWarning, stacklevel=4)
