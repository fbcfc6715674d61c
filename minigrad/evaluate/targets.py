"""Targets of classes: whether they are one-hot, and which of them the outputs hit."""

from __future__ import annotations

import numpy as np

from ..core.tensor import Array

__all__ = ["hits", "is_one_hot"]


def is_one_hot(t: Array) -> bool:
    """Whether targets (n, K, …) hold zeros, and one 1 for each position."""
    return t.ndim > 1 and t.shape[1] > 1 and bool(np.isin(t, (0, 1)).all() and (t.sum(1) == 1).all())


def hits(y: Array, t: Array, *, threshold: float | None = None, ignored: int | None = None) -> Array:
    """Which targets the outputs hit, of those that count: the largest of K outputs says the class, or each from the threshold on yes."""
    if threshold is not None:
        return np.asarray((y >= threshold) == (t >= 0.5))
    if y.shape == t.shape:
        return np.asarray(y.argmax(1) == t.argmax(1))
    return np.asarray((y.argmax(1) == t)[t != ignored])
