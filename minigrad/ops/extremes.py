"""The largest and the smallest, with and without their places."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..core import Operand, Tensor, derived, op
from ..errors import DimError, ShapeError
from ..kernels.arrays import put_along, take_along
from ..kernels.notation import where
from .comparison import maximum, minimum
from .convert import on_tensor
from .reduction import Dims, axes_of, axis_of, kept, not_empty


def shared_by_ties(g, x, y, x_shape, dim):
    """The rule of a reduction that takes one element: g shared evenly by all that equal it (or by those that are NaN)."""
    shape = kept(x_shape, dim)
    hit = (x == y.reshape(shape)) | (x != x)
    ties = np.asarray(hit).sum(axis=dim, keepdims=True)
    return where(hit, g.reshape(shape) / ties.astype(g.dtype), 0)


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
        not_empty(name, x.shape, axes, ShapeError if dim is None else DimError)
        return {"dim": axes}

    operation.backward("x")(shared_by_ties)
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
        not_empty(name, x.shape, range(x.ndim) if axis is None else (axis,))
        return {"dim": axis}

    return operation


argmax = _arg_extreme("argmax", np.argmax)
argmin = _arg_extreme("argmin", np.argmin)


class ValuesAndIndices(NamedTuple):
    """What `max(dim)`, `sort` and their kin return."""

    values: Tensor
    indices: Tensor


@op(live=("indices",))
def pick(x: Tensor, indices: Any, dim: int, keepdim: bool = True) -> Tensor:
    """y[i, j, …] = x[i, indices[i, j, …], …], an array of indices, from 0 on, standing at axis `dim`; without that axis (then of
    length 1) unless `keepdim`.

    Shapes: outside of `dim` indices may be shorter than x. Backward: g, added up at those places.
    """
    out = take_along(x, indices, dim)
    return out if keepdim else out.reshape(x.shape[:dim] + x.shape[dim + 1 :])


@pick.backward_kernel("x")
@pick.backward("x")
def _(g, indices, x_shape, dim):
    return place.of(g.reshape(indices.shape), indices, dim, x_shape)


@op(live=("indices",))
def place(x: Tensor, indices: Any, dim: int, shape: tuple[int, ...]) -> Tensor:
    """Zeros of a shape with x[i, j, …] added at [i, indices[i, j, …], …]: the adjoint of `pick`. Backward: g at those places."""
    return put_along(x, indices, dim, shape)


@place.backward_kernel("x")
@place.backward("x")
def _(g, indices, dim):
    return pick.of(g, indices, dim)


for _moving in (pick, place):
    _moving.kernel()(_moving.formula)  # nothing overflows here: no warnings need to be kept quiet


def values_at(x: Tensor, indices: Any, dim: int, keepdim: bool = True) -> ValuesAndIndices:
    """The elements of x at an array of indices along `dim`, and these; without that axis (then of length 1) unless `keepdim`."""
    if not x.ndim:
        return ValuesAndIndices(x.clone(), Tensor(indices))
    values = pick(x, indices, dim, keepdim)
    mine = derived("indices", _in_shape, indices, values.shape, values.requires_grad)
    return ValuesAndIndices(values, Tensor(mine))


def _in_shape(indices: Any, shape: tuple[int, ...], own: bool) -> Any:
    """Indices in the shape of their values; what a graph holds nobody else writes into."""
    mine = indices.reshape(shape)
    return mine.copy() if own else mine


def _along(name: str, x: Tensor, arg: Any, dim: int, keepdim: bool) -> ValuesAndIndices:
    axis = axis_of(name, dim, x.ndim)
    if x.ndim:
        not_empty(name, x.shape, (axis,))
    return values_at(x, arg(x, axis, keepdim=True).array, axis, keepdim)


@on_tensor
def max(input: Tensor, dim: int | Operand | None = None, keepdim: bool = False, *, other: Operand | None = None) -> Any:
    """The largest element (ties share the gradient evenly); with `dim` (values, indices), the gradient going to the first of equal
    ones; with another tensor the larger of two, element by element (`maximum`)."""
    if isinstance(dim, Tensor) or other is not None:
        return maximum(input, dim if other is None else other)
    return amax(input) if dim is None else _along("max", input, argmax, dim, keepdim)


@on_tensor
def min(input: Tensor, dim: int | Operand | None = None, keepdim: bool = False, *, other: Operand | None = None) -> Any:
    """The smallest element (ties share the gradient evenly); with `dim` (values, indices), the gradient going to the first of equal
    ones; with another tensor the smaller of two, element by element (`minimum`)."""
    if isinstance(dim, Tensor) or other is not None:
        return minimum(input, dim if other is None else other)
    return amin(input) if dim is None else _along("min", input, argmin, dim, keepdim)


class MinAndMax(NamedTuple):
    """What `aminmax` returns."""

    min: Tensor
    max: Tensor


@on_tensor
def aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False) -> MinAndMax:
    """The smallest and the largest element, over all axes or along `dim`; ties share the gradient evenly."""
    return MinAndMax(amin(input, dim, keepdim), amax(input, dim, keepdim))
