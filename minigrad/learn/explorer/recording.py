"""A computation as a list of nodes that a page can compute again: leaves with their numbers, operations with what they take."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ...core import Elementwise, Op, Step, Tensor, Watcher, watching
from ...core.plan import Plan
from ...core.tensor import Array
from ...errors import ArgumentError, GraphError
from ...inspect.naming import Names
from ...inspect.tracing.rule_text import formula_text
from .javascript import COMPARISONS, javascript

__all__ = ["KINDS", "Node", "Ran", "Recording", "recorded", "replayed"]

MOST_NODES, MOST_NUMBERS = 150, 4096
# What the page computes by itself beside maps over elements: the settings that it is told, and what the others must be.
KINDS: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
    "sum": ({"dim": "dim", "keepdim": "keepdim"}, {}),
    "mean": ({"dim": "dim", "keepdim": "keepdim"}, {}),
    "amax": ({"dim": "dim", "keepdim": "keepdim"}, {}),
    "amin": ({"dim": "dim", "keepdim": "keepdim"}, {}),
    "logsumexp": ({"dim": "dim", "keepdim": "keepdim"}, {}),
    "matmul": ({}, {}),
    "linear": ({}, {}),
    "softmax": ({"dim": "dim", "temperature": "temperature"}, {}),
    "log_softmax": ({"dim": "dim", "temperature": "temperature"}, {}),
    "cross_entropy": ({"reduction": "reduction"}, {"label_smoothing": 0.0}),
    "nll_loss": ({"reduction": "reduction"}, {}),
    "layer_norm": ({"normalized_shape": "over", "eps": "eps"}, {}),
}
# Operations that readers call otherwise.
_PUBLIC = {"pow_scalar": "pow", "taken_rows": "embedding", "pick": "max(dim), min(dim) or gather"}
_COPIES = frozenset({"clone", "contiguous"})
_MOVES = frozenset({"minigrad.ops.shape", "minigrad.ops.arranging", "minigrad.ops.joining", "minigrad.ops.indexing"})


class Ran(NamedTuple):
    """An operation that ran: on what, what it made, and the step that was recorded."""

    plan: Plan
    inputs: tuple[Any, ...]
    y: Tensor
    step: Step | None
    values: Array  # of y, as they were then


@dataclass
class Node:
    """A leaf (operation empty), or an operation; `inputs` are nodes by number, plain numbers, or None."""

    name: str
    shape: tuple[int, ...]
    values: Array
    operation: str = ""
    formula: str = ""
    wants: bool = False
    moves: bool = False  # a leaf whose numbers may be any; not indices, nor true and false
    inputs: list[dict[str, Any] | None] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)  # rules in words, "" where nothing goes
    program: dict[str, Any] = field(default_factory=dict)  # what the page needs to compute it


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


class Recording:
    """The nodes behind a result, inputs before what takes them."""

    def __init__(self, result: Tensor, ran: Sequence[Ran], names: Names):
        self.names = names
        self.made = {id(one.y): one for one in ran}
        self.nodes: list[Node] = []
        self.rules: list[str] = []  # JavaScript of maps and their rules
        self.index: dict[int, int] = {}
        self._counts: dict[str, int] = {}
        self._add(result)
        numbers = sum(node.values.size for node in self.nodes)
        if len(self.nodes) > MOST_NODES or numbers > MOST_NUMBERS:
            raise ArgumentError(
                f"explore: {len(self.nodes)} nodes with {numbers:,} numbers are too many to look at one by one "
                f"(at most {MOST_NODES} and {MOST_NUMBERS:,}); take a smaller network, or fewer samples, or minigrad.inspect.graph"
            )

    def _add(self, result: Tensor) -> None:
        """A tensor and all that it is made of, without recursion."""
        waiting = [result]
        while waiting:
            tensor = waiting[-1]
            if id(tensor) in self.index:
                waiting.pop()
                continue
            ran = self.made.get(id(tensor))
            missing = [x for x in (ran.inputs if ran else ()) if isinstance(x, Tensor) and id(x) not in self.index]
            if missing:
                waiting += reversed(missing)
                continue
            self.index[id(tensor)] = len(self.nodes)
            self.nodes.append(self._leaf(tensor) if ran is None else self._operation(ran))
            waiting.pop()

    def _leaf(self, tensor: Tensor) -> Node:
        if tensor.step is not None:
            raise ArgumentError(
                f"explore: {tensor.step.name} was computed before; hand in a function that computes everything, or the result of all of it"
            )
        name = self.names.of(tensor) or self.names.of(tensor.array) or self._numbered("tensor")
        return Node(
            name, tensor.shape, np.array(tensor.array, np.float64), wants=tensor.requires_grad, moves=tensor.dtype.kind == "f"
        )

    def _numbered(self, word: str) -> str:
        self._counts[word] = self._counts.get(word, 0) + 1
        return f"{word} {self._counts[word]}"

    def _operation(self, ran: Ran) -> Node:
        plan, inputs, y, step, values = ran
        if not np.array_equal(values, y.array, equal_nan=values.dtype.kind == "f"):
            raise ArgumentError(f"explore: what {plan.op.name} made was written to in place; write that part without")
        operation = plan.op
        public = _public(operation)
        name = self.names.of(step or y) or self._numbered(public)
        node = Node(name, y.shape, np.array(y.array, np.float64), public, wants=y.requires_grad)
        node.inputs = [self._input(x) for x in inputs]
        node.texts = _texts(step, len(inputs))
        attrs = dict(zip(operation.attributes, plan.attrs, strict=True))
        node.program = self._map(operation, inputs, attrs) if isinstance(operation, Elementwise) else self._other(ran, attrs)
        node.formula = _formula(node, self.nodes, attrs)
        return node

    def _input(self, x: Any) -> dict[str, Any] | None:
        if isinstance(x, Tensor):
            return {"node": self.index[id(x)]}
        return None if x is None else {"number": float(x)}

    # ---- how the page computes it

    def _map(self, operation: Elementwise[Any], inputs: Sequence[Any], attrs: Mapping[str, Any]) -> dict[str, Any]:
        """A map over elements: its formula and rules in JavaScript."""
        constants = {name: value for name, value in attrs.items() if name != "reduction"}
        try:
            forward = self._code(operation.formula, operation.inputs, {**constants, **_reduction(operation)})
            rules = []
            for argument in operation.inputs:
                rule = operation.rules.get(argument)
                symbols = [name for name in rule.needs if name in ("g", "y", *operation.inputs)] if rule else []
                fixed = {name: constants[name] for name in rule.needs if name in constants} if rule else {}
                rules.append({"code": self._code(rule.function, symbols, fixed), "needs": symbols} if rule else None)
        except (TypeError, AttributeError, KeyError) as error:
            raise ArgumentError(f"explore: the page cannot compute {operation.name}: {error}") from error
        return {"map": forward, "rules": rules, "arguments": operation.inputs, "reduction": attrs.get("reduction", "none")}

    def _code(self, rule: Callable[..., Any], symbols: Sequence[str], constants: Mapping[str, Any]) -> int:
        return self._entered(javascript(rule, symbols, constants))

    def _entered(self, text: str) -> int:
        if text not in self.rules:
            self.rules.append(text)
        return self.rules.index(text)

    def _other(self, ran: Ran, attrs: Mapping[str, Any]) -> dict[str, Any]:
        operation = ran.plan.op
        if operation.name in KINDS:
            told, fixed = KINDS[operation.name]
            for name, value in fixed.items():
                if attrs.get(name, value) != value:
                    raise ArgumentError(f"explore: the page cannot compute {operation.name} with {name}={attrs[name]!r}")
            _check_shapes(ran, attrs)
            settings = {word: attrs[name] for name, word in told.items() if name in attrs}
            return {"kind": operation.name, "settings": settings, "arguments": operation.inputs}
        if operation.name in COMPARISONS:
            code = self._entered(f"(a, b) => a {COMPARISONS[operation.name]} b")
            return {"map": code, "rules": [None, None], "arguments": operation.inputs, "reduction": "none"}
        if operation.name in _COPIES or _takes_rows(operation.name, attrs) or operation.formula.__module__ in _MOVES:
            return {"kind": "pick", "settings": {"places": _places(ran, attrs)}, "arguments": operation.inputs}
        known = ", ".join(sorted(KINDS))
        raise ArgumentError(
            f"explore: the page cannot compute {_public(operation)}; it can {known}, comparisons, what moves elements, "
            "and maps over elements that are written in minigrad.notation"
        )


def _public(operation: Op[Any]) -> str:
    return _PUBLIC.get(operation.name, operation.name)


def _reduction(operation: Elementwise[Any]) -> dict[str, Any]:
    return {"reduction": "none"} if operation.reduces else {}


def _takes_rows(name: str, attrs: Mapping[str, Any]) -> bool:
    """Whether this is an embedding with the plain gradient."""
    return name == "taken_rows" and attrs == {"padding_idx": None, "scale_grad_by_freq": False}


def _check_shapes(ran: Ran, attrs: Mapping[str, Any]) -> None:
    """What the page's forms are written for. Errors: ArgumentError for others."""
    name, inputs = ran.plan.op.name, ran.inputs
    ranks = [x.ndim for x in inputs if isinstance(x, Tensor)]
    rows = "softmax" in name or name == "linear"
    if (name == "matmul" and max(ranks) > 2) or (rows and 0 in ranks) or (name == "linear" and ranks[1] != 2):
        raise ArgumentError(
            f"explore: the page cannot compute {name} of shapes {', '.join(str(x.shape) for x in inputs if x is not None)}"
        )
    if name in ("cross_entropy", "nll_loss"):
        target = inputs[1].array
        if inputs[2] is not None or target.dtype.kind not in "iu" or ranks[0] > 2 or (target == attrs["ignore_index"]).any():
            raise ArgumentError(
                f"explore: the page can compute {name} of inputs (n, K) and class indices (n,), without weights and none of them ignored; got "
                f"shapes {inputs[0].shape} and {target.shape}, {target.dtype}"
            )


def _places(ran: Ran, attrs: Mapping[str, Any]) -> list[list[int]]:
    """For each element that an operation moved: from which input, and which of its elements."""
    plan, inputs, y, step, _ = ran
    operation = plan.op
    wrong = ArgumentError(f"explore: the page cannot compute {operation.name}, which does more than to move elements")
    if not all(isinstance(x, Tensor) for x in inputs):
        raise wrong
    begins = np.cumsum([0, *(x.numel() for x in inputs)])
    marked = [np.arange(begin, begin + x.numel()).reshape(x.shape) for begin, x in zip(begins, inputs, strict=False)]
    live = dict(zip(operation.live, step.live if step is not None else (), strict=True))
    given: dict[str, Any] = {operation.sequence: marked} if operation.sequence else dict(zip(operation.inputs, marked, strict=True))
    if not operation.sequence:  # what has no rule is not moved, it says where
        given |= {name: x.array for name, x in zip(operation.inputs, inputs, strict=True) if name not in operation.rules}
    moved = np.asarray(operation.formula(**given, **attrs, **live)).ravel()
    flat = np.concatenate([x.array.ravel() for x in inputs])
    if moved.size != y.numel() or (moved.size and moved.max() >= flat.size):
        raise wrong
    if not np.array_equal(flat[moved], y.array.ravel(), equal_nan=flat.dtype.kind == "f"):
        raise wrong
    source = np.searchsorted(begins, moved, side="right") - 1
    return [source.tolist(), (moved - begins[source]).tolist()]


def _texts(step: Step | None, count: int) -> list[str]:
    """The rules in words, one for each input; empty where no gradient goes."""
    texts = [""] * count
    if step is not None:
        for k, position in enumerate(step.record.tracked):
            texts[position] = formula_text(step, k)
    return texts


_SIGNS = {"lt": "<", "le": "≤", "gt": ">", "ge": "≥", "eq": "=", "ne": "≠"}
_SIGNS |= {"add": "+", "sub": "−", "mul": "·", "div": "/", "matmul": "@", "pow": "^"}


def _formula(node: Node, nodes: Sequence[Node], attrs: Mapping[str, Any]) -> str:
    """What the operation does with what it takes, by their names."""
    parts = []
    for given in node.inputs:
        if given is not None:
            number = given.get("number")
            parts.append(nodes[given["node"]].name if number is None else f"{number:g}")
    if node.operation == "pow" and "exponent" in attrs:
        parts.append(f"{attrs['exponent']:g}")
    sign = _SIGNS.get(node.operation)
    if sign and len(parts) == 2:
        return f" {sign} ".join(f"({part})" if part.startswith("-") else part for part in parts)
    if node.operation == "neg":
        return f"−{parts[0]}"
    return f"{node.operation}({', '.join(parts)})"


def replayed(result: Tensor) -> list[Ran]:
    """The operations behind a result that was computed before, each run again on what its inputs are now.

    Errors: GraphError for a tensor without a graph; ArgumentError if a constant that an operation took was not kept.
    """
    if result.step is None:
        raise GraphError("explore: this tensor has no graph: nothing that it was made of requires grad, or it is an input itself")
    steps: dict[Step, None] = {}
    waiting = [result.step]
    while waiting:
        step = waiting.pop()
        if step not in steps:
            steps[step] = None
            waiting += [edge for edge in step.edges if isinstance(edge, Step)]
    made: dict[Step, Tensor] = {}
    ran = []
    for step in sorted(steps, key=lambda step: step.seq):
        record = step.record
        inputs = tuple(_given(step, position, made) for position in range(len(record.plan.specs)))
        arrays = [x.array if isinstance(x, Tensor) else x for x in inputs]
        values = record.plan.forward(arrays, step.live)
        made[step] = (
            result if step is result.step else Tensor(np.asarray(values[0] if record.plan.residual else values), requires_grad=True)
        )
        ran.append(Ran(record.plan, inputs, made[step], step, made[step].array))
    return ran


def _given(step: Step, position: int, made: Mapping[Step, Tensor]) -> Any:
    """What a step took: what an earlier one made, a leaf, or a constant that it kept."""
    record = step.record
    if position in record.tracked:
        edge = step.edges[record.tracked.index(position)]
        return made[edge] if isinstance(edge, Step) else edge
    spec = record.plan.specs[position]
    if position in record.keep and step.saved is not None:
        value = step.saved[record.keep.index(position)]
        return Tensor(value) if spec is not None else value
    if spec is None and step.op.sequence is None and step.op.default(step.op.inputs[position]) is None:
        return None
    raise ArgumentError(
        f"explore: {step.name} took {step.op.input_name(position)}, which needs no gradient, and its value was not kept "
        "(or a backward pass has let go of it); hand in what computes the result in place of the result: explore(model, X, target=Y, "
        "loss=nn.MSELoss()), or a function, explore(lambda: ((model(X) - Y) ** 2).mean())"
    )
