"""`graph`: what was recorded, as a tree, as a picture, and in the languages of Mermaid and Graphviz."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import cached_property
from html import escape
from itertools import islice
from pathlib import Path
from typing import Any

from ...core import Tensor
from ...display import Block, Document, figure, plain
from ...errors import ArgumentError, InputTypeError
from ...nn import Module
from ..naming import Names, variables
from .figures import figure_picture
from .folding import Box, folded, unfolded
from .labels import kind
from .nodes import Input, Node, read
from .outline import dot, mermaid, sentences, tree
from .scene import Scene, scene
from .svg import svg

__all__ = ["Graph", "graph"]

_LINES = 400  # of the tree that print shows
_PLOTTED = 60  # boxes of a figure
_ABOVE = "An operation stands above what it takes."
_BELOW = "Data flow downwards: an operation stands below what it takes."


class Graph(Document):
    """The graph behind results. `print(graph)` shows the tree, a notebook the picture.

    `nodes`: operations, the youngest first, then leaves. `boxes`: what is shown, with repeated blocks folded.
    """

    def __init__(self, nodes: Sequence[Node], results: Sequence[int], boxes: Sequence[Box]):
        self.nodes = nodes
        self.results = results
        self.boxes = boxes
        shown_by = {member: n for n, box in enumerate(boxes) for member in box.members}
        self._top = [shown_by[result] for result in results]

    @property
    def operations(self) -> int:
        """How many operations there are."""
        return sum(bool(node.operation) for node in self.nodes)

    @property
    def leaves(self) -> int:
        """How many leaves there are."""
        return len(self.nodes) - self.operations

    def to_text(self) -> str:
        """The whole tree."""
        return "\n".join([*self._said(_ABOVE), "", *tree(self.boxes, self.nodes, self._top)])

    def to_mermaid(self) -> str:
        """A Mermaid flowchart. Mermaid itself draws up to 500 links, unless its `maxEdges` and `maxTextSize` are raised."""
        return mermaid(self.boxes, self.nodes, self._top)

    def to_dot(self) -> str:
        """A digraph in Graphviz's language."""
        return dot(self.boxes, self.nodes, self._top)

    def to_svg(self, path: str | Path | None = None) -> str:
        """The picture as SVG, written to `path` if one is given. It is drawn for light and for dark pages, and needs nothing beside
        itself. Of more than 2,000 boxes, and of more than 40 that one operation takes, the rest is one box that says how many."""
        text = self._svg
        if path is not None:
            Path(path).write_text(text + "\n", encoding="utf-8")
        return text

    def plot(self, path: str | Path | None = None) -> Any:
        """The picture as a matplotlib Figure, saved to `path` if one is given (a PNG, a PDF, …).

        Errors: MissingExtraError without matplotlib; ArgumentError for more than 60 boxes, which nobody could read in a figure.
        """
        if len(self.boxes) > _PLOTTED:
            raise ArgumentError(
                f"Graph.plot: a figure has room for {_PLOTTED} boxes, this graph has {len(self.boxes):,}; to_svg() draws larger ones"
            )
        return figure("Graph.plot", [figure_picture(self._scene, " ".join(self._said(_BELOW)))], path)

    @cached_property
    def _svg(self) -> str:
        return svg(self._scene, " ".join(self._said(_BELOW)))

    @cached_property
    def _scene(self) -> Scene:
        return scene(self.boxes, self.nodes, self._top, self._said(_BELOW)[1:])

    def _said(self, how: str) -> list[str]:
        """The sentences that stand with it, of which the first ends in how to read it."""
        first, *others = sentences(self.boxes, self.nodes)
        return [f"{first} {how}", *others]

    def to_dict(self) -> dict[str, Any]:
        """`nodes` with their numbers from 1, none folded; `edges` as pairs (taken, taker); `results`; and `blocks`, with the numbers of
        the operations of each copy."""
        blocks = dict.fromkeys(box.block for box in self.boxes if box.block)
        return {
            "nodes": [{"number": i, **_node(node)} for i, node in enumerate(self.nodes, 1)],
            "edges": [
                [given.node + 1, i] for i, node in enumerate(self.nodes, 1) for given in node.inputs if given.node is not None
            ],
            "results": [result + 1 for result in self.results],
            "blocks": [
                {
                    "times": block.times,
                    "copies": [list(range(i + 1, i + block.size + 1)) for i in range(block.start, block.end, block.size)],
                }
                for block in blocks
            ],
        }

    def blocks(self) -> Sequence[Block]:
        return [_Picture(self)]


class _Picture:
    """The graph in a document: a picture in a page, a tree in a terminal. Each is made when it is asked for."""

    def __init__(self, graph: Graph):
        self.graph = graph

    def text(self) -> str:
        graph = self.graph
        lines = list(islice(tree(graph.boxes, graph.nodes, graph._top), _LINES + 1))
        rest = ["… and more: to_text() has all"] if len(lines) > _LINES else []
        return "\n".join([*graph._said(_ABOVE), "", *lines[:_LINES], *rest])

    def html(self) -> str:
        graph = self.graph
        picture = f'<div class="wide" tabindex="0" role="region" aria-label="Graph">{graph.to_svg()}</div>'
        return f'{picture}<p class="note">{escape(graph._said(_BELOW)[0])}</p>'


def graph(
    loss: Tensor | Sequence[Tensor],
    *,
    model: Module | None = None,
    names: Mapping[str, Tensor] | None = None,
    fold: bool = True,
) -> Graph:
    """The recorded graph behind a Tensor (or several): operations with shapes, leaves with names; for small tensors values and gradients.

    Names are those of `names`, of `model`'s parameters ("0.weight"), else of variables that the caller sees ("x", "model.0.weight"). What
    requires no grad is not in the graph: an operation says what it takes of that kind by name and shape, or if it is a number by value.

    Values (up to 6 elements) are those that leaves hold now, and that operations made; the ones that nobody kept are computed again, in
    graphs of up to 200 operations. So are the gradients of operations, once a backward pass has left gradients at leaves, for a 0-d
    loss without hooks; a leaf's is its `.grad`. A backward pass without `retain_graph=True` lets go of what operations kept: after it,
    values are shown that a variable or a leaf holds, and those that come of these.

    With `fold`, a run of operations that repeats three times or more in the order of recording, each time connected to the one before,
    is shown once: with the same operations, settings, shapes and connections; weights may differ. A leaf alone is a graph of one node.
    Complexity: linear in the operations, of which there may be a million; see `Graph.to_svg` for how many are drawn.
    Errors: GraphError for a Tensor that does not require grad; InputTypeError for what is no Tensor, Module or mapping; ArgumentError for
    an empty list.

    >>> from minigrad.inspect import graph
    >>> a, b = mg.tensor(2.0, requires_grad=True), mg.tensor(-3.0, requires_grad=True)
    >>> c = a * b + a
    >>> c.backward()
    >>> print(graph(c))
    2 operations, 2 leaves. An operation stands above what it takes.
    <BLANKLINE>
    c = add   value -4   gradient 1
    ├─ mul   value -6   gradient 1
    │  ├─ [3] a   value 2   gradient -2
    │  └─ b   value -3   gradient 2
    └─ [3] a, above
    """
    if model is not None and not isinstance(model, Module):
        raise InputTypeError(f"graph: model must be a Module, got {type(model).__name__}")
    if names is not None and not isinstance(names, Mapping):
        raise InputTypeError(f"graph: names must be a mapping of names to Tensors, got {type(names).__name__}")
    seen = {name: value for name, value in variables(sys._getframe(1)).items() if name.isidentifier()}  # not what tools put there
    results: list[Any] = list(loss) if isinstance(loss, (list, tuple)) else [loss]
    if not results:
        raise ArgumentError("graph: loss must be a Tensor or a list of Tensors, got an empty list")
    nodes, indices = read("graph", results, Names("graph", names, model, seen), [*(names or {}).values(), *seen.values()])
    return Graph(nodes, indices, folded(nodes) if fold else unfolded(nodes))


def _node(node: Node) -> dict[str, Any]:
    return {
        "kind": kind(node),
        "operation": node.operation or None,
        "name": node.name or None,
        "shape": list(node.shape),
        "dtype": str(node.dtype),
        "settings": node.settings,
        "inputs": [_input(given) for given in node.inputs],
        "value": plain(node.value),
        "gradient": plain(node.gradient),
        "gradient_norm": node.norm,
    }


def _input(given: Input) -> dict[str, Any]:
    if given.node is not None:
        return {"argument": given.argument, "number": given.node + 1}
    known = {"argument": given.argument, "value": plain(given.value)}
    return (
        known
        if given.shape is None
        else {**known, "name": given.name or None, "shape": list(given.shape), "dtype": str(given.dtype)}
    )
