"""Figures by matplotlib: one drawing serves files, notebooks and pages. (Dark pages turn its lightness around, see style.css.)"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .library import require

if TYPE_CHECKING:
    from .blocks import Picture

__all__ = ["data_address", "figure", "heatmap", "log_scale", "shades"]

# Colours that readers with colour blindness tell apart (Okabe and Ito, 2008).
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#56b4e9", "#555555")


def _look() -> dict[str, Any]:
    """Settings of matplotlib."""
    from cycler import cycler

    ink, ground, faint = "#1c1c1c", "#ffffff", "#d0d0d0"
    return {
        "axes.axisbelow": True,
        "axes.edgecolor": faint,
        "axes.facecolor": ground,
        "axes.grid": True,
        "axes.labelcolor": ink,
        "axes.prop_cycle": cycler(color=_COLOURS),
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlelocation": "left",
        "axes.titlesize": 11,
        "figure.constrained_layout.h_pad": 0.08,
        "figure.constrained_layout.w_pad": 0.08,
        "figure.facecolor": ground,
        "font.size": 10,
        "grid.alpha": 0.5,
        "grid.color": faint,
        "legend.fontsize": 9,
        "legend.frameon": False,
        "legend.labelcolor": ink,
        "patch.edgecolor": ground,
        "svg.hashsalt": "minigrad",  # the same figure gives the same bytes
        "text.color": ink,
        "xtick.color": ink,
        "ytick.color": ink,
    }


@cache
def _figure_class(caller: str) -> Any:
    """matplotlib's Figure, which a notebook shows without pyplot's help."""
    base = require(caller, "matplotlib.figure").Figure

    class Figure(base):  # type: ignore[misc,valid-type]
        def _repr_png_(self) -> bytes:
            file = io.BytesIO()
            self.savefig(file, format="png", dpi=110)
            return file.getvalue()

    return Figure


def _drawn(caller: str, pictures: Sequence[Picture], columns: int) -> Any:
    """A figure of pictures, in rows of `columns`; the largest of a column (a row) makes its width (its height)."""
    rows = [pictures[i : i + columns] for i in range(0, len(pictures), columns)]
    widths = [max(row[n].size[0] for row in rows if n < len(row)) for n in range(min(columns, len(pictures)))]
    heights = [max(picture.size[1] for picture in row) for row in rows]
    whole = _figure_class(caller)(figsize=(sum(widths), sum(heights)), layout="constrained")
    if len(pictures) == 1:
        pictures[0].draw(whole)
        return whole
    parts = whole.subfigures(len(rows), len(widths), squeeze=False, width_ratios=widths, height_ratios=heights).ravel()
    for picture, part in zip(pictures, parts, strict=False):
        picture.draw(part)
    return whole


def figure(caller: str, pictures: Sequence[Picture], path: str | Path | None = None) -> Any:
    """The pictures in one matplotlib Figure, saved to `path` if one is given (its ending says the format).

    Errors: MissingExtraError without matplotlib.
    """
    with require(caller, "matplotlib").rc_context(_look()):
        made = _drawn(caller, pictures, columns=len(pictures) if len(pictures) <= 3 else 2)
        if path is None:
            made.draw_without_rendering()  # what is made late, ticks, is made with these settings too
        else:
            made.savefig(path, dpi=150)
    return made


def data_address(draw: Callable[[Any], None], size: tuple[float, float]) -> str:
    """What `draw` draws, on no ground, as an SVG image inside an address, for pages that stand alone."""
    file = io.BytesIO()
    with require("picture", "matplotlib").rc_context(_look()):
        made = _figure_class("picture")(figsize=size, layout="constrained")
        draw(made)
        made.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    return f"data:image/svg+xml;base64,{base64.b64encode(file.getvalue()).decode()}"


def log_scale(axes: Any, which: str, values: Any) -> None:
    """Make an axis, "x" or "y", logarithmic, from the decade below the positive values to the one above; only decades have labels."""
    values = np.asarray(values, np.float64)
    known = values[np.isfinite(values) & (values > 0)]
    axes.set(**{f"{which}scale": "log"})
    if known.size:
        axes.set(
            **{f"{which}lim": (10.0 ** math.floor(math.log10(known.min() / 1.1)), 10.0 ** math.ceil(math.log10(known.max() * 1.1)))}
        )
    getattr(axes, f"{which}axis").set_minor_formatter("")


def shades(diverging: bool = False) -> Any:
    """A colour map from the ground to the first colour; diverging, from the second colour over the ground to the first."""
    from matplotlib import rcParams
    from matplotlib.colors import LinearSegmentedColormap

    first, second = rcParams["axes.prop_cycle"].by_key()["color"][:2]
    ground = rcParams["figure.facecolor"]
    return LinearSegmentedColormap.from_list("minigrad", [*([second] if diverging else []), ground, first])


_WRITTEN = 625  # cells up to which each has its number


def heatmap(
    axes: Any, matrix: Any, *, form: str = "{:,}", vmax: float | None = None, words: Sequence[Sequence[str]] | None = None
) -> None:
    """A matrix as shaded cells, each with its number, or with what `words` has for it, if there are not too many; ticks stand at rows and
    columns."""
    matrix = np.asarray(matrix)
    top = max(matrix.max(initial=0), 1) if vmax is None else vmax
    image = axes.imshow(matrix, cmap=shades(), vmin=0, vmax=top, aspect="auto")
    axes.grid(visible=False)
    if matrix.size > _WRITTEN:
        return
    size = float(np.clip(90 / max(math.sqrt(matrix.size), 1), 6.5, 12))
    for row, column in np.ndindex(matrix.shape):
        word = words[row][column] if words else form.format(matrix[row, column])
        if word:
            ink = _ink(image.cmap(image.norm(matrix[row, column])))
            axes.text(column, row, word, ha="center", va="center", color=ink, fontsize=size)


def _ink(ground: tuple[float, ...]) -> str:
    """Dark or white, whichever stands out more: by contrast ratio, (L₁ + 0.05) / (L₂ + 0.05) (WCAG 2)."""
    light = _luminance(ground) + 0.05
    return "#111111" if light / (_luminance((1 / 15, 1 / 15, 1 / 15)) + 0.05) > 1.05 / light else "#ffffff"


def _luminance(colour: tuple[float, ...]) -> float:
    """Relative luminance of an sRGB colour, from 0 to 1."""
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour[:3])
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
