"""Evaluate a model, or the outputs of one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..core import Tensor, no_grad
from ..core.tensor import Array
from ..data.batches import Batch, batches
from ..errors import ArgumentError, InputTypeError, ShapeError
from ..nn.utils import evaluating
from .base import Report
from .calibration import check_bins
from .classification import classification_report
from .multilabel import multilabel_report
from .reading import Reading, names_of, read
from .regression import regression_report

__all__ = ["evaluate", "evaluate_outputs"]


def evaluate(
    model: Callable[..., Any],
    data: Any,
    loss: Callable[..., Any] | None = None,
    *,
    task: str | None = None,
    outputs: str | None = None,
    class_names: Sequence[str] | None = None,
    threshold: Any = 0.5,
    bins: int = 15,
) -> Report:
    """Run a model over data and report how good it is.

    The model runs in evaluation mode without gradients, and is left in the mode it was in.

    data: a DataLoader, a Dataset, a tuple (inputs, targets) or an iterable of batches.
    loss: a loss of `nn` or `nn.functional`, or any function of outputs and targets. Its value over the data is the mean over batches,
        weighted by their sizes.
    task: "multiclass" (outputs (n, K), targets class indices or one-hot), "binary" (outputs (n) or (n, 1), targets 0 or 1), "multilabel"
        (both (n, L)), "regression" (both alike); outputs: "logits", "probabilities" or "log_probabilities". What is not given is taken
        from the loss, else from shapes and values, and the report says how.
    class_names: one a class, label or output. threshold: the probability from which on a binary sample or a label is predicted as 1; for
        labels it may be one each. bins: of the calibration errors.

    Errors: ArgumentError where shapes and values can be read in two ways (it says which argument settles it); ShapeError, DomainError
    and IndexRangeError for outputs and targets that don't fit the task; MissingExtraError without scikit-learn.
    """
    made: list[Array] = []
    wanted: list[Array] = []
    total = 0.0
    with evaluating(model), no_grad():
        for batch in batches("evaluate", data):
            y = model(*batch.inputs)
            _check_output(y, batch, made)
            if loss is not None:
                total += _total_loss(loss, y, batch.target)
            made.append(np.array(y.array, np.float64))
            wanted.append(np.array(batch.target.array))
    predictions, targets = np.concatenate(made), np.concatenate(wanted)
    reading = read("evaluate", predictions, targets, task, outputs, loss)
    return _report("evaluate", reading, None if loss is None else total / len(targets), class_names, threshold, bins)


def evaluate_outputs(
    predictions: Any,
    targets: Any,
    *,
    task: str | None = None,
    outputs: str | None = None,
    class_names: Sequence[str] | None = None,
    threshold: Any = 0.5,
    bins: int = 15,
) -> Report:
    """The report of `evaluate` from what a model put out, Tensors or arrays, with the same settings."""
    reading = read("evaluate_outputs", predictions, targets, task, outputs)
    return _report("evaluate_outputs", reading, None, class_names, threshold, bins)


def _report(
    name: str, reading: Reading, loss: float | None, class_names: Sequence[str] | None, threshold: Any, bins: int
) -> Report:
    check_bins(name, bins)
    columns = 2 if reading.task == "binary" else reading.values.shape[1]
    _check_threshold(name, reading.task, threshold, columns)
    if reading.task == "regression":
        default = ["output"] if columns == 1 else [f"output {k}" for k in range(columns)]
        return regression_report(reading, loss, names_of(name, class_names or default, columns, "output"))
    if reading.task == "multilabel":
        return multilabel_report(reading, loss, names_of(name, class_names, columns, "label"), threshold, bins)
    return classification_report(reading, loss, names_of(name, class_names, columns), float(threshold), bins)


def _check_threshold(name: str, task: str, threshold: Any, columns: int) -> None:
    cut = np.asarray(threshold)
    shapes = [(), (columns,)] if task == "multilabel" else [()]
    if cut.dtype.kind not in "fiu" or cut.shape not in shapes or np.isnan(cut).any():
        raise ArgumentError(f"{name}: threshold must be a number{' or one a label' if len(shapes) > 1 else ''}, got {threshold!r}")
    if task in ("multiclass", "regression") and threshold != 0.5:
        raise ArgumentError(f"{name}: threshold is for binary and multilabel outputs, but the task is {task!r}")


def _check_output(y: Any, batch: Batch, made: Sequence[Array]) -> None:
    if not isinstance(y, Tensor):
        raise InputTypeError(f"evaluate: the model must return a Tensor, got {type(y).__name__}")
    if y.shape[:1] != (len(batch),):
        raise ShapeError(f"evaluate: the model must return one row a sample, got shape {y.shape} for a batch of {len(batch)}")
    if made and made[0].shape[1:] != y.shape[1:]:
        raise ShapeError(f"evaluate: the outputs of batches differ in shape: {made[0].shape} first, then {y.shape}")


def _total_loss(loss: Callable[..., Any], y: Tensor, target: Tensor) -> float:
    """The loss of a batch, summed over its samples."""
    value = loss(y, target)
    found = np.asarray(value.array if isinstance(value, Tensor) else value, np.float64)
    reduction = loss.keywords.get("reduction") if isinstance(loss, partial) else getattr(loss, "reduction", None)
    return float(found.sum() if reduction == "sum" else found.mean() * len(target))
