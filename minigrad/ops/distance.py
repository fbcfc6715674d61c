"""Lengths of vectors, and what is measured by them: unit vectors, distances, angles."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import Tensor, check_number, op
from ..errors import ArgumentError, InputTypeError, ShapeError
from ..kernels.arrays import total
from ..kernels.notation import absolute, where
from .comparison import clamp
from .convert import float_only
from .reduction import axis_of


@op
def p_norm(x: Tensor, p: float, dim: int, keepdim: bool) -> Tensor:
    """The p-norm along an axis, (Σ |xᵢ|ᵖ)^(1/p); for p = ±inf the largest and the smallest |xᵢ|, for p = 0 how many are not 0.

    Backward: dL/dx = g sign(x) (|x| / y)^(p−1); for ±inf shared evenly by all that tie, for p = 0 nothing. Edge values: gradient 0
    at x = 0.
    """
    size = np.abs(x)
    if math.isinf(p):
        return (np.max if p > 0 else np.min)(size, axis=dim, keepdims=keepdim)
    if p == 0:
        return np.count_nonzero(x, axis=dim, keepdims=keepdim).astype(x.dtype)
    if p == 2:
        return np.sqrt(total(x * x, (dim,), keepdim))
    return total(size if p == 1 else size**p, (dim,), keepdim) ** (1 / p)


@p_norm.check
def _(x, p, dim, keepdim):
    return {"p": float(p)}


@p_norm.backward("x")
def _(g, x, y, p, dim, keepdim):
    if not keepdim:
        place = (slice(None),) * dim + (None,)
        g, y = g[place], y[place]
    sign = np.sign(x.array if isinstance(x, Tensor) else x)  # no gradient goes through it
    if math.isinf(p):
        hit = absolute(x) == y
        return where(hit, g / np.asarray(hit).sum(dim, keepdims=True).astype(g.dtype), 0) * sign
    safe = where(y == 0, 1, y)
    if p == 2:
        return g * (x / safe)
    return where(y == 0, 0, g) * sign * where(x == 0, 1, absolute(x) / safe) ** (p - 1) if p else x * 0


def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """input / max(‖input‖ₚ, eps), vectors along `dim` by themselves: of length 1, unless shorter than eps."""
    check_number("normalize", p=p, eps=eps)
    float_only("normalize", input)
    if input.ndim == 0:
        return normalize(input.reshape(1), p, dim, eps).reshape(())
    return input / clamp(p_norm(input, p, axis_of("normalize", dim, input.ndim), True), min=eps)


def _check_vectors(name: str, **vectors: Any) -> None:
    shapes = []
    for argument, x in vectors.items():
        if not isinstance(x, Tensor):
            raise InputTypeError(f"{name}: {argument} must be a Tensor, got {type(x).__name__}")
        shapes.append(x.shape)
    try:
        np.broadcast_shapes(*shapes)
    except ValueError:
        raise ShapeError(f"{name}: shapes do not broadcast: {', '.join(f'{n} {x.shape}' for n, x in vectors.items())}") from None


def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """‖x1 − x2 + eps‖ₚ over the last axis. Shapes: (…, d), which broadcast, → (…), with keepdim (…, 1)."""
    check_number("pairwise_distance", p=p, eps=eps)
    _check_vectors("pairwise_distance", x1=x1, x2=x2)
    apart = x1 - x2 + eps
    return p_norm(apart, p, axis_of("pairwise_distance", -1, apart.ndim), keepdim)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """x1 · x2 / (max(‖x1‖, eps) max(‖x2‖, eps)) along `dim`: the cosine of the angle between vectors. The shapes broadcast.

    Edge values: 0 for a vector of zeros. The gradient takes the lengths as they are, also below eps, as PyTorch's does.
    """
    check_number("cosine_similarity", eps=eps)
    _check_vectors("cosine_similarity", x1=x1, x2=x2)
    ndim = max(x1.ndim, x2.ndim)
    axis = axis_of("cosine_similarity", dim, ndim)
    units = []
    for x in (x1, x2):
        x = x.reshape((1,) * (ndim - x.ndim) + x.shape)
        float_only("cosine_similarity", x)
        length = p_norm(x, 2, axis, True)
        units.append(x / (length + (clamp(length.detach(), min=eps) - length.detach())))
    return (units[0] * units[1]).sum(axis)


def cdist(x1: Tensor, x2: Tensor, p: float = 2.0) -> Tensor:
    """The p-norm distance of each row of x1 from each row of x2. Shapes: (…, n, d), (…, m, d) → (…, n, m)."""
    check_number("cdist", p=p)
    for argument, x in (("x1", x1), ("x2", x2)):
        if x.ndim < 2:
            raise ShapeError(f"cdist: {argument} must have 2 or more axes, got shape {x.shape}")
    if x1.shape[-1] != x2.shape[-1]:
        raise ShapeError(f"cdist: x1 and x2 must have as many columns, got {x1.shape} and {x2.shape}")
    if p < 0:
        raise ArgumentError(f"cdist: p must not be negative, got {p}")
    apart = x1[..., :, None, :] - x2[..., None, :, :]
    return p_norm(apart, p, apart.ndim - 1, False)
