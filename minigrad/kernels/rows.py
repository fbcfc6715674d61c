"""Hand-written kernels over the rows of a matrix: softmax, log-softmax, cross-entropy, sums.

Legend: x is a matrix of `rows` × `columns` elements, flat and C-contiguous; row i begins at i · columns. The functions are texts in the
notation of generated loops (T is the dtype); `Kernel` compiles one per dtype on first use. Rows that are short (≤ 64) would leave
vector registers idle: there exp runs once over the whole matrix.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from types import FunctionType
from typing import TYPE_CHECKING, Any

import numpy as np

from .cache import compiled
from .lift import definition, head

if TYPE_CHECKING:
    T: Any
    exp: Any
    log: Any
    maximum: Any
    add_sum: Any

__all__ = [
    "add_to_rows",
    "column_sums",
    "cross_entropy_rows",
    "cross_entropy_rows_backward",
    "log_softmax_rows",
    "log_softmax_rows_backward",
    "outside_unit",
    "softmax_rows",
    "softmax_rows_backward",
]


class Kernel:
    """A kernel text and its compiled forms: `kernel[dtype](…)`.

    `signature` has a letter a parameter: a array of the dtype, i array of int64, n integer, f float.
    """

    def __init__(self, function: FunctionType, signature: str):
        self.function, self.signature, self.__doc__ = function, signature, function.__doc__
        self._compiled: dict[Any, Callable[..., Any]] = {}

    def __getitem__(self, dtype: np.dtype[Any]) -> Callable[..., Any]:
        try:
            return self._compiled[dtype]
        except KeyError:
            return self._compiled.setdefault(dtype, self._compile(dtype.name))

    def _compile(self, dtype: str) -> Callable[..., Any]:
        from numba import types

        node = definition(self.function)
        body = ast.unparse(ast.fix_missing_locations(ast.Module([s for s in node.body if not _is_text(s)], [])))
        source = head(node.name, [a.arg for a in node.args.args], {"exp", "log", "maximum", "add_sum"}, dtype)
        source += "".join(f"    {line}\n" for line in body.splitlines())
        kinds = {
            "a": types.Array(getattr(types, dtype), 1, "C"),
            "i": types.Array(types.int64, 1, "C"),
            "n": types.int64,
            "f": types.float64,
        }
        return compiled(source, node.name, [kinds[letter] for letter in self.signature])


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def kernel(signature: str) -> Callable[[Any], Kernel]:
    return lambda function: Kernel(function, signature)


@kernel("aann")
def softmax_rows(out, x, rows, columns):
    """yⱼ = exp(xⱼ − max x) / Σₖ exp(xₖ − max x)."""
    for i in range(rows):
        start = i * columns
        top = x[start]
        for j in range(start + 1, start + columns):
            top = maximum(top, x[j])
        for j in range(start, start + columns):
            out[j] = x[j] - top
        if columns > 64:
            for j in range(start, start + columns):
                out[j] = exp(out[j])
    if columns <= 64:
        for k in range(rows * columns):
            out[k] = exp(out[k])
    for i in range(rows):
        start = i * columns
        total = T(0)
        for j in range(start, start + columns):
            total = add_sum(total, out[j])
        scale = T(1) / total
        for j in range(start, start + columns):
            out[j] = out[j] * scale


@kernel("aaann")
def softmax_rows_backward(out, g, y, rows, columns):
    """dL/dx = y (g − Σ g y): the Jacobian is diag(y) − y yᵀ."""
    for i in range(rows):
        start = i * columns
        total = T(0)
        for j in range(start, start + columns):
            total = add_sum(total, g[j] * y[j])
        for j in range(start, start + columns):
            out[j] = y[j] * (g[j] - total)


@kernel("aaann")
def log_softmax_rows(out, work, x, rows, columns):
    """yⱼ = xⱼ − max x − log Σₖ exp(xₖ − max x). `work` has the size of x, or of a row where rows are long."""
    for i in range(rows):
        start = i * columns
        top = x[start]
        for j in range(start + 1, start + columns):
            top = maximum(top, x[j])
        for j in range(start, start + columns):
            out[j] = x[j] - top
        if columns > 64:
            for j in range(columns):
                work[j] = exp(out[start + j])
            total = T(0)
            for j in range(columns):
                total = add_sum(total, work[j])
            shift = log(total)
            for j in range(start, start + columns):
                out[j] = out[j] - shift
    if columns <= 64:
        for k in range(rows * columns):
            work[k] = exp(out[k])
        for i in range(rows):
            start = i * columns
            total = T(0)
            for j in range(start, start + columns):
                total = add_sum(total, work[j])
            shift = log(total)
            for j in range(start, start + columns):
                out[j] = out[j] - shift


@kernel("aaann")
def log_softmax_rows_backward(out, g, y, rows, columns):
    """dL/dx = g − exp(y) Σ g."""
    for k in range(rows * columns):
        out[k] = exp(y[k])
    for i in range(rows):
        start = i * columns
        total = T(0)
        for j in range(start, start + columns):
            total = add_sum(total, g[j])
        for j in range(start, start + columns):
            out[j] = g[j] - out[j] * total


@kernel("aaaiannnnf")
def cross_entropy_rows(loss, dx, x, target, weight, rows, columns, ignore_index, reduce, smoothing):
    """Cross-entropy with class indices, and its gradient for dL/dloss = 1, in one pass over x.

    lossᵢ = (1 − ε) w_t (lse − x_t) + ε/C Σ_c w_c (lse − x_c), lse = log Σ exp x, t the target of row i, w the class weights (1 if
    `weight` is empty), ε the smoothing. `reduce`: 0 a loss a row, 1 their sum, 2 the sum over the weights of the targets (the mean).
    Returns the number of the first row, counted from 1, whose target is no class; 0 if all are.
    """
    divisor = 0.0
    for i in range(rows):
        t = target[i]
        if t == ignore_index:
            continue
        if t < 0 or t >= columns:
            return i + 1
        divisor += weight[t] if weight.size else 1.0
    for i in range(rows):
        start = i * columns
        top = x[start]
        for j in range(start + 1, start + columns):
            top = maximum(top, x[j])
        for j in range(start, start + columns):
            dx[j] = x[j] - top
        loss[i if reduce == 0 else 0] = 0
    weights = T(columns)
    if weight.size:
        weights = T(0)
        for j in range(columns):
            weights += weight[j]
    share = T(smoothing) / T(columns)
    norm = 1.0 / divisor if reduce == 2 else 1.0
    sum_of_losses = 0.0
    # The shifted target logit is wanted after exp has overwritten it: its loss is noted first, without the logarithm.
    for i in range(rows):
        t = target[i]
        if t == ignore_index:
            continue
        start = i * columns
        w = weight[t] if weight.size else T(1)
        part = -(T(1) - T(smoothing)) * w * dx[start + t]
        if smoothing > 0:
            for j in range(columns):
                part -= share * (weight[j] if weight.size else T(1)) * dx[start + j]
        if reduce == 0:
            loss[i] = part
        else:
            sum_of_losses += part
    for k in range(rows * columns):
        dx[k] = exp(dx[k])
    for i in range(rows):
        t = target[i]
        start = i * columns
        if t == ignore_index:
            for j in range(start, start + columns):
                dx[j] = T(0)
            continue
        total = T(0)
        for j in range(start, start + columns):
            total = add_sum(total, dx[j])
        w = weight[t] if weight.size else T(1)
        mass = (T(1) - T(smoothing)) * w
        if smoothing > 0:
            mass += share * weights
        if reduce == 0:
            loss[i] += mass * log(total)
        else:
            sum_of_losses += mass * log(total)
        scale = mass * T(norm) / total
        for j in range(start, start + columns):
            dx[j] = dx[j] * scale
        if smoothing > 0:
            for j in range(columns):
                dx[start + j] -= share * (weight[j] if weight.size else T(1)) * T(norm)
        dx[start + t] -= (T(1) - T(smoothing)) * w * T(norm)
    if reduce == 1:
        loss[0] = T(sum_of_losses)
    if reduce == 2:
        loss[0] = T(sum_of_losses / divisor)
    return 0


@kernel("aaann")
def cross_entropy_rows_backward(out, g, dx, rows, columns):
    """dL/dx = g · dx, where g is one number or one a row."""
    for i in range(rows):
        start = i * columns
        gi = g[i if g.size > 1 else 0]
        for j in range(start, start + columns):
            out[j] = gi * dx[j]


@kernel("aann")
def add_to_rows(x, row, rows, columns):
    """x[i, j] += row[j], in place."""
    for i in range(rows):
        start = i * columns
        for j in range(columns):
            x[start + j] = x[start + j] + row[j]


@kernel("aann")
def column_sums(out, x, rows, columns):
    """outⱼ = Σᵢ x[i, j]; sums of 64 rows each go into float64."""
    total = np.zeros(columns, np.float64)
    for begin in range(0, rows, 64):
        for j in range(columns):
            out[j] = T(0)
        for i in range(begin, min(begin + 64, rows)):
            start = i * columns
            for j in range(columns):
                out[j] += x[start + j]
        if rows <= 64:
            return
        for j in range(columns):
            total[j] += out[j]
    for j in range(columns):
        out[j] = T(total[j])


@kernel("a")
def outside_unit(x):
    """How many elements are not in [0, 1]; NaN is not."""
    count = 0
    for i in range(x.size):
        count += 0 if T(0) <= x[i] <= T(1) else 1
    return count
