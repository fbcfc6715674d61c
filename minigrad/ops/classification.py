"""Losses over classes: kernels that leave their gradient behind."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..core import Tensor, check_reduction, is_one, op, user_depth
from ..errors import ArgumentError, DomainError, DtypeError, IndexRangeError, ShapeError
from ..kernels import cross_entropy as kernels
from ..kernels.arrays import total
from ..kernels.cache import one_dtype
from ..kernels.notation import exp, where
from .loss import check_probabilities
from .softmax import balanced, log_softmax


def class_axis(input: Any) -> int:
    return 0 if len(input.shape) == 1 else 1


def check_classes(name: str, input: Any, target: Any, weight: Any, reduction: str, probabilities: bool) -> None:
    """Shapes and dtypes of a loss over classes; `probabilities` says whether these may be the target."""
    check_reduction(name, reduction)
    if input.dtype.kind != "f":
        raise DtypeError(f"{name}: input must be floating-point scores, got dtype {input.dtype}")
    if input.ndim == 0:
        raise ShapeError(f"{name}: input must have a class axis, (classes) or (batch, classes, …), got a 0-d tensor")
    classes = input.shape[class_axis(input)]
    if weight is not None and weight.shape != (classes,):
        raise ShapeError(f"{name}: weight must have one entry a class, shape ({classes},), got {weight.shape}")
    indices = input.shape[2:] if input.ndim == 1 else (input.shape[0], *input.shape[2:])
    if target.dtype.kind in "iu":
        if target.shape != indices:
            raise ShapeError(
                f"{name}: class indices for input {input.shape} must have shape {indices} (without the class axis), got target {target.shape}"
            )
        return
    if not probabilities or target.dtype.kind != "f" or target.shape != input.shape:
        also = f" or probabilities of shape {input.shape}" if probabilities else ""
        raise DtypeError(
            f"{name}: target must hold class indices of an integer dtype and shape {indices}{also}, "
            f"got dtype {target.dtype}, shape {target.shape}"
        )


def _check_indices(name: str, target: Any, classes: int, ignore_index: int | None) -> None:
    bad = (target != ignore_index) & ((target < 0) | (target >= classes))
    if bad.any():
        raise_index(name, target, int(np.argmax(bad)), classes)


def raise_index(name: str, target: Any, number: int, classes: int) -> None:
    """Name the target of that number, in the order of memory."""
    place = ", ".join(str(int(i)) for i in np.unravel_index(number, target.shape))
    where_ = f"target[{place}]" if place else "target"
    error = DomainError if name.endswith("margin_loss") else IndexRangeError  # PyTorch raises RuntimeError there
    raise error(f"{name}: {where_} is {int(target.ravel()[number])}, but there are {classes} classes, numbered 0 to {classes - 1}")


def picked(name: str, shape: Sequence[int], dtype: Any, target: Any, weight: Any, ignore_index: int | None) -> tuple[Any, Any, Any]:
    """Where in the input's shape the target's class stands, if it is not to be ignored; the class weights w; and Σ w_target."""
    axis = 0 if len(shape) == 1 else 1
    _check_indices(name, target, shape[axis], ignore_index)
    index = np.expand_dims(target, axis)
    w = _along_classes(weight, shape, dtype)
    hit = (_along_classes(np.arange(shape[axis]), shape, None) == index) & (index != ignore_index)
    return hit, w, (w * hit).sum()


def _along_classes(values: Any, shape: Sequence[int], dtype: Any) -> Any:
    """One value a class, ones for None, so that they meet the class axis of `shape`."""
    axis = 0 if len(shape) == 1 else 1
    return np.ones(1, dtype) if values is None else values.reshape([-1 if i == axis else 1 for i in range(len(shape))])


def _desired(
    name: str, shape: Sequence[int], dtype: Any, target: Any, weight: Any, ignore_index: int, smoothing: float
) -> tuple[Any, Any, Any]:
    """What the loss multiplies −log p by, in the input's shape; the divisor of the mean; and which rows count.

    Q = w ((1 − ε) q + ε / C), q the one-hot target or the target distribution; rows to be ignored are 0. The mean divides by Σ w_t
    for class indices, by the number of rows for probabilities.
    """
    axis = 0 if len(shape) == 1 else 1
    share = np.asarray(smoothing / shape[axis] if shape[axis] else 0, dtype)
    if target.dtype.kind == "f":
        rows_ = math.prod(shape) / shape[axis] if shape[axis] else 0.0
        return _along_classes(weight, shape, dtype) * ((1 - smoothing) * target + share), rows_, True
    hit, w, divisor = picked(name, shape, dtype, target, weight, ignore_index)
    valid = np.expand_dims(target, axis) != ignore_index
    return w * ((1 - smoothing) * hit.astype(dtype) + share) * valid, divisor, valid


def reduced(losses: Any, divisor: Any, reduction: str) -> Any:
    if reduction == "none":
        return losses
    return losses.sum() / np.asarray(divisor, losses.dtype) if reduction == "mean" else losses.sum()


def _row_gradient(g: Any, divisor: Any, reduction: str, axis: int) -> Any:
    """The gradient of each row's loss, with the class axis put back."""
    if reduction == "none":
        return g[(slice(None),) * axis + (None,)]
    return g / float(divisor) if reduction == "mean" else g


@op
def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Cross-entropy of softmax(input) against classes: −Σ_c Q_c log softmax(input)_c; its mean, sum or each row's.

    Shapes: input (C), (N, C) or (N, C, d₁, …) of logits; target of class indices (N, d₁, …), or of probabilities in input's shape.
    With w the class weights and ε the smoothing, Q = w ((1 − ε) q + ε/C), q the one-hot target. Rows whose target is ignore_index
    count nothing. The mean divides by Σ w_target (by the number of rows for probabilities); NaN where that is 0, with gradient 0 if
    every row is ignored.
    Backward: dL/dinput = g (p Σ Q − Q), p = softmax(input): p − q in the plain case.
    Edge values: where the target's probability rounds to 1, loss and slope keep their digits (PyTorch: 0).
    Errors: IndexRangeError names the first target that is no class; DomainError for probabilities outside [0, 1] (deviation: PyTorch
    takes any); ShapeError, DtypeError, ArgumentError.
    A softmax output as input gets a warning: the softmax is taken here.
    """
    if target.dtype.kind == "f":
        check_probabilities("cross_entropy", target=target)
    axis = class_axis(input)
    desired, divisor, _ = _desired("cross_entropy", input.shape, input.dtype, target, weight, ignore_index, label_smoothing)
    terms = where(desired == 0, 0, desired * log_softmax.formula(input, axis))
    return reduced(-total(terms, (axis,)), divisor or np.nan, reduction)


@cross_entropy.check
def _(input, target, weight, ignore_index, reduction, label_smoothing):
    check_classes("cross_entropy", input, target, weight, reduction, probabilities=True)
    if not 0 <= label_smoothing <= 1:
        raise ArgumentError(f"cross_entropy: label_smoothing must be in [0, 1], got {label_smoothing}")


@cross_entropy.guarded_graph
def _(input, target, weight):
    step = input.step
    if step is not None and step.op.name == "softmax":
        warnings.warn(
            "cross_entropy: its input is the output of softmax, but it takes logits and applies softmax itself; "
            "leave the softmax out (or hand log(p) to nll_loss)",
            stacklevel=user_depth(),
        )


def to_rows(x: Any) -> Any:
    """The matrix whose rows lie along the class axis."""
    if x.ndim == 2:
        return np.ascontiguousarray(x)
    if x.ndim > 2:
        x = np.moveaxis(x, 1, -1)
    return np.ascontiguousarray(x).reshape(-1, x.shape[-1])


def _to_columns(x: Any) -> Any:
    """The matrix with one row for each class of each batch entry, as long as the axes behind the classes."""
    return np.ascontiguousarray(x).reshape(x.shape[0] * x.shape[1], -1)


def _from_rows(x: Any, shape: Sequence[int]) -> Any:
    """Back to a tensor of that shape; what has it is handed on, as a view of it would be copied where it becomes a gradient."""
    if len(shape) <= 2:
        return x if x.shape == shape else x.reshape(shape)
    return np.ascontiguousarray(np.moveaxis(x.reshape(shape[0], *shape[2:], shape[1]), -1, 1))


def output(input: Any, reduction: str) -> Any:
    """Where the loss goes: a number, or one a row."""
    if reduction != "none":
        return np.empty((), input.dtype)
    return np.empty(input.shape[:1] * (input.ndim > 1) + input.shape[2:], input.dtype)


def class_weights(weight: Any, classes: int, dtype: Any) -> Any:
    return _ones(classes, dtype) if weight is None else weight.ravel()


def class_indices(target: Any) -> Any:
    return (target if target.dtype == np.int64 else target.astype(np.int64)).ravel()


_ones = lru_cache(maxsize=64)(np.ones)
REDUCE = {"none": 0, "sum": 1, "mean": 2}


@cross_entropy.kernel(
    when=lambda x, target, weight, *settings: one_dtype(x, weight, target if target.dtype.kind == "f" else None), residual=True
)
def _(input, target, weight, ignore_index, reduction, label_smoothing):
    if input.ndim != 2 or target.dtype.kind == "f":
        return _cross_entropy(input, target, weight, ignore_index, reduction, label_smoothing)
    # The case of nearly all classifiers, without the questions that the others ask.
    dtype, loss, (rows, classes) = input.dtype, output(input, reduction), input.shape
    dinput, work = np.empty((rows, classes), dtype), np.empty((4, rows), dtype)
    bad = kernels.cross_entropy_rows[dtype](
        loss.ravel(), dinput, work, np.ascontiguousarray(input), class_indices(target), class_weights(weight, classes, dtype),
        ignore_index, REDUCE[reduction], label_smoothing,
    )  # fmt: skip
    if bad:
        raise_index("cross_entropy", target, bad - 1, classes)
    return loss, dinput


def _cross_entropy(input: Any, target: Any, weight: Any, ignore_index: int, reduction: str, smoothing: float) -> tuple[Any, Any]:
    """The loss and its gradient for dL/dloss = 1, whatever the axes and the kind of target."""
    dtype, classes, loss = input.dtype, input.shape[class_axis(input)], output(input, reduction)
    across = input.ndim > 2 and math.prod(input.shape[2:]) > classes  # loops along the axes behind the classes, which are longer
    lay, more = (_to_columns, (classes,)) if across else (to_rows, ())
    scores, weights = lay(input), class_weights(weight, classes, dtype)
    dinput, work = np.empty(scores.shape, dtype), np.empty((6, input.size // classes), dtype)
    if target.dtype.kind == "f":
        check_probabilities("cross_entropy", target=target)
        soft = kernels.soft_cross_entropy_columns if across else kernels.soft_cross_entropy_rows
        soft[dtype](loss.ravel(), dinput, work, scores, lay(target), weights, *more, REDUCE[reduction], smoothing)
    else:
        hard = kernels.cross_entropy_columns if across else kernels.cross_entropy_rows
        settings = (weights, *more, ignore_index, REDUCE[reduction], smoothing)
        bad = hard[dtype](loss.ravel(), dinput, work, scores, class_indices(target), *settings)
        if bad:
            raise_index("cross_entropy", target, bad - 1, classes)
    return loss, dinput.reshape(input.shape) if across else _from_rows(dinput, input.shape)


@cross_entropy.backward("input")
def _(g, input, target, weight, ignore_index, reduction, label_smoothing):
    axis = class_axis(input)
    desired, divisor, counts = _desired(
        "cross_entropy", input.shape, input.dtype, target, plain(weight), ignore_index, label_smoothing
    )
    y = log_softmax.of(input, axis)
    divisor = (divisor or np.nan) if np.any(counts) else 1.0
    slope = balanced(y, exp(y) * desired.sum(axis, keepdims=True) - desired, axis)
    return where(counts, _row_gradient(g, divisor, reduction, axis) * slope, 0)


@cross_entropy.backward("target")
def _(g, input, weight, reduction, label_smoothing):
    axis = class_axis(input)
    shape = input.shape
    w = _along_classes(plain(weight), shape, input.dtype)
    rows_ = math.prod(shape) / max(shape[axis], 1)
    return _row_gradient(g, rows_, reduction, axis) * (log_softmax.of(input, axis) * (-(1 - label_smoothing) * w))


def scaled(gradient: Any, g: Any) -> Any:
    """The gradient for dL/dloss = 1 times that of the loss, one number or one a row."""
    if gradient.ndim > 2 and g.ndim:
        return gradient * np.expand_dims(g, 1)
    out = np.empty(gradient.shape, gradient.dtype)
    kernels.cross_entropy_rows_backward[out.dtype](out.ravel(), g.ravel(), gradient.ravel(), g.size, gradient.size // g.size)
    return out


@cross_entropy.backward_kernel("input")
def _(g, residual):
    if is_one(g):
        return residual
    return scaled(residual, g)


def plain(weight: Any) -> Any:
    return weight.array if isinstance(weight, Tensor) else weight


@op
def nll_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """Negative log-likelihood of class indices, −w_t input_t; its mean, sum or each row's. input holds log-probabilities.

    Shapes: input (C), (N, C) or (N, C, d₁, …), target (N, d₁, …). Rows whose target is ignore_index count nothing; the mean divides
    by Σ w_target. Backward: dL/dinput = −g w_t at the target, 0 elsewhere.
    Errors: IndexRangeError names the first target that is no class; ShapeError, DtypeError, ArgumentError.
    """
    axis = class_axis(input)
    hit, w, divisor = picked("nll_loss", input.shape, input.dtype, target, weight, ignore_index)
    return reduced(-total(where(hit & (w != 0), w * input, 0), (axis,)), divisor, reduction)


@nll_loss.check
def _(input, target, weight, ignore_index, reduction):
    check_classes("nll_loss", input, target, weight, reduction, probabilities=False)


@nll_loss.kernel(when=lambda x, target, weight, *settings: one_dtype(x, weight), residual=True)
def _(input, target, weight, ignore_index, reduction):
    dtype = input.dtype
    classes, inner = input.shape[class_axis(input)], math.prod(input.shape[2:])
    loss, pulls, places = output(input, reduction), np.empty(target.size, dtype), np.empty(target.size, np.int64)
    bad = kernels.nll_rows[dtype](
        loss.ravel(), pulls, places, input.ravel(), class_indices(target), class_weights(weight, classes, dtype),
        classes, inner, ignore_index, REDUCE[reduction],
    )  # fmt: skip
    if bad:
        raise_index("nll_loss", target, bad - 1, classes)
    return loss, (places, pulls)


@nll_loss.backward("input")
def _(g, input_shape, target, weight, ignore_index, reduction):
    axis = 0 if len(input_shape) == 1 else 1
    hit, w, divisor = picked("nll_loss", input_shape, g.dtype, target, plain(weight), ignore_index)
    return where(hit, _row_gradient(g, divisor, reduction, axis) * -w, 0)


@nll_loss.backward_kernel("input")
def _(g, residual, input_shape):
    out = np.zeros(input_shape, g.dtype)
    kernels.nll_rows_backward[g.dtype](out.ravel(), g.ravel(), *residual)
    return out
