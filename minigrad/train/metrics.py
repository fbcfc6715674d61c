"""Metrics beside the loss, each of the outputs and targets of a whole epoch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..core import Tensor, no_grad
from ..errors import ArgumentError, InputTypeError, ShapeError
from ..evaluate.reading import known_loss, setting_of

__all__ = ["Metrics", "accuracy"]


def accuracy(outputs: Tensor, targets: Tensor, *, threshold: float = 0.0, ignore_index: int = -100) -> float:
    """The share of targets that the outputs hit.

    outputs (n, K, …) and targets (n, …), class indices: the largest of K outputs counts, targets that are `ignore_index` do not.
    outputs and targets of one shape: an output says yes from the threshold on, a target from ½.
    """
    y, t = outputs.array, targets.array
    if y.shape == t.shape:
        return float(((y >= threshold) == (t >= 0.5)).mean())
    if y.ndim < 2 or (y.shape[0], *y.shape[2:]) != t.shape:
        raise ShapeError(f"accuracy: outputs {y.shape} and targets {t.shape} are neither (n, K, …) and (n, …) nor of one shape")
    counted = t != ignore_index
    return float((y.argmax(axis=1) == t)[counted].mean()) if counted.any() else float("nan")


class Metrics:
    """The metrics of a training by name; `None` for the accuracy where targets are classes, and none elsewhere."""

    def __init__(self, metrics: Mapping[str, Any] | Sequence[Any] | None, loss: Any):
        task, scale = known_loss(loss)
        self._binary = task in ("sigmoid", "focal")
        threshold = 0.5 if scale == "probabilities" else 0.0
        self._accuracy = partial(accuracy, threshold=threshold, ignore_index=setting_of(loss, "ignore_index", -100))
        self._by_name = None if metrics is None else self._named(metrics)

    def _named(self, metrics: Mapping[str, Any] | Sequence[Any]) -> dict[str, Callable[..., Any]]:
        if metrics == "accuracy":
            metrics = ["accuracy"]
        if isinstance(metrics, str) or not isinstance(metrics, (Mapping, Sequence)):
            raise InputTypeError(f"fit: metrics must be a list or a dictionary, got {metrics!r}")
        given = metrics if isinstance(metrics, Mapping) else {_name_of(metric): metric for metric in metrics}
        found = {name: self._accuracy if metric == "accuracy" else metric for name, metric in given.items()}
        for name, metric in found.items():
            if not callable(metric):
                raise ArgumentError(
                    f"fit: metrics: {name!r} is no function of outputs and targets; the one known by name is 'accuracy'"
                )
            if name == "loss":
                raise ArgumentError("fit: metrics: 'loss' is the name of the loss")
        return found

    def wanted(self, output: Tensor, target: Tensor) -> bool:
        """Whether there is a metric; if none was named, the first outputs and targets tell."""
        if self._by_name is None:
            classes = target.dtype.kind in "iu" and output.ndim == target.ndim + 1
            self._by_name = {"accuracy": self._accuracy} if classes or self._binary else {}
        return bool(self._by_name)

    def of(self, outputs: Sequence[Tensor], targets: Sequence[Tensor]) -> dict[str, float]:
        """The metrics of an epoch, whose outputs and targets came in batches."""
        if not outputs or not self.wanted(outputs[0], targets[0]):
            return {}
        together = [Tensor(np.concatenate([batch.array for batch in part])) for part in (outputs, targets)]
        with no_grad():
            return {name: float(metric(*together)) for name, metric in (self._by_name or {}).items()}


def _name_of(metric: Any) -> str:
    return metric if isinstance(metric, str) else getattr(metric, "__name__", type(metric).__name__)
