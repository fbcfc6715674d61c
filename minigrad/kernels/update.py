"""Optimizer updates: one step for one element, in the notation of rules; a loop runs them over flat arrays.

The parameters named in `arrays` are arrays, the first `changed` of them are overwritten by what is returned; the rest are numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

import numpy as np

from .cache import compilable, kernels_enabled
from .lift import Text, update_loop
from .notation import sqrt

__all__ = ["adam", "sgd", "sgd_momentum"]


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
    return p - lr * (nesterov * d + (1 - nesterov + nesterov * momentum) * b), b


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
