"""How many bytes a graph keeps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..core import Step, Tensor
from ..core.tensor import Array
from .function import Call
from .recompute import steps_behind, tensors_in

__all__ = ["SavedMemory", "SavedRow", "saved_memory"]


class SavedRow(NamedTuple):
    """The steps of one operation, and the bytes that they keep and no earlier step does."""

    operation: str
    steps: int
    bytes: int


class SavedMemory(NamedTuple):
    """What `saved_memory` finds; as text, a table. `total` is the sum of the rows, `leaves` counts apart."""

    rows: tuple[SavedRow, ...]
    total: int
    leaves: int

    def __str__(self) -> str:
        lines = [(row.operation, str(row.steps), _size(row.bytes)) for row in self.rows]
        table = [("operation", "steps", "keeps"), *lines, ("total", str(sum(row.steps for row in self.rows)), _size(self.total))]
        widths = [max(len(line[i]) for line in table) for i in range(3)]
        text = [f"{a:<{widths[0]}}  {b:>{widths[1]}}  {c:>{widths[2]}}" for a, b, c in table]
        return "\n".join([*text, f"and {_size(self.leaves)} of leaves"])


def saved_memory(tensors: Tensor | Sequence[Tensor]) -> SavedMemory:
    """The bytes that the graph behind one or several tensors keeps for the backward pass, by operation, most first.

    An array that several steps share counts once, for the oldest of them; a view counts with all the memory that it keeps alive. Leaves
    (parameters) are kept with or without a graph, and counted apart. What a checkpoint keeps stands under its name.

    >>> x = mg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> print(saved_memory((x.exp() * x).sum()))
    operation  steps  keeps
    exp            1   12 B
    mul            1    0 B
    sum            1    0 B
    total          3   12 B
    and 12 B of leaves
    """
    steps = steps_behind(tensors_in([tensors] if isinstance(tensors, Tensor) else list(tensors)))
    leaves = {id(edge.array): edge.array for step in steps for edge in step.edges if isinstance(edge, Tensor)}
    seen = {id(_memory(array)) for array in leaves.values()}
    rows: dict[str, list[int]] = {}
    for name, arrays in _kept_by(steps):
        row = rows.setdefault(name, [0, 0])
        row[0] += 1
        for memory in map(_memory, arrays):
            row[1] += 0 if id(memory) in seen else memory.nbytes
            seen.add(id(memory))
    found = sorted((SavedRow(name, *row) for name, row in rows.items()), key=lambda row: -row.bytes)
    return SavedMemory(tuple(found), sum(row.bytes for row in found), sum(array.nbytes for array in leaves.values()))


def _kept_by(steps: Sequence[Step]) -> Iterator[tuple[str, list[Array]]]:
    """What each step, and then each checkpoint, keeps."""
    for step in steps:
        yield step.op.name, list(_arrays_in((step.saved, step.live)))
    checkpoints: set[Any] = {getattr(step, "recompute", None) for step in steps} - {None}
    for checkpoint in checkpoints:
        yield "checkpoint", [x.array for x in checkpoint.kept()]


def _arrays_in(value: Any) -> Iterator[Array]:
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, Tensor):
        yield value.array
    elif isinstance(value, (tuple, list, Call)):
        for part in value.kept() if isinstance(value, Call) else value:
            yield from _arrays_in(part)


def _memory(array: Array) -> Array:
    """The array whose memory this one looks into."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def _size(count: float) -> str:
    """Bytes in the unit that suits them."""
    units = ["GiB", "MiB", "KiB"]
    if count < 1024:
        return f"{count:.0f} B"
    while count >= 1024 and units:
        count, unit = count / 1024, units.pop()
    return f"{count:.1f} {unit}"
