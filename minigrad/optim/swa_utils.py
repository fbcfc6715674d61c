"""Averages of weights: exponential moving averages (EMA) and stochastic weight averaging (SWA)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from typing import Any

import numpy as np

from ..core import Tensor, by_replay, check_device, no_grad, touch
from ..errors import ArgumentError, InputTypeError
from ..nn.module import Module
from .lr_scheduler.base import LRScheduler, by_group, rate_of
from .optimizer import Optimizer

__all__ = [
    "SWALR",
    "AveragedModel",
    "get_ema_avg_fn",
    "get_ema_multi_avg_fn",
    "get_swa_avg_fn",
    "get_swa_multi_avg_fn",
    "update_bn",
]

Average = Callable[[Tensor, Tensor, Tensor], Tensor]
MultiAverage = Callable[[Sequence[Tensor], Sequence[Tensor], Tensor], None]


def get_ema_avg_fn(decay: float = 0.999) -> Average:
    """An `avg_fn`: decay · average + (1 − decay) · parameter."""
    if not 0 <= decay <= 1:
        raise ArgumentError(f"get_ema_avg_fn: decay must be in [0, 1], got {decay}")

    @no_grad()
    def ema_update(ema_param: Tensor, current_param: Tensor, num_averaged: Tensor) -> Tensor:
        return decay * ema_param + (1 - decay) * current_param

    return ema_update


def get_swa_avg_fn() -> Average:
    """An `avg_fn`: the mean of all so far, average + (parameter − average) / (n + 1)."""

    @no_grad()
    def swa_update(averaged_param: Tensor, current_param: Tensor, num_averaged: Tensor) -> Tensor:
        return averaged_param + (current_param - averaged_param) / (int(num_averaged) + 1)

    return swa_update


def get_ema_multi_avg_fn(decay: float = 0.999) -> MultiAverage:
    """A `multi_avg_fn`: `get_ema_avg_fn` over lists of tensors, in place."""
    return _over_lists(get_ema_avg_fn(decay))


def get_swa_multi_avg_fn() -> MultiAverage:
    """A `multi_avg_fn`: `get_swa_avg_fn` over lists of tensors, in place."""
    return _over_lists(get_swa_avg_fn())


def _over_lists(average: Average) -> MultiAverage:
    @no_grad()
    def update(averaged_params: Sequence[Tensor], current_params: Sequence[Tensor], num_averaged: Tensor) -> None:
        for averaged, current in zip(averaged_params, current_params, strict=True):
            _write(averaged, average(averaged, current, num_averaged))

    return update


def _write(target: Tensor, source: Tensor) -> None:
    touch(target)
    target.array[...] = source.array  # an average of integers (a count among the buffers) is cut off, as in PyTorch


class AveragedModel(Module):
    """A copy of `model` whose parameters are averages of the model's: the first as they are at the first `update_parameters`.

    avg_fn(average, parameter, n), n the number of models averaged so far, gives the new average (the mean of all, if None);
    multi_avg_fn(averages, parameters, n) writes all of them in place. Buffers are copied, or with `use_buffers` averaged too.
    The state_dict has "n_averaged" and the model's names after "module.". The one device is "cpu".
    """

    n_averaged: Tensor

    def __init__(
        self,
        model: Module,
        device: Any = None,
        avg_fn: Average | None = None,
        multi_avg_fn: MultiAverage | None = None,
        use_buffers: bool = False,
    ):
        if not isinstance(model, Module):
            raise InputTypeError(f"AveragedModel: model must be a Module, got {type(model).__name__}")
        if avg_fn is not None and multi_avg_fn is not None:
            raise ArgumentError("AveragedModel: give avg_fn or multi_avg_fn, not both")
        check_device("AveragedModel", device)
        self.module = deepcopy(model)
        self.register_buffer("n_averaged", Tensor(np.zeros((), np.int64)))
        self.avg_fn, self.multi_avg_fn, self.use_buffers = avg_fn, multi_avg_fn, use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.module(*args, **kwargs)

    @by_replay("barrier")
    @no_grad()
    def update_parameters(self, model: Module) -> None:
        """Take the model's present parameters into the averages."""
        averaged, copied = self._tensors(self.module)
        current, given = self._tensors(model)
        if [t.shape for t in (*averaged, *copied)] != [t.shape for t in (*current, *given)]:
            raise ArgumentError(
                "AveragedModel.update_parameters: the parameters or buffers of the model are not those of the average"
            )
        if self.n_averaged == 0:
            averaged, current, copied, given = [], [], averaged + copied, current + given
        elif self.multi_avg_fn is not None:
            self.multi_avg_fn(averaged, current, self.n_averaged)
        else:
            _over_lists(self.avg_fn or get_swa_avg_fn())(averaged, current, self.n_averaged)
        for target, source in zip(copied, given, strict=True):
            _write(target, source)
        self.n_averaged += 1

    def _tensors(self, model: Module) -> tuple[list[Tensor], list[Tensor]]:
        """What is averaged of a model, and what is copied."""
        parameters, buffers = ([t.detach() for t in tensors] for tensors in (model.parameters(), model.buffers()))
        return (parameters + buffers, []) if self.use_buffers else (parameters, buffers)


@by_replay("barrier")
@no_grad()
def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Set the running statistics of batch normalization to the means over the batches of a loader, of which each is an input or starts
    with it. For a model whose weights are averages: its statistics belong to no weights so far."""
    check_device("update_bn", device)
    normalizations: list[Any] = [module for module in model.modules() if hasattr(module, "reset_running_stats")]
    if not normalizations:
        return
    was_training, momenta = model.training, [module.momentum for module in normalizations]
    model.train()
    for module in normalizations:
        module.reset_running_stats()
        module.momentum = None
    try:
        for batch in loader:
            model(batch[0] if isinstance(batch, (list, tuple)) else batch)
    finally:
        for module, momentum in zip(normalizations, momenta, strict=True):
            module.momentum = momentum
        model.train(was_training)


class SWALR(LRScheduler):
    """From the rates in force to `swa_lr` (one for all groups, or a list) in `anneal_epochs` epochs, where they stay.

    Along half a cosine, or a line (anneal_strategy "linear").
    Source: Izmailov et al. 2018, "Averaging weights leads to wider optima and better generalization".
    """

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: float | Sequence[float],
        anneal_epochs: int = 10,
        anneal_strategy: str = "cos",
        last_epoch: int = -1,
    ):
        rates = by_group("SWALR", "swa_lr", optimizer, swa_lr)
        if anneal_strategy not in ("cos", "linear"):
            raise ArgumentError(f"SWALR: anneal_strategy must be 'cos' or 'linear', got {anneal_strategy!r}")
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ArgumentError(f"SWALR: anneal_epochs must be an int, at least 0, got {anneal_epochs!r}")
        for group, lr in zip(optimizer.param_groups, rates, strict=True):
            group["swa_lr"] = lr
        self.anneal_epochs, self.anneal_strategy = anneal_epochs, anneal_strategy
        super().__init__(optimizer, last_epoch)

    def rates(self) -> Sequence[float]:
        step = self._step_count - 1 if self.anneal_epochs else max(1, self._step_count - 1)
        before, now = self._part(step - 1), self._part(step)
        rates = []
        for group in self.optimizer.param_groups:
            lr, goal = rate_of(group), group["swa_lr"]
            start = goal if before == 1 else (lr - before * goal) / (1 - before)
            rates.append(goal * now + start * (1 - now))
        return rates

    def _part(self, step: int) -> float:
        """Which part of the way is behind after that many steps."""
        t = max(0, min(1, step / max(1, self.anneal_epochs)))
        return (1 - math.cos(math.pi * t)) / 2 if self.anneal_strategy == "cos" else t
