"""Shapes and joining."""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import index
from typing import Any

import numpy as np

from ..core import Tensor, op
from ..errors import DimError, InputTypeError, ShapeError
from ..kernels.arrays import broadcast_to as repeated
from ..kernels.arrays import sum_to
from .reduction import axis_of


def sizes_of(sizes: tuple[Any, ...]) -> tuple[int, ...]:
    """`f(2, 3)` and `f((2, 3))` alike."""
    flat = sizes[0] if len(sizes) == 1 and isinstance(sizes[0], (Sequence, np.ndarray)) else sizes
    try:
        return tuple(index(n) for n in flat)
    except TypeError:
        raise InputTypeError(f"size: expected ints, got {flat!r}") from None


def new_shape(sizes: tuple[Any, ...]) -> tuple[int, ...]:
    """The shape of a tensor to be made."""
    shape = sizes_of(sizes)
    if min(shape, default=0) < 0:
        raise ShapeError(f"size: expected sizes of at least 0, got {shape}")
    return shape


@op(view=True)
def reshape_to(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The elements of x, in row-major order, in another shape. A view where the layout allows. Backward: g in x's shape."""
    return x.reshape(shape)


@reshape_to.check
def _(x, shape):
    unknown = [i for i, n in enumerate(shape) if n == -1]
    known = math.prod(n for n in shape if n != -1)
    fits = x.size % known == 0 if unknown and known else known == x.size
    if len(unknown) > 1 or min(shape, default=0) < -1 or not fits or (unknown and not known):
        raise ShapeError(f"reshape: {x.size} elements of shape {x.shape} do not fit the shape {shape}")
    return {"shape": tuple(x.size // known if n == -1 else n for n in shape)}


@reshape_to.backward("x")
def _(g, x_shape):
    return g.reshape(x_shape)


def reshape(input: Tensor, *sizes: Any, shape: Sequence[int] | None = None) -> Tensor:
    """The elements of input in another shape, given as a tuple or as numbers; one may be −1. A view where the layout allows."""
    return reshape_to(input, sizes_of(sizes if shape is None else (shape,)))


def view(input: Tensor, *shape: Any) -> Tensor:
    """`reshape`, but refused where it would have to copy."""
    if len(shape) == 1 and isinstance(shape[0], (np.dtype, type)):
        raise InputTypeError("view: reinterpreting bytes as another dtype is not supported; use .to(dtype)")
    out = reshape_to(input, sizes_of(shape))
    if input.array.size and not np.may_share_memory(out.array, input.array):
        raise ShapeError(f"view: a tensor of shape {input.shape} with these strides has no view of shape {out.shape}; use reshape")
    return out


def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """input with the axes from start_dim to end_dim made into one."""
    start, end = axis_of("flatten", start_dim, input.ndim), axis_of("flatten", end_dim, input.ndim)
    if start > end:
        raise ShapeError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}")
    shape = input.shape
    return reshape_to(input, (*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]))


@op(view=True)
def squeeze(x: Tensor, dim: int | Sequence[int] | None = None) -> Tensor:
    """x without its axes of length 1, or without those of `dim` that have length 1. A view. Backward: g in x's shape."""
    return x.reshape(dim)


@squeeze.check
def _(x, dim):
    if dim is None:
        drop = set(range(x.ndim))
    else:
        drop = {axis_of("squeeze", d, x.ndim) for d in (dim if isinstance(dim, Sequence) else (dim,))}
    return {"dim": tuple(n for i, n in enumerate(x.shape) if n != 1 or i not in drop)}


@squeeze.backward("x")
def _(g, x_shape):
    return g.reshape(x_shape)


@op(view=True)
def unsqueeze(x: Tensor, dim: int) -> Tensor:
    """x with a new axis of length 1 at `dim`. A view. Backward: g in x's shape."""
    return np.expand_dims(x, dim)


@unsqueeze.check
def _(x, dim):
    return {"dim": _new_axis("unsqueeze", dim, x.ndim)}


def _new_axis(name: str, dim: Any, ndim: int) -> int:
    """The place of a new axis among `ndim` old ones, as a non-negative number."""
    if isinstance(dim, bool) or not isinstance(dim, (int, np.integer)):
        raise InputTypeError(f"{name}: dim must be an int, got {dim!r}")
    if not -ndim - 1 <= dim <= ndim:
        raise DimError(f"{name}: dim {dim} is out of range: it must be in [{-ndim - 1}, {ndim}] for ndim {ndim}")
    return int(dim) % (ndim + 1)


@unsqueeze.backward("x")
def _(g, x_shape):
    return g.reshape(x_shape)


@op(view=True)
def permute_to(x: Tensor, dims: tuple[int, ...]) -> Tensor:
    """x with its axes in the order `dims`. A view. Backward: the inverse order."""
    return x.transpose(dims)


@permute_to.check
def _(x, dims):
    axes = tuple(axis_of("permute", d, x.ndim) for d in dims)
    if sorted(axes) != list(range(x.ndim)):
        raise ShapeError(f"permute: dims {dims} must name each of the {x.ndim} axes once")
    return {"dims": axes}


@permute_to.backward("x")
def _(g, dims):
    inverse = tuple(int(i) for i in np.argsort(dims))
    return g.permute(inverse) if isinstance(g, Tensor) else g.transpose(inverse)


def permute(input: Tensor, *axes: Any, dims: Sequence[int] | None = None) -> Tensor:
    """input with its axes in another order, given as a tuple or as numbers. A view."""
    return permute_to(input, sizes_of(axes if dims is None else (dims,)))


@op(view=True)
def transpose(x: Tensor, dim0: int, dim1: int) -> Tensor:
    """x with two axes exchanged. A view. Backward: g with the same axes exchanged.

    Deviation from NumPy, whose `transpose` takes an order: that is `permute`.
    """
    return np.swapaxes(x, dim0, dim1) if x.ndim else x


@transpose.check
def _(x, dim0, dim1):
    return {"dim0": axis_of("transpose", dim0, x.ndim), "dim1": axis_of("transpose", dim1, x.ndim)}


@transpose.backward("x")
def _(g, dim0, dim1):
    return g.swapaxes(dim0, dim1) if g.ndim else g


def t(input: Tensor) -> Tensor:
    """The transpose of a matrix; a vector or scalar as it is."""
    if input.ndim > 2:
        raise ShapeError(f"t: expected at most two axes, got shape {input.shape}; use transpose or permute")
    return transpose(input, 0, 1) if input.ndim == 2 else input


def reversed_axes(input: Tensor) -> Tensor:
    """All axes in reverse order."""
    return permute_to(input, tuple(range(input.ndim))[::-1])


def matrix_transpose(input: Tensor) -> Tensor:
    """The last two axes exchanged."""
    if input.ndim < 2:
        raise ShapeError(f"mT: needs at least two axes, got shape {input.shape}")
    return transpose(input, -2, -1)


@op(view=True)
def expand_to(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """x repeated along axes of length 1 and new leading axes, without copying. Backward: g, summed over what was repeated."""
    return np.lib.stride_tricks.as_strided(x, shape, _stretched(x, shape)) if x.shape != shape else x


def _stretched(x: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    extra = len(shape) - x.ndim
    return (0,) * extra + tuple(0 if n == 1 else s for n, s in zip(x.shape, x.strides, strict=True))


@expand_to.check
def _(x, shape):
    extra = len(shape) - x.ndim
    sizes = tuple(x.shape[i - extra] if n == -1 and i >= extra else n for i, n in enumerate(shape))
    if extra < 0 or min(sizes, default=0) < 0 or any(a not in (1, b) for a, b in zip(x.shape, sizes[extra:], strict=True)):
        raise ShapeError(f"expand: shape {x.shape} cannot be expanded to {tuple(shape)}; only axes of length 1 stretch")
    return {"shape": sizes}


@expand_to.backward("x")
def _(g, x_shape):
    return sum_to(g, x_shape)


def expand(input: Tensor, *sizes: Any) -> Tensor:
    """input repeated along axes of length 1 (−1 keeps a size), without copying."""
    return expand_to(input, sizes_of(sizes))


def broadcast_to(input: Tensor, shape: Sequence[int]) -> Tensor:
    """input broadcast to a shape, without copying; `expand` by NumPy's name."""
    return expand_to(input, tuple(shape))


@op
def sum_to_shape(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """x summed to a shape that broadcasts to its own: the adjoint of `expand`. Backward: g repeated."""
    return sum_to(x, shape)


@sum_to_shape.backward("x")
def _(g, x_shape):
    return repeated(g, x_shape)


# ---- joining


def _arrays_only(name: str, tensors: Sequence[Any]) -> None:
    for i, x in enumerate(tensors):
        if not isinstance(x, np.ndarray):
            raise InputTypeError(f"{name}: tensors[{i}] must be a Tensor, got {type(x).__name__}")


def _same_but(name: str, tensors: Sequence[Any], dim: int | None) -> None:
    """All shapes equal, but for the length of axis `dim`."""
    for i, x in enumerate(tensors):
        pairs = zip(x.shape, tensors[0].shape, strict=False)
        if x.ndim != tensors[0].ndim or any(a != b and axis != dim for axis, (a, b) in enumerate(pairs)):
            where = "" if dim is None else f" but for axis {dim}"
            raise ShapeError(f"{name}: shapes must be equal{where}: tensors[0] has {tensors[0].shape}, tensors[{i}] has {x.shape}")


@op
def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors joined along an axis that they have; the other axes must agree. Backward: each gets its part of g.

    Edge values: tensors of shape (0,) join anything, as if they were not there.
    """
    return np.concatenate([x for x in tensors if x.shape != (0,)] or tensors, axis=dim)


@cat.check
def _(tensors, dim):
    _arrays_only("cat", tensors)
    for i, x in enumerate(tensors):
        if x.ndim == 0:
            raise ShapeError(f"cat: tensors[{i}] has no axis to join along (0-d); use stack")
    joined = [x for x in tensors if x.shape != (0,)] or tensors
    axis = axis_of("cat", dim, joined[0].ndim)
    _same_but("cat", joined, axis)
    return {"dim": axis}


@cat.backward("tensors")
def _(g, position, tensors_shape, dim):
    if tensors_shape[position] == (0,):
        return g.reshape(-1)[:0]
    start = sum(shape[dim] for shape in tensors_shape[:position] if shape != (0,))
    return g[(slice(None),) * dim + (slice(start, start + tensors_shape[position][dim]),)]


@op
def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors of one shape joined along a new axis `dim`. Backward: each gets its slice of g."""
    return np.stack(tensors, axis=dim)


@stack.check
def _(tensors, dim):
    _arrays_only("stack", tensors)
    _same_but("stack", tensors, None)
    return {"dim": _new_axis("stack", dim, tensors[0].ndim)}


@stack.backward("tensors")
def _(g, position, dim):
    return g[(slice(None),) * dim + (position,)]
