"""Losses with a margin: hinges on a score, a difference of scores, a cosine or a distance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import Tensor, check_number, elementwise, op
from ..errors import ArgumentError, ShapeError
from ..kernels import losses
from ..kernels.notation import maximum, sigmoid, softplus, sqrt, where
from .comparison import minimum
from .distance import matrix_of, rounded, same_rows, vector_distance
from .loss import check_call, same_shape


@elementwise(labels=("target",))
def soft_margin_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Two-class logistic loss for targets ±1, log(1 + e^−tx), computed as max(−tx, 0) + log1p(e^−|tx|); its mean, sum or each.

    Shapes: both alike. Backward: dL/dx = −g t σ(−tx). Edge values: nothing overflows (PyTorch: inf where e^−tx does).
    """
    return softplus(-target * input)


@soft_margin_loss.check
def _(input, target, reduction):
    same_shape("soft_margin_loss", input, target)


@soft_margin_loss.backward("input")
def _(g, input, target):
    return -g * (target * sigmoid(-target * input))


@elementwise(labels=("target",))
def hinge_embedding_loss(input: Tensor, target: Tensor, margin: float = 1.0, reduction: str = "mean") -> Tensor:
    """For distances x with targets ±1: x where t = 1, max(margin − x, 0) where t = −1 (both added where t is neither); its mean, sum or each.

    Shapes: broadcast. Backward: dL/dx = g where t = 1, −g where t = −1 and x ≤ margin (at the kink too), else 0; dL/dt = 0.
    """
    return where(target == 1, 0, maximum(margin - input, 0)) + where(target == -1, 0, input)


@hinge_embedding_loss.backward("input")
def _(g, input, target, margin):
    return where((target != 1) & (input <= margin), -g, 0) + where(target == -1, 0, g)


@hinge_embedding_loss.backward("target")
def _(g, target):
    return where(target > 0, 0, 0)


@elementwise(labels=("target",))
def margin_ranking_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: str = "mean") -> Tensor:
    """Ranking loss, max(−t (x₁ − x₂) + margin, 0): t = 1 wants x₁ above x₂, t = −1 below; its mean, sum or each.

    Shapes: broadcast, with as many axes each. Backward: dL/dx₁ = −g t, dL/dx₂ = g t, dL/dt = −g (x₁ − x₂) where the maximum's argument
    is not negative, else 0.
    """
    return maximum(margin - target * (input1 - input2), 0)


@margin_ranking_loss.check
def _(input1, input2, target, margin, reduction):
    if not np.ndim(input1) == np.ndim(input2) == np.ndim(target):
        raise ShapeError(
            "margin_ranking_loss: input1, input2 and target must have as many axes each, got shapes "
            f"{np.shape(input1)}, {np.shape(input2)}, {np.shape(target)}"
        )


@margin_ranking_loss.backward("input1")
def _(g, input1, input2, target, margin):
    return -where(target * (input1 - input2) <= margin, g, 0) * target


@margin_ranking_loss.backward("input2")
def _(g, input1, input2, target, margin):
    return where(target * (input1 - input2) <= margin, g, 0) * target


@margin_ranking_loss.backward("target")
def _(g, input1, input2, target, margin):
    return -where(target * (input1 - input2) <= margin, g, 0) * (input1 - input2)


# ---- cosines


_COSINE_EPSILON = 1e-12  # added to both sums of squares


@op(broadcasts=True)
def cosine_of_rows(x1: Tensor, x2: Tensor) -> Tensor:
    """The cosine of the angle between vectors along the last axis, x₁·x₂ / √((x₁·x₁ + ε) (x₂·x₂ + ε)), ε = 1e-12.

    Shapes: (…, D) and (…, D) to (…), broadcasting. Backward: dL/dx₁ = g (x₂ / √(n₁ n₂) − y x₁ / n₁), n = x·x + ε.
    """
    n1, n2 = (x1 * x1).sum(-1) + _COSINE_EPSILON, (x2 * x2).sum(-1) + _COSINE_EPSILON
    return rounded((x1 * x2).sum(-1) / sqrt(n1 * n2), x1, x2)


def _cosine_rule(g, y, x, other):
    n, m = (x * x).sum(-1) + _COSINE_EPSILON, (other * other).sum(-1) + _COSINE_EPSILON
    return (g / sqrt(n * m))[..., None] * other - (g * y / n)[..., None] * x


@cosine_of_rows.backward("x1")
def _(g, y, x1, x2):
    return _cosine_rule(g, y, x1, x2)


@cosine_of_rows.backward("x2")
def _(g, y, x1, x2):
    return _cosine_rule(g, y, x2, x1)


@cosine_of_rows.kernel(when=same_rows)
def _(x1, x2):
    out = np.empty(x1.shape[:-1], x1.dtype)
    losses.cosine_rows[x1.dtype](out.ravel(), matrix_of(x1), matrix_of(x2))
    return out


def _cosine_kernel(g, y, x, other):
    out = np.empty(x.shape, x.dtype)
    losses.cosine_rows_backward[x.dtype](matrix_of(out), g.ravel(), y.ravel(), matrix_of(x), matrix_of(other))
    return out


@cosine_of_rows.backward_kernel("x1")
def _(g, y, x1, x2):
    return _cosine_kernel(g, y, x1, x2)


@cosine_of_rows.backward_kernel("x2")
def _(g, y, x1, x2):
    return _cosine_kernel(g, y, x2, x1)


@elementwise
def cosine_hinge(cosine: Tensor, target: Tensor, margin: float, reduction: str = "mean") -> Tensor:
    """1 − c where t = 1, max(c − margin, 0) where t = −1, else 0. Backward: dL/dc = −g where t = 1, g where t = −1 and c ≥ margin, else 0."""
    return where(target == 1, 1 - cosine, where(target == -1, maximum(cosine - margin, 0), 0))


@cosine_hinge.backward("cosine")
def _(g, cosine, target, margin):
    return where(target == 1, -g, where((target == -1) & (cosine >= margin), g, 0))


def cosine_embedding_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: str = "mean") -> Tensor:
    """For pairs of vectors with targets ±1: 1 − cos(x₁, x₂) where t = 1, max(cos(x₁, x₂) − margin, 0) where t = −1; its mean, sum or each.

    The cosine is x₁·x₂ / √((x₁·x₁ + ε) (x₂·x₂ + ε)), ε = 1e-12. Shapes: inputs (N, D) with target (N), or (D) with a 0-d target;
    broadcast. The target, which only says which side counts, gets no gradient.
    Edge values: a vector of zeros has the cosine 0. Errors: ShapeError.
    """
    check_call("cosine_embedding_loss", reduction, input1=input1, input2=input2, target=target)
    if target.ndim > 1 or input1.ndim != target.ndim + 1 or input2.ndim != target.ndim + 1:
        raise ShapeError(
            "cosine_embedding_loss: inputs (N, D) with target (N), or (D) with a 0-d target, are expected, got input1 "
            f"{input1.shape}, input2 {input2.shape}, target {target.shape}"
        )
    if 1 != input1.shape[-1] != input2.shape[-1] != 1:
        raise ShapeError(
            f"cosine_embedding_loss: vectors of one length are expected, got input1 {input1.shape}, input2 {input2.shape}"
        )
    cosine = cosine_of_rows(input1, input2)
    return cosine_hinge(cosine, target.detach().to(cosine.dtype), margin, reduction)


# ---- distances


def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """max(dist(a, p) − dist(a, n) + margin, 0) with a distance of one's own (default: `pairwise_distance`); its mean, sum or each.

    `swap` puts dist(p, n) in the place of dist(a, n) where it is the smaller. Shapes: (…, D) three times, with as many axes each.
    Source: Balntas et al. 2016, "Learning local feature descriptors with triplets and shallow convolutional neural networks".
    """
    name = "triplet_margin_with_distance_loss"
    return _triplet(name, anchor, positive, negative, distance_function or vector_distance, margin, swap, reduction)


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """max(‖a − p + ε‖ₚ − ‖a − n + ε‖ₚ + margin, 0): the positive shall be nearer than the negative by a margin; its mean, sum or each.

    `swap` puts ‖p − n + ε‖ in the place of ‖a − n + ε‖ where it is the smaller. Shapes: (N, D) or (D) three times, broadcasting.
    Errors: ArgumentError for a margin that is not positive; ShapeError.
    Source: Balntas et al. 2016, "Learning local feature descriptors with triplets and shallow convolutional neural networks".
    """
    return _triplet(
        "triplet_margin_loss", anchor, positive, negative, lambda a, b: vector_distance(a, b, p, eps), margin, swap, reduction
    )


def check_margin(name: str, margin: float) -> None:
    check_number(name, margin=margin)
    if not margin > 0:
        raise ArgumentError(f"{name}: margin must be positive, got {margin}")


def _triplet(
    name: str, anchor: Tensor, positive: Tensor, negative: Tensor, distance: Any, margin: float, swap: bool, reduction: str
) -> Tensor:
    check_call(name, reduction, anchor=anchor, positive=positive, negative=negative)
    check_margin(name, margin)
    if not anchor.ndim == positive.ndim == negative.ndim:
        raise ShapeError(
            f"{name}: anchor, positive and negative must have as many axes each, got shapes {anchor.shape}, {positive.shape}, {negative.shape}"
        )
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = minimum(far, distance(positive, negative))
    return triplet_hinge(near, far, margin, reduction)


@elementwise
def triplet_hinge(near: Tensor, far: Tensor, margin: float, reduction: str = "mean") -> Tensor:
    """max(margin + near − far, 0). Backward: dL/dnear = g, dL/dfar = −g where the maximum's argument is not negative, else 0."""
    return maximum(margin + near - far, 0)


@triplet_hinge.backward("near")
def _(g, near, far, margin):
    return where(margin + near - far >= 0, g, 0)


@triplet_hinge.backward("far")
def _(g, near, far, margin):
    return where(margin + near - far >= 0, -g, 0)
