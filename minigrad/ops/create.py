"""Tensors from data, and tensors of constants."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core import Tensor, check_number, checked_dtype, get_default_dtype, of_constants
from ..errors import ArgumentError, DomainError, DtypeError, InputTypeError, ShapeError
from .convert import dtype_or_default, on_cpu, on_tensor
from .random import Generator, rand, randint, randn
from .shape import new_shape


@on_cpu
@of_constants
def tensor(data: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor holding a copy of `data`: numbers, nested lists, arrays, other Tensors.

    dtype: arrays keep theirs, also inside lists; Python floats become the default dtype (float32), ints int64, bools bool.
    Errors: DtypeError for strings, objects, complex numbers; ShapeError for ragged lists.
    """
    return Tensor(_array("tensor", data, dtype, copy=True), requires_grad)


@on_cpu
def as_tensor(data: Any, dtype: Any = None) -> Tensor:
    """A tensor of `data`, sharing its memory where it is an array of that dtype; a Tensor of that dtype is returned as it is."""
    if isinstance(data, Tensor):
        return data if dtype is None else data.to(dtype)
    return _shared(data, dtype)


@of_constants
def _shared(data: Any, dtype: Any) -> Tensor:
    return Tensor(_array("as_tensor", data, dtype, copy=False))


def from_numpy(ndarray: np.ndarray[Any, Any]) -> Tensor:
    """A tensor that shares the array's memory: writing into one changes the other."""
    if not isinstance(ndarray, np.ndarray):
        raise InputTypeError(f"from_numpy: expected an ndarray, got {type(ndarray).__name__}")
    return Tensor(_numeric("from_numpy", ndarray))


def from_dlpack(ext_tensor: Any) -> Tensor:
    """A tensor that shares the memory of another library's tensor, by the DLPack protocol."""
    return Tensor(_numeric("from_dlpack", np.from_dlpack(ext_tensor)))


def _numeric(name: str, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if array.dtype.kind not in "fiub":
        raise DtypeError(f"{name}: expected numbers or booleans, got an array of dtype {array.dtype}")
    array = np.asarray(array)  # kernels rely on what a subclass may change: the ravel() of an np.matrix has two axes
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def _array(name: str, data: Any, dtype: Any, copy: bool) -> np.ndarray[Any, Any]:
    if isinstance(data, Tensor):
        data = data.array
    weak = not isinstance(data, (np.ndarray, np.generic)) and not hasattr(data, "__array__")
    try:
        array = np.asarray(_without_tensors(data))
    except ValueError as error:
        raise ShapeError(f"{name}: nested lists must be of equal lengths at each depth ({error})") from None
    if weak and array.size == 0 and array.dtype == np.float64:
        array = array.astype(get_default_dtype())
    if weak and array.dtype.kind == "u":
        _check_size(name, array, np.dtype(np.int64))
    array = _numeric(name, array)
    if dtype is not None:
        wanted = checked_dtype(name, dtype)
        if weak and wanted.kind in "iu" and array.dtype.kind == "i":
            _check_size(name, array, wanted)
    else:
        wanted = get_default_dtype() if weak and array.dtype == np.float64 and not _holds_float64(data) else array.dtype
    return np.array(array, dtype=wanted, copy=True, order="C") if copy else array.astype(wanted, copy=False)


def _check_size(name: str, array: np.ndarray[Any, Any], dtype: np.dtype[Any]) -> None:
    """Refuse Python ints that a dtype cannot hold; a negative one wraps around in an unsigned dtype, as −1 for the largest."""
    limits = np.iinfo(dtype)
    for value in (array.min(), array.max()) if array.size else ():
        if not (limits.min or -limits.max) <= value <= limits.max:
            raise DomainError(f"{name}: {value} does not fit dtype {dtype}")


def _without_tensors(data: Any) -> Any:
    if isinstance(data, Tensor):
        return data.array
    return [_without_tensors(item) for item in data] if isinstance(data, (list, tuple)) and _holds_tensor(data) else data


def _holds_tensor(data: Any) -> bool:
    return isinstance(data, Tensor) or (isinstance(data, (list, tuple)) and any(_holds_tensor(item) for item in data))


def _holds_float64(data: Any) -> bool:
    """Whether nested lists hold a float64 array, scalar or Tensor, not only Python floats."""
    if isinstance(data, (list, tuple)):
        return any(_holds_float64(item) for item in data)
    return getattr(data, "dtype", None) == np.float64


@on_cpu
@of_constants
def zeros(*size: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Zeros of a shape."""
    return Tensor(np.zeros(new_shape(size), dtype_or_default("zeros", dtype)), requires_grad)


@on_cpu
@of_constants
def ones(*size: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones of a shape."""
    return Tensor(np.ones(new_shape(size), dtype_or_default("ones", dtype)), requires_grad)


@on_cpu
@of_constants
def empty(*size: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of a shape whose values are whatever the memory held."""
    return Tensor(np.empty(new_shape(size), dtype_or_default("empty", dtype)), requires_grad)


@on_cpu
@of_constants
def full(size: Sequence[int], fill_value: Any, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """One value in a shape; the dtype follows the value."""
    value = _array("full", fill_value, dtype, copy=False)
    return Tensor(np.full(new_shape((size,)), value, value.dtype), requires_grad)


@on_cpu
@on_tensor
def zeros_like(input: Tensor, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Zeros in the shape and dtype of input."""
    return zeros(input.shape, dtype=dtype or input.dtype, requires_grad=requires_grad)


@on_cpu
@on_tensor
def ones_like(input: Tensor, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones in the shape and dtype of input."""
    return ones(input.shape, dtype=dtype or input.dtype, requires_grad=requires_grad)


@on_cpu
@on_tensor
def full_like(input: Tensor, fill_value: Any, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """One value in the shape and dtype of input."""
    return full(input.shape, fill_value, dtype=dtype or input.dtype, requires_grad=requires_grad)


@on_cpu
@on_tensor
def empty_like(input: Tensor, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor in the shape and dtype of input whose values are whatever the memory held."""
    return empty(input.shape, dtype=dtype or input.dtype, requires_grad=requires_grad)


@on_cpu
@on_tensor
def rand_like(input: Tensor, *, dtype: Any = None, requires_grad: bool = False, generator: Generator | None = None) -> Tensor:
    """Uniform numbers in [0, 1), in the shape and dtype of input."""
    return rand(input.shape, dtype=dtype or input.dtype, requires_grad=requires_grad, generator=generator)


@on_cpu
@on_tensor
def randn_like(input: Tensor, *, dtype: Any = None, requires_grad: bool = False, generator: Generator | None = None) -> Tensor:
    """Standard normal numbers, in the shape and dtype of input."""
    return randn(input.shape, dtype=dtype or input.dtype, requires_grad=requires_grad, generator=generator)


@on_cpu
@on_tensor
def randint_like(
    input: Tensor,
    low: int,
    high: int | None = None,
    *,
    dtype: Any = None,
    generator: Generator | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Integers in [low, high) in the shape and dtype of input; `randint_like(input, high)` starts at 0."""
    low, high = (0, low) if high is None else (low, high)
    return randint(low, high, input.shape, dtype=dtype or input.dtype, generator=generator, requires_grad=requires_grad)


@on_cpu
def new_tensor(self: Tensor, data: Any, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """`tensor` of data, in the dtype of self unless another is given."""
    return tensor(data, dtype or self.dtype, requires_grad)


@on_cpu
def new_zeros(self: Tensor, *size: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Zeros of a shape, in the dtype of self."""
    return zeros(*size, dtype=dtype or self.dtype, requires_grad=requires_grad)


@on_cpu
def new_ones(self: Tensor, *size: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones of a shape, in the dtype of self."""
    return ones(*size, dtype=dtype or self.dtype, requires_grad=requires_grad)


@on_cpu
def new_empty(self: Tensor, *size: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of a shape whose values are whatever the memory held, in the dtype of self."""
    return empty(*size, dtype=dtype or self.dtype, requires_grad=requires_grad)


@on_cpu
def new_full(self: Tensor, size: Sequence[int], fill_value: Any, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """One value in a shape, in the dtype of self."""
    return full(size, fill_value, dtype=dtype or self.dtype, requires_grad=requires_grad)


def _numbers(name: str, **values: Any) -> list[Any]:
    """Bounds, given as numbers or as 0-d tensors."""
    for argument, value in values.items():
        if isinstance(value, Tensor) and value.ndim:
            raise ShapeError(f"{name}: {argument} must be a number or a 0-d tensor, got shape {value.shape}")
    plain = {argument: value.item() if isinstance(value, Tensor) else value for argument, value in values.items()}
    check_number(name, **plain)
    return list(plain.values())


@on_cpu
@of_constants
def arange(
    start: float | Tensor | None = None,
    end: float | Tensor | None = None,
    step: float | Tensor = 1,
    *,
    dtype: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Numbers from start (0 if only the end is given) up to but without end; int64 for ints, else the default dtype.

    In an integer dtype start and step are cut to whole numbers, in int64 the end too, as in PyTorch.
    """
    if end is None:
        start, end = None, start
    first, last, stride = _numbers("arange", start=0 if start is None else start, end=end, step=step)
    whole = all(isinstance(value, (int, np.integer)) for value in (first, last, stride))
    kind = np.dtype(np.int64) if whole and dtype is None else dtype_or_default("arange", dtype)
    if not (math.isfinite(first) and math.isfinite(last)):
        raise ArgumentError(f"arange: cannot lead from {first} to {last}")
    if kind == np.int64:
        first, last, stride = int(first), int(last), int(stride)
    if stride == 0 or (last - first) / stride < 0:
        raise ArgumentError(f"arange: step {stride} does not lead from {first} to {last}")
    if kind.kind not in "iu":
        return Tensor(np.arange(first, last, stride).astype(kind), requires_grad)
    places = np.arange(math.ceil((last - first) / stride))
    return Tensor((int(first) + int(stride) * places).astype(kind), requires_grad)


def _spaced(name: str, start: float | Tensor, end: float | Tensor, steps: int, kind: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """Evenly spaced numbers (float64), counted from the nearer end."""
    first, last = _numbers(name, start=start, end=end)
    if kind.kind in "iu":
        first, last = int(first), int(last)
    (count,) = new_shape((steps,))
    places = np.arange(count)
    step = (last - first) / max(count - 1, 1)
    return np.where(places < max(count // 2, 1), first + step * places, last - step * (count - 1 - places))


@on_cpu
@of_constants
def linspace(start: float | Tensor, end: float | Tensor, steps: int, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """`steps` evenly spaced numbers from start to end, both included (which for an integer dtype are cut to whole numbers first)."""
    kind = dtype_or_default("linspace", dtype)
    return Tensor(_spaced("linspace", start, end, steps, kind).astype(kind), requires_grad)


@on_cpu
@of_constants
def logspace(
    start: float | Tensor, end: float | Tensor, steps: int, base: float = 10.0, *, dtype: Any = None, requires_grad: bool = False
) -> Tensor:
    """`steps` powers of `base`, their exponents spaced as by `linspace`."""
    check_number("logspace", base=base)
    kind = dtype_or_default("logspace", dtype)
    values = np.float_power(base, _spaced("logspace", start, end, steps, kind))
    return Tensor(values.astype(kind), requires_grad)


@on_cpu
@of_constants
def eye(n: int, m: int | None = None, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """The identity matrix n × n, or n × m."""
    rows, columns = new_shape((n, n if m is None else m))
    return Tensor(np.eye(rows, columns, dtype=dtype_or_default("eye", dtype)), requires_grad)


@on_cpu
@of_constants
def tril_indices(row: int, col: int, offset: int = 0, *, dtype: Any = np.int64) -> Tensor:
    """The places on and below a diagonal of a row × col matrix: their rows, and below them their columns."""
    rows, columns = new_shape((row, col))
    return Tensor(np.array(np.tril_indices(rows, offset, columns), checked_dtype("tril_indices", dtype)))


@on_cpu
@of_constants
def triu_indices(row: int, col: int, offset: int = 0, *, dtype: Any = np.int64) -> Tensor:
    """The places on and above a diagonal of a row × col matrix: their rows, and below them their columns."""
    rows, columns = new_shape((row, col))
    return Tensor(np.array(np.triu_indices(rows, offset, columns), checked_dtype("triu_indices", dtype)))


def is_tensor(obj: Any) -> bool:
    """Whether obj is a Tensor."""
    return isinstance(obj, Tensor)
