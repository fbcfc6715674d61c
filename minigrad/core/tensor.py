"""Tensor: an array, its gradient, and the step that made it."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from ..errors import ArgumentError, DimError, GraphError, InputTypeError, ShapeError
from .check import check_device
from .mode import RECORD, get_mode
from .recorder import recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .engine import Step

__all__ = ["Array", "Operand", "Stamp", "Tensor", "output_stamp", "stamp_of", "tick", "touch", "wrapped"]

Array = NDArray[Any]

_new = object.__new__

changes = [0]
"""Counts what a program cannot see: settings of modules, tensors that are given other arrays, or asked to require grad or not."""

tick = count(1).__next__
"""The one clock: it numbers recorded steps and in-place writes."""


class Stamp:
    """When a storage was last written in place; all tensors that share the storage share the stamp."""

    __slots__ = ("views", "written")

    def __init__(self) -> None:
        self.written = 0
        self.views: WeakValueDictionary[int, Tensor] | None = None


class Device(str):
    """The one device, "cpu": its name, and as `type` too. Errors: ArgumentError for any other name."""

    __slots__ = ()

    def __new__(cls, type: str = "cpu") -> Device:
        check_device("device", type)
        return super().__new__(cls, type)

    @property
    def type(self) -> str:
        return str(self)


_CPU = Device("cpu")


class Tensor:
    """An n-dimensional array that remembers how it was computed.

    Made by `mg.tensor`, `mg.zeros`, … and by operations. `array` is the NumPy array behind it, `grad` a Tensor or None, `step` the
    recorded operation that made it (None for a leaf).
    """

    __slots__ = ("__weakref__", "_grad", "_requires_grad", "array", "hooks", "stamp", "step")
    __array_ufunc__ = None
    __notation__: ClassVar[dict[str, Any]] = {}

    array: Array
    _grad: Tensor | None
    step: Step | None
    stamp: Stamp | None
    hooks: dict[int, Callable[[Tensor], Tensor | None]] | None

    def __init__(self, array: Array, requires_grad: bool = False):
        if not isinstance(array, (np.ndarray, np.generic)):
            raise InputTypeError(
                f"Tensor: wraps a NumPy array, got {type(array).__name__}; make tensors of other data with mg.tensor(...)"
            )
        self.array = np.asarray(array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("=")))
        self._grad = self.step = self.stamp = self.hooks = None
        self._requires_grad = False
        if get_mode() & RECORD:
            recorder.get().made(self)
        if requires_grad:
            self.requires_grad = True

    # Operations become methods and operators in the table of minigrad.ops.
    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Callable[..., Any]: ...
        def __add__(self, other: Operand) -> Tensor: ...
        def __radd__(self, other: Operand) -> Tensor: ...
        def __sub__(self, other: Operand) -> Tensor: ...
        def __rsub__(self, other: Operand) -> Tensor: ...
        def __mul__(self, other: Operand) -> Tensor: ...
        def __rmul__(self, other: Operand) -> Tensor: ...
        def __truediv__(self, other: Operand) -> Tensor: ...
        def __rtruediv__(self, other: Operand) -> Tensor: ...
        def __floordiv__(self, other: Operand) -> Tensor: ...
        def __rfloordiv__(self, other: Operand) -> Tensor: ...
        def __mod__(self, other: Operand) -> Tensor: ...
        def __rmod__(self, other: Operand) -> Tensor: ...
        def __pow__(self, other: Operand) -> Tensor: ...
        def __rpow__(self, other: Operand) -> Tensor: ...
        def __matmul__(self, other: Operand) -> Tensor: ...
        def __rmatmul__(self, other: Operand) -> Tensor: ...
        def __neg__(self) -> Tensor: ...
        def __abs__(self) -> Tensor: ...
        def __invert__(self) -> Tensor: ...
        def __and__(self, other: Operand) -> Tensor: ...
        def __or__(self, other: Operand) -> Tensor: ...
        def __xor__(self, other: Operand) -> Tensor: ...
        def __lt__(self, other: Operand) -> Tensor: ...
        def __le__(self, other: Operand) -> Tensor: ...
        def __gt__(self, other: Operand) -> Tensor: ...
        def __ge__(self, other: Operand) -> Tensor: ...
        def __eq__(self, other: object) -> Tensor: ...  # type: ignore[override]
        def __ne__(self, other: object) -> Tensor: ...  # type: ignore[override]
        def __getitem__(self, index: Any) -> Tensor: ...
        def __setitem__(self, index: Any, value: Operand) -> None: ...

    __hash__ = object.__hash__

    # ---- what it is

    @property
    def shape(self) -> tuple[int, ...]:
        """How many elements there are along each axis."""
        return self.array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """What its elements are, a NumPy dtype."""
        return self.array.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.array.ndim

    @property
    def device(self) -> Device:
        """Where the values are: "cpu", always."""
        return _CPU

    def size(self, dim: int | None = None) -> tuple[int, ...] | int:
        """The shape, or the length of axis `dim`."""
        if dim is None:
            return self.array.shape
        if not isinstance(dim, (int, np.integer)) or not -self.array.ndim <= dim < self.array.ndim:
            raise DimError(f"size: dim {dim} is out of range for a tensor of shape {self.shape}")
        return int(self.array.shape[dim])

    def dim(self) -> int:
        """The number of axes."""
        return self.array.ndim

    def numel(self) -> int:
        """The number of elements."""
        return self.array.size

    nelement = numel

    def is_floating_point(self) -> bool:
        """Whether its elements are floats."""
        return self.array.dtype.kind == "f"

    def is_contiguous(self) -> bool:
        """Whether its elements lie in memory row by row, without gaps."""
        return self.array.flags.c_contiguous

    def element_size(self) -> int:
        """Bytes an element."""
        return self.array.itemsize

    # ---- its place in the graph

    @property
    def requires_grad(self) -> bool:
        """Whether backward passes go through it; may be set for leaves of a float dtype."""
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if value and self.array.dtype.kind != "f":
            raise GraphError(f"requires_grad: only floating-point tensors can require gradients, got dtype {self.array.dtype}")
        if self.step is not None and not value:
            raise GraphError("requires_grad: only leaf tensors can be switched off; use detach() for a copy without a graph")
        if get_mode() & RECORD and self._requires_grad is not bool(value):
            recorder.get().keep(self, "asked to require grad, or not,")
        self._requires_grad = bool(value)
        changes[0] += 1

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Switch recording for this leaf on or off, in place."""
        self.requires_grad = requires_grad
        return self

    @property
    def grad(self) -> Tensor | None:
        """The gradient that backward passes have added up here; None before the first."""
        if self._grad.__class__ is Lent:
            self._grad = wrapped(self._grad.array.copy())
        if get_mode() & RECORD:
            recorder.get().look(self)
        return self._grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None and not isinstance(value, Tensor):
            raise InputTypeError(f"grad: expected a Tensor or None, got {type(value).__name__}")
        if value is not None and value.array.shape != self.array.shape:
            raise ShapeError(f"grad: a gradient of shape {value.shape} does not fit a tensor of shape {self.shape}")
        self._grad = value
        if get_mode() & RECORD:
            recorder.get().bind(self, value)

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded operation made it."""
        return self.step is None

    @property
    def grad_fn(self) -> Step | None:
        """The step that made this tensor; None for a leaf."""
        return self.step

    def detach(self) -> Tensor:
        """The same values outside the graph. The storage is shared: writing into one changes the other."""
        if get_mode() & RECORD:
            recorder.get().use(self, "detach")
        out = Tensor(self.array)
        out.stamp = stamp_of(self)
        return out

    @property
    def data(self) -> Tensor:
        """`detach()`; assigning to it replaces the values, unseen by the graph; of a leaf, also the shape and the dtype."""
        return self.detach()

    @data.setter
    def data(self, value: Tensor | Array) -> None:
        new = value.array if isinstance(value, Tensor) else np.asarray(value)
        if self.step is not None and (new.shape != self.array.shape or new.dtype != self.array.dtype):
            raise ShapeError(
                f"data: the new values of a recorded tensor must have shape {self.array.shape} and dtype {self.array.dtype}, "
                f"got {new.shape} and {new.dtype}"
            )
        if self._requires_grad and new.dtype.kind != "f":
            raise GraphError(f"data: only floating-point tensors can require gradients, got dtype {new.dtype}")
        if get_mode() & RECORD:
            if isinstance(value, Tensor):
                recorder.get().use(value, "data")
            if new is not self.array:
                recorder.get().keep(self, "given another array")
        touch(self)
        self.array = new
        if get_mode() & RECORD:
            recorder.get().made(self)
        changes[0] += 1
        self.stamp = stamp_of(value) if isinstance(value, Tensor) else None

    # ---- its values

    def numpy(self, *, force: bool = False) -> Array:
        """The array itself, shared. Refused while gradients are required, unless by `force`: call detach() first."""
        if self._requires_grad and not force:
            raise GraphError("numpy: this tensor requires grad; use tensor.detach().numpy()")
        return self._values("numpy")

    def _values(self, how: str) -> Array:
        """The array, for Python to look into: a recorder refuses, as a replay would not look again."""
        if get_mode() & RECORD:
            recorder.get().asked(self, how)
        return self.array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __dlpack__(self, **options: Any) -> Any:
        return self.numpy().__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[Any, int]:
        return self.array.__dlpack_device__()

    def item(self) -> Any:
        """The value of a one-element tensor as a Python number."""
        if self.array.size != 1:
            raise ShapeError(f"item: only a tensor with one element can become a Python number, this one has shape {self.shape}")
        return self._values("item").item()

    def tolist(self) -> Any:
        """Its elements as nested lists of Python numbers; of one without axes, a number."""
        return self._values("tolist").tolist()

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self.array.dtype.kind not in "iu":
            raise InputTypeError(f"only integer tensors of one element can be used as an index, got dtype {self.dtype}")
        return int(self.item())

    def __bool__(self) -> bool:
        if self.array.size != 1:
            raise ShapeError(f"bool: the truth value of a tensor with shape {self.shape} is ambiguous; use .any() or .all()")
        return bool(self._values("bool").item())

    def __len__(self) -> int:
        if self.array.ndim == 0:
            raise InputTypeError("len: a 0-d tensor has no length")
        return len(self.array)

    def __iter__(self) -> Iterator[Tensor]:
        if self.array.ndim == 0:
            raise InputTypeError("iter: a 0-d tensor cannot be iterated over")
        return (self[i] for i in range(self.array.shape[0]))

    def __contains__(self, value: Any) -> bool:
        return bool((self._values("in") == (value.array if isinstance(value, Tensor) else value)).any())

    def __format__(self, spec: str) -> str:
        plain = self.array.ndim == 0 or (spec and self.array.size == 1)
        return format(self.item(), spec) if plain else format(str(self), spec)

    def __repr__(self) -> str:
        prefix = "tensor("
        text = np.array2string(
            self.array,
            separator=", ",
            prefix=prefix,
            threshold=1000,
            formatter=_FORMATTER if self.array.dtype.kind == "f" else None,
        )
        if not self.array.size and self.array.ndim != 1:
            text += f", size={self.shape}"
        if self.array.dtype not in (np.float32, np.int64, np.bool_):
            text += f", dtype={self.array.dtype}"
        if self.step is not None:
            text += f", grad_fn=<{self.step.op.name}>"
        elif self._requires_grad:
            text += ", requires_grad=True"
        return f"{prefix}{text})"

    def __copy__(self) -> Tensor:
        if self.step is not None:
            raise GraphError("copy: only leaf tensors can be copied; use detach() or clone()")
        copy = type(self).__new__(type(self))
        Tensor.__init__(copy, self.array, self._requires_grad)
        copy.grad, copy.stamp = self.grad, stamp_of(self)
        return copy

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if self.step is not None:
            raise GraphError("deepcopy: only leaf tensors can be copied with their graph; use detach().clone()")
        copy = type(self).__new__(type(self))
        Tensor.__init__(copy, self.array.copy(), self._requires_grad)
        memo[id(self)] = copy
        if self.grad is not None:
            copy.grad = Tensor(self.grad.array.copy())
        return copy

    def __reduce__(self) -> Any:
        if self.step is not None:
            raise GraphError("pickle: only leaf tensors can be saved; use detach()")
        return _rebuild, (type(self), self.array, self._requires_grad)


def wrapped(array: Array) -> Tensor:
    """A Tensor of an array that is known to be fit for one, and of which no recorder needs to hear."""
    y = _new(Tensor)
    y.array = array
    y._grad = y.step = y.stamp = y.hooks = None
    y._requires_grad = False
    return y


class Lent(Tensor):
    """A gradient in memory that will be written again: `grad` hands out a copy."""

    __slots__ = ()


Operand = Tensor | float | int | bool


def _rebuild(kind: type[Tensor], array: Array, requires_grad: bool) -> Tensor:
    out = kind.__new__(kind)
    Tensor.__init__(out, array, requires_grad)
    return out


def _format_float(value: Any) -> str:
    if not np.isfinite(value):
        return str(value)
    text = f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e5 else f"{value:.4e}"
    return text.rstrip("0") if "e" not in text else text


_FORMATTER: Any = {"float_kind": _format_float}


def stamp_of(tensor: Tensor) -> Stamp:
    """The tensor's stamp, made when first asked for."""
    stamp = tensor.stamp
    if stamp is None:
        step = tensor.step
        stamp = tensor.stamp = Stamp() if step is None or not step.record.keeps_output else output_stamp(step)
    return stamp


def output_stamp(step: Step) -> Stamp:
    """The stamp of an output that its step has saved: made when first asked for, from then on looked at by the step."""
    if len(step.stamps) == len(step.record.guarded):
        step.stamps = (*step.stamps, Stamp())
    return step.stamps[-1]


def touch(tensor: Tensor) -> None:
    """Note that the tensor's storage was written in place."""
    if not tensor.array.flags.writeable:
        raise ArgumentError("in-place write: the array behind this tensor is read-only; clone() it first")
    stamp_of(tensor).written = tick()
