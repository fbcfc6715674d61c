"""The names of the notation that are about whole arrays: sums, broadcasts, and the adjoint of indexing."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cache import compilable, kernels_enabled
from .notation import Notation
from .rows import add_rows_at, column_sums, linear_scan_rows

__all__ = ["add_at", "broadcast_to", "flat_places", "linear_scan", "put", "sum_to", "total"]

Array = NDArray[Any]
_add_up: Any = np.add.reduce  # half a microsecond faster than the method


def _sum_to(x: Array, shape: Sequence[int]) -> Array:
    """Sum over the axes along which an array of `shape` was broadcast to x's shape."""
    shape = tuple(shape)
    if x.shape == shape:
        return x
    extra = x.ndim - len(shape)
    stretched = tuple(extra + i for i, n in enumerate(shape) if n == 1 and x.shape[extra + i] != 1)
    return total(x, (*range(extra), *stretched)).reshape(shape)


def total(x: Array, axes: Sequence[int], keepdims: bool = False) -> Array:
    """The sum over `axes`, float32 added up pairwise or in float64: its error does not grow with the number of terms."""
    axes = tuple(axes)
    if x.dtype != np.float32 or (x.flags.c_contiguous and axes == tuple(range(x.ndim - len(axes), x.ndim))):
        return np.asarray(_add_up(x, axes, dtype=x.dtype, keepdims=keepdims))
    if len(axes) == x.ndim:
        return np.asarray(_add_up(x.ravel(order="K"))).reshape((1,) * x.ndim if keepdims else ())
    if axes == tuple(range(len(axes))) and kernels_enabled():
        rest = x.shape[len(axes) :]
        out = np.empty(rest, x.dtype)
        column_sums[x.dtype](out.ravel(), np.ascontiguousarray(x).reshape(math.prod(x.shape[: len(axes)]), out.size))
        return out.reshape((1,) * len(axes) + rest) if keepdims else out
    return np.asarray(x.sum(axis=axes, keepdims=keepdims, dtype=np.float64)).astype(x.dtype)


def linear_scan(a: Array, b: Array) -> Array:
    """sₖ = aₖ sₖ₋₁ + bₖ along the last axis, from s₀ = b₀."""
    if kernels_enabled() and a.dtype == b.dtype and compilable(b.dtype):
        out = np.empty(b.shape, b.dtype)
        rows = (math.prod(b.shape[:-1]), b.shape[-1])
        linear_scan_rows[b.dtype](out.reshape(rows), *(np.ascontiguousarray(x).reshape(rows) for x in (a, b)))
        return out
    out = b.astype(np.result_type(a, b))
    for k in range(1, b.shape[-1]):
        out[..., k] += a[..., k] * out[..., k - 1]
    return out


def flat_places(index: Array, dim: int, shape: Sequence[int]) -> Array:
    """The places in the flat array of what `index` names along an axis, its other axes standing for those of `shape`."""
    flat, stride = np.zeros((), np.int64), 1
    for axis in reversed(range(len(shape))):
        along = index if axis == dim else np.arange(index.shape[axis]).reshape(-1, *(1,) * (len(shape) - 1 - axis))
        flat, stride = flat + along * stride, stride * shape[axis]
    return flat


_PLAIN = frozenset((int, np.int64, slice, type(None), type(...)))  # an index of these alone names no element twice


def _put(values: Array, index: Any, shape: Sequence[int]) -> Array:
    """Zeros of `shape` with `values` added at `index`: the adjoint of x[index]; repeated indices add up."""
    out = np.zeros(tuple(shape), values.dtype)
    if _PLAIN.issuperset(map(type, index if isinstance(index, tuple) else (index,))):
        out[index] = values
    else:
        add_at(out, index, values)
    return out


def add_at(out: Array, index: Any, values: Array) -> None:
    """out[index] += values, in place; repeated indices add up."""
    parts = index if isinstance(index, tuple) else (index,)
    if _PLAIN.issuperset(map(type, parts)):
        out[index] += values
    elif len(parts) <= out.ndim and all(isinstance(part, np.ndarray) and part.dtype.kind in "iu" for part in parts):
        places = tuple(part.astype(np.int64, copy=False) for part in parts)
        named, rest = out.shape[: len(parts)], out.shape[len(parts) :]
        flat = np.ravel_multi_index(places, named, mode="wrap").ravel()  # in range, whatever the index says
        rows = (math.prod(named), math.prod(rest))
        _add_rows_at(out.reshape(rows), flat, np.ascontiguousarray(values).reshape(flat.size, rows[1]))
    else:
        np.add.at(out, index, values)


def _add_rows_at(out: Array, index: Array, values: Array) -> None:
    if kernels_enabled() and compilable(out.dtype):
        add_rows_at[out.dtype](out, index, values)
    else:
        np.add.at(out, index, values)


broadcast_to = Notation("broadcast_to", np.broadcast_to, "x repeated to a shape")
sum_to = Notation("sum_to", _sum_to, _sum_to.__doc__ or "")
put = Notation("put", _put, _put.__doc__ or "")
