"""Saliency as a picture: beside the image that went in, or as bars, one a feature."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...core.tensor import Array
from ...display import Picture, shades
from ...errors import ShapeError

__all__ = ["bars", "image", "picture_shape"]

_LEAST_IMAGE = 64  # features that may be taken for a square picture


def picture_shape(shape: tuple[int, ...], wanted: Any, named: bool) -> tuple[tuple[int, ...] | None, bool]:
    """The shape of the picture that an input of `shape` (1, …) is, if it is one, and whether that is a guess.

    It is (rows, columns), (3, rows, columns) or (rows, columns, 3).
    """
    size = math.prod(shape)
    if wanted is not None:
        picture = _as_picture(tuple(map(int, wanted)))
        if picture is None or math.prod(picture) != size:
            raise ShapeError(
                "explain_prediction: image_shape must be (rows, columns), (3, rows, columns) or (rows, columns, 3) of "
                f"{size} inputs, got {wanted}"
            )
        return picture, False
    if len(shape) > 2 and (picture := _as_picture(shape[1:])):
        return picture, False
    side = math.isqrt(size)
    guess = side * side == size and size >= _LEAST_IMAGE and len(shape) == 2 and not named
    return ((side, side), True) if guess else (None, False)


def _as_picture(shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """The shape of a picture without axes of length 1 for colours; None for what is no picture."""
    while len(shape) > 2 and shape[0] == 1:
        shape = shape[1:]
    if len(shape) == 3 and shape[-1] == 1:
        return shape[:-1]
    return shape if len(shape) == 2 or (len(shape) == 3 and 3 in (shape[0], shape[-1])) else None


def image(values: Array, saliency: Array, shape: tuple[int, ...]) -> Picture:
    """The input, and beside it the saliency in two colours, summed over the colours of the input."""
    values, saliency = values.reshape(shape), saliency.reshape(shape)
    if len(shape) == 3:
        axis = 0 if shape[0] == 3 else 2
        values, saliency = _shown(np.moveaxis(values, axis, -1)), saliency.sum(axis)

    def draw(figure: Any) -> None:
        left, right = figure.subplots(1, 2)
        left.imshow(values, cmap=shades())  # three colours are shown as they are
        left.set(title="Input")
        top = float(np.abs(saliency).max(initial=0)) or 1.0
        shown = right.imshow(saliency, cmap=shades(diverging=True), vmin=-top, vmax=top)
        right.set(title="Gradient × input")
        bar = figure.colorbar(shown, ax=[left, right], orientation="horizontal", aspect=40, shrink=0.8)
        bar.set_label("against  ←  the chosen class  →  for")
        for axes in (left, right):
            axes.set(xticks=[], yticks=[])
            axes.grid(visible=False)

    return Picture(
        draw, "The input as a picture, and beside it gradient times input: which places spoke for the class and which against."
    )


def _shown(colours: Array) -> Array:
    """Colours from 0 to 1, as they are or else stretched to that."""
    low, high = float(colours.min()), float(colours.max())
    if 0 <= low and high <= 1:
        return colours
    return np.asarray((colours - low) / ((high - low) or 1.0))


def bars(names: Sequence[str], saliency: Array) -> Picture:
    """The saliency of features, from the largest down."""

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        axes.barh(range(len(names)), saliency, color=["C0" if value >= 0 else "C1" for value in saliency])
        axes.set_yticks(range(len(names)), names)
        axes.invert_yaxis()
        axes.set(title="Saliency", xlabel="gradient × value (right: for the class)")

    return Picture(draw, "Bars of gradient times value, one a feature, the largest at the top.", (5.0, 1.2 + 0.25 * len(names)))
