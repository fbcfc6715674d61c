"""Hand-written kernels of normalizations: the rows of a matrix (layer norm), or its columns (batch norm). See `rows`.

Mean and variance take two passes. Float32 is summed in float64, columns in blocks of 64 rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .kernel import kernel

if TYPE_CHECKING:
    T: Any
    add_sum: Any

__all__ = [
    "column_moments",
    "normalize_columns",
    "normalize_columns_backward",
    "normalize_rows",
    "normalize_rows_backward",
    "normalized_column_sums",
    "normalized_sums",
]


@kernel("mmmaafn", cuts="rcr----")
def normalize_rows(out, moments, x, weight, bias, eps, centred):
    """yⱼ = weightⱼ (xⱼ − mean) / √(mean of (x − mean)² + ε) + biasⱼ, each row by itself; where not `centred`, 0 stands for the mean.

    `moments` gets the means and, below them, the factors 1 / √(…). Sums are taken in float64.
    """
    rows, columns = x.shape
    for i in range(rows):
        total = 0.0
        if centred:
            for j in range(columns):
                total = add_sum(total, np.float64(x[i, j]))
        mean = T(total / columns)
        squares = 0.0
        for j in range(columns):
            squares = add_sum(squares, np.float64((x[i, j] - mean) * (x[i, j] - mean)))
        scale = T(1.0 / np.sqrt(squares / columns + eps))
        moments[0, i] = mean
        moments[1, i] = scale
        for j in range(columns):
            out[i, j] = (x[i, j] - mean) * scale * weight[j] + bias[j]


@kernel("mmmman", cuts="rrrc--")
def normalize_rows_backward(dx, g, x, moments, weight, centred):
    """dL/dx = s (h − mean h − z mean(h z)), with h = g weight, z the normalized row and s its factor; no mean h where not `centred`."""
    rows, columns = x.shape
    for i in range(rows):
        mean, scale = moments[0, i], moments[1, i]
        plain, along = 0.0, 0.0
        for j in range(columns):
            h = g[i, j] * weight[j]
            plain = add_sum(plain, np.float64(h))
            along = add_sum(along, np.float64(h * ((x[i, j] - mean) * scale)))
        shift, slope = T(plain / columns) if centred else T(0), T(along / columns)
        for j in range(columns):
            dx[i, j] = scale * (g[i, j] * weight[j] - shift - (x[i, j] - mean) * scale * slope)


@kernel("ammm")
def normalized_sums(out, g, x, moments):
    """outⱼ = Σᵢ g[i, j] z[i, j], z the rows normalized by `moments`: added up 64 rows at a time, these blocks in float64."""
    rows, columns = x.shape
    total = np.zeros(columns, np.float64)
    for begin in range(0, rows, 64):
        for j in range(columns):
            out[j] = T(0)
        for i in range(begin, min(begin + 64, rows)):
            mean, scale = moments[0, i], moments[1, i]
            for j in range(columns):
                out[j] += g[i, j] * ((x[i, j] - mean) * scale)
        for j in range(columns):
            total[j] += out[j]
    for j in range(columns):
        out[j] = T(total[j])


@kernel("mm")
def column_moments(out, x):
    """The mean of each column, and below it the mean of (x − mean)²: two rows at a time, and 64 by 64 into float64."""
    rows, columns = x.shape
    total = np.zeros(columns, np.float64)
    mean, part = out[0], out[1]
    for j in range(columns):
        mean[j] = T(0)
    for moment in range(2):
        for j in range(columns):
            total[j] = 0.0
        for begin in range(0, rows, 64):
            end = min(begin + 64, rows)
            whole = begin + (end - begin) // 2 * 2
            for j in range(columns):
                part[j] = T(0)
            if moment == 0:
                for i in range(begin, whole, 2):
                    for j in range(columns):
                        part[j] += x[i, j] + x[i + 1, j]
            else:
                for i in range(begin, whole, 2):
                    for j in range(columns):
                        one, two = x[i, j] - mean[j], x[i + 1, j] - mean[j]
                        part[j] += one * one + two * two
            if whole < end:
                for j in range(columns):
                    one = x[whole, j] - mean[j]
                    part[j] += one if moment == 0 else one * one
            for j in range(columns):
                total[j] += part[j]
        for j in range(columns):
            out[moment, j] = T(total[j] / rows)


@kernel("mmmaaf")
def normalize_columns(out, x, moments, weight, bias, eps):
    """y = weight (x − mean) / √(variance + ε) + bias, with one number a column of each; `moments` has the means above the variances."""
    rows, columns = x.shape
    factor = np.empty(columns, x.dtype)
    for j in range(columns):
        factor[j] = T(weight[j] / np.sqrt(moments[1, j] + eps))
    for i in range(rows):
        for j in range(columns):
            out[i, j] = (x[i, j] - moments[0, j]) * factor[j] + bias[j]


@kernel("mmmmf")
def normalized_column_sums(out, g, x, moments, eps):
    """Σᵢ g[i, j], and below it Σᵢ g[i, j] z[i, j], z the normalized x: two rows at a time, and 64 by 64 into float64."""
    rows, columns = x.shape
    total = np.zeros((2, columns), np.float64)
    plain, along, mean = out[0], out[1], moments[0]
    for begin in range(0, rows, 64):
        end = min(begin + 64, rows)
        whole = begin + (end - begin) // 2 * 2
        for j in range(columns):
            plain[j] = along[j] = T(0)
        for i in range(begin, whole, 2):
            for j in range(columns):
                plain[j] += g[i, j] + g[i + 1, j]
                along[j] += g[i, j] * (x[i, j] - mean[j]) + g[i + 1, j] * (x[i + 1, j] - mean[j])
        if whole < end:
            for j in range(columns):
                plain[j] += g[whole, j]
                along[j] += g[whole, j] * (x[whole, j] - mean[j])
        for j in range(columns):
            total[0, j] += plain[j]
            total[1, j] += along[j]
    for j in range(columns):
        plain[j] = T(total[0, j])
        along[j] = T(total[1, j] / np.sqrt(moments[1, j] + eps))


@kernel("mmmmamf")
def normalize_columns_backward(dx, g, x, moments, weight, sums, eps):
    """dL/dx = weight s (g − Σ g / n − z Σ g z / n), z the normalized column, s its factor; `sums` has Σ g above Σ g z."""
    rows, columns = x.shape
    factor, shift, slope = np.empty(columns, x.dtype), np.empty(columns, x.dtype), np.empty(columns, x.dtype)
    for j in range(columns):
        scale = 1.0 / np.sqrt(moments[1, j] + eps)
        factor[j] = T(scale * weight[j])
        shift[j] = T(sums[0, j] / rows)
        slope[j] = T(sums[1, j] / rows * scale)
    for i in range(rows):
        for j in range(columns):
            dx[i, j] = factor[j] * (g[i, j] - shift[j] - (x[i, j] - moments[0, j]) * slope[j])
