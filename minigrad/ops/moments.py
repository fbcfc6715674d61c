"""Variance, standard deviation and norms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core import Tensor, checked_dtype, op
from ..errors import ArgumentError, ShapeError
from ..kernels.arrays import square_sum, sum_to, total
from ..kernels.notation import absolute, where
from .arithmetic import sub
from .convert import float_only, on_tensor
from .extremes import shared_by_ties
from .reduction import Dims, axes_of, kept, mean, not_empty


def _mean(x: Any, dim: Sequence[int]) -> Any:
    """The mean over `dim`, these axes kept: of an array or a Tensor."""
    count = math.prod(x.shape[i] for i in dim)
    if isinstance(x, Tensor):
        return sum_to(x, kept(x.shape, dim)) / count
    return total(x, dim, True) / np.asarray(count, x.dtype)


def _centred_squares(x: Any, dim: Sequence[int], keepdim: bool) -> Any:
    """Σ (x − mean)², in two passes."""
    return square_sum(x, _mean(x, dim), dim, keepdim)


def _degrees(shape: Sequence[int], dim: Sequence[int], correction: float) -> float:
    degrees = math.prod(shape[i] for i in dim) - correction
    return degrees if degrees > 0 else 0.0


def _settings(name: str, x: Any, dim: Dims, unbiased: bool | None, correction: float | None) -> dict[str, Any]:
    float_only(name, x)
    if unbiased is not None and correction is not None:
        raise ArgumentError(f"{name}: expected unbiased or correction, got both")
    if correction is None:
        correction = 1 if unbiased is None else int(unbiased)
    return {"dim": axes_of(name, dim, x.ndim), "correction": correction}


def _by_position(dim: Dims | bool) -> dict[str, Any]:
    """What the second argument is: the dim, or a bool that stands for `unbiased`."""
    return {"unbiased": dim} if isinstance(dim, bool) else {"dim": dim}


@op
def var(
    x: Tensor, dim: Dims = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: float | None = None
) -> Tensor:
    """Variance, Σ (x − mean)² / (n − correction), over all axes or over `dim`.

    The correction is 1 if none is given; `unbiased` is the older word for 1 (True) or 0 (False).

    Backward: dL/dx = g 2 (x − mean) / (n − correction). Edge values: NaN where n ≤ correction.
    """
    return np.asarray(_centred_squares(x, dim, keepdim) / np.asarray(_degrees(x.shape, dim, correction), x.dtype))


@var.check
def _(x, dim, unbiased, keepdim, correction):
    return _settings("var", x, dim, unbiased, correction)


@var.variant(2)
def _(input: Tensor, dim: Dims | bool, **settings: Any) -> Tensor:
    """`var(x, False)`, where PyTorch has an older order: unbiased without dim."""
    return var(input, **_by_position(dim), **settings)


@var.backward("x")
def _(g, x, x_shape, dim, correction):
    centred = x - _mean(x, dim)
    degrees = _degrees(x_shape, dim, correction)
    return g.reshape(kept(x_shape, dim)) * (2 / degrees if degrees else math.nan) * centred


@op
def std(
    x: Tensor, dim: Dims = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: float | None = None
) -> Tensor:
    """Standard deviation, √(Σ (x − mean)² / (n − correction)), over all axes or over `dim`; `unbiased` as for `var`.

    Backward: dL/dx = g (x − mean) / (y (n − correction)); 0 where y = 0. Edge values: NaN where n ≤ correction.
    """
    return np.asarray(np.sqrt(_centred_squares(x, dim, keepdim) / np.asarray(_degrees(x.shape, dim, correction), x.dtype)))


@std.check
def _(x, dim, unbiased, keepdim, correction):
    return _settings("std", x, dim, unbiased, correction)


@std.variant(2)
def _(input: Tensor, dim: Dims | bool, **settings: Any) -> Tensor:
    return std(input, **_by_position(dim), **settings)


@std.backward("x")
def _(g, x, y, x_shape, dim, correction):
    centred = x - _mean(x, dim)
    degrees = _degrees(x_shape, dim, correction)
    shape = kept(x_shape, dim)
    return where(y == 0, 0, g / y).reshape(shape) * (1 / degrees if degrees else math.nan) * centred


@on_tensor
def var_mean(
    input: Tensor, dim: Dims = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: float | None = None
) -> tuple[Tensor, Tensor]:
    """Variance and mean, (`var`, `mean`) with the same settings."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    return var(input, dim, unbiased, keepdim, correction=correction), mean(input, dim, keepdim)


@on_tensor
def std_mean(
    input: Tensor, dim: Dims = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: float | None = None
) -> tuple[Tensor, Tensor]:
    """Standard deviation and mean, (`std`, `mean`) with the same settings."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    return std(input, dim, unbiased, keepdim, correction=correction), mean(input, dim, keepdim)


@op
def norm(x: Tensor, p: Any = "fro", dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The p-norm (Σ |xᵢ|ᵖ)^(1/p) of all elements or of those along `dim`; 2 by default ("fro").

    p = inf and −inf are the largest and the smallest |xᵢ|, p = 0 the number of elements that are not 0. Several dims count as one
    vector. Backward: dL/dx = g sign(x) (|x| / y)^(p−1); for ±inf shared evenly by all that tie, for p = 0 nothing.
    Edge values: gradient 0 at x = 0, as PyTorch has it.
    """
    x = x.astype(dtype, copy=False)
    if p == 2:
        return np.sqrt(square_sum(x, np.zeros(kept(x.shape, dim), x.dtype), dim, keepdim))
    if p == 0:
        return np.count_nonzero(x, axis=dim, keepdims=keepdim).astype(x.dtype)
    size = np.abs(x)
    if math.isinf(p):
        return (np.max if p > 0 else np.min)(size, axis=dim, keepdims=keepdim)
    return total(size if p == 1 else size**p, dim, keepdim) ** (1 / p)


@norm.check
def _(x, p, dim, keepdim, dtype):
    if dtype is None:
        float_only("norm", x)
    if p is None or p == "fro":
        p = 2
    if isinstance(p, bool) or not isinstance(p, (int, float)):
        raise ArgumentError(f"norm: p must be a number, inf, -inf or 'fro', got {p!r}")
    axes = axes_of("norm", dim, x.ndim)
    if p < 0 or math.isinf(p):
        not_empty("norm", x.shape, axes, ShapeError)
    return {"p": float(p), "dim": axes, "dtype": x.dtype if dtype is None else checked_dtype("norm", dtype)}


@norm.backward("x")
def _(g, x, y, x_shape, p, dim):
    shape = kept(x_shape, dim)
    if p == 2:
        return (g / where(y == 0, 1, y)).reshape(shape) * x
    plain = x.array if isinstance(x, Tensor) else x
    sign = (plain > 0).astype(plain.dtype) - (plain < 0)  # no gradient goes through it; 0 for NaN
    if math.isinf(p):
        return shared_by_ties(g, absolute(x), y, x_shape, dim) * sign
    y, g = y.reshape(shape), g.reshape(shape)
    if p in (0, 1):
        return g * p * sign
    safe = where(y == 0, 1, y)
    return where(y == 0, 0, g) * sign * where(x == 0, 1, absolute(x) / safe) ** (p - 1)


def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """The p-norm of input − other; their shapes broadcast."""
    return norm(sub(input, other), p)
