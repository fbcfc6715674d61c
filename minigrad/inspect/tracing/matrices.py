"""Equations of matrices in characters, as one writes them on a board."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...core.tensor import Array
from ..values import short

__all__ = ["equation"]


def equation(left: str, middle: Sequence[str | Array], right: Array, width: int) -> list[str]:
    """left = middle = right, the right side below the middle if that is wider than `width`; no lines if it is still too wide."""
    for lines in (
        _beside([left, "=", *middle, "=", right]),
        [*_beside([left, "=", *middle]), *_beside([" " * len(left), "=", right])],
    ):
        if max(map(len, lines)) <= width:
            return lines
    return []


def _beside(parts: Sequence[str | Array]) -> list[str]:
    """Signs and arrays of up to two axes beside one another, in as many lines as the highest has rows; signs stand in the middle."""
    blocks = [[part] if isinstance(part, str) else _matrix(part) for part in parts]
    height = max(map(len, blocks))
    columns = [_centred(block, height) for block in blocks]
    return [" ".join(line).rstrip() for line in zip(*columns, strict=True)]


def _centred(block: list[str], height: int) -> list[str]:
    """Lines of one width, with empty ones above and below."""
    above = (height - len(block)) // 2
    width = max(map(len, block))
    return [line.ljust(width) for line in [*[""] * above, *block, *[""] * (height - above - len(block))]]


def _matrix(array: Array) -> list[str]:
    """A matrix in brackets, its columns below one another; a vector is a row, a number stands alone."""
    if array.ndim == 0:
        return [short(array[()])]
    rows = [[short(value) for value in row] for row in np.atleast_2d(array)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(word.rjust(width) for word, width in zip(row, widths, strict=True)) for row in rows]
    if len(lines) == 1:
        return [f"[{lines[0]}]"]
    left, right = (f"{top}{middle * (len(lines) - 2)}{bottom}" for top, middle, bottom in ("⎡⎢⎣", "⎤⎥⎦"))
    return [f"{a}{line}{b}" for a, line, b in zip(left, lines, right, strict=True)]
