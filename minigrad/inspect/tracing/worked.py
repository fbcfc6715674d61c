"""Rules that are products or differences of matrices, with their numbers put in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ...core import Step
from ...core.tensor import Array
from ...ops.softmax import softmax

__all__ = ["worked"]

Parts = tuple[str | Array, ...]
Named = Mapping[str, Any]  # what a rule names


def worked(step: Step, k: int, g: Any, saved: Any, limit: int) -> Parts:
    """Rule k in letters and then in numbers: signs, and copies of arrays. Empty where it is no such rule, or an array has more than
    `limit` elements.

    Of cross_entropy, whose output is a number, it is the local derivative, of the others what goes out.
    """
    record = step.record
    rule = _RULES.get((step.name, record.plan.op.input_name(record.tracked[k])))
    if rule is None or record.plan.op.live:
        return ()
    parts = rule(record.named(k, record.rule(k).needs, g, saved))
    arrays = [part for part in parts if isinstance(part, np.ndarray)]
    if any(not 0 < array.size <= limit or array.ndim > 2 for array in arrays):
        return ()
    return tuple(np.array(part) if isinstance(part, np.ndarray) else part for part in parts)


def _linear_x(at: Named) -> Parts:
    weight = np.atleast_2d(at["weight"])
    return "g W", at["g"].reshape(-1, len(weight)), "·", weight


def _linear_weight(at: Named) -> Parts:
    x, shape = at["x"], at["weight_shape"]
    outputs = shape[0] if len(shape) == 2 else 1
    return "gᵀ x", at["g"].reshape(-1, outputs).T, "·", x.reshape(-1, x.shape[-1])


def _matmul_a(at: Named) -> Parts:
    b, shape = at["b"], at["a_shape"]
    if max(b.ndim, len(shape)) > 2 or b.ndim == len(shape) == 1:  # of two vectors the output is a number
        return ()
    b = b.reshape(len(b), -1)  # a vector on the right is a column
    return "g bᵀ", at["g"].reshape(-1, b.shape[1]), "·", b.T


def _matmul_b(at: Named) -> Parts:
    a, shape = at["a"], at["b_shape"]
    if max(a.ndim, len(shape)) > 2 or a.ndim == len(shape) == 1:
        return ()
    a = np.atleast_2d(a)  # a vector on the left is a row
    return "aᵀ g", a.T, "·", at["g"].reshape(len(a), -1)


def _cross_entropy(at: Named) -> Parts:
    """p − q, in the plain case: one class index a row, without weights and smoothing, and no row ignored."""
    logits, target = at["input"], at["target"]
    plain = target.dtype.kind in "iu" and at["weight"] is None and not at["label_smoothing"] and logits.size
    if not plain or logits.ndim > 2 or at["reduction"] == "none" or np.any(target == at["ignore_index"]):
        return ()
    p = softmax.formula(logits, logits.ndim - 1)
    q = np.eye(logits.shape[-1])[target]
    rows = target.size if at["reduction"] == "mean" else 1
    return ("p − q", p, "−", q) if rows == 1 else (f"(p − q) / {rows}", "(", p, "−", q, f") / {rows}")


def _softmax(at: Named) -> Parts:
    g, y = at["g"], at["y"]
    if not y.ndim or y.size != y.shape[at["dim"]] or at["temperature"] != 1:  # rows have sums of their own
        return ()
    return "y (g − Σ g y)", y, "(", g, "−", np.asarray((g * y).sum()), ")"


_RULES: dict[tuple[str, str], Callable[[Named], Parts]] = {
    ("linear", "x"): _linear_x,
    ("linear", "weight"): _linear_weight,
    ("matmul", "a"): _matmul_a,
    ("matmul", "b"): _matmul_b,
    ("cross_entropy", "input"): _cross_entropy,
    ("softmax", "x"): _softmax,
}
