"""What a call looks like: which Tensors came, in which shapes, and which other values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import Tensor
from ..errors import CompileError
from ..nn import Parameter
from .outside import PLAIN, Outside

__all__ = ["Signature", "layout_differs", "token"]


class Signature(Outside):
    """One call, taken apart: the Tensors among its arguments in order, and text that says where another call looks different.

    `key` is equal for calls that look the same; it is of two parts, the arguments and what is taken from outside. `names` are those of
    the Tensors.
    """

    def __init__(
        self, name: str, parameters: tuple[str, ...], function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ):
        super().__init__(function, name)
        self._function = name
        self.tensors: list[Tensor] = []
        self.names: list[str] = []
        self.specs: list[tuple[tuple[int, ...], Any]] = []
        count = f"len(kwargs) != {len(kwargs)}" if kwargs else "kwargs"
        self.checks.insert(0, f"len(args) != {len(args)} or {count}")
        arguments = []
        named = [*parameters[: len(args)], *(f"args{n}" for n in range(len(parameters), len(args)))]
        for n, (part, argument) in enumerate(zip(args, named, strict=True)):
            arguments.append(self._part(part, f"args[{n}]", argument))
        for key, value in kwargs.items():
            self.checks.append(f"{key!r} not in kwargs")
            arguments.append((key, self._part(value, f"kwargs[{key!r}]", key)))
        self._look_at_attributes()
        self.key = (*arguments, self._shared()), tuple(self.told)

    def _part(self, value: Any, place: str, name: str) -> Any:
        """Look at one part, which stands at `place`; what is told apart of it."""
        if isinstance(value, Parameter):  # one that a module may hold too: it is looked at where it is
            self.checks.append(f"{place} is not {self._known(value)}")
            self.outside[id(value)] = name
            return id(value)
        if isinstance(value, Tensor):
            return self._tensor(value, place, name)
        if isinstance(value, (tuple, list)):
            self.checks.append(f"{place}.__class__ is not {self._known(type(value))} or len({place}) != {len(value)}")
            return type(value), *(self._part(part, f"{place}[{i}]", f"{name}[{i}]") for i, part in enumerate(value))
        if isinstance(value, dict):
            self.checks.append(
                f"{place}.__class__ is not {self._known(type(value))} or list({place}) != {self._known(list(value))}"
            )
            parts = ((key, self._part(part, f"{place}[{self._known(key)}]", f"{name}[{key!r}]")) for key, part in value.items())
            return "dict", *parts
        if isinstance(value, np.ndarray):
            raise CompileError(
                f"compile: {self._function} was called with {name} a NumPy array of shape {value.shape}; hand in a Tensor, "
                "mg.from_numpy(array): the values of anything else are taken as they are at the first calls"
            )
        return self._other(value, place, name)

    def _shared(self) -> tuple[int, ...]:
        """Tell apart calls in which one array is handed in more than once."""
        arrays = [tensor.array for tensor in self.tensors]
        first = [next(i for i, other in enumerate(arrays) if other is array) for array in arrays]
        self.checks += [f"t{n}a is not t{i}a" for n, i in enumerate(first) if i < n]
        apart = sorted(set(first))
        if len(apart) == 2:
            self.checks.append(f"t{apart[0]}a is t{apart[1]}a")
        elif len(apart) > 2:
            self.checks.append(f"len({{{', '.join(f'id(t{n}a)' for n in apart)}}}) != {len(apart)}")
        return tuple(first)

    def _tensor(self, tensor: Tensor, place: str, name: str) -> Any:
        mark = f"t{len(self.tensors)}"
        self.tensors.append(tensor)
        self.names.append(name)
        array = tensor.array
        self.specs.append((array.shape, array.dtype))
        kind, dtype, contiguous = self._known(type(tensor)), self._known(array.dtype), array.flags.c_contiguous
        self.checks.append(f"({mark} := {place}).__class__ is not {kind} or {mark}.step is not None")
        self.checks.append(
            f"({mark}a := {mark}.array).shape != {array.shape} or ({mark}a.dtype is not {dtype} and {mark}a.dtype != {dtype})"
        )
        self.checks.append(f"{layout_differs(f'{mark}a', array)} or {mark}._requires_grad is not {tensor._requires_grad}")
        layout = contiguous or array.strides
        return type(tensor), array.shape, array.dtype, layout, tensor._requires_grad


def layout_differs(name: str, array: Any) -> str:
    """Text that says whether an array of the same shape and dtype lies otherwise in memory than this one."""
    return f"not {name}.flags.c_contiguous" if array.flags.c_contiguous else f"{name}.strides != {array.strides}"


def token(value: Any) -> Any:
    """Equal for settings that do the same: plain values by class and value, others by identity, lists and dictionaries by their items."""
    if isinstance(value, PLAIN):
        return type(value), repr(value)
    if isinstance(value, (list, tuple)):
        return type(value), tuple(map(token, value))
    if isinstance(value, dict):
        return tuple((key, token(part)) for key, part in value.items())
    return id(value)
