"""Losses over classes and probabilities.

Binary losses are elementwise operations with a `reduction`. Those over class indices are kernels over rows that leave their gradient behind.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..core import Operand, Tensor, check_number, check_reduction, elementwise, op, user_depth
from ..errors import ArgumentError, DimError, DomainError, DtypeError, IndexRangeError, ShapeError
from ..kernels import rows
from ..kernels.arrays import total
from ..kernels.cache import compilable, kernels_enabled
from ..kernels.notation import absolute, exp, expm1, log, log1p, maximum, where
from .loss import same_shape
from .softmax import log_softmax


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
    same_shape("binary_cross_entropy", input, target)
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
    same_shape("binary_cross_entropy_with_logits", input, target)
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


def multilabel_soft_margin_loss(input: Tensor, target: Tensor, weight: Operand | None = None, reduction: str = "mean") -> Tensor:
    """Binary cross-entropy with logits, averaged over the last axis, the classes: −(1/C) Σ_c w_c (t log σ(x) + (1 − t) log σ(−x));
    then its mean, sum or each row's.

    Shapes: input and target (…, C) alike; weight broadcasts. Backward, tails, errors: as `binary_cross_entropy_with_logits`.
    """
    check_reduction("multilabel_soft_margin_loss", reduction)
    same_shape("multilabel_soft_margin_loss", input, target)
    if not input.ndim:
        raise DimError("multilabel_soft_margin_loss: input must have an axis of classes, got a 0-d tensor")
    loss = binary_cross_entropy_with_logits(input, target, weight, reduction)
    if reduction == "mean":
        return loss
    return loss / input.shape[-1] if reduction == "sum" else loss.mean(-1)


@elementwise(static=("gamma",))
def binary_focal_loss(
    input: Tensor, target: Tensor, positive: float, negative: float, gamma: float = 2.0, reduction: str = "mean"
) -> Tensor:
    """Focal loss of σ(input), α_t qᵞ ce: ce the binary cross-entropy with logits, q = σ(x) (1 − t) + σ(−x) t the probability of the
    other class, α_t = positive t + negative (1 − t).

    Backward: dL/dx = g α_t (γ qᵞ⁻¹ q′ ce + qᵞ (σ(x) − t)), q′ = (1 − 2t) σ(x) σ(−x);
    dL/dt = g ((positive − negative) qᵞ ce + α_t (γ qᵞ⁻¹ (σ(x) − σ(−x)) ce − qᵞ x)) with the signs of dq/dt = σ(−x) − σ(x), dce/dt = −x.
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
    """α (1 − p)ᵞ ce, where ce = −log p. Backward: dL/dce = g α (qᵞ + γ qᵞ⁻¹ p ce), q = 1 − p = −expm1(−ce)."""
    return alpha * (-expm1(-ce)) ** gamma * ce


@focused.backward("ce")
def _(g, ce, alpha, gamma):
    q = -expm1(-ce)
    return g * (alpha * (q**gamma + gamma * q ** (gamma - (gamma != 0)) * (1 - q) * ce))


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
    check_number("focal_loss", gamma=gamma)
    check_reduction("focal_loss", reduction)
    if not gamma >= 0:
        raise ArgumentError(f"focal_loss: gamma must not be negative, got {gamma}")
    if target.shape == input.shape:
        positive, negative = (1.0, 1.0) if alpha is None else (alpha, 1 - alpha)
        return binary_focal_loss(input, target, positive, negative, gamma, reduction)
    ce = cross_entropy(input, target, reduction="none")
    weight = 1.0 if alpha is None else Tensor(alpha.array[target.array]) if isinstance(alpha, Tensor) else alpha
    return focused(ce, weight, gamma, reduction)


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


def _check_indices(name: str, target: Any, classes: int, ignore_index: int | None) -> None:
    bad = (target != ignore_index) & ((target < 0) | (target >= classes))
    if bad.any():
        _raise_index(name, target, int(np.argmax(bad)), classes)


def _raise_index(name: str, target: Any, number: int, classes: int) -> None:
    """Name the target of that number, in the order of memory."""
    place = ", ".join(str(int(i)) for i in np.unravel_index(number, target.shape))
    where_ = f"target[{place}]" if place else "target"
    error = DomainError if name == "multi_margin_loss" else IndexRangeError  # PyTorch raises RuntimeError there
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


def _over_rows(input, target, weight, *settings):
    """Whether there is a kernel: the floats of one dtype, and something in them."""
    floats = [x.dtype for x in (input, target, weight) if x is not None and x.dtype.kind == "f"]
    return input.size > 0 and compilable(input.dtype) and all(dtype == input.dtype for dtype in floats)


def _to_rows(x: Any) -> Any:
    """The matrix whose rows lie along the class axis."""
    if x.ndim > 2:
        x = np.moveaxis(x, 1, -1)
    return np.ascontiguousarray(x).reshape(-1, x.shape[-1])


def _from_rows(x: Any, shape: Sequence[int]) -> Any:
    """Back to a tensor of that shape."""
    if len(shape) <= 2:
        return x.reshape(shape)
    return np.ascontiguousarray(np.moveaxis(x.reshape(shape[0], *shape[2:], shape[1]), -1, 1))


def _output(input: Any, reduction: str) -> Any:
    return np.empty(input.shape[:1] * (input.ndim > 1) + input.shape[2:] if reduction == "none" else (), input.dtype)


def _class_weights(weight: Any, classes: int, dtype: Any) -> Any:
    return _ones(classes, dtype) if weight is None else weight.ravel()


def _class_indices(target: Any) -> Any:
    return (target if target.dtype == np.int64 else target.astype(np.int64)).ravel()


_ones = lru_cache(maxsize=64)(np.ones)
_REDUCE = {"none": 0, "sum": 1, "mean": 2}


@cross_entropy.kernel(when=_over_rows, residual=True)
def _(input, target, weight, ignore_index, reduction, label_smoothing):
    dtype, scores = input.dtype, _to_rows(input)
    n, classes = scores.shape
    loss, dinput, work = _output(input, reduction), np.empty((n, classes), dtype), np.empty((3, n), dtype)
    weights = _class_weights(weight, classes, dtype)
    if target.dtype.kind == "f":
        goal = _to_rows(target)
        rows.soft_cross_entropy_rows[dtype](loss.ravel(), dinput, work, scores, goal, weights, _REDUCE[reduction], label_smoothing)
        return loss, dinput
    bad = rows.cross_entropy_rows[dtype](
        loss.ravel(), dinput, work, scores, _class_indices(target), weights, ignore_index, _REDUCE[reduction], label_smoothing
    )
    if bad:
        _raise_index("cross_entropy", target, bad - 1, classes)
    return loss, dinput


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


@cross_entropy.backward_kernel("input")
def _(g, residual, input_shape):
    if not g.shape and g.item() == 1:
        return _from_rows(residual, input_shape)
    out = np.empty(residual.shape, residual.dtype)
    rows.cross_entropy_rows_backward[residual.dtype](out.ravel(), g.ravel(), residual.ravel(), *residual.shape)
    return _from_rows(out, input_shape)


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
    bad = rows.nll_rows[dtype](
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
    rows.nll_rows_backward[g.dtype](out.ravel(), g.ravel(), *residual)
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
    losses = (w * z**p).sum(1) / np.asarray(z.shape[1], z.dtype)
    return _reduced(losses.reshape(input.shape[:-1]), losses.size, reduction)


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
    bad = rows.multi_margin_rows[dtype](
        loss.ravel(), dinput, scores, _class_indices(target), _class_weights(weight, classes, dtype), p, margin, _REDUCE[reduction]
    )
    if bad:
        _raise_index("multi_margin_loss", target, bad - 1, classes)
    return loss, dinput


@multi_margin_loss.backward("input")
def _(g, input, target, p, margin, weight, reduction):
    hit, z, w = _over_margin(input, target, margin, weight)
    n, classes = z.shape
    scale = w * (1 / classes / (max(n, 1) if reduction == "mean" else 1))
    pulls = where(z > 0, scale * (1 if p == 1 else 2 * z), 0)
    g = g.reshape(-1, 1) if reduction == "none" else g
    return (g * where(hit, -pulls.sum(1, keepdims=True), pulls)).reshape(input.shape)


@multi_margin_loss.backward_kernel("input")
def _(g, residual, input_shape):
    out = np.empty(residual.shape, residual.dtype)
    rows.cross_entropy_rows_backward[residual.dtype](out.ravel(), g.ravel(), residual.ravel(), *residual.shape)
    return out.reshape(input_shape)
