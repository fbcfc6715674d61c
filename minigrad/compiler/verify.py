"""What a call may change, kept aside: to put it back, and to compare two ways of running the call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from types import FunctionType
from typing import Any

import numpy as np

from ..core import Tensor
from ..errors import CompileError
from ..nn import Module
from ..ops.random import Generator, default_generator
from ..optim import Optimizer
from .lines import Line, OfTensor, Value
from .record import Record

__all__ = ["Snapshot", "compare"]

Array = np.ndarray[Any, Any]


class Snapshot:
    """The Tensors, optimizers, schedules and generators that a recorded call makes use of, as they are now."""

    def __init__(self, found: Record, arguments: Sequence[Tensor]):
        owners = list({id(owner): owner for owner in _owners(found)}.values())
        modules = [owner for owner in owners if isinstance(owner, Module)]
        held = [tensor for module in modules for tensor in (*module.parameters(), *module.buffers())]
        self._tensors = list({id(t): t for t in (*found.outside.values(), *arguments, *held)}.values())
        self._optimizers = [owner for owner in owners if isinstance(owner, Optimizer)]
        self._optimizers += [o.optimizer for o in owners if isinstance(getattr(o, "optimizer", None), Optimizer)]
        self._generators = [default_generator, *(owner for owner in owners if isinstance(owner, Generator))]
        self._arrays = [(array, array.copy()) for array in self._storages()]
        self._gradients = [(tensor, tensor._grad) for tensor in self._tensors]
        self._plain = [(owner, dict(vars(owner))) for owner in owners if not isinstance(owner, (Generator, Optimizer))]
        self._groups = [(group, dict(group)) for optimizer in self._optimizers for group in optimizer.param_groups]
        self._steps = [(flat, list(flat.steps), flat.even) for flat in self._flats()]
        self._states = [(generator, generator.get_state()) for generator in self._generators]

    def _flats(self) -> Iterator[Any]:
        return (flat for optimizer in self._optimizers for flats in optimizer._flats for flat in flats)

    def _storages(self) -> Iterator[Array]:
        yield from (tensor.array for tensor in self._tensors)
        yield from (tensor._grad.array for tensor in self._tensors if tensor._grad is not None)
        for flat in self._flats():
            yield from (flat.values, *flat.state.values(), *flat.numbers.values())

    def restore(self) -> None:
        """Put everything back."""
        for array, values in self._arrays:
            if array.flags.writeable:
                array[...] = values
        for tensor, gradient in self._gradients:
            tensor._grad = gradient
        for owner, attributes in self._plain:
            vars(owner).clear()
            vars(owner).update(attributes)
        for group, settings in self._groups:
            group.clear()
            group.update(settings)
        for flat, steps, even in self._steps:
            flat.steps, flat.even = steps, even
        for generator, state in self._states:
            generator.set_state(state)

    def values(self, names: dict[int, str]) -> dict[str, Any]:
        """Copies of all values there are now, by name."""
        found: dict[str, Any] = {}
        for n, tensor in enumerate(self._tensors):
            name = names.get(id(tensor), "a Tensor") + f" (number {n})"
            found[name] = tensor.array.copy()
            found[f"{name}.grad"] = None if tensor._grad is None else tensor._grad.array.copy()
        for n, flat in enumerate(self._flats()):
            found |= {f"{flat.owner} state {n} {name}": array.copy() for name, array in {**flat.state, **flat.numbers}.items()}
            found[f"{flat.owner} state {n} step"] = np.array(flat.steps)
        return found


def _owners(found: Record) -> Iterator[Any]:
    """The objects that lines other than pure ones may change: what their calls are methods of, and what is handed to them."""
    for line in found.lines:
        if isinstance(line, Line) and line.kind != "pure":
            for part in (getattr(line.call, "__self__", None), *line.inputs, *line.settings.values()):
                if hasattr(part, "__dict__") and not isinstance(part, (type, FunctionType, OfTensor, Value)):
                    yield part


def compare(function: str, snapshot: Snapshot, names: dict[int, str], program: Callable[[], Any], eager: Callable[[], Any]) -> Any:
    """Run a call both ways, from the same state, and return what the eager way returned. Errors: CompileError at a difference."""
    replayed = dict(_results(program(), "the result"))
    after = snapshot.values(names)
    snapshot.restore()
    result = eager()
    expected = dict(_results(result, "the result")) | snapshot.values(names)
    for name, value in (replayed | after).items():
        if not _same(value, expected.get(name)):
            raise CompileError(
                f"compile: {name} of {function} differs from what an eager call gives: {_short(value)} instead of "
                f"{_short(expected.get(name))}; the function does something that a replay does not see (Python's own state, arrays "
                "behind Tensors)"
            )
    return result


def _results(result: Any, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(result, Tensor):
        yield name, result.array.copy()
    elif isinstance(result, (list, tuple, dict)):
        for key, part in result.items() if isinstance(result, dict) else enumerate(result):
            yield from _results(part, f"{name}[{key!r}]")
    else:
        yield name, result


def _same(a: Any, b: Any) -> bool:
    if not (isinstance(a, np.ndarray) and isinstance(b, np.ndarray)):
        return type(a) is type(b) and bool(a == b)
    return a.shape == b.shape and a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")


def _short(value: Any) -> str:
    return np.array2string(value, threshold=6, precision=9) if isinstance(value, np.ndarray) else repr(value)
