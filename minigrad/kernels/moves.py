"""Kernels that copy and add up whole arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .kernel import kernel

if TYPE_CHECKING:
    T: Any

__all__ = ["add_up", "copy", "spread", "zero"]


@kernel("aa")
def copy(out, x):
    """out ← x."""
    for i in range(out.size):
        out[i] = x[i]


@kernel("aaa")
def add_up(out, a, b):
    """out ← a + b."""
    for i in range(out.size):
        out[i] = a[i] + b[i]


@kernel("a")
def zero(out):
    """out ← 0."""
    for i in range(out.size):
        out[i] = T(0)


@kernel("maf")
def spread(out, x, divisor):
    """out[i, j] ← xᵢ / divisor."""
    rows, columns = out.shape
    for i in range(rows):
        share = x[i] / T(divisor)
        for j in range(columns):
            out[i, j] = share
