"""Elements by their places along an axis: read, replaced, added to. All of it is `x[index]`, its adjoint, or `x[index] = values`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core import Operand, Tensor, apply, by_replay, derived, is_grad_enabled, op
from ..core.check import check_kind
from ..errors import ArgumentError, DimError, DtypeError, IndexRangeError, InputTypeError, ShapeError
from ..kernels.arrays import flat_places
from .arithmetic import scaled
from .comparison import eq, where
from .convert import check_tensors, constant, on_tensor, to
from .extremes import pick, place
from .indexing import along, getitem, index_put, plain_index, put_tensor
from .joining import unbind
from .reduction import axis_and_length, axis_of
from .scattering import averaged, cleared, combined
from .shape import broadcast_tensors, expand_to, reshape_to, sizes_of


@on_tensor
def select(input: Tensor, dim: int, index: int) -> Tensor:
    """The slice at one place of an axis, without that axis. A view."""
    axis, length = axis_and_length("select", input, dim, DimError)
    check_kind("select", "index", index, "int")
    if not -length <= index < length:
        raise IndexRangeError(f"select: index {index} is out of range for axis {axis} of length {length}")
    return along(input, axis, index)


@on_tensor
def narrow(input: Tensor, dim: int, start: int | Tensor, length: int) -> Tensor:
    """The `length` slices of an axis from `start` on (from the end if negative). A view."""
    if not input.ndim:
        raise ShapeError("narrow: needs an axis, got a 0-d tensor")
    axis, size = axis_and_length("narrow", input, dim, DimError)
    start = start.item() if isinstance(start, Tensor) else start
    check_kind("narrow", "start", start, "int")
    check_kind("narrow", "length", length, "int")
    first = start + size if start < 0 else start
    if length < 0 or not 0 <= first <= size or first + length > size:
        raise IndexRangeError(f"narrow: {length} elements from {start} on are not within axis {axis} of length {size}")
    return along(input, axis, slice(first, first + length))


@on_tensor
def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """The slices at the places of a vector of ints along an axis, as a copy. Backward: g, added up at those places.

    Shapes: of a 0-d tensor the one element, 0-d. Errors: IndexRangeError for places that the axis does not have; negative ones are
    none.
    """
    if not input.ndim:
        return reshape_to(index_select(reshape_to(input, (1,)), dim, index), ())
    axis, length = axis_and_length("index_select", input, dim, DimError)
    return along(input, axis, _places("index_select", index, axis, length, vector=True))


@on_tensor
def gather(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """y[i, j, …] = input[i, …, index[i, j, …], …], the index standing at axis `dim`.

    Shapes: index has as many axes as input, and none but `dim` longer. Backward: g, added up at those places (`scatter_add`).
    Errors: IndexRangeError for places that the axis does not have; negative ones are none.
    """
    axis, places = _places_like("gather", input, dim, index, _is_recorded(input))
    if not (input.ndim and places.size):
        return apply(getitem, (reshape_to(input, (-1,)),), (), (places,))
    return pick(input, places, axis)


@on_tensor
def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """`gather`, with the other axes broadcast, and with negative places counted from the end; without `dim` both are taken flat."""
    if not isinstance(indices, Tensor):
        raise InputTypeError(f"take_along_dim: indices must be a Tensor of ints, got {type(indices).__name__}")
    if dim is None:
        return take_along_dim(reshape_to(input, (-1,)), reshape_to(indices, (-1,)), 0)
    axis = axis_of("take_along_dim", dim, input.ndim)
    if not (input.ndim or indices.ndim):
        return reshape_to(take_along_dim(reshape_to(input, (1,)), reshape_to(indices, (1,)), 0), ())
    if indices.ndim != input.ndim:
        raise ShapeError(f"take_along_dim: input and indices must have equally many axes, got {input.shape} and {indices.shape}")
    try:
        shape = list(np.broadcast_shapes(*(tuple(1 if i == axis else n for i, n in enumerate(x.shape)) for x in (input, indices))))
    except ValueError:
        raise ShapeError(f"take_along_dim: {input.shape} and {indices.shape} do not broadcast outside of dim {dim}") from None
    x, places = (expand_to(x, (*shape[:axis], x.shape[axis], *shape[axis + 1 :])) for x in (input, indices))
    return gather(x, axis, _from_start(places, x.shape[axis]))


@by_replay("free")
def _from_start(places: Tensor, length: int) -> Tensor:
    """Places, of which negative ones count from the end, counted from the start."""
    found = places.array
    return Tensor(np.where(found < 0, found + length, found) if found.min(initial=0) < 0 else found.view())


@on_tensor
def scatter(
    input: Tensor,
    dim: int,
    index: Tensor,
    src: Operand | None = None,
    *,
    value: float | None = None,
    reduce: str | None = None,
) -> Tensor:
    """A copy of input with src[i, j, …] (or one number) at [i, …, index[i, j, …], …], the index standing at axis `dim`.

    Where a place is named twice, the last one stays. Shapes: index has as many axes as input and src, and is in none but `dim`
    longer than input, in none longer than src. Backward: to input, g with zeros at those places; to src, g there (0 if replaced).
    With `reduce`, "add" or "multiply", the values are combined with what is there: see `scatter_reduce`.
    """
    if reduce not in (None, "add", "multiply"):
        raise ArgumentError(f"scatter: reduce must be 'add' or 'multiply', got {reduce!r}")
    if (src is None) == (value is None):
        raise InputTypeError("scatter: expected one of src and value")
    values = value if src is None else src
    places = _flat_places("scatter", input, dim, index)
    if reduce is not None:
        src = values if isinstance(values, Tensor) else constant(values, input.dtype, places.shape)
        if reduce == "add":
            return _added("scatter", input, dim, index, src)
        return combined(input, _source("scatter", input, index, src), places, "prod")
    if isinstance(values, Tensor):
        values = _source("scatter", input, index, values)
    return reshape_to(apply(index_put, (reshape_to(input, (-1,)), values), (), (places,)), input.shape)


@on_tensor
def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """A copy of input with src[i, j, …] added at [i, …, index[i, j, …], …], the index standing at axis `dim`.

    Shapes: as for `scatter`. Backward: to input, g; to src, g at those places (`gather`).
    """
    return _added("scatter_add", input, dim, index, src)


def _added(name: str, input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    axis, places = _places_like(name, input, dim, index, _is_recorded(src))
    values = _source(name, input, index, src)
    if not (input.ndim and places.size):
        return input + reshape_to(put_tensor(values, places, (input.numel(),)), input.shape)
    return input + place(values, places, axis, input.shape)


@on_tensor
def scatter_reduce(input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True) -> Tensor:
    """A copy of input with src[i, j, …] combined at [i, …, index[i, j, …], …] with what is there, the index standing at axis `dim`.

    `reduce` is "sum", "prod", "mean", "amax" or "amin". Without `include_self`, what was there does not count.
    Shapes: as for `scatter`. Backward: see `combine_at`; a mean is a sum over a count.
    """
    if reduce not in ("sum", "prod", "mean", "amax", "amin"):
        raise ArgumentError(f"scatter_reduce: reduce must be one of 'sum', 'prod', 'mean', 'amax', 'amin', got {reduce!r}")
    name, places = "scatter_reduce", None
    if reduce != "sum" or not include_self:
        places = _flat_places(name, input, dim, index)
    if not include_self:
        input = cleared(input, places, reduce)
    if reduce not in ("sum", "mean"):
        return combined(input, _source(name, input, index, src), places, reduce)
    sums = _added(name, input, dim, index, src)
    return sums if reduce == "sum" else averaged(sums, places, int(include_self))


@on_tensor
def index_add(input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: float = 1) -> Tensor:
    """A copy of input with the slices of `alpha` · source added at the places of a vector of ints along an axis."""
    if not input.ndim and getattr(source, "shape", None) == ():
        return reshape_to(index_add(reshape_to(input, (1,)), dim, index, reshape_to(source, (1,)), alpha=alpha), ())
    axis, length = axis_and_length("index_add", input, dim, DimError)
    places = _places("index_add", index, axis, length, vector=True)
    _same_dtype("index_add", input, source)
    expected = (*input.shape[:axis], places.size, *input.shape[axis + 1 :])
    if source.shape != expected:
        raise ShapeError(f"index_add: expected a source of shape {expected}, got {source.shape}")
    added = put_tensor(scaled("index_add", input, source, alpha), (*(slice(None),) * axis, places), input.shape)
    return input + added


@on_tensor
def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """A copy of input in which the slices at the places of a vector of ints along an axis are those of source."""
    if not input.ndim and getattr(source, "shape", None) == ():
        return reshape_to(index_copy(reshape_to(input, (1,)), dim, index, reshape_to(source, (1,))), ())
    axis, length = axis_and_length("index_copy", input, dim, DimError)
    places = _places("index_copy", index, axis, length, vector=True)
    _same_dtype("index_copy", input, source)
    expected = (*input.shape[:axis], places.size, *input.shape[axis + 1 :])
    if source.shape != expected:
        raise (DimError if source.ndim != input.ndim else ShapeError)(
            f"index_copy: expected a source of shape {expected}, got {source.shape}"
        )
    return apply(index_put, (input, source), (), ((*(slice(None),) * axis, places),))


@on_tensor
def index_fill(input: Tensor, dim: int, index: Tensor, value: Operand) -> Tensor:
    """A copy of input with one value (a number or a 0-d tensor, taken in its dtype) in the slices at the places of a vector of ints."""
    if not input.ndim:
        return reshape_to(index_fill(reshape_to(input, (1,)), dim, index, value), ())
    axis, length = axis_and_length("index_fill", input, dim, DimError)
    value = value if isinstance(value, Tensor) else constant(value)
    if value.ndim:
        raise ShapeError(f"index_fill: value must be a number or a 0-d tensor, got shape {value.shape}")
    places = _places("index_fill", index, axis, length, vector=True, from_end=True)
    return apply(index_put, (input, to(value, input.dtype)), (), ((*(slice(None),) * axis, places),))


@on_tensor
def put_at(input: Tensor, indices: Sequence[Tensor], values: Tensor, accumulate: bool = False) -> Tensor:
    """A copy of input with input[indices] = values, for a tuple of index tensors; with `accumulate` they are added instead.

    Where a place is named twice, the last value stays, or all are added up.
    """
    if not isinstance(indices, (tuple, list)) or not all(isinstance(index, Tensor) for index in indices):
        raise InputTypeError(f"index_put: indices must be a tuple of Tensors, got {indices!r}")
    _same_dtype("index_put", input, values)
    index = plain_index(tuple(index.clone() for index in indices), masks=accumulate)
    if not accumulate:
        return apply(index_put, (input, values), (), (index,))
    picked = apply(getitem, (input.detach(),), (), (index,))
    return input + put_tensor(expand_to(values, picked.shape), index, input.shape)


put_at.__name__ = "index_put"


@on_tensor
def take(input: Tensor, index: Tensor) -> Tensor:
    """The elements at places of input taken flat (negative ones from the end), in the shape of index. Backward: g, added up there."""
    flat = reshape_to(input, (-1,))
    return along(flat, 0, _places("take", index, 0, input.numel(), from_end=True))


@by_replay("free")
def unravel_index(indices: Tensor, shape: Sequence[int]) -> tuple[Tensor, ...]:
    """For places of a flat tensor those in a shape, one tensor an axis (int64); those outside wrap around. No gradient."""
    check_tensors("unravel_index", indices=indices)
    if indices.dtype.kind not in "iu":
        raise DtypeError(f"unravel_index: indices must hold integers, got dtype {indices.dtype}")
    shape = sizes_of((shape,))
    if indices.array.size and not math.prod(shape):
        raise IndexRangeError(f"unravel_index: a tensor of shape {shape} has no places")
    places = np.unravel_index(indices.array.astype(np.int64) % max(math.prod(shape), 1), shape)
    return tuple(Tensor(np.asarray(part, np.int64)) for part in places)


@on_tensor
def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The elements where a mask (bool) holds, as a vector; both broadcast. Backward: g at those places."""
    _check_mask("masked_select", mask)
    input, mask = broadcast_tensors(input, mask)
    return apply(getitem, (input,), (), (mask._values("masked_select").copy(),))


@on_tensor
def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """A copy of input in which the elements where a mask (bool) holds are replaced by the first elements of source, in order."""
    _check_mask("masked_scatter", mask)
    _same_dtype("masked_scatter", input, source)
    input, mask = broadcast_tensors(input, mask)
    count = int(mask._values("masked_scatter").sum())
    if source.numel() < count:
        raise ShapeError(f"masked_scatter: the mask takes {count} elements, but source has {source.numel()}")
    values = apply(getitem, (reshape_to(source, (-1,)),), (), (slice(count),))
    return apply(index_put, (input, values), (), (mask.array.copy(),))


@op
def argwhere(x: Tensor) -> Tensor:
    """The places of the elements that are not 0, one a row (int64). No gradient."""
    return np.argwhere(x)


@argwhere.guarded_graph
def _(x):
    x._values("nonzero")


@on_tensor
def nonzero(input: Tensor, as_tuple: bool = False) -> Any:
    """The places of the elements that are not 0: a matrix with one a row, or as a tuple with one vector an axis. Backward: none."""
    if not as_tuple:
        return argwhere(input)
    return unbind(argwhere(input if input.ndim else reshape_to(input, (1,))), 1)


@where.variant(1)
def _(condition: Tensor) -> tuple[Tensor, ...]:
    """`where(condition)`: the places of the elements that are not 0."""
    return nonzero(condition, as_tuple=True)


@on_tensor
def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """A new last axis with 1 at the place of each class and 0 elsewhere (int64); as many classes as needed, or as said. Backward: none."""
    check_kind("one_hot", "num_classes", num_classes, "int")
    if tensor.dtype.kind not in "iu":
        raise DtypeError(f"one_hot: expected class indices (integers), got dtype {tensor.dtype}")
    if num_classes == -1:
        if not tensor.numel():
            raise ArgumentError("one_hot: without elements num_classes must be given")
        num_classes = int(tensor._values("one_hot without num_classes").max()) + 1
    if num_classes < 1 and tensor.numel() == 0:
        raise ArgumentError(f"one_hot: num_classes must be at least 1, got {num_classes}")
    _check_classes(tensor, num_classes)
    return to(eq(reshape_to(tensor, (*tensor.shape, 1)), constant(range(num_classes), np.int64)), np.int64)


@by_replay("free")
def _check_classes(tensor: Tensor, num_classes: int) -> None:
    _check_range("one_hot", tensor.array, num_classes, "classes")


# ---- what is asked of an index


def _places(name: str, index: Any, axis: int, length: int, vector: bool = False, from_end: bool = False, own: bool = True) -> Any:
    """The places that an index tensor names along an axis, each of them in range, negative ones by `from_end` only: a copy, unless
    `own` is False."""
    if not isinstance(index, Tensor):
        raise InputTypeError(f"{name}: index must be a Tensor of ints, got {type(index).__name__}")
    if index.dtype.kind not in "iu":
        raise DtypeError(f"{name}: index must hold integers, got dtype {index.dtype}")
    if vector and index.ndim > 1:
        raise DimError(f"{name}: index must be a vector, got shape {index.shape}")
    return _read_places(name, index, axis, length, vector, from_end, own)


@by_replay("free")
def _read_places(name: str, index: Tensor, axis: int, length: int, vector: bool, from_end: bool, own: bool) -> Any:
    places = np.array(index.array, np.int64, ndmin=int(vector), copy=own or None)
    if from_end:
        places = np.where((places < 0) & (places >= -length), places + length, places)
    _check_range(name, places, length, f"axis {axis} of length")
    return places


def _check_range(name: str, places: Any, limit: int, what: str) -> None:
    """Refuse places outside [0, limit), naming the first."""
    # Taken for unsigned, negative numbers are the largest.
    if places.size and places.astype(np.int64, copy=False).view(np.uint64).max() >= limit:
        outside = (places < 0) | (places >= limit)
        first = tuple(int(i) for i in np.argwhere(outside)[0])
        at = f" at {list(first)}" if first else ""
        raise IndexRangeError(f"{name}: index {places[first]}{at} is out of range: {what} {limit}")


def _is_recorded(x: Any) -> bool:
    """Whether an operation on x will hold its index."""
    return isinstance(x, Tensor) and x.requires_grad and is_grad_enabled()


def _places_like(name: str, x: Tensor, dim: int, index: Any, own: bool = True) -> tuple[int, Any]:
    """The axis, and the places along it that `index` names, which has an axis for each of x and none but that one longer."""
    axis = axis_of(name, dim, x.ndim)
    shape = x.shape or (1,)
    places = _places(name, index, axis, shape[axis], own=own)
    if places.size:
        sizes = places.shape or (1,)
        if len(sizes) != len(shape):
            raise ShapeError(f"{name}: index must have as many axes as input, got shape {places.shape} for {x.shape}")
        if any(n > limit for i, (n, limit) in enumerate(zip(sizes, shape, strict=True)) if i != axis):
            raise ShapeError(
                f"{name}: outside of dim {dim} index must not be longer than input, got shape {places.shape} for {x.shape}"
            )
    return axis, places


def _flat_places(name: str, x: Tensor, dim: int, index: Any) -> Any:
    """For each element of `index` its place in x taken flat."""
    axis, places = _places_like(name, x, dim, index)
    if not places.size:
        return places
    return derived("flat_places", _flat_in, places, axis, x.shape or (1,))


def _flat_in(places: Any, axis: int, shape: tuple[int, ...]) -> Any:
    return flat_places(places.reshape(places.shape or (1,)), axis, shape).reshape(places.shape)


def _source(name: str, x: Tensor, index: Tensor, src: Tensor) -> Tensor:
    """The part of src that belongs to an index."""
    _same_dtype(name, x, src)
    if src.shape == index.shape:
        return src
    if src.ndim != index.ndim or any(n > limit for n, limit in zip(index.shape, src.shape, strict=True)):
        raise ShapeError(f"{name}: index must not be longer than src, got shape {index.shape} for {src.shape}")
    return apply(getitem, (src,), (), (tuple(slice(n) for n in index.shape),))


def _same_dtype(name: str, x: Tensor, values: Tensor) -> None:
    if not isinstance(values, Tensor):
        raise InputTypeError(f"{name}: expected a Tensor of values, got {type(values).__name__}")
    if values.dtype != x.dtype:
        raise DtypeError(f"{name}: expected values of input's dtype {x.dtype}, got {values.dtype}")


def _check_mask(name: str, mask: Any) -> None:
    if not isinstance(mask, Tensor) or mask.dtype.kind != "b":
        raise DtypeError(f"{name}: expected a mask of bools, got {mask.dtype if isinstance(mask, Tensor) else type(mask).__name__}")
