"""What a module holds, as a dictionary that writes through: `_modules`, `_parameters`, `_buffers`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

__all__ = ["Members"]


class Members(MutableMapping[str, Any]):
    """Members of one kind by name. An item that is set or deleted is set or deleted on the module."""

    def __init__(self, module: Any, found: Callable[[], Iterator[tuple[str, Any]]], register: Callable[[str, Any], None]):
        self._module, self._found, self._register = module, found, register

    def __getitem__(self, name: str) -> Any:
        return dict(self._found())[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._register(name, value)

    def __delitem__(self, name: str) -> None:
        self[name]  # KeyError for what is none of them
        delattr(self._module, name)

    def __iter__(self) -> Iterator[str]:
        return iter([name for name, _ in self._found()])

    def __len__(self) -> int:
        return sum(1 for _ in self._found())

    def __repr__(self) -> str:
        return repr(dict(self))
