"""Hand-written kernels over the rows of a matrix: softmax, log-softmax, cross-entropy, sums, rows of a table.

The functions are texts in the notation of generated loops (T is the dtype); `Kernel` compiles one per dtype on first use. All arrays
are C-contiguous. Rows that are short (≤ 256) would leave vector registers idle: there exp runs over many rows at once.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from types import FunctionType
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DtypeError
from .cache import compilable, compiled
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
    "table_rows",
    "table_rows_backward",
]


class Kernel(dict[Any, Callable[..., Any]]):
    """A kernel text and its compiled forms by dtype: `kernel[dtype](…)` compiles on first use.

    `signature` has a letter a parameter: a vector and m matrix of the dtype, i vector of int64, n integer, f float.
    """

    def __init__(self, function: FunctionType, signature: str):
        super().__init__()
        self.function, self.signature, self.__doc__ = function, signature, function.__doc__

    def __missing__(self, dtype: np.dtype[Any]) -> Callable[..., Any]:
        if not compilable(dtype):
            raise DtypeError(f"{self.function.__name__}: there are kernels for float32 and float64, not for {dtype.str}")
        return self.setdefault(dtype, self._compile(dtype.name))

    def _compile(self, dtype: str) -> Callable[..., Any]:
        from numba import types

        node = definition(self.function)
        body = ast.unparse(ast.fix_missing_locations(ast.Module([s for s in node.body if not _is_text(s)], [])))
        source = head(node.name, [a.arg for a in node.args.args], {"exp", "log", "maximum", "add_sum"}, dtype)
        source += "".join(f"    {line}\n" for line in body.splitlines())
        kinds = {
            "a": types.Array(getattr(types, dtype), 1, "C"),
            "i": types.Array(types.int64, 1, "C"),
            "m": types.Array(getattr(types, dtype), 2, "C"),
            "n": types.int64,
            "f": types.float64,
        }
        return compiled(source, node.name, [kinds[letter] for letter in self.signature])


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def kernel(signature: str) -> Callable[[Any], Kernel]:
    return lambda function: Kernel(function, signature)


@kernel("mm")
def softmax_rows(out, x):
    """yⱼ = exp(xⱼ − max x) / Σₖ exp(xₖ − max x)."""
    rows, columns = x.shape
    for i in range(rows):
        top = x[i, 0]
        for j in range(columns):
            top = maximum(top, x[i, j])
        if columns <= 256:
            for j in range(columns):
                out[i, j] = x[i, j] - top
        else:
            total = T(0)
            for j in range(columns):
                e = exp(x[i, j] - top)
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


@kernel("mmm")
def softmax_rows_backward(dx, g, y):
    """dL/dx = y (g − Σ g y): the Jacobian is diag(y) − y yᵀ."""
    rows, columns = y.shape
    for i in range(rows):
        total = T(0)
        for j in range(columns):
            total = add_sum(total, g[i, j] * y[i, j])
        for j in range(columns):
            dx[i, j] = y[i, j] * (g[i, j] - total)


@kernel("mam")
def log_softmax_rows(out, work, x):
    """yⱼ = xⱼ − max x − log Σₖ exp(xₖ − max x). `work` is scratch: of x's size where rows are short."""
    rows, columns = x.shape
    for i in range(rows):
        top = x[i, 0]
        for j in range(columns):
            top = maximum(top, x[i, j])
        if columns <= 256:
            for j in range(columns):
                out[i, j] = x[i, j] - top
        else:
            total = T(0)
            for j in range(columns):
                total = add_sum(total, exp(x[i, j] - top))
            shift = log(total)
            for j in range(columns):
                out[i, j] = (x[i, j] - top) - shift
    if columns <= 256:
        flat = out.reshape(-1)
        for k in range(flat.size):
            work[k] = exp(flat[k])
        exps = work.reshape(rows, columns)
        for i in range(rows):
            total = T(0)
            for j in range(columns):
                total = add_sum(total, exps[i, j])
            work[i] = total
        for i in range(rows):
            work[i] = log(work[i])
        for i in range(rows):
            for j in range(columns):
                out[i, j] = out[i, j] - work[i]


@kernel("mmm")
def log_softmax_rows_backward(dx, g, y):
    """dL/dx = g − exp(y) Σ g."""
    rows, columns = y.shape
    if columns <= 256:
        flat, flat_y = dx.reshape(-1), y.reshape(-1)
        for k in range(flat.size):
            flat[k] = exp(flat_y[k])
    for i in range(rows):
        total = T(0)
        for j in range(columns):
            total = add_sum(total, g[i, j])
        if columns <= 256:
            for j in range(columns):
                dx[i, j] = g[i, j] - dx[i, j] * total
        else:
            for j in range(columns):
                dx[i, j] = g[i, j] - exp(y[i, j]) * total


@kernel("ammmiannf")
def cross_entropy_rows(loss, dx, work, x, target, weight, ignore_index, reduce, smoothing):
    """Cross-entropy with class indices, and its gradient for dL/dloss = 1, block by block of rows that stay in the cache.

    lossᵢ = (1 − ε) w_t (lse − x_t) + ε/C Σ_c w_c (lse − x_c), lse = log Σ exp x, t the target of row i, w the class weights, ε the
    smoothing. `reduce`: 0 a loss a row, 1 their sum, 2 the sum over the weights of the targets (the mean).
    `work` is scratch of 3 rows as long as x has rows. Returns the number of the first row, counted from 1, whose target is no class;
    0 if all are.
    """
    rows, columns = x.shape
    pulls, sums, losses = work[0], work[1], work[2]
    chosen = target.copy()  # what is checked is what is used, whatever another thread writes meanwhile
    sharp, share, spread = T(1) - T(smoothing), T(smoothing) / T(columns), T(0)
    for j in range(columns):
        spread += share * weight[j]
    divisor = 0.0
    for i in range(rows):
        t = chosen[i]
        losses[i] = pulls[i] = T(0)
        if t == ignore_index:
            chosen[i] = -1
        elif t < 0 or t >= columns:
            return i + 1
        else:
            pulls[i] = sharp * weight[t]
            divisor += weight[t]
    norm = T(1.0 / divisor) if reduce == 2 else T(1)
    step = max(1, 2048 // columns)
    for begin in range(0, rows, step):
        end = min(begin + step, rows)
        for i in range(begin, end):
            top = x[i, 0]
            for j in range(columns):
                top = maximum(top, x[i, j])
            for j in range(columns):
                dx[i, j] = x[i, j] - top
            if pulls[i] != 0:  # what weighs nothing counts nothing, also where its logit is −inf
                losses[i] = -pulls[i] * dx[i, chosen[i]]
        if smoothing > 0:
            for i in range(begin, end):
                for j in range(columns):
                    if weight[j] != 0:
                        losses[i] -= share * weight[j] * dx[i, j]
        block = dx[begin:end].reshape(-1)
        for k in range(block.size):
            block[k] = exp(block[k])
        for i in range(begin, end):
            sums[i] = T(0)
            if chosen[i] < 0:
                for j in range(columns):
                    dx[i, j] = T(0)
                continue
            total = T(0)
            for j in range(columns):
                total = add_sum(total, dx[i, j])
            sums[i] = total
            scale = (pulls[i] + spread) * norm / total
            for j in range(columns):
                dx[i, j] = dx[i, j] * scale
            if smoothing > 0:
                for j in range(columns):
                    dx[i, j] -= share * weight[j] * norm
            dx[i, chosen[i]] -= pulls[i] * norm
    for i in range(rows):
        sums[i] = log(sums[i])
    summed = 0.0
    for i in range(rows):
        losses[i] = losses[i] + (pulls[i] + spread) * sums[i] if chosen[i] >= 0 else T(0)
        summed += losses[i]
    if reduce == 0:
        for i in range(rows):
            loss[i] = losses[i]
    else:
        loss[0] = T(summed if reduce == 1 else summed / divisor)
    return 0


@kernel("aaann")
def cross_entropy_rows_backward(out, g, dx, rows, columns):
    """dL/dx = g · dx, where g is one number or one a row."""
    if g.size == 1:
        for k in range(out.size):
            out[k] = g[0] * dx[k]
    else:
        for i in range(rows):
            for k in range(i * columns, i * columns + columns):
                out[k] = g[i] * dx[k]


@kernel("ma")
def add_to_rows(x, row):
    """x[i, j] += row[j], in place."""
    rows, columns = x.shape
    for i in range(rows):
        for j in range(columns):
            x[i, j] = x[i, j] + row[j]


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
