"""Kernels over the rows of a matrix: softmax, log-softmax, sums, rows of a table.

All arrays are C-contiguous. Rows that are short (≤ 256) would leave vector registers idle: there exp runs over many rows at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .kernel import kernel

if TYPE_CHECKING:
    T: Any
    exp: Any
    log1p: Any
    maximum: Any
    absolute: Any
    where: Any
    add_sum: Any

__all__ = [
    "add_to_rows",
    "column_sums",
    "glu_rows",
    "glu_rows_backward",
    "linear_scan_rows",
    "log_softmax_rows",
    "log_softmax_rows_backward",
    "outside_unit",
    "row_sums",
    "softmax_rows",
    "softmax_rows_backward",
    "table_rows",
    "table_rows_backward",
]


@kernel("mmf", cuts="rr-")
def softmax_rows(out, x, temperature):
    """yⱼ = exp((xⱼ − max x) / τ) / Σₖ exp((xₖ − max x) / τ)."""
    rows, columns = x.shape
    for i in range(rows):
        top = x[i, 0]
        for j in range(columns):
            top = maximum(top, x[i, j])
        if temperature == 1:
            for j in range(columns):
                out[i, j] = x[i, j] - top
        else:
            for j in range(columns):
                out[i, j] = (T(0.5) * x[i, j] - T(0.5) * top) / T(0.5 * temperature)
        if columns > 256:
            total = T(0)
            for j in range(columns):
                e = exp(out[i, j])
                out[i, j] = e
                total = add_sum(total, e)
            scale = T(1) / total
            for j in range(columns):
                out[i, j] = out[i, j] * scale
    if columns <= 256:
        flat = out.reshape(-1)
        for k in range(flat.size):
            flat[k] = exp(flat[k])
        for i in range(rows):
            total = T(0)
            for j in range(columns):
                total = add_sum(total, out[i, j])
            scale = T(1) / total
            for j in range(columns):
                out[i, j] = out[i, j] * scale


@kernel("mmmf", cuts="rrr-")
def softmax_rows_backward(dx, g, y, temperature):
    """dL/dx = y (g − Σ g y) / τ: the Jacobian is (diag(y) − y yᵀ) / τ."""
    rows, columns = y.shape
    scale = T(1.0 / temperature)
    for i in range(rows):
        total = T(0)
        for j in range(columns):
            total = add_sum(total, g[i, j] * y[i, j])
        for j in range(columns):
            dx[i, j] = y[i, j] * (g[i, j] - total) * scale


@kernel("mamf", cuts="rwr-")
def log_softmax_rows(out, work, x, temperature):
    """yⱼ = (xⱼ − max x) / τ − log Σₖ exp((xₖ − max x) / τ), by log1p of the terms beside a dominant one, which is 1.

    `work` is scratch of x's size where rows are short, else of a row's.
    """
    rows, columns = x.shape
    for i in range(rows):
        top = x[i, 0]
        for j in range(columns):
            top = maximum(top, x[i, j])
        if temperature == 1:
            for j in range(columns):
                out[i, j] = x[i, j] - top
        else:
            for j in range(columns):
                out[i, j] = (T(0.5) * x[i, j] - T(0.5) * top) / T(0.5 * temperature)
        if columns > 256:
            total = T(0)
            for j in range(columns):
                work[j] = exp(out[i, j])
                total = add_sum(total, work[j])
            rest = total - T(1)
            if total < T(2):
                rest = T(0)
                for j in range(columns):
                    rest = add_sum(rest, where(work[j] == T(1), T(0), work[j]))
            shift = log1p(rest)
            for j in range(columns):
                out[i, j] = out[i, j] - shift
    if columns <= 256:
        flat = out.reshape(-1)
        for k in range(flat.size):
            work[k] = exp(flat[k])
        exps = work.reshape(rows, columns)
        for i in range(rows):
            total = T(0)
            for j in range(columns):
                total = add_sum(total, exps[i, j])
            rest = total - T(1)
            if total < T(2):
                rest = T(0)
                for j in range(columns):
                    rest = add_sum(rest, where(exps[i, j] == T(1), T(0), exps[i, j]))
            work[i] = rest
        for i in range(rows):
            work[i] = log1p(work[i])
        for i in range(rows):
            for j in range(columns):
                out[i, j] = out[i, j] - work[i]


@kernel("mmmf", cuts="rrr-")
def log_softmax_rows_backward(dx, g, y, temperature):
    """dL/dx = (g − exp(y) Σ g) / τ; where exp(y) is above ½, minus the sum of the others, as together they are 0: there the difference
    could have no digits."""
    rows, columns = y.shape
    scale = T(1.0 / temperature)
    if columns <= 256:
        flat, flat_y = dx.reshape(-1), y.reshape(-1)
        for k in range(flat.size):
            flat[k] = exp(flat_y[k])
    for i in range(rows):
        total, above = T(0), T(0)
        for j in range(columns):
            total = add_sum(total, g[i, j])
            above = add_sum(above, where(y[i, j] > T(-0.69), T(1), T(0)))
        if columns <= 256:
            for j in range(columns):
                dx[i, j] = (g[i, j] - dx[i, j] * total) * scale
        else:
            for j in range(columns):
                dx[i, j] = (g[i, j] - exp(y[i, j]) * total) * scale
        if above > 0:
            peak, others = 0, T(0)
            while peak < columns - 1 and y[i, peak] <= T(-0.69):  # there is none if another thread writes y meanwhile
                peak += 1
            dx[i, peak] = T(0)
            for j in range(columns):
                others = add_sum(others, dx[i, j])
            dx[i, peak] = -others


@kernel("mmm")
def glu_rows(out, gate, x):
    """yⱼ = aⱼ σ(bⱼ), where a row of x is a and then b, and gateⱼ = σ(bⱼ); block by block of rows that stay in the cache."""
    rows, columns = out.shape
    step = max(1, 2048 // columns)
    for begin in range(0, rows, step):
        end = min(begin + step, rows)
        for i in range(begin, end):
            b = x[i, columns:]  # an index such as columns + j would cost the vector loop
            for j in range(columns):
                gate[i, j] = b[j]
        block = gate[begin:end].reshape(-1)
        for k in range(block.size):
            e = exp(-absolute(block[k]))
            c = where(block[k] >= T(0), T(1), e)
            block[k] = c - c * (e / (T(1) + e))
        for i in range(begin, end):
            for j in range(columns):
                out[i, j] = x[i, j] * gate[i, j]


@kernel("mmmm")
def glu_rows_backward(dx, g, gate, x):
    """dL/da = g σ(b), dL/db = g a σ(b) (1 − σ(b))."""
    rows, columns = g.shape
    for i in range(rows):
        da, db = dx[i, :columns], dx[i, columns:]
        for j in range(columns):
            da[j] = g[i, j] * gate[i, j]
        for j in range(columns):
            db[j] = g[i, j] * (x[i, j] * (gate[i, j] * (T(1) - gate[i, j])))


@kernel("ma")
def add_to_rows(x, row):
    """x[i, j] += row[j], in place."""
    rows, columns = x.shape
    for i in range(rows):
        for j in range(columns):
            x[i, j] = x[i, j] + row[j]


@kernel("mmm")
def linear_scan_rows(out, a, b):
    """sₖ = aₖ sₖ₋₁ + bₖ along each row, from s₀ = b₀."""
    rows, columns = b.shape
    for i in range(rows if columns else 0):
        s = b[i, 0]
        out[i, 0] = s
        for k in range(1, columns):
            s = a[i, k] * s + b[i, k]
            out[i, k] = s


@kernel("amf", cuts="rr-")
def row_sums(out, x, divisor):
    """outᵢ = Σⱼ x[i, j] / divisor: blocks of 128, added up in float64."""
    rows, columns = x.shape
    for i in range(rows):
        total = 0.0
        whole = columns // 256 * 256
        for begin in range(0, whole, 256):
            a, b, c, d = T(0), T(0), T(0), T(0)
            for j in range(begin, begin + 64):
                a = add_sum(a, x[i, j])
                b = add_sum(b, x[i, j + 64])
                c = add_sum(c, x[i, j + 128])
                d = add_sum(d, x[i, j + 192])
            total += (a + b) + (c + d)
        rest = T(0)
        for j in range(whole, columns):
            rest = add_sum(rest, x[i, j])
        total += rest
        out[i] = T(total / divisor)


@kernel("am")
def column_sums(out, x):
    """outⱼ = Σᵢ x[i, j]: four rows at a time, and from 64 on block by block into float64."""
    rows, columns = x.shape
    total = np.zeros(columns if rows > 64 else 0, np.float64)
    for begin in range(0, max(rows, 1), 64):
        end = min(begin + 64, rows)
        whole = begin + (end - begin) // 4 * 4
        for j in range(columns):
            out[j] = T(0)
        for i in range(begin, whole, 4):
            for j in range(columns):
                out[j] += (x[i, j] + x[i + 1, j]) + (x[i + 2, j] + x[i + 3, j])
        for i in range(whole, end):
            for j in range(columns):
                out[j] += x[i, j]
        for j in range(total.size):
            total[j] += out[j]
    for j in range(total.size):
        out[j] = T(total[j])


@kernel("a")
def outside_unit(x):
    """How many elements are not in [0, 1]; NaN is not."""
    count = 0
    for i in range(x.size):
        count += 0 if T(0) <= x[i] <= T(1) else 1
    return count


@kernel("mmi")
def table_rows(out, table, indices):
    """out[k] = table[indices[k]]. Returns the number of the first index, counted from 1, that is no row; 0 if all are."""
    rows, columns = table.shape
    for k in range(indices.size):
        i = indices[k]
        if i < 0 or i >= rows:
            return k + 1
        for j in range(columns):
            out[k, j] = table[i, j]
    return 0


@kernel("mmin")
def table_rows_backward(dtable, g, indices, skipped):
    """Adds g[k] to row indices[k] of `dtable`, unless that is the row `skipped`; rows that do not exist are passed over."""
    rows, columns = dtable.shape
    for k in range(indices.size):
        i = indices[k]
        if 0 <= i < rows and i != skipped:
            for j in range(columns):
                dtable[i, j] += g[k, j]
