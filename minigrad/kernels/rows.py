"""Hand-written kernels over the rows of a matrix: softmax, log-softmax, cross-entropy, sums.

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
    sqrt: Any
    where: Any

__all__ = [
    "add_to_rows",
    "column_sums",
    "cosine_rows",
    "cosine_rows_backward",
    "cross_entropy_rows",
    "cross_entropy_rows_backward",
    "distance_rows",
    "distance_rows_backward",
    "log_softmax_rows",
    "log_softmax_rows_backward",
    "multi_margin_rows",
    "nll_rows",
    "nll_rows_backward",
    "outside_unit",
    "soft_cross_entropy_rows",
    "softmax_rows",
    "softmax_rows_backward",
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
        source = head(node.name, [a.arg for a in node.args.args], {"exp", "log", "maximum", "where", "add_sum"}, dtype)
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


@kernel("ammmmanf")
def soft_cross_entropy_rows(loss, dx, work, x, target, weight, reduce, smoothing):
    """Cross-entropy with a distribution a row, and its gradient for dL/dloss = 1: lossᵢ = Σ_c Q_c (lse − x_c), Q = w ((1 − ε) t + ε/C).

    `reduce`: 0 a loss a row, 1 their sum, 2 their mean. `work` is scratch of 3 rows as long as x has rows.
    """
    rows, columns = x.shape
    weights, sums, losses = work[0], work[1], work[2]
    sharp, share = T(1) - T(smoothing), T(smoothing) / T(columns)
    norm = T(1.0 / rows) if reduce == 2 else T(1)
    step = max(1, 2048 // columns)
    for begin in range(0, rows, step):
        end = min(begin + step, rows)
        for i in range(begin, end):
            top = x[i, 0]
            for j in range(columns):
                top = maximum(top, x[i, j])
            total, dot = T(0), T(0)
            for j in range(columns):
                d = x[i, j] - top
                q = weight[j] * (sharp * target[i, j] + share)
                total = add_sum(total, q)
                dot = add_sum(
                    dot, where(q == T(0), T(0), q * d)
                )  # what weighs nothing counts nothing, also where its logit is −inf
                dx[i, j] = d
            weights[i], losses[i] = total, -dot
        block = dx[begin:end].reshape(-1)
        for k in range(block.size):
            block[k] = exp(block[k])
        for i in range(begin, end):
            total = T(0)
            for j in range(columns):
                total = add_sum(total, dx[i, j])
            sums[i] = total
            scale = weights[i] * norm / total
            for j in range(columns):
                dx[i, j] = dx[i, j] * scale - norm * (weight[j] * (sharp * target[i, j] + share))
    summed = 0.0
    for i in range(rows):
        losses[i] = losses[i] + weights[i] * log(sums[i])
        summed += losses[i]
    if reduce == 0:
        for i in range(rows):
            loss[i] = losses[i]
    else:
        loss[0] = T(summed if reduce == 1 else summed / rows)


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


@kernel("aaiaiannnn")
def nll_rows(loss, pulls, places, x, target, weight, classes, inner, ignore_index, reduce):
    """Negative log-likelihood −w_t x_t of class indices; x has axes (batch, classes, inner), target (batch, inner).

    `places` and `pulls` get where x's gradient for dL/dloss = 1 is not 0, and what it is there (−1 for what is ignored). `reduce` as for
    `cross_entropy_rows`. Returns the number of the first target, counted from 1, that is no class; 0 if all are.
    """
    divisor, summed = 0.0, 0.0
    for n in range(target.size // inner):
        for m in range(inner):
            i = n * inner + m
            t = target[i]
            if t == ignore_index:
                places[i], pulls[i], own = -1, T(0), T(0)
            elif t < 0 or t >= classes:
                return i + 1
            else:
                places[i] = (n * classes + t) * inner + m
                pulls[i] = -weight[t]
                own = pulls[i] * x[places[i]] if weight[t] != 0 else T(0)
                divisor += weight[t]
            summed += own
            if reduce == 0:
                loss[i] = own
    if reduce > 0:
        loss[0] = T(summed if reduce == 1 else summed / divisor)
    if reduce == 2:
        norm = T(1.0 / divisor)
        for i in range(pulls.size):
            pulls[i] = pulls[i] * norm
    return 0


@kernel("aaia")
def nll_rows_backward(dx, g, places, pulls):
    """dL/dx = g · pull where x was picked; dx holds zeros, g is one number or one a target."""
    for i in range(places.size):
        if places[i] >= 0:
            dx[places[i]] = pulls[i] * (g[0] if g.size == 1 else g[i])


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


@kernel("a")
def outside_unit(x):
    """How many elements are not in [0, 1]; NaN is not."""
    count = 0
    for i in range(x.size):
        count += 0 if T(0) <= x[i] <= T(1) else 1
    return count
