"""What the doctor says of a model's outputs: whether they are what the loss takes, and whether they depend on the inputs."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from ...core.tensor import Array
from ...display import number
from ...evaluate.targets import is_one_hot
from .finding import Finding
from .statistics import LINEAR, PROBABILITIES, Statistics

__all__ = ["CHECKS"]

UNIT_SUM = 1e-3
"""How far from 1 the sum of a row of probabilities may be; rounding makes 1e-6."""

CONSTANT = 1e-5
"""Standard deviation of the outputs over samples, relative to their size, below which they do not depend on the inputs. Fresh networks
of three layers have more than 0.01."""

ENOUGH_OUTPUTS = 32
"""So many outputs that are all within [0, 1] are no chance."""

WIDE = 0.5
"""Logits of a fresh network may happen to lie within [0, 1], close together; these are farther apart, as probabilities that are sure."""

_NAMED = 8  # outputs that a message names


def loss_fails(statistics: Statistics) -> Iterator[Finding]:
    """A loss that raises for another reason than those that have a finding of their own."""
    if statistics.failure is not None:
        shape = statistics.outputs[-1].shape if statistics.outputs else "unknown"
        told = f"The loss cannot be computed of outputs {shape} and targets {statistics.targets[-1].shape}: {statistics.failure}"
        yield Finding(
            "loss_fails", "error", "loss", told, "Compare the shapes and dtypes of outputs and targets with what the loss takes."
        )


def softmax_before_cross_entropy(statistics: Statistics) -> Iterator[Finding]:
    """Cross-entropy takes logits and applies softmax itself: found by the operation in front of it, or by rows that are probabilities."""
    if not _takes_logits(statistics, "multiclass"):
        return
    if statistics.head == "softmax" or (statistics.head not in (*LINEAR, "sigmoid") and _rows_are_probabilities(statistics.output)):
        floor = _least_loss(statistics, 0.0)
        yield Finding(
            "softmax_before_cross_entropy",
            "error",
            "head",
            f"The outputs are probabilities already, but {statistics.loss.words} takes logits and applies softmax itself{_told(floor)}, and "
            "gradients are small.",
            "Leave the softmax out of the model; take it for predictions only. Or hand the logarithm of the probabilities to NLLLoss.",
            floor,
            0.0,
        )


def sigmoid_on_multiclass(statistics: Statistics) -> Iterator[Finding]:
    """A sigmoid in front of cross-entropy squeezes the logits into [0, 1]; one over exclusive classes lets them not compete."""
    target, squashed = statistics.target, statistics.head in ("sigmoid", "hardsigmoid")
    if squashed and _takes_logits(statistics, "multiclass"):
        floor = _least_loss(statistics, 0.0)
        yield Finding(
            "sigmoid_on_multiclass",
            "error",
            "head",
            f"A sigmoid squeezes the logits of {statistics.classes} classes into [0, 1]{_told(floor)}.",
            f"Leave the sigmoid out: {statistics.loss.words} takes logits of any size.",
            floor,
            0.0,
        )
    one_hot = is_one_hot(target) and target.shape[1] > 2
    if statistics.loss.task == "sigmoid" and one_hot:
        yield Finding(
            "sigmoid_on_multiclass",
            "warning",
            "head",
            f"{_exclusive(target)}: the probabilities do not add up to 1.",
            "For classes that exclude each other take cross_entropy on logits, with class indices as targets.",
            float(target.shape[1]),
            2.0,
        )
    if statistics.loss.name == "mse_loss" and squashed and one_hot:
        yield Finding(
            "sigmoid_on_multiclass",
            "warning",
            "head",
            f"{_exclusive(target)} and a squared error: an output that is sure and wrong gets hardly any gradient.",
            "Leave the sigmoid out and take cross_entropy on logits, with class indices as targets.",
            float(target.shape[1]),
            2.0,
        )


def _exclusive(target: Array) -> str:
    classes = target.shape[1]
    return f"Each of the {target.size // classes:,} targets is exactly one of {classes} classes, but each output has a sigmoid of its own"


def squashed_logits(statistics: Statistics) -> Iterator[Finding]:
    """A tanh or softsign in front of a loss that takes logits of any size squeezes them into [−1, 1]."""
    if statistics.head in ("tanh", "softsign") and statistics.loss.scale == "logits":
        floor = _least_loss(statistics, -1.0)
        yield Finding(
            "squashed_logits",
            "warning",
            "head",
            f"A {statistics.head} squeezes the logits into [−1, 1]{_told(floor)}, and the model cannot be sure of any answer.",
            f"Leave the {statistics.head} at the end of the model out: {statistics.loss.words} takes logits of any size.",
            floor,
            0.0,
        )


def _takes_logits(statistics: Statistics, task: str) -> bool:
    return statistics.loss.task == task and statistics.loss.scale == "logits"


def _least_loss(statistics: Statistics, lowest: float) -> float:
    """Cross-entropy of logits 1 for the right class and the lowest for all others; NaN of other losses."""
    return math.log(1 + (statistics.classes - 1) * math.exp(lowest - 1)) if statistics.loss.name == "cross_entropy" else math.nan


def _told(floor: float) -> str:
    return "" if math.isnan(floor) else f": the loss cannot fall below {floor:.4f}"


def _rows_are_probabilities(output: Array) -> bool:
    if output.ndim != 2 or output.shape[1] < 2 or not output.size:
        return False
    return bool((output >= 0).all() and (np.abs(output.sum(1) - 1) < UNIT_SUM).all())


def logits_into_bce(statistics: Statistics) -> Iterator[Finding]:
    """BCELoss takes probabilities: values outside [0, 1] cannot be any, and what comes right out of a linear layer will not stay inside."""
    output = statistics.output
    if statistics.loss.name != "binary_cross_entropy" or not output.size:
        return
    outside = output[(output < 0) | (output > 1)]
    if outside.size or statistics.head in LINEAR:
        told = (
            f"{outside.size:,} of {output.size:,} outputs are outside [0, 1] (from {number(output.min())} to {number(output.max())})"
            if outside.size
            else "the outputs come right out of a linear layer"
        )
        yield Finding(
            "logits_into_bce",
            "error",
            "head",
            f"BCELoss takes probabilities, but {told}.",
            "Take BCEWithLogitsLoss, which applies the sigmoid itself and keeps its digits; or end the model in a sigmoid.",
            outside.size / output.size,
            0.0,
        )


def probabilities_into_bce_with_logits(statistics: Statistics) -> Iterator[Finding]:
    """A loss that takes logits applies the sigmoid itself; after a second one no prediction is below ½ or above σ(1). Found by the
    operation in front of it, or by outputs that are within [0, 1], from one end to the other, or as reciprocals."""
    output, head = statistics.output, statistics.head
    if not _takes_logits(statistics, "sigmoid") or len(output) < (0 if head in PROBABILITIES else ENOUGH_OUTPUTS):
        return
    by_value = bool(head not in (*LINEAR, "add") and ((output >= 0) & (output <= 1)).all())
    wide = by_value and (head == "reciprocal" or float(np.ptp(output)) > WIDE)
    if head in PROBABILITIES or wide:
        seen = (
            f"The model ends in {head}"
            if head in PROBABILITIES
            else f"All {output.size:,} outputs lie within [0, 1], as probabilities do"
        )
        yield Finding(
            "probabilities_into_bce_with_logits",
            "error" if head in PROBABILITIES else "warning",
            "head",
            f"{seen}, but {statistics.loss.words} takes logits and applies a sigmoid itself: every predicted probability lies between 0.5 and "
            "0.7311.",
            "Leave what makes probabilities of the logits, at the end of the model, out; or take BCELoss.",
            0.5,
            0.0,
        )


def nll_without_log_softmax(statistics: Statistics) -> Iterator[Finding]:
    """NLLLoss takes log-probabilities: rows whose exponentials add up to 1."""
    output = statistics.output
    if statistics.loss.name != "nll_loss" or output.ndim != 2 or not np.isfinite(output).all():
        return
    off = _off_one(output, 1)
    if off < UNIT_SUM:
        return
    told, remedy = (
        "the outputs look like logits: the loss has no lower bound that means anything",
        "Put log_softmax at the end of the model",
    )
    if _rows_are_probabilities(output):
        told, remedy = told.replace("logits", "probabilities"), "Put log_softmax in place of softmax"
    elif all(_off_one(batch, 0) < UNIT_SUM for batch in statistics.outputs):
        told, remedy = (
            "these add up to 1 over the samples of a batch, not over the classes",
            "Take softmax or log_softmax over dim=1",
        )
    yield Finding(
        "nll_without_log_softmax",
        "error",
        "head",
        f"NLLLoss takes log-probabilities, but {told}.",
        f"{remedy}, or hand logits to CrossEntropyLoss, which does both.",
        off,
        UNIT_SUM,
    )


def _off_one(logs: Array, axis: int) -> float:
    """How far sums of probabilities along an axis are from 1, at most."""
    with np.errstate(over="ignore"):
        return float(np.abs(np.exp(logs.astype(np.float64)).sum(axis) - 1).max(initial=0.0))


def constant_output(statistics: Statistics) -> Iterator[Finding]:
    """The same answer whatever comes in: of all outputs, or of some whose targets vary."""
    output = statistics.output
    if len(output) < 2 or not output.size or not np.isfinite(output).all():
        return
    if not any(float(inputs.std.max(initial=0.0)) > 0 for inputs in statistics.inputs.values()):
        return
    rows = output.reshape(len(output), -1).astype(np.float64)
    spread, size = rows.std(0), np.abs(rows).max(0)
    constant = np.flatnonzero((spread <= CONSTANT * size) & _targets_vary(statistics, rows.shape[1]))
    if spread.max() <= CONSTANT * size.max():
        yield Finding(
            "constant_output",
            "error",
            "head",
            f"The outputs are the same for all {len(rows):,} samples (standard deviation {number(spread.max())}): they do not depend on the "
            "inputs.",
            "Look for dead or saturated layers above, weights that are all zero, and layers that the input does not go through.",
            float(spread.max()),
            float(CONSTANT * size.max()),
        )
    elif constant.size:
        named = ", ".join(map(str, constant[:_NAMED])) + (", …" if constant.size > _NAMED else "")
        one = constant.size == 1
        worst = int(constant[spread[constant].argmax()])
        yield Finding(
            "constant_output",
            "warning",
            "head",
            f"{constant.size} of {rows.shape[1]} outputs ({named}, counted from 0) {'is' if one else 'are'} the same for all {len(rows):,} "
            f"samples: {'it does' if one else 'they do'} not depend on the inputs.",
            "Look at the last layer's weights for these outputs, and at an activation behind it that is dead or saturated.",
            float(spread[worst]),
            float(CONSTANT * size[worst]),
        )


def _targets_vary(statistics: Statistics, columns: int) -> Array:
    """Which outputs have a target that varies; all, if there is not one target an output."""
    target = statistics.target
    if target.dtype.kind != "f" or target.size != len(target) * columns:
        return np.ones(columns, np.bool_)
    rows = target.reshape(len(target), -1)
    varying: Array = (rows != rows[0]).any(0)
    return varying


CHECKS = (
    softmax_before_cross_entropy,
    sigmoid_on_multiclass,
    squashed_logits,
    logits_into_bce,
    probabilities_into_bce_with_logits,
    nll_without_log_softmax,
    constant_output,
)
