"""Kernels of losses with a margin and of what they compare: cosines and distances.

Those over classes leave behind the gradient for dL/dloss = 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .kernel import kernel

if TYPE_CHECKING:
    T: Any
    where: Any
    add_sum: Any
    sqrt: Any

__all__ = [
    "cosine_rows",
    "cosine_rows_backward",
    "distance_rows",
    "distance_rows_backward",
    "multi_margin_rows",
    "multilabel_margin_rows",
]


@kernel("ammianfn")
def multi_margin_rows(loss, dx, x, target, weight, power, margin, reduce):
    """Multi-class hinge w_t/C Σ_{c ≠ t} max(margin − x_t + x_c, 0)ᵖ, p = 1 or 2, and its gradient for dL/dloss = 1.

    `reduce`: 0 a loss a row, 1 their sum, 2 their mean. Returns the number of the first row, counted from 1, whose target is no class.
    """
    rows, columns = x.shape
    norm = T(1.0 / rows) if reduce == 2 else T(1)
    summed = 0.0
    for i in range(rows):
        t = target[i]
        if t < 0 or t >= columns:
            return i + 1
        lowest = T(margin) - x[i, t]
        scale = weight[t] / T(columns)
        total, pull = T(0), T(0)
        for begin, end in ((0, t), (t + 1, columns)):
            for j in range(begin, end):
                z = lowest + x[i, j]
                z = where(z > T(0), z, T(0))
                d = where(z > T(0), T(1), T(0)) if power == 1 else z + z
                total = add_sum(total, z if power == 1 else z * z)
                pull = add_sum(pull, d)
                dx[i, j] = d * (scale * norm)
        dx[i, t] = -pull * (scale * norm)
        summed += total * scale
        if reduce == 0:
            loss[i] = total * scale
    if reduce > 0:
        loss[0] = T(summed if reduce == 1 else summed / rows)
    return 0


@kernel("ammmin")
def multilabel_margin_rows(loss, dx, counts, x, target, reduce):
    """Multi-label hinge 1/C Σ_t Σ_o max(1 − x_t + x_o, 0) over targets t and the other classes o, and its gradient for dL/dloss = 1.

    The targets of a row end at −1; `counts`, zeros at first, gets how often each class is one. `reduce` and result as for `nll_rows`.
    """
    rows, columns = x.shape
    scale = T(1.0 / columns)
    norm = T(scale / rows) if reduce == 2 else scale
    summed = 0.0
    for i in range(rows):
        total = T(0)
        for j in range(columns):
            dx[i, j] = T(0)
        for k in range(columns):
            t = target[i * columns + k]
            if t == -1:
                break
            if t < 0 or t >= columns:
                return i * columns + k + 1
            counts[i, t] += T(1)
        for t in range(columns):
            if counts[i, t] > 0:
                lowest, count, part, pull = T(1) - x[i, t], counts[i, t], T(0), T(0)
                for j in range(columns):
                    z = where(counts[i, j] > T(0), T(0), lowest + x[i, j])
                    d = where(z > T(0), count, T(0))
                    part = add_sum(part, where(z > T(0), z, T(0)))
                    pull = add_sum(pull, d)
                    dx[i, j] = dx[i, j] + d
                dx[i, t] = dx[i, t] - pull
                total += count * part
        for j in range(columns):
            dx[i, j] = dx[i, j] * norm
        summed += total * scale
        if reduce == 0:
            loss[i] = total * scale
    if reduce > 0:
        loss[0] = T(summed if reduce == 1 else summed / rows)
    return 0


@kernel("amm")
def cosine_rows(out, a, b):
    """a·b / √((a·a + 1e-12) (b·b + 1e-12)), row by row."""
    rows, columns = a.shape
    for i in range(rows):
        dot = T(0)
        n, m = T(0), T(0)
        for j in range(columns):
            dot = add_sum(dot, a[i, j] * b[i, j])
            n = add_sum(n, a[i, j] * a[i, j])
            m = add_sum(m, b[i, j] * b[i, j])
        out[i] = dot / sqrt((n + T(1e-12)) * (m + T(1e-12)))


@kernel("maamm")
def cosine_rows_backward(da, g, y, a, b):
    """dL/da = g (b / √(n m) − y a / n), n = a·a + 1e-12, m = b·b + 1e-12."""
    rows, columns = a.shape
    for i in range(rows):
        n, m = T(0), T(0)
        for j in range(columns):
            n = add_sum(n, a[i, j] * a[i, j])
            m = add_sum(m, b[i, j] * b[i, j])
        n += T(1e-12)
        across, along = g[i] / sqrt(n * (m + T(1e-12))), g[i] * y[i] / n
        for j in range(columns):
            da[i, j] = across * b[i, j] - along * a[i, j]


@kernel("ammf")
def distance_rows(out, a, b, eps):
    """‖a − b + ε‖, row by row."""
    rows, columns = a.shape
    shift = T(eps)
    for i in range(rows):
        total = T(0)
        for j in range(columns):
            d = a[i, j] - b[i, j] + shift
            total = add_sum(total, d * d)
        out[i] = sqrt(total)


@kernel("maammff")
def distance_rows_backward(da, g, y, a, b, eps, sign):
    """dL/da = sign g (a − b + ε) / y, 0 where y = 0."""
    rows, columns = a.shape
    shift = T(eps)
    for i in range(rows):
        scale = T(0) if y[i] == 0 else T(sign) * g[i] / y[i]
        for j in range(columns):
            da[i, j] = scale * (a[i, j] - b[i, j] + shift)
