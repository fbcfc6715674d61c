"""Metrics beside the loss, each of the outputs and targets of a whole epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from ..core import Tensor, no_grad
from ..core.tensor import Array
from ..errors import ArgumentError, InputTypeError, ShapeError
from ..evaluate.reading import known_loss, setting_of
from ..evaluate.scales import seem_probabilities
from ..evaluate.targets import hits, is_one_hot
from .history import Epoch

__all__ = ["Accuracy", "Metrics"]

_COLUMNS = {field.name for field in fields(Epoch)}  # of the history: no names for metrics


class Accuracy:
    """The share of targets that the outputs hit, read as `evaluate` reads them: the loss says what outputs mean, or else their values do.

    outputs (n, K, …) and targets (n, …), class indices: the largest of K outputs counts, targets that are the loss's ignore_index do not.
    Both of one shape, and a loss over classes: the largest counts on both sides. Else an output says yes from probability ½ (logit 0)
    on, a target from ½.
    """

    def __init__(self, loss: Any):
        self.task, self._scale = known_loss(loss)
        self._ignored = setting_of(loss, "ignore_index", -100)

    def __call__(self, outputs: Tensor, targets: Tensor) -> float:
        y, t = outputs.array, targets.array
        if not self.task and y.ndim == t.ndim + 1 and y.shape[1] == 1:
            y = y[:, 0]
        if y.shape == t.shape and self.task != "multiclass":
            return self._labels(y, t)
        if y.ndim < 2 or t.shape not in (y.shape, (y.shape[0], *y.shape[2:])):
            raise ShapeError(
                f"fit: metrics: accuracy: outputs {y.shape} and targets {t.shape} are neither (n, K, …) and (n, …) nor of one shape"
            )
        found = hits(y, t, ignored=self._ignored)
        return float(found.mean()) if found.size else float("nan")

    def _labels(self, y: Array, t: Array) -> float:
        if t.min() < 0 or t.max() > 1:
            raise ArgumentError(
                f"fit: metrics: accuracy: targets must lie between 0 and 1, got values from {t.min():g} to {t.max():g}"
            )
        if not self.task and is_one_hot(t):
            raise ArgumentError(
                "fit: metrics: accuracy: each row of the targets holds one 1, which may mean classes or labels; give class indices, a loss "
                "of minigrad.nn, or a function of outputs and targets"
            )
        probable = self._scale == "probabilities" or (not self._scale and seem_probabilities("binary", y))
        return float(hits(y, t, threshold=0.5 if probable else 0.0).mean())


class Metrics:
    """The metrics of a training by name; `None` for the accuracy where targets are classes, and none elsewhere."""

    def __init__(self, metrics: Mapping[str, Any] | Sequence[Any] | None, loss: Any):
        self._accuracy = Accuracy(loss)
        self._by_name = None if metrics is None else self._named(metrics)

    def _named(self, metrics: Mapping[str, Any] | Sequence[Any]) -> dict[str, Callable[..., Any]]:
        if metrics == "accuracy":
            metrics = ["accuracy"]
        if isinstance(metrics, str) or not isinstance(metrics, (Mapping, Sequence)):
            raise InputTypeError(f"fit: metrics must be a list or a dictionary, got {metrics!r}")
        pairs = metrics.items() if isinstance(metrics, Mapping) else [(_name_of(metric), metric) for metric in metrics]
        found: dict[str, Callable[..., Any]] = {}
        for name, metric in pairs:
            _check_name(name, found)
            found[name] = self._known() if metric == "accuracy" else metric
            if not callable(found[name]):
                raise ArgumentError(
                    f"fit: metrics: {name!r} is no function of outputs and targets; the one known by name is 'accuracy'"
                )
        return found

    def _known(self) -> Accuracy:
        if self._accuracy.task == "regression":
            raise ArgumentError("fit: metrics: 'accuracy' counts classes, but the loss is one of regression")
        return self._accuracy

    def wanted(self, output: Tensor, target: Tensor) -> bool:
        """Whether there is a metric; if none was named, the loss or the first outputs and targets tell."""
        if self._by_name is None:
            task = self._accuracy.task
            classes = target.dtype.kind in "iu" and output.ndim == target.ndim + 1 and output.shape[1] > 1
            self._by_name = {"accuracy": self._accuracy} if task != "regression" and (task or classes) else {}
        return bool(self._by_name)

    def of(self, outputs: Sequence[Tensor], targets: Sequence[Tensor]) -> dict[str, float]:
        """The metrics of an epoch, whose outputs and targets came in batches."""
        if not outputs or not self.wanted(outputs[0], targets[0]):
            return {}
        together = [Tensor(np.concatenate([batch.array for batch in part])) for part in (outputs, targets)]
        with no_grad():
            return {name: _number(name, metric(*together)) for name, metric in (self._by_name or {}).items()}


def _name_of(metric: Any) -> str:
    return metric if isinstance(metric, str) else getattr(metric, "__name__", type(metric).__name__)


def _check_name(name: Any, others: Iterable[str]) -> None:
    if not isinstance(name, str):
        raise InputTypeError(f"fit: metrics: a name must be a str, got {name!r}")
    if name in _COLUMNS or name.startswith("val_"):
        raise ArgumentError(f"fit: metrics: {name!r} is a column of the history already; give the metric another name")
    if name in others:
        raise ArgumentError(f"fit: metrics: two are named {name!r}; give a dictionary of functions by name")


def _number(name: str, value: Any) -> float:
    found = np.asarray(value.array if isinstance(value, Tensor) else value)
    if found.size != 1 or found.dtype.kind not in "fiub":
        got = f"{type(value).__name__} of shape {found.shape}" if found.ndim else repr(value)
        raise InputTypeError(f"fit: metrics: {name!r} must return one number, got {got}")
    return float(found.item())
