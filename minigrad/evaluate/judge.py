"""Evaluate a model, or the outputs of one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from .label_thresholds import MultilabelThresholds
from .multilabel import multilabel_report
from .reading import Reading, names_of, read, setting_of
from .regression import regression_report
from .thresholds import ThresholdChoice

__all__ = ["evaluate", "evaluate_outputs", "loss_of", "outputs_of"]


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

    - data: a DataLoader, a Dataset, a tuple (inputs, targets) or an iterable of batches.
    - loss: a loss of `nn` or `nn.functional`, or any function of outputs and targets. It is called once, with all of them, so that the
      batches don't matter; of reduction="sum" the report has the sum divided by the number of samples.
    - task: "multiclass" (outputs (n, K), targets class indices or one-hot), "binary" (outputs (n) or (n, 1), targets 0 or 1), "multilabel"
      (both (n, L)), "regression" (both alike); outputs: "logits", "probabilities" or "log_probabilities". What is not given is taken
      from the loss, else from shapes and values, and the report says how.
    - class_names: one a class, label or output. threshold: the probability from which on a binary sample or a label is predicted as 1, or
      the ThresholdChoice or MultilabelThresholds that found it; for labels it may be one each. bins: of the calibration errors.

    Of outputs (n, K, d, …) each position counts as a sample, in regression as an output. Class indices that are the loss's ignore_index
    (−100 unless it says otherwise) don't count, and a note says how many they are.
    Errors: InputTypeError for what is no model, loss or data; ArgumentError where shapes and values can be read in two ways (it says which
    argument settles it); ShapeError, DomainError and IndexRangeError for outputs and targets that don't fit the task; MissingExtraError
    without scikit-learn.
    """
    _check_callable("evaluate", "model", model, "a Module or a function of the inputs")
    if loss is not None:
        _check_callable("evaluate", "loss", loss, "a function of outputs and targets, such as nn.CrossEntropyLoss()")
    with evaluating(model):
        made, wanted = outputs_of("evaluate", model, data)
    reading = read("evaluate", made, wanted, task, outputs, loss)
    mean = None if loss is None else loss_of(loss, made, wanted)
    return _report("evaluate", reading, mean, class_names, threshold, bins)


def outputs_of(name: str, forward: Callable[..., Any], data: Any) -> tuple[Tensor, Tensor]:
    """What `forward` makes of the inputs of all batches, without gradients, and the targets: one Tensor each, in their own dtypes.

    The mode of the model is the caller's matter. Errors, which begin with `name`: as `batches`; InputTypeError for outputs that are no
    Tensor; ShapeError for those that don't have one row a sample, or differ in shape between batches.
    """
    _check_data(name, data)
    made: list[Array] = []
    wanted: list[Array] = []
    with no_grad():
        for batch in batches(name, data):
            y = forward(*batch.inputs)
            _check_output(name, y, batch)
            for what, parts, found in (("outputs", made, y), ("targets", wanted, batch.target)):
                if parts and parts[0].shape[1:] != found.shape[1:]:
                    raise ShapeError(f"{name}: the {what} of batches differ in shape: {parts[0].shape} first, then {found.shape}")
                parts.append(np.array(found.array))  # a batch may come in memory that the next one takes
    return Tensor(np.concatenate(made)), Tensor(np.concatenate(wanted))


def loss_of(loss: Callable[..., Any], outputs: Tensor, targets: Tensor) -> float:
    """The loss of all outputs at once; of reduction="sum" the mean over samples, of "none" the mean of the values."""
    with no_grad():
        value = loss(outputs, targets)
    found = np.asarray(value.array if isinstance(value, Tensor) else value, np.float64)
    summed = setting_of(loss, "reduction", None) == "sum"
    return float(found.sum() / len(targets) if summed else found.mean())


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
    cut = _cut(name, reading.task, threshold, columns)
    if reading.task == "regression":
        default = ["output"] if columns == 1 else [f"output {k}" for k in range(columns)]
        return regression_report(reading, loss, names_of(name, class_names or default, columns, "output"))
    if reading.task == "multilabel":
        return multilabel_report(reading, loss, names_of(name, class_names, columns, "label"), cut, bins)
    return classification_report(reading, loss, names_of(name, class_names, columns), float(cut), bins)


def _cut(name: str, task: str, threshold: Any, columns: int) -> Array:
    """The threshold as a probability, or one a label."""
    chosen = threshold.probability if isinstance(threshold, ThresholdChoice) else threshold
    cut = np.asarray(chosen.probabilities if isinstance(chosen, MultilabelThresholds) else chosen)
    shapes = [(), (columns,)] if task == "multilabel" else [()]
    if cut.dtype.kind not in "fiu" or cut.shape not in shapes:
        raise ArgumentError(
            f"{name}: threshold must be a number{f' or {columns}, one a label' if len(shapes) > 1 else ''}, "
            f"got {type(threshold).__name__} of shape {cut.shape}"
        )
    wrong = cut[~((cut >= 0) & (cut <= 1) | (cut == np.inf))]
    if wrong.size:
        raise ArgumentError(
            f"{name}: threshold must be a probability, between 0 and 1 (or inf, which predicts nothing), got {wrong[0]:g}; "
            "for a threshold on logits pass choice.probability, or the choice itself"
        )
    if task in ("multiclass", "regression") and cut != 0.5:
        raise ArgumentError(f"{name}: threshold is for binary and multilabel outputs, but the task is {task!r}")
    return cut


def _check_callable(name: str, what: str, value: Any, expected: str) -> None:
    if isinstance(value, type) or not callable(value):
        raise InputTypeError(f"{name}: {what} must be {expected}, got {value!r}")


def _check_data(name: str, data: Any) -> None:
    if isinstance(data, (tuple, list)) and data and all(isinstance(x, (list, int, float)) and not _holds_arrays(x) for x in data):
        raise InputTypeError(f"{name}: data holds plain numbers; give Tensors or arrays, (np.array(inputs), np.array(targets))")


def _holds_arrays(x: Any) -> bool:
    return isinstance(x, list) and any(isinstance(part, (Tensor, np.ndarray)) for part in x)


def _check_output(name: str, y: Any, batch: Batch) -> None:
    if not isinstance(y, Tensor):
        raise InputTypeError(f"{name}: the model must return a Tensor, got {type(y).__name__}")
    if y.shape[:1] != (len(batch),):
        raise ShapeError(f"{name}: the model must return one row a sample, got shape {y.shape} for a batch of {len(batch)}")
