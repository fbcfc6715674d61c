"""Temperature scaling: one number that takes back overconfidence and changes no answer."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .. import nn
from ..core import Tensor
from ..core.tensor import Array
from ..display import Block, Document, Table, Text, plain
from ..errors import ArgumentError, DomainError
from ..nn import functional as F
from ..optim import LBFGS
from .calibration import Reliability, calibration_of, check_bins
from .reading import Reading, numbers, read
from .scales import probabilities, seem_probabilities

__all__ = ["Calibrated", "TemperatureScaling", "temperature_scaling"]

LEAST, MOST = 1e-3, 1e3
"""Where the search stops if the loss has no minimum, as multiples of the median size of the margins."""


@dataclass(frozen=True, eq=False, repr=False)
class TemperatureScaling(Document):
    """p = softmax(logits / T), for single outputs σ(logit / T), with the T of the lowest log loss. Call it with logits for probabilities.

    T > 1 makes an overconfident model less sure, T < 1 a timid one surer; the order of the classes, and with it accuracy, stays. `before` and
    `after` are the `Reliability` at T = 1 and at T, `log_loss_before` and `log_loss_after` the mean −log p of the true class.
    `note` says why T is at a bound of the search, if it is, `notes` what else to know. `fitted`: whether it is judged on the data that T was
    fitted on; `on` judges it on others.
    """

    title = "Temperature scaling"

    temperature: float
    task: str
    log_loss_before: float
    log_loss_after: float
    before: Reliability
    after: Reliability
    note: str
    bins: int
    strategy: str
    notes: tuple[str, ...] = ()
    fitted: bool = True

    @property
    def ece_before(self) -> float:
        """Expected calibration error at T = 1."""
        return self.before.ece

    @property
    def ece_after(self) -> float:
        """Expected calibration error at T."""
        return self.after.ece

    def __call__(self, logits: Any) -> Array:
        """The probabilities of logits (n, K), or of single ones (n), in float64."""
        y = numbers("TemperatureScaling", "logits", logits)
        return probabilities("TemperatureScaling", self.task, "logits", y / self.temperature)

    def on(self, logits: Any, targets: Any) -> TemperatureScaling:
        """Before and after on other data, which T was not fitted on: there it shows what it is worth. Errors: as `temperature_scaling`."""
        name = "TemperatureScaling.on"
        reading, z = _read(name, logits, targets, self.task)
        return _judged(reading, z, self.temperature, self.note, self.bins, self.strategy, fitted=False)

    def headline(self) -> str:
        """What T says of the model, or why it is at a bound; on other data, what it does there; and where it does harm."""
        before, after = f"{self.ece_before:.4f}", f"{self.ece_after:.4f}"
        if float(after) <= float(before):
            return self._said()
        rough = "T is chosen by the log loss, and with few samples a bin this error is a rough measure"
        return f"{self._said()} The expected calibration error rises, from {before} to {after}: {rough}."

    def _said(self) -> str:
        if not self.fitted:
            verb = "lowers" if self.log_loss_after < self.log_loss_before else "does not lower"
            return (
                f"T = {self.temperature:.4g}, fitted on other data, {verb} the log loss of these {self.before.n:,} samples: "
                f"{self.log_loss_before:.4f} before, {self.log_loss_after:.4f} after."
            )
        if self.note:
            return self.note
        kind = "overconfident" if self.temperature > 1 else "not sure enough"
        if abs(math.log(self.temperature)) < 0.01:
            return f"The model's confidence fits: T = {self.temperature:.4g} is close to 1."
        return f"The model was {kind}: its logits are divided by T = {self.temperature:.4g}."

    def to_dict(self) -> dict[str, Any]:
        names = ("temperature", "task", "fitted", "notes", "log_loss_before", "log_loss_after")
        pictures = {"before": self.before.to_dict(), "after": self.after.to_dict()}
        return {name: plain(getattr(self, name)) for name in names} | {"headline": self.headline()} | pictures

    def blocks(self) -> list[Block]:
        rows = [
            ["Log loss", self.log_loss_before, self.log_loss_after],
            ["Expected calibration error", self.before.ece, self.after.ece],
            ["Maximum calibration error", self.before.mce, self.after.mce],
        ]
        where = (
            f"On the {self.before.n:,} samples that T was fitted on; scaling.on(logits, targets) judges it on others."
            if self.fitted
            else f"On {self.before.n:,} samples that T was not fitted on."
        )
        head = ("measure", "before, T = 1", f"after, T = {self.temperature:.4g}")
        return [
            *map(Text, self.notes),
            Text(self.headline()),
            Table(head, rows, note=f"{where} Accuracy is unchanged."),
            self.before.picture(),
            self.after.picture(),
        ]


def temperature_scaling(
    logits: Any, targets: Any, *, task: str | None = None, bins: int = 15, strategy: str = "uniform"
) -> TemperatureScaling:
    """Fit the temperature on logits of validation data, which the model did not learn from.

    logits: (n, K) with class indices (n), or (n) with targets 0 and 1, or (n, L) with targets (n, L) if multilabel; `task` as in `evaluate`,
    `bins` and `strategy` as in `reliability`. Minimised is the cross-entropy over log T, by L-BFGS in float64. Where no sample is
    misclassified the loss falls for ever as T → 0, where labels have nothing to do with logits as T → ∞: T is then a thousandth of the
    median distance between the logits of the true class and the others, or a thousand times as much, and `note` says so.
    Errors: as `evaluate`; DomainError for infinite logits.
    Source: Guo et al. 2017, "On calibration of modern neural networks", section 4.2.
    """
    name = "temperature_scaling"
    check_bins(name, bins)
    if strategy not in ("uniform", "quantile"):
        raise ArgumentError(f"{name}: strategy must be 'uniform' or 'quantile', got {strategy!r}")
    reading, z = _read(name, logits, targets, task)
    temperature, note = _fit(z, reading.targets, reading.task)
    return _judged(reading, z, temperature, note, bins, strategy)


def _read(name: str, logits: Any, targets: Any, task: str | None) -> tuple[Reading, Array]:
    """What was understood, and the logits in float64: (n, K), or in the shape of the targets."""
    reading = read(name, logits, targets, task, "logits")
    if reading.task == "regression":
        raise ArgumentError(f"{name}: needs logits of classes, but targets are numbers (task 'regression')")
    z = numbers(name, "logits", logits).astype(np.float64)
    if np.isinf(z).any():
        raise DomainError(f"{name}: logits must be finite, got {z[np.isinf(z)][0]:g}")
    return reading, z if reading.task == "multiclass" else z.reshape(reading.targets.shape)


def _judged(
    reading: Reading, z: Array, temperature: float, note: str, bins: int, strategy: str, fitted: bool = True
) -> TemperatureScaling:
    """Before and after on these logits."""
    task, t = reading.task, reading.targets
    (loss, before), (less, after) = (
        (_log_loss(Tensor(z), t, task, T).item(), _calibration(reading, z, T, bins, strategy)) for T in (1.0, temperature)
    )
    looks = seem_probabilities(task, z)
    layer = "softmax" if task == "multiclass" else "sigmoid"
    doubt = f"The logits look like probabilities ({looks}): remove the {layer} from the model, or give what comes before it."
    notes = (*([doubt] if looks else []), *reading.notes)
    return TemperatureScaling(temperature, task, loss, less, before, after, note, bins, strategy, notes, fitted)


def _calibration(reading: Reading, z: Array, temperature: float, bins: int, strategy: str) -> Reliability:
    p = probabilities("temperature_scaling", reading.task, "logits", z / temperature)
    return calibration_of(replace(reading, values=p), bins, strategy, f"T = {temperature:.4g}")


def _log_loss(z: Tensor, t: Array, task: str, temperature: Any) -> Tensor:
    loss: Any = F.cross_entropy if task == "multiclass" else F.binary_cross_entropy_with_logits
    target = Tensor(t if task == "multiclass" else t.astype(np.float64))
    found: Tensor = loss(z / temperature, target)
    return found


def _fit(z: Array, t: Array, task: str) -> tuple[float, str]:
    """The temperature, and why it is at a bound."""
    margins = _margins(z, t, task)
    if not margins.any():
        return 1.0, "The logits of a sample are all the same: no temperature changes anything, T stays 1."
    size = float(np.median(np.abs(margins[margins != 0])))
    least, most = LEAST * size, MOST * size
    if (margins <= 0).all():
        why = (
            f"Every sample is classified rightly, so the loss falls as long as T does: T stops at {least:.4g}. Fit it on more data."
        )
        return least, why
    if margins.mean() >= 0:
        return most, f"The true classes have no higher logits than the others, so the best T is infinite: T stops at {most:.4g}."
    found = float(np.clip(size * _minimum(z / size, t, task), least, most))
    return found, "" if least < found < most else f"The loss falls even beyond the bound of the search: T stops at {found:.4g}."


def _margins(z: Array, t: Array, task: str) -> Array:
    """Each logit less that of the true class; for single outputs, z where the target is 0 and −z where it is 1.

    In 1 / T the loss is convex; its slope at 0 is the mean of these, and where none is positive it falls for ever.
    """
    if task == "multiclass":
        return np.asarray(z - np.take_along_axis(z, t[:, None], 1))
    return np.asarray(np.where(t == 1, -z, z))


def _minimum(z: Array, t: Array, task: str) -> float:
    log_t = Tensor(np.zeros(()), requires_grad=True)
    optimizer = LBFGS([log_t], max_iter=100, tolerance_grad=1e-10, tolerance_change=1e-14, line_search_fn="strong_wolfe")
    scores = Tensor(z)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = _log_loss(scores, t, task, log_t.clamp(math.log(LEAST), math.log(MOST)).exp())
        loss.backward()
        return loss

    optimizer.step(closure)
    return math.exp(log_t.item())


class Calibrated(nn.Module):
    """A model whose outputs are divided by a temperature: still logits.

    temperature: a positive number, or the `TemperatureScaling` that found it.
    """

    def __init__(self, model: nn.Module, temperature: float | TemperatureScaling):
        value = temperature.temperature if isinstance(temperature, TemperatureScaling) else temperature
        if not isinstance(value, (int, float, np.number)) or not 0 < value < math.inf:
            raise ArgumentError(f"Calibrated: temperature must be a positive number, got {value!r}")
        value = float(value)
        self.model, self.temperature = model, value

    def forward(self, *inputs: Tensor) -> Tensor:
        scaled: Tensor = self.model(*inputs) / self.temperature
        return scaled

    def extra_repr(self) -> str:
        return f"temperature={self.temperature:.6g}"
