"""Optimizer updates: one step for one element, in the notation of rules; a loop runs them over flat arrays.

The parameters named in `arrays` are arrays, the first `changed` of them are overwritten by what is returned; the rest are numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

import numpy as np

from .cache import compilable, kernels_enabled
from .lift import update_loop
from .notation import absolute, maximum, minimum, sqrt, where
from .text import Text

__all__ = [
    "Update",
    "adadelta",
    "adagrad",
    "adam",
    "adam_amsgrad",
    "adamax",
    "asgd",
    "nadam",
    "radam",
    "rmsprop",
    "rmsprop_centered",
    "rprop",
    "sgd",
    "sgd_momentum",
]


class Update(dict[Any, Callable[..., None]]):
    """An update rule and its compiled loops by dtype: `update[dtype](…)`; without Numba the rule runs on NumPy arrays."""

    def __init__(self, function: FunctionType, arrays: Sequence[str], changed: int):
        super().__init__()
        self.formula: Callable[..., Any] = function
        self.text = Text(function, several=True)
        self.arrays, self.changed, self.__doc__ = tuple(arrays), changed, function.__doc__

    def __missing__(self, dtype: np.dtype[Any]) -> Callable[..., None]:
        by_kernel = kernels_enabled() and compilable(dtype)
        run = update_loop(self.text, self.arrays, self.changed, dtype.name) if by_kernel else self._run
        return self.setdefault(dtype, run)

    def _run(self, *values: Any) -> None:
        with np.errstate(all="ignore"):
            results = self.formula(*values)
        for array, result in zip(values, results if self.changed > 1 else (results,), strict=False):
            array[...] = result


def update(arrays: str, changed: int) -> Callable[[Any], Update]:
    return lambda function: Update(function, arrays.split(), changed)


@update("p g", changed=1)
def sgd(p, g, lr, weight_decay):
    """p ← p − lr (g + λ p)."""
    return p - lr * (g + weight_decay * p)


@update("p buffer g", changed=2)
def sgd_momentum(p, buffer, g, lr, weight_decay, momentum, undamped, nesterov):
    """b ← μ b + (1 − τ) d with d = g + λ p, undamped = 1 − τ; p ← p − lr b, or p − lr (d + μ b) with Nesterov (nesterov = 1)."""
    d = g + weight_decay * p
    b = momentum * buffer + undamped * d
    return p - lr * where(nesterov > 0, d + momentum * b, b), b


@update("p average g", changed=2)
def asgd(p, average, g, eta, shrink, weight_decay, mu):
    """p ← p·shrink − η (g + λ p), a ← a + μ (p − a); for μ = 1 the average is p itself."""
    p_new = p * shrink - eta * (g + weight_decay * p)
    return p_new, where(mu == 1, p_new, average + mu * (p_new - average))


@update("p m v g", changed=3)
def adam(p, m, v, g, step_size, shrink, weight_decay, beta1, beta2, rest1, rest2, eps):
    """m ← β₁ m + (1 − β₁) d, v ← β₂ v + (1 − β₂) d², p ← p·shrink − step_size m / (√v + eps), with d = g + λ p.

    `shrink` is 1 − lr λ for decoupled weight decay (AdamW), else 1; rest = 1 − β, taken in double precision. The bias corrections are
    in the numbers, where they cost no division an element: step_size = lr √(1 − β₂ᵗ) / (1 − β₁ᵗ), eps = ε √(1 − β₂ᵗ).
    """
    d = g + weight_decay * p
    m_new = beta1 * m + rest1 * d
    v_new = beta2 * v + rest2 * (d * d)
    return p * shrink - step_size * (m_new / (sqrt(v_new) + eps)), m_new, v_new


@update("p m v top g", changed=4)
def adam_amsgrad(p, m, v, top, g, step_size, shrink, weight_decay, beta1, beta2, rest1, rest2, eps):
    """Adam whose denominator takes the largest v so far: p ← p·shrink − step_size m / (√top + eps), top ← max(top, v)."""
    d = g + weight_decay * p
    m_new = beta1 * m + rest1 * d
    v_new = beta2 * v + rest2 * (d * d)
    top_new = maximum(top, v_new)
    return p * shrink - step_size * (m_new / (sqrt(top_new) + eps)), m_new, v_new, top_new


@update("p m v g", changed=3)
def nadam(p, m, v, g, step_size, step_size_next, shrink, weight_decay, beta1, beta2, rest1, rest2, eps):
    """p ← p·shrink − (step_size d + step_size_next m) / (√v + eps): of the momentum, the part that the next step would add.

    The bias correction of v is in step_size, step_size_next and eps, as for Adam.
    """
    d = g + weight_decay * p
    m_new = beta1 * m + rest1 * d
    v_new = beta2 * v + rest2 * (d * d)
    return p * shrink - (step_size * d + step_size_next * m_new) / (sqrt(v_new) + eps), m_new, v_new


@update("p m v g", changed=3)
def radam(p, m, v, g, step_size, shrink, weight_decay, beta1, beta2, rest1, rest2, eps, adaptive):
    """p ← p·shrink − step_size m / (√v + eps), in the first steps (adaptive = 0) p·shrink − step_size m."""
    d = g + weight_decay * p
    m_new = beta1 * m + rest1 * d
    v_new = beta2 * v + rest2 * (d * d)
    return p * shrink - step_size * (m_new / where(adaptive > 0, sqrt(v_new) + eps, 1)), m_new, v_new


@update("p m u g", changed=3)
def adamax(p, m, u, g, step_size, weight_decay, beta1, beta2, rest1, eps):
    """m ← β₁ m + (1 − β₁) d, u ← max(β₂ u, |d| + ε), p ← p − step_size m / u."""
    d = g + weight_decay * p
    m_new = beta1 * m + rest1 * d
    u_new = maximum(beta2 * u, absolute(d) + eps)
    return p - step_size * (m_new / u_new), m_new, u_new


@update("p total g", changed=2)
def adagrad(p, total, g, step_size, weight_decay, eps):
    """s ← s + d², p ← p − step_size d / (√s + ε)."""
    d = g + weight_decay * p
    total_new = total + d * d
    return p - step_size * (d / (sqrt(total_new) + eps)), total_new


@update("p v moved g", changed=3)
def adadelta(p, v, moved, g, lr, weight_decay, rho, rest, eps):
    """v ← ρ v + (1 − ρ) d², δ = d √(u + ε) / √(v + ε), u ← ρ u + (1 − ρ) δ², p ← p − lr δ; `moved` is u, rest is 1 − ρ."""
    d = g + weight_decay * p
    v_new = rho * v + rest * (d * d)
    delta = sqrt(moved + eps) / sqrt(v_new + eps) * d
    return p - lr * delta, v_new, rho * moved + rest * (delta * delta)


@update("direction v p g", changed=2)
def rmsprop(direction, v, p, g, weight_decay, alpha, rest, eps):
    """v ← α v + (1 − α) d²; the direction d / (√v + ε), along which SGD goes, with or without momentum."""
    d = g + weight_decay * p
    v_new = alpha * v + rest * (d * d)
    return d / (sqrt(v_new) + eps), v_new


@update("direction v m p g", changed=3)
def rmsprop_centered(direction, v, m, p, g, weight_decay, alpha, rest, eps):
    """As `rmsprop`, over the standard deviation: m ← α m + (1 − α) d, direction d / (√(v − m²) + ε)."""
    d = g + weight_decay * p
    v_new = alpha * v + rest * (d * d)
    m_new = m + rest * (d - m)
    return d / (sqrt(v_new - m_new * m_new) + eps), v_new, m_new


@update("p before size g", changed=3)
def rprop(p, before, size, g, shrink, grow, smallest, largest):
    """Each element has a step size of its own: `grow` times as large while its gradient keeps its sign, `shrink` times when it turns.

    p ← p − sign(g) size; after a turn the element rests for a step, and its gradient counts as 0.
    """
    turn = g * before
    size_new = minimum(largest, maximum(smallest, size * where(turn > 0, grow, where(turn < 0, shrink, 1))))
    kept = where(turn < 0, 0, g)
    sign = where(kept > 0, 1, where(kept < 0, -1, kept))
    return p - sign * size_new, kept, size_new
