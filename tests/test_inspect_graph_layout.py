"""Boxes and links of a graph's picture: apart from each other, and joined."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import combinations
from xml.etree import ElementTree

import numpy as np
import pytest
from drawn_graphs import loss_of, mlp, residual
from graphs import leaf

import minigrad as mg
from minigrad.inspect.graphs.drawing import graph
from minigrad.inspect.graphs.layout import GAP, Layout, layered
from minigrad.inspect.graphs.scene import end


def boxes_apart(layout: Layout) -> bool:
    return all(
        abs(a.x - b.x) >= (a.width + b.width) / 2 + GAP - 1e-6 or abs(a.y - b.y) >= (a.height + b.height) / 2
        for a, b in combinations(layout.boxes, 2)
    )


def random_graph(seed: int, n: int = 40) -> tuple[list[tuple[float, float]], list[tuple[int, int]]]:
    rng = np.random.default_rng(seed)
    sizes = [(float(w), float(h)) for w, h in rng.uniform(20, 120, (n, 2))]
    links = {(int(rng.integers(j)), j) for j in range(1, n)} | {
        tuple(sorted(rng.choice(n, 2, replace=False).tolist())) for _ in range(n // 2)
    }
    return sizes, sorted(links)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(8))
def test_boxes_do_not_overlap_and_links_run_free_of_them(seed: int) -> None:
    sizes, links = random_graph(seed)
    layout = layered(sizes, links)
    assert boxes_apart(layout)
    assert sizes == [(box.width, box.height) for box in layout.boxes]
    for (taker, taken), points in layout.links.items():
        layers = [layout.boxes[taken].layer, *(point.layer for point in points), layout.boxes[taker].layer]
        assert list(range(layers[0], layers[-1] - 1, -1)) == layers  # it passes each layer between
        assert layout.boxes[taken].bottom - 1e-6 <= layout.bands[layers[0]][1] < layout.boxes[taker].top
        for point in points:
            assert all(abs(point.x - box.x) > box.width / 2 for box in layout.boxes if box.layer == point.layer)
    for box in layout.boxes:
        assert 0 <= box.left <= box.left + box.width <= layout.width
        assert 0 <= box.top <= box.bottom <= layout.height


def test_a_chain_of_operations_stands_straight() -> None:
    # 0 takes 1 and the leaf 4; 1 takes 2 and the leaf 5; 2 takes 3, which takes the leaf 6
    layout = layered([(50, 20)] * 7, [(0, 1), (0, 4), (1, 2), (1, 5), (2, 3), (3, 6)])
    assert max(box.x for box in layout.boxes[:4]) - min(box.x for box in layout.boxes[:4]) < 10


def test_crossings_are_undone() -> None:
    layout = layered([(50, 20)] * 5, [(0, 1), (0, 2), (1, 4), (2, 3)])
    one, two, three, four = (layout.boxes[n].x for n in range(1, 5))
    assert (one < two) == (four < three)


def drawn_boxes(svg: str) -> list[tuple[float, float, float, float]]:
    root = ElementTree.fromstring(svg)
    rects = [element for element in root.iter() if element.tag.endswith("}rect") and element.get("x")]
    return [tuple(float(rect.get(key, "")) for key in ("x", "y", "width", "height")) for rect in rects]  # type: ignore[misc]


@pytest.mark.parametrize("count", [1, 6])
def test_wires_end_at_boxes_in_the_picture(count: int) -> None:
    found = graph(residual(count)(mg.randn(3, 4)).sum(), fold=False)
    svg = found.to_svg()
    boxes = drawn_boxes(svg)
    wires = re.findall(r'<path d="M([\d.]+) ([\d.]+)V.*?C[^"]* ([\d.]+) [\d.]+V([\d.]+)"/>', svg)
    assert sum(link.to is not None for box in found.boxes for link in box.links) == len(wires)
    for wire in wires:
        x0, y0, x1, y1 = map(float, wire)
        assert any(left <= x0 <= left + width and abs(top + height - y0) < 0.11 for left, top, width, height in boxes)
        assert any(left <= x1 <= left + width and abs(top - 5 - y1) < 0.11 for left, top, width, height in boxes)


def loop() -> mg.Tensor:
    x, a = leaf(1.0), leaf(0.5)
    for _ in range(8):
        x = (x * a).sin()
    return x.exp()


@pytest.mark.parametrize("make", [lambda: residual(6)(mg.randn(3, 4)).sum(), lambda: loss_of(mlp(5)), loop])
def test_frames_hold_the_operations_of_their_blocks_and_no_other_box(make: Callable[[], mg.Tensor]) -> None:
    found = graph(make())
    (frame,) = found._scene.frames
    assert frame.boxed
    for box, shown in zip(found.boxes, found._scene.shown, strict=True):
        place = shown.place
        across = frame.left < place.left and place.left + place.width < frame.right
        within = across and frame.top < place.top and place.bottom < frame.bottom
        apart = frame.left >= place.left + place.width or frame.right <= place.left
        apart |= frame.top >= place.bottom or frame.bottom <= place.top
        assert within if box.node.operation and box.block else apart or (within and box.block)
    for path in found._scene.back:
        x, y = end(path)
        assert frame.left < x < frame.right
        assert any(
            y == shown.place.top and shown.place.left < x < shown.place.left + shown.place.width for shown in found._scene.shown
        )
    assert 0 <= frame.left < frame.right <= found._scene.width
    assert frame.bottom <= found._scene.height


def test_a_layer_stands_between_what_is_apart() -> None:
    assert [0, 1, 3] == [box.layer for box in layered([(50, 20)] * 3, [(0, 1), (1, 2)], {(1, 2)}).boxes]


def test_words_fit_into_their_boxes() -> None:
    x = leaf(1.0, 2.0)
    svg = graph(x.sum(), names={"m" * 80: x, "中": x * 2}).to_svg()
    root = ElementTree.fromstring(svg)
    for group in (
        element
        for element in root.iter()
        if element.tag.endswith("}g") and element.get("class", "").split()[0] in ("leaf", "operation")
    ):
        width = max(float(rect.get("width", "")) for rect in group if rect.tag.endswith("}rect"))
        letters = max(len(text.text or "") for text in group if text.tag.endswith("}text"))
        assert letters * 11 * 0.61 < width
