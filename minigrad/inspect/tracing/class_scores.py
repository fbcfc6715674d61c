"""What a classifier's outputs say: logits, probabilities or log-probabilities, of two classes or more."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...core import Tensor
from ...core.tensor import Array
from ...errors import ArgumentError, DomainError, InputTypeError, ShapeError
from ...ops.activation import sigmoid
from ...ops.exponential import exp, log
from ...ops.softmax import softmax
from ..values import Snapshot, short
from .stages import Stage

__all__ = ["class_scores", "explained_score", "kind_of_outputs", "logit_margin", "probability_stage"]

_KINDS = ("logits", "probabilities", "log_probabilities")
_ENDS = {"sigmoid": "probabilities", "softmax": "probabilities", "log_softmax": "log_probabilities"}


def kind_of_outputs(output: Any, outputs: str | None) -> str:
    """What the outputs are: as said, else as the last operation says."""
    if not isinstance(output, Tensor):
        raise InputTypeError(f"explain_prediction: the model must return a Tensor, got {type(output).__name__}")
    if output.numel() == 0 or output.shape[:1] not in ((1,), ()) or output.numel() != (output.shape or (1,))[-1]:
        raise ShapeError(f"explain_prediction: the model must return (1, classes) or one number, got shape {output.shape}")
    if outputs is not None and outputs not in _KINDS:
        raise ArgumentError(f"explain_prediction: outputs must be one of {', '.join(map(repr, _KINDS))}, got {outputs!r}")
    last = _last_operation(output)
    if last in ("softmax", "log_softmax") and output.numel() == 1:
        raise ArgumentError(f"explain_prediction: {last} over one output is always the same; there is no choice to explain")
    if outputs is None and last == "sigmoid" and output.numel() > 1:
        raise ArgumentError(
            f"explain_prediction: {output.numel()} sigmoid outputs do not exclude one another, so that there is no choice to explain; explain "
            "one label at a time: lambda x: model(x)[:, k]"
        )
    return outputs or _ENDS.get(last, "logits")


def _last_operation(output: Tensor) -> str:
    """The operation that made the values; others only moved them."""
    step = output.step
    while step is not None and step.record.plan.view:
        step = step.edges[0] if not isinstance(step.edges[0], Tensor) else None
    return step.name if step is not None else ""


def class_scores(values: Array, kind: str) -> tuple[Array, Array]:
    """Logits (or log-probabilities) and probabilities, one a class."""
    if np.isnan(values).any():
        raise DomainError("explain_prediction: the model's output holds NaN; trace(model, x) shows where it comes from")
    with np.errstate(all="ignore"):
        if len(values) == 1:
            return _two_classes(float(values[0]), kind)
        if kind == "logits":
            return values, softmax(Tensor(values), dim=0).array
        probabilities = values if kind == "probabilities" else np.exp(values)
        if (probabilities < 0).any() or not math.isclose(probabilities.sum(), 1, abs_tol=1e-3):
            raise DomainError(
                f"explain_prediction: outputs are {kind.replace('_', '-')}, but they add up to {short(probabilities.sum())} instead of 1"
            )
        return (np.log(values) if kind == "probabilities" else values), probabilities


def _two_classes(value: float, kind: str) -> tuple[Array, Array]:
    """Of one output, for the second class: scores and probabilities of both."""
    if kind == "logits":
        scores = np.array([-value, value])
        return scores, sigmoid(Tensor(scores)).array
    second = value if kind == "probabilities" else math.exp(value)
    if not 0 <= second <= 1:
        raise DomainError(f"explain_prediction: outputs are {kind.replace('_', '-')}, but the output is {short(value)}")
    both = np.array([1 - second, second])
    return np.log(both), both


def logit_margin(scores: Array, kind: str, count: int) -> float:
    """The difference of the two largest logits."""
    last, first = np.sort(scores)[-2:]
    return float(first if count == 1 and kind == "logits" else first - last)


def explained_score(values: Tensor, kind: str, chosen: int) -> Tensor:
    """The number whose gradient is the saliency."""
    if values.numel() > 1:
        return log(values[chosen]) if kind == "probabilities" else values[chosen]
    value = values[0]
    if kind == "logits":
        return value if chosen else -value
    second = value if kind == "probabilities" else exp(value)
    return log(second if chosen else 1 - second)


def probability_stage(number: int, output: Tensor, kind: str, probabilities: Array, limit: int) -> Stage | None:
    """The stage from a model's output to the probabilities; None where it is these already."""
    if kind == "probabilities":
        return None
    one = output.numel() == 1
    operation = "exp" if kind == "log_probabilities" else "sigmoid" if one else "softmax"
    values = (probabilities[1:] if one else probabilities).reshape(output.shape).astype(output.dtype)
    return Stage(number, "", "to probabilities", operation, Snapshot(values, limit), (output.shape,))
