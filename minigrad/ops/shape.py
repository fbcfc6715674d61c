"""Shapes, indexing, joining and copying."""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import index
from typing import Any

import numpy as np

from ..core import Operand, Tensor, apply, is_grad_enabled, op, replace, touch
from ..errors import DimError, DtypeError, GraphError, IndexRangeError, InputTypeError, ShapeError
from ..kernels.arrays import broadcast_to as repeated
from ..kernels.arrays import put, sum_to
from ..kernels.notation import where
from .reduction import axis_of


def _sizes(sizes: tuple[Any, ...]) -> tuple[int, ...]:
    """`f(2, 3)` and `f((2, 3))` alike."""
    flat = sizes[0] if len(sizes) == 1 and isinstance(sizes[0], (Sequence, np.ndarray)) else sizes
    try:
        return tuple(index(n) for n in flat)
    except TypeError:
        raise InputTypeError(f"size: expected ints, got {flat!r}") from None


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
    return reshape_to(input, _sizes(sizes if shape is None else (shape,)))


def view(input: Tensor, *shape: Any) -> Tensor:
    """`reshape`, but refused where it would have to copy."""
    if len(shape) == 1 and isinstance(shape[0], (np.dtype, type)):
        raise InputTypeError("view: reinterpreting bytes as another dtype is not supported; use .to(dtype)")
    out = reshape_to(input, _sizes(shape))
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
        raise DimError(f"{name}: dim {dim} is out of range: next to {ndim} axes it must be in [{-ndim - 1}, {ndim}]")
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
    return permute_to(input, _sizes(axes if dims is None else (dims,)))


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
    return expand_to(input, _sizes(sizes))


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


# ---- indexing


def _plain_index(index: Any) -> Any:
    """An index with Tensors and lists made arrays, as NumPy takes it."""
    if isinstance(index, tuple):
        return tuple(_plain_index(part) for part in index)
    if isinstance(index, (Tensor, list)):
        array = index.array if isinstance(index, Tensor) else np.asarray([_plain_index(part) for part in index])
        if array.size == 0 and not isinstance(index, Tensor):
            array = array.astype(np.int64)
        if array.dtype.kind not in "iub":
            raise IndexRangeError(f"getitem: an index must be of integers or booleans, got dtype {array.dtype}")
        return array
    if isinstance(index, (float, np.floating)):
        raise IndexRangeError(f"getitem: an index must be of integers or booleans, got {index!r}")
    return index


def _index_error(name: str, shape: tuple[int, ...], error: Exception) -> Exception:
    return IndexRangeError(f"{name}: {error} (the tensor has shape {shape})")


@op(live=("index",), view=True)
def getitem(x: Tensor, index: Any) -> Tensor:
    """x[index], in all of NumPy's forms. Slices give a view, index arrays a copy.

    Backward: g at the index in zeros; repeated indices add up. Errors: IndexRangeError.
    """
    try:
        return x[index]
    except IndexError as error:
        raise _index_error("getitem", x.shape, error) from None


@getitem.backward("x")
def _(g, index, x_shape):
    return put(g, index, x_shape)


def getitem_method(self: Tensor, index: Any) -> Tensor:
    index = _plain_index(index)
    return apply(getitem, (self,), (), (_kept(index) if self.requires_grad and is_grad_enabled() else index,))


def _kept(index: Any) -> Any:
    """An index that a step may hold: what its owner writes into index arrays later does not reach it."""
    if isinstance(index, tuple):
        return tuple(_kept(part) for part in index)
    return index.copy() if isinstance(index, np.ndarray) else index


@op(live=("index",))
def put_into_zeros(values: Tensor, index: Any, shape: tuple[int, ...]) -> Tensor:
    """Zeros of a shape with `values` added at an index: the adjoint of x[index]. Backward: g[index]."""
    return put(values, index, shape)


@put_into_zeros.backward("values")
def _(g, index):
    return g[index]


def put_tensor(values: Tensor, index: Any, shape: Sequence[int]) -> Tensor:
    return apply(put_into_zeros, (values,), (tuple(shape),), (index,))


def _slim(values: Any) -> Any:
    """Values without leading axes of length 1: x[0] = values of shape (1,) is meant, but NumPy would not convert it."""
    if not isinstance(values, np.ndarray):
        return values
    leading = next((i for i, n in enumerate(values.shape) if n != 1), values.ndim)
    return values.reshape(values.shape[leading:])


@op(live=("index",), broadcasts=True)
def index_put(x: Tensor, values: Operand, index: Any) -> Tensor:
    """A copy of x with x[index] = values; where an index is repeated, the last value stays.

    Backward: to x, g with zeros at the index; to values, g[index], but 0 for a value that a later one replaced.
    """
    out = x.copy()
    try:
        out[index] = _slim(values)
    except IndexError as error:
        raise _index_error("setitem", x.shape, error) from None
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


# ---- writing in place


def _writable(name: str, x: Tensor, *operands: Any) -> bool:
    """Whether the write happens in the storage itself (True) or is recorded as a new value (False); what is refused raises."""
    if x.array.size and 0 in [stride for n, stride in zip(x.array.shape, x.array.strides, strict=True) if n > 1]:
        raise GraphError(f"{name}: elements of this expanded tensor (shape {x.shape}) share their memory; clone() it first")
    tracked = x.requires_grad or any(isinstance(v, Tensor) and v.requires_grad for v in operands)
    if not (is_grad_enabled() and tracked):
        return True
    if x.is_leaf and x.requires_grad:
        raise GraphError(f"{name}: a leaf that requires grad cannot be changed in place; do it under no_grad()")
    views = None if x.stamp is None else x.stamp.views
    if views is not None and any(other is not x for other in views.values()):
        raise GraphError(
            f"{name}: this tensor shares its memory with a view that is still in use, which a recorded write would leave behind; "
            "clone() one of them, or write to the original tensor"
        )
    return False


def _store(name: str, x: Tensor, value: Any) -> Tensor:
    """Write into the storage of x."""
    array = value.array if isinstance(value, Tensor) else np.asarray(value)
    if not np.can_cast(array.dtype, x.array.dtype, "same_kind"):
        raise DtypeError(f"{name}: a result of dtype {array.dtype} cannot be written into a tensor of dtype {x.dtype}")
    _check_fits(name, x, array)
    touch(x)
    x.array[...] = array
    return x


def _check_fits(name: str, x: Tensor, array: Any) -> None:
    try:
        np.broadcast_to(array, x.array.shape)
    except ValueError:
        raise ShapeError(f"{name}: a value of shape {array.shape} does not fit a tensor of shape {x.shape}") from None


def in_place(operation: Any, name: str) -> Any:
    """The in-place form of an operation: `add_`, `+=`, …"""

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if not _writable(name, self, *args, *kwargs.values()):
            return replace(self, _fitting(name, self, operation(self, *args, **kwargs)))
        return _store(name, self, operation(self.detach(), *args, **kwargs))

    method.__name__ = name
    method.__doc__ = f"`{operation.__name__}`, in place: recorded as a new value in grad mode, else written into the storage."
    return method


def _fitting(name: str, x: Tensor, y: Tensor) -> Tensor:
    """A result that may take x's place, in x's dtype."""
    if not np.can_cast(y.dtype, x.dtype, "same_kind"):
        raise DtypeError(f"{name}: a result of dtype {y.dtype} cannot be written into a tensor of dtype {x.dtype}")
    if y.shape != x.shape:
        raise ShapeError(f"{name}: a value of shape {y.shape} does not fit a tensor of shape {x.shape}")
    return to(y, x.dtype)


def setitem_method(self: Tensor, index: Any, value: Any) -> None:
    index = _plain_index(index)
    if isinstance(value, (np.ndarray, list, tuple)):
        value = Tensor(np.asarray(value))
    if (value.dtype.kind if isinstance(value, (Tensor, np.generic)) else np.dtype(type(value)).kind) not in "fiub":
        what = f"dtype {value.dtype}" if isinstance(value, Tensor) else type(value).__name__
        raise InputTypeError(f"setitem: the value must be a Tensor or a number, got {what}")
    if isinstance(value, Tensor) and value.dtype != self.dtype:
        value = value.to(self.dtype)
    if not _writable("setitem", self, value):
        replace(self, index_put(self, value, _kept(index)))
        return
    source = value.array if isinstance(value, Tensor) else value
    touch(self)
    try:
        self.array[index] = _slim(source)
    except IndexError as error:
        raise _index_error("setitem", self.shape, error) from None
    except ValueError as error:
        raise ShapeError(f"setitem: {error} (the tensor has shape {self.shape}, the value {np.shape(source)})") from None


def copy_(self: Tensor, src: Any) -> Tensor:
    """Take over the values of `src`, which broadcasts, in place."""
    return _overwrite("copy_", self, src if isinstance(src, Tensor) else Tensor(np.asarray(src)))


def _overwrite(name: str, x: Tensor, value: Tensor) -> Tensor:
    """Every element of x replaced by a value that broadcasts: x's own history gets the gradient 0."""
    if _writable(name, x, value):
        return _store(name, x, value.array.astype(x.dtype))
    _check_fits(name, x, value.array)
    return replace(x, index_put(x, to(value, x.dtype), ...))


def fill_(self: Tensor, value: Any) -> Tensor:
    """Set every element to one value, in place."""
    value = value if isinstance(value, Tensor) else Tensor(np.asarray(value))
    if value.ndim:
        raise ShapeError(f"fill_: expected one number, got a value of shape {value.shape}; use copy_")
    return _overwrite("fill_", self, value)


def zero_(self: Tensor) -> Tensor:
    """Set every element to 0, in place."""
    return fill_(self, 0)


# ---- copies and dtypes


@op
def clone(x: Tensor) -> Tensor:
    """A copy that stays in the graph. Backward: g."""
    return x.copy()


@clone.backward("x")
def _(g):
    return g


@op
def contiguous(x: Tensor) -> Tensor:
    """The same values in row-major memory. Backward: g."""
    return np.ascontiguousarray(x).reshape(x.shape)


@contiguous.backward("x")
def _(g):
    return g


@op
def astype(x: Tensor, dtype: Any) -> Tensor:
    """The same values in another dtype. Backward: g in x's dtype."""
    return x.astype(dtype)


@astype.backward("x")
def _(g):
    return g


def checked_dtype(name: str, dtype: Any) -> np.dtype[Any]:
    """A dtype that tensors can have, in the machine's byte order: kernels trust the bytes."""
    try:
        wanted = np.dtype(dtype)
    except TypeError:
        raise DtypeError(f"{name}: {dtype!r} is no dtype") from None
    if wanted.kind not in "fiub":
        raise DtypeError(f"{name}: dtype {wanted} is not supported; expected floats, integers or bool")
    return wanted.newbyteorder("=")


def to(input: Tensor, dtype: Any) -> Tensor:
    """input in another dtype (or that of another Tensor); itself if it already has it. Integers and booleans carry no gradient.

    The one device, "cpu", is accepted as well and changes nothing.
    """
    if isinstance(dtype, str) and dtype == "cpu":
        return input
    wanted = checked_dtype("to", dtype.dtype if isinstance(dtype, Tensor) else dtype)
    if input.dtype == wanted:
        return input
    return astype(input if wanted.kind == "f" else input.detach(), wanted)


def cpu(input: Tensor) -> Tensor:
    """input itself: all tensors are on the CPU."""
    return input


def type_as(input: Tensor, other: Tensor) -> Tensor:
    """input in the dtype of `other`."""
    return to(input, other.dtype)
