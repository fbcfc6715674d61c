"""The backward pass step by step, as records: each rule as it runs, with what comes in, what goes out, and where to."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import Parameter
from math import prod
from typing import Any

import numpy as np

from ...autograd.recompute import steps_behind
from ...core import Elementwise, Step, Tensor, Watcher, grad, retaining, watching
from ...core.tensor import Array
from ...display import Block, Document, Pre, Table, Text
from ...errors import GraphError, InputTypeError
from ..naming import Names, variables
from ..values import Snapshot
from .matrices import equation
from .rule_text import formula_text, rule_text
from .worked import worked

__all__ = ["BackwardStep", "BackwardTrace", "HandedOn", "trace_backward"]

ENDS = 12  # steps that are printed from the beginning, and from the end
WIDTH = 110  # columns; what is longer is written below one another


@dataclass(frozen=True)
class HandedOn:
    """What a step hands to one of its inputs, and where it goes (`to`): by which `rule`, as its source has it, and by which `formula`, as
    the operation's docstring has it (the source where that is one).

    For operations that map over elements or make a single one, `local` is the local derivative (the rule at g = 1), and `outgoing` is
    local times incoming, summed where the input was broadcast. `worked` is a formula of matrices: in letters, then signs and arrays.
    `waiting` is what other steps have handed there before, `total` the sum. Of large arrays, both are None, and `added` says whether
    something waited.
    """

    to: str
    argument: str
    rule: str
    formula: str
    outgoing: Snapshot
    local: Snapshot | None = None
    added: bool = False
    waiting: Snapshot | None = None
    total: Snapshot | None = None
    worked: tuple[str | Array, ...] = field(default=(), compare=False)


@dataclass
class BackwardStep:
    """A step as backward visits it: what it made (`output`) and how (`call`), the gradient that came in, and what is handed on.

    `kept` are the values that the forward pass kept for the rules, as far as they are small. `hooked`: a hook saw the gradient, and may have
    changed it.
    """

    number: int
    output: str
    operation: str
    call: str
    incoming: Snapshot
    kept: dict[str, Snapshot]
    hooked: bool
    handed_on: list[HandedOn] = field(default_factory=list)

    def lines(self, root: str) -> list[str]:
        """The step as a worked exercise."""
        head = f"{self.number:>3}  {self.output} = {self.call}"
        kept = [f"{name} = {value}" for name, value in self.kept.items()]
        given = f"{head}   with {', '.join(kept)}" if kept else head
        lines = [given] if len(given) <= WIDTH else [head, *(f"     with {value}" for value in kept)]
        lines.append(
            f"     d{root}/d{self.output} = {_seen(self.incoming)}" + "   (a hook saw it, and may have changed it)" * self.hooked
        )
        places = max((len(part.to) for part in self.handed_on), default=0)
        rules = max((len(part.formula) for part in self.handed_on if _is_short(part.formula)), default=0)
        return [*lines, *(line for part in self.handed_on for line in _lines(part, self.incoming, places, rules))]


def _is_short(rule: str) -> bool:
    return len(rule) <= WIDTH // 3 and "\n" not in rule


def _lines(part: HandedOn, incoming: Snapshot, places: int, rules: int) -> Iterator[str]:
    """One line, if it is short, else one for each of its parts; places and rules in columns that wide."""
    head, there = f"       → {part.to:<{places}}   ", _sum(part)
    worked = _worked(part, WIDTH - len(head))
    result = "" if worked and part.local is None else _result(part, incoming)
    line = f"{head}{part.formula:<{rules}}   {result}{'   ' * bool(there)}{there}"
    if not worked and _is_short(part.formula) and len(line) <= WIDTH:
        yield line
        return
    first, *rest = part.formula.splitlines()
    yield head + first
    yield from (" " * len(head) + text for text in (*rest, *worked, result, there) if text)


def _result(part: HandedOn, incoming: Snapshot) -> str:
    if part.local is None:
        return f"{incoming.shape} to {part.outgoing.shape}: {part.outgoing}"
    summed = "" if part.local.shape == part.outgoing.shape else f", summed to {part.outgoing.shape}"
    return f"{part.local} × {incoming}{summed} = {part.outgoing}"


def _worked(part: HandedOn, width: int) -> list[str]:
    """The formula with its numbers, if it is one of matrices and not too wide."""
    value = (part.local or part.outgoing).values
    if not part.worked or value is None:
        return []
    left, *middle = part.worked
    if any(
        isinstance(sign, str) and sign == "·" for sign in middle
    ):  # a product of matrices is one, even if it belongs to a vector
        value = value.reshape(len(middle[0]), -1)
    return equation(str(left), middle, value, width)


def _sum(part: HandedOn) -> str:
    if part.waiting is not None:
        return f"added there: {part.waiting} + {part.outgoing} = {part.total}"
    return "added to what waits there" if part.added else ""


def _seen(value: Snapshot) -> str:
    return str(value) if value.values is not None else f"{value} {value.shape}"


@dataclass(frozen=True, repr=False)
class BackwardTrace(Document):
    """What `trace_backward` saw: `steps` in the order of the pass, and `gradients`, those of the leaves, by name."""

    root: str
    steps: tuple[BackwardStep, ...]
    gradients: dict[str, Snapshot]

    title = "Backward pass"

    def blocks(self) -> Sequence[Block]:
        count = f"{len(self.steps):,} step{'s' * (len(self.steps) != 1)}"
        how = (
            "Each step: what the forward pass computed (y), the gradient that comes in (g), and to each input (→) the rule and the gradient "
            "that goes out. Of an operation on elements, and of one whose output is a single number, that is written as local derivative × "
            "incoming gradient; small products of matrices are written out."
        )
        rows = [[name, str(g.shape), str(g), g.statistics.norm] for name, g in self.gradients.items()]
        leaves = Table(["Leaf", "Shape", f"d{self.root}/dleaf", "Norm"], rows, title="Gradients of the leaves")
        return [Text(f"From {self.root} back to the leaves, {count}", 3), Text(how), Pre("\n".join(self._lines())), leaves]

    def _lines(self) -> Iterator[str]:
        for step in self.steps[:ENDS]:
            yield from step.lines(self.root)
        between = len(self.steps) - 2 * ENDS
        if between > 0:
            yield f"  ⋮  {between:,} more steps between (steps, to_dict() and to_json() have them)"
        for step in self.steps[max(ENDS, len(self.steps) - ENDS) :]:
            yield from step.lines(self.root)

    def to_dict(self) -> dict[str, Any]:
        return {
            "root": self.root,
            "steps": [_plain(step) for step in self.steps],
            "gradients": {name: g.to_dict() for name, g in self.gradients.items()},
        }


def _plain(value: Any) -> Any:
    """A record, and what it holds, as plain data; of a small array the values are all there is to say."""
    if isinstance(value, Snapshot):
        return value.to_dict() if value.values is None else {"shape": list(value.shape), "values": value.values.tolist()}
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, (BackwardStep, HandedOn)):
        return {name: _plain(part) for name, part in vars(value).items()}
    return value


def trace_backward(
    loss: Tensor,
    *,
    gradient: Any = None,
    names: Mapping[str, Tensor] | None = None,
    model: Callable[..., Any] | None = None,
    limit: int = 6,
) -> BackwardTrace:
    """Run the backward pass and list its steps, in the order in which it visits them: what comes in, the rules, what goes out.

    Nothing is changed: the graph stays for the real `loss.backward()`, and no `.grad` is touched (hooks run, as in any pass). `gradient` is
    dL/dloss, as for backward. Tensors are called by `names`, by the parameters' names in `model`, by the caller's variables, else by
    operation and number (mul_2). Values are shown of arrays up to `limit` elements.
    Errors: InputTypeError for what is no Tensor; GraphError without a graph, or after it was freed, or without `gradient` for a loss of more
    than one element.

        >>> a, b = mg.tensor(2.0, requires_grad=True), mg.tensor(-3.0, requires_grad=True)
        >>> step = mg.inspect.trace_backward(a * b, names={"a": a, "b": b}).steps[0]
        >>> [f"{part.to}: {part.rule} = {part.outgoing}" for part in step.handed_on]
        ['a: g * b = -3', 'b: g * a = 2']
    """
    _check(loss, gradient)
    known = Names("trace_backward", names, model, variables(sys._getframe(1)))
    steps = steps_behind([loss])
    for step in steps:
        if step.saved is None and getattr(step, "recompute", None) is None:
            raise GraphError(
                f"trace_backward: the graph was freed by an earlier backward pass (at {step.name}); trace before it, or pass "
                "retain_graph=True to it"
            )
    called: dict[Any, str] = dict(known.of_steps(steps))
    leaves = list({edge: None for step in steps for edge in step.edges if isinstance(edge, Tensor)}) or [loss]
    for n, leaf in enumerate(leaves, 1):
        called[leaf] = known.of(leaf) or f"leaf_{n}"
    seen = _Seen(called, known, limit)
    kept = [(tensor, tensor.grad) for step in steps for tensor in retaining(step)]
    try:
        with watching(seen), np.errstate(all="ignore"):
            found = grad([loss], leaves, None if gradient is None else [gradient], retain_graph=True)
    finally:
        for tensor, before in kept:
            tensor.grad = before
    gradients = {called[leaf]: Snapshot(g.array, limit) for leaf, g in zip(leaves, found, strict=True) if g is not None}
    return BackwardTrace(called[loss.step or loss], tuple(seen.steps), gradients)


def _check(loss: Any, gradient: Any) -> None:
    if not isinstance(loss, Tensor):
        raise InputTypeError(f"trace_backward: loss must be a Tensor, got {type(loss).__name__}")
    if not loss.requires_grad:
        raise GraphError("trace_backward: the loss does not require grad and has no graph behind it")
    if gradient is None and loss.numel() != 1:
        raise GraphError(
            f"trace_backward: gradient can be left out only for a loss of one element; this one has shape {loss.shape}: reduce it "
            "(.sum(), .mean()) or pass gradient="
        )


class _Seen(Watcher):
    """Who looks on while the rules run."""

    def __init__(self, called: Mapping[Any, str], names: Names, limit: int):
        self.called, self.names, self.limit = called, names, limit
        self.steps: list[BackwardStep] = []
        self._at: Step | None = None
        self._waiting: dict[Any, Array | None] = {}  # at each edge the sum so far; None for a large one

    def rule(self, step: Step, k: int, g: Any, saved: Sequence[Any], gradient: Any) -> None:
        if step is not self._at:
            self._at = step
            self._waiting.pop(step, None)
            self.steps.append(self._visited(step, g, saved))
        edge, plan = step.edges[k], step.record.plan
        small = gradient.size <= self.limit
        added, before = edge in self._waiting, self._waiting.get(edge)
        total = gradient if before is None else np.asarray(before + gradient)
        self._waiting[edge] = total if small else None
        part = HandedOn(
            self.called[edge],
            plan.op.input_name(step.record.tracked[k]),
            rule_text(step, k),
            formula_text(step, k),
            Snapshot(gradient, self.limit),
            self._local(step, k, g, saved),
            added,
            None if before is None else Snapshot(before, self.limit),
            None if before is None else Snapshot(total, self.limit),
            worked(step, k, g, saved, self.limit) if small else (),
        )
        self.steps[-1].handed_on.append(part)

    def _visited(self, step: Step, g: Any, saved: Sequence[Any]) -> BackwardStep:
        names = dict(zip(step.record.keep_names, saved, strict=False))
        kept = {"y" if name == "its output" else name: value for name, value in names.items() if isinstance(value, np.ndarray)}
        small = {name: Snapshot(value, self.limit) for name, value in kept.items() if value.size <= self.limit}
        number, call = len(self.steps) + 1, self._call(step, names)
        hooked = len(step.hooks or ()) > len(retaining(step))
        return BackwardStep(number, self.called[step], step.name, call, Snapshot(g, self.limit), small, hooked)

    def _call(self, step: Step, kept: Mapping[str, Any]) -> str:
        """The operation and its arguments, as far as the step knows of them."""
        plan, tracked = step.record.plan, step.record.tracked
        words = []
        for i, spec in enumerate(plan.specs):
            name = plan.op.input_name(i)
            if i in tracked:
                word = self.called[step.edges[tracked.index(i)]]
            elif spec is not None:
                word = self.names.of(kept.get(name)) or f"constant {spec[0]}"
            elif kept.get(name) is not None:
                word = f"{kept[name]:.10g}"
            elif plan.op.default(name) is Parameter.empty:
                word = "…"  # a number that no rule needs
            else:
                continue
            words.append(f"{name}={word}")
        settings = zip(plan.op.attributes, plan.attrs, strict=True)
        words += [f"{name}={value}" for name, value in settings if value != plan.op.default(name)]
        return f"{step.name}({', '.join(words)})"

    def _local(self, step: Step, k: int, g: Any, saved: Sequence[Any]) -> Snapshot | None:
        """The rule at g = 1, for an operation on elements, and for one that makes a single element."""
        record, plan = step.record, step.record.plan
        if isinstance(plan.op, Elementwise):
            if prod(plan.shape) > self.limit:
                return None
            local = np.asarray(record.formula(k)(np.ones(plan.shape, plan.dtype), saved, step.live))
            return Snapshot(np.broadcast_to(local, plan.shape).astype(plan.dtype), self.limit)
        if g.size > 1 or prod(record.targets[k][0]) > self.limit or plan.op.live:
            return None
        return Snapshot(record.by_formula(k)(np.ones_like(g), saved, step.live), self.limit)
