"""The doctor as a callback of the training loop: it measures while the network learns, and says at the end what it saw."""

from __future__ import annotations

from typing import Any

from ...core.tensor import Array
from ...errors import ArgumentError
from ...train import Callback, Run
from .diagnosis import Diagnosis, diagnose
from .examination import dead_shares, examine, norm
from .statistics import Statistics, Weight

__all__ = ["DoctorCallback"]

_SAMPLED = 4  # the steps 1, 4, 16, 64, … of an epoch are measured


class DoctorCallback(Callback):
    """Watches a training: `fit(…, callbacks=[watcher := DoctorCallback(loader)])`, then `print(watcher.diagnosis)`.

    In every `every`-th epoch, at its steps 1, 4, 16, 64, …, it measures how far the step moves each layer's weights (the update-to-weight
    ratio) and the norms of their gradients; with `data`, at the end of these epochs, the share of dead units in each ReLU layer, and at the
    end of the training all that `doctor` looks at. It changes nothing. `updates` and `gradients` map weights to lists of (step, value),
    `dead` maps layers to lists of (epoch, share); steps count from the start of the training.

    Errors: ArgumentError if `every` or `batches` is no whole number of at least 1.
    """

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

    def on_start(self, run: Run) -> None:
        self._forget()

    def before_step(self, run: Run) -> None:
        self._steps += 1
        self._before = {}
        if self._looks(run) and _is_power(run.step):
            self._before = {name: p.array.copy() for name, p in run.model.named_parameters() if p.requires_grad and p.ndim > 1}

    def after_step(self, run: Run) -> None:
        for name, old in self._before.items():
            p = run.model.get_parameter(name)
            if size := norm(old):
                self.updates.setdefault(name, []).append((self._steps, norm(p.array - old) / size))
            if p.grad is not None:
                self.gradients.setdefault(name, []).append((self._steps, norm(p.grad.array)))
        self._before = {}

    def on_epoch(self, run: Run) -> None:
        if self.data is not None and self._looks(run):
            for place, share in dead_shares(run.model, self.data, self.batches).items():
                self.dead.setdefault(place, []).append((run.epoch, share))

    def on_end(self, run: Run) -> None:
        if self.data is None:
            statistics = Statistics(weights=[self._weight(run, name) for name in self.updates])
        else:
            statistics = examine(run.model, self.data, run.loss, None, self.batches)
        for weight in statistics.weights:
            weight.updates = self.updates.get(weight.name, [])
        statistics.dead = self.dead
        self.diagnosis = Diagnosis(diagnose(statistics, run.history), statistics)

    def _weight(self, run: Run, name: str) -> Weight:
        """A weight as the training alone shows it."""
        p, layer = run.model.get_parameter(name), name.rpartition(".")[0]
        place = f"Layer {layer} ({type(run.model.get_submodule(layer)).__name__})" if layer else f"Parameter {name}"
        return Weight(name, layer, place, p.shape, norm(p.array), [g for _, g in self.gradients.get(name, [])])

    def _looks(self, run: Run) -> bool:
        return (run.epoch - 1) % self.every == 0


def _is_power(step: int) -> bool:
    while step % _SAMPLED == 0:
        step //= _SAMPLED
    return step == 1
