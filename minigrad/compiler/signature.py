"""What a call looks like: which Tensors came, in which shapes, and which other values."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dis import get_instructions
from functools import lru_cache, partial
from inspect import getattr_static
from math import copysign
from types import CodeType, FunctionType, MemberDescriptorType, MethodType, ModuleType
from typing import Any

import numpy as np

from ..core import Tensor
from ..errors import CompileError
from ..nn import Module, Parameter

__all__ = ["PLAIN", "Signature", "layout_differs", "token"]

PLAIN = (bool, int, float, complex, str, bytes, type(None), np.generic)
_FEW = 64  # items of a list or a dictionary that are looked at
_CALLED = {"forward", "__call__"}  # methods that are called without being named
_SETTLED = {"minigrad", *sys.stdlib_module_names}  # packages whose functions look at nothing that changes


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
        self._watched: set[FunctionType] = set()
        self._holders: dict[int, tuple[Any, str, str]] = {}  # by id, with place and name: what has attributes
        self._attributes = set(_CALLED)  # names of attributes that watched functions take
        self.outside: dict[int, str] = {}  # names of Tensors that the function takes from outside, by id
        self.specs: list[tuple[tuple[int, ...], Any]] = []
        count = f"len(kwargs) != {len(kwargs)}" if kwargs else "kwargs"
        self.checks: list[str] = [f"len(args) != {len(args)} or {count}"]
        self.scope: dict[str, Any] = {}
        self._told: list[Any] = []  # what is told apart
        self._enter(function, "function", name)
        named = [*parameters[: len(args)], *(f"args{n}" for n in range(len(parameters), len(args)))]
        for n, (part, argument) in enumerate(zip(args, named, strict=True)):
            self._told.append(self._part(part, f"args[{n}]", argument))
        for key, value in kwargs.items():
            self.checks.append(f"{key!r} not in kwargs")
            self._told.append((key, self._part(value, f"kwargs[{key!r}]", key)))
        self._look_at_attributes()
        self._shared()
        self.key = tuple(self._told)

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
            self._told.append(tuple(first))
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
        kind, dtype, contiguous = self._known(type(tensor)), self._known(array.dtype), array.flags.c_contiguous
        self.checks.append(f"({mark} := {place}).__class__ is not {kind} or {mark}.step is not None")
        self.checks.append(
            f"({mark}a := {mark}.array).shape != {array.shape} or ({mark}a.dtype is not {dtype} and {mark}a.dtype != {dtype})"
        )
        self.checks.append(f"{layout_differs(f'{mark}a', array)} or {mark}._requires_grad is not {tensor._requires_grad}")
        layout = contiguous or array.strides
        return type(tensor), array.shape, array.dtype, layout, tensor._requires_grad

    def _known(self, thing: Any) -> str:
        name = f"s{len(self.scope)}"
        self.scope[name] = thing
        return name

    def _watch(self, function: Any) -> None:
        """Look at what a function of the user's takes from outside by name: plain values, Tensors, modules, other functions, objects, in
        lists and dictionaries too."""
        if not isinstance(function, FunctionType) or function in self._watched or _package(function) in _SETTLED:
            return
        self._watched.add(function)
        self._attributes |= _names(function.__code__, "LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER_ATTR")
        found = [
            (name, f"{self._known(cell)}.cell_contents", cell.cell_contents)
            for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
            if _filled(cell)
        ]
        scope = self._known(function.__globals__)
        known = [name for name in sorted(_names(function.__code__, "LOAD_GLOBAL")) if name in function.__globals__]
        found += [(name, f"{scope}[{name!r}]", function.__globals__[name]) for name in known]
        defaults = (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
        found += [("a default", self._known(value), value) for value in defaults if not isinstance(value, PLAIN)]
        for name, place, value in found:
            self._told.append((name, self._outside(value, place, name)))

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
            self._holder(value, place, name)
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
        self._enter(value, place, name)
        return id(value)

    def _enter(self, value: Any, place: str, name: str) -> None:
        """Look into a module, a function or an object, which may be the same one and yet do something else."""
        if isinstance(value, Module):
            self._module(value, name)
        elif isinstance(value, FunctionType):
            self._watch(value)
        elif isinstance(value, MethodType):
            self._watch(value.__func__)
            self._enter(value.__self__, f"{place}.__self__", name)
        elif isinstance(value, partial):
            self._enter(value.func, f"{place}.func", name)
            self._outside((*value.args, *value.keywords.values()), f"(*{place}.args, *{place}.keywords.values())", name)
        elif "__wrapped__" in getattr(value, "__dict__", ()):  # a compiled function
            self._enter(value.__wrapped__, f"{place}.__wrapped__", name)
        elif _package(type(value)) != "minigrad":
            self._holder(value, place, name)

    def _module(self, root: Module, name: str) -> None:
        """Look into a module and all below it: at the users' classes among them, and at functions that are held or hooked in."""
        if id(root) in self.named:
            return
        self.modules.append(root)
        self.named[id(root)] = name
        for path, module in root.named_modules():
            if _package(type(module)) != "minigrad":
                self._holder(module, self._known(module), f"{name}.{path}" if path else name)
            for function in (*vars(module).values(), *(hook.function for hook in module._hooks.values())):
                if isinstance(function, (FunctionType, MethodType)):
                    self._enter(function, self._known(function), name)

    def _holder(self, value: Any, place: str, name: str) -> None:
        """Look later at the attributes of an object (class, module of Python), and of its classes, that watched functions take."""
        if id(value) not in self._holders:
            self._holders[id(value)] = value, place, name
            for kind in (value if isinstance(value, type) else type(value)).__mro__:
                if _package(kind) not in _SETTLED:
                    self._holder(kind, self._known(kind), kind.__name__)

    def _look_at_attributes(self) -> None:
        """Look at the attributes that watched functions take. What is found there may be functions that take others."""
        looked: set[tuple[int, str]] = set()
        while new := [item for item in self._taken() if item not in looked]:
            looked.update(new)
            for number, attribute in new:
                self._attribute(*self._holders[number], attribute)

    def _taken(self) -> Iterator[tuple[int, str]]:
        for number, (holder, _, _) in self._holders.items():
            names = vars(holder) if isinstance(holder, (Module, type, ModuleType)) else dir(holder)
            yield from ((number, attribute) for attribute in sorted(self._attributes.intersection(names)))

    def _attribute(self, holder: Any, place: str, name: str, attribute: str) -> None:
        value = getattr_static(holder, attribute)
        if isinstance(value, MemberDescriptorType):  # a slot
            value = getattr(holder, attribute, value)
        simple = isinstance(value, (*PLAIN, Tensor))
        if isinstance(holder, Module):  # of what is assigned to one, a counter tells
            looked_at = not simple and not isinstance(value, Module)
        elif isinstance(holder, (type, ModuleType)):
            self._watch(getattr(value, "fget", getattr(value, "__func__", value)))
            looked_at = simple
        else:
            looked_at = simple or attribute in getattr(holder, "__dict__", ())
        if looked_at:
            self._told.append((f"{name}.{attribute}", self._outside(value, f"{place}.{attribute}", f"{name}.{attribute}")))

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


def _package(thing: FunctionType | type) -> str:
    """Where a function or class is from."""
    return (thing.__module__ or "").partition(".")[0]


@lru_cache(256)
def _names(code: CodeType, *operations: str) -> set[str]:
    """The names that a function, and those defined in it, take by these instructions."""
    inner = [part for part in code.co_consts if isinstance(part, CodeType)]
    own = {instruction.argval for instruction in get_instructions(code) if instruction.opname in operations}
    return own.union(*(_names(part, *operations) for part in inner))
