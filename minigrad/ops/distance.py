"""Lengths of vectors, and what is measured by them: unit vectors, distances, angles."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import Tensor, check_number, get_default_dtype, op
from ..errors import ArgumentError, DtypeError, ShapeError
from ..kernels import losses
from ..kernels.cache import one_dtype
from ..kernels.notation import absolute, sqrt, where
from .comparison import clamp
from .comparison import where as chosen
from .convert import check_tensors, float_only, on_tensor
from .moments import norm
from .reduction import axis_of
from .shape import broadcast_to

# More rows than so many: a matrix product; else differences are taken one by one. The limits are PyTorch's.
_PRODUCT_FROM = {
    "use_mm_for_euclid_dist_if_necessary": 25,
    "use_mm_for_euclid_dist": 0,
    "donot_use_mm_for_euclid_dist": math.inf,
}


def same_rows(x1: Any, x2: Any, *settings: Any) -> bool:
    return x1.shape == x2.shape and x1.ndim > 0 and one_dtype(x1, x2)


def rounded(y: Any, x1: Any, x2: Any) -> Any:
    """What was computed in float64 because both inputs hold integers, in the default dtype."""
    return y if "f" in (x1.dtype.kind, x2.dtype.kind) else y.astype(get_default_dtype())


def matrix_of(x: Any) -> Any:
    return np.ascontiguousarray(x).reshape(-1, x.shape[-1])


@on_tensor
def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """input / max(‖input‖ₚ, eps), vectors along `dim` by themselves: of length 1, unless shorter than eps."""
    check_number("normalize", p=p, eps=eps)
    float_only("normalize", input)
    if input.ndim == 0:
        return normalize(input.reshape(1), p, dim, eps).reshape(())
    return input / clamp(norm(input, p, axis_of("normalize", dim, input.ndim), True), min=eps)


def _check_vectors(name: str, **vectors: Any) -> None:
    check_tensors(name, **vectors)
    try:
        np.broadcast_shapes(*(x.shape for x in vectors.values()))
    except ValueError:
        raise ShapeError(f"{name}: shapes do not broadcast: {', '.join(f'{n} {x.shape}' for n, x in vectors.items())}") from None


@op(broadcasts=True)
def vector_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """The p-norm of d = x₁ − x₂ + ε along the last axis, (Σ |d|ᵖ)^(1/p); the largest |d| for p = inf.

    Shapes: (…, D) and (…, D) to (…), broadcasting. Backward: dL/dx₁ = g sign(d) (|d|/y)^(p−1), 0 where y = 0; for p = inf shared by
    the largest. Errors: ArgumentError unless p > 0.
    """
    a = rounded(absolute(x1 - x2 + eps), x1, x2)
    if p == math.inf:
        return a.max(-1, keepdims=keepdim, initial=0)
    if p == 2:
        return sqrt((a * a).sum(-1, keepdims=keepdim))
    return a.sum(-1, keepdims=keepdim) if p == 1 else (a**p).sum(-1, keepdims=keepdim) ** (1 / p)


@vector_distance.check
def _(x1, x2, p, eps, keepdim):
    for argument, x in (("x1", x1), ("x2", x2)):
        if x.dtype.kind == "b":
            raise DtypeError(f"pairwise_distance: {argument} must hold numbers, got dtype {x.dtype}")
    if not p > 0:
        raise ArgumentError(f"pairwise_distance: p must be positive, got {p}")
    try:
        fits = len(np.broadcast_shapes(x1.shape, x2.shape)) > 0
    except ValueError:
        fits = False
    if not fits:
        raise ShapeError(f"pairwise_distance: vectors along the last axis are expected, got x1 {x1.shape}, x2 {x2.shape}")


def _distance_rule(g, y, x1, x2, p, eps, keepdim):
    d = x1 - x2 + eps
    g, y = (g, y) if keepdim else (g[..., None], y[..., None])
    if p == math.inf:
        hit = absolute(d) == y
        share = g / hit.sum(-1, keepdims=True)
        return where(hit & (d != 0), where(d < 0, -share, share), 0)
    side = where(d > 0, g, where(d < 0, -g, 0))
    if p == 1:
        return side
    q = d / where(y == 0, 1, y)
    if p == 2:
        return g * q
    return side * absolute(where(d == 0, 1, q)) ** (p - 1) if p < 2 else g * (q * absolute(q) ** (p - 2))


@vector_distance.backward("x1")
def _(g, y, x1, x2, p, eps, keepdim):
    return _distance_rule(g, y, x1, x2, p, eps, keepdim)


@vector_distance.backward("x2")
def _(g, y, x1, x2, p, eps, keepdim):
    return -_distance_rule(g, y, x1, x2, p, eps, keepdim)


@vector_distance.kernel(when=lambda x1, x2, p, eps, keepdim: p == 2 and same_rows(x1, x2))
def _(x1, x2, p, eps, keepdim):
    out = np.empty(x1.shape[:-1] + (1,) * keepdim, x1.dtype)
    losses.distance_rows[x1.dtype](out.ravel(), matrix_of(x1), matrix_of(x2), eps)
    return out


def _distance_kernel(g, y, x1, x2, eps, sign):
    out = np.empty(x1.shape, x1.dtype)
    losses.distance_rows_backward[x1.dtype](matrix_of(out), g.ravel(), y.ravel(), matrix_of(x1), matrix_of(x2), eps, sign)
    return out


@vector_distance.backward_kernel("x1")
def _(g, y, x1, x2, eps):
    return _distance_kernel(g, y, x1, x2, eps, 1.0)


@vector_distance.backward_kernel("x2")
def _(g, y, x1, x2, eps):
    return _distance_kernel(g, y, x1, x2, eps, -1.0)


@on_tensor
def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """‖x1 − x2 + eps‖ₚ over the last axis. Shapes: (…, d), which broadcast, → (…), with keepdim (…, 1)."""
    check_number("pairwise_distance", p=p)
    return vector_distance(x1, x2, p, eps, keepdim) if p > 0 else norm(x1 - x2 + eps, p, -1, keepdim)


@on_tensor
def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """x1 · x2 / (max(‖x1‖, eps) max(‖x2‖, eps)) along `dim`: the cosine of the angle between vectors. The shapes broadcast.

    An axis of length 1 against a longer one counts as often as the longer one is long.
    Edge values: 0 for a vector of zeros. The gradient takes the lengths as they are, also below eps, as PyTorch's does.
    """
    check_number("cosine_similarity", eps=eps)
    _check_vectors("cosine_similarity", x1=x1, x2=x2)
    ndim = max(x1.ndim, x2.ndim)
    axis = axis_of("cosine_similarity", dim, ndim)
    units = []
    for x in (x1, x2):
        float_only("cosine_similarity", x)
        x = x.reshape((1,) * (ndim - x.ndim) + x.shape)
        if x.ndim and x.shape[axis] == 1:
            x = broadcast_to(x, np.broadcast_shapes(x1.shape, x2.shape))
        length = norm(x, 2, axis, True)
        short = length.detach() < eps
        units.append(x / (length + chosen(short, eps - length.detach(), 0)))
    return (units[0] * units[1]).sum(axis)


@op
def euclidean_distances(x1: Tensor, x2: Tensor) -> Tensor:
    """The distance of each row of x1 from each row of x2 by one matrix product, √(|x₁|² − 2 x₁·x₂ + |x₂|²).

    Shapes: (…, n, d), (…, m, d) → (…, n, m). Backward: dL/dx₁ᵢ = Σⱼ (g / y)ᵢⱼ (x₁ᵢ − x₂ⱼ), 0 from where y = 0.
    Edge values: near points lose digits, as they do in PyTorch: the square of a distance is a difference of larger numbers.
    Complexity: n·m·d multiplications, and memory for n·m distances.
    """
    squares = (x1 * x1).sum(-1)[..., :, None] - 2 * (x1 @ np.swapaxes(x2, -1, -2)) + (x2 * x2).sum(-1)[..., None, :]
    return np.sqrt(np.maximum(squares, 0))


def _pulled(g, y, own, other):
    """Σⱼ (g / y)ᵢⱼ (ownᵢ − otherⱼ)."""
    pull = where(y == 0, 0, g / where(y == 0, 1, y))
    return pull.sum(-1)[..., None] * own - pull @ other


@euclidean_distances.backward("x1")
def _(g, y, x1, x2):
    return _pulled(g, y, x1, x2)


@euclidean_distances.backward("x2")
def _(g, y, x1, x2):
    return _pulled(g.mT, y.mT, x2, x1)


@on_tensor
def cdist(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str = "use_mm_for_euclid_dist_if_necessary") -> Tensor:
    """The p-norm distance of each row of x1 from each row of x2. Shapes: (…, n, d), (…, m, d) → (…, n, m).

    Euclidean distances come from a matrix product as `compute_mode` says: "use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist",
    or for more than 25 rows. Complexity: n·m·d; for p other than 2 memory too, as all differences are formed.
    """
    check_number("cdist", p=p)
    if compute_mode not in _PRODUCT_FROM:
        raise ArgumentError(f"cdist: compute_mode must be one of {', '.join(map(repr, _PRODUCT_FROM))}, got {compute_mode!r}")
    for argument, x in (("x1", x1), ("x2", x2)):
        if x.ndim < 2:
            raise ShapeError(f"cdist: {argument} must have 2 or more axes, got shape {x.shape}")
    if x1.shape[-1] != x2.shape[-1]:
        raise ShapeError(f"cdist: x1 and x2 must have as many columns, got {x1.shape} and {x2.shape}")
    if p < 0:
        raise ArgumentError(f"cdist: p must not be negative, got {p}")
    if p == 2 and max(x1.shape[-2], x2.shape[-2]) > _PRODUCT_FROM[compute_mode] and x1.shape[:-2] == x2.shape[:-2]:
        return euclidean_distances(x1, x2)
    apart = x1[..., :, None, :] - x2[..., None, :, :]
    return norm(apart, p, apart.ndim - 1, False)
