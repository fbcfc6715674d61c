"""Boxes and links of a graph without cycles, set out in layers, after Sugiyama, Tagawa and Toda (1981), "Methods for visual
understanding of hierarchical system structures".

A box stands one layer above the highest of those that take it. A link over several layers passes through a point of its own in each
of them, so that it runs under no box. Points and boxes of a layer are ordered by the barycentres of their neighbours, then moved
towards these as far as the order and the gaps allow; leaves make room for operations, so that a chain of these stands straight.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

__all__ = ["Layout", "Place", "layered"]

GAP = 18.0  # between neighbours of a layer
RISE = 34.0  # between layers, at least
_HIGHEST = 150.0  # and at most
_LANE = 8.0  # width of the way of a long link
_LEAF = 0.05  # what a leaf counts for against an operation when they want the same place
_SWEEPS = 8
_LONGEST = 30_000  # points of long links in all; beyond, links go straight


@dataclass(slots=True)
class Place:
    """A box by its middle and its size; without size, a point that a link passes."""

    width: float
    height: float
    layer: int = 0
    x: float = 0.0
    y: float = 0.0

    @property
    def left(self) -> float:
        return self.x - self.width / 2

    @property
    def top(self) -> float:
        return self.y - self.height / 2

    @property
    def bottom(self) -> float:
        return self.y + self.height / 2


@dataclass
class Layout:
    """Places of boxes, in the order given; the points that each link passes, from the taken box down to the one that takes it; and top
    and bottom of each layer, the lowest layer first."""

    boxes: list[Place]
    links: dict[tuple[int, int], list[Place]] = field(default_factory=dict)
    bands: list[tuple[float, float]] = field(default_factory=list)
    width: float = 0.0
    height: float = 0.0


def layered(
    sizes: Sequence[tuple[float, float]], links: Sequence[tuple[int, int]], apart: Collection[tuple[int, int]] = ()
) -> Layout:
    """Places for boxes of the given sizes (width, height). A link (i, j) says that box i takes box j, and i < j: what takes is below.
    Between the ends of a link that is `apart`, too, there is a layer at least."""
    places = [Place(*size) for size in sizes]
    takers: list[list[int]] = [[] for _ in places]
    for i, j in links:
        takers[j].append(i)
    for j, place in enumerate(places):
        place.layer = max((places[i].layer + (2 if (i, j) in apart else 1) for i in takers[j]), default=0)
    out = Layout(places[: len(sizes)])
    above: list[list[int]] = [[] for _ in places]  # neighbours one layer up, by index
    short = sum(places[j].layer - places[i].layer - 1 for i, j in links) <= _LONGEST
    for i, j in links:
        lower, points = i, []
        for layer in range(places[i].layer + 1, places[j].layer if short else 0):
            points.append(Place(_LANE, 0.0, layer))
            above[lower].append(len(places))
            lower = len(places)
            places.append(points[-1])
            above.append([])
        above[lower].append(j)
        out.links[i, j] = points[::-1]
    _arrange(places, above, short)
    out.bands = _stacked(places, above)
    edge = min((place.left for place in places), default=0.0) - GAP
    for place in places:
        place.x -= edge
    out.width = max((place.left + place.width for place in places), default=0.0) + GAP
    out.height = max((place.bottom for place in places), default=0.0) + GAP
    return out


def _arrange(places: list[Place], above: list[list[int]], short: bool) -> None:
    """Order the layers, then give all places their x."""
    below: list[list[int]] = [[] for _ in places]
    for i, neighbours in enumerate(above):
        for j in neighbours:
            below[j].append(i)
    layers = _first_order(places, above)
    if short:
        layers = _fewest_crossings(layers, above, below)
    weights = [1.0 if neighbours else _LEAF for neighbours in above]
    for layer in layers:
        _settle(places, layer, dict.fromkeys(layer, 0.0), weights)
    for sweep in range(_SWEEPS):
        upwards = sweep % 2 == 0
        near = below if upwards else above
        for layer in layers if upwards else reversed(layers):
            wanted = {i: _middle(places, near[i] or above[i] or below[i] or [i], weights) for i in layer}
            _settle(places, layer, wanted, weights)


def _middle(places: list[Place], neighbours: list[int], weights: list[float]) -> float:
    return sum(places[j].x * weights[j] for j in neighbours) / sum(weights[j] for j in neighbours)


def _first_order(places: list[Place], above: list[list[int]]) -> list[list[int]]:
    """The layers, lowest first, each in the order in which a walk up from the results, depth first, meets its members."""
    layers: list[list[int]] = [[] for _ in range(max((place.layer for place in places), default=-1) + 1)]
    seen = [False] * len(places)
    todo = [i for i in reversed(range(len(places))) if places[i].layer == 0]
    while todo:
        i = todo.pop()
        if not seen[i]:
            seen[i] = True
            layers[places[i].layer].append(i)
            todo.extend(reversed(above[i]))
    return layers


def _fewest_crossings(layers: list[list[int]], above: list[list[int]], below: list[list[int]]) -> list[list[int]]:
    """The best order of sweeps up and down, in which each layer is sorted by the barycentres of its neighbours."""
    best, fewest = layers, _crossings(layers, above)
    for sweep in range(_SWEEPS):
        if not fewest:
            break
        near = below if sweep % 2 == 0 else above
        rank: dict[int, int] = {}
        swept = []
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            own = {i: float(n) for n, i in enumerate(layer)}
            centre = {i: _mean([rank[j] for j in near[i] if j in rank], own[i]) for i in layer}
            swept.append(sorted(layer, key=lambda i: (centre[i], own[i])))
            rank.update((i, n) for n, i in enumerate(swept[-1]))
        layers = swept if sweep % 2 == 0 else swept[::-1]
        count = _crossings(layers, above)
        if count < fewest:
            best, fewest = layers, count
    return best


def _crossings(layers: list[list[int]], above: list[list[int]]) -> int:
    """How many pairs of links cross."""
    total = 0
    for lower, upper in pairwise(layers):
        rank = {i: n for n, i in enumerate(upper)}
        ends: list[int] = []  # of the links so far, sorted
        for i in lower:
            found = sorted(rank[j] for j in above[i] if j in rank)
            total += sum(len(ends) - bisect_left(ends, end + 1) for end in found)
            for end in found:
                insort(ends, end)
    return total


def _settle(places: list[Place], layer: list[int], wanted: dict[int, float], weights: list[float]) -> None:
    """Give the members of a layer the x that they want, in weighted least squares, with gaps kept: groups that would overlap are merged
    and stand at their mean (pool adjacent violators)."""
    offset, previous = 0.0, 0.0
    groups: list[tuple[float, float, int]] = []  # sum of what is wanted, less the offset; sum of the weights; how many
    offsets: list[float] = []
    for i in layer:
        offset += (previous + places[i].width) / 2 + GAP if offsets else 0.0
        previous = places[i].width
        offsets.append(offset)
        total, weight, count = (wanted[i] - offset) * weights[i], weights[i], 1
        while groups and groups[-1][0] / groups[-1][1] > total / weight:
            other = groups.pop()
            total, weight, count = total + other[0], weight + other[1], count + other[2]
        groups.append((total, weight, count))
    settled = (total / weight for total, weight, count in groups for _ in range(count))
    for i, shift, x in zip(layer, offsets, settled, strict=True):
        places[i].x = x + shift


def _stacked(places: list[Place], above: list[list[int]]) -> list[tuple[float, float]]:
    """Stack the layers, the lowest number at the bottom, further apart where links go far sideways; their tops and bottoms."""
    heights = [0.0] * (max((place.layer for place in places), default=-1) + 1)
    rises = [RISE] * len(heights)
    for place, neighbours in zip(places, above, strict=True):
        heights[place.layer] = max(heights[place.layer], place.height)
        aside = max((abs(places[j].x - place.x) for j in neighbours), default=0.0)
        rises[place.layer] = max(rises[place.layer], min(aside / 8, _HIGHEST))
    bands: list[tuple[float, float]] = []
    y = GAP
    for layer in reversed(range(len(heights))):
        y += rises[layer] if bands else 0.0
        bands.append((y, y + heights[layer]))
        y += heights[layer]
    bands.reverse()
    for place in places:
        place.y = sum(bands[place.layer]) / 2
    return bands


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise
