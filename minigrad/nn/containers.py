"""Modules and parameters in lists and dictionaries, and modules one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from operator import index
from typing import Any, Self

from ..core import Tensor
from ..errors import IndexRangeError, InputTypeError, RegistrationError
from .module import Module, Parameter

__all__ = ["ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "Sequential"]


class _Ordered(Module):
    """What Sequential and the lists share: named values in order, reached by position."""

    def __init__(self, *args: Any):
        raise NotImplementedError

    def _entries(self) -> list[tuple[str, Any]]:
        return list(self._members(Module))

    def _rebuild(self, values: Iterable[Any]) -> Self:
        """Hold these values, numbered from 0, in the place of what was held."""
        values = list(values)
        for name, _ in self._entries():
            delattr(self, name)
        for number, value in enumerate(values):
            self._put(str(number), value)
        return self

    def _put(self, name: str, value: Any) -> None:
        if not isinstance(value, Module):
            raise InputTypeError(f"{type(self).__name__}: {name} must be a Module, got {type(value).__name__}")
        self.add_module(name, value)

    def _values(self) -> list[Any]:
        return [value for _, value in self._entries()]

    def _position(self, position: Any, more: int = 0) -> int:
        """A position counted from 0, checked; `more` 1 allows the place behind the last."""
        count, place = len(self), index(position)
        if not -count <= place < count + more:
            raise IndexRangeError(f"{type(self).__name__}: index {place} is out of range for {count} {self._what}")
        return place % count if place < 0 else place

    _what = "modules"

    def __len__(self) -> int:
        return len(self._entries())

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values())

    def __getitem__(self, position: Any) -> Any:
        if isinstance(position, slice):
            return type(self)(self._values()[position])
        return self._values()[self._position(position)]

    def __setitem__(self, position: Any, value: Any) -> None:
        self._put(self._entries()[self._position(position)][0], value)

    def __delitem__(self, position: Any) -> None:
        kept = self._values()
        del kept[position if isinstance(position, slice) else self._position(position)]
        self._rebuild(kept)

    def insert(self, index: int, value: Any) -> Any:
        """Put a value before the one at `index`; those behind it move on."""
        kept = self._values()
        kept.insert(self._position(index, more=1), value)
        return self._rebuild(kept)

    def append(self, value: Any) -> Self:
        """Add a value at the end."""
        number = len(self)
        while str(number) in vars(self):  # a slice of a Sequential keeps the names of what it was cut from
            number += 1
        self._put(str(number), value)
        return self

    def extend(self, values: Iterable[Any]) -> Self:
        """Add values at the end."""
        if not isinstance(values, Iterable):
            raise InputTypeError(f"{type(self).__name__}.extend: expected an iterable, got {type(values).__name__}")
        for value in list(values):
            self.append(value)
        return self

    def pop(self, index: Any = -1) -> Any:
        """Take a value out and return it."""
        value = self[index]
        del self[index]
        return value

    def __add__(self, other: Iterable[Any]) -> Self:
        return type(self)(self._values() + list(other))

    def __iadd__(self, other: Iterable[Any]) -> Self:
        return self.extend(other)


class Sequential(_Ordered):
    """Modules one after the other, numbered from 0, or named by a dictionary."""

    def __init__(self, *args: Any):
        if len(args) == 1 and isinstance(args[0], dict):
            for name, module in args[0].items():
                self._put(name, module)
        else:
            for number, module in enumerate(args):
                self._put(str(number), module)

    def forward(self, input: Any) -> Any:
        output = input
        for module in list(vars(self).values()):
            if isinstance(module, Module):
                output = module(output)
        return output

    def __getitem__(self, position: Any) -> Any:
        if isinstance(position, slice):
            return type(self)(dict(self._entries()[position]))
        return super().__getitem__(position)

    def __add__(self, other: Iterable[Any]) -> Self:
        return type(self)(*self, *other)


class ModuleList(_Ordered):
    """A list whose modules are found; it has no forward."""

    def __init__(self, modules: Iterable[Module] | None = None):
        self.extend(() if modules is None else modules)


class ParameterList(_Ordered):
    """A list whose parameters are found. Tensors become Parameters, other values stay what they are."""

    _what = "values"

    def __init__(self, values: Iterable[Any] | None = None):
        self.extend(() if values is None else values)

    def _entries(self) -> list[tuple[str, Any]]:
        return [(name, value) for name, value in vars(self).items() if name.isdigit()]

    def _put(self, name: str, value: Any) -> None:
        setattr(self, name, _as_parameter(value))

    def extra_repr(self) -> str:
        return ", ".join(f"{name}: {_describe(value)}" for name, value in self._entries())


def _as_parameter(value: Any) -> Any:
    return Parameter(value) if isinstance(value, Tensor) and not isinstance(value, Parameter) else value


def _describe(value: Any) -> str:
    return f"{type(value).__name__} {value.shape} {value.dtype}" if isinstance(value, Tensor) else repr(value)


class ModuleDict(Module, MutableMapping[str, Module]):
    """A dictionary whose modules are found; it has no forward."""

    __hash__, __eq__ = Module.__hash__, Module.__eq__

    def __init__(self, modules: Any = None):
        self.update({} if modules is None else modules)

    def __getitem__(self, key: str) -> Module:
        _known(self, key, dict(self._members(Module)))
        return vars(self)[key]  # type: ignore[no-any-return]

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        _known(self, key, dict(self._members(Module)))
        delattr(self, key)

    def __len__(self) -> int:
        return sum(1 for _ in self._members(Module))

    def __iter__(self) -> Iterator[str]:
        return iter([name for name, _ in self._members(Module)])


class ParameterDict(Module, MutableMapping[str, Any]):
    """A dictionary whose parameters are found. Tensors become Parameters, other values stay what they are."""

    __hash__, __eq__ = Module.__hash__, Module.__eq__

    def __init__(self, parameters: Any = None):
        self._keys: dict[str, None] = {}
        self.update({} if parameters is None else parameters)

    def __getitem__(self, key: str) -> Any:
        _known(self, key, self._keys)
        return vars(self)[str(key)]

    def __setitem__(self, key: str, value: Any) -> None:
        if key not in self._keys:
            self._check_name(str(key), "parameter")
        self._keys[key] = None
        setattr(self, str(key), _as_parameter(value))

    def __delitem__(self, key: str) -> None:
        _known(self, key, self._keys)
        del self._keys[key]
        delattr(self, str(key))

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._keys))

    def copy(self) -> ParameterDict:
        """Another dictionary with the same values."""
        return ParameterDict(self)

    def extra_repr(self) -> str:
        return ", ".join(f"{key}: {_describe(value)}" for key, value in self.items())


def _known(module: Module, key: Any, keys: Mapping[str, Any]) -> None:
    if key not in keys:
        raise RegistrationError(
            f"{type(module).__name__}: there is no {key!r}; there are {', '.join(map(repr, keys)) or 'no keys'}"
        )
