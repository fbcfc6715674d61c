"""The operations behind a result: watched while they run, or run again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...core import Step, Tensor, Watcher, watching
from ...core.plan import Plan
from ...core.tensor import Array
from ...errors import ArgumentError, GraphError

__all__ = ["Ran", "recorded", "replayed"]


class Ran(NamedTuple):
    """An operation that ran: on what, what it made, and the step that was recorded."""

    plan: Plan
    inputs: tuple[Any, ...]
    y: Tensor
    step: Step | None
    values: Array  # of y, as they were then


class _Watch(Watcher):
    def __init__(self) -> None:
        self.ran: list[Ran] = []

    def forward(self, plan: Plan, inputs: Sequence[Any], y: Tensor) -> None:
        self.ran.append(Ran(plan, tuple(inputs), y, y.step, y.array.copy()))


def recorded(run: Callable[[], Any]) -> tuple[Any, list[Ran]]:
    """The result of a computation, and the operations that ran in it."""
    watch = _Watch()
    with watching(watch):
        result = run()
    return result, watch.ran


def replayed(result: Tensor, known: Sequence[Tensor]) -> list[Ran]:
    """The operations behind a result that was computed before, each run again on what its inputs are now.

    A constant that its step did not keep is looked for among the Tensors that are `known`.
    Errors: GraphError for a tensor without a graph; ArgumentError if a constant is not found.
    """
    if result.step is None:
        raise GraphError("explore: this tensor has no graph: nothing that it was made of requires grad, or it is an input itself")
    steps = _steps(result.step)
    values = _kept(steps) | {result.step: result.array}
    made: dict[Step, Tensor] = {}
    constants: dict[int, Tensor] = {}
    ran = []
    for step in steps:
        inputs = tuple(_given(step, position, made, constants) for position in range(len(step.record.plan.specs)))
        if _LOST in inputs:
            inputs = _found(step, inputs, values.get(step), known)
        made[step] = result if step is result.step else Tensor(_run(step, inputs), requires_grad=True)
        ran.append(Ran(step.record.plan, inputs, made[step], step, made[step].array))
    return ran


def _steps(end: Step) -> list[Step]:
    """A step and all before it, in their order."""
    steps: dict[Step, None] = {}
    waiting = [end]
    while waiting:
        step = waiting.pop()
        if step not in steps:
            steps[step] = None
            waiting += [edge for edge in step.edges if isinstance(edge, Step)]
    return sorted(steps, key=lambda step: step.seq)


def _kept(steps: Sequence[Step]) -> dict[Step, Array]:
    """What steps made, as far as they or those after them kept it."""
    values: dict[Step, Array] = {}
    for step in steps:
        record, saved = step.record, step.saved
        if saved is None:
            continue
        if record.keeps_output:
            values[step] = saved[record.keep.index(record.output)]
        for edge, position in zip(step.edges, record.tracked, strict=True):
            if isinstance(edge, Step) and position in record.keep:
                values[edge] = saved[record.keep.index(position)]
    return values


def _run(step: Step, inputs: Sequence[Any]) -> Array:
    plan = step.record.plan
    values = plan.forward([x.array if isinstance(x, Tensor) else x for x in inputs], step.live)
    return np.asarray(values[0] if plan.residual else values)


_LOST = object()


def _given(step: Step, position: int, made: Mapping[Step, Tensor], constants: dict[int, Tensor]) -> Any:
    """What a step took: what an earlier one made, a leaf, or a constant that it kept; else _LOST."""
    record = step.record
    if position in record.tracked:
        edge = step.edges[record.tracked.index(position)]
        return made[edge] if isinstance(edge, Step) else edge
    spec = record.plan.specs[position]
    if position in record.keep and step.saved is not None:
        value = step.saved[record.keep.index(position)]
        return value if spec is None else constants.setdefault(id(value), Tensor(value))
    if spec is None and step.op.sequence is None and step.op.default(step.op.inputs[position]) is None:
        return None
    return _LOST


def _found(step: Step, inputs: tuple[Any, ...], made: Array | None, known: Sequence[Tensor]) -> tuple[Any, ...]:
    """What a step took, with the constant that it did not keep: of those known, the one of which it makes what it made then, bit for bit."""
    position = inputs.index(_LOST)
    spec = step.record.plan.specs[position]

    def tried(constant: Tensor) -> tuple[Any, ...]:
        return (*inputs[:position], constant, *inputs[position + 1 :])

    if made is not None and inputs.count(_LOST) == 1:
        alike = [x for x in known if not x.requires_grad and (x.shape, x.dtype) == spec]
        fits = {id(x.array): x for x in alike if _run(step, tried(x)).tobytes() == made.tobytes()}
        if fits:
            first = next(iter(fits.values()))
            return tried(first if len(fits) == 1 else Tensor(first.array.copy()))  # of equal ones nobody knows which it was
    raise ArgumentError(
        f"explore: {step.name} took {step.op.input_name(position)}, which needs no gradient, its value was not kept "
        "(or a backward pass has let go of it), and no variable here has it; hand in what computes the result in place of the result: "
        "explore(model, X, target=Y, loss=nn.MSELoss()), or a function, explore(lambda: ((model(X) - Y) ** 2).mean())"
    )
