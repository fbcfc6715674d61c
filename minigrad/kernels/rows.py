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
from .lift import head
from .text import definition

if TYPE_CHECKING:
    T: Any
    exp: Any
    log: Any
    log1p: Any
    maximum: Any
    absolute: Any
    where: Any
    add_sum: Any

__all__ = [
    "add_to_rows",
    "column_sums",
    "cross_entropy_rows",
    "cross_entropy_rows_backward",
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
        used = {"exp", "log", "log1p", "maximum", "absolute", "where", "add_sum"}
        source = head(node.name, [a.arg for a in node.args.args], used, dtype)
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


@kernel("mmf")
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


@kernel("mmmf")
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


@kernel("mamf")
def log_softmax_rows(out, work, x, temperature):
    """yⱼ = (xⱼ − max x) / τ − log Σₖ exp((xₖ − max x) / τ). `work` is scratch: of x's size where rows are short."""
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
                total = add_sum(total, exp(out[i, j]))
            shift = log(total)
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
            work[i] = total
        for i in range(rows):
            work[i] = log(work[i])
        for i in range(rows):
            for j in range(columns):
                out[i, j] = out[i, j] - work[i]


@kernel("mmmf")
def log_softmax_rows_backward(dx, g, y, temperature):
    """dL/dx = (g − exp(y) Σ g) / τ."""
    rows, columns = y.shape
    scale = T(1.0 / temperature)
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
                dx[i, j] = (g[i, j] - dx[i, j] * total) * scale
        else:
            for j in range(columns):
                dx[i, j] = (g[i, j] - exp(y[i, j]) * total) * scale


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
            t = chosen[i]
            total, own = T(0), dx[i, t]
            for j in range(columns):
                total = add_sum(total, dx[i, j])
            rest = total - own
            if own > rest:  # beside a dominant target the difference has no digits
                rest = T(0)
                for j in range(columns):
                    rest = add_sum(rest, dx[i, j] if j != t else T(0))
            sums[i] = rest + (own - T(1))
            scale = norm / (rest + own)
            factor = (pulls[i] + spread) * scale
            for j in range(columns):
                dx[i, j] = dx[i, j] * factor
            if smoothing > 0:
                for j in range(columns):
                    dx[i, j] -= share * weight[j] * norm
            dx[i, t] = (spread * own - pulls[i] * rest) * scale - share * weight[t] * norm
    for i in range(rows):
        sums[i] = log1p(sums[i])
    summed = 0.0
    for i in range(rows):
        losses[i] = losses[i] + (pulls[i] + spread) * sums[i] if chosen[i] >= 0 else T(0)
        summed += losses[i]
    if reduce == 0:
        for i in range(rows):
            loss[i] = losses[i]
    else:
        loss[0] = T(summed if reduce == 1 else (summed if divisor != 0 else 0.0) / divisor)  # NaN where no target weighs anything
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


@kernel("amf")
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
