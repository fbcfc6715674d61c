"""What a call looks like: which Tensors came, in which shapes, and which other values."""

from __future__ import annotations

from collections.abc import Callable
from dis import get_instructions
from math import copysign
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from ..core import Tensor
from ..errors import CompileError
from ..nn import Module, Parameter

__all__ = ["PLAIN", "Signature", "layout_differs", "token"]

PLAIN = (bool, int, float, complex, str, bytes, type(None), np.generic)
_FEW = 64  # items of a list or a dictionary that are looked at


class Signature:
    """The arguments of one call, taken apart: its Tensors in order, and text that says where other arguments look different.

    `key` is equal for calls that look the same; `names` are those of the Tensors.
    """

    def __init__(
        self, name: str, parameters: tuple[str, ...], function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ):
        self._function = name
        self.tensors: list[Tensor] = []
        self.names: list[str] = []
        self.modules: list[Any] = []
        self.named: dict[int, str] = {}  # names of modules, by id
        self.held: list[Tensor] = []  # Tensors that the function takes from outside
        self._containers: list[tuple[str, Any, list[int]]] = []
        self._watched: set[CodeType] = set()
        self._objects: set[int] = set()
        self._attributes: set[str] = set()  # names of attributes that watched functions take
        self.outside: dict[int, str] = {}  # names of Tensors that the function takes from outside, by id
        self.graph = False  # whether an argument carries a graph from outside
        self.specs: list[tuple[tuple[int, ...], Any]] = []
        count = f"len(kwargs) != {len(kwargs)}" if kwargs else "kwargs"
        self.checks: list[str] = [f"len(args) != {len(args)} or {count}"]
        self.scope: dict[str, Any] = {}
        self.key: Any = ()
        self.watch(function)
        named = [*parameters[: len(args)], *(f"args{n}" for n in range(len(parameters), len(args)))]
        self.key += tuple(self._part(part, f"args[{n}]", name) for n, (part, name) in enumerate(zip(args, named, strict=True)))
        for key, value in kwargs.items():
            self.checks.append(f"{key!r} not in kwargs")
            self.key += ((key, self._part(value, f"kwargs[{key!r}]", key)),)
        self._shared()

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

    def _shared(self) -> None:
        """Tell apart calls in which one array is handed in more than once."""
        arrays = [tensor.array for tensor in self.tensors]
        first = [next(i for i, other in enumerate(arrays) if other is array) for array in arrays]
        if len(arrays) > 1:
            self.key += (tuple(first),)
            self.checks += [f"t{n}a is not t{i}a" for n, i in enumerate(first) if i < n]
            apart = sorted(set(first))
            if len(apart) == 2:
                self.checks.append(f"t{apart[0]}a is t{apart[1]}a")
            elif len(apart) > 2:
                self.checks.append(f"len({{{', '.join(f'id(t{n}a)' for n in apart)}}}) != {len(apart)}")

    def _tensor(self, tensor: Tensor, place: str, name: str) -> Any:
        mark = f"t{len(self.tensors)}"
        self.tensors.append(tensor)
        self.names.append(name)
        array = tensor.array
        self.specs.append((array.shape, array.dtype))
        self.graph = self.graph or tensor.step is not None
        kind, dtype, contiguous = self._known(type(tensor)), self._known(array.dtype), array.flags.c_contiguous
        self.checks.append(f"({mark} := {place}).__class__ is not {kind} or {mark}.step is not None")
        self.checks.append(
            f"({mark}a := {mark}.array).shape != {array.shape} or ({mark}a.dtype is not {dtype} and {mark}a.dtype != {dtype})"
        )
        self.checks.append(f"{layout_differs(f'{mark}a', array)} or {mark}._requires_grad is not {tensor._requires_grad}")
        layout = contiguous or array.strides
        return type(tensor), array.shape, array.dtype, layout, tensor._requires_grad, tensor.step is not None

    def _known(self, thing: Any) -> str:
        name = f"s{len(self.scope)}"
        self.scope[name] = thing
        return name

    def watch(self, function: Callable[..., Any]) -> None:
        """Look also at what a function, and those that it calls by name, take from outside by name: plain values, Tensors, modules,
        attributes of objects, in lists and dictionaries too."""
        if isinstance(function, MethodType):
            function = function.__func__
        if not isinstance(function, FunctionType) or function.__code__ in self._watched or _is_own(function):
            return
        self._watched.add(function.__code__)
        self._attributes |= _names(function.__code__, "LOAD_ATTR", "LOAD_METHOD")
        found = [
            (name, f"{self._known(cell)}.cell_contents", cell.cell_contents)
            for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
            if _filled(cell)
        ]
        scope = self._known(function.__globals__)
        known = [name for name in sorted(_names(function.__code__, "LOAD_GLOBAL")) if name in function.__globals__]
        found += [(name, f"{scope}[{name!r}]", function.__globals__[name]) for name in known]
        for name, place, value in found:
            self.key += ((name, self._outside(value, place, name)),)

    def _outside(self, value: Any, place: str, name: str) -> Any:
        """Look at one thing from outside; what is told apart of it."""
        if isinstance(value, (list, dict)):
            self._containers.append((name, value, _items(value)))
        if isinstance(value, Tensor):
            self.outside[id(value)] = name
            self.held.append(value)
        elif isinstance(value, (list, tuple)) and len(value) <= _FEW:
            self.checks.append(f"{place}.__class__ is not {self._known(type(value))} or len({place}) != {len(value)}")
            return tuple(self._outside(part, f"{place}[{i}]", f"{name}[{i}]") for i, part in enumerate(value))
        elif type(value) is dict and len(value) <= _FEW:
            self.checks.append(f"list({place}) != {self._known(list(value))}")
            return tuple(self._outside(v, f"{place}[{self._known(k)}]", f"{name}[{k!r}]") for k, v in value.items())
        elif isinstance(value, (type, ModuleType)):
            return None
        return self._other(value, place, name)

    def changed(self) -> str | None:
        """The name of a list or dictionary from outside that was changed since."""
        return next((name for name, container, items in self._containers if _items(container) != items), None)

    def _other(self, value: Any, place: str, name: str) -> Any:
        """Look at what is no Tensor and holds none: a plain value, or an object, which is to be the same one, with its attributes."""
        if isinstance(value, PLAIN):
            self.checks += [f"{place}.__class__ is not {self._known(type(value))}", self._differs(value, place)]
            return type(value), repr(value)
        self.checks.append(f"{place} is not {self._known(value)}")
        if isinstance(value, Module):
            self.modules.append(value)
            self.named[id(value)] = name
        elif isinstance(value, (FunctionType, MethodType)):
            self.watch(value)
        elif (
            id(value) not in self._objects and hasattr(value, "__dict__") and type(value).__module__.partition(".")[0] != "minigrad"
        ):
            self._objects.add(id(value))
            named = sorted(self._attributes & vars(value).keys())
            return id(value), *(self._outside(vars(value)[n], f"{place}.{n}", f"{name}.{n}") for n in named)
        return id(value)

    def _differs(self, value: Any, place: str) -> str:
        """Text that says whether a plain value of the same class is another one; 0.0 and −0.0 are two."""
        if isinstance(value, (float, np.floating)):
            if value != value:
                return f"{place} == {place}"
            if value == 0:
                self.scope["copysign"] = copysign
                return f"{place} or copysign(1, {place}) != {copysign(1, value)}"
        return f"{place} != {self._known(value)}"


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


def _items(container: Any) -> list[int]:
    return list(map(id, container.values() if isinstance(container, dict) else container))


def _filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018  (raises where the variable is not assigned yet)
    except ValueError:
        return False
    return True


def _is_own(function: FunctionType) -> bool:
    """Whether a function is the library's, which looks at nothing that changes."""
    return function.__module__ is not None and function.__module__.partition(".")[0] == "minigrad"


def _names(code: CodeType, *operations: str) -> set[str]:
    """The names that a function, and those defined in it, take by these instructions."""
    inner = [part for part in code.co_consts if isinstance(part, CodeType)]
    own = {instruction.argval for instruction in get_instructions(code) if instruction.opname in operations}
    return own.union(*(_names(part, *operations) for part in inner))
