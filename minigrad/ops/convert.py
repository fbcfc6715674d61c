"""Copies, memory layout and dtypes."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import Any, TypeVar, cast

import numpy as np

from ..core import Tensor, array_of, check_device, checked_dtype, get_default_dtype, of_constants, op
from ..core.check import NUMPY_WORDS
from ..errors import DtypeError, InputTypeError


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


F = TypeVar("F", bound=Callable[..., Any])


def on_tensor(function: F) -> F:
    """A function whose first argument is a Tensor, called as operations are: an array is taken for a Tensor, anything else refused;
    axis and keepdims are other words for dim and keepdim."""

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        if kwargs:
            named = {NUMPY_WORDS.get(name, name): value for name, value in kwargs.items()}
            if len(named) < len(kwargs):
                raise InputTypeError(f"{function.__name__}: an argument was given twice: {', '.join(kwargs)}")
            kwargs = named
        if args and not isinstance(args[0], Tensor):
            args = (_tensor_of(function.__name__, args[0]), *args[1:])
        return function(*args, **kwargs)

    return cast(F, run)


def _tensor_of(name: str, value: Any) -> Tensor:
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "fiub":
        return Tensor(value)
    raise InputTypeError(f"{name}: input must be a Tensor, got {type(value).__name__}; make it one with mg.tensor(...)")


def plain(value: Any) -> Any:
    """The array of a Tensor; any other value as it is."""
    return value.array if isinstance(value, Tensor) else value


@of_constants
def constant(value: Any, dtype: Any = None, shape: tuple[int, ...] | None = None) -> Tensor:
    """A Tensor of plain numbers; with a shape, of one number in it."""
    array = np.asarray(value, dtype)
    return Tensor(array if shape is None else np.full(shape, array))


def operand(name: str, value: Any) -> Any:
    """`plain`, for what a function makes of arrays beside the operations."""
    return array_of(value, name) if isinstance(value, Tensor) else value


def check_tensors(name: str, **values: Any) -> None:
    """Refuse arguments that are no Tensors."""
    for argument, value in values.items():
        if not isinstance(value, Tensor):
            raise InputTypeError(f"{name}: {argument} must be a Tensor, got {type(value).__name__}")


def dtype_or_default(name: str, dtype: Any) -> np.dtype[Any]:
    """A dtype that tensors can have; for None the default floating-point dtype."""
    return get_default_dtype() if dtype is None else checked_dtype(name, dtype)


def on_cpu(make: F) -> F:
    """Let a function that makes tensors take `device` as well: None or "cpu", the one there is; and, where the sizes are given one by
    one, `size` as a tuple."""
    spread = any(p.name == "size" and p.kind is p.VAR_POSITIONAL for p in signature(make).parameters.values())

    @wraps(make)
    def run(*args: Any, device: Any = None, **kwargs: Any) -> Tensor:
        check_device(make.__name__, device)
        if spread and "size" in kwargs:
            args = (*args, kwargs.pop("size"))
        return make(*args, **kwargs)

    return cast(F, run)


def float_only(name: str, tensor: Any) -> None:
    """Refuse tensors and arrays that hold no floating-point numbers."""
    if tensor.dtype.kind != "f":
        raise DtypeError(f"{name}: expected a floating-point tensor, got dtype {tensor.dtype}")


def to(input: Tensor, *args: Any, dtype: Any = None, device: Any = None, copy: bool = False, non_blocking: bool = False) -> Tensor:
    """input in another dtype (or that of another Tensor); itself if it already has it. Integers and booleans carry no gradient.

    The one device, "cpu", is accepted as well, before the dtype or alone, and changes nothing. `copy`: not itself in any case.
    """
    given = [value for value in (*args, device, dtype) if value is not None and not isinstance(value, bool) and str(value) != "cpu"]
    if len(given) > 1 or len(args) > 4:
        raise InputTypeError(f"to: expected a dtype, a Tensor or the device 'cpu', got {args}")
    kind = given[0].dtype if given and isinstance(given[0], Tensor) else given[0] if given else input.dtype
    wanted = checked_dtype("to", kind)
    if input.dtype == wanted:
        return clone(input) if copy else input
    return astype(input if wanted.kind == "f" else input.detach(), wanted)


def cpu(input: Tensor) -> Tensor:
    """input itself: all tensors are on the CPU."""
    return input


def type_as(input: Tensor, other: Tensor) -> Tensor:
    """input in the dtype of `other`."""
    return to(input, other.dtype)
