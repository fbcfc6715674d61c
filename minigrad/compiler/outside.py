"""What a function takes from outside by name, which is looked at before each replay."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Collection, Iterator
from dis import get_instructions
from functools import lru_cache, partial
from inspect import getattr_static
from math import copysign
from sysconfig import get_path
from types import CodeType, FunctionType, MemberDescriptorType, MethodType, ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from ..core import Tensor
from ..nn import Module

__all__ = ["PLAIN", "Outside", "differing"]

PLAIN = (bool, int, float, complex, str, bytes, type(None), np.generic)
_FEW = 64  # items of a list or a dictionary that are looked at
_CALLED = {"forward", "__call__"}  # methods that are called without being named
_SETTLED = {"minigrad", "numpy", *sys.stdlib_module_names}  # packages whose functions look at nothing that changes
_WITH_NAMES = (Module, type, ModuleType)  # whose own attributes alone are looked at: those of classes are looked at there
_NAMED = 3  # names of what differs
_NOTHING = object()


class Outside:
    """What a function, and the user's functions, methods and modules that it calls, take from outside: `told`, by name, and `checks`,
    text that says where it is another one."""

    def __init__(self, function: Callable[..., Any], name: str):
        self.checks: list[str] = []
        self.scope: dict[str, Any] = {}
        self.told: list[tuple[str, Any]] = []  # what is told apart
        self.modules: list[Module] = []
        self.named: dict[int, str] = {}  # names of modules, by id
        self.held: list[Tensor] = []
        self.outside: dict[int, str] = {}  # names of Tensors, by id
        self._containers: list[tuple[str, Any, list[int]]] = []
        self._open: set[int] = set()  # ids of the containers that are gone through now
        self._watched: set[FunctionType] = set()
        self._holders: dict[int, tuple[Any, str, str]] = {}  # by id, with place and name: what has attributes
        self._attributes = set(_CALLED)  # names of attributes that watched functions take
        self._enter(function, "function", name)

    def changed(self) -> str | None:
        """What list or dictionary was changed since."""
        names = (name for name, container, items in self._containers if _items(container) != items)
        return next((f"{name}, a list or dictionary from outside" for name in names), None)

    def _known(self, thing: Any) -> str:
        name = f"s{len(self.scope)}"
        self.scope[name] = thing
        return name

    def _watch(self, function: Any) -> None:
        """Look at what a function of the user's takes by name: plain values, Tensors, modules, other functions, objects, in lists and
        dictionaries too."""
        if not isinstance(function, FunctionType) or function in self._watched or _settled(function):
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
            self._look(value, place, name)

    def _look(self, value: Any, place: str, name: str) -> None:
        """Look at one thing, which stands at `place`."""
        if isinstance(value, (list, dict)):
            self._containers.append((name, value, _items(value)))
        if isinstance(value, Tensor):
            self.outside[id(value)] = name
            self.held.append(value)
        if isinstance(value, (type, ModuleType)):
            self._holder(value, place, name)
        elif isinstance(value, (list, tuple, dict)) and len(value) <= _FEW and id(value) not in self._open:
            self._container(value, place, name)
        else:
            self.told.append((name, self._other(value, place, name)))

    def _container(self, value: Any, place: str, name: str) -> None:
        """Look at a short list, tuple or dictionary, and at its items."""
        kind, keyed = type(value), isinstance(value, dict)
        keys = list(value) if keyed else range(len(value))
        form = f"list({place}) != {self._known(keys)}" if keyed else f"len({place}) != {len(value)}"
        self.checks.append(f"{place}.__class__ is not {self._known(kind)} or {form}")
        self.told.append((name, (kind, *keys)))
        self._open.add(id(value))
        for key, part in zip(keys, value.values() if keyed else value, strict=True):
            self._look(part, f"{place}[{self._known(key) if keyed else key}]", f"{name}[{key!r}]")
        self._open.discard(id(value))
        if kind not in (list, tuple, dict):
            self._holder(value, place, name)

    def _other(self, value: Any, place: str, name: str) -> Any:
        """Look at what is no Tensor and holds none: a plain value, or an object, which is to be the same one, with its attributes."""
        if isinstance(value, PLAIN):
            self.checks += [f"{place}.__class__ is not {self._known(type(value))}", self._differs(value, place)]
            return type(value), repr(value)
        self.checks.append(f"{place} is not {self._known(value)}")
        self._enter(value, place, name)
        return id(value)

    def _differs(self, value: Any, place: str) -> str:
        """Text that says whether a plain value of the same class is another one; 0.0 and −0.0 are two."""
        if isinstance(value, (complex, np.complexfloating)):
            return f"repr({place}) != {repr(value)!r}"
        if value != value:  # NaN, NaT
            return f"{place} == {place}"
        if isinstance(value, (float, np.floating)) and value == 0:
            self.scope["copysign"] = copysign
            return f"{place} or copysign(1, {place}) != {copysign(1, value)}"
        return f"{place} != {self._known(value)}"

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
            self._look((*value.args, *value.keywords.values()), f"(*{place}.args, *{place}.keywords.values())", name)
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
            held = [value for value in vars(module).values() if isinstance(value, (FunctionType, MethodType))]
            for function in (*held, *(hook.function for hook in module._hooks.values())):
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
            names = vars(holder) if isinstance(holder, _WITH_NAMES) else object.__dir__(holder)
            yield from ((number, attribute) for attribute in sorted(self._attributes.intersection(names)))

    def _attribute(self, holder: Any, place: str, name: str, attribute: str) -> None:
        if isinstance(holder, _WITH_NAMES):
            value = vars(holder)[attribute]
        else:
            value = getattr_static(holder, attribute, _NOTHING)  # there is nothing where an object makes attributes up
        if isinstance(value, MemberDescriptorType):  # a slot
            value = getattr(holder, attribute, value)
        simple = isinstance(value, (*PLAIN, Tensor))
        if isinstance(holder, Module):  # of what is assigned to one, a counter tells
            looked_at = not simple and not isinstance(value, Module)
        elif isinstance(holder, (type, ModuleType)):
            self._watch(getattr(value, "fget", getattr(value, "__func__", value)))
            looked_at = simple or (_of_users(value) and not _foreign(_home(holder)))
        else:
            looked_at = simple or attribute in getattr(holder, "__dict__", ())
        if looked_at and value is not _NOTHING:
            self._look(value, f"{place}.{attribute}", f"{name}.{attribute}")


def differing(told: Collection[tuple[str, Any]], other: Collection[tuple[str, Any]]) -> str:
    """The names of what is told to be different, a few of them."""
    names = sorted({name for name, _ in set(told).symmetric_difference(other)})
    others = f" and {len(names) - _NAMED} others" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + others


def _items(container: Any) -> list[int]:
    return list(map(id, container.values() if isinstance(container, dict) else container))


def _filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018  (raises where the variable is not assigned yet)
    except ValueError:
        return False
    return True


def _home(thing: FunctionType | type | ModuleType) -> str:
    """The module of Python that a function or class says that it is from; that module itself."""
    return (thing.__name__ if isinstance(thing, ModuleType) else thing.__module__) or ""


def _package(thing: FunctionType | type | ModuleType) -> str:
    return _home(thing).partition(".")[0]


def _of_users(value: Any) -> bool:
    """Whether what stands in a class or a module of Python is the user's, and not a method or the like: those make something else of
    themselves when they are taken."""
    if isinstance(value, (list, tuple, dict, Module, SimpleNamespace, Namespace)):
        return True
    kind = value if isinstance(value, (type, ModuleType)) else type(value)
    return _package(kind) not in _SETTLED and not hasattr(type(value), "__get__")


@lru_cache(1024)
def _foreign(home: str) -> bool:
    """Whether a module of Python lies where packages are installed and has nothing of minigrad: it does nothing to Tensors, and there
    would be much to look at."""
    module = sys.modules.get(home)
    file = getattr(module, "__file__", None) or ""
    if not file.startswith((get_path("purelib"), get_path("platlib"))):
        return False
    return all(
        _package(value) != "minigrad" for value in vars(module).values() if isinstance(value, (FunctionType, type, ModuleType))
    )


def _settled(function: FunctionType) -> bool:
    """Whether a function looks at nothing that changes. One that wraps another says that it is from where that one is."""
    homes = function.__globals__.get("__name__", ""), _home(function)
    return all(home.partition(".")[0] in _SETTLED or _foreign(home) for home in homes)


@lru_cache(256)
def _names(code: CodeType, *operations: str) -> set[str]:
    """The names that a function, and those defined in it, take by these instructions."""
    inner = [part for part in code.co_consts if isinstance(part, CodeType)]
    own = {instruction.argval for instruction in get_instructions(code) if instruction.opname in operations}
    return own.union(*(_names(part, *operations) for part in inner))
