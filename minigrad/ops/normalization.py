"""Normalizations over the last axes of each example; and what all normalizations are made of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..core import Tensor, op
from ..errors import InputTypeError, ShapeError
from ..kernels import normalize, rows
from ..kernels.arrays import sum_to, total
from ..kernels.cache import one_dtype
from ..kernels.notation import sqrt
from .convert import float_only

filled = lru_cache(maxsize=64)(np.full)


def mean_over(x: Any, axes: Sequence[int]) -> Any:
    """The mean over axes, which stay with length 1, of an array or a Tensor."""
    count = math.prod(x.shape[i] for i in axes)
    return (x.sum(axes, keepdims=True) if isinstance(x, Tensor) else total(x, axes, True)) / count


def standardized(x: Any, axes: Sequence[int], eps: float, centred: bool = True) -> tuple[Any, Any]:
    """z = (x − mean) s and s = 1 / √(mean of (x − mean)² + ε), in two passes; where not `centred`, 0 stands for the mean."""
    apart = x - mean_over(x, axes) if centred else x
    scale = 1 / sqrt(mean_over(apart * apart, axes) + eps)
    return apart * scale, scale


def through(g: Any, z: Any, scale: Any, axes: Sequence[int], centred: bool = True) -> Any:
    """The gradient of x from that of z: s (g − mean g − z mean(g z))."""
    centre = mean_over(g, axes) if centred else 0
    return scale * (g - centre - z * mean_over(g * z, axes))


def times(g: Any, weight: Any) -> Any:
    """g · weight, where there is a weight."""
    return g if weight is None else g * weight


def vector_of(values: Any, columns: int, default: float, dtype: Any) -> Any:
    """Weight or bias as kernels take it: a vector, of a default where there is none. It is shared: not to be written into."""
    return filled(columns, default, dtype) if values is None else values.ravel()


def column_sums(x: Any) -> Any:
    """The sum of each column of a C-contiguous matrix."""
    out = np.empty(x.shape[1], x.dtype)
    rows.column_sums[x.dtype](out, x)
    return out


# ---- the last axes of each example


def _trailing(x: Any, shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(range(x.ndim - len(shape), x.ndim))


def _check_trailing(name: str, input: Any, shape: Any, **affine: Any) -> None:
    float_only(name, input)
    if not isinstance(shape, tuple) or not all(isinstance(n, (int, np.integer)) for n in shape):
        raise InputTypeError(f"{name}: normalized_shape must be a tuple of ints, got {shape!r}")
    if not shape or input.shape[-len(shape) :] != shape:
        raise ShapeError(f"{name}: normalized_shape {shape} must be the last sizes of input, which has shape {input.shape}")
    for argument, values in affine.items():
        if values is not None and values.shape != shape:
            raise ShapeError(f"{name}: {argument} must have shape {shape}, as normalized_shape says, got {values.shape}")


def _as_rows(x: Any, shape: Sequence[int]) -> Any:
    return np.ascontiguousarray(x).reshape(-1, math.prod(shape))


def _run_rows(input: Any, shape: Sequence[int], weight: Any, bias: Any, eps: float, centred: bool) -> tuple[Any, Any]:
    x = _as_rows(input, shape)
    count, columns = x.shape
    out, moments = np.empty(input.shape, x.dtype), np.empty((2, count), x.dtype)
    scale, shift = vector_of(weight, columns, 1, x.dtype), vector_of(bias, columns, 0, x.dtype)
    normalize.normalize_rows[x.dtype](out.reshape(x.shape), moments, x, scale, shift, eps, centred)
    return out, moments


def _run_rows_backward(g: Any, input: Any, moments: Any, weight: Any, shape: Sequence[int], centred: bool) -> Any:
    x = _as_rows(input, shape)
    dx = np.empty(input.shape, x.dtype)
    scale = vector_of(weight, x.shape[1], 1, x.dtype)
    normalize.normalize_rows_backward[x.dtype](dx.reshape(x.shape), _as_rows(g, shape), x, moments, scale, centred)
    return dx


def _run_weight_backward(g: Any, input: Any, moments: Any, shape: Sequence[int]) -> Any:
    out = np.empty(shape, input.dtype)
    normalize.normalized_sums[input.dtype](out.ravel(), _as_rows(g, shape), _as_rows(input, shape), moments)
    return out


@op
def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Layer normalization, y = z · weight + bias, z = (x − mean) / √(variance + ε) over the last axes, of each example by itself.

    Shapes: input (…, *normalized_shape), weight and bias normalized_shape. The variance is the biased one, in two passes.
    Backward: dL/dx = s (h − mean h − z mean(h z)) with h = g · weight, s = 1 / √(variance + ε); dL/dweight = Σ g z, dL/dbias = Σ g.
    Errors: ShapeError, DtypeError, InputTypeError for a normalized_shape that is no tuple.
    Source: Ba, Kiros & Hinton 2016, "Layer normalization".
    """
    z, _ = standardized(input, _trailing(input, normalized_shape), eps)
    return times(z, weight) if bias is None else times(z, weight) + bias


@layer_norm.check
def _(input, weight, bias, normalized_shape, eps):
    _check_trailing("layer_norm", input, normalized_shape, weight=weight, bias=bias)


@layer_norm.kernel(when=one_dtype, residual=True)
def _(input, normalized_shape, weight, bias, eps):
    return _run_rows(input, normalized_shape, weight, bias, eps, True)


@layer_norm.backward("input")
def _(g, input, weight, normalized_shape, eps):
    axes = _trailing(input, normalized_shape)
    return through(times(g, weight), *standardized(input, axes, eps), axes)


@layer_norm.backward_kernel("input")
def _(g, input, residual, weight, normalized_shape):
    return _run_rows_backward(g, input, residual, weight, normalized_shape, True)


@layer_norm.backward("weight")
def _(g, input, normalized_shape, eps):
    z, _ = standardized(input, _trailing(input, normalized_shape), eps)
    return sum_to(g * z, normalized_shape)


@layer_norm.backward_kernel("weight")
def _(g, input, residual, normalized_shape):
    return _run_weight_backward(g, input, residual, normalized_shape)


@layer_norm.backward("bias")
def _(g, bias_shape):
    return sum_to(g, bias_shape)


@layer_norm.backward_kernel("bias")
def _(g, bias_shape):
    return column_sums(_as_rows(g, bias_shape)).reshape(bias_shape)


@op
def rms_norm(input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None) -> Tensor:
    """Root-mean-square normalization, y = weight · x / √(mean x² + ε) over the last axes; eps None is the dtype's machine epsilon.

    Shapes: input (…, *normalized_shape), weight normalized_shape.
    Backward: dL/dx = s (h − z mean(h z)) with h = g · weight, z = s x, s = 1 / √(mean x² + ε); dL/dweight = Σ g z.
    Errors: as layer_norm. Source: Zhang & Sennrich 2019, "Root mean square layer normalization".
    """
    return times(standardized(input, _trailing(input, normalized_shape), eps, centred=False)[0], weight)


@rms_norm.check
def _(input, weight, normalized_shape, eps):
    _check_trailing("rms_norm", input, normalized_shape, weight=weight)
    return {"eps": float(np.finfo(input.dtype).eps) if eps is None else eps}


@rms_norm.kernel(when=one_dtype, residual=True)
def _(input, normalized_shape, weight, eps):
    return _run_rows(input, normalized_shape, weight, None, eps, False)


@rms_norm.backward("input")
def _(g, input, weight, normalized_shape, eps):
    axes = _trailing(input, normalized_shape)
    return through(times(g, weight), *standardized(input, axes, eps, centred=False), axes, centred=False)


@rms_norm.backward_kernel("input")
def _(g, input, residual, weight, normalized_shape):
    return _run_rows_backward(g, input, residual, weight, normalized_shape, False)


@rms_norm.backward("weight")
def _(g, input, normalized_shape, eps):
    z, _ = standardized(input, _trailing(input, normalized_shape), eps, centred=False)
    return sum_to(g * z, normalized_shape)


@rms_norm.backward_kernel("weight")
def _(g, input, residual, normalized_shape):
    return _run_weight_backward(g, input, residual, normalized_shape)
