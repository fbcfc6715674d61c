"""An optimizer's step as statements: the kernels over its flat arrays, and what Python does around them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from struct import Struct
from typing import Any

from ..core import Tensor, stamp_of
from ..core.tensor import tick
from ..kernels.cache import compilable, kernels_enabled
from ..optim import Optimizer
from ..optim.flat import Flat
from .lines import Array, Bind, Line, Value
from .lower import Statement, flat

__all__ = ["Update", "lower_update", "places_of"]


class Update:
    """A step of an optimizer whose arrays are where they were planned to be, and whose settings ask for the same kernels.

    `prepare` asks for the numbers of this step and says whether that is so; where it is not, the optimizer steps by itself. `commit`
    notes that the kernels have run.
    """

    def __init__(self, line: Line, optimizer: Optimizer, statements: Sequence[Sequence[Statement]]):
        self.line, self.optimizer = line, optimizer
        self.statements = [statement for several in statements for statement in several]
        self._held = [list(several) for several in optimizer._flats]
        self._parts = [
            _Part(n, storage, several, _updates(optimizer, n, storage))
            for (n, storage), several in zip(_flats(optimizer), statements, strict=True)
        ]
        self._stamped = [p for part in self._parts for p in part.storage.params]

    def settle(self, memory: Any, words: Sequence[int]) -> None:
        """Say where in a program's memory the numbers of every call begin."""
        rest = iter(words)
        for part in self._parts:
            part.slots = [[] for _ in part.updates]
            for _ in range(part.repeats):
                for slots in part.slots:
                    slots.append(8 * next(rest))
        self._memory = memory

    def look_again(self) -> None:
        """See whether the parameters are in the flat arrays, and these where they were."""
        self._aligned = self.optimizer._flats == self._held and all(part.aligned() for part in self._parts)

    def prepare(self) -> bool:
        """Write the numbers of the next step; False if it is another one than was planned."""
        optimizer, memory = self.optimizer, self._memory
        if not (self._aligned and optimizer.as_held()):
            return False
        for part in self._parts:
            storage = part.storage
            if not storage.even:
                return False
            settings, planned = optimizer._recheck(part.group), part.updates
            updates = optimizer.updates(settings, storage.steps[0] + 1, storage.state)
            if len(updates) != len(planned) or settings.get("maximize"):
                return False
            for n, (rule, names, numbers) in enumerate(updates):
                known, named, pack = planned[n]
                if rule is not known or names != named:
                    return False
                for offset in part.slots[n]:
                    pack(memory, offset, *numbers)
        return True

    def commit(self) -> None:
        """Count the step."""
        now = tick()
        self.optimizer.stepped = True
        for part in self._parts:
            steps = part.storage.steps
            part.storage.steps = [steps[0] + 1] * len(steps)
        for p in self._stamped:
            (p.stamp or stamp_of(p)).written = now


class _Part:
    """What an update does to the parameters of one dtype of a group: for each kernel the names of its arrays, and how to write its
    numbers, to the `slots`, of which there is one for each stretch of parameters."""

    def __init__(self, group: int, storage: Flat, statements: Sequence[Statement], updates: Sequence[Any]):
        self.group, self.storage, self.repeats = group, storage, len(statements)
        self.updates = [(rule, names, Struct(f"{len(numbers)}d").pack_into) for rule, names, numbers in updates]
        self.slots: list[list[int]] = []
        self._values = storage.values

    def aligned(self) -> bool:
        return self.storage.values is self._values and all(p.array is view for p, view, _ in self.storage.places)


def _optimizer(line: Line | Bind) -> Optimizer | None:
    owner = getattr(line.call, "__self__", None) if isinstance(line, Line) and line.kind == "barrier" else None
    return owner if isinstance(owner, Optimizer) else None


def _flats(optimizer: Optimizer) -> Iterator[tuple[int, Flat]]:
    return ((n, storage) for n, several in enumerate(optimizer._flats) for storage in several)


def _updates(optimizer: Optimizer, n: int, storage: Flat) -> Sequence[Any]:
    return optimizer.updates(optimizer._recheck(n), storage.steps[0] + 1, storage.state)


def places_of(line: Line | Bind) -> Iterator[tuple[Tensor, Array]]:
    """Where an optimizer that steps in this line has room for the gradients of its parameters."""
    optimizer = _optimizer(line)
    for _, storage in _flats(optimizer) if optimizer is not None else ():
        if storage.gradients.size:
            yield from ((p, place) for p, _, place in storage.places)


def lower_update(line: Line, bound: Mapping[int, Value | None], lent: Mapping[int, Array]) -> Update | None:
    """The update that a line is, given the gradients bound to leaves at that point; None if it must be left to Python."""
    optimizer = _optimizer(line)
    if (
        optimizer is None
        or not kernels_enabled()
        or type(optimizer).update is not Optimizer.update
        or type(optimizer).updates is Optimizer.updates
        or optimizer.number_names
    ):
        return None
    statements = []
    for n, storage in _flats(optimizer):
        gradients = [bound.get(id(p)) for p in storage.params]
        settled = all(p.array is view for p, view, _ in storage.places) and storage.even and compilable(storage.dtype)
        if None in gradients or not settled or optimizer.param_groups[n].get("maximize"):
            return None
        if storage.gradients.size and not all(
            lent.get(id(v)) is place for v, (_, _, place) in zip(gradients, storage.places, strict=True)
        ):
            return None
        statements.append(list(_statements(line, storage, _updates(optimizer, n, storage), gradients)))
    return Update(line, optimizer, statements)


def _statements(line: Line, storage: Flat, updates: Sequence[Any], gradients: Sequence[Any]) -> Iterator[Statement]:
    """One statement over all parameters where the gradients lie side by side, else one for each."""
    if storage.gradients.size:
        yield _statement(line, storage.dtype, updates, {**storage.state, "p": storage.values, "g": storage.gradients})
        return
    for part, gradient in zip(storage.slices, gradients, strict=True):
        arrays = {name: array[part] for name, array in {**storage.state, "p": storage.values}.items()}
        yield _statement(line, storage.dtype, updates, {**arrays, "g": gradient})


def _statement(line: Line, dtype: Any, updates: Sequence[Any], arrays: dict[str, Any]) -> Statement:
    values = {name: array if isinstance(array, Value) else Value(array, None) for name, array in arrays.items()}
    made = []
    if any("work" in names for _, names, _ in updates):
        made = [values.setdefault("work", Value.room(arrays["p"].shape, dtype, line))]
    calls = [(rule[dtype], [*(flat(values[name]) for name in names), *map(float, numbers)]) for rule, names, numbers in updates]
    return Statement(line, calls, made)
