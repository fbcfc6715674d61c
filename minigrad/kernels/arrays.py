"""The names of the notation that are about whole arrays: sums, broadcasts, and the adjoint of indexing."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import IndexRangeError
from .along import add_at_places, add_slices, gather, square_sums, sums
from .cache import compilable, kernels_enabled
from .notation import Notation
from .rows import linear_scan_rows

__all__ = [
    "add_at",
    "as_matrix",
    "broadcast_to",
    "euclidean_norm",
    "flat_places",
    "linear_scan",
    "names_slices",
    "neighbours",
    "put",
    "put_along",
    "reduced",
    "square_sum",
    "sum_to",
    "take_along",
    "total",
]

Array = NDArray[Any]
_add_up: Any = np.add.reduce  # half a microsecond faster than the method


def _sum_to(x: Array, shape: Sequence[int]) -> Array:
    """Sum over the axes along which an array of `shape` was broadcast to x's shape."""
    shape = tuple(shape)
    if x.shape == shape:
        return x
    if not set(shape) - {1}:
        return np.asarray(_add_up(x.ravel(order="K"), dtype=x.dtype)).reshape(shape)
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
    if kernels_enabled() and x.size and neighbours(axes):
        out, matrix = reduced(x, axes, keepdims), as_matrix(x, max(axes))
        sums[x.dtype](out.reshape(-1, matrix.shape[1]), matrix, x.size // out.size)
        return out
    return np.asarray(x.sum(axis=axes, keepdims=keepdims, dtype=np.float64)).astype(x.dtype)


def square_sum(x: Array, centre: Array, axes: Sequence[int], keepdims: bool = False) -> Array:
    """Σ (x − centre)² over `axes`, added up as by `total`; centre has length 1 along them."""
    if kernels_enabled() and compilable(x.dtype) and x.size and axes and neighbours(axes):
        out, matrix = reduced(x, axes, keepdims), as_matrix(x, max(axes))
        shape = out.size // matrix.shape[1], matrix.shape[1]
        square_sums[x.dtype](out.reshape(shape), matrix, np.ascontiguousarray(centre).reshape(shape), x.size // out.size)
        return out
    centred = x - centre
    return total(centred * centred, axes, keepdims)


def euclidean_norm(x: Array) -> float:
    """√Σ x² over all elements, in double precision; not by BLAS, whose threads, once called, keep a processor busy for some 20 ms."""
    wide = x.astype(np.float64)
    with np.errstate(all="ignore"):
        return math.sqrt(np.square(wide, out=wide).sum())


def neighbours(axes: Sequence[int]) -> bool:
    """Whether these axes, at least one, follow each other, so that they count as one."""
    return max(axes) - min(axes) + 1 == len(axes)


def reduced(x: Array, axes: Sequence[int], keepdims: bool) -> Array:
    """Room for a reduction of x over `axes`."""
    return np.empty([1 if i in axes else n for i, n in enumerate(x.shape) if keepdims or i not in axes], x.dtype)


def as_matrix(x: Array, dim: int) -> Array:
    """x, which is not empty, as kernels along an axis take it: a row-major matrix whose columns are what follows the axis."""
    return np.ascontiguousarray(x).reshape(-1, math.prod(x.shape[dim + 1 :]))


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


def take_along(x: Array, index: Array, dim: int) -> Array:
    """x[i, index[i, j, …], …], the index standing at an axis, from 0 on; outside of it index may be shorter than x."""
    if not _fits(x, index, dim, x.shape):
        return np.asarray(x.reshape(-1)[flat_places(index, dim, x.shape)])
    out = np.empty(index.shape, x.dtype)
    places = np.ascontiguousarray(index).ravel()
    _refuse_place(gather[x.dtype](out.reshape(-1, 1), as_matrix(x, dim), places, x.shape[dim]), x.shape[dim])
    return out


def put_along(values: Array, index: Array, dim: int, shape: Sequence[int]) -> Array:
    """Zeros of `shape` with `values` added where `take_along` would read."""
    out = np.zeros(shape, values.dtype)
    if _fits(values, index, dim, out.shape):
        places = np.ascontiguousarray(index).ravel()
        _refuse_place(add_at_places[out.dtype](as_matrix(out, dim), as_matrix(values, dim), places, shape[dim]), shape[dim])
    else:
        np.add.at(out.reshape(-1), flat_places(index, dim, shape), values)
    return out


def _refuse_place(number: int, length: int) -> None:
    """Raise where a kernel found an index that is none, the one of this number, counted from 1."""
    if number:
        raise IndexRangeError(f"gather: index number {number - 1} is out of range for an axis of length {length}")


def _fits(x: Array, index: Array, dim: int, shape: tuple[int, ...]) -> bool:
    """Whether the kernels for elements by their places serve: the index must be as long as `shape` along all axes but `dim`."""
    sizes = index.shape
    alike = sizes[:dim] == shape[:dim] and sizes[dim + 1 :] == shape[dim + 1 :]
    return bool(alike and index.size and kernels_enabled() and compilable(x.dtype))


_PLAIN = frozenset((int, np.int64, slice, type(None), type(...)))


def _is_once(parts: tuple[Any, ...]) -> bool:
    """Whether an index surely names no element twice: one of numbers and slices alone, or one mask."""
    if _PLAIN.issuperset(map(type, parts)):
        return True
    return len(parts) == 1 and isinstance(parts[0], np.ndarray) and parts[0].dtype.kind == "b"


def names_slices(parts: tuple[Any, ...]) -> bool:
    """Whether an index is x[:, …, array of integers]."""
    last = parts[-1]
    whole = all(isinstance(part, slice) and part == slice(None) for part in parts[:-1])
    return isinstance(last, np.ndarray) and last.dtype.kind in "iu" and whole


def _put(values: Array, index: Any, shape: Sequence[int]) -> Array:
    """Zeros of `shape` with `values` added at `index`: the adjoint of x[index]; repeated indices add up."""
    out = np.zeros(tuple(shape), values.dtype)
    if _is_once(index if isinstance(index, tuple) else (index,)):
        out[index] = values
    else:
        add_at(out, index, values)
    return out


def add_at(out: Array, index: Any, values: Array) -> None:
    """out[index] += values, in place, for an `out` in row-major memory; repeated indices add up."""
    parts = index if isinstance(index, tuple) else (index,)
    if _is_once(parts):
        out[index] += values
        return
    kinds = [part.dtype.kind if isinstance(part, np.ndarray) else "" for part in parts]
    if len(parts) <= out.ndim and all(kind in ("i", "u") for kind in kinds):
        places = tuple(part.astype(np.int64, copy=False) for part in parts)
        named, rest = out.shape[: len(parts)], out.shape[len(parts) :]
        flat = np.ravel_multi_index(places, named, mode="wrap")  # in range, whatever the index says
        _add_slices(out.reshape(math.prod(named), *rest), flat, values, 0)
    elif len(parts) <= out.ndim and names_slices(parts):
        n = out.shape[len(parts) - 1]
        _add_slices(out, parts[-1].astype(np.int64, copy=False) % max(n, 1), values, len(parts) - 1)
    else:
        np.add.at(out, index, values)


def _add_slices(out: Array, index: Array, values: Array, axis: int) -> None:
    """Add values to the slices of out that an index names along an axis."""
    index = index.ravel()
    values = values.reshape(*out.shape[:axis], index.size, *out.shape[axis + 1 :])
    if values.size and kernels_enabled() and compilable(out.dtype):
        add_slices[out.dtype](as_matrix(out, axis), as_matrix(values, axis), index, out.shape[axis])
    else:
        place: Any = (*(slice(None),) * axis, index)
        np.add.at(out, place, values)


broadcast_to = Notation("broadcast_to", np.broadcast_to, "x repeated to a shape")
sum_to = Notation("sum_to", _sum_to, _sum_to.__doc__ or "")
put = Notation("put", _put, _put.__doc__ or "")
