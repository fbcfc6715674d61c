"""Dropout: elements or whole channels, set to 0 or, with alpha, to what keeps mean and variance of a SELU network."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import Tensor, by_replay, check_probability, elementwise
from ..errors import ShapeError
from ..kernels.notation import where
from .convert import constant, on_tensor
from .random import Generator, uniform


@elementwise
def keep_above(x: Tensor, u: Tensor, p: float) -> Tensor:
    """x / (1 − p) where u ≥ p, else 0: dropout for given uniform numbers u. Backward: dL/dx = g / (1 − p) where u ≥ p, else 0."""
    return where(u >= p, x / (1 - p), 0)


@keep_above.backward("x")
def _(g, u, p):
    return where(u >= p, g / (1 - p), 0)


@on_tensor
def dropout(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False, *, generator: Generator | None = None
) -> Tensor:
    """In training, each element is 0 with probability p, else scaled by 1 / (1 − p), so that the mean stays; otherwise input itself.

    Backward: g through what was kept, scaled alike. p = 1 gives zeros.
    Source: Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from overfitting".
    """
    return _dropout("dropout", input, input.shape, p, training, inplace, generator)


@on_tensor
def dropout1d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False, *, generator: Generator | None = None
) -> Tensor:
    """`dropout` of whole channels. Shapes: (N, C, L) or (C, L). Errors: ShapeError for another number of axes."""
    if input.ndim not in (2, 3):
        raise ShapeError(f"dropout1d: input must have shape (N, C, L) or (C, L), got {input.shape}")
    return _dropout("dropout1d", input, (*input.shape[:-1], 1), p, training, inplace, generator)


def _dropout(
    name: str, x: Tensor, drawn: tuple[int, ...], p: float, training: bool, inplace: bool, generator: Generator | None
) -> Tensor:
    """Dropout with one random number for each element of the shape `drawn`, which broadcasts."""
    check_probability(name, p)
    if not training or p == 0:
        return x
    if inplace:
        return x.mul_(_dropout(name, constant(1, x.dtype, drawn), drawn, p, True, False, generator))
    if p == 1:
        return x * 0.0
    return keep_above(x, uniform(x.array.dtype, drawn, generator), p)


@on_tensor
def alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False, *, generator: Generator | None = None
) -> Tensor:
    """In training, each element is −α′ with probability p; then a x + b keeps mean 0 and variance 1.

    With α′ = 1.7581 (minus SELU's limit at −∞): a = 1 / √((1 − p) (1 + p α′²)), b = a p α′. p = 1 gives zeros.
    Source: Klambauer et al. 2017, "Self-normalizing neural networks".
    """
    return _alpha_dropout("alpha_dropout", input, input.shape, p, training, inplace, generator)


@on_tensor
def feature_alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False, *, generator: Generator | None = None
) -> Tensor:
    """`alpha_dropout` of whole channels. Shapes: (N, C, …)."""
    if input.ndim < 2:
        raise ShapeError(f"feature_alpha_dropout: input must have shape (N, C, …), got {input.shape}")
    drawn = (*input.shape[:2], *[1] * (input.ndim - 2))
    return _alpha_dropout("feature_alpha_dropout", input, drawn, p, training, inplace, generator)


_ALPHA = 1.7580993408473766  # λα of selu


def _alpha_dropout(
    name: str, x: Tensor, drawn: tuple[int, ...], p: float, training: bool, inplace: bool, generator: Generator | None
) -> Tensor:
    check_probability(name, p)
    if not training or p == 0:
        return x
    if p == 1:
        return x.mul_(0.0) if inplace else x * 0.0
    factor, offset = _alpha_noise(x.dtype, drawn, p, generator)
    return x.mul_(factor).add_(offset) if inplace else x * factor + offset


@by_replay("free")
def _alpha_noise(dtype: np.dtype[Any], shape: tuple[int, ...], p: float, generator: Generator | None) -> tuple[Tensor, Tensor]:
    """What elements are multiplied by, and what is added then."""
    scale = 1 / math.sqrt((1 - p) * (1 + p * _ALPHA**2))
    shift = scale * p * _ALPHA
    kept = uniform(dtype, shape, generator).array >= p
    factor = Tensor(np.where(kept, scale, 0).astype(dtype))
    return factor, Tensor(np.where(kept, shift, shift - scale * _ALPHA).astype(dtype))
