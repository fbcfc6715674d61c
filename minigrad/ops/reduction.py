"""Reductions: sums, means, extremes, variances."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..core import Operand, Tensor, checked_dtype, get_default_dtype, op
from ..errors import DimError, InputTypeError, ShapeError
from ..kernels.arrays import broadcast_to, total
from ..kernels.notation import exp, log, where
from .comparison import maximum, minimum
from .convert import float_only

Dims = int | Sequence[int] | None


def axis_of(name: str, dim: Any, ndim: int) -> int:
    """`dim` as a non-negative axis; a 0-d tensor counts as having one."""
    if isinstance(dim, (bool, np.bool_)) or not isinstance(dim, (int, np.integer)):
        raise InputTypeError(f"{name}: dim must be an int, got {dim!r}")
    count = ndim or 1
    if not -count <= dim < count:
        axes = "one axis" if ndim == 1 else "no axis" if ndim == 0 else f"{ndim} axes"
        raise DimError(f"{name}: dim {dim} is out of range: the tensor has {axes}, so dim must be in [{-count}, {count - 1}]")
    return int(dim) % count


def axes_of(name: str, dim: Dims, ndim: int) -> tuple[int, ...]:
    """`dim` as a tuple of non-negative axes; None and () mean all."""
    if dim is None or (isinstance(dim, Sequence) and len(dim) == 0):
        return tuple(range(ndim))
    axes = tuple(axis_of(name, d, ndim) for d in (dim if isinstance(dim, Sequence) else (dim,)))
    if len(set(axes)) != len(axes):
        raise ShapeError(f"{name}: dim {dim} names an axis twice")
    return axes if ndim else ()


def kept(shape: Sequence[int], dim: Sequence[int]) -> tuple[int, ...]:
    """The shape that a reduction over `dim` has with keepdim=True."""
    return tuple(1 if i in dim else n for i, n in enumerate(shape))


def _result(dtype: Any, x: Any) -> np.dtype[Any]:
    """The dtype a sum is taken in: as asked, else int64 for integers and booleans."""
    if dtype is not None:
        return checked_dtype("sum", dtype)
    return np.dtype(np.int64) if x.dtype.kind in "bu" or x.dtype.kind == "i" else x.dtype


@op
def sum(x: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Sum over all axes or over `dim` (an axis or several).

    Integers and booleans are summed in int64; float32 pairwise or in float64. Backward: g, repeated over the summed axes.
    """
    return total(x.astype(dtype, copy=False), dim, keepdim)


@sum.check
def _(x, dim, keepdim, dtype):
    return {"dim": axes_of("sum", dim, x.ndim), "dtype": _result(dtype, x)}


@sum.backward("x")
def _(g, x_shape, dim):
    return broadcast_to(g.reshape(kept(x_shape, dim)), x_shape)


@op
def mean(x: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Arithmetic mean over all axes or over `dim`.

    Backward: g / n, repeated over the n averaged elements. Edge values: the mean of nothing is NaN.
    Errors: DtypeError for integers, unless `dtype` says in which float dtype to average.
    """
    count = math.prod(x.shape[i] for i in dim)
    return np.asarray(total(x.astype(dtype, copy=False), dim, keepdim) / np.asarray(count, x.dtype if dtype is None else dtype))


@mean.check
def _(x, dim, keepdim, dtype):
    if dtype is None:
        float_only("mean", x)
    return {"dim": axes_of("mean", dim, x.ndim), "dtype": np.dtype(dtype or x.dtype)}


@mean.backward("x")
def _(g, x_shape, dim):
    count = math.prod(x_shape[i] for i in dim)
    return broadcast_to(g.reshape(kept(x_shape, dim)) / count if count else g, x_shape)


def _not_empty(name: str, shape: Sequence[int], axes: Sequence[int], error: type[Exception] = DimError) -> None:
    if 0 in [shape[i] for i in axes]:
        raise error(f"{name}: has no value for an empty axis (shape {tuple(shape)}, dim {tuple(axes)})")


def _extreme(name: str, reducer: Any) -> Any:
    """`amax` and `amin`: the same text but for the direction."""

    def extreme(x: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
        return np.asarray(reducer(x, axis=dim, keepdims=keepdim))

    extreme.__name__ = extreme.__qualname__ = name
    extreme.__doc__ = f"""The {"largest" if name == "amax" else "smallest"} element over all axes or over `dim`; NaN if there is one.

    Backward: g, shared evenly by all elements that tie (or by those that are NaN). Errors: DimError for an empty axis.
    """
    operation = op(extreme)

    @operation.check
    def _(x, dim, keepdim):
        axes = axes_of(name, dim, x.ndim)
        _not_empty(name, x.shape, axes, ShapeError if dim is None else DimError)
        return {"dim": axes}

    @operation.backward("x")
    def _(g, x, y, x_shape, dim):
        shape = kept(x_shape, dim)
        hit = (x == y.reshape(shape)) | (x != x)
        ties = np.asarray(hit).sum(axis=dim, keepdims=True)
        return where(hit, g.reshape(shape) / ties.astype(g.dtype), 0)

    return operation


amax = _extreme("amax", np.max)
amin = _extreme("amin", np.min)


def _arg_extreme(name: str, reducer: Any) -> Any:
    def arg_extreme(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
        return np.asarray(reducer(x, axis=dim, keepdims=keepdim), np.int64)

    arg_extreme.__name__ = arg_extreme.__qualname__ = name
    arg_extreme.__doc__ = f"""The index (int64) of the {"largest" if name == "argmax" else "smallest"} element, the first of equal ones;
    over the flat tensor, or along `dim`. No gradient.
    """
    operation = op(arg_extreme)

    @operation.check
    def _(x, dim, keepdim):
        axis = None if dim is None or x.ndim == 0 else axis_of(name, dim, x.ndim)
        if dim is not None and x.ndim == 0:
            axis_of(name, dim, x.ndim)
        _not_empty(name, x.shape, range(x.ndim) if axis is None else (axis,))
        return {"dim": axis}

    return operation


argmax = _arg_extreme("argmax", np.argmax)
argmin = _arg_extreme("argmin", np.argmin)


class ValuesAndIndices(NamedTuple):
    """What `max(dim)` and `min(dim)` return."""

    values: Tensor
    indices: Tensor


@op(live=("indices",))
def pick(x: Tensor, indices: Tensor, dim: int) -> Tensor:
    """The elements of x at `indices` along `dim` (indices keep that axis with length 1). Backward: g goes to the picked elements."""
    return np.take_along_axis(x, indices, dim)


@pick.backward("x")
def _(g, indices, x_shape, dim):
    return _spread(g, indices, x_shape, dim)


def _spread(g: Any, indices: Any, shape: Sequence[int], dim: int) -> Any:
    hit = np.arange(shape[dim]).reshape([-1 if i == dim else 1 for i in range(len(shape))]) == indices
    return where(hit, g, 0)


def _along(name: str, x: Tensor, arg: Any, dim: int, keepdim: bool) -> ValuesAndIndices:
    axis = axis_of(name, dim, x.ndim)
    if x.ndim == 0:
        return ValuesAndIndices(x.clone(), arg(x, dim))
    _not_empty(name, x.shape, (axis,))
    indices = arg(x, axis, keepdim=True)
    values = pick(x, indices.array, axis)
    return ValuesAndIndices(values, indices) if keepdim else ValuesAndIndices(values.squeeze(axis), indices.squeeze(axis))


def max(input: Tensor, dim: int | Operand | None = None, keepdim: bool = False, *, other: Operand | None = None) -> Any:
    """The largest element (ties share the gradient evenly); with `dim` (values, indices), the gradient going to the first of equal
    ones; with another tensor the larger of two, element by element (`maximum`)."""
    if isinstance(dim, Tensor) or other is not None:
        return maximum(input, dim if other is None else other)
    return amax(input) if dim is None else _along("max", input, argmax, dim, keepdim)


def min(input: Tensor, dim: int | Operand | None = None, keepdim: bool = False, *, other: Operand | None = None) -> Any:
    """The smallest element (ties share the gradient evenly); with `dim` (values, indices), the gradient going to the first of equal
    ones; with another tensor the smaller of two, element by element (`minimum`)."""
    if isinstance(dim, Tensor) or other is not None:
        return minimum(input, dim if other is None else other)
    return amin(input) if dim is None else _along("min", input, argmin, dim, keepdim)


def _centred_squares(x: Any, dim: Sequence[int], keepdim: bool) -> Any:
    """Σ (x − mean)², in two passes."""
    count = math.prod(x.shape[i] for i in dim)
    centred = x - total(x, dim, True) / np.asarray(count, x.dtype)
    return total(centred * centred, dim, keepdim)


def _degrees(shape: Sequence[int], dim: Sequence[int], correction: float) -> float:
    degrees = math.prod(shape[i] for i in dim) - correction
    return degrees if degrees > 0 else 0.0


@op
def var(x: Tensor, dim: Dims = None, *, correction: float = 1, keepdim: bool = False, unbiased: bool | None = None) -> Tensor:
    """Variance, Σ (x − mean)² / (n − correction), over all axes or over `dim`. `unbiased` is the older word for correction 1 or 0.

    Backward: dL/dx = g 2 (x − mean) / (n − correction). Edge values: NaN where n ≤ correction.
    """
    return np.asarray(_centred_squares(x, dim, keepdim) / np.asarray(_degrees(x.shape, dim, correction), x.dtype))


@var.check
def _(x, dim, correction, keepdim, unbiased):
    float_only("var", x)
    return {"dim": axes_of("var", dim, x.ndim), "correction": correction if unbiased is None else int(unbiased)}


@var.backward("x")
def _(g, x, x_shape, dim, correction):
    centred = x - x.mean(dim, keepdims=True) if dim else x - x
    degrees = _degrees(x_shape, dim, correction)
    return g.reshape(kept(x_shape, dim)) * (centred * (2 / degrees if degrees else math.nan))


@op
def std(x: Tensor, dim: Dims = None, *, correction: float = 1, keepdim: bool = False, unbiased: bool | None = None) -> Tensor:
    """Standard deviation, √(Σ (x − mean)² / (n − correction)), over all axes or over `dim`; `unbiased` as for `var`.

    Backward: dL/dx = g (x − mean) / (y (n − correction)); 0 where y = 0. Edge values: NaN where n ≤ correction.
    """
    return np.asarray(np.sqrt(_centred_squares(x, dim, keepdim) / np.asarray(_degrees(x.shape, dim, correction), x.dtype)))


@std.check
def _(x, dim, correction, keepdim, unbiased):
    float_only("std", x)
    return {"dim": axes_of("std", dim, x.ndim), "correction": correction if unbiased is None else int(unbiased)}


@std.backward("x")
def _(g, x, y, x_shape, dim, correction):
    centred = x - x.mean(dim, keepdims=True) if dim else x - x
    degrees = _degrees(x_shape, dim, correction)
    shape = kept(x_shape, dim)
    return where(y == 0, 0, g / y).reshape(shape) * (centred * (1 / degrees if degrees else math.nan))


@op
def logsumexp(x: Tensor, dim: Dims, keepdim: bool = False) -> Tensor:
    """log Σ eˣ over `dim`, computed as max x + log Σ exp(x − max x).

    Backward: dL/dx = g exp(x − y): the softmax. Edge values: −inf for nothing but −inf, +inf with a +inf.
    """
    x = x if x.dtype.kind == "f" else x.astype(get_default_dtype())
    top = np.max(x, axis=dim, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0).astype(x.dtype)
    out = log(total(exp(x - top), dim, True)) + top
    return out if keepdim else out.reshape([n for i, n in enumerate(out.shape) if i not in dim])


@logsumexp.check
def _(x, dim, keepdim):
    return {"dim": axes_of("logsumexp", dim, x.ndim)}


@logsumexp.backward("x")
def _(g, x, y, x_shape, dim):
    shape = kept(x_shape, dim)
    return g.reshape(shape) * exp(x - where(y == -math.inf, 0, y).reshape(shape))


@op
def all(x: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """Whether all elements are non-zero, over all axes or over `dim`. No gradient."""
    return np.asarray(np.all(x, axis=dim, keepdims=keepdim))


@op
def any(x: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """Whether some element is non-zero, over all axes or over `dim`. No gradient."""
    return np.asarray(np.any(x, axis=dim, keepdims=keepdim))


@all.check
def _(x, dim, keepdim):
    return {"dim": axes_of("all", dim, x.ndim)}


@any.check
def _(x, dim, keepdim):
    return {"dim": axes_of("any", dim, x.ndim)}
