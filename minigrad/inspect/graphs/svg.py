"""A graph as a picture: SVG that needs nothing beside itself."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace
from html import escape

from .folding import Box, Link
from .labels import Label, label
from .layout import Layout, Place, layered
from .nodes import Node

__all__ = ["LIMIT", "svg"]

LIMIT = 2_000  # boxes of a picture
_INPUTS = 40  # boxes drawn of what one operation takes
_SIZE, _SMALL, _LINE = 12.5, 11.0, 15.0  # of the title's letters, of the facts', and from line to line
_WIDE = 0.64  # width of a letter of fixed width, in parts of its size; the usual fonts have 0.55 to 0.61
_PAD = 9.0

_STYLE = """
.mg-graph { --ink: #1c1c1c; --faint: #5c626c; --ground: #ffffff; --operation: #e8f1f8; --edge: #0072b2; --leaf: #fdf0e3; --rim: #b65a00;
  --wire: #80868f; font-family: ui-monospace, "DejaVu Sans Mono", "Liberation Mono", Menlo, Consolas, monospace; }
@media (prefers-color-scheme: dark) {
  .mg-graph { --ink: #e6e6e6; --faint: #b3b8c2; --ground: #1b1d21; --operation: #20323f; --edge: #6cb6e8; --leaf: #3a2d20; --rim: #ff9e57;
    --wire: #8d939e; } }
.mg-graph .ground { fill: var(--ground); }
.mg-graph text { fill: var(--faint); font-size: 11px; text-anchor: middle; }
.mg-graph .title { fill: var(--ink); font-size: 12.5px; font-weight: 600; }
.mg-graph .count { text-anchor: start; }
.mg-graph .operation rect { fill: var(--operation); stroke: var(--edge); }
.mg-graph .leaf rect { fill: var(--leaf); stroke: var(--rim); }
.mg-graph .more rect { fill: none; stroke: var(--wire); stroke-dasharray: 4 3; }
.mg-graph .result rect { stroke-width: 2.5; }
.mg-graph .wires { fill: none; stroke: var(--wire); stroke-width: 1.3; }
.mg-graph .head { fill: var(--wire); }
"""


def svg(boxes: Sequence[Box], nodes: Sequence[Node], results: Sequence[int], alt: str) -> str:
    """The picture. Data flow from the top down; a box has all that is known of it as its title, which browsers show on hovering.

    Of more than 2,000 boxes, those next to the results are drawn, and a box that says how many are not; likewise of what one operation
    takes, if it is more than 40.
    """
    drawn = _drawn(boxes, results)
    labels = [label(box, nodes) if box.members else _more(len(boxes) - len(drawn) + 1) for box in drawn]
    sizes = [_size(words.lines) for words in labels]
    wires = _wires(drawn)
    layout = layered(sizes, list(wires))
    asked = {boxes[n].index for n in results}
    shown = "".join(map(_box, drawn, labels, layout.boxes, (box.index in asked for box in drawn)))
    width, height = f"{layout.width:.0f}", f"{layout.height:.0f}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="mg-graph" role="img" aria-label="{escape(alt)}" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}"><style>{_STYLE}</style><rect class="ground" width="100%" height="100%"/>'
        f"{_paths(layout, wires)}{shown}</svg>"
    )


# ---- what is drawn


def _drawn(boxes: Sequence[Box], results: Sequence[int]) -> list[Box]:
    """The boxes that a picture has room for, numbered anew; what is left out is one box more, that stands for none."""
    wanted, kept = set(results), set[int]()
    for n, box in enumerate(boxes):
        if n not in wanted:
            continue
        taken = [link.to for link in box.links if link.to is not None][:_INPUTS]
        new = {n, *(to for to in taken if not boxes[to].node.operation)} - kept
        if len(kept) + len(new) > LIMIT:
            break
        kept |= new
        wanted.update(taken)
    number = {n: place for place, n in enumerate(sorted(kept))}
    drawn = [replace(boxes[n], links=[_renumbered(link, number) for link in boxes[n].links]) for n in number]
    left_out = replace(boxes[-1], index=-1, members=(), links=[], block=None)
    return [*drawn, left_out] if len(kept) < len(boxes) else drawn


def _renumbered(link: Link, number: dict[int, int]) -> Link:
    return link if link.to is None else replace(link, to=number.get(link.to, len(number)))


def _more(count: int) -> Label:
    return Label(
        f"{count:,} more", "not drawn", "", (), (), (f"{count:,} more operations and leaves, not drawn; the text has all",)
    )


def _size(lines: Sequence[str]) -> tuple[float, float]:
    width = max(_width(line, _SMALL if n else _SIZE) for n, line in enumerate(lines))
    return width + 2 * _PAD, _LINE * len(lines) + _PAD


def _width(text: str, size: float) -> float:
    letters = sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)
    return letters * size * _WIDE


def _wires(boxes: Sequence[Box]) -> dict[tuple[int, int], int]:
    """How often a box takes another: (taker, taken) to count."""
    wires: dict[tuple[int, int], int] = {}
    for n, box in enumerate(boxes):
        for link in box.links:
            if link.to is not None:
                wires[n, link.to] = wires.get((n, link.to), 0) + link.times
    return wires


# ---- as SVG


def _box(box: Box, words: Label, place: Place, result: bool) -> str:
    kind = "more" if not box.members else "operation" if box.node.operation else "leaf"
    corner = 4 if kind == "operation" else 12
    cards = range(2, -1, -1) if len(box.members) > 1 else range(1)
    rects = "".join(
        f'<rect x="{place.left + 3 * k:.1f}" y="{place.top + 3 * k:.1f}" width="{place.width:.1f}" height="{place.height:.1f}" rx="{corner}"/>'
        for k in cards
    )
    texts = "".join(
        f'<text x="{place.x:.1f}" y="{place.top + _LINE * (n + 1):.1f}"{look}>{escape(line)}</text>'
        for n, (line, look) in enumerate(zip(words.lines, (' class="title"', *[""] * len(words.lines)), strict=False))
    )
    name = f"{kind} result" if result else kind
    return f'<g class="{name}"><title>{escape(chr(10).join(words.whole))}</title>{rects}{texts}</g>'


def _paths(layout: Layout, wires: dict[tuple[int, int], int]) -> str:
    """The links: curves between layers, straight down through them, with a head where the taker is."""
    ends = _ports(layout, wires)
    lines, heads, counts = [], [], []
    for link, count in wires.items():
        taker, taken = (layout.boxes[n] for n in link)
        start, end = ends[link]
        path = [f"M{start:.1f} {taken.bottom:.1f}V{layout.bands[taken.layer][1]:.1f}"]
        x = start
        for stop, layer in (*((point.x, point.layer) for point in layout.links[link]), (end, taker.layer)):
            above, (top, bottom) = layout.bands[layer + 1][1], layout.bands[layer]
            middle = (above + top) / 2
            path.append(f"C{x:.1f} {middle:.1f} {stop:.1f} {middle:.1f} {stop:.1f} {top:.1f}V{bottom:.1f}")
            x = stop
        path[-1] = f"{path[-1].rpartition('V')[0]}V{taker.top - 5:.1f}"
        lines.append(f'<path d="{"".join(path)}"/>')
        heads.append(f"M{end:.1f} {taker.top:.1f}l-4 -7h8z")
        if count > 1:
            counts.append(f'<text class="count" x="{end + 7:.1f}" y="{taker.top - 7:.1f}">× {count:,}</text>')
    return f'<g class="wires">{"".join(lines)}</g><path class="head" d="{"".join(heads)}"/>{"".join(counts)}'


def _ports(layout: Layout, wires: dict[tuple[int, int], int]) -> dict[tuple[int, int], tuple[float, float]]:
    """Where each link leaves the taken box and where it enters the taker: side by side, in the order in which they come."""
    down: dict[int, list[tuple[float, tuple[int, int]]]] = {}
    up: dict[int, list[tuple[float, tuple[int, int]]]] = {}
    for link in wires:
        taker, taken = link
        points = [layout.boxes[taken], *layout.links[link], layout.boxes[taker]]
        down.setdefault(taken, []).append((points[1].x, link))
        up.setdefault(taker, []).append((points[-2].x, link))
    leaving, entering = (
        {link: x for n, found in side.items() for link, x in _spread(layout.boxes[n], found)} for side in (down, up)
    )
    return {link: (leaving[link], entering[link]) for link in wires}


def _spread(place: Place, found: list[tuple[float, tuple[int, int]]]) -> Iterator[tuple[tuple[int, int], float]]:
    room = place.width - 2 * _PAD
    for n, (_, link) in enumerate(sorted(found)):
        yield link, place.left + _PAD + room * (n + 0.5) / len(found)
