"""The explorer: a page that goes through the forward and the backward pass of a small computation, and computes it itself."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from html import escape
from inspect import signature
from pathlib import Path
from sys import _getframe
from typing import Any

import numpy as np

from ...core import Tensor
from ...display import Markup, page
from ...display.pages import resource
from ...errors import ArgumentError, GraphError, InputTypeError
from ...inspect.capture import uncompiled
from ...inspect.graphs.layout import Layout, Place, layered
from ...inspect.naming import Names, variables
from ...nn import Module
from .recording import Node, Recording
from .running import Run, recorded, replayed

__all__ = ["explore"]

_HEIGHT, _LETTER = 78.0, 7.4
_NUMBER, _LONGEST = 14, 26  # letters of a line in a box: a number, and at most
_SLIDERS = 400  # elements that can be chosen for the slider


def explore(
    result: Tensor | Callable[..., Any],
    *inputs: Any,
    target: Any = None,
    loss: Callable[..., Tensor] | None = None,
    names: Mapping[str, Tensor] | None = None,
    path: str | Path = "explore.html",
    title: str = "Forward and backward, step by step",
) -> Path:
    """Write one HTML file in which a computation can be gone through step by step, and return its path.

    result: a model or a function, called with `inputs`; with `loss`, loss(output, target) is what is explored. Or a Tensor, a number with a
    graph, as long as all that it was made of is still known: a constant that the graph did not keep has to be a variable of the caller.
    names: what Tensors are called, beside the parameters of a model and the variables of the caller. Inputs that are neither are called
    as the function calls them, and the target `target`.

    The page shows the graph; forward, values appear node by node, and backward each gradient with its rule, the numbers put in, and the sum so
    far. A slider changes any element of what was given, and the page computes everything anew, in float64, by rules that are written from the
    library's own. It needs no network and nothing beside it.
    Errors: InputTypeError if there is no single number at the end; GraphError if it has no graph; ArgumentError for computations that are too
    large, have operations that the page cannot compute, or in which Python looks at values that the slider moves (`if x > 0`, `x.item()`).
    """
    seen = variables(_getframe(1))
    model = None if isinstance(result, Tensor) else uncompiled(result)
    known = [value for value in (*(names or {}).values(), *seen.values()) if isinstance(value, Tensor)]
    end, run = _computed(result if model is None else model, inputs, target, loss, known)
    if not isinstance(end, Tensor) or end.numel() != 1:
        what = f"shape {end.shape}" if isinstance(end, Tensor) else type(end).__name__
        raise InputTypeError(
            f"explore: a backward pass begins at one number, got {what}; give a loss, loss=nn.CrossEntropyLoss() and target=…"
        )
    if not end.requires_grad:
        raise GraphError("explore: nothing in this computation requires grad, so there is no backward pass")
    given = {} if model is None else _given(model, inputs, target, {**seen, **(names or {})})
    recording = Recording(end, run, Names("explore", {**given, **(names or {})}, model, seen), again=model is None)
    place = Path(path)
    if place.is_dir():
        raise ArgumentError(f"explore: path must name a file, {place} is a folder")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(page(title, [("Explorer", [_panel(recording)])], _script(recording)), encoding="utf-8")
    return place.resolve()


def _computed(
    result: Any, inputs: Sequence[Any], target: Any, loss: Callable[..., Tensor] | None, known: Sequence[Tensor]
) -> tuple[Any, Run]:
    """What stands at the end, and what ran before it."""
    if isinstance(result, Tensor):
        if inputs or target is not None or loss is not None:
            raise ArgumentError("explore: a Tensor is a result already; inputs, target and loss belong to a model or a function")
        return result, replayed(result, known)
    if not callable(result):
        raise InputTypeError(f"explore: expected a Tensor, a Module or a function, got {type(result).__name__}")
    if target is not None and loss is None:
        raise ArgumentError("explore: target is compared by a loss; give it too, loss=nn.CrossEntropyLoss()")
    if loss is None:
        return recorded(lambda: result(*inputs))
    targets = () if target is None else (target,)
    return recorded(lambda: loss(result(*inputs), *targets))


def _given(function: Any, inputs: Sequence[Any], target: Any, known: Mapping[str, Any]) -> dict[str, Tensor]:
    """What was handed in and has no name yet, by the names that the function has for it."""
    named = signature(function.forward if isinstance(function, Module) else function).bind(*inputs).arguments
    held = {id(value) for value in known.values()}
    return {
        name: value for name, value in {**named, "target": target}.items() if isinstance(value, Tensor) and id(value) not in held
    }


def _script(recording: Recording) -> str:
    package = __package__ or ""
    rules = ",\n".join(recording.rules)
    parts = [resource(package, name) for name in ("tensors.js", "notation.js", "operations.js", "machine.js")]
    return "\n".join([*parts, f"const RULES = [\n{rules}\n];", resource(package, "explorer.js")])


def _panel(recording: Recording) -> Markup:
    nodes = recording.nodes
    data = {"nodes": [node_data(n, node) for n, node in enumerate(nodes)]}
    text = json.dumps(data, allow_nan=False, ensure_ascii=False).replace("<", "\\u003c")
    return Markup(
        f"<style>{resource(__package__ or '', 'explorer.css')}</style>"
        f'<div class="explorer" tabindex="0" aria-label="Explorer: arrow keys step, space plays">{_controls()}'
        '<div class="told" aria-live="polite"><p data-part="title"></p><table><tbody data-part="lines"></tbody></table></div>'
        f'<div class="both"><div class="stage" tabindex="0" role="region" aria-label="Graph">{_graph(nodes)}</div>'
        '<div class="looked"><h3 data-part="looked"></h3>'
        '<div class="wide" tabindex="0" role="region" aria-label="Values"><table><tbody data-part="values"></tbody></table></div></div></div>'
        f'{_slider(nodes)}{_stale(recording)}<script type="application/json">{text}</script></div>'
    )


def node_data(n: int, node: Node) -> dict[str, Any]:
    """What the page is told of a node."""
    inputs = [{"number": _number(given["number"])} if given and "number" in given else given for given in node.inputs]
    known = {"id": n, "title": node.name, "op": node.operation, "shape": node.shape, "wants": node.wants, "inputs": inputs}
    if not node.operation:
        return {**known, "leaf": [_number(v) for v in node.values.ravel().tolist()], "texts": []}
    return {**known, "formula": node.formula, "texts": node.texts, **node.program}


def _number(value: float) -> float | str:
    """A number for JSON, which has none for inf and nan."""
    return value if math.isfinite(value) else "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _controls() -> str:
    buttons = (("first", "Start"), ("back", "Back"), ("step", "Step"), ("play", "Play"), ("end", "End"))
    row = " ".join(f'<button type="button" data-part="{part}">{word}</button>' for part, word in buttons)
    speeds = "".join(
        f'<option value="{wait}"{" selected" if word == "medium" else ""}>{word}</option>'
        for wait, word in ((2500, "slow"), (1200, "medium"), (350, "fast"))
    )
    speed = f'<label>speed <select data-part="speed">{speeds}</select></label>'
    return f'<p class="controls">{row} {speed} <span data-part="count" role="status"></span></p>'


def _slider(nodes: Sequence[Node]) -> str:
    """The choice of an element of a leaf, and what moves it."""
    places = [(n, i) for n, node in enumerate(nodes) if node.moves for i in range(node.values.size)]
    first = f" (the first {_SLIDERS} of {len(places):,} elements can be chosen)" if len(places) > _SLIDERS else ""
    options = "".join(
        f'<option value="{n}:{i}">{escape(nodes[n].name)}{_index(nodes[n].shape, i)}</option>' for n, i in places[:_SLIDERS]
    )
    return (
        f'<p class="controls"><label>Change <select data-part="which">{options}</select></label> '
        '<label>to <input type="range" data-part="slider" step="any"></label> '
        '<label>exactly <input type="number" data-part="exact" step="any"></label> <button type="button" data-part="reset">Reset</button>'
        f"{first}</p>"
    )


def _stale(recording: Recording) -> str:
    """What does not follow when a slider moves something else, though it may have been computed from that."""
    names = ", ".join(f"the places of {node.name}" if node.operation else node.name for node in recording.nodes if node.stays)
    remedy = " If that should be, hand in a function in place of its result, explore(lambda: …)." if recording.again else ""
    return f'<p class="note">Not computed again when other numbers move: {escape(names)}.{remedy}</p>' if names else ""


def _index(shape: tuple[int, ...], i: int) -> str:
    return f"[{', '.join(map(str, np.unravel_index(i, shape)))}]" if shape else ""


def _graph(nodes: Sequence[Node]) -> str:
    """Boxes and links as SVG; inputs stand above what takes them."""
    order = list(range(len(nodes)))[::-1]  # the layout begins with the end
    place_of = {n: k for k, n in enumerate(order)}
    links = [(n, given["node"]) for n, node in enumerate(nodes) for given in node.inputs if given and "node" in given]
    widths = [
        _LETTER
        * max(
            len(_cut(node.name)),
            len(_cut(node.formula)),
            _NUMBER if node.values.size == 1 else max(_LONGEST, len(str(node.shape)) + 20),
        )
        + 20
        for node in nodes
    ]
    layout = layered([(widths[n], _HEIGHT) for n in order], list(dict.fromkeys((place_of[n], place_of[m]) for n, m in links)))
    paths = "".join(_link(layout, place_of, n, m) for n, m in dict.fromkeys(links))
    boxes = "".join(_box(n, node, layout.boxes[place_of[n]]) for n, node in enumerate(nodes))
    size = f'width="{layout.width:.0f}" height="{layout.height:.0f}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {layout.width:.0f} {layout.height:.0f}">{paths}{boxes}</svg>'
    )


def _link(layout: Layout, place_of: Mapping[int, int], n: int, m: int) -> str:
    """From a box down to what takes it; through layers between them straight down, in a lane of its own."""
    i, j = place_of[n], place_of[m]
    taken, taker = layout.boxes[j], layout.boxes[i]
    lanes = [(p.x, edge) for p in layout.links.get((i, j), []) for edge in layout.bands[p.layer]]
    text = " L".join(f"{x:.1f} {y:.1f}" for x, y in [(taken.x, taken.bottom), *lanes, (taker.x, taker.top)])
    return f'<path class="link" data-link="{m}-{n}" d="M{text}"/>'


def _box(n: int, node: Node, place: Place) -> str:
    lines = (("name", node.name), ("formula", node.formula), ("value", ""), ("gradient", ""))
    words = "".join(
        f'<text class="{part}" data-part="{part}" x="{place.x:.1f}" y="{place.top + 18 * (n + 1) - 2:.1f}">{escape(_cut(word))}</text>'
        for n, (part, word) in enumerate(lines)
    )
    kind = "operation" if node.operation else "leaf"
    return (
        f'<g class="node {kind}" data-node="{n}" tabindex="0" role="button" aria-label="{escape(node.name)}"><title></title>'
        f'<rect x="{place.left:.1f}" y="{place.top:.1f}" width="{place.width:.1f}" height="{place.height:.1f}" rx="5"/>{words}</g>'
    )


def _cut(words: str) -> str:
    return words if len(words) <= _LONGEST else f"{words[: _LONGEST - 1]}…"
