"""The names of the notation that are about whole arrays: sums, broadcasts, and the adjoint of indexing."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cache import kernels_enabled
from .notation import Notation
from .rows import column_sums

__all__ = ["broadcast_to", "put", "sum_to", "total"]

Array = NDArray[Any]


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
    if x.dtype != np.float32 or axes == tuple(range(x.ndim - len(axes), x.ndim)):
        return np.asarray(x.sum(axis=axes, keepdims=keepdims))
    if axes == tuple(range(len(axes))) and kernels_enabled():
        rest = x.shape[len(axes) :]
        out = np.empty(rest, x.dtype)
        column_sums[x.dtype](out.ravel(), np.ascontiguousarray(x).reshape(math.prod(x.shape[: len(axes)]), out.size))
        return out.reshape((1,) * len(axes) + rest) if keepdims else out
    return np.asarray(x.sum(axis=axes, keepdims=keepdims, dtype=np.float64)).astype(x.dtype)


def _put(values: Array, index: Any, shape: Sequence[int]) -> Array:
    """Zeros of `shape` with `values` added at `index`: the adjoint of x[index]; repeated indices add up."""
    out = np.zeros(tuple(shape), values.dtype)
    if all(
        isinstance(part, (int, np.integer, slice, type(None), type(...)))
        for part in (index if isinstance(index, tuple) else (index,))
    ):
        out[index] = values  # such an index names no element twice
    else:
        np.add.at(out, index, values)
    return out


broadcast_to = Notation("broadcast_to", np.broadcast_to, "x repeated to a shape")
sum_to = Notation("sum_to", _sum_to, _sum_to.__doc__ or "")
put = Notation("put", _put, _put.__doc__ or "")
