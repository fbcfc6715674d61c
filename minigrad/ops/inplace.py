"""Writing in place: into the storage where nothing is recorded, else recorded as a new value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.lib.array_utils import byte_bounds

from ..core import Tensor, apply, broadcasts_to, by_replay, derived, is_grad_enabled, replace, stamp_of, touch
from ..core.mode import RECORD, get_mode
from ..core.op import Op
from ..core.recorder import recorder
from ..errors import DtypeError, GraphError, InputTypeError, ShapeError
from .convert import check_tensors, constant, to
from .indexing import index_error, index_put, kept_index, places, plain_index, slim, window
from .shape import reshape_to


def _writable(name: str, x: Tensor, *operands: Any) -> bool:
    """Whether the write happens in the storage itself (True) or is recorded as a new value (False); what is refused raises."""
    if x.array.size and 0 in [stride for n, stride in zip(x.array.shape, x.array.strides, strict=True) if n > 1]:
        raise GraphError(f"{name}: elements of this expanded tensor (shape {x.shape}) share their memory; clone() it first")
    tracked = x.requires_grad or any(isinstance(v, Tensor) and v.requires_grad for v in operands)
    if not (is_grad_enabled() and tracked):
        return True
    if x.is_leaf and x.requires_grad:
        raise GraphError(f"{name}: a leaf that requires grad cannot be changed in place; do it under no_grad()")
    return False


def _take(name: str, x: Tensor, y: Tensor) -> Tensor:
    """x takes the value of y, and its place in the graph. Tensors that share its memory see the write: they become views of a new
    whole, the old one with y where x stood in it."""
    family = [] if x.stamp is None or x.stamp.views is None else list(x.stamp.views.values())
    if not any(other is not x for other in family):
        return replace(x, y)
    root = max((x, *family), key=lambda member: (member.is_contiguous(), member.array.size))
    _check_root(name, root, family)
    windows = [(member, _window_of(member, root)) for member in {id(m): m for m in (x, *family)}.values() if member is not root]
    if x is not root:
        at = derived("places", places, *_window_of(x, root))
        y = reshape_to(index_put(reshape_to(root, (-1,)), reshape_to(y, (-1,)), at), root.shape)
    for member, value in [(root, y), *((member, window(y, *place)) for member, place in windows)]:
        replace(member, value)
        views = stamp_of(member).views
        if views is not None:  # an empty tensor shares nothing
            views[id(member)] = member
    return x


def _check_root(name: str, root: Tensor, family: Sequence[Tensor]) -> None:
    """The whole must hold all its views, and must not be a leaf whose gradient is asked for."""
    if root.is_leaf and root.requires_grad:
        raise GraphError(f"{name}: a view of a leaf that requires grad cannot be changed in place; do it under no_grad()")
    low, high = byte_bounds(root.array)
    if not root.is_contiguous() or any(b[0] < low or b[1] > high for b in (byte_bounds(m.array) for m in family if m.array.size)):
        raise GraphError(
            f"{name}: this tensor shares its memory with other views, and the whole that they are views of is gone; clone() it first"
        )


def _window_of(member: Tensor, root: Tensor) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    """Shape, strides and offset, in elements, of a view in its contiguous whole."""
    size = root.array.itemsize
    offset = (member.array.__array_interface__["data"][0] - root.array.__array_interface__["data"][0]) // size
    return member.shape, tuple(n // size for n in member.array.strides), offset if member.array.size else 0


def _store(name: str, x: Tensor, value: Tensor) -> Tensor:
    """Write into the storage of x."""
    _check_dtype(name, x, value.dtype)
    _check_fits(name, x, value.array)
    _write(x, value)
    return x


@by_replay("write")
def _write(x: Tensor, value: Tensor) -> None:
    """Put values, which broadcast and are taken in x's dtype, into the storage of x."""
    touch(x)
    x.array[...] = value.array


def _check_dtype(name: str, x: Tensor, dtype: Any) -> None:
    if _RANKS[dtype.kind] > _RANKS[x.dtype.kind]:
        raise DtypeError(f"{name}: a result of dtype {dtype} cannot be written into a tensor of dtype {x.dtype}")


def _check_fits(name: str, x: Tensor, array: Any) -> None:
    if not broadcasts_to(array.shape, x.array.shape):
        raise ShapeError(f"{name}: a value of shape {array.shape} does not fit a tensor of shape {x.shape}")


_RANKS = {"b": 0, "u": 1, "i": 1, "f": 2}  # a value goes into a tensor of its own kind or of a wider one


@cache
def in_place(operation: Any, name: str) -> Any:
    """The in-place form of an operation: `add_`, `+=`, …"""

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        check_tensors(name, input=self)
        return _change(name, self, lambda x: operation(x, *args, **kwargs), *args, *kwargs.values())

    method.__name__ = name
    method.__doc__ = f"`{operation.__name__}`, in place: recorded as a new value in grad mode, else written into the storage."
    return method


def overwrite(operation: Op[Any], inputs: tuple[Any, ...], attrs: tuple[Any, ...], live: tuple[Any, ...]) -> Tensor:
    """Run an operation called with inplace=True: its result takes the place of its first input."""
    target, *rest = inputs
    if not isinstance(target, Tensor):
        raise InputTypeError(f"{operation.name}: in place, {operation.inputs[0]} must be a Tensor, got {type(target).__name__}")
    return _change(f"{operation.name}_", target, lambda x: apply(operation, (x, *rest), attrs, live), *rest)


def _change(name: str, x: Tensor, compute: Callable[[Tensor], Tensor], *operands: Any) -> Tensor:
    """Put what is computed from x (and other operands) in its place."""
    if _writable(name, x, *operands):
        return _store(name, x, compute(x.detach()))
    return _take(name, x, _fitting(name, x, compute(x)))


def _fitting(name: str, x: Tensor, y: Tensor) -> Tensor:
    """A result that may take x's place, in x's dtype."""
    _check_dtype(name, x, y.dtype)
    if y.shape != x.shape:
        raise ShapeError(f"{name}: a value of shape {y.shape} does not fit a tensor of shape {x.shape}")
    return to(y, x.dtype)


def view_in_place(operation: Any) -> Any:
    """The in-place form of an operation that gives a view, `t_`: the tensor takes the view's place, in the graph too."""

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if self.requires_grad and self.is_leaf == is_grad_enabled():
            where = (
                "of a leaf that requires grad must be under no_grad()" if self.is_leaf else "of a recorded tensor must be recorded"
            )
            raise GraphError(f"{operation.__name__}_: an in-place change {where}")
        if not self.is_leaf:
            return replace(self, operation(self, *args, **kwargs))
        seen = operation(self.detach(), *args, **kwargs).array
        if get_mode() & RECORD:
            recorder.get().keep(self, "given another shape")
        self.array = seen
        return self

    method.__name__ = f"{operation.__name__}_"
    method.__doc__ = f"`{operation.__name__}`, in place."
    return method


def setitem_method(self: Tensor, index: Any, value: Any) -> None:
    """x[index] = value, which broadcasts. Backward: g at these places to value, elsewhere to what x was."""
    index = plain_index(index, masks=False)
    if isinstance(value, (np.ndarray, list, tuple)):
        value = constant(value)
    if (value.dtype.kind if isinstance(value, (Tensor, np.generic)) else np.dtype(type(value)).kind) not in "fiub":
        what = f"dtype {value.dtype}" if isinstance(value, Tensor) else type(value).__name__
        raise InputTypeError(f"setitem: the value must be a Tensor or a number, got {what}")
    if isinstance(value, Tensor) and value.dtype != self.dtype:
        value = value.to(self.dtype)
    if not _writable("setitem", self, value):
        _take("setitem", self, index_put(self, value, kept_index(index)))
        return
    _write_at(self, index, value)


@by_replay("write")
def _write_at(x: Tensor, index: Any, value: Any) -> None:
    """Put values into the storage of x at an index."""
    source = value.array if isinstance(value, Tensor) else value
    touch(x)
    try:
        x.array[index] = slim(source)
    except IndexError as error:
        raise index_error("setitem", x.shape, error) from None
    except ValueError as error:
        raise ShapeError(f"setitem: {error} (the tensor has shape {x.shape}, the value {np.shape(source)})") from None


def detach_(self: Tensor) -> Tensor:
    """`detach`, in place: from here on a leaf that requires no grad."""
    self.stamp = stamp_of(self)
    self.step = None
    self.requires_grad = False
    return self


def copy_(self: Tensor, src: Any, non_blocking: bool = False) -> Tensor:
    """Take over the values of `src`, which broadcasts, in place."""
    return _overwrite("copy_", self, src if isinstance(src, Tensor) else constant(src))


def _overwrite(name: str, x: Tensor, value: Tensor) -> Tensor:
    """Every element of x replaced by a value that broadcasts: x's own history gets the gradient 0."""
    _check_fits(name, x, value.array)
    if _writable(name, x, value):
        _write(x, value)
        return x
    return _take(name, x, index_put(x, to(value, x.dtype), ...))


def fill_(self: Tensor, value: Any) -> Tensor:
    """Set every element to one value, in place."""
    value = value if isinstance(value, Tensor) else constant(value)
    if value.ndim:
        raise ShapeError(f"fill_: expected one number, got a value of shape {value.shape}; use copy_")
    return _overwrite("fill_", self, value)


def zero_(self: Tensor) -> Tensor:
    """Set every element to 0, in place."""
    return fill_(self, 0)


Op.overwrite = staticmethod(overwrite)
