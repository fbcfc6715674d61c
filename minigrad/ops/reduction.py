"""Axes, and the reductions that add up: sums, means, log-sum-exp, truth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core import Tensor, checked_dtype, get_default_dtype, op
from ..errors import DimError, DtypeError, InputTypeError, ShapeError
from ..kernels.along import log_sums, log_sums_backward
from ..kernels.arrays import as_matrix, broadcast_to, neighbours, reduced, total
from ..kernels.cache import compilable
from ..kernels.notation import exp, log, log1p, where
from ..kernels.rows import row_sums
from .comparison import where as chosen
from .convert import on_tensor

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


def axis_and_length(name: str, x: Any, dim: int, error: type[Exception]) -> tuple[int, int]:
    """`dim` as a non-negative axis, and its length; a 0-d tensor has none."""
    if not x.ndim:
        raise error(f"{name}: needs an axis, got a 0-d tensor")
    axis = axis_of(name, dim, x.ndim)
    return axis, x.shape[axis]


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


def not_empty(name: str, shape: Sequence[int], axes: Sequence[int], error: type[Exception] = DimError) -> None:
    """Refuse to reduce over an axis without elements."""
    if 0 in [shape[i] for i in axes]:
        raise error(f"{name}: has no value for an empty axis (shape {tuple(shape)}, dim {tuple(axes)})")


def sum_dtype(name: str, dtype: Any, x: Any) -> np.dtype[Any]:
    """The dtype in which to add or multiply up: as asked, else int64 for integers and booleans."""
    if dtype is not None:
        return checked_dtype(name, dtype)
    return np.dtype(np.int64) if x.dtype.kind in "biu" else x.dtype


@op
def sum(x: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Sum over all axes or over `dim` (an axis or several).

    Integers and booleans are summed in int64; float32 pairwise or in float64. Backward: g, repeated over the summed axes.
    """
    return total(x.astype(dtype, copy=False), dim, keepdim)


@sum.check
def _(x, dim, keepdim, dtype):
    return {"dim": axes_of("sum", dim, x.ndim), "dtype": sum_dtype("sum", dtype, x)}


def _by_rows(x, dim, keepdim, dtype):
    """Whether the kernel of sums over the last axes serves."""
    return x.dtype == dtype and compilable(dtype) and dim == tuple(range(x.ndim - len(dim), x.ndim))


def _row_sums(x, dim, keepdim, divisor):
    if not x.flags.c_contiguous:
        with np.errstate(all="ignore"):
            return np.asarray(total(x, dim, keepdim) / np.asarray(divisor, x.dtype))
    rest = x.shape[: x.ndim - len(dim)]
    rows = math.prod(rest)
    out = np.empty(rest + (1,) * len(dim) if keepdim else rest, x.dtype)
    row_sums[x.dtype](out.ravel(), x.reshape(rows, x.size // rows if rows else 0), divisor)
    return out


@sum.kernel(when=_by_rows)
def _(x, dim, keepdim, dtype):
    return _row_sums(x, dim, keepdim, 1.0)


@sum.backward("x")
def _(g, x_shape, dim):
    return broadcast_to(g.reshape(kept(x_shape, dim)), x_shape)


def mean_dtype(name: str, dtype: Any, x: Any) -> np.dtype[Any]:
    """The dtype to average in: as asked, else x's; a floating-point one."""
    wanted: np.dtype[Any] = x.dtype if dtype is None else checked_dtype(name, dtype)
    if wanted.kind != "f":
        raise DtypeError(f"{name}: expected a floating-point tensor, got dtype {wanted}; convert it, or pass a dtype=")
    return wanted


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
    return {"dim": axes_of("mean", dim, x.ndim), "dtype": mean_dtype("mean", dtype, x)}


@mean.kernel(when=_by_rows)
def _(x, dim, keepdim, dtype):
    return _row_sums(x, dim, keepdim, float(math.prod(x.shape[x.ndim - len(dim) :])))


@mean.backward("x")
def _(g, x_shape, dim):
    count = math.prod(x_shape[i] for i in dim)
    return broadcast_to(g.reshape(kept(x_shape, dim)) / count if count else g, x_shape)


@on_tensor
def nansum(input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """`sum`, with 0 in the place of NaN; the gradient there is 0."""
    return sum(_without_nan(input), dim, keepdim, dtype=dtype)


@on_tensor
def nanmean(input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The mean of what is not NaN; where nothing is left, NaN."""
    kind = mean_dtype("nanmean", dtype, input)
    return nansum(input, dim, keepdim, dtype=kind) / sum(input.detach() == input.detach(), dim, keepdim).to(kind)


def _without_nan(x: Tensor) -> Tensor:
    return chosen(x.detach() == x.detach(), x, 0) if x.dtype.kind == "f" else x


@op
def logsumexp(x: Tensor, dim: Dims, keepdim: bool = False) -> Tensor:
    """log Σ eˣ over `dim`, computed as max x + log Σ exp(x − max x), by log1p of the terms beside a dominant one.

    Backward: dL/dx = g times the softmax: exp(x − y) over its sum, which makes up for the rounding of y.
    Edge values: −inf for nothing but −inf, +inf with a +inf.
    """
    x = x if x.dtype.kind == "f" else x.astype(get_default_dtype())
    top = np.max(x, axis=dim, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0).astype(x.dtype)
    e = exp(x - top)
    terms = total(e, dim, True)
    out = log(terms) + top
    dominated = (terms >= 1) & (terms < 2)  # by one term, which is 1: added to the others, it would cover their digits
    if dominated.any():
        out = np.where(dominated, log1p(total(np.where(e == 1, 0, e), dim, True)) + top, out)
    return out if keepdim else out.reshape([n for i, n in enumerate(out.shape) if i not in dim])


@logsumexp.check
def _(x, dim, keepdim):
    return {"dim": axes_of("logsumexp", dim, x.ndim)}


@logsumexp.backward("x")
def _(g, x, y, x_shape, dim):
    shape = kept(x_shape, dim)
    y = y.reshape(shape)
    e = exp(x - where(y == -math.inf, 0, y))
    return g.reshape(shape) * e / where(abs(y) < math.inf, e.sum(dim, keepdims=True), 1)


@logsumexp.kernel(when=lambda x, dim, keepdim: compilable(x.dtype) and x.size and dim and neighbours(dim))
def _(x, dim, keepdim):
    out, matrix = reduced(x, dim, keepdim), as_matrix(x, max(dim))
    log_sums[x.dtype](out.reshape(-1, matrix.shape[1]), matrix, x.size // out.size)
    return out


@logsumexp.backward_kernel("x")
def _(g, x, y, dim):
    out, matrix = np.empty(x.shape, x.dtype), as_matrix(x, max(dim))
    g, y = (np.ascontiguousarray(a).reshape(-1, matrix.shape[1]) for a in (g, y))
    log_sums_backward[x.dtype](as_matrix(out, max(dim)), g, matrix, y, x.size // y.size)
    return out


@op
def all(x: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """Whether all elements are non-zero, over all axes or over `dim`: a bool tensor, of uint8 a uint8 one. No gradient."""
    return np.asarray(np.all(x, axis=dim, keepdims=keepdim), _truth(x))


@op
def any(x: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """Whether some element is non-zero, over all axes or over `dim`: a bool tensor, of uint8 a uint8 one. No gradient."""
    return np.asarray(np.any(x, axis=dim, keepdims=keepdim), _truth(x))


def _truth(x: Any) -> Any:
    """The dtype of truth values about x, as PyTorch has it from when it had no bool."""
    return x.dtype if x.dtype == np.uint8 else np.bool_


@all.check
def _(x, dim, keepdim):
    return {"dim": axes_of("all", dim, x.ndim)}


@any.check
def _(x, dim, keepdim):
    return {"dim": axes_of("any", dim, x.ndim)}


@op
def count_nonzero(x: Tensor, dim: Dims = None) -> Tensor:
    """How many elements are not 0 (int64), in all or along `dim`; NaN is not 0. No gradient."""
    return np.count_nonzero(x, axis=dim)


@count_nonzero.check
def _(x, dim):
    return {"dim": axes_of("count_nonzero", dim, x.ndim)}
