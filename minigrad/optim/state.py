"""An optimizer's state as dictionaries that write through to its flat arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from copy import deepcopy
from typing import Any, TypeVar

import numpy as np

from ..core import Tensor
from ..errors import ShapeError
from .flat import Flat

__all__ = ["States"]


K = TypeVar("K")


class _Through(MutableMapping[K, Any]):
    def pop(self, key: K, *default: Any) -> Any:
        """Take an item out: a copy, as what is taken out is cleared."""
        if key not in self and default:
            return default[0]
        value = deepcopy(self[key])
        del self[key]
        return value

    def __repr__(self) -> str:
        return repr(dict(self))


class States(_Through[Tensor]):
    """For each parameter that was updated its state. An entry may be taken out, which makes the parameter start anew, or put in."""

    def __init__(self, flats: Sequence[Flat]):
        self._places = {id(p): (p, Entry(flat, i)) for flat in flats for i, p in enumerate(flat.params)}

    def __getitem__(self, p: Tensor) -> Entry:
        if id(p) not in self._places:
            raise KeyError("the optimizer does not have this parameter")
        return self._places[id(p)][1]

    def __setitem__(self, p: Tensor, values: Mapping[str, Any]) -> None:
        given, entry = dict(values), self[p]
        entry.clear()
        entry.update(given)

    def __delitem__(self, p: Tensor) -> None:
        self[p].clear()

    def __iter__(self) -> Iterator[Tensor]:
        return iter([p for p, entry in self._places.values() if entry])

    def __contains__(self, p: object) -> bool:
        return id(p) in self._places and bool(self._places[id(p)][1])

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Entry(_Through[str]):
    """The state of one parameter: its step, its arrays as Tensors that share the flat memory, and what else was put in."""

    def __init__(self, flat: Flat, i: int):
        self._flat, self._i = flat, i

    def __getitem__(self, name: str) -> Any:
        return self._flat.state_of(self._i)[name]

    def __setitem__(self, name: str, value: Any) -> None:
        flat, i = self._flat, self._i
        if name == "step":
            flat.set_step(i, int(value))
        elif name not in flat.names:
            flat.extras[i][name] = value
        else:
            array = value.array if isinstance(value, Tensor) else np.asarray(value)
            if array.shape != flat.shape_of(i, name):
                raise ShapeError(f"optimizer.state: {name} must have shape {flat.shape_of(i, name)}, got {array.shape}")
            flat.array_of(i, name)[:] = array.ravel()
            flat.set_step(i, flat.steps[i] or 1)

    def __delitem__(self, name: str) -> None:
        flat, i = self._flat, self._i
        if name not in self:
            raise KeyError(name)
        if name == "step":
            flat.set_step(i, 0)
        elif name in flat.names:
            flat.array_of(i, name)[:] = 0
        else:
            del flat.extras[i][name]

    def clear(self) -> None:
        for name in self._flat.names:
            self._flat.array_of(self._i, name)[:] = 0
        self._flat.extras[self._i].clear()
        self._flat.set_step(self._i, 0)

    def __iter__(self) -> Iterator[str]:
        return iter(self._flat.state_of(self._i))

    def __len__(self) -> int:
        return len(self._flat.state_of(self._i))

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[str, Any]:
        return deepcopy(dict(self), memo)
