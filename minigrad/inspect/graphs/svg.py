"""A graph as a picture: SVG that needs nothing beside itself."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from .scene import CARD, LINE, Frame, Path, Scene, Shown, end

__all__ = ["svg"]

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
.mg-graph .back { fill: none; stroke: var(--edge); stroke-width: 1.3; stroke-dasharray: 5 4; }
.mg-graph .frame { fill: none; stroke: var(--faint); stroke-dasharray: 5 4; }
.mg-graph .times { fill: var(--ink); text-anchor: end; }
.mg-graph .note { text-anchor: start; }
.mg-graph .head { fill: var(--wire); }
.mg-graph .again { fill: var(--edge); }
"""


def svg(scene: Scene, alt: str) -> str:
    """The scene as SVG; a box has all that is known of it as its title, which browsers show on hovering."""
    width, height = f"{scene.width:.0f}", f"{scene.height:.0f}"
    parts = [_wires(scene), *map(_frame, scene.frames), _back(scene.back), *map(_box, scene.shown), *_notes(scene)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="mg-graph" role="img" aria-label="{escape(alt)}" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}"><style>{_STYLE}</style><rect class="ground" width="100%" height="100%"/>'
        f"{''.join(parts)}</svg>"
    )


def _box(box: Shown) -> str:
    place, corner = box.place, 4 if box.kind == "operation" else 12
    rects = "".join(
        f'<rect x="{place.left + CARD * k:.1f}" y="{place.top + CARD * k:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" '
        f'rx="{corner}"/>'
        for k in range(box.cards - 1, -1, -1)
    )
    looks = (' class="title"', *[""] * len(box.words.lines))
    texts = "".join(
        f'<text x="{place.left + box.width / 2:.1f}" y="{place.top + LINE * (n + 1):.1f}"{look}>{escape(line)}</text>'
        for n, (line, look) in enumerate(zip(box.words.lines, looks, strict=False))
    )
    name = f"{box.kind} result" if box.result else box.kind
    return f'<g class="{name}"><title>{escape(chr(10).join(box.words.whole))}</title>{rects}{texts}</g>'


def _wires(scene: Scene) -> str:
    lines = "".join(f'<path d="{_path(path)}"/>' for path, _ in scene.wires)
    counts = "".join(
        f'<text class="count" x="{x + 7:.1f}" y="{y - 7:.1f}">× {count:,}</text>'
        for (x, y), count in ((end(path), count) for path, count in scene.wires if count > 1)
    )
    return f'<g class="wires">{lines}</g><path class="head" d="{_heads(path for path, _ in scene.wires)}"/>{counts}'


def _frame(frame: Frame) -> str:
    """A frame, and how often what is in it comes."""
    rect = (
        f'<rect class="frame" x="{frame.left:.1f}" y="{frame.top:.1f}" width="{frame.right - frame.left:.1f}" '
        f'height="{frame.bottom - frame.top:.1f}" rx="6"/>'
    )
    return f'{rect * frame.boxed}<text class="times" x="{frame.right:.1f}" y="{frame.bottom + 12:.1f}">× {frame.times:,}</text>'


def _back(paths: list[Path]) -> str:
    lines = "".join(f'<path class="back" d="{_path(path)}"/>' for path in paths)
    return lines and f'{lines}<path class="again" d="{_heads(iter(paths))}"/>'


def _notes(scene: Scene) -> Iterator[str]:
    top = scene.height - LINE * len(scene.notes) - 2
    for n, line in enumerate(scene.notes, 1):
        yield f'<text class="note" x="9" y="{top + LINE * n - 4:.1f}">{escape(line)}</text>'


def _path(path: Path) -> str:
    return "".join(letter + " ".join(f"{number:.1f}" for number in numbers) for letter, numbers in path)


def _heads(paths: Iterator[Path]) -> str:
    """The heads of arrows that come from above."""
    return "".join(f"M{x:.1f} {y:.1f}l-4 -7h8z" for x, y in map(end, paths))
