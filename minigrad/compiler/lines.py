"""What a record is made of: lines, each a call on arrays, and the values that stand for the arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from ..core import Tensor

__all__ = ["COPIES", "Argument", "Array", "Bind", "Line", "OfTensor", "Place", "Value", "mapped", "values_in"]

Array = np.ndarray[Any, Any]

COPIES = ("copy", "clone")
"""Names of lines whose result must be an array of its own."""


class Argument(NamedTuple):
    """The Tensor that comes as one of the arguments: another one in every call."""

    number: int


Place = Argument | Tensor
"""A Tensor that was there before the call: an argument, or one from outside."""


class Value:
    """One array of the recorded run. `source` is the line that made it, the Tensor whose array it was before (with `gradient`, whose
    gradient's), or None for a constant: of that, the array itself is kept."""

    __slots__ = ("array", "contiguous", "dtype", "gradient", "own", "shape", "size", "source", "turned", "views")

    def __init__(self, array: Array, source: Line | Place | None, gradient: bool = False):
        self.array = array if source is None else None
        self.source, self.gradient = source, gradient
        self.shape, self.dtype, self.size, self.contiguous = array.shape, array.dtype, array.size, array.flags.c_contiguous
        self.turned = array.ndim == 2 and not self.contiguous and array.flags.f_contiguous  # column-major
        self.own = array.base is None and array.flags.writeable  # in memory of its own, which may be written
        self.views: Value | None = None  # the value in whose memory this one looks

    @classmethod
    def room(cls, shape: tuple[int, ...], dtype: np.dtype[Any], source: Line) -> Value:
        """A value that nobody asked for: room to work in."""
        value = cls(np.empty((), dtype), source)
        value.shape, value.size = shape, math.prod(shape)
        return value

    @property
    def root(self) -> Value:
        """The value whose memory this is."""
        value = self
        while value.views is not None:
            value = value.views
        return value

    @property
    def nbytes(self) -> int:
        return int(self.size * self.dtype.itemsize)

    def __repr__(self) -> str:
        return f"<value {self.dtype} {self.shape}>"


class Line:
    """One call, `call(*inputs, **settings)`, with Values in place of arrays in what goes in and in what it made.

    `about` says what a program may know of it to do it better: the plan of a forward, (record, k) of a rule. A "pure" line does nothing
    but make its result of its arguments. A "free" one does more (it draws random numbers), but looks at its arguments alone. Another
    may look at gradients and parameters, and stays where it stands: a "write" changes its first argument, a "barrier" anything.
    """

    __slots__ = ("about", "call", "inputs", "kind", "made", "name", "settings", "where")

    def __init__(
        self, name: str, call: Callable[..., Any], inputs: Any, settings: Any = None, about: Any = None, kind: str = "pure"
    ):
        self.name, self.call, self.inputs, self.settings, self.about, self.kind = name, call, inputs, settings or {}, about, kind
        self.made: Any = None
        self.where: Any = None  # of a rule, the value whose gradient it makes

    def reads(self) -> Iterator[Value]:
        return values_in((self.inputs, self.settings))

    @property
    def target(self) -> Value:
        """The value that a write changes, as a whole or in part."""
        return next(self.reads()).root

    def makes(self) -> Iterator[Value]:
        """The values that are new with it."""
        return (value for value in values_in(self.made) if value.source is self)


class Bind:
    """From here on the gradient of a leaf is this value, or None."""

    __slots__ = ("leaf", "value")

    def __init__(self, leaf: Place, value: Value | None):
        self.leaf, self.value = leaf, value


class OfTensor:
    """A Tensor that goes into a call or comes out of it; `place` says which it is, if it was there before."""

    __slots__ = ("place", "value")

    def __init__(self, value: Value, place: Place | None = None):
        self.value, self.place = value, place


def mapped(given: Any, kinds: type | tuple[type, ...], put: Callable[[Any], Any]) -> Any:
    """Nested arguments with what `put` makes of those of some kinds in place of them."""
    if isinstance(given, kinds):
        return put(given)
    if isinstance(given, slice):
        return slice(*(mapped(part, kinds, put) for part in (given.start, given.stop, given.step)))
    if isinstance(given, (list, tuple)):
        parts = [mapped(part, kinds, put) for part in given]
        return type(given)(*parts) if hasattr(given, "_fields") else type(given)(parts)
    if type(given) is dict:
        return {key: mapped(part, kinds, put) for key, part in given.items()}
    return given


def values_in(given: Any) -> Iterator[Value]:
    """The Values in nested arguments."""
    if isinstance(given, Value):
        yield given
    elif isinstance(given, OfTensor):
        yield given.value
    elif isinstance(given, slice):
        yield from values_in((given.start, given.stop, given.step))
    elif isinstance(given, (list, tuple)):
        for part in given:
            yield from values_in(part)
    elif isinstance(given, dict):
        yield from values_in(list(given.values()))
