"""Normalizations channel by channel: over the batch, over groups of channels, over each example."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core import Tensor, by_replay, op, touch
from ..errors import ArgumentError, DimError, ShapeError
from ..kernels import normalize
from ..kernels.arrays import total
from ..kernels.cache import one_dtype
from ..kernels.notation import sqrt
from .convert import check_tensors, clone, float_only
from .joining import cat, stack
from .normalization import column_sums, filled, layer_norm, mean_over, standardized, through, times, vector_of


def _over_batch(ndim: int) -> tuple[int, ...]:
    """All axes but that of the channels."""
    return (0, *range(2, ndim))


def _by_channel(values: Any, ndim: int) -> Any:
    """One number a channel, as it broadcasts against (N, C, …)."""
    return values if values is None or ndim == 2 else values.reshape(values.shape[0], *[1] * (ndim - 2))


def _as_columns(x: Any) -> Any:
    """(N, C, …) as a matrix with a column a channel."""
    return np.ascontiguousarray(x if x.ndim == 2 else np.moveaxis(x, 1, -1)).reshape(-1, x.shape[1])


def _from_columns(columns: Any, shape: Sequence[int]) -> Any:
    if len(shape) == 2:
        return columns
    return np.ascontiguousarray(np.moveaxis(columns.reshape(shape[0], *shape[2:], shape[1]), -1, 1))


@op
def channel_moments(input: Tensor) -> Tensor:
    """The mean of each channel over the batch, and below it the biased variance, in two passes. No gradient.

    Shapes: (N, C, …) → (2, C).
    """
    axes = _over_batch(input.ndim)
    apart = input - mean_over(input, axes)
    return np.stack([mean_over(input, axes).ravel(), mean_over(apart * apart, axes).ravel()])


@channel_moments.kernel(when=one_dtype)
def _(input):
    out = np.empty((2, input.shape[1]), input.dtype)
    normalize.column_moments[input.dtype](out, _as_columns(input))
    return out


@op
def normalize_channels(
    input: Tensor,
    moments: Tensor,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    of_batch: bool = False,
) -> Tensor:
    """y = z · weight + bias, z = (x − mean) / √(variance + ε), with one number a channel of each: what batch_norm runs.

    Shapes: input (N, C, …), moments (2, C): means above variances, weight and bias (C). `of_batch` says that the moments are those of
    input itself, and depend on it.
    Backward: dL/dx = s h, with h = g · weight, s = 1 / √(variance + ε); of a batch s (h − mean h − z mean(h z)), means over the batch.
    dL/dweight = Σ g z, dL/dbias = Σ g. None to the moments.
    """
    mean, var = (_by_channel(row, input.ndim) for row in moments)
    y = times((input - mean) / sqrt(var + eps), _by_channel(weight, input.ndim))
    return y if bias is None else y + _by_channel(bias, input.ndim)


@normalize_channels.kernel(when=one_dtype)
def _(input, moments, weight, bias, eps, of_batch):
    x = _as_columns(input)
    scale, shift = vector_of(weight, x.shape[1], 1, x.dtype), vector_of(bias, x.shape[1], 0, x.dtype)
    out = np.empty(x.shape, x.dtype)
    normalize.normalize_columns[x.dtype](out, x, np.ascontiguousarray(moments), scale, shift, eps)
    return _from_columns(out, input.shape)


def _channels(input: Any, moments: Any, eps: float, of_batch: bool) -> tuple[Any, Any]:
    """z and s, as functions of input where the moments are."""
    if of_batch:
        return standardized(input, _over_batch(input.ndim), eps)
    scale = 1 / sqrt(_by_channel(moments[1], input.ndim) + eps)
    return (input - _by_channel(moments[0], input.ndim)) * scale, scale


@normalize_channels.backward("input")
def _(g, input, moments, weight, eps, of_batch):
    h = times(g, _by_channel(weight, g.ndim))
    z, scale = _channels(input, moments, eps, of_batch)
    return through(h, z, scale, _over_batch(g.ndim)) if of_batch else h * scale


def _channel_sums(g: Any, x: Any, moments: Any, eps: float) -> Any:
    out = np.empty(moments.shape, x.dtype)
    normalize.normalized_column_sums[x.dtype](out, g, x, moments, eps)
    return out


@normalize_channels.backward_kernel("input")
def _(g, input, moments, weight, eps, of_batch):
    x, g, moments = _as_columns(input), _as_columns(g), np.ascontiguousarray(moments)
    sums = _channel_sums(g, x, moments, eps) if of_batch else filled(moments.shape, 0, x.dtype)
    dx = np.empty(x.shape, x.dtype)
    normalize.normalize_columns_backward[x.dtype](dx, g, x, moments, vector_of(weight, x.shape[1], 1, x.dtype), sums, eps)
    return _from_columns(dx, input.shape)


@normalize_channels.backward("weight")
def _(g, input, moments, eps, of_batch):
    z, _ = _channels(input, moments, eps, of_batch)
    return (g * z).sum(_over_batch(g.ndim))


@normalize_channels.backward_kernel("weight")
def _(g, input, moments, eps):
    return _channel_sums(_as_columns(g), _as_columns(input), np.ascontiguousarray(moments), eps)[1]


@normalize_channels.backward("bias")
def _(g):
    axes = _over_batch(g.ndim)
    return g.sum(axes) if isinstance(g, Tensor) else total(g, axes)


@normalize_channels.backward_kernel("bias")
def _(g):
    return column_sums(_as_columns(g))


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Batch normalization, y = weight · (x − mean) / √(variance + ε) + bias, each channel by itself.

    Shapes: input (N, C, …), all others (C). In training, mean and biased variance are those of the batch, and the running ones, where
    given, move towards them in place: r ← (1 − momentum) r + momentum · new, with the unbiased variance. Otherwise the running ones
    are used. An input of shape (0,) has no channels and comes back. Backward: see `normalize_channels`.
    Errors: ArgumentError for one value a channel in training, or without running ones outside of it; ShapeError, DtypeError, DimError.
    Source: Ioffe & Szegedy 2015, "Batch normalization: accelerating deep network training by reducing internal covariate shift".
    """
    check_tensors("batch_norm", input=input)
    if input.shape == (0,):
        return clone(input)
    _check_channels("batch_norm", input, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias)
    if (running_mean is None) != (running_var is None):
        raise ArgumentError("batch_norm: running_mean and running_var must be given both or neither")
    if not training:
        if running_mean is None or running_var is None:
            raise ArgumentError("batch_norm: running_mean and running_var must be given where training is False, got None")
        return normalize_channels(input, stack([running_mean, running_var]), weight, bias, eps, False)
    count = math.prod(input.shape) // max(input.shape[1], 1)
    _several("batch_norm", count, input)
    moments = channel_moments(input.detach())
    if count and running_mean is not None and running_var is not None:
        _move(running_mean, moments, 0, 1.0, momentum)
        _move(running_var, moments, 1, count / (count - 1), momentum)
    return normalize_channels(input, moments, weight, bias, eps, True)


@by_replay("write")
def _move(running: Tensor, moments: Tensor, row: int, factor: float, momentum: float) -> None:
    """running ← (1 − momentum) running + momentum · new, in its storage, new being a row of moments times a factor."""
    new = moments.array[row] * factor
    touch(running)
    running.array *= 1 - momentum
    running.array += (momentum * new).astype(running.dtype, copy=False)


def _several(name: str, count: int, input: Tensor) -> None:
    if count == 1:
        raise ArgumentError(f"{name}: needs more than 1 value per channel in training, got input {input.shape}")


def _check_channels(name: str, input: Tensor, **vectors: Tensor | None) -> None:
    check_tensors(name, input=input)
    float_only(name, input)
    if input.ndim < 2:
        error = DimError if name == "batch_norm" else ShapeError  # PyTorch raises IndexError and RuntimeError or ValueError
        raise error(f"{name}: input must have shape (batch, channels, …), got {input.shape}")
    for argument, values in vectors.items():
        if values is not None and values.shape != (input.shape[1],):
            raise ShapeError(f"{name}: {argument} must have one entry a channel, shape ({input.shape[1]},), got {values.shape}")


# ---- groups of channels


def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """Layer normalization of each of num_groups groups of channels, then y = z · weight + bias with one number a channel.

    Shapes: input (N, C, …), weight and bias (C). Errors: ShapeError if num_groups does not divide C; ArgumentError for groups of one value.
    Source: Wu & He 2018, "Group normalization".
    """
    _check_channels("group_norm", input, weight=weight, bias=bias)
    batch, channels = input.shape[:2]
    if num_groups < 1 or channels % num_groups:
        raise ShapeError(f"group_norm: num_groups {num_groups} does not divide the {channels} channels of input {input.shape}")
    size = channels // num_groups * math.prod(input.shape[2:])
    _several("group_norm", batch * size, input)
    z = layer_norm(input.reshape(batch, num_groups, size), (size,), eps=eps).reshape(input.shape)
    y = times(z, _by_channel(weight, input.ndim))
    return y if bias is None else y + _by_channel(bias, input.ndim)


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Batch normalization in which each example is a batch of its own; the running moments move towards the mean of the examples'.

    Shapes: input (N, C, L, …), all others (C). Errors: as batch_norm; ArgumentError for one value a channel and example.
    Source: Ulyanov, Vedaldi & Lempitsky 2016, "Instance normalization: the missing ingredient for fast stylization".
    """
    _check_channels("instance_norm", input, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias)
    batch, channels = input.shape[:2]
    if not use_input_stats or not batch:
        return batch_norm(input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps)
    _several("instance_norm", math.prod(input.shape[2:]), input)

    def each(values: Tensor | None) -> Tensor | None:
        return None if values is None else cat([values] * batch)

    mean, var = each(running_mean), each(running_var)
    flat = input.reshape(1, batch * channels, *input.shape[2:])
    y = batch_norm(flat, mean, var, each(weight), each(bias), True, momentum, eps)
    for running, moved in ((running_mean, mean), (running_var, var)):
        if running is not None and moved is not None:
            running.copy_(moved.reshape(batch, channels).mean(0))
    return y.reshape(input.shape)
