"""What the tables of reports share: undefined values, names, and which rows to show where there are many."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.tensor import Array

__all__ = ["MANY", "centre", "named", "rows_of", "shown"]

MANY = 25
"""Up to so many classes each has its row, and the confusion matrix its counts."""
_WEAKEST = 20  # rows of a table where there are more
_NAMED = 5  # names in a sentence
_ROUNDING = 1e-6  # of a standard deviation: a mean below it is 0 but for rounding


def shown(value: Any) -> Any:
    """A table's entry; "–" for what is undefined."""
    return "–" if isinstance(value, (float, np.floating)) and math.isnan(value) else value


def rows_of(names: Sequence[str], columns: Sequence[Any], by: Array, what: str) -> tuple[list[list[Any]], str]:
    """A row a name; where there are many, those where `by`, called `what`, is lowest, and a note that says so."""
    order, note = np.arange(len(names)), ""
    if len(names) > MANY:
        order = np.argsort(by, kind="stable")[:_WEAKEST]  # undefined ones come last
        note = f"Shown are the {_WEAKEST} of {len(names):,} with the lowest {what}, the weakest first; to_dict() has all."
    return [[names[k], *(shown(column[k]) for column in columns)] for k in order.tolist()], note


def named(names: Sequence[str], which: Array) -> str:
    """Names in quotes, those where `which` is true: the first few, and how many more."""
    found = [f'"{names[k]}"' for k in np.flatnonzero(which).tolist()]
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return ", ".join(found[:_NAMED]) + more


def centre(mean: float, std: float) -> float:
    """A mean, or 0 where it is nothing but rounding beside the standard deviation."""
    return 0.0 if abs(mean) < _ROUNDING * std else float(mean)
