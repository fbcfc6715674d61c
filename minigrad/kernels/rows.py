"""Hand-written kernels over the rows of a matrix: softmax, log-softmax, cross-entropy, sums.

Legend: x is a matrix of `rows` × `columns` elements, flat and C-contiguous; row i begins at i · columns. The functions are texts in the
notation of generated loops (T is the dtype); `Kernel` compiles one per dtype on first use. Rows that are short (≤ 256) would leave
vector registers idle: there exp runs once over the whole matrix.
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
]


class Kernel(dict[Any, Callable[..., Any]]):
    """A kernel text and its compiled forms by dtype: `kernel[dtype](…)` compiles on first use.

    `signature` has a letter a parameter: a array of the dtype, i array of int64, n integer, f float.
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
    xs, ys = x.reshape(rows, columns), out.reshape(rows, columns)
    for i in range(rows):
        top = xs[i, 0]
        for j in range(columns):
            top = maximum(top, xs[i, j])
        if columns <= 256:
            for j in range(columns):
                ys[i, j] = xs[i, j] - top
        else:
            total = T(0)
            for j in range(columns):
                e = exp(xs[i, j] - top)
                ys[i, j] = e
                total = add_sum(total, e)
            scale = T(1) / total
            for j in range(columns):
                ys[i, j] = ys[i, j] * scale
    if columns <= 256:
        for k in range(out.size):
            out[k] = exp(out[k])
        for i in range(rows):
            total = T(0)
            for j in range(columns):
                total = add_sum(total, ys[i, j])
            scale = T(1) / total
            for j in range(columns):
                ys[i, j] = ys[i, j] * scale


@kernel("aaann")
def softmax_rows_backward(out, g, y, rows, columns):
    """dL/dx = y (g − Σ g y): the Jacobian is diag(y) − y yᵀ."""
    gs, ys, dx = g.reshape(rows, columns), y.reshape(rows, columns), out.reshape(rows, columns)
    for i in range(rows):
        total = T(0)
        for j in range(columns):
            total = add_sum(total, gs[i, j] * ys[i, j])
        for j in range(columns):
            dx[i, j] = ys[i, j] * (gs[i, j] - total)


@kernel("aaann")
def log_softmax_rows(out, work, x, rows, columns):
    """yⱼ = xⱼ − max x − log Σₖ exp(xₖ − max x). `work` is scratch: of x's size where rows are short."""
    xs, ys = x.reshape(rows, columns), out.reshape(rows, columns)
    for i in range(rows):
        top = xs[i, 0]
        for j in range(columns):
            top = maximum(top, xs[i, j])
        if columns <= 256:
            for j in range(columns):
                ys[i, j] = xs[i, j] - top
        else:
            total = T(0)
            for j in range(columns):
                total = add_sum(total, exp(xs[i, j] - top))
            shift = log(total)
            for j in range(columns):
                ys[i, j] = (xs[i, j] - top) - shift
    if columns <= 256:
        for k in range(out.size):
            work[k] = exp(out[k])
        es = work.reshape(rows, columns)
        for i in range(rows):
            total = T(0)
            for j in range(columns):
                total = add_sum(total, es[i, j])
            work[i] = total
        for i in range(rows):
            work[i] = log(work[i])
        for i in range(rows):
            for j in range(columns):
                ys[i, j] = ys[i, j] - work[i]


@kernel("aaann")
def log_softmax_rows_backward(out, g, y, rows, columns):
    """dL/dx = g − exp(y) Σ g."""
    gs, ys, dx = g.reshape(rows, columns), y.reshape(rows, columns), out.reshape(rows, columns)
    if columns <= 256:
        for k in range(out.size):
            out[k] = exp(y[k])
    for i in range(rows):
        total = T(0)
        for j in range(columns):
            total = add_sum(total, gs[i, j])
        if columns <= 256:
            for j in range(columns):
                dx[i, j] = gs[i, j] - dx[i, j] * total
        else:
            for j in range(columns):
                dx[i, j] = gs[i, j] - exp(ys[i, j]) * total


@kernel("aaaaiannnnf")
def cross_entropy_rows(loss, dx, work, x, target, weight, rows, columns, ignore_index, reduce, smoothing):
    """Cross-entropy with class indices, and its gradient for dL/dloss = 1, in one pass over x.

    lossᵢ = (1 − ε) w_t (lse − x_t) + ε/C Σ_c w_c (lse − x_c), lse = log Σ exp x, t the target of row i, w the class weights (1 if
    `weight` is empty), ε the smoothing. `reduce`: 0 a loss a row, 1 their sum, 2 the sum over the weights of the targets (the mean).
    `work` is scratch of 2 · rows. Returns the number of the first row, counted from 1, whose target is no class; 0 if all are.
    """
    chosen = target.copy()  # what is checked is what is used, whatever another thread writes meanwhile
    divisor = 0.0
    for i in range(rows):
        t = chosen[i]
        if t == ignore_index:
            continue
        if t < 0 or t >= columns:
            return i + 1
        divisor += weight[t] if weight.size else 1.0
    xs, ds = x.reshape(rows, columns), dx.reshape(rows, columns)
    sums, losses = work[:rows], work[rows:]
    sharp, share = T(1) - T(smoothing), T(smoothing) / T(columns)
    norm = T(1.0 / divisor) if reduce == 2 else T(1)
    spread = share * T(columns)
    if weight.size:
        spread = T(0)
        for j in range(columns):
            spread += share * weight[j]
    for i in range(rows):
        top = xs[i, 0]
        for j in range(columns):
            top = maximum(top, xs[i, j])
        for j in range(columns):
            ds[i, j] = xs[i, j] - top
        # The loss without its logarithm, while the shifted logits are still there.
        t = chosen[i]
        part = T(0)
        if t != ignore_index:
            pull = sharp * (weight[t] if weight.size else T(1))
            if pull != 0:  # what weighs nothing counts nothing, also where its logit is −inf
                part = -pull * ds[i, t]
            if smoothing > 0:
                for j in range(columns):
                    pull = share * (weight[j] if weight.size else T(1))
                    if pull != 0:
                        part -= pull * ds[i, j]
        losses[i] = part
        if columns > 256:
            total = T(0)
            for j in range(columns):
                e = exp(ds[i, j])
                ds[i, j] = e
                total = add_sum(total, e)
            sums[i] = total
    if columns <= 256:
        for k in range(dx.size):
            dx[k] = exp(dx[k])
        for i in range(rows):
            total = T(0)
            for j in range(columns):
                total = add_sum(total, ds[i, j])
            sums[i] = total
    for i in range(rows):
        t = chosen[i]
        if t == ignore_index:
            for j in range(columns):
                ds[i, j] = T(0)
            continue
        pull = sharp * (weight[t] if weight.size else T(1))
        scale = (pull + spread) * norm / sums[i]
        for j in range(columns):
            ds[i, j] = ds[i, j] * scale
        if smoothing > 0:
            for j in range(columns):
                ds[i, j] -= share * (weight[j] if weight.size else T(1)) * norm
        ds[i, t] -= pull * norm
    for i in range(rows):
        sums[i] = log(sums[i])
    summed = 0.0
    for i in range(rows):
        t = chosen[i]
        if t != ignore_index:
            losses[i] += (sharp * (weight[t] if weight.size else T(1)) + spread) * sums[i]
            summed += losses[i]
    if reduce == 0:
        loss[:] = losses
    elif reduce == 1:
        loss[0] = T(summed)
    else:
        loss[0] = T(summed / divisor)
    return 0


@kernel("aaann")
def cross_entropy_rows_backward(out, g, dx, rows, columns):
    """dL/dx = g · dx, where g is one number or one a row."""
    if g.size == 1:
        for k in range(out.size):
            out[k] = g[0] * dx[k]
    else:
        ds, os = dx.reshape(rows, columns), out.reshape(rows, columns)
        for i in range(rows):
            for j in range(columns):
                os[i, j] = g[i] * ds[i, j]


@kernel("aann")
def add_to_rows(x, row, rows, columns):
    """x[i, j] += row[j], in place."""
    xs = x.reshape(rows, columns)
    for i in range(rows):
        for j in range(columns):
            xs[i, j] = xs[i, j] + row[j]


@kernel("aann")
def column_sums(out, x, rows, columns):
    """outⱼ = Σᵢ x[i, j]: four rows at a time, and from 64 on block by block into float64."""
    xs = x.reshape(rows, columns)
    total = np.zeros(columns if rows > 64 else 0, np.float64)
    for begin in range(0, max(rows, 1), 64):
        end = min(begin + 64, rows)
        whole = begin + (end - begin) // 4 * 4
        for j in range(columns):
            out[j] = T(0)
        for i in range(begin, whole, 4):
            for j in range(columns):
                out[j] += (xs[i, j] + xs[i + 1, j]) + (xs[i + 2, j] + xs[i + 3, j])
        for i in range(whole, end):
            for j in range(columns):
                out[j] += xs[i, j]
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
