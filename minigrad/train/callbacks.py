"""What can be hung into the training loop."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..core import Tensor
from ..data import Batch
from ..errors import ArgumentError, InputTypeError
from ..nn import Module
from ..optim import Optimizer
from ..optim.lr_scheduler import CyclicLR, LRScheduler, OneCycleLR, ReduceLROnPlateau
from .history import History

__all__ = ["BestWeights", "Callback", "Callbacks", "EarlyStopping", "Run", "Schedule", "given"]


@dataclass
class Run:
    """A training that is going on, as callbacks see it: `epoch` and `step` (of the epoch) count from 1; `validated`: whether there are
    validation data; `batch` is the one of the step."""

    model: Module
    loss: Callable[..., Tensor]
    optimizer: Optimizer
    history: History
    epochs: int
    epoch: int = 0
    step: int = 0
    stopped: str = ""
    validated: bool = False
    batch: Batch | None = None

    def stop(self, reason: str) -> None:
        """End the training after this step; an epoch that is cut short is not validated."""
        self.stopped = self.stopped or reason


class Callback:
    """Base of callbacks: `fit` calls what a subclass defines. A plain function given in place of one is called as `on_epoch`."""

    looks_back = False  # whether it is told of the end after the others, which may change the model then

    def on_start(self, run: Run) -> None:
        """Before the first epoch."""

    def before_step(self, run: Run) -> None:
        """Before each training step."""

    def after_step(self, run: Run) -> None:
        """After each training step; the gradients are those of this step."""

    def on_epoch(self, run: Run) -> None:
        """After each epoch; the last row of `run.history` is its."""

    def on_end(self, run: Run) -> None:
        """After the last epoch, however the training came to its end."""


class _Function(Callback):
    """A plain function as a callback."""

    def __init__(self, function: Callable[[Run], Any]):
        self._function = function

    def on_epoch(self, run: Run) -> None:
        self._function(run)


def given(callbacks: Any) -> list[Callback]:
    """The callbacks that `fit` was handed, plain functions among them.

    Errors: InputTypeError for anything else.
    """
    if isinstance(callbacks, Callback) or not isinstance(callbacks, Iterable):
        raise InputTypeError(f"fit: callbacks must be a list, got {type(callbacks).__name__}; write [callback]")
    found = list(callbacks)
    for callback in found:
        if isinstance(callback, LRScheduler):
            raise InputTypeError(
                "fit: a learning-rate schedule is no callback; hand it in as scheduler=, or as train.Schedule(...)"
            )
        if isinstance(callback, type) or not (isinstance(callback, Callback) or callable(callback)):
            raise InputTypeError(f"fit: a callback must be a train.Callback or a function of the run, got {callback!r}")
    return [callback if isinstance(callback, Callback) else _Function(callback) for callback in found]


class Callbacks:
    """The callbacks of a training, told of each moment."""

    def __init__(self, callbacks: Sequence[Callback]):
        self._all = callbacks

    def tell(self, moment: str, run: Run) -> None:
        """Call a method of all, in their order; at the end, those that look back come last."""
        for callback in sorted(self._all, key=lambda callback: moment == "on_end" and callback.looks_back):
            getattr(callback, moment)(run)


# Where the columns are best whose meaning is known.
_MODES = {"loss": "min", "val_loss": "min", "accuracy": "max", "val_accuracy": "max"}


class _Monitor(Callback):
    """What looks at a column of the history."""

    def __init__(self, monitor: str):
        self.monitor = monitor

    def on_start(self, run: Run) -> None:
        if self.monitor.startswith("val_") and not run.validated:
            raise ArgumentError(
                f"{type(self).__name__}: there can be no {self.monitor!r} without validation data; give fit validation="
            )

    def value(self, run: Run) -> float:
        """What the column says of the epoch that has ended."""
        figures = run.history.rows[-1].figures()
        if self.monitor not in figures:
            raise ArgumentError(f"{type(self).__name__}: there is no {self.monitor!r} in the history ({', '.join(figures)})")
        return figures[self.monitor]


class _Best(_Monitor):
    """What looks for the best value of a column: a loss is best low, an accuracy high, others as `mode` says."""

    def __init__(self, monitor: str, mode: str | None):
        super().__init__(monitor)
        mode = _MODES.get(monitor) if mode is None else mode
        if mode is None:
            raise ArgumentError(f"{type(self).__name__}: is {monitor!r} better low or high? say mode='min' or mode='max'")
        if mode not in ("min", "max"):
            raise ArgumentError(f"{type(self).__name__}: mode must be 'min' or 'max', got {mode!r}")
        self.sign = 1 if mode == "min" else -1
        self.best, self.best_epoch = math.inf, 0

    def on_start(self, run: Run) -> None:
        super().on_start(run)
        self.best, self.best_epoch = math.inf, 0

    def improved(self, run: Run, by: float = 0.0) -> bool:
        """Whether the epoch that has ended is the best so far, by more than `by`."""
        value = self.sign * self.value(run)
        if not value < self.best - by:
            return False
        self.best, self.best_epoch = value, run.epoch
        return True


class BestWeights(_Best):
    """Leave the model, at the end of the training, with the weights (and buffers) of its best epoch."""

    def __init__(self, monitor: str = "val_loss", mode: str | None = None):
        super().__init__(monitor, mode)
        self._weights: dict[str, Any] = {}

    def on_start(self, run: Run) -> None:
        super().on_start(run)
        self._weights = {}

    def on_epoch(self, run: Run) -> None:
        if self.improved(run):
            self._weights = {name: value.clone() for name, value in run.model.state_dict().items()}

    def on_end(self, run: Run) -> None:
        if self._weights:
            run.model.load_state_dict(self._weights)
            run.history.kept = self.best_epoch


class EarlyStopping(_Best):
    """End the training when a value has not improved, by more than `min_delta`, for `patience` epochs. The weights stay those of the last
    epoch, unless BestWeights is there too."""

    def __init__(self, patience: int = 10, monitor: str = "val_loss", mode: str | None = None, min_delta: float = 0.0):
        super().__init__(monitor, mode)
        if isinstance(patience, bool) or not isinstance(patience, int) or patience < 1:
            raise ArgumentError(f"EarlyStopping: patience must be a number of epochs, at least 1, got {patience!r}")
        self.patience, self.min_delta = patience, min_delta

    def on_epoch(self, run: Run) -> None:
        if not self.improved(run, self.min_delta) and run.epoch - self.best_epoch >= self.patience:
            run.stop(f"{self.monitor} has not improved since epoch {self.best_epoch}")


class Schedule(_Monitor):
    """Step a learning-rate schedule after every "epoch" or every "step"; by default as the schedule is meant: OneCycleLR and CyclicLR after
    every step, the others after every epoch. ReduceLROnPlateau is shown `monitor`, a column of the history; by default the validation
    loss, without one the training loss.

    Errors: ArgumentError if its mode is not the monitor's ("max" for a loss), or if the schedule is of another optimizer than fit's.
    """

    def __init__(self, scheduler: LRScheduler, every: str | None = None, monitor: str | None = None):
        super().__init__(monitor or "loss")
        if every not in ("epoch", "step", None):
            raise ArgumentError(f"Schedule: every must be 'epoch' or 'step', got {every!r}")
        self.scheduler, self._by_default = scheduler, monitor is None
        self.by_step = every == "step" or (every is None and isinstance(scheduler, (OneCycleLR, CyclicLR)))
        if isinstance(scheduler, ReduceLROnPlateau):
            self._check_mode(scheduler.mode)
        elif monitor is not None:
            raise ArgumentError(f"Schedule: monitor is for ReduceLROnPlateau, {type(scheduler).__name__} looks at nothing")

    def _check_mode(self, mode: str) -> None:
        best = _MODES.get(self.monitor, mode)
        if mode != best:
            raise ArgumentError(
                f"Schedule: {'the loss' if self._by_default else repr(self.monitor)} is better {'low' if best == 'min' else 'high'}, but "
                f"ReduceLROnPlateau has mode={mode!r}; change that, or say what to look at: Schedule(scheduler, monitor='val_accuracy')"
            )

    def on_start(self, run: Run) -> None:
        if self._by_default:
            self.monitor = "val_loss" if run.validated else "loss"
        super().on_start(run)
        if self.scheduler.optimizer is not run.optimizer:
            name = type(self.scheduler).__name__
            raise ArgumentError(f"fit: the schedule {name} is of another optimizer; make it of the one that fit is given")

    def after_step(self, run: Run) -> None:
        if self.by_step:
            self.scheduler.step()

    def on_epoch(self, run: Run) -> None:
        if self.by_step:
            return
        if isinstance(self.scheduler, ReduceLROnPlateau):
            self.scheduler.step(self.value(run))
        else:
            self.scheduler.step()
