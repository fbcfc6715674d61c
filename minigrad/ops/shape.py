"""Shapes: the same elements seen in another way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import index
from typing import Any

import numpy as np

from ..core import Tensor, of_constants, op
from ..errors import ArgumentError, DimError, InputTypeError, ShapeError
from ..kernels.arrays import broadcast_to as repeated
from ..kernels.arrays import put, sum_to
from .convert import on_tensor
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


def new_axis(name: str, dim: Any, ndim: int) -> int:
    """The place of a new axis among `ndim` old ones, as a non-negative number."""
    if isinstance(dim, bool) or not isinstance(dim, (int, np.integer)):
        raise InputTypeError(f"{name}: dim must be an int, got {dim!r}")
    if not -ndim - 1 <= dim <= ndim:
        raise DimError(f"{name}: dim {dim} is out of range: it must be in [{-ndim - 1}, {ndim}] for ndim {ndim}")
    return int(dim) % (ndim + 1)


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


def view(input: Tensor, *shape: Any, size: Sequence[int] | None = None) -> Tensor:
    """`reshape`, but refused where it would have to copy."""
    if len(shape) == 1 and isinstance(shape[0], (np.dtype, type)):
        raise InputTypeError("view: reinterpreting bytes as another dtype is not supported; use .to(dtype)")
    out = reshape_to(input, sizes_of(shape if size is None else (size,)))
    if input.array.size and not np.may_share_memory(out.array, input.array):
        raise ShapeError(f"view: a tensor of shape {input.shape} with these strides has no view of shape {out.shape}; use reshape")
    return out


@on_tensor
def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """input with the axes from start_dim to end_dim made into one."""
    start, end = axis_of("flatten", start_dim, input.ndim), axis_of("flatten", end_dim, input.ndim)
    if start > end:
        raise ShapeError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}")
    shape = input.shape
    return reshape_to(input, (*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]))


@on_tensor
def unflatten(input: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    """input with axis `dim` made into several, of which one size may be −1."""
    if not input.ndim:
        raise ShapeError("unflatten: needs an axis, got a 0-d tensor")
    axis, shape = axis_of("unflatten", dim, input.ndim), input.shape
    sizes = sizes_of((sizes,))
    known = math.prod(n for n in sizes if n != -1)
    fits = sizes and (known == shape[axis] if -1 not in sizes else known and shape[axis] % known == 0)
    if not fits or sizes.count(-1) > 1 or min(sizes) < -1:
        raise ShapeError(f"unflatten: sizes {sizes} do not multiply up to axis {dim} of shape {shape}")
    sizes = tuple(shape[axis] // known if n == -1 else n for n in sizes)
    return reshape_to(input, (*shape[:axis], *sizes, *shape[axis + 1 :]))


def view_as(self: Tensor, other: Tensor) -> Tensor:
    """`view` in the shape of another tensor."""
    return view(self, other.shape)


def reshape_as(self: Tensor, other: Tensor) -> Tensor:
    """`reshape` to the shape of another tensor."""
    return reshape_to(self, other.shape)


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
    return {"dim": new_axis("unsqueeze", dim, x.ndim)}


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


@on_tensor
def movedim(input: Tensor, source: int | Sequence[int], destination: int | Sequence[int]) -> Tensor:
    """input with the axes `source` moved to the places `destination`; the others keep their order. A view."""
    sources, places = ([axis_of("movedim", d, input.ndim) for d in _several(dims)] for dims in (source, destination))
    if len(sources) != len(places) or len(set(sources)) != len(sources) or len(set(places)) != len(places):
        raise ShapeError(f"movedim: source {source} and destination {destination} must be equally many different axes")
    order = [axis for axis in range(input.ndim) if axis not in sources]
    for place, axis in sorted(zip(places, sources, strict=True)):
        order.insert(place, axis)
    return permute_to(input, tuple(order)) if input.ndim else input


def _several(dims: int | Sequence[int]) -> Sequence[int]:
    return dims if isinstance(dims, Sequence) else (dims,)


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


@on_tensor
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
    if input.ndim == 0:
        return input
    if input.ndim < 2:
        raise ShapeError(f"mT: needs at least two axes, got shape {input.shape}")
    return transpose(input, -2, -1)


@op(view=True)
def last_diagonal(x: Tensor, offset: int) -> Tensor:
    """The diagonal of the last two axes, as the last axis: x[…, i, i + offset]. A view. Backward: g on that diagonal of zeros."""
    return _diagonal(x, offset)


def _diagonal(x: Any, offset: int) -> Any:
    out = np.diagonal(x, offset, -2, -1)
    out.flags.writeable = x.flags.writeable  # NumPy's is read-only
    return out


@last_diagonal.backward("x")
def _(g, x_shape, offset):
    return put(g, diagonal_index(g.shape[-1], offset), x_shape)


@of_constants
def diagonal_index(length: int, offset: int) -> tuple[Any, ...]:
    """The index of a diagonal of the last two axes."""
    places = np.arange(length)
    return (..., places + max(-offset, 0), places + max(offset, 0))


def last_two(name: str, dim1: int, dim2: int, ndim: int) -> tuple[int, ...]:
    """The order of axes in which dim1 and dim2 come last."""
    pair = axis_of(name, dim1, ndim), axis_of(name, dim2, ndim)
    if ndim < 2 or pair[0] == pair[1]:
        raise ShapeError(f"{name}: needs two different axes, got dim1 {dim1} and dim2 {dim2} of {ndim}")
    return (*(axis for axis in range(ndim) if axis not in pair), *pair)


@on_tensor
def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """The diagonals of the planes of dim1 and dim2, as the last axis; `offset` above (or below) the main one. A view."""
    return last_diagonal(permute_to(input, last_two("diagonal", dim1, dim2, input.ndim)), offset)


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


def expand(input: Tensor, *sizes: Any, size: Sequence[int] | None = None) -> Tensor:
    """input repeated along axes of length 1 (−1 keeps a size), without copying."""
    return expand_to(input, sizes_of(sizes if size is None else (size,)))


def broadcast_to(input: Tensor, size: Sequence[int]) -> Tensor:
    """input broadcast to a shape, without copying; `expand` by NumPy's name."""
    return expand_to(input, tuple(size))


def expand_as(self: Tensor, other: Tensor) -> Tensor:
    """`expand` to the shape of another tensor."""
    return expand_to(self, other.shape)


def broadcast_tensors(*tensors: Tensor) -> tuple[Tensor, ...]:
    """The tensors broadcast to the one shape that fits them all, without copying."""
    if not all(isinstance(x, Tensor) for x in tensors):
        raise InputTypeError(f"broadcast_tensors: expected Tensors, got {', '.join(type(x).__name__ for x in tensors)}")
    try:
        shape = np.broadcast_shapes(*(x.shape for x in tensors))
    except ValueError:
        raise ShapeError(f"broadcast_tensors: shapes do not broadcast: {', '.join(str(x.shape) for x in tensors)}") from None
    return tuple(expand_to(x, shape) for x in tensors)


def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Tensor, ...]:
    """The coordinates of a grid: tensor i of the result varies along axis i alone; with indexing="xy" the first two axes change places.

    Shapes: vectors (or numbers) in, given one by one or as a list.
    """
    vectors = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)) else tensors
    if indexing not in ("ij", "xy"):
        raise ArgumentError(f"meshgrid: indexing must be 'ij' or 'xy', got {indexing!r}")
    if not all(isinstance(x, Tensor) and x.ndim < 2 for x in vectors):
        raise ShapeError("meshgrid: expected vectors or numbers, as Tensors")
    sizes = tuple(x.numel() for x in vectors)
    grids = (reshape_to(x, tuple(-1 if i == k else 1 for k in range(len(sizes)))) for i, x in enumerate(vectors))
    full = tuple(expand_to(x, sizes) for x in grids)
    return tuple(transpose(x, 0, 1) for x in full) if indexing == "xy" and len(full) > 1 else full


@op
def sum_to_shape(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """x summed to a shape that broadcasts to its own: the adjoint of `expand`. Backward: g repeated."""
    return sum_to(x, shape)


@sum_to_shape.backward("x")
def _(g, x_shape):
    return repeated(g, x_shape)
