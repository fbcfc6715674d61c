"""Indexing: x[index], its adjoint, and x with some elements replaced."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core import Operand, Tensor, apply, array_of, derived, is_grad_enabled, op
from ..errors import IndexRangeError, InputTypeError, ShapeError
from ..kernels.arrays import add_at, names_slices, put, sum_to
from ..kernels.notation import where


def plain_index(index: Any, masks: bool = True) -> Any:
    """An index with Tensors and lists made arrays, as NumPy takes it. A recorder refuses masks of which a shape would depend, unless
    these `masks` do not matter."""
    if isinstance(index, tuple):
        return tuple(plain_index(part, masks) for part in index)
    if isinstance(index, (Tensor, list)):
        if isinstance(index, list):
            array = derived("index", _listed, [plain_index(part, masks) for part in index])
        else:
            array = index._values("x[mask]") if masks and index.array.dtype.kind == "b" else array_of(index, "an index")
        if array.dtype.kind not in "iub":
            raise IndexRangeError(f"getitem: an index must be of integers or booleans, got dtype {array.dtype}")
        return array
    if isinstance(index, (float, np.floating)):
        raise IndexRangeError(f"getitem: an index must be of integers or booleans, got {index!r}")
    if isinstance(index, str):
        raise InputTypeError(f"getitem: an index must be of integers or booleans, got {index!r}")
    return index


def _listed(parts: Any) -> Any:
    array = np.asarray(parts)
    return array if array.size else array.astype(np.int64)


def index_error(name: str, shape: tuple[int, ...], error: Exception) -> Exception:
    return IndexRangeError(f"{name}: {error} (the tensor has shape {shape})")


@op(live=("index",), view=True)
def getitem(x: Tensor, index: Any) -> Tensor:
    """x[index], in all of NumPy's forms. Slices give a view, index arrays a copy.

    Deviation: slices may have a negative step; a number beside index arrays counts as one of them, as in NumPy: x[0, :, [0, 1]] has the
    indexed axis first; an index of dtype uint8 names places.
    Backward: g at the index in zeros; repeated indices add up. Errors: IndexRangeError.
    """
    try:
        if isinstance(index, tuple) and len(index) > 1 and names_slices(index):
            return x.take(index[-1], len(index) - 1)  # twice as fast
        return x[index]
    except IndexError as error:
        raise index_error("getitem", x.shape, error) from None


@getitem.backward("x")
def _(g, index, x_shape):
    return put(g, index, x_shape)


@getitem.adds("x")
def _(total, g, index):
    add_at(total, index, g)


def getitem_method(self: Tensor, index: Any) -> Tensor:
    """x[index], as NumPy indexes: a view for slices and integers, a copy for index arrays and masks. Backward: g at the places taken, added
    up where one was taken more than once."""
    index = plain_index(index)
    return apply(getitem, (self,), (), (kept_index(index) if self.requires_grad and is_grad_enabled() else index,))


def kept_index(index: Any) -> Any:
    """An index that a step may hold: what its owner writes into index arrays later does not reach it."""
    if isinstance(index, tuple):
        return tuple(kept_index(part) for part in index)
    return derived("kept_index", np.copy, index) if isinstance(index, np.ndarray) else index


@op(live=("index",))
def put_into_zeros(values: Tensor, index: Any, shape: tuple[int, ...]) -> Tensor:
    """Zeros of a shape with `values` added at an index: the adjoint of x[index]. Backward: g[index]."""
    return put(values, index, shape)


@put_into_zeros.backward("values")
def _(g, index):
    return getitem.of(g, index)


def put_tensor(values: Tensor, index: Any, shape: Sequence[int]) -> Tensor:
    return apply(put_into_zeros, (values,), (tuple(shape),), (index,))


def slim(values: Any) -> Any:
    """Values without leading axes of length 1: x[0] = values of shape (1,) is meant, but NumPy would not convert it."""
    if not isinstance(values, np.ndarray):
        return values
    leading = next((i for i, n in enumerate(values.shape) if n != 1), values.ndim)
    return values.reshape(values.shape[leading:])


def along(x: Tensor, axis: int, part: Any) -> Tensor:
    """x[…, part, …], the index standing at one axis."""
    return apply(getitem, (x,), (), ((*(slice(None),) * axis, part),))


@op(view=True)
def window(x: Tensor, shape: tuple[int, ...], strides: tuple[int, ...], offset: int) -> Tensor:
    """The elements of a contiguous x that stand at `offset`, and from there at `strides` (in elements) along each axis. A view.

    Backward: g at those places, 0 elsewhere.
    """
    start = np.ascontiguousarray(x).reshape(-1)[offset:]
    return np.lib.stride_tricks.as_strided(start, shape, [n * x.itemsize for n in strides])


@window.backward("x")
def _(g, x_shape, shape, strides, offset):
    flat = put(g.reshape(math.prod(shape)), (places(shape, strides, offset),), (math.prod(x_shape),))
    return flat.reshape(x_shape)


def places(shape: Sequence[int], strides: Sequence[int], offset: int) -> Any:
    """Where the elements of a window stand in flat memory, in row-major order."""
    found = np.asarray(offset)
    for n, stride in zip(shape, strides, strict=True):
        found = found[..., None] + stride * np.arange(n)
    return found.reshape(-1)


@op(live=("index",), broadcasts=True)
def index_put(x: Tensor, values: Operand, index: Any) -> Tensor:
    """A copy of x with x[index] = values; where an index is repeated, the last value stays.

    Backward: to x, g with zeros at the index; to values, g[index], but 0 for a value that a later one replaced.
    """
    out = x.copy()
    try:
        out[index] = slim(values)
    except IndexError as error:
        raise index_error("setitem", x.shape, error) from None
    except ValueError as error:
        raise ShapeError(f"setitem: {error} (the tensor has shape {x.shape}, the value {np.shape(values)})") from None
    return out


@index_put.backward("x")
def _(g, index):
    if isinstance(g, Tensor):
        return apply(index_put, (g, 0.0), (), (index,))
    out = g.copy()
    out[index] = 0
    return out


@index_put.backward("values")
def _(g, index, values_shape):
    picked = g[index]
    stays = _last_writes(index, g.shape)
    if stays is not None:
        picked = where(stays, picked, 0)
    return sum_to(picked, values_shape) if picked.ndim >= len(values_shape) else picked.reshape(values_shape)


def _last_writes(index: Any, shape: tuple[int, ...]) -> Any:
    """Which elements of x[index] = … no later element of it overwrites; None where the index cannot repeat itself."""
    parts = index if isinstance(index, tuple) else (index,)
    if not any(isinstance(part, np.ndarray) and part.dtype.kind in "iu" and part.size > 1 for part in parts):
        return None
    places = np.zeros(shape, np.int64)
    order = np.arange(places[index].size).reshape(places[index].shape)
    places[index] = order
    return places[index] == order
