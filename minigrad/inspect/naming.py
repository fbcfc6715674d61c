"""What Tensors are called: by their model, by the variables of the code that asks, else by operation and number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FrameType
from typing import Any

from ..core import Step, Tensor
from ..errors import InputTypeError
from ..nn import Module
from .capture import uncompiled

__all__ = ["Names", "variables"]

_MOST = 1000  # entries of a list or dictionary that are looked at


def variables(frame: FrameType) -> dict[str, Any]:
    """The variables that code in a frame sees: its own before the module's. What others put there under names that nobody can write
    (pytest does) is none."""
    own = dict(frame.f_locals)
    seen = own | {name: value for name, value in frame.f_globals.items() if name not in own}
    return {name: value for name, value in seen.items() if name.isidentifier()}


class Names:
    """Names of Tensors, first come first served: those `given`, parameters and buffers of the model by their dotted names, those of modules
    among the `variables`, Tensors among these, and in lists and dictionaries among these. Modules come first, as a variable may hold one
    of their parameters by chance: that of the loop that made the optimizer.

    Errors: InputTypeError, beginning with `caller`, for what is given and is no Tensor.
    """

    def __init__(
        self, caller: str, given: Mapping[str, Tensor] | None, model: Callable[..., Any] | None, variables: Mapping[str, Any]
    ):
        self._names: dict[int, str] = {}
        self._taken: set[str] = set()
        self._held: list[Any] = []  # an id is good for as long as its object lives
        for name, tensor in (given or {}).items():
            if not isinstance(tensor, Tensor):
                raise InputTypeError(f"{caller}: names[{name!r}] must be a Tensor, got {type(tensor).__name__}")
            self._add(name, tensor)
        if model is not None:
            self._add_all(_members(model, ""))
        seen = {name: value for name, value in variables.items() if not name.startswith("_")}
        for name, value in seen.items():
            self._add_all(_members(value, f"{name}."))
        self._add_all((name, value) for name, value in seen.items() if isinstance(value, Tensor))
        for name, value in seen.items():
            self._add_all(_entries(name, value))

    def _add_all(self, named: Iterator[tuple[str, Tensor]]) -> None:
        for name, tensor in named:
            self._add(name, tensor)

    def _add(self, name: str, tensor: Tensor) -> None:
        if name in self._taken or id(tensor.step or tensor) in self._names:
            return
        self._taken.add(name)
        for thing in (tensor.step or tensor, tensor.array):
            self._held.append(thing)
            self._names.setdefault(id(thing), name)

    def of(self, thing: Any) -> str | None:
        """The name of a leaf, of the output of a step, or of the Tensor that an array belongs to; None if it has none."""
        return self._names.get(id(thing))

    def of_steps(self, steps: Sequence[Step]) -> dict[Step, str]:
        """Names for the outputs of steps, in the order of recording; where there is none, the operation and which one of its kind."""
        count: Counter[str] = Counter()
        found = {}
        for step in steps:
            count[step.name] += 1
            found[step] = self.of(step) or f"{step.name}_{count[step.name]}"
        return found


def _members(value: Any, prefix: str) -> Iterator[tuple[str, Tensor]]:
    """The parameters and buffers of a module."""
    module = uncompiled(value)
    if isinstance(module, Module):
        yield from ((prefix + name, tensor) for name, tensor in (*module.named_parameters(), *module.named_buffers()))


def _entries(name: str, value: Any) -> Iterator[tuple[str, Tensor]]:
    """The Tensors in a list, tuple or dictionary."""
    if isinstance(value, (list, tuple)) and len(value) <= _MOST:
        yield from ((f"{name}[{n}]", part) for n, part in enumerate(value) if isinstance(part, Tensor))
    elif isinstance(value, dict) and len(value) <= _MOST:
        yield from ((f"{name}[{key!r}]", part) for key, part in list(value.items()) if isinstance(part, Tensor))
