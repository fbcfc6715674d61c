"""The doctor as a callback of the training loop: it measures while the network learns, and says at the end what it saw."""

from __future__ import annotations

import math
import sys
from collections import deque
from contextlib import nullcontext, suppress
from typing import Any

from ...core.tensor import Array
from ...errors import ArgumentError
from ...kernels.arrays import euclidean_norm
from ...train import Callback, Run
from .diagnosis import Diagnosis, diagnose
from .examination import dead_shares, examine, rates_of
from .last_steps import LastSteps, lost

__all__ = ["DoctorCallback"]

_SAMPLED = 4  # the steps 1, 4, 16, 64, … of an epoch are measured


class DoctorCallback(Callback):
    """Watches a training: `fit(…, callbacks=[watcher := DoctorCallback(loader)])`, then `print(watcher.diagnosis)`.

    In every `every`-th epoch, at its steps 1, 4, 16, 64, …, it measures how far the step moves each layer's weights (the update-to-weight
    ratio) and the norms of their gradients; at the end of these epochs, the share of dead units in each ReLU layer, and at the end of the
    training, in the weights that the model is left with (BestWeights), all that `doctor` looks at: on up to `batches` batches of `data`,
    without it on the last ones of the training. It changes nothing. `updates` and `gradients` map weights to lists of (step, value), `dead`
    maps layers to lists of (epoch, share); steps count from the start of the training.

    If the training ends in NaN, its last steps are run again, to find the operation that made the first one. For that the parameters are
    copied before each step; those of models of more than 1,000,000 numbers only once an epoch, and then it may not be found. If it ends in
    an error, `diagnosis` says what can still be seen; if nothing can, it is None.

    Errors: ArgumentError if `every` or `batches` is no whole number of at least 1.
    """

    looks_back = True

    def __init__(self, data: Any = None, every: int = 1, batches: int = 8):
        for name, value in (("every", every), ("batches", batches)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ArgumentError(f"DoctorCallback: {name} must be a whole number of at least 1, got {value!r}")
        self.data, self.every, self.batches = data, every, batches
        self._forget()

    def _forget(self) -> None:
        self.updates: dict[str, list[tuple[int, float]]] = {}
        self.gradients: dict[str, list[tuple[int, float]]] = {}
        self.dead: dict[str, list[tuple[int, float]]] = {}
        self.diagnosis: Diagnosis | None = None
        self._before: dict[str, Array] = {}
        self._steps = 0
        self._recent: deque[Any] = deque(maxlen=self.batches)
        self._last = LastSteps()
        self._outside: BaseException | None = None

    def on_start(self, run: Run) -> None:
        self._forget()
        self._outside = sys.exception()  # fit may be called where an error is being handled

    def before_step(self, run: Run) -> None:
        self._steps += 1
        if run.batch is not None:
            self._last.keep(run.model, self._steps, run.batch, run.step == 1)
            if self.data is None:
                self._recent.append((*run.batch.inputs, run.batch.target))
        self._before = {}
        if self._looks(run) and _is_power(run.step):
            self._before = {name: p.array.copy() for name, p in run.model.named_parameters() if p.requires_grad and p.ndim > 1}

    def after_step(self, run: Run) -> None:
        for name, old in self._before.items():
            p = run.model.get_parameter(name)
            if size := euclidean_norm(old):
                self.updates.setdefault(name, []).append((self._steps, euclidean_norm(p.array - old) / size))
            if p.grad is not None:
                self.gradients.setdefault(name, []).append((self._steps, euclidean_norm(p.grad.array)))
        self._before = {}

    def on_epoch(self, run: Run) -> None:
        if self._looks(run):
            for place, share in dead_shares(run.model, self._data(), self.batches).items():
                self.dead.setdefault(place, []).append((run.epoch, share))

    def on_end(self, run: Run) -> None:
        failing = sys.exception() is not self._outside
        with suppress(Exception) if failing else nullcontext():  # the error of the training itself is the one to be seen
            self.diagnosis = self._diagnosed(run)

    def _diagnosed(self, run: Run) -> Diagnosis | None:
        if self.data is None and not self._recent:
            return None
        statistics = examine(run.model, self._data(), run.loss, None, self.batches)
        if self.data is None:
            statistics.which, statistics.total = "last", self._steps
        if lost(run.model, run.history.step_losses):
            statistics.birth = self._last.birth(run.model, run.loss) or statistics.birth
        parameters, rates = dict(run.model.named_parameters()), rates_of(run.optimizer)
        for weight in statistics.weights:
            weight.updates = self.updates.get(weight.name, [])
            weight.rate = rates.get(id(parameters.get(weight.name)), math.nan)
        statistics.dead = self.dead
        return Diagnosis(diagnose(statistics, run.history), statistics)

    def _data(self) -> Any:
        return list(self._recent) if self.data is None else self.data

    def _looks(self, run: Run) -> bool:
        return (run.epoch - 1) % self.every == 0


def _is_power(step: int) -> bool:
    while step % _SAMPLED == 0:
        step //= _SAMPLED
    return step == 1
