"""The operations behind a result: told of while they run, or run again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from ...autograd.recompute import tensors_in
from ...core import Step, Tensor
from ...core.mode import user_line
from ...core.plan import Plan
from ...core.recorder import telling
from ...core.tensor import Array
from ...errors import ArgumentError, GraphError

__all__ = ["Ran", "Run", "recorded", "replayed"]


class Ran(NamedTuple):
    """An operation that ran: on what, what it made, and the step that was recorded."""

    plan: Plan
    inputs: tuple[Any, ...]
    y: Tensor
    step: Step | None
    values: Array  # of y, as they were then


class Look(NamedTuple):
    """Python asked for the values of a Tensor."""

    how: str
    tensor: Tensor
    line: str


class Run:
    """What the engine tells while a function runs: its operations, of what each array was made, and where Python looked at values."""

    def __init__(self) -> None:
        self.ran: list[Ran] = []
        self.looks: list[Look] = []
        self._made: list[tuple[int, set[int]]] = []  # ids of an array and of those that it was made of, in their order
        self._held: list[Array] = []  # for the ids to stay theirs
        self._inside = 0  # calls that are taken as one, and may look at values

    def add(self, one: Ran, live: Any) -> None:
        """An operation ran."""
        self.ran.append(one)
        self.line(one.plan.op.name, one.plan.forward, (one.inputs, live), one.y)

    def following(self, moving: set[int]) -> set[int]:
        """The ids of the arrays that change when those with the ids `moving` do."""
        found = set(moving)
        for made, inputs in self._made:
            if not found.isdisjoint(inputs):
                found.add(made)
        return found

    # ---- what the engine tells

    def forward(self, plan: Plan, inputs: Sequence[Any], arrays: Sequence[Any], live: Any, made: Any, y: Tensor) -> None:
        self.add(Ran(plan, tuple(inputs), y, y.step, y.array.copy()), live)

    def rule(self, step: Step, k: int, g: Any, saved: Any, gradient: Any) -> None:
        self.line(step.name, step.record.rules[k], (g, saved, step.live), gradient)

    def line(self, name: str, call: Callable[..., Any], inputs: tuple[Any, ...], made: Any) -> None:
        given = list(_arrays(inputs))
        results = list(_arrays(made))
        self._held += given + results
        self._made += [(id(result), {id(array) for array in given}) for result in results]

    def write(self, name: str, call: Callable[..., Any], target: Array, *inputs: Any) -> None:
        self.line(name, call, inputs, target)

    def asked(self, tensor: Tensor, how: str) -> None:
        if not self._inside:
            self.looks.append(Look(how, tensor, user_line()))

    def make(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        for tensor in tensors_in((args, kwargs)):
            self.asked(tensor, function.__name__)
        with self._as_one():
            return function(*args, **kwargs)

    def call(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], kind: str) -> Any:
        with self._as_one():
            result = function(*args, **kwargs)
        given = args, list(kwargs.values())
        written = next(tensors_in(given), None) if kind == "write" else None
        self.line(getattr(function, "__name__", ""), function, given, (result, written))
        return result

    def _nothing(self, *args: Any, **kwargs: Any) -> None:
        """What else is told changes no values."""

    bind = look = use = keep = made = called = stepped = _nothing

    @contextmanager
    def _as_one(self) -> Iterator[None]:
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1


def _arrays(given: Any) -> Iterator[Array]:
    """The arrays in nested tuples and lists, those of Tensors among them."""
    if isinstance(given, np.ndarray):
        yield given
    elif isinstance(given, Tensor):
        yield given.array
    elif isinstance(given, (tuple, list)):
        for part in given:
            yield from _arrays(part)


def recorded(function: Callable[[], Any]) -> tuple[Any, Run]:
    """The result of a computation, and what ran in it."""
    run = Run()
    with telling(run):
        return function(), run


def replayed(result: Tensor, known: Sequence[Tensor]) -> Run:
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
    run = Run()
    for step in steps:
        inputs = tuple(_given(step, position, made, constants) for position in range(len(step.record.plan.specs)))
        if _LOST in inputs:
            inputs = _found(step, inputs, values.get(step), known)
        made[step] = result if step is result.step else Tensor(_run(step, inputs), requires_grad=True)
        run.add(Ran(step.record.plan, inputs, made[step], step, made[step].array), step.live)
    return run


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
