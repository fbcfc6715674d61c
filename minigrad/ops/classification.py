"""Losses over classes: kernels that leave their gradient behind, and focal loss."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..core import Operand, Tensor, check_number, check_reduction, elementwise, op, user_depth
from ..errors import ArgumentError, DomainError, DtypeError, IndexRangeError, ShapeError
from ..kernels import losses, rows
from ..kernels.arrays import total
from ..kernels.cache import compilable
from ..kernels.notation import absolute, exp, expm1, log1p, maximum, where
from .loss import check_call, same_shape
from .softmax import log_softmax


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


def _check_indices(name: str, target: Any, classes: int, ignore_index: int | None) -> None:
    bad = (target != ignore_index) & ((target < 0) | (target >= classes))
    if bad.any():
        _raise_index(name, target, int(np.argmax(bad)), classes)


def _raise_index(name: str, target: Any, number: int, classes: int) -> None:
    """Name the target of that number, in the order of memory."""
    place = ", ".join(str(int(i)) for i in np.unravel_index(number, target.shape))
    where_ = f"target[{place}]" if place else "target"
    error = DomainError if name.endswith("margin_loss") else IndexRangeError  # PyTorch raises RuntimeError there
    raise error(f"{name}: {where_} is {int(target.ravel()[number])}, but there are {classes} classes, numbered 0 to {classes - 1}")


def _picked(
    name: str, shape: Sequence[int], dtype: Any, target: Any, weight: Any, ignore_index: int | None
) -> tuple[Any, Any, Any]:
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
    hit, w, divisor = _picked(name, shape, dtype, target, weight, ignore_index)
    valid = np.expand_dims(target, axis) != ignore_index
    return w * ((1 - smoothing) * hit.astype(dtype) + share) * valid, divisor, valid


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
    Edge values: where the target's probability rounds to 1, loss and slope keep their digits (PyTorch: 0).
    Errors: IndexRangeError names the first target that is no class; ShapeError, DtypeError, ArgumentError.
    A softmax output as input gets a warning: the softmax is taken here.
    """
    axis = _class_axis(input)
    desired, divisor, _ = _desired("cross_entropy", input.shape, input.dtype, target, weight, ignore_index, label_smoothing)
    terms = where(desired == 0, 0, desired * _log_probabilities(input, axis))
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


def _log_probabilities(x: Any, axis: int) -> Any:
    """log softmax(x), with log1p of what is beside the largest: so −log p of a dominant class keeps its digits."""
    if not x.size:
        return x
    peak = np.expand_dims(np.argmax(x, axis), axis)
    shifted = x - np.take_along_axis(x, peak, axis)
    e = exp(shifted)
    own = np.take_along_axis(e, peak, axis)
    np.put_along_axis(e, peak, 0, axis)
    return shifted - log1p(total(e, (axis,), True) + (own - 1))


def _over_rows(input, target, weight, *settings):
    """Whether there is a kernel: the floats of one dtype, and something in them."""
    floats = [x.dtype for x in (input, target, weight) if x is not None and x.dtype.kind == "f"]
    return input.size > 0 and compilable(input.dtype) and all(dtype == input.dtype for dtype in floats)


def _to_rows(x: Any) -> Any:
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
    """Back to a tensor of that shape."""
    if len(shape) <= 2:
        return x.reshape(shape)
    return np.ascontiguousarray(np.moveaxis(x.reshape(shape[0], *shape[2:], shape[1]), -1, 1))


def _output(input: Any, reduction: str) -> Any:
    """Where the loss goes: a number, or one a row."""
    if reduction != "none":
        return np.empty((), input.dtype)
    return np.empty(input.shape[:1] * (input.ndim > 1) + input.shape[2:], input.dtype)


def _class_weights(weight: Any, classes: int, dtype: Any) -> Any:
    return _ones(classes, dtype) if weight is None else weight.ravel()


def _class_indices(target: Any) -> Any:
    return (target if target.dtype == np.int64 else target.astype(np.int64)).ravel()


_ones = lru_cache(maxsize=64)(np.ones)
_REDUCE = {"none": 0, "sum": 1, "mean": 2}


@cross_entropy.kernel(when=_over_rows, residual=True)
def _(input, target, weight, ignore_index, reduction, label_smoothing):
    if target.dtype.kind == "f":
        return _soft_cross_entropy(input, target, weight, reduction, label_smoothing)
    dtype, loss = input.dtype, _output(input, reduction)
    if input.ndim == 2 or math.prod(input.shape[2:]) <= input.shape[_class_axis(input)]:
        run, scores, more = rows.cross_entropy_rows, _to_rows(input), []
        n, classes = scores.shape
    else:  # the axes behind the classes are the longer ones: loops run along them
        run, scores, classes = losses.cross_entropy_columns, _to_columns(input), input.shape[1]
        n, more = target.size, [classes]
    dinput, work = np.empty(scores.shape, dtype), np.empty((5, n), dtype)
    weights = _ones(classes, dtype) if weight is None else weight.ravel()
    bad = run[dtype](
        loss.ravel(),
        dinput,
        work,
        scores,
        _class_indices(target),
        weights,
        *more,
        ignore_index,
        _REDUCE[reduction],
        label_smoothing,
    )
    if bad:
        _raise_index("cross_entropy", target, bad - 1, classes)
    return loss, dinput if input.ndim == 2 else dinput.reshape(input.shape) if more else _from_rows(dinput, input.shape)


def _soft_cross_entropy(input: Any, target: Any, weight: Any, reduction: str, smoothing: float) -> tuple[Any, Any]:
    dtype, classes, loss = input.dtype, input.shape[_class_axis(input)], _output(input, reduction)
    work, weights = np.empty((5, input.size // classes), dtype), _class_weights(weight, classes, dtype)
    if math.prod(input.shape[2:]) <= classes:
        run, lay, more = losses.soft_cross_entropy_rows, _to_rows, []
    else:
        run, lay, more = losses.soft_cross_entropy_columns, _to_columns, [classes]
    scores = lay(input)
    dinput = np.empty(scores.shape, dtype)
    run[dtype](loss.ravel(), dinput, work, scores, lay(target), weights, *more, _REDUCE[reduction], smoothing)
    return loss, dinput.reshape(input.shape) if more else _from_rows(dinput, input.shape)


@cross_entropy.backward("input")
def _(g, input, target, weight, ignore_index, reduction, label_smoothing):
    axis = _class_axis(input)
    desired, divisor, counts = _desired(
        "cross_entropy", input.shape, input.dtype, target, _plain(weight), ignore_index, label_smoothing
    )
    p = exp(log_softmax.of(input, axis))
    divisor = divisor if np.any(counts) else 1.0
    return where(counts, _row_gradient(g, divisor, reduction, axis) * (p * desired.sum(axis, keepdims=True) - desired), 0)


@cross_entropy.backward("target")
def _(g, input, weight, reduction, label_smoothing):
    axis = _class_axis(input)
    shape = input.shape
    w = _along_classes(_plain(weight), shape, input.dtype)
    rows_ = math.prod(shape) / shape[axis]
    return _row_gradient(g, rows_, reduction, axis) * (log_softmax.of(input, axis) * (-(1 - label_smoothing) * w))


def _scaled(gradient: Any, g: Any) -> Any:
    """The gradient for dL/dloss = 1 times that of the loss, one number or one a row."""
    if gradient.ndim > 2 and g.ndim:
        return gradient * np.expand_dims(g, 1)
    out = np.empty(gradient.shape, gradient.dtype)
    rows.cross_entropy_rows_backward[out.dtype](out.ravel(), g.ravel(), gradient.ravel(), g.size, gradient.size // g.size)
    return out


@cross_entropy.backward_kernel("input")
def _(g, residual):
    if not g.shape and g.item() == 1:
        return residual
    return _scaled(residual, g)


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
    hit, w, divisor = _picked("nll_loss", input.shape, input.dtype, target, weight, ignore_index)
    return _reduced(-total(where(hit & (w != 0), w * input, 0), (axis,)), divisor, reduction)


@nll_loss.check
def _(input, target, weight, ignore_index, reduction):
    _check_classes("nll_loss", input, target, weight, reduction, probabilities=False)


@nll_loss.kernel(when=_over_rows, residual=True)
def _(input, target, weight, ignore_index, reduction):
    dtype = input.dtype
    classes, inner = input.shape[_class_axis(input)], math.prod(input.shape[2:])
    loss, pulls, places = _output(input, reduction), np.empty(target.size, dtype), np.empty(target.size, np.int64)
    bad = losses.nll_rows[dtype](
        loss.ravel(), pulls, places, input.ravel(), _class_indices(target), _class_weights(weight, classes, dtype),
        classes, inner, ignore_index, _REDUCE[reduction],
    )  # fmt: skip
    if bad:
        _raise_index("nll_loss", target, bad - 1, classes)
    return loss, (places, pulls)


@nll_loss.backward("input")
def _(g, input_shape, target, weight, ignore_index, reduction):
    axis = 0 if len(input_shape) == 1 else 1
    hit, w, divisor = _picked("nll_loss", input_shape, g.dtype, target, _plain(weight), ignore_index)
    return where(hit, _row_gradient(g, divisor, reduction, axis) * -w, 0)


@nll_loss.backward_kernel("input")
def _(g, residual, input_shape):
    out = np.zeros(input_shape, g.dtype)
    losses.nll_rows_backward[g.dtype](out.ravel(), g.ravel(), *residual)
    return out


@op
def multi_margin_loss(
    input: Tensor, target: Tensor, p: int = 1, margin: float = 1.0, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """Multi-class hinge, w_t/C Σ_{c ≠ t} max(margin − x_t + x_c, 0)ᵖ, p = 1 or 2; its mean (over rows), sum or each row's.

    Shapes: input (N, C) or (C), target (N) or (). Backward: dL/dx_c = g w_t/C p max(…)^(p−1), 0 at the kink; dL/dx_t minus their sum.
    Errors: DomainError names the first target that is no class; ShapeError, DtypeError, ArgumentError.
    Source: Crammer & Singer 2001, "On the algorithmic implementation of multiclass kernel-based vector machines".
    """
    _, z, w = _over_margin(input, target, margin, weight)
    each = (w * z**p).sum(1) / np.asarray(z.shape[1], z.dtype)
    return _reduced(each.reshape(input.shape[:-1]), each.size, reduction)


@multi_margin_loss.check
def _(input, target, weight, p, margin, reduction):
    if p not in (1, 2):
        raise ArgumentError(f"multi_margin_loss: p must be 1 or 2, got {p}")
    _check_classes("multi_margin_loss", input, target, weight, reduction, probabilities=False)
    if input.ndim > 2:
        raise ShapeError(f"multi_margin_loss: input must be (N, C) or (C), got {input.shape}")


def _over_margin(input, target, margin, weight):
    """Which class is the target; by how much each other one is above the margin, else 0; the weight of each row."""
    x, index = input.reshape(-1, input.shape[-1]), _plain(target).reshape(-1)
    hit, w, _ = _picked("multi_margin_loss", x.shape, x.dtype, index, _plain(weight), None)
    z = margin - where(hit, x, 0).sum(1, keepdims=True) + x
    return hit, where(np.logical_not(hit) & (z > 0), z, 0), (w * hit).sum(1, keepdims=True)


@multi_margin_loss.kernel(when=_over_rows, residual=True)
def _(input, target, p, margin, weight, reduction):
    dtype, scores = input.dtype, _to_rows(input)
    n, classes = scores.shape
    loss, dinput = _output(input, reduction), np.empty((n, classes), dtype)
    bad = losses.multi_margin_rows[dtype](
        loss.ravel(), dinput, scores, _class_indices(target), _class_weights(weight, classes, dtype), p, margin, _REDUCE[reduction]
    )
    if bad:
        _raise_index("multi_margin_loss", target, bad - 1, classes)
    return loss, dinput.reshape(input.shape)


@multi_margin_loss.backward("input")
def _(g, input, target, p, margin, weight, reduction):
    hit, z, w = _over_margin(input, target, margin, weight)
    n, classes = z.shape
    scale = w * (1 / classes / (max(n, 1) if reduction == "mean" else 1))
    pulls = where(z > 0, scale * (1 if p == 1 else 2 * z), 0)
    g = g.reshape(-1, 1) if reduction == "none" else g
    return (g * where(hit, -pulls.sum(1, keepdims=True), pulls)).reshape(input.shape)


@multi_margin_loss.backward_kernel("input")
def _(g, residual):
    return _scaled(residual, g)


@op
def multilabel_margin_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Multi-label hinge, 1/C Σ_t Σ_o max(1 − x_t + x_o, 0) over the target classes t and the other classes o; its mean (over rows), sum or
    each row's.

    Shapes: input (N, C) or (C), target alike: class indices up to the first −1. Backward: dL/dx_o = g/C for each positive term, dL/dx_t
    minus that; 0 at the kink. Errors: DomainError names the first target that is no class; ShapeError, DtypeError, ArgumentError.
    """
    z, pairs = _over_labels(input, target)
    each = where((z > 0) & (pairs > 0), pairs * z, 0).sum((1, 2)) / np.asarray(z.shape[1], z.dtype)
    return _reduced(each.reshape(input.shape[:-1]), each.size, reduction)


@multilabel_margin_loss.check
def _(input, target, reduction):
    check_reduction("multilabel_margin_loss", reduction)
    if input.dtype.kind != "f" or target.dtype.kind not in "iu":
        raise DtypeError(
            f"multilabel_margin_loss: scores and class indices are expected, got input {input.dtype}, target {target.dtype}"
        )
    same_shape("multilabel_margin_loss", input, target)
    if input.ndim not in (1, 2):
        raise ShapeError(f"multilabel_margin_loss: input must be (N, C) or (C), got {input.shape}")


def _label_counts(target: Any, dtype: Any) -> Any:
    """How often each class is a target of its row."""
    labels = target.reshape(-1, target.shape[-1])
    counted = np.logical_and.accumulate(labels != -1, axis=1)
    wrong = counted & ((labels < 0) | (labels >= labels.shape[1]))
    if wrong.any():
        _raise_index("multilabel_margin_loss", target, int(np.argmax(wrong)), labels.shape[1])
    counts = np.zeros(labels.shape, dtype)
    np.add.at(counts, (np.nonzero(counted)[0], labels[counted]), 1)
    return counts


def _over_labels(input, target):
    """By how much class o is above target t less the margin, at [row, t, o], and how often that pair counts."""
    x, counts = input.reshape(-1, input.shape[-1]), _label_counts(_plain(target), input.dtype)
    return 1 - x[:, :, None] + x[:, None, :], counts[:, :, None] * (counts[:, None, :] == 0)


@multilabel_margin_loss.kernel(when=lambda x, target, reduction: _over_rows(x, target, None), residual=True)
def _(input, target, reduction):
    scores = _to_rows(input)
    loss, dinput = _output(input, reduction), np.empty(scores.shape, input.dtype)
    counts = np.zeros(scores.shape, input.dtype)
    bad = losses.multilabel_margin_rows[input.dtype](
        loss.ravel(), dinput, counts, scores, _class_indices(target), _REDUCE[reduction]
    )
    if bad:
        _raise_index("multilabel_margin_loss", target, bad - 1, scores.shape[1])
    return loss, dinput.reshape(input.shape)


@multilabel_margin_loss.backward("input")
def _(g, input, target, reduction):
    z, pairs = _over_labels(input, target)
    n, classes = z.shape[:2]
    pulls = where(z > 0, pairs * (1 / classes / (max(n, 1) if reduction == "mean" else 1)), 0)
    g = g.reshape(-1, 1) if reduction == "none" else g
    return (g * (pulls.sum(1) - pulls.sum(2))).reshape(input.shape)


@multilabel_margin_loss.backward_kernel("input")
def _(g, residual):
    return _scaled(residual, g)


# ---- focal loss


@elementwise(static=("gamma",))
def binary_focal_loss(
    input: Tensor, target: Tensor, positive: float, negative: float, gamma: float = 2.0, reduction: str = "mean"
) -> Tensor:
    """Focal loss of σ(input), α_t qᵞ ce: ce the binary cross-entropy with logits, q = σ(x) (1 − t) + σ(−x) t the probability of the
    other class, α_t = positive t + negative (1 − t).

    Backward: dL/dx = g α_t (γ qᵞ⁻¹ q′ ce + qᵞ (σ(x) − t)), q′ = (1 − 2t) σ(x) σ(−x);
    dL/dt = g ((positive − negative) qᵞ ce + α_t (γ qᵞ⁻¹ (σ(−x) − σ(x)) ce − qᵞ x)).
    """
    e = exp(-absolute(input))
    s = log1p(e)
    up = where(input >= 0, 1, e) / (1 + e)
    down = where(input >= 0, e, 1) / (1 + e)
    ce = (1 - target) * (maximum(input, 0) + s) + target * (maximum(-input, 0) + s)
    return (positive * target + negative * (1 - target)) * (up * (1 - target) + down * target) ** gamma * ce


@binary_focal_loss.check
def _(input, target, positive, negative, gamma, reduction):
    same_shape("focal_loss", input, target)


@binary_focal_loss.backward("input")
def _(g, input, target, positive, negative, gamma):
    e = exp(where(input >= 0, -input, input))
    s = log1p(e)
    up = where(input >= 0, 1, e) / (1 + e)
    down = where(input >= 0, e, 1) / (1 + e)
    ce = (1 - target) * (where(input >= 0, input, 0) + s) + target * (where(input >= 0, 0, -input) + s)
    q = up * (1 - target) + down * target
    slope = gamma * q ** (gamma - (gamma != 0)) * ((1 - 2 * target) * (up * down)) * ce
    return g * ((positive * target + negative * (1 - target)) * (slope + q**gamma * ((1 - target) * up - target * down)))


@binary_focal_loss.backward("target")
def _(g, input, target, positive, negative, gamma):
    e = exp(where(input >= 0, -input, input))
    s = log1p(e)
    up = where(input >= 0, 1, e) / (1 + e)
    down = where(input >= 0, e, 1) / (1 + e)
    ce = (1 - target) * (where(input >= 0, input, 0) + s) + target * (where(input >= 0, 0, -input) + s)
    q = up * (1 - target) + down * target
    slope = gamma * q ** (gamma - (gamma != 0)) * (down - up) * ce - q**gamma * input
    return g * ((positive - negative) * q**gamma * ce + (positive * target + negative * (1 - target)) * slope)


@elementwise(static=("gamma",))
def focused(ce: Tensor, alpha: Operand, gamma: float = 2.0, reduction: str = "mean") -> Tensor:
    """α (1 − p)ᵞ ce, where ce = −log p. Backward: dL/dce = g α (qᵞ + γ qᵞ⁻¹ p ce), q = 1 − p = −expm1(−ce); dL/dα = g qᵞ ce."""
    return alpha * (-expm1(-ce)) ** gamma * ce


@focused.backward("ce")
def _(g, ce, alpha, gamma):
    q = -expm1(-ce)
    return g * (alpha * (q**gamma + gamma * q ** (gamma - (gamma != 0)) * (1 - q) * ce))


@focused.backward("alpha")
def _(g, ce, gamma):
    return g * ((-expm1(-ce)) ** gamma * ce)


def focal_loss(
    input: Tensor, target: Tensor, gamma: float = 2.0, alpha: float | Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """Focal loss of logits, −α_t (1 − p_t)ᵞ log p_t, p_t the probability of the target: what is classified well counts little.

    Binary where the target has input's shape: p = σ(input), the target 1, 0 or a probability between (as torchvision's
    `sigmoid_focal_loss`); α weighs the ones, 1 − α the zeros. Multi-class where it holds class indices, shape input's without the class
    axis (axis 1, or 0 of a vector): p = softmax(input); α is one weight or a tensor of one a class.
    The mean divides by the number of targets. γ = 0 is cross-entropy; without α nothing is weighted.
    Errors: as `cross_entropy`; ArgumentError for a negative gamma. Source: Lin et al. 2017, "Focal loss for dense object detection".
    """
    check_call("focal_loss", reduction, input=input, target=target)
    check_number("focal_loss", gamma=gamma)
    if not gamma >= 0:
        raise ArgumentError(f"focal_loss: gamma must not be negative, got {gamma}")
    if target.shape == input.shape:
        positive, negative = (1.0, 1.0) if alpha is None else (alpha, 1 - alpha)
        return binary_focal_loss(input, target, positive, negative, gamma, reduction)
    ce = cross_entropy(input, target, reduction="none")
    if isinstance(alpha, Tensor):
        if alpha.shape != (input.shape[_class_axis(input)],):
            raise ShapeError(f"focal_loss: alpha must have one entry a class, got shape {alpha.shape} for input {input.shape}")
        alpha = alpha[target.long()]
    return focused(ce, 1.0 if alpha is None else alpha, gamma, reduction)
