"""The scale of a classifier's outputs, logits or (log-)probabilities, and the probabilities that they stand for."""

from __future__ import annotations

import numpy as np

from ..core import Tensor
from ..core.tensor import Array
from ..errors import ArgumentError, DomainError
from ..ops.activation import sigmoid
from ..ops.exponential import exp
from ..ops.softmax import softmax

__all__ = ["is_one", "probabilities", "scale_of", "seem_probabilities"]

_SUM = 1e-3  # how far the probabilities of a row may add up to something other than 1


def scale_of(name: str, task: str, y: Array) -> str:
    """What the values say of the outputs. Errors: ArgumentError if they can be read in two ways."""
    if seem_probabilities(task, y):
        return "probabilities"
    within = bool(y.min() >= 0 and y.max() <= 1)
    if task == "multiclass":
        if y.max() <= 0 and is_one(np.exp(y, dtype=np.float64).sum(1)):
            return "log_probabilities"
        unclear = within
    else:
        unclear = not y.any()
    if unclear:
        raise ArgumentError(
            f"{name}: it is not clear what the outputs are: they lie between {y.min():g} and {y.max():g}"
            f"{', but their rows do not add up to 1' if task == 'multiclass' else ''}; "
            'say outputs="logits" or outputs="probabilities"'
        )
    return "logits"


def is_one(sums: Array) -> bool:
    """Whether the sums of rows are 1 but for rounding."""
    return bool((np.abs(sums - 1) <= _SUM).all())


def seem_probabilities(task: str, y: Array) -> str:
    """What makes outputs look like probabilities, in words; empty if they don't."""
    if y.min() < 0 or y.max() > 1 or not y.any():
        return ""
    if task != "multiclass":
        return "all between 0 and 1"
    return "all between 0 and 1, and those of a sample add up to 1" if is_one(y.sum(1, dtype=np.float64)) else ""


def probabilities(name: str, task: str, scale: str, y: Array) -> Array:
    """The probabilities that outputs stand for, in float64.

    Errors: DomainError for numbers that are no (log-)probabilities, and for infinite logits that leave none.
    """
    y = y.astype(np.float64)
    if scale != "logits":
        _check_probabilities(name, task, scale, y)
    with np.errstate(invalid="ignore", under="ignore"):
        p = y if scale == "probabilities" else _normal(task, scale, y)
    if task == "multiclass" and scale == "probabilities":
        p = y / y.sum(1, keepdims=True)  # float32 rounds the sums
    bad = np.isnan(p).reshape(len(p), -1).any(1)
    if bad.any():
        raise DomainError(
            f"{name}: the outputs of sample {bad.argmax()} are infinite and leave no probabilities: {y[bad.argmax()]}"
        )
    return p


def _normal(task: str, scale: str, y: Array) -> Array:
    """Softmax over classes (which takes log p back to p); for single outputs σ, or the exponential of log p."""
    z = Tensor(y)
    return (softmax(z, dim=1) if task == "multiclass" else exp(z) if scale == "log_probabilities" else sigmoid(z)).array


def _check_probabilities(name: str, task: str, scale: str, y: Array) -> None:
    p = y if scale == "probabilities" else np.exp(np.minimum(y, 1))
    words = scale.replace("_", "-")
    if p.min() < 0 or p.max() > 1:
        limits = "between 0 and 1" if scale == "probabilities" else "at most 0"
        raise DomainError(
            f"{name}: {words} must be {limits}, got values from {y.min():g} to {y.max():g}; "
            'if the model ends in a linear layer, say outputs="logits"'
        )
    if task == "multiclass" and not is_one(p.sum(1)):
        worst = np.abs(p.sum(1) - 1).argmax()
        raise DomainError(
            f"{name}: the probabilities of a sample must add up to 1, got {p[worst].sum():g} in sample {worst} (read as {words}); "
            'if the model ends in a linear layer, say outputs="logits"'
        )
