"""The scene of a graph drawn by matplotlib, for files that are no web pages."""

from __future__ import annotations

from typing import Any

from ...display import Picture
from .scene import CARD, LINE, SMALL, TITLE, Path, Scene, Shown, end

__all__ = ["figure_picture"]

_DOTS = 96.0  # of the scene's units in an inch
_POINTS = 72 / _DOTS
_DASHES = (0, (4, 3))


def figure_picture(scene: Scene, alt: str) -> Picture:
    """The scene in its own size."""

    def draw(figure: Any) -> None:
        figure.set_layout_engine("none")
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, scene.width), ylim=(scene.height, 0))
        axes.axis("off")
        for path, count in scene.wires:
            _line(axes, path, "C6", "-")
            if count > 1:
                x, y = end(path)
                _text(axes, x + 7, y - 7, f"× {count:,}", ha="left")
        for frame in scene.frames:
            if frame.boxed:
                size = frame.right - frame.left, frame.bottom - frame.top
                _box(axes, (frame.left, frame.top), *size, 6, facecolor="none", edgecolor="C6", linestyle=_DASHES)
            _text(axes, frame.right, frame.bottom + 12, f"× {frame.times:,}", ha="right")
        for path in scene.back:
            _line(axes, path, "C0", _DASHES)
        for shown in scene.shown:
            _shown(axes, shown)
        for n, note in enumerate(reversed(scene.notes)):
            _text(axes, 9, scene.height - LINE * n - 6, note, ha="left")

    return Picture(draw, alt, (scene.width / _DOTS, scene.height / _DOTS))


def _shown(axes: Any, box: Shown) -> None:
    from matplotlib import rcParams
    from matplotlib.colors import to_rgb

    color, place = "C0" if box.kind == "operation" else "C1", box.place
    tint = [0.1 * own + 0.9 * ground for own, ground in zip(to_rgb(color), to_rgb(rcParams["figure.facecolor"]), strict=True)]
    corner = 4 if box.kind == "operation" else 12
    for k in range(box.cards - 1, -1, -1):
        corner_at = (place.left + CARD * k, place.top + CARD * k)
        _box(axes, corner_at, box.width, box.height, corner, facecolor=tint, edgecolor=color, linewidth=1.9 if box.result else 0.8)
    for n, line in enumerate(box.words.lines):
        look = {"fontsize": TITLE * _POINTS, "fontweight": "bold"} if n == 0 else {}
        _text(axes, place.left + box.width / 2, place.top + LINE * (n + 1), line, **look)


def _text(axes: Any, x: float, y: float, text: str, **look: Any) -> None:
    given = {"ha": "center", "fontsize": SMALL * _POINTS, "family": "monospace", "parse_math": False, **look}
    axes.text(x, y, text, **given)


def _box(axes: Any, corner_at: tuple[float, float], width: float, height: float, corner: float, **look: Any) -> None:
    from matplotlib.patches import FancyBboxPatch

    axes.add_patch(FancyBboxPatch(corner_at, width, height, f"round,pad=0,rounding_size={corner}", **look))


def _line(axes: Any, path: Path, color: str, dashes: Any) -> None:
    """A line and the head of its arrow."""
    from matplotlib.patches import PathPatch, Polygon
    from matplotlib.path import Path as Outline

    kinds = {"M": Outline.MOVETO, "C": Outline.CURVE4}
    points, codes, x, y = [], [], 0.0, 0.0
    for letter, numbers in path:
        if letter in "HV":
            numbers = (numbers[0], y) if letter == "H" else (x, numbers[0])
        pairs = list(zip(numbers[::2], numbers[1::2], strict=True))
        points += pairs
        codes += [kinds.get(letter, Outline.LINETO)] * len(pairs)
        x, y = pairs[-1]
    axes.add_patch(PathPatch(Outline(points, codes), facecolor="none", edgecolor=color, linestyle=dashes))
    x, y = end(path)
    axes.add_patch(Polygon([(x, y), (x - 4, y - 7), (x + 4, y - 7)], facecolor=color))
