"""What a picture of a graph shows, and where: boxes, the links between them, and frames around repeated blocks."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from textwrap import wrap

from .folding import Block, Box
from .labels import Label, label
from .layout import Layout, Place, layered
from .nodes import Node

__all__ = ["CARD", "HEAD", "LIMIT", "LINE", "SMALL", "TITLE", "Frame", "Path", "Scene", "Shown", "end", "scene"]

LIMIT = 2_000  # boxes of a picture
TITLE, SMALL, LINE = 12.5, 11.0, 15.0  # size of the title's letters, of the facts', and from line to line
HEAD = 5.0
CARD = 3.0  # how far the cards of a box that stands for several stand apart
_INPUTS = 40  # boxes drawn of what one operation takes
_WIDE = 0.64  # width of a letter of fixed width, in parts of its size; the usual fonts have 0.55 to 0.61
_PAD = 9.0
_NOTES = 420.0  # width that sentences have at least
_ABOVE, _BESIDE, _BELOW = 20.0, 6.0, 13.0  # room in a frame
_LANE = 5.0  # beside it, for each operation that ends a block: for the way back to where the block begins

Path = list[tuple[str, tuple[float, ...]]]
"""A line as SVG has it: M x y (begin), V y and H x (straight to there), C and three points (Bézier's curve)."""


@dataclass(slots=True)
class Shown:
    """A box: `kind` is operation, leaf or more; `cards` lie over one another, each `CARD` to the left of and above the one below."""

    kind: str
    place: Place
    words: Label
    cards: int
    result: bool

    @property
    def width(self) -> float:
        return self.place.width - CARD * (self.cards - 1)

    @property
    def height(self) -> float:
        return self.place.height - CARD * (self.cards - 1)


@dataclass(slots=True)
class Frame:
    """A frame around a block of `times` copies. `lanes`: for operations that end the block, the x of the way back, beside the block.
    `boxed` is False where boxes of others stand between: then there is only the way back."""

    left: float
    top: float
    right: float
    bottom: float
    times: int
    lanes: dict[int, float]
    boxed: bool = True


@dataclass(slots=True)
class Scene:
    """All of a picture. `wires`: each link's line, and how often it is taken. `back`: lines from the end of a block to its beginning.
    All lines end `HEAD` above the top of a box, where the head of an arrow comes. `notes` are lines of text that stand below."""

    shown: list[Shown]
    wires: list[tuple[Path, int]]
    frames: list[Frame]
    back: list[Path]
    notes: list[str]
    width: float
    height: float


def end(path: Path) -> tuple[float, float]:
    """Where the arrow of a line points: its last part goes straight down."""
    (letter, numbers), (_, (y,)) = path[-2:]
    return numbers[0] if letter == "H" else numbers[-2], y + HEAD


def scene(boxes: Sequence[Box], nodes: Sequence[Node], results: Sequence[int], said: Sequence[str] = ()) -> Scene:
    """What is drawn of the boxes, data flowing from the top down, with sentences below.

    Of more than 2,000 boxes, those next to the results are drawn, and a box that says how many are not; likewise of what one operation
    takes, if it is more than 40.
    """
    drawn = _drawn(boxes, results)
    labels = [label(box, nodes) if box.members else _more(len(boxes) - len(drawn) + 1) for box in drawn]
    cards = [3 if len(box.members) > 1 else 1 for box in drawn]
    wires = _wires(drawn)
    # What takes from a block stands below it with a layer between, which is there for that one's own leaves.
    apart = {(i, j) for i, j in wires if drawn[j].node.operation and drawn[j].block not in (None, drawn[i].block)}
    layout = layered([_size(words.lines, count) for words, count in zip(labels, cards, strict=True)], list(wires), apart)
    asked = {boxes[n].index for n in results}
    kinds = ["more" if not box.members else "operation" if box.node.operation else "leaf" for box in drawn]
    shown = [
        Shown(kind, place, words, count, box.index in asked)
        for kind, place, words, count, box in zip(kinds, layout.boxes, labels, cards, drawn, strict=True)
    ]
    frames = {block: _frame(block, drawn, layout) for block in dict.fromkeys(box.block for box in drawn if box.block)}
    back = [(n, taken) for n, box in enumerate(drawn) for taken in box.back]
    ports = _ports(layout, [*wires, *back])
    width = max([layout.width, *(frame.right + 1 for frame in frames.values()), _NOTES if said else 0.0])
    height = max([layout.height, *(frame.bottom + SMALL + 5 for frame in frames.values())])
    notes = [line for text in said for line in wrap(text, int((width - 2 * _PAD) / (SMALL * _WIDE)))]
    paths = [(_path(layout, link, *ports[link]), count) for link, count in wires.items()]
    ways = list(_ways_back(frames, drawn, layout, ports))
    return Scene(shown, paths, list(frames.values()), ways, notes, width, height + LINE * len(notes) + (_PAD if notes else 0.0))


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
    drawn = [_renumbered(boxes[n], number) for n in number]
    left_out = replace(boxes[-1], index=-1, members=(), links=[], block=None, back=[])
    return [*drawn, left_out] if len(kept) < len(boxes) else drawn


def _renumbered(box: Box, number: dict[int, int]) -> Box:
    links = [link if link.to is None else replace(link, to=number.get(link.to, len(number))) for link in box.links]
    return replace(box, links=links, back=[number[before] for before in box.back if before in number])


def _more(count: int) -> Label:
    return Label(
        f"{count:,} more", "not drawn", "", (), (), (f"{count:,} more operations and leaves, not drawn; the text has all",)
    )


def _size(lines: Sequence[str], cards: int) -> tuple[float, float]:
    width = max(_width(line, SMALL if n else TITLE) for n, line in enumerate(lines))
    return width + 2 * _PAD + CARD * (cards - 1), LINE * len(lines) + _PAD + CARD * (cards - 1)


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


# ---- repeated blocks


def _frame(block: Block, boxes: Sequence[Box], layout: Layout) -> Frame:
    """The frame around the operations of a block, with its leaves but those above all its operations."""
    members = [n for n, box in enumerate(boxes) if box.block == block]
    top = max(layout.boxes[n].layer for n in members if boxes[n].node.operation)
    inside = {n: layout.boxes[n] for n in members if layout.boxes[n].layer <= top}
    ends = sorted({taken for n in members for taken in boxes[n].back})
    right = max(place.left + place.width for place in inside.values())
    frame = Frame(
        min(place.left for place in inside.values()) - _BESIDE,
        min(place.top for place in inside.values()) - _ABOVE,
        right + _BESIDE + _LANE * len(ends),
        max(place.bottom for place in inside.values()) + _BELOW,
        block.times,
        {end: right + _LANE * n for n, end in enumerate(ends, 1)},
    )
    others = (place for n, place in enumerate(layout.boxes) if n not in inside)
    frame.boxed = not any(
        place.left < frame.right and frame.left < place.left + place.width and place.top < frame.bottom and frame.top < place.bottom
        for place in others
    )
    return frame


def _ways_back(
    frames: dict[Block, Frame], boxes: Sequence[Box], layout: Layout, ports: dict[tuple[int, int], tuple[float, float]]
) -> Iterator[Path]:
    """For each operation that ends a block, a line from its bottom round the block's right side to the top of one that begins it, and
    from there branches to the others."""
    for block, frame in frames.items():
        for taken, lane in frame.lanes.items():
            takers = [n for n, box in enumerate(boxes) if box.block == block and taken in box.back]
            takers.sort(key=lambda n: (-layout.boxes[n].layer, -ports[n, taken][1]))
            path: Path = [
                ("M", (ports[takers[0], taken][0], layout.boxes[taken].bottom)),
                ("V", (layout.bands[layout.boxes[taken].layer][1] + 7,)),
                ("H", (lane,)),
            ]
            for before, n in zip([None, *takers], takers, strict=False):
                layer, end = layout.boxes[n].layer, ports[n, taken][1]
                turn = layout.bands[layer][0] - 14
                if before is not None:
                    beside = layout.boxes[before].layer == layer
                    path = [("M", (ports[before, taken][1] if beside else lane, turn))]
                yield [*path, ("V", (turn,)), ("H", (end,)), ("V", (layout.boxes[n].top - HEAD,))]


# ---- links


def _path(layout: Layout, link: tuple[int, int], x: float, end: float) -> Path:
    """A link's line: curves between layers, straight down through them."""
    taker, taken = (layout.boxes[n] for n in link)
    path: Path = [("M", (x, taken.bottom)), ("V", (layout.bands[taken.layer][1],))]
    for stop, layer in (*((point.x, point.layer) for point in layout.links[link]), (end, taker.layer)):
        above, (top, bottom) = layout.bands[layer + 1][1], layout.bands[layer]
        middle = (above + top) / 2
        path += [("C", (x, middle, stop, middle, stop, top)), ("V", (bottom,))]
        x = stop
    return [*path[:-1], ("V", (taker.top - HEAD,))]


def _ports(layout: Layout, links: Sequence[tuple[int, int]]) -> dict[tuple[int, int], tuple[float, float]]:
    """Where each link leaves the taken box and where it enters the taker: side by side, in the order in which they come; ways back, which
    the layout does not know, at the right."""
    down: dict[int, list[tuple[float, tuple[int, int]]]] = {}
    up: dict[int, list[tuple[float, tuple[int, int]]]] = {}
    for link in links:
        taker, taken = link
        known = link in layout.links
        points = [layout.boxes[taken], *layout.links.get(link, ()), layout.boxes[taker]]
        down.setdefault(taken, []).append((points[1].x if known else math.inf, link))
        up.setdefault(taker, []).append((points[-2].x if known else math.inf, link))
    leaving, entering = (
        {link: x for n, found in side.items() for link, x in _spread(layout.boxes[n], found)} for side in (down, up)
    )
    return {link: (leaving[link], entering[link]) for link in links}


def _spread(place: Place, found: list[tuple[float, tuple[int, int]]]) -> Iterator[tuple[tuple[int, int], float]]:
    room = place.width - 2 * _PAD
    for n, (_, link) in enumerate(sorted(found)):
        yield link, place.left + _PAD + room * (n + 0.5) / len(found)
