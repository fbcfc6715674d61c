"""What a module holds, as a dictionary that writes through: `_modules`, `_parameters`, `_buffers`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

__all__ = ["Members"]


class Members(MutableMapping[str, Any]):
    """The attributes of a module that `holds(name, value)` counts. An item that is set or deleted is set or deleted on the module."""

    def __init__(self, module: Any, holds: Callable[[str, Any], bool], register: Callable[[str, Any], None]):
        self._module, self._holds, self._register = module, holds, register

    def __getitem__(self, name: str) -> Any:
        value = vars(self._module)[name]
        if not self._holds(name, value):
            raise KeyError(name)
        return value

    def __setitem__(self, name: str, value: Any) -> None:
        self._register(name, value)

    def __delitem__(self, name: str) -> None:
        self[name]  # KeyError for what is none of them
        delattr(self._module, name)

    def __iter__(self) -> Iterator[str]:
        return iter([name for name, value in vars(self._module).items() if self._holds(name, value)])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return repr(dict(self))
