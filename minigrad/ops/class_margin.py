"""Hinges over classes: one target a row, or several."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import Tensor, check_reduction, op
from ..errors import ArgumentError, DtypeError, ShapeError
from ..kernels import losses
from ..kernels.cache import one_dtype
from ..kernels.notation import where
from .classification import (
    REDUCE,
    check_classes,
    class_indices,
    class_weights,
    output,
    picked,
    plain,
    raise_index,
    reduced,
    scaled,
)
from .loss import same_shape


@op
def multi_margin_loss(
    input: Tensor, target: Tensor, p: int = 1, margin: float = 1.0, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """Multi-class hinge, w_t/C Σ_{c ≠ t} max(margin − x_t + x_c, 0)ᵖ, p = 1 or 2; its mean (over rows), sum or each row's.

    Shapes: input (N, C) or (C), target (N) or (); one row's target may be (1) or (), and a 0-d input is a row of one class.
    Backward: dL/dx_c = g w_t/C p max(…)^(p−1), 0 at the kink; dL/dx_t minus their sum.
    Errors: DomainError names the first target that is no class; ShapeError, DtypeError, ArgumentError.
    Source: Crammer & Singer 2001, "On the algorithmic implementation of multiclass kernel-based vector machines".
    """
    _, z, w = _over_margin(input, target, margin, weight)
    each = (w * z**p).sum(1) / np.asarray(z.shape[1], z.dtype)
    return reduced(each.reshape(target.shape), each.size, reduction)


@multi_margin_loss.check
def _(input, target, weight, p, margin, reduction):
    if p not in (1, 2):
        raise ArgumentError(f"multi_margin_loss: p must be 1 or 2, got {p}")
    if target.shape in ((), (1,)) and (input.ndim < 2 or input.shape[:-1] == (1,)):
        input, target = input.reshape(1, -1), target.reshape(1)
    check_classes("multi_margin_loss", input, target, weight, reduction, probabilities=False)
    if input.ndim > 2:
        raise ShapeError(f"multi_margin_loss: input must be (N, C) or (C), got {input.shape}")


def _rows_of(x: Any) -> Any:
    """Scores as a matrix of a row an example."""
    return x.reshape(-1, x.shape[-1] if x.ndim else 1)


def _over_margin(input, target, margin, weight):
    """Which class is the target; by how much each other one is above the margin, else 0; the weight of each row."""
    x, index = _rows_of(input), plain(target).reshape(-1)
    hit, w, _ = picked("multi_margin_loss", x.shape, x.dtype, index, plain(weight), None)
    z = margin - where(hit, x, 0).sum(1, keepdims=True) + x
    return hit, where(np.logical_not(hit) & (z > 0), z, 0), (w * hit).sum(1, keepdims=True)


@multi_margin_loss.kernel(when=lambda x, target, weight, *settings: one_dtype(x, weight), residual=True)
def _(input, target, p, margin, weight, reduction):
    dtype, scores = input.dtype, np.ascontiguousarray(_rows_of(input))
    n, classes = scores.shape
    loss, dinput = np.empty(target.shape if reduction == "none" else (), dtype), np.empty((n, classes), dtype)
    bad = losses.multi_margin_rows[dtype](
        loss.ravel(), dinput, scores, class_indices(target), class_weights(weight, classes, dtype), p, margin, REDUCE[reduction]
    )
    if bad:
        raise_index("multi_margin_loss", target, bad - 1, classes)
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
    return scaled(residual, g)


@op
def multilabel_margin_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Multi-label hinge, 1/C Σ_t Σ_o max(1 − x_t + x_o, 0) over the target classes t and the other classes o; its mean (over rows), sum or
    each row's.

    Shapes: input (N, C), (C) or () for one class, target alike: class indices up to the first −1.
    Backward: dL/dx_o = g/C for each positive term, dL/dx_t minus that; 0 at the kink.
    Errors: DomainError names the first target that is no class; ShapeError, DtypeError, ArgumentError.
    """
    z, pairs = _over_labels(input, target)
    each = where((z > 0) & (pairs > 0), pairs * z, 0).sum((1, 2)) / np.asarray(z.shape[1], z.dtype)
    return reduced(each.reshape(input.shape[:1] if input.ndim > 1 else ()), each.size, reduction)


@multilabel_margin_loss.check
def _(input, target, reduction):
    check_reduction("multilabel_margin_loss", reduction)
    if input.dtype.kind != "f" or target.dtype.kind not in "iu":
        raise DtypeError(
            f"multilabel_margin_loss: scores and class indices are expected, got input {input.dtype}, target {target.dtype}"
        )
    if input.ndim > 1 or target.ndim > 1 or input.size != target.size:
        same_shape("multilabel_margin_loss", input, target)
    if input.ndim > 2:
        raise ShapeError(f"multilabel_margin_loss: input must be (N, C) or (C), got {input.shape}")


def _label_counts(target: Any, dtype: Any) -> Any:
    """How often each class is a target of its row."""
    labels = _rows_of(target)
    counted = np.logical_and.accumulate(labels != -1, axis=1)
    wrong = counted & ((labels < 0) | (labels >= labels.shape[1]))
    if wrong.any():
        raise_index("multilabel_margin_loss", target, int(np.argmax(wrong)), labels.shape[1])
    counts = np.zeros(labels.shape, dtype)
    np.add.at(counts, (np.nonzero(counted)[0], labels[counted]), 1)
    return counts


def _over_labels(input, target):
    """By how much class o is above target t less the margin, at [row, t, o], and how often that pair counts."""
    x, counts = _rows_of(input), _label_counts(plain(target), input.dtype)
    return 1 - x[:, :, None] + x[:, None, :], counts[:, :, None] * (counts[:, None, :] == 0)


@multilabel_margin_loss.kernel(when=lambda x, target, reduction: one_dtype(x), residual=True)
def _(input, target, reduction):
    scores = np.ascontiguousarray(_rows_of(input))
    loss, dinput = output(input, reduction), np.empty(scores.shape, input.dtype)
    counts = np.zeros(scores.shape, input.dtype)
    bad = losses.multilabel_margin_rows[input.dtype](loss.ravel(), dinput, counts, scores, class_indices(target), REDUCE[reduction])
    if bad:
        raise_index("multilabel_margin_loss", target, bad - 1, scores.shape[1])
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
    return scaled(residual, g)
