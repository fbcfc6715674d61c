"""Hand-written kernels along one axis of an array: running sums and products, products, log-sum-exp, elements by their places.

An array of shape (…, n, …) is handed over as a matrix of `before · n` rows and `after` columns, the axis of length n between them:
element j of the axis stands in row b·n + j. Loops over columns vectorise; where there is only one, the axis itself is gone along.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .kernel import kernel

if TYPE_CHECKING:
    T: Any
    exp: Any
    log: Any
    maximum: Any
    add_sum: Any

__all__ = [
    "add_at_places",
    "add_slices",
    "gather",
    "log_sums",
    "log_sums_backward",
    "products",
    "products_backward",
    "running_products",
    "running_products_backward",
    "running_sums",
    "square_sums",
    "sums",
]


@kernel("mmnn")
def running_sums(out, x, n, step):
    """yⱼ = x₀ + … + xⱼ, carried in float64; with a `step` of −1 instead of 1, yⱼ = xⱼ + … + xₙ₋₁."""
    rows, after = x.shape
    flat, flat_out, total = x.reshape(-1), out.reshape(-1), np.zeros(after, np.float64)
    for first in range(0, rows, n):
        if after == 1:
            part, part_out, s = flat[first : first + n][::step], flat_out[first : first + n][::step], 0.0
            for j in range(n):
                s += part[j]
                part_out[j] = T(s)
        else:
            total[:] = 0.0
            for k in range(n):
                r = first + (k if step > 0 else n - 1 - k)
                for c in range(after):
                    total[c] += x[r, c]
                    out[r, c] = T(total[c])


@kernel("mmn")
def running_products(out, x, n):
    """yⱼ = x₀ … xⱼ, carried in float64."""
    rows, after = x.shape
    flat, flat_out, total = x.reshape(-1), out.reshape(-1), np.zeros(after, np.float64)
    for first in range(0, rows, n):
        if after == 1:
            part, part_out, p = flat[first : first + n], flat_out[first : first + n], 1.0
            for j in range(n):
                p *= part[j]
                part_out[j] = T(p)
        else:
            total[:] = 1.0
            for r in range(first, first + n):
                for c in range(after):
                    total[c] *= x[r, c]
                    out[r, c] = T(total[c])


@kernel("mmmmn")
def running_products_backward(dx, g, x, y, n):
    """dL/dxⱼ = yⱼ₋₁ rⱼ with rⱼ = gⱼ + xⱼ₊₁ rⱼ₊₁."""
    rows, after = x.shape
    rest = np.zeros(after, dx.dtype)
    for first in range(0, rows, n):
        rest[:] = T(0)
        for r in range(first + n - 1, first, -1):
            for c in range(after):
                s = g[r, c] + rest[c]
                dx[r, c] = y[r - 1, c] * s
                rest[c] = x[r, c] * s
        for c in range(after):
            dx[first, c] = g[first, c] + rest[c]


@kernel("mmnf")
def products(out, x, n, tiny):
    """y = x₀ … xₙ₋₁, multiplied up in float64. One column is multiplied in 64 lanes, and in sequence if not all of them are normal
    numbers, at least `tiny`: what overflows or vanishes in a lane need not do so in the whole."""
    rows, after = x.shape
    flat, lane, total = x.reshape(-1), np.ones(64, np.float64), np.ones(after, np.float64)
    for b in range(rows // n):
        first = b * n
        if after > 1:
            total[:] = 1.0
            for r in range(first, first + n):
                for c in range(after):
                    total[c] = total[c] * x[r, c]
            for c in range(after):
                out[b, c] = T(total[c])
        else:
            p, whole, normal = 1.0, n // 64 * 64, True
            if whole:
                lane[:] = 1.0
                for begin in range(first, first + whole, 64):
                    part = flat[begin : begin + 64]
                    for j in range(64):
                        lane[j] = lane[j] * part[j]
                for j in range(64):
                    p = p * lane[j]
                    normal &= tiny <= abs(lane[j]) < np.inf and tiny <= abs(p) < np.inf
            for j in range(first + whole, first + n):
                p = p * flat[j]
            if whole and not (normal and tiny <= abs(p) < np.inf):
                p = 1.0
                for j in range(first, first + n):
                    p = p * flat[j]
            out[b, 0] = T(p)


@kernel("mmmmnf")
def products_backward(dx, g, x, y, n, tiny):
    """dL/dxⱼ = g Π xₖ, k ≠ j: g y / xⱼ where y is a normal number, at least `tiny`; else the running products of both directions."""
    rows, after = x.shape
    flat_dx, flat_x = dx.reshape(-1), x.reshape(-1)
    total, earlier = np.ones(after, np.float64), np.empty((0, after), np.float64)
    for b in range(rows // n):
        first, normal = b * n, True
        for c in range(after):
            normal &= T(tiny) <= abs(y[b, c]) < T(np.inf)
        if normal and after == 1:
            part, part_x, scale, whole = flat_dx[first : first + n], flat_x[first : first + n], g[b, 0], y[b, 0]
            for j in range(n):
                part[j] = scale * (whole / part_x[j])
        elif normal:
            for r in range(first, first + n):
                for c in range(after):
                    dx[r, c] = g[b, c] * (y[b, c] / x[r, c])
        else:
            if not earlier.size:
                earlier = np.empty((n, after), np.float64)
            total[:] = 1.0
            for j in range(n):
                for c in range(after):
                    earlier[j, c] = total[c]
                    total[c] *= x[first + j, c]
            total[:] = 1.0
            for j in range(n - 1, -1, -1):
                for c in range(after):
                    dx[first + j, c] = g[b, c] * T(earlier[j, c] * total[c])
                    total[c] *= x[first + j, c]


@kernel("mmn")
def log_sums(out, x, n):
    """y = log Σ exp xⱼ = top + log Σ exp(xⱼ − top), top = max x where that is finite."""
    rows, after = x.shape
    top, total = np.empty(after, out.dtype), np.empty(after, np.float64)
    for b in range(rows // n):
        first = b * n
        if after == 1:
            part = x[first : first + n].reshape(-1)
            t = part[0]
            for j in range(n):
                t = maximum(t, part[j])
            t = t if abs(t) < T(np.inf) else T(0)
            s = 0.0
            for begin in range(0, n, 1024):
                block = T(0)
                for j in range(begin, min(begin + 1024, n)):
                    block = add_sum(block, exp(part[j] - t))
                s += block
            out[b, 0] = log(T(s)) + t
        else:
            for c in range(after):
                top[c], total[c] = x[first, c], 0.0
            for r in range(first + 1, first + n):
                for c in range(after):
                    top[c] = maximum(top[c], x[r, c])
            for c in range(after):
                top[c] = top[c] if abs(top[c]) < T(np.inf) else T(0)
            for r in range(first, first + n):
                for c in range(after):
                    total[c] += exp(x[r, c] - top[c])
            for c in range(after):
                out[b, c] = log(T(total[c])) + top[c]


@kernel("mmmmn")
def log_sums_backward(dx, g, x, y, n):
    """dL/dxⱼ = g eⱼ / Σ e with eⱼ = exp(xⱼ − y), the sum (for a finite y) being 1 but for the rounding of y."""
    rows, after = x.shape
    flat_dx, flat_x, total = dx.reshape(-1), x.reshape(-1), np.empty(after, np.float64)
    for b in range(rows // n):
        if after == 1:
            part, part_x = flat_dx[b * n : b * n + n], flat_x[b * n : b * n + n]
            level, s = y[b, 0] if y[b, 0] != T(-np.inf) else T(0), 0.0
            for begin in range(0, n, 1024):
                block = T(0)
                end = min(begin + 1024, n)
                values, results = part_x[begin:end], part[begin:end]
                for j in range(end - begin):
                    results[j] = exp(values[j] - level)
                for j in range(end - begin):  # apart: a loop that writes as well adds in another order where x lies behind dx
                    block = add_sum(block, results[j])
                s += block
            scale = T(g[b, 0] / s) if abs(y[b, 0]) < T(np.inf) else g[b, 0]
            for j in range(n):
                part[j] = scale * part[j]
        else:
            total[:] = 0.0
            for r in range(b * n, b * n + n):
                for c in range(after):
                    e = exp(x[r, c] - (y[b, c] if y[b, c] != T(-np.inf) else T(0)))
                    dx[r, c] = e
                    total[c] += e
            for c in range(after):
                total[c] = g[b, c] / total[c] if abs(y[b, c]) < T(np.inf) else g[b, c]
            for r in range(b * n, b * n + n):
                for c in range(after):
                    dx[r, c] = T(total[c]) * dx[r, c]


@kernel("mmn")
def sums(out, x, n):
    """y = x₀ + … + xₙ₋₁: blocks of 64, added up in float64."""
    rows, after = x.shape
    part, total = np.empty(after, out.dtype), np.empty(after, np.float64)
    for b in range(rows // n):
        total[:] = 0.0
        for begin in range(b * n, b * n + n, 64):
            part[:] = T(0)
            for r in range(begin, min(begin + 64, b * n + n)):
                for c in range(after):
                    part[c] += x[r, c]
            for c in range(after):
                total[c] += part[c]
        for c in range(after):
            out[b, c] = T(total[c])


@kernel("mmmn")
def square_sums(out, x, centre, n):
    """y = (x₀ − m)² + … + (xₙ₋₁ − m)² with m = `centre`: blocks, added up in float64."""
    rows, after = x.shape
    flat, part, total = x.reshape(-1), np.empty(after, out.dtype), np.empty(after, np.float64)
    for b in range(rows // n):
        if after == 1:
            m, whole = centre[b, 0], 0.0
            for begin in range(b * n, b * n + n, 256):
                block, s = flat[begin : min(begin + 256, b * n + n)], T(0)
                for j in range(block.size):
                    s = add_sum(s, (block[j] - m) * (block[j] - m))
                whole += s
            out[b, 0] = T(whole)
        else:
            total[:] = 0.0
            for begin in range(b * n, b * n + n, 64):
                part[:] = T(0)
                for r in range(begin, min(begin + 64, b * n + n)):
                    for c in range(after):
                        part[c] += (x[r, c] - centre[b, c]) * (x[r, c] - centre[b, c])
                for c in range(after):
                    total[c] += part[c]
            for c in range(after):
                out[b, c] = T(total[c])


@kernel("mmin")
def gather(out, x, index, n):
    """out[b, j, c] = x[b, index[b, j, c], c]. Returns the number of the first index, counted from 1, outside [0, n); 0 if there is
    none: another thread may have written since they were checked."""
    after = x.shape[1]
    flat, flat_x = out.reshape(-1), x.reshape(-1)
    before = x.size // (n * after)
    lanes, step = (after, 1) if after > 1 else (index.size // before, 0)  # of one column, all places of a row at once
    for k in range(0, index.size, lanes):
        b = k * before // index.size
        part, row, places = flat_x[b * n * after : (b + 1) * n * after], flat[k : k + lanes], index[k : k + lanes]
        for c in range(lanes):
            i = np.uint64(places[c])  # unsigned, negative numbers are the largest; nor is it looked at as counted from the end
            if i >= np.uint64(n):
                return k + c + 1
            row[c] = part[i * np.uint64(after) + np.uint64(c * step)]
    return 0


@kernel("mmin")
def add_at_places(out, values, index, n):
    """out[b, index[b, j, c], c] += values[b, j, c]. Returns what `gather` does."""
    after = out.shape[1]
    flat, flat_values = out.reshape(-1), values.reshape(-1)
    before = out.size // (n * after)
    lanes, step = (after, 1) if after > 1 else (index.size // before, 0)  # as above
    for k in range(0, index.size, lanes):
        b = k * before // index.size
        part, row, places = flat[b * n * after : (b + 1) * n * after], flat_values[k : k + lanes], index[k : k + lanes]
        for c in range(lanes):
            i = np.uint64(places[c])
            if i >= np.uint64(n):
                return k + c + 1
            part[i * np.uint64(after) + np.uint64(c * step)] += row[c]
    return 0


@kernel("mmin")
def add_slices(out, values, index, n):
    """out[b, index[j], c] += values[b, j, c]: every index must be in [0, n)."""
    rows, after = out.shape
    flat, flat_values, m = out.reshape(-1), values.reshape(-1), index.size
    for b in range(rows // n):
        if after == 1:
            part, row = flat[b * n : (b + 1) * n], flat_values[b * m : (b + 1) * m]
            for j in range(m):
                part[np.uint64(index[j])] += row[j]
        else:
            for j in range(m):
                i = b * n + index[j]
                for c in range(after):
                    out[i, c] += values[b * m + j, c]
