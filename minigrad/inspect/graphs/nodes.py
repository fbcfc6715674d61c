"""The recorded graph as a list of nodes: what each operation takes, and what is known of values and gradients."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core import Step, Tensor
from ...core.plan import Record
from ...core.tensor import Array
from ...errors import GraphError, InputTypeError
from ...kernels.arrays import euclidean_norm
from ...nn import Parameter
from ..naming import Names

__all__ = ["SMALL", "Input", "Node", "read"]

SMALL = 6  # elements: tensors up to this size are shown with their values
_REPLAYED = 200  # steps: in graphs up to this size, values and gradients that nobody kept are computed again


@dataclass(slots=True)
class Input:
    """What an operation takes as an argument: the node of that index, or, with `node` None, what carries no gradient: a tensor of
    `shape`, or a number (shape None), with its `value` if it is known and small."""

    argument: str
    node: int | None
    shape: tuple[int, ...] | None = None
    dtype: Any = None
    name: str = ""
    value: Array | float | None = None


@dataclass(slots=True)
class Node:
    """An operation, or a leaf (`operation` empty). `name` is the variable or the parameter, "" if it has none."""

    operation: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    name: str = ""
    seq: int = 0
    parameter: bool = False
    inputs: tuple[Input, ...] = ()
    settings: str = ""
    value: Array | None = None
    gradient: Array | None = None
    norm: float | None = None  # of the gradient
    freed: bool = False  # whether a backward pass has let go of what the operation kept

    @property
    def unknown(self) -> bool:
        """Whether there would be a value to show, had a backward pass not let go of it."""
        return self.freed and self.value is None and math.prod(self.shape) <= SMALL

    @property
    def title(self) -> str:
        """What it is, and the name that its result has."""
        if self.operation:
            return f"{self.name} = {self.operation}" if self.name else self.operation
        return self.name or ("parameter" if self.parameter else "tensor")


def read(caller: str, results: Sequence[Tensor], names: Names, variables: Iterable[Any] = ()) -> tuple[list[Node], list[int]]:
    """The nodes behind the results, and the results' own indices. Tensors among the `variables` tell values and kept gradients.

    Operations come youngest first, then leaves in the order in which they are met: what takes a node stands before it. Works on a
    graph that was freed, too; only saved values are gone then.
    Errors: InputTypeError for what is no Tensor, GraphError for one without a graph that does not require grad.
    """
    for result in results:
        if not isinstance(result, Tensor):
            raise InputTypeError(f"{caller}: loss must be a Tensor or a list of Tensors, got {type(result).__name__}")
        if not result.requires_grad:
            raise GraphError(
                f"{caller}: the tensor (shape {result.shape}) has no graph: nothing that it was made of requires grad, or it was made "
                "under no_grad(), or detached"
            )
    reading = _Reading(results, names, [value for value in variables if isinstance(value, Tensor)])
    if len(reading.steps) <= _REPLAYED:
        reading.replay_values()
        reading.replay_gradients()
    return reading.nodes, [reading.index[id(result.step or result)] for result in results]


class _Reading:
    def __init__(self, results: Sequence[Tensor], names: Names, held: Sequence[Tensor]):
        self.names = names
        self.held = {tensor.step: tensor for tensor in (*held, *results) if tensor.step is not None}
        self.steps, self.leaves = _behind(results)
        self.index = {id(node): i for i, node in enumerate([*self.steps, *self.leaves])}
        self.settings: dict[Record, str] = {}
        self.nodes: list[Node] = []
        self.values: dict[int, Array] = {}  # by index, of small tensors
        specs = {id(result.step): (result.shape, result.dtype) for result in results}
        for step in self.steps:
            self._know_saved(step)
            self.nodes.append(self._operation(step, *specs.pop(id(step)), specs))
        for leaf in self.leaves:
            self._know(leaf, leaf.array)
            self.nodes.append(self._leaf(leaf))
        for i, value in self.values.items():
            self.nodes[i].value = value.copy()

    def _name(self, thing: Any) -> str:
        """The name of a leaf, of what a step made, or of an array, on one line; "" if it has none."""
        return " ".join((self.names.of(thing) or "").split())

    def _know(self, node: Step | Tensor, value: Any) -> None:
        if value.size <= SMALL:
            self.values.setdefault(self.index[id(node)], value)

    def _know_saved(self, step: Step) -> None:
        """Values that the step kept: its output, and outputs of steps that it takes; and the one that a variable holds."""
        tensor = self.held.get(step)
        if tensor is not None and not _written(tensor, step):
            self._know(step, tensor.array)
        record = step.record
        for position, value in zip(record.keep, () if _stale(step) else step.saved or (), strict=False):
            if position == record.output:
                self._know(step, value)
            elif position in record.tracked:
                self._know(step.edges[record.tracked.index(position)], value)

    def _operation(self, step: Step, shape: tuple[int, ...], dtype: Any, specs: dict[int, Any]) -> Node:
        """The node of a step. The shapes of what it takes are noted in `specs`."""
        record = step.record
        edges = dict(zip(record.tracked, step.edges, strict=True))
        for position, edge in edges.items():
            specs[id(edge)] = record.plan.specs[position]
        if record not in self.settings:
            self.settings[record] = _settings(record, shape)
        kept = self.held[step].grad if step in self.held else None
        return Node(
            step.name,
            shape,
            dtype,
            self._name(step),
            step.seq,
            inputs=tuple(filter(None, (self._input(step, position, edges) for position in range(len(record.plan.specs))))),
            settings=", ".join(filter(None, [self.settings[record], _live(step)])),
            gradient=_small(kept),
            norm=_norm(kept),
            freed=step.saved is None and getattr(step, "recompute", None) is None,
        )

    def _input(self, step: Step, position: int, edges: dict[int, Step | Tensor]) -> Input | None:
        record = step.record
        argument, spec = step.op.input_name(position), record.plan.specs[position]
        if position in edges:
            return Input(argument, self.index[id(edges[position])])
        known = step.saved is not None and position in record.keep
        value = step.saved[record.keep.index(position)] if known and step.saved else None
        if spec is not None:
            shown = None if value is None or value.size > SMALL or _stale(step) else value.copy()
            return Input(argument, None, *spec, name=self._name(value), value=shown)
        if value is None and (known or (step.op.sequence is None and step.op.default(argument) is None)):
            return None  # an argument that was left out
        return Input(argument, None, value=None if value is None else float(value))

    def _leaf(self, leaf: Tensor) -> Node:
        gradient = leaf.grad
        return Node(
            "",
            leaf.shape,
            leaf.dtype,
            self._name(leaf),
            parameter=isinstance(leaf, Parameter),
            gradient=_small(gradient),
            norm=_norm(gradient),
        )

    # ---- what nobody kept

    def replay_values(self) -> None:
        """Compute small outputs that nobody kept from values that are known, oldest first. If one comes out otherwise than it was kept,
        leaves were given other values meanwhile: then none is taken."""
        computed = []
        for i in reversed(range(len(self.steps))):
            step, inputs = self.steps[i], None
            if math.prod(self.nodes[i].shape) <= SMALL and step.op.finish is None and not _stale(step):
                inputs = self._inputs(step)
            if inputs is None or (step.op.live and not step.live):
                continue
            made = step.record.plan.forward(inputs, step.live)
            value = made[0] if step.record.plan.residual else made
            if i not in self.values:
                computed.append(i)
                self.values[i] = value
            elif not np.array_equal(value, self.values[i], equal_nan=True):
                for j in computed:
                    del self.values[j]
                return
        for i in computed:
            self.nodes[i].value = self.values[i].copy()

    def _inputs(self, step: Step) -> list[Any] | None:
        """The values of all inputs as they were, or None where one is unknown."""
        record = step.record
        saved = dict(zip(record.keep, step.saved or (), strict=False))
        edges = dict(zip(record.tracked, step.edges, strict=True))
        found = []
        for position in range(len(record.plan.specs)):
            edge = edges.get(position)
            if position in saved:
                found.append(saved[position])
            elif edge is not None and not _written(edge, step) and self.index[id(edge)] in self.values:
                found.append(self.values[self.index[id(edge)]])
            else:
                return None
        return found

    def replay_gradients(self) -> None:
        """Once a backward pass has left gradients at leaves, and if no hook could change them: run the rules again between small
        operations, for the gradients of the single result at them, as far as values are known."""
        passed = any(node.norm is not None for node in self.nodes[len(self.steps) :])
        if not passed or not self.steps or self.nodes[0].shape != () or any(step.hooks for step in self.steps):
            return
        gradients: dict[int, Array] = {0: np.ones((), self.nodes[0].dtype)}
        unknown: set[int] = set()
        for i, step in enumerate(self.steps):
            targets = [self.index[id(edge)] for edge in step.edges]
            if i not in unknown and self.nodes[i].gradient is None:
                self.nodes[i].gradient = gradients[i].copy()
            saved = None if i in unknown else self._saved(step, i)
            if saved is None:
                unknown.update(targets)
                continue
            for rule, to in zip(step.record.rules, targets, strict=True):
                if to < len(self.steps) and math.prod(self.nodes[to].shape) <= SMALL:
                    gradient = rule(gradients[i], saved, step.live)
                    gradients[to] = gradients[to] + gradient if to in gradients else gradient
                else:
                    unknown.add(to)

    def _saved(self, step: Step, i: int) -> Sequence[Any] | None:
        """What the rules of a step need, as it was kept or from values that are known; None if something is missing."""
        if _stale(step) or step.op.finish is not None or (step.op.live and not step.live) or math.prod(self.nodes[i].shape) > SMALL:
            return None
        if step.saved is not None:
            return step.saved
        inputs, record = self._inputs(step), step.record
        if inputs is None or i not in self.values or any(position > record.output for position in record.keep):
            return None
        values = [*inputs, self.values[i]]
        return [values[position] for position in record.keep]


def _behind(results: Sequence[Tensor]) -> tuple[list[Step], list[Tensor]]:
    """All steps behind the results, youngest first, and the leaves in the order in which these take them."""
    todo: list[Step | Tensor] = [result.step or result for result in results]
    steps: set[Step] = set()
    while todo:
        node = todo.pop()
        if isinstance(node, Step) and node not in steps:
            steps.add(node)
            todo.extend(node.edges)
    ordered = sorted(steps, key=lambda step: -step.seq)
    taken = (edge for step in ordered for edge in step.edges)
    leaves = {
        id(leaf): leaf for leaf in (*(result for result in results if result.step is None), *taken) if isinstance(leaf, Tensor)
    }
    return ordered, list(leaves.values())


def _written(edge: Step | Tensor, step: Step) -> bool:
    """Whether a tensor was written in place after a step took or made it."""
    return isinstance(edge, Tensor) and edge.stamp is not None and edge.stamp.written > step.seq


def _stale(step: Step) -> bool:
    """Whether something that a step saved was written in place afterwards."""
    return any(stamp.written > step.seq for stamp in step.stamps)


def _small(gradient: Tensor | None) -> Array | None:
    return None if gradient is None or gradient.array.size > SMALL else gradient.array.copy()


def _norm(gradient: Tensor | None) -> float | None:
    return None if gradient is None else euclidean_norm(gradient.array)


def _settings(record: Record, shape: tuple[int, ...]) -> str:
    """The settings of an operation that are not its defaults, and say more than the shape of its output."""
    operation = record.plan.op
    pairs = zip(operation.attributes, record.plan.attrs, strict=True)
    return ", ".join(
        f"{name}={value}"
        for name, value in pairs
        if not isinstance(value, np.dtype) and value != operation.default(name) and value != shape
    )


def _live(step: Step) -> str:
    """The index of an operation that takes one, if it is made of numbers and slices."""
    pairs = zip(step.op.live, step.live, strict=False)
    return ", ".join(f"{name}=[{text}]" for name, value in pairs if (text := _index(value)))


def _index(value: Any) -> str:
    if isinstance(value, tuple):
        parts = [_index(part) for part in value]
        return ", ".join(parts) if all(parts) else ""
    if isinstance(value, slice):
        ends = ["" if end is None else str(end) for end in (value.start, value.stop)]
        return ":".join(ends if value.step is None else [*ends, str(value.step)])
    return "..." if value is ... else str(value) if value is None or isinstance(value, (int, np.integer)) else ""
