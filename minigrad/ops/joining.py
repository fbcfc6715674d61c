"""Joining tensors, and splitting them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core import Tensor, op
from ..core.check import check_kind
from ..errors import ArgumentError, DimError, InputTypeError, ShapeError
from .convert import on_tensor
from .indexing import along
from .reduction import axis_and_length, axis_of
from .shape import new_axis, reshape_to, sizes_of


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
