"""Kernels of cross-entropy and of the negative log-likelihood, over rows of classes or, where the axes behind the classes are the
longer ones, along those. They leave behind the gradient for dL/dloss = 1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .kernel import kernel

if TYPE_CHECKING:
    T: Any
    exp: Any
    log1p: Any
    maximum: Any
    where: Any
    add_sum: Any

__all__ = [
    "cross_entropy_columns",
    "cross_entropy_rows",
    "cross_entropy_rows_backward",
    "nll_rows",
    "nll_rows_backward",
    "soft_cross_entropy_columns",
    "soft_cross_entropy_rows",
]


@kernel("ammmiannf")
def cross_entropy_rows(loss, dx, work, x, target, weight, ignore_index, reduce, smoothing):
    """Cross-entropy with class indices, and its gradient for dL/dloss = 1, block by block of rows that stay in the cache.

    lossᵢ = (1 − ε) w_t (lse − x_t) + ε/C Σ_c w_c (lse − x_c), lse = log Σ exp x, t the target of row i, w the class weights, ε the
    smoothing. `reduce`: 0 a loss a row, 1 their sum, 2 the sum over the weights of the targets (the mean).
    `work` is scratch of 4 rows as long as x has rows. Returns the number of the first row, counted from 1, whose target is no class;
    0 if all are.
    """
    rows, columns = x.shape
    pulls, sums, losses, tops = work[0], work[1], work[2], work[3]
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
            tops[i] = top
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
            top, total = tops[i], T(0)
            for j in range(columns):
                d = x[i, j] - top
                v = d - x[i, j]
                lost = (x[i, j] - (d - v)) - (top + v)  # what d was rounded by: e^(d + lost) = e^d (1 + lost)
                e = dx[i, j] + where(dx[i, j] > T(0), dx[i, j] * lost, T(0))
                dx[i, j] = e
                total = add_sum(total, e)
            own = dx[i, t]
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


@kernel("ammmiannnf")
def cross_entropy_columns(loss, dx, work, x, target, weight, classes, ignore_index, reduce, smoothing):
    """`cross_entropy_rows` where the classes are the middle one of three axes: x's rows are (batch, classes), its columns what stands at
    the same place of the last axis; so loops run along the last axis. `work` is scratch of 5 rows as long as `target`."""
    inner = x.shape[1]
    chosen = target.copy()  # what is checked is what is used
    pulls, sums, losses, tops, goals = work[0], work[1], work[2], work[3], work[4]
    sharp, share, spread = T(1) - T(smoothing), T(smoothing) / T(classes), T(0)
    for c in range(classes):
        spread += share * weight[c]
    divisor = 0.0
    for i in range(chosen.size):
        t = chosen[i]
        losses[i] = pulls[i] = sums[i] = T(0)
        goals[i] = T(t)
        if t == ignore_index:
            chosen[i] = -1
        elif t < 0 or t >= classes:
            return i + 1
        else:
            pulls[i] = sharp * weight[t]
            divisor += weight[t]
    norm = T(1.0 / divisor) if reduce == 2 else T(1)
    for n in range(chosen.size // inner):
        here = n * inner
        first = n * classes
        goal, top, rest, own, pull = goals[here:], tops[here:], sums[here : here + inner], losses[here : here + inner], pulls[here:]
        for j in range(inner):
            top[j] = x[first, j]
        for r in range(first + 1, first + classes):
            for j in range(inner):
                top[j] = maximum(top[j], x[r, j])
        for j in range(inner):
            if pull[j] != 0:  # what weighs nothing counts nothing, also where its logit is −inf
                own[j] = -pull[j] * (x[first + chosen[here + j], j] - top[j])
        for r in range(first, first + classes):
            if smoothing > 0 and weight[r - first] != 0:
                for j in range(inner):
                    own[j] -= share * weight[r - first] * (x[r, j] - top[j])
            for j in range(inner):
                d = x[r, j] - top[j]
                v = d - x[r, j]
                lost = (x[r, j] - (d - v)) - (top[j] + v)
                e = exp(d)
                e = e + where(e > T(0), e * lost, T(0))
                dx[r, j] = e
                rest[j] += where(goal[j] == T(r - first), T(0), e)
        for j in range(inner):
            e = dx[first + max(chosen[here + j], 0), j]
            goal[j] = (spread * e - pull[j] * rest[j]) * norm / (rest[j] + e)
            top[j] = (pull[j] + spread) * norm / (rest[j] + e)
            rest[j] = rest[j] + (e - T(1))
        for r in range(first, first + classes):
            less = share * weight[r - first] * norm
            for j in range(inner):
                dx[r, j] = dx[r, j] * top[j] - less
        for j in range(inner):
            t = chosen[here + j]
            if t >= 0:
                dx[first + t, j] = goal[j] - share * weight[t] * norm
            else:
                for r in range(first, first + classes):
                    dx[r, j] = T(0)
    for i in range(sums.size):
        sums[i] = log1p(sums[i])
    summed = 0.0
    for i in range(losses.size):
        losses[i] = losses[i] + (pulls[i] + spread) * sums[i] if chosen[i] >= 0 else T(0)
        summed += losses[i]
    if reduce == 0:
        for i in range(losses.size):
            loss[i] = losses[i]
    else:
        loss[0] = T(summed if reduce == 1 else (summed if divisor != 0 else 0.0) / divisor)  # NaN where no target weighs anything
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
            scale = weights[i] * norm / total
            sums[i] = total - T(1)
            if total < T(2):  # beside a dominant class, whose term is 1, the difference has no digits
                peak, rest = 0, T(0)
                while peak < columns - 1 and dx[i, peak] != T(1):  # there is none if another thread writes x meanwhile
                    peak += 1
                for j in range(columns):
                    rest = add_sum(rest, dx[i, j] if j != peak else T(0))
                sums[i] = rest
            for j in range(columns):
                dx[i, j] = dx[i, j] * scale - norm * (weight[j] * (sharp * target[i, j] + share))
            if total < T(2):  # nor has this difference; all of a row together are 0
                dx[i, peak], rest = T(0), T(0)
                for j in range(columns):
                    rest = add_sum(rest, dx[i, j])
                dx[i, peak] = -rest
    summed = 0.0
    for i in range(rows):
        losses[i] = losses[i] + weights[i] * log1p(sums[i])
        summed += losses[i]
    if reduce == 0:
        for i in range(rows):
            loss[i] = losses[i]
    else:
        loss[0] = T(summed if reduce == 1 else summed / rows)


@kernel("ammmmannf")
def soft_cross_entropy_columns(loss, dx, work, x, target, weight, classes, reduce, smoothing):
    """`soft_cross_entropy_rows` over the layout of `cross_entropy_columns`, with scratch of 6 rows."""
    inner = x.shape[1]
    weights, sums, losses, tops, peaks, slopes = work[0], work[1], work[2], work[3], work[4], work[5]
    sharp, share = T(1) - T(smoothing), T(smoothing) / T(classes)
    norm = T(1.0 / sums.size) if reduce == 2 else T(1)
    for n in range(sums.size // inner):
        here = n * inner
        first = n * classes
        top, peak, rest, slope = tops[here:], peaks[here:], sums[here : here + inner], slopes[here : here + inner]
        own, pull = losses[here : here + inner], weights[here : here + inner]
        for j in range(inner):
            top[j] = x[first, j]
            peak[j] = rest[j] = own[j] = pull[j] = slope[j] = T(0)
        for r in range(first + 1, first + classes):
            for j in range(inner):
                peak[j] = where(x[r, j] > top[j], T(r - first), peak[j])
                top[j] = maximum(top[j], x[r, j])
        for r in range(first, first + classes):
            w = weight[r - first]
            for j in range(inner):
                d = x[r, j] - top[j]
                q = w * (sharp * target[r, j] + share)
                pull[j] += q
                own[j] -= where(q == T(0), T(0), q * d)
                e = exp(d)
                rest[j] += where(peak[j] == T(r - first), T(0), e)
                dx[r, j] = e
        for j in range(inner):
            e = exp(x[first + int(peak[j]), j] - top[j])  # 1, or NaN
            top[j] = pull[j] * norm / (rest[j] + e)
            rest[j] = rest[j] + (e - T(1))
        for r in range(first, first + classes):
            w = weight[r - first] * norm
            for j in range(inner):
                d = dx[r, j] * top[j] - w * (sharp * target[r, j] + share)
                slope[j] -= where(peak[j] == T(r - first), T(0), d)
                dx[r, j] = d
        for j in range(inner):
            if rest[j] < T(1):  # beside a dominant class the difference has no digits; all of a row together are 0
                dx[first + int(peak[j]), j] = slope[j]
    for i in range(sums.size):
        sums[i] = log1p(sums[i])
    summed = 0.0
    for i in range(losses.size):
        losses[i] = losses[i] + weights[i] * sums[i]
        summed += losses[i]
    if reduce == 0:
        for i in range(losses.size):
            loss[i] = losses[i]
    else:
        loss[0] = T(summed if reduce == 1 else summed / losses.size)


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
