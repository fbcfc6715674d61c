"""Saliency as a picture: beside the image that went in, or as bars, one a feature."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...core.tensor import Array
from ...display import Picture, shades

__all__ = ["bars", "image"]


def image(values: Array, saliency: Array, shape: tuple[int, int]) -> Picture:
    """The input, and beside it the saliency in two colours."""

    def draw(figure: Any) -> None:
        left, right = figure.subplots(1, 2)
        left.imshow(values.reshape(shape), cmap=shades())
        left.set(title="Input")
        top = float(np.abs(saliency).max(initial=0)) or 1.0
        shown = right.imshow(saliency.reshape(shape), cmap=shades(diverging=True), vmin=-top, vmax=top)
        right.set(title="Gradient × input")
        bar = figure.colorbar(shown, ax=[left, right], orientation="horizontal", aspect=40, shrink=0.8)
        bar.set_label("against  ←  the chosen class  →  for")
        for axes in (left, right):
            axes.set(xticks=[], yticks=[])
            axes.grid(visible=False)

    return Picture(
        draw, "The input as a picture, and beside it gradient times input: which places spoke for the class and which against."
    )


def bars(names: Sequence[str], saliency: Array) -> Picture:
    """The saliency of features, from the largest down."""

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        axes.barh(range(len(names)), saliency, color=["C0" if value >= 0 else "C1" for value in saliency])
        axes.set_yticks(range(len(names)), names)
        axes.invert_yaxis()
        axes.set(title="Saliency", xlabel="gradient × value (right: for the class)")

    return Picture(draw, "Bars of gradient times value, one a feature, the largest at the top.", (5.0, 1.2 + 0.25 * len(names)))
