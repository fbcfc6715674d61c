"""Curves drawn with characters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

__all__ = ["chart"]

_MARKS = "●○×+"


def chart(series: Mapping[str, Sequence[float]], height: int = 10, width: int = 60, log: bool = False) -> str:
    """Curves over steps counted from 1, as lines of text; larger values stand higher, with `log` by their logarithms. What is no finite
    number is left out. With more steps than `width`, each column shows the mean of its steps.
    """
    steps = max(map(len, series.values()), default=0)
    columns = min(steps, width)
    curves = {name: _squeezed(values, steps, columns) for name, values in series.items()}
    finite = [value for curve in curves.values() for value in curve if math.isfinite(value)]
    if not finite:
        return "(no finite values)"
    low, high = min(finite), max(finite)
    place = math.log if log else float
    spread = (place(high) - place(low)) or 1.0
    stretch = max(1, width // columns) if columns < width // 2 else 1
    grid = [[" "] * (columns * stretch) for _ in range(height)]
    for mark, curve in zip(_MARKS, curves.values(), strict=False):
        for column, value in enumerate(curve):
            if math.isfinite(value):
                grid[round((place(high) - place(value)) / spread * (height - 1))][column * stretch] = mark
    label = max(len(f"{low:.4g}"), len(f"{high:.4g}"))
    at = {0: f"{high:.4g}", height - 1: f"{low:.4g}"}
    lines = [f"{at.get(n, ''):>{label}} ┤{''.join(row)}".rstrip() for n, row in enumerate(grid)]
    lines.append(f"{'':>{label}} └{'─' * (columns * stretch)}")
    lines.append(f"{'':>{label}}  1{steps if steps > 1 else '':>{max((columns - 1) * stretch, 2)}}")
    names = "   ".join(f"{mark} {name}" for mark, name in zip(_MARKS, series, strict=False))
    return "\n".join([*lines, f"{'':>{label}}  {names}"])


def _squeezed(values: Sequence[float], steps: int, columns: int) -> list[float]:
    """A mean of the values for each column."""
    parts = [values[steps * n // columns : steps * (n + 1) // columns] for n in range(columns)]
    return [sum(part) / len(part) if part else math.nan for part in parts]
