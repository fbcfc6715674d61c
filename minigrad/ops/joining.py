"""Joining tensors, and splitting them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core import Tensor, get_default_dtype, op
from ..core.check import check_kind
from ..errors import ArgumentError, DimError, InputTypeError, ShapeError
from .convert import check_tensors, on_tensor
from .indexing import along, put_tensor
from .reduction import axis_and_length, axis_of
from .shape import meshgrid, new_axis, reshape_to, sizes_of


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
    return {"dim": new_axis("stack", dim, tensors[0].ndim)}


@stack.backward("tensors")
def _(g, position, dim):
    return g[(slice(None),) * dim + (position,)]


def hstack(tensors: Sequence[Tensor]) -> Tensor:
    """Tensors joined side by side: along the second axis, vectors along their only one."""
    raised = _raised(tensors, 1)
    return cat(raised, 0 if raised[0].ndim == 1 else 1)


def vstack(tensors: Sequence[Tensor]) -> Tensor:
    """Tensors joined one below the other: along the first axis, vectors as rows."""
    return cat(_raised(tensors, 2), 0)


def dstack(tensors: Sequence[Tensor]) -> Tensor:
    """Tensors joined along the third axis; a matrix counts as (m, n, 1), a vector as (1, n, 1)."""
    return cat([reshape_to(x, (*x.shape, 1)) if x.ndim == 2 else x for x in _raised(tensors, 2)], 2)


def column_stack(tensors: Sequence[Tensor]) -> Tensor:
    """Tensors joined side by side along the second axis; vectors as columns."""
    raised = _raised(tensors, 1)
    return cat([reshape_to(x, (*x.shape, 1)) if x.ndim == 1 else x for x in raised], 1)


def block_diag(*tensors: Tensor) -> Tensor:
    """A matrix with matrices along its diagonal and 0 elsewhere; a vector or number counts as a row."""
    blocks = _raised(tensors, 2) if tensors else [Tensor(np.zeros((1, 0), get_default_dtype()))]
    if any(x.ndim > 2 for x in blocks):
        raise ShapeError(f"block_diag: expected matrices, got shapes {', '.join(str(x.shape) for x in tensors)}")
    ends = np.cumsum([x.shape[1] for x in blocks]).tolist()
    columns = [slice(end - x.shape[1], end) for x, end in zip(blocks, ends, strict=True)]
    return cat([put_tensor(x, (..., part), (x.shape[0], ends[-1])) for x, part in zip(blocks, columns, strict=True)], 0)


def cartesian_prod(*tensors: Tensor) -> Tensor:
    """All combinations of the elements of vectors, one a row; of one vector itself."""
    if not tensors or any(not isinstance(x, Tensor) or x.ndim != 1 for x in tensors):
        raise ShapeError(f"cartesian_prod: expected vectors, got {', '.join(str(getattr(x, 'shape', x)) for x in tensors)}")
    return tensors[0] if len(tensors) == 1 else stack([reshape_to(x, (-1,)) for x in meshgrid(*tensors)], 1)


def atleast_1d(*tensors: Any) -> Any:
    """Each tensor with at least one axis; several, or a list of them, as a tuple."""
    return _each("atleast_1d", tensors, lambda shape: shape or (1,))


def atleast_2d(*tensors: Any) -> Any:
    """Each tensor with at least two axes, new ones in front; several, or a list of them, as a tuple."""
    return _each("atleast_2d", tensors, lambda shape: (1,) * (2 - len(shape)) + shape)


def atleast_3d(*tensors: Any) -> Any:
    """Each tensor with at least three axes: a matrix as (m, n, 1), a vector as (1, n, 1); several, or a list of them, as a tuple."""
    return _each("atleast_3d", tensors, lambda shape: shape if len(shape) > 2 else (1,) * (2 - len(shape)) + shape + (1,))


def _each(name: str, tensors: Sequence[Any], raised: Callable[[tuple[int, ...]], tuple[int, ...]]) -> Any:
    """Tensors, given one by one or as a list, in other shapes."""
    several = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)) else tensors
    check_tensors(name, **{f"tensors[{i}]": x for i, x in enumerate(several)})
    results = tuple(reshape_to(x, raised(x.shape)) for x in several)
    return results[0] if several is tensors and len(results) == 1 else results


def _raised(tensors: Sequence[Tensor], ndim: int) -> Any:
    """Tensors with leading axes of length 1 where they have fewer than `ndim`."""
    if not isinstance(tensors, (list, tuple)) or not tensors or not all(isinstance(x, Tensor) for x in tensors):
        cat(tensors)  # says what is wrong
    return [x if x.ndim >= ndim else reshape_to(x, (1,) * (ndim - x.ndim) + x.shape) for x in tensors]


# ---- splitting, into views


@on_tensor
def split(tensor: Tensor, split_size_or_sections: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """tensor cut along an axis into views: of one size (the last may be smaller), or of the sizes listed."""
    axis, length = axis_and_length("split", tensor, dim, ShapeError)
    wanted = split_size_or_sections
    if isinstance(wanted, Sequence):
        sizes = list(sizes_of((wanted,)))
        if sum(sizes) != length or min(sizes, default=0) < 0:
            raise ShapeError(f"split: sizes {sizes} must add up to {length}, the length of axis {dim}")
    else:
        check_kind("split", "split_size_or_sections", wanted, "int")
        size = int(wanted)
        if size < 0 or (size == 0 and length):
            raise ArgumentError(f"split: expected a size of at least 1, got {size}")
        sizes = [min(size, length - start) for start in range(0, length, size or 1)] or [0]
    ends = np.cumsum(sizes).tolist()
    return tuple(along(tensor, axis, slice(end - size, end)) for size, end in zip(sizes, ends, strict=True))


def split_with_sizes(input: Tensor, split_sizes: Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """`split` into views of the sizes listed."""
    return split(input, sizes_of((split_sizes,)), dim)


@on_tensor
def tensor_split(input: Tensor, indices_or_sections: int | Sequence[int] | Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """input cut along an axis into views: into so many, of sizes that differ by at most 1, or before the indices listed."""
    axis, length = axis_and_length("tensor_split", input, dim, ShapeError)
    where = indices_or_sections.tolist() if isinstance(indices_or_sections, Tensor) else indices_or_sections
    if isinstance(where, Sequence):
        starts = [0, *sizes_of((where,))]
        return tuple(along(input, axis, slice(start, end)) for start, end in zip(starts, [*starts[1:], None], strict=True))
    check_kind("tensor_split", "indices_or_sections", where, "int")
    if where < 1:
        raise ArgumentError(f"tensor_split: expected at least 1 section, got {where}")
    return split(input, [length // where + (i < length % where) for i in range(where)], axis)


@on_tensor
def hsplit(input: Tensor, indices_or_sections: int | Sequence[int]) -> tuple[Tensor, ...]:
    """`tensor_split` along the second axis (of a vector the first), into equal parts."""
    return _split_evenly("hsplit", input, indices_or_sections, 0 if input.ndim == 1 else 1, 1)


@on_tensor
def vsplit(input: Tensor, indices_or_sections: int | Sequence[int]) -> tuple[Tensor, ...]:
    """`tensor_split` along the first axis, into equal parts."""
    return _split_evenly("vsplit", input, indices_or_sections, 0, 2)


@on_tensor
def dsplit(input: Tensor, indices_or_sections: int | Sequence[int]) -> tuple[Tensor, ...]:
    """`tensor_split` along the third axis, into equal parts."""
    return _split_evenly("dsplit", input, indices_or_sections, 2, 3)


def _split_evenly(name: str, x: Tensor, where: int | Sequence[int], axis: int, ndim: int) -> tuple[Tensor, ...]:
    if x.ndim < ndim:
        raise ShapeError(f"{name}: needs at least {ndim} {'axis' if ndim == 1 else 'axes'}, got shape {x.shape}")
    if isinstance(where, int) and (where < 1 or x.shape[axis] % where):
        raise ShapeError(f"{name}: axis {axis} of shape {x.shape} cannot be cut into {where} equal parts")
    return tensor_split(x, where, axis)


@on_tensor
def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """input cut along an axis into at most `chunks` views of one size (the last may be smaller)."""
    check_kind("chunk", "chunks", chunks, "int")
    if chunks < 1:
        raise ArgumentError(f"chunk: chunks must be at least 1, got {chunks}")
    _, length = axis_and_length("chunk", input, dim, ShapeError)
    return split(input, -(-length // chunks), dim) if length else split(input, [0] * chunks, dim)


@on_tensor
def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """The slices of input along an axis, without that axis, as views."""
    axis = axis_of("unbind", dim, input.ndim)
    if not input.ndim:
        raise DimError("unbind: needs an axis, got a 0-d tensor")
    return tuple(along(input, axis, i) for i in range(input.shape[axis]))
