"""A computation as a list of nodes that a page can compute again: leaves with their numbers, operations with what they take."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...core import Elementwise, Step, Tensor
from ...core.tensor import Array
from ...errors import ArgumentError
from ...inspect.naming import Names
from ...inspect.tracing.rule_text import formula_text
from .javascript import COMPARISONS, javascript
from .public_names import PUBLIC, of_library, public
from .running import Ran, Run

__all__ = ["KINDS", "Node", "Recording"]

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
    "channel_moments": ({}, {}),
    "normalize_channels": ({"eps": "eps", "of_batch": "of_batch"}, {}),
}
_ABLE = (
    f"it can {', '.join(sorted(PUBLIC.get(name, name) for name in KINDS))}, comparisons, what moves elements, and maps over elements that "
    "are written in minigrad.notation"
)
_UNFOLLOWED = (
    "at places that were computed (sort, topk, median(dim) and argmax do so), which other numbers would move; max(dim) and min(dim) it can",
    "where a condition holds, which other numbers would move; mg.where(condition, a, b) chooses and keeps the shape",
)
_PLACES = {"argmax": "max", "argmin": "min"}  # what finds the places, and what takes them
_COPIES = frozenset({"clone", "contiguous"})
_MOVES = frozenset({"minigrad.ops.shape", "minigrad.ops.arranging", "minigrad.ops.joining", "minigrad.ops.indexing"})


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
    stays: bool = False  # has numbers, or takes places, that might have come of other nodes, and does not follow them
    inputs: list[dict[str, Any] | None] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)  # rules in words, "" where nothing goes
    program: dict[str, Any] = field(default_factory=dict)  # what the page needs to compute it


class Recording:
    """The nodes behind a result, inputs before what takes them."""

    def __init__(self, result: Tensor, run: Run, names: Names, again: bool = False):
        self.names = names
        self.again = again  # whether it was run again: what has no gradient may then be made of what has
        self.made = {id(one.y): one for one in run.ran}
        self.owners: dict[int, Tensor] = {}  # of arrays; other Tensors that have them are detached
        self.moving: set[int] = set()  # ids of the arrays that a slider moves
        for one in run.ran:
            self._meet(one)
        self.nodes: list[Node] = []
        self.rules: list[str] = []  # JavaScript of maps and their rules
        self.index: dict[int, int] = {}
        self._counts: dict[str, int] = {}
        self._add(result)
        self._check_followed(run)
        numbers = sum(node.values.size for node in self.nodes)
        if len(self.nodes) > MOST_NODES or numbers > MOST_NUMBERS:
            raise ArgumentError(
                f"explore: {len(self.nodes)} nodes with {numbers:,} numbers are too many to look at one by one "
                f"(at most {MOST_NODES} and {MOST_NUMBERS:,}); take a smaller network, or fewer samples, or minigrad.inspect.graph"
            )

    def _meet(self, ran: Ran) -> None:
        """Note whose arrays an operation took and made."""
        for tensor in (*ran.inputs, ran.y):
            if isinstance(tensor, Tensor):
                owner = self.owners.setdefault(id(tensor.array), tensor)
                if tensor.requires_grad and not owner.requires_grad:
                    self.owners[id(tensor.array)] = tensor

    def _add(self, result: Tensor) -> None:
        """A tensor and all that it is made of, without recursion."""
        waiting = [result]
        while waiting:
            tensor = waiting[-1]
            if id(tensor) in self.index:
                waiting.pop()
                continue
            ran = self._ran(tensor)
            owner = self.owners.get(id(tensor.array), tensor)
            needed = ran.inputs if ran else () if owner is tensor else (owner,)
            missing = [x for x in needed if isinstance(x, Tensor) and id(x) not in self.index]
            if missing:
                waiting += reversed(missing)
                continue
            self.index[id(tensor)] = len(self.nodes)
            if ran:
                self.nodes.append(self._operation(ran))
            else:
                self.nodes.append(self._leaf(tensor) if owner is tensor else self._detached(tensor, owner))
            waiting.pop()

    def _ran(self, tensor: Tensor) -> Ran | None:
        """What made a tensor, if it is known well enough to be done again: an index is kept only for the sake of a gradient."""
        ran = self.made.get(id(tensor))
        return ran if ran and (ran.step is not None or not ran.plan.op.live) else None

    def _leaf(self, tensor: Tensor) -> Node:
        if tensor.step is not None:
            raise ArgumentError(
                f"explore: {tensor.step.name} was computed before; hand in a function that computes everything, or the result of all of it"
            )
        name = self.names.of(tensor) or self.names.of(tensor.array)
        made = self.made.get(id(tensor))
        word = public(made.plan.op) if made else "tensor"
        node = Node(name or self._numbered(word), tensor.shape, np.array(tensor.array, np.float64))
        node.wants, node.moves = tensor.requires_grad, tensor.dtype.kind == "f"
        node.stays = not node.wants and (self.again or name is None)
        if node.moves:
            self.moving.add(id(tensor.array))
        return node

    def _detached(self, tensor: Tensor, owner: Tensor) -> Node:
        """The numbers of another tensor, without its gradient."""
        node = Node(self._numbered("detach"), tensor.shape, np.array(tensor.array, np.float64), "detach")
        node.inputs, node.texts = [self._input(owner)], [""]
        node.program = {"map": self._entered("(x) => x"), "rules": [None], "arguments": ["x"], "reduction": "none"}
        node.formula = _formula(node, self.nodes, {})
        return node

    def _numbered(self, word: str) -> str:
        self._counts[word] = self._counts.get(word, 0) + 1
        return f"{word} {self._counts[word]}"

    def _operation(self, ran: Ran) -> Node:
        plan, inputs, y, step, values = ran
        if not np.array_equal(values, y.array, equal_nan=values.dtype.kind == "f"):
            raise ArgumentError(f"explore: what {public(plan.op)} made was written to in place; write that part without")
        operation = plan.op
        word = _PLACES[found.plan.op.name] if (found := self._finder(ran)) else public(operation)
        name = self.names.of(step or y) or self._numbered(word)
        node = Node(name, y.shape, np.array(y.array, np.float64), word, wants=y.requires_grad)
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
            raise ArgumentError(f"explore: the page cannot compute {public(operation)}: {error}") from error
        return {"map": forward, "rules": rules, "arguments": operation.inputs, "reduction": attrs.get("reduction", "none")}

    def _code(self, rule: Callable[..., Any], symbols: Sequence[str], constants: Mapping[str, Any]) -> int:
        return self._entered(javascript(rule, symbols, constants))

    def _entered(self, text: str) -> int:
        if text not in self.rules:
            self.rules.append(text)
        return self.rules.index(text)

    def _finder(self, ran: Ran) -> Ran | None:
        """What found the places that an operation takes along an axis: argmax or argmin of the same tensor."""
        places = next(_indices(ran), None) if ran.plan.op.name == "pick" else None
        found = self.made.get(id(self.owners.get(id(places))))
        if found is None or found.plan.op.name not in _PLACES or found.inputs[0] is not ran.inputs[0]:
            return None
        return found if found.plan.attrs[0] == ran.plan.attrs[0] else None  # along the same axis

    def _check_followed(self, run: Run) -> None:
        """Note what does not follow the sliders, though it may have to. Errors: ArgumentError if it has to, as the page cannot compute it."""
        moved = run.following(self.moving)
        computed = [one.y.array for one in run.ran if one.y.dtype.kind in "biu" and id(one.y.array) in moved]
        for ran, node in self._taken():
            for index in _indices(ran):
                if id(index) in moved:
                    raise ArgumentError(f"explore: the page cannot compute {node.operation} {_UNFOLLOWED[index.dtype.kind == 'b']}")
                node.stays |= self.again or any(np.array_equal(index, places) for places in computed)
        for how, tensor, line in run.looks:
            if id(tensor.array) in moved:
                raise ArgumentError(
                    f"explore: {how} at {line} looks at the values of a Tensor of shape {tensor.shape}, which the slider moves, and the page "
                    "would not look again; keep it a Tensor, and to choose between values write mg.where(condition, a, b)"
                )

    def _taken(self) -> Iterator[tuple[Ran, Node]]:
        """The operations of nodes that take places, but for those whose places the page finds itself."""
        for number, n in self.index.items():
            ran = self.made.get(number)
            if ran is not None and self.nodes[n].operation and self._finder(ran) is None:
                yield ran, self.nodes[n]

    def _other(self, ran: Ran, attrs: Mapping[str, Any]) -> dict[str, Any]:
        operation = ran.plan.op
        if found := self._finder(ran):
            return {"kind": _PLACES[found.plan.op.name], "settings": attrs, "arguments": operation.inputs}
        if self.again and operation.name == "pick":
            raise ArgumentError(
                "explore: whether max(dim), min(dim) or gather made this result, its graph does not tell; hand in a function that computes it, "
                "explore(lambda: …)"
            )
        if not of_library(operation):
            raise ArgumentError(
                f"explore: the page cannot compute {public(operation)}, which is not one of minigrad's own; {_ABLE}"
            )
        if operation.name in KINDS:
            told, fixed = KINDS[operation.name]
            for name, value in fixed.items():
                if attrs.get(name, value) != value:
                    raise ArgumentError(f"explore: the page cannot compute {public(operation)} with {name}={attrs[name]!r}")
            if attrs.get("of_batch") and self.again:
                raise ArgumentError(
                    "explore: mean and variance are not in the graph of a batch_norm of a batch; hand in a function"
                )
            _check_shapes(ran, attrs)
            settings = {word: attrs[name] for name, word in told.items() if name in attrs}
            return {"kind": operation.name, "settings": settings, "arguments": operation.inputs}
        if operation.name in COMPARISONS:
            code = self._entered(f"(a, b) => a {COMPARISONS[operation.name]} b")
            return {"map": code, "rules": [None, None], "arguments": operation.inputs, "reduction": "none"}
        moves = operation.name == "pick" or operation.formula.__module__ in _MOVES
        if moves or operation.name in _COPIES or _takes_rows(operation.name, attrs):
            return {"kind": "pick", "settings": {"places": _places(ran, attrs)}, "arguments": operation.inputs}
        raise ArgumentError(f"explore: the page cannot compute {public(operation)}; {_ABLE}")


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
    if (rows and 0 in ranks) or (name == "linear" and ranks[1] != 2):
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


def _indices(ran: Ran) -> Iterator[Array]:
    """The arrays that say which elements an operation takes."""
    for index in ran.step.live if ran.step is not None else ():
        yield from (part for part in (index if isinstance(index, tuple) else (index,)) if isinstance(part, np.ndarray))


def _places(ran: Ran, attrs: Mapping[str, Any]) -> list[list[int]]:
    """For each element that an operation moved: from which input, and which of its elements."""
    plan, inputs, y, step, _ = ran
    operation = plan.op
    wrong = ArgumentError(f"explore: the page cannot compute {public(operation)}, which does more than to move elements")
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
