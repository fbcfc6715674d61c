"""Losses.

A loss of one element is an elementwise operation with a `reduction`: its kernel sums as it goes. Cross-entropy with class indices is
one kernel that leaves its gradient behind.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..core import Operand, Tensor, check_reduction, elementwise, op, user_depth
from ..errors import ArgumentError, DomainError, DtypeError, IndexRangeError, ShapeError
from ..kernels import rows
from ..kernels.arrays import total
from ..kernels.cache import compilable, kernels_enabled
from ..kernels.notation import absolute, exp, log, log1p, maximum, where
from .softmax import log_softmax


def _same_shape(name: str, input: Any, target: Any) -> None:
    """Deviation from PyTorch, which warns and broadcasts: (n, 1) against (n,) would silently compare n × n pairs."""
    if np.shape(input) != np.shape(target):
        raise ShapeError(
            f"{name}: input and target must have the same shape, got input {np.shape(input)}, target {np.shape(target)}"
        )


def _positive(name: str, what: str, value: float) -> None:
    if not value > 0:
        raise ArgumentError(f"{name}: {what} must be positive, got {value}")


@elementwise
def mse_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Squared error, (input − target)²; its mean, sum or each.

    Backward: dL/dinput = g 2 (input − target), dL/dtarget its negative.
    Deviation: shapes that differ are refused, PyTorch broadcasts them with a warning.
    """
    d = input - target
    return d * d


@mse_loss.check
def _(input, target, reduction):
    _same_shape("mse_loss", input, target)


@mse_loss.backward("input")
def _(g, input, target):
    return g * (2 * (input - target))


@mse_loss.backward("target")
def _(g, input, target):
    return -g * (2 * (input - target))


@elementwise
def l1_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Absolute error, |input − target|; its mean, sum or each.

    Backward: dL/dinput = g sign(input − target); 0 at the kink. Deviation: shapes that differ are refused.
    """
    return absolute(input - target)


@l1_loss.check
def _(input, target, reduction):
    _same_shape("l1_loss", input, target)


@l1_loss.backward("input")
def _(g, input, target):
    return where(input > target, g, where(input < target, -g, 0))


@l1_loss.backward("target")
def _(g, input, target):
    return where(input > target, -g, where(input < target, g, 0))


@elementwise(static=("delta",))
def huber_loss(input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0) -> Tensor:
    """Huber loss: with d = input − target, d²/2 for |d| ≤ δ, else δ (|d| − δ/2); its mean, sum or each.

    Backward: dL/dinput = g clamp(d, −δ, δ). Deviation: shapes that differ are refused.
    Source: Huber 1964, "Robust estimation of a location parameter".
    """
    a = absolute(input - target)
    return where(a <= delta, 0.5 * a * a, delta * (a - 0.5 * delta))


@huber_loss.check
def _(input, target, reduction, delta):
    _same_shape("huber_loss", input, target)
    _positive("huber_loss", "delta", delta)


@huber_loss.backward("input")
def _(g, input, target, delta):
    d = input - target
    return g * where(d >= delta, delta, where(d <= -delta, -delta, d))


@huber_loss.backward("target")
def _(g, input, target, delta):
    d = input - target
    return -g * where(d >= delta, delta, where(d <= -delta, -delta, d))


def _probabilities(name: str, **values: Any) -> None:
    """Refuse values outside [0, 1]."""
    for what, tensor in values.items():
        array = np.asarray(tensor.array if isinstance(tensor, Tensor) else tensor)
        if compilable(array.dtype) and kernels_enabled():
            outside = rows.outside_unit[array.dtype](array.ravel())
        else:
            outside = array.size - np.count_nonzero((array >= 0) & (array <= 1))
        if outside:
            hint = "; for logits there is binary_cross_entropy_with_logits" if what == "input" else ""
            raise DomainError(f"{name}: {what} must hold probabilities in [0, 1]; {outside} of {array.size} values do not{hint}")


def _weights_fit(name: str, input: Any, **weights: Any) -> None:
    for what, weight in weights.items():
        try:
            fits = np.broadcast_shapes(np.shape(weight), np.shape(input)) == np.shape(input)
        except ValueError:
            fits = False
        if not fits:
            raise ShapeError(
                f"{name}: {what} of shape {np.shape(weight)} does not broadcast to the input's shape {np.shape(input)}"
            )


@elementwise
def binary_cross_entropy(input: Tensor, target: Tensor, weight: Operand | None = 1.0, reduction: str = "mean") -> Tensor:
    """Binary cross-entropy of probabilities, −w (t log x + (1 − t) log(1 − x)); its mean, sum or each. Logarithms end at −100.

    Shapes: input and target alike; weight broadcasts. Backward: dL/dinput = g w (x − t) / (x (1 − x)), the divisor at least 1e-12.
    Errors: DomainError for an input or target outside [0, 1] (deviation: PyTorch does not look at the target); ShapeError.
    """
    return -weight * (target * maximum(log(input), -100) + (1 - target) * maximum(log1p(-input), -100))


@binary_cross_entropy.check
def _(input, target, weight, reduction):
    _same_shape("binary_cross_entropy", input, target)
    _weights_fit("binary_cross_entropy", input, weight=weight)


@binary_cross_entropy.guarded
def _(input, target, weight):
    _probabilities("binary_cross_entropy", input=input, target=target)


@binary_cross_entropy.backward("input")
def _(g, input, target, weight):
    return g * (weight * (input - target) / maximum(input * (1 - input), 1e-12))


@binary_cross_entropy.backward("target")
def _(g, input, weight):
    return g * (weight * (maximum(log1p(-input), -100) - maximum(log(input), -100)))


@elementwise
def binary_cross_entropy_with_logits(
    input: Tensor, target: Tensor, weight: Operand | None = 1.0, reduction: str = "mean", pos_weight: Operand | None = 1.0
) -> Tensor:
    """Binary cross-entropy of σ(input), w ((1 − t) softplus(x) + p t softplus(−x)), p = pos_weight; its mean, sum or each.

    The sigmoid is never formed, so both tails keep their digits. Shapes: input and target alike; weight and pos_weight broadcast.
    Backward: dL/dinput = g w ((1 − t) σ(x) − p t σ(−x)), which is g (σ(x) − t) without weights.
    Errors: DomainError for a target outside [0, 1] (deviation: PyTorch takes any); ShapeError.
    """
    s = log1p(exp(-absolute(input)))
    return weight * ((1 - target) * (maximum(input, 0) + s) + pos_weight * target * (maximum(-input, 0) + s))


@binary_cross_entropy_with_logits.check
def _(input, target, weight, pos_weight, reduction):
    _same_shape("binary_cross_entropy_with_logits", input, target)
    _weights_fit("binary_cross_entropy_with_logits", input, weight=weight, pos_weight=pos_weight)


@binary_cross_entropy_with_logits.guarded
def _(input, target, weight, pos_weight):
    _probabilities("binary_cross_entropy_with_logits", target=target)


@binary_cross_entropy_with_logits.backward("input")
def _(g, input, target, weight, pos_weight):
    e = exp(where(input >= 0, -input, input))  # not −|x|: its slope at 0 counts for second derivatives
    up = where(input >= 0, 1, e) / (1 + e)
    down = where(input >= 0, e, 1) / (1 + e)
    return g * (weight * ((1 - target) * up - pos_weight * target * down))


@binary_cross_entropy_with_logits.backward("target")
def _(g, input, weight, pos_weight):
    s = log1p(exp(where(input >= 0, -input, input)))
    return g * (weight * (pos_weight * (where(input >= 0, 0, -input) + s) - (where(input >= 0, input, 0) + s)))


# ---- classes


def _class_axis(input: Any) -> int:
    return 0 if len(input.shape) == 1 else 1


def _check_classes(name: str, input: Any, target: Any, weight: Any, reduction: str, probabilities: bool) -> None:
    """Shapes and dtypes of a loss over classes; `probabilities` says whether these may be the target."""
    check_reduction(name, reduction)
    if input.dtype.kind != "f":
        raise DtypeError(f"{name}: input must be floating-point scores, got dtype {input.dtype}")
    if input.ndim == 0:
        raise ShapeError(f"{name}: input must have a class axis, (classes) or (batch, classes, …), got a 0-d tensor")
    classes = input.shape[_class_axis(input)]
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


def _check_indices(name: str, target: Any, classes: int, ignore_index: int) -> None:
    bad = (target != ignore_index) & ((target < 0) | (target >= classes))
    if bad.any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        _raise_index(name, place, int(target[place]), classes)


def _raise_index(name: str, place: Sequence[int], value: int, classes: int) -> None:
    where_ = f"target[{', '.join(map(str, place))}]" if len(place) else "target"
    raise IndexRangeError(f"{name}: {where_} is {value}, but there are {classes} classes, numbered 0 to {classes - 1}")


def _desired(
    name: str, shape: Sequence[int], dtype: Any, target: Any, weight: Any, ignore_index: int, smoothing: float
) -> tuple[Any, Any, Any]:
    """What the loss multiplies −log p by, in the input's shape; the divisor of the mean; and which rows count.

    Q = w ((1 − ε) q + ε / C), q the one-hot target or the target distribution; rows to be ignored are 0. The mean divides by Σ w_t
    for class indices, by the number of rows for probabilities.
    """
    axis = 0 if len(shape) == 1 else 1
    classes = shape[axis]
    along = tuple(-1 if i == axis else 1 for i in range(len(shape)))
    w = np.ones(1, dtype) if weight is None else weight.reshape(along)
    if target.dtype.kind == "f":
        q = target
        count = math.prod(shape) / classes if classes else 0.0
        return w * ((1 - smoothing) * q + smoothing / classes), count, True
    _check_indices(name, target, classes, ignore_index)
    index = np.expand_dims(target, axis)
    valid = index != ignore_index
    q = (np.arange(classes).reshape(along) == index).astype(dtype)
    weighted = (w * q * valid).sum()
    return w * ((1 - smoothing) * q + np.asarray(smoothing / classes, dtype)) * valid, weighted, valid


def _reduced(losses: Any, divisor: Any, reduction: str) -> Any:
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
    count nothing. The mean divides by Σ w_target (by the number of rows for probabilities); NaN, with gradient 0, if every row is ignored.
    Backward: dL/dinput = g (p Σ Q − Q), p = softmax(input): p − q in the plain case.
    Errors: IndexRangeError names the first target that is no class; ShapeError, DtypeError, ArgumentError.
    A softmax output as input gets a warning: the softmax is taken here.
    """
    axis = _class_axis(input)
    desired, divisor, _ = _desired("cross_entropy", input.shape, input.dtype, target, weight, ignore_index, label_smoothing)
    terms = where(desired == 0, 0, desired * log_softmax.of(input, axis))
    return _reduced(-total(terms, (axis,)), divisor, reduction)


@cross_entropy.check
def _(input, target, weight, ignore_index, reduction, label_smoothing):
    _check_classes("cross_entropy", input, target, weight, reduction, probabilities=True)
    if not 0 <= label_smoothing <= 1:
        raise ArgumentError(f"cross_entropy: label_smoothing must be in [0, 1], got {label_smoothing}")


@cross_entropy.guarded
def _(input, target, weight):
    step = input.step
    if step is not None and step.op.name == "softmax":
        warnings.warn(
            "cross_entropy: its input is the output of softmax, but it takes logits and applies softmax itself; "
            "leave the softmax out (or hand log(p) to nll_loss)",
            stacklevel=user_depth(),
        )


def _index_rows(input, target, weight, ignore_index, reduction, label_smoothing):
    same = weight is None or weight.dtype == input.dtype
    return input.ndim == 2 and input.size > 0 and target.dtype.kind in "iu" and compilable(input.dtype) and same


@cross_entropy.kernel(when=_index_rows, residual=True)
def _(input, target, weight, ignore_index, reduction, label_smoothing):
    n, classes = input.shape
    loss = np.empty(n if reduction == "none" else (), input.dtype)
    dinput = np.empty(input.shape, input.dtype)
    indices = target if target.dtype == np.int64 else target.astype(np.int64)
    weights = _ones(classes, input.dtype) if weight is None else weight.ravel()
    work = np.empty((3, n), input.dtype)
    bad = rows.cross_entropy_rows[input.dtype](
        loss.ravel(), dinput, work, np.ascontiguousarray(input), indices.ravel(), weights,
        ignore_index, _REDUCE[reduction], label_smoothing,
    )  # fmt: skip
    if bad:
        _raise_index("cross_entropy", (bad - 1,), int(target[bad - 1]), classes)
    return loss, dinput


_ones = lru_cache(maxsize=64)(np.ones)
_REDUCE = {"none": 0, "sum": 1, "mean": 2}


@cross_entropy.backward("input")
def _(g, input, target, weight, ignore_index, reduction, label_smoothing):
    axis = _class_axis(input)
    desired, divisor, counts = _desired(
        "cross_entropy", input.shape, input.dtype, target, _plain(weight), ignore_index, label_smoothing
    )
    p = exp(log_softmax.of(input, axis))
    return where(counts, _row_gradient(g, divisor, reduction, axis) * (p * desired.sum(axis, keepdims=True) - desired), 0)


@cross_entropy.backward("target")
def _(g, input, weight, reduction, label_smoothing):
    axis = _class_axis(input)
    shape = input.shape
    w = 1.0 if weight is None else _plain(weight).reshape([-1 if i == axis else 1 for i in range(len(shape))])
    rows_ = math.prod(shape) / shape[axis]
    return _row_gradient(g, rows_, reduction, axis) * (log_softmax.of(input, axis) * (-(1 - label_smoothing) * w))


@cross_entropy.backward_kernel("input")
def _(g, residual):
    if not g.shape and g.item() == 1:
        return residual
    out = np.empty(residual.shape, residual.dtype)
    rows.cross_entropy_rows_backward[residual.dtype](out.ravel(), g.ravel(), residual.ravel(), *residual.shape)
    return out


def _plain(weight: Any) -> Any:
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
    axis = _class_axis(input)
    desired, divisor, _ = _desired("nll_loss", input.shape, input.dtype, target, weight, ignore_index, 0.0)
    return _reduced(-total(where(desired == 0, 0, desired * input), (axis,)), divisor, reduction)


@nll_loss.check
def _(input, target, weight, ignore_index, reduction):
    _check_classes("nll_loss", input, target, weight, reduction, probabilities=False)


@nll_loss.backward("input")
def _(g, input_shape, target, weight, ignore_index, reduction):
    axis = 0 if len(input_shape) == 1 else 1
    desired, divisor, counts = _desired("nll_loss", input_shape, g.dtype, target, _plain(weight), ignore_index, 0.0)
    return where(counts, _row_gradient(g, divisor, reduction, axis) * -desired, 0)
