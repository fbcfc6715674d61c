"""Statements of operations over rows: sums, softmax, cross-entropy, normalizations, rows of a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..kernels import cross_entropy, moves, normalize, rows
from ..ops.classification import REDUCE, class_weights
from ..ops.normalization import vector_of
from .lines import Value
from .lower import flat, lowers, lowers_rule, matrix, scratch


def _constant(array: Any) -> Value:
    return Value(array, None)


# ---- sums and means


def _row_sums(made: Value, x: Value, dim: Sequence[int], divisor: float) -> Any:
    return [(rows.row_sums[made.dtype], [flat(made), matrix(x, math.prod(x.shape[i] for i in dim)), divisor])]


@lowers("sum")
def _(made: Value, x: Value, dim: Any, keepdim: bool, dtype: Any) -> Any:
    return _row_sums(made, x, dim, 1.0)


@lowers("mean")
def _(made: Value, x: Value, dim: Any, keepdim: bool, dtype: Any) -> Any:
    return _row_sums(made, x, dim, float(math.prod(x.shape[i] for i in dim)))


def _spread(made: Value, g: Value, dim: Sequence[int], divisor: float) -> Any:
    ndim = len(made.shape)
    if made.dtype != g.dtype or tuple(dim) != tuple(range(ndim - len(dim), ndim)):
        return None
    return [(moves.spread[made.dtype], [matrix(made, made.size // g.size), flat(g), divisor])]


@lowers_rule("sum", "x", by_kernel=False)
def _(made: Value, g: Value, x_shape: Any, dim: Any) -> Any:
    return _spread(made, g, dim, 1.0)


@lowers_rule("mean", "x", by_kernel=False)
def _(made: Value, g: Value, x_shape: Any, dim: Any) -> Any:
    return _spread(made, g, dim, float(math.prod(x_shape[i] for i in dim)))


# ---- softmax


def _last(value: Value, dim: int) -> bool:
    return bool(value.shape) and dim == len(value.shape) - 1


@lowers("softmax")
def _(made: Value, x: Value, dim: int, dtype: Any, temperature: float) -> Any:
    return [(rows.softmax_rows[made.dtype], [matrix(made), matrix(x), float(temperature)])] if _last(x, dim) else None


@lowers_rule("softmax", "x")
def _(made: Value, g: Value, y: Value, dim: int, temperature: float) -> Any:
    kernel = rows.softmax_rows_backward[made.dtype]
    return [(kernel, [matrix(made), matrix(g), matrix(y), float(temperature)])] if _last(y, dim) else None


@lowers("log_softmax")
def _(made: Value, x: Value, dim: int, dtype: Any, temperature: float) -> Any:
    if not _last(x, dim):
        return None
    work = scratch(made, x.size if x.shape[-1] <= 256 else x.shape[-1])
    return [(rows.log_softmax_rows[made.dtype], [matrix(made), flat(work), matrix(x), float(temperature)])]


@lowers_rule("log_softmax", "x")
def _(made: Value, g: Value, y: Value, dim: int, temperature: float) -> Any:
    kernel = rows.log_softmax_rows_backward[made.dtype]
    return [(kernel, [matrix(made), matrix(g), matrix(y), float(temperature)])] if _last(y, dim) else None


# ---- cross-entropy


@lowers("cross_entropy")
def _(
    made: Sequence[Value], input: Value, target: Value, weight: Any, ignore_index: int, reduction: str, label_smoothing: float
) -> Any:
    loss, dinput = made
    dtype = loss.dtype
    if len(input.shape) != 2:
        return None
    count, classes = input.shape
    weights = _constant(class_weights(None, classes, dtype)) if weight is None else weight
    if target.dtype.kind == "f":
        arguments = [flat(loss), matrix(dinput), matrix(scratch(loss, 6, count)), matrix(input), matrix(target), flat(weights)]
        checked = rows.outside_unit[dtype], [flat(target)]
        return [checked, (cross_entropy.soft_cross_entropy_rows[dtype], [*arguments, REDUCE[reduction], float(label_smoothing)])]
    if target.dtype != np.int64:
        return None
    arguments = [flat(loss), matrix(dinput), matrix(scratch(loss, 4, count)), matrix(input), flat(target), flat(weights)]
    return [(cross_entropy.cross_entropy_rows[dtype], [*arguments, ignore_index, REDUCE[reduction], float(label_smoothing)])]


@lowers_rule("cross_entropy", "input")
def _(made: Value, g: Value, residual: Value) -> Any:
    if len(residual.shape) > 2 and g.shape:
        return None
    arguments = [flat(made), flat(g), flat(residual), g.size, residual.size // g.size]
    return [(cross_entropy.cross_entropy_rows_backward[made.dtype], arguments)]


# ---- normalizations


def _normalized(made: Sequence[Value], x: Value, shape: Any, weight: Any, bias: Any, eps: float, centred: bool) -> Any:
    out, moments = made
    columns, dtype = math.prod(shape), out.dtype
    scale = weight or _constant(vector_of(None, columns, 1, dtype))
    shift = bias or _constant(vector_of(None, columns, 0, dtype))
    arguments = [matrix(out, columns), matrix(moments), matrix(x, columns), flat(scale), flat(shift), float(eps), int(centred)]
    return [(normalize.normalize_rows[dtype], arguments)]


def _normalized_backward(made: Value, g: Value, x: Value, moments: Value, weight: Any, shape: Any, centred: bool) -> Any:
    columns = math.prod(shape)
    scale = weight or _constant(vector_of(None, columns, 1, made.dtype))
    arguments = [matrix(made, columns), matrix(g, columns), matrix(x, columns), matrix(moments), flat(scale), int(centred)]
    return [(normalize.normalize_rows_backward[made.dtype], arguments)]


@lowers("layer_norm")
def _(made: Sequence[Value], input: Value, weight: Any, bias: Any, normalized_shape: Any, eps: float) -> Any:
    return _normalized(made, input, normalized_shape, weight, bias, eps, True)


@lowers("rms_norm")
def _(made: Sequence[Value], input: Value, weight: Any, normalized_shape: Any, eps: float) -> Any:
    return _normalized(made, input, normalized_shape, weight, None, eps, False)


@lowers_rule("layer_norm", "input")
def _(made: Value, g: Value, input: Value, residual: Value, weight: Any, normalized_shape: Any) -> Any:
    return _normalized_backward(made, g, input, residual, weight, normalized_shape, True)


@lowers_rule("rms_norm", "input")
def _(made: Value, g: Value, input: Value, residual: Value, weight: Any, normalized_shape: Any) -> Any:
    return _normalized_backward(made, g, input, residual, weight, normalized_shape, False)


def _normalized_sums(made: Value, g: Value, input: Value, residual: Value, normalized_shape: Any) -> Any:
    columns = math.prod(normalized_shape)
    arguments = [flat(made), matrix(g, columns), matrix(input, columns), matrix(residual)]
    return [(normalize.normalized_sums[made.dtype], arguments)]


lowers_rule("layer_norm", "weight")(_normalized_sums)
lowers_rule("rms_norm", "weight")(_normalized_sums)


@lowers_rule("layer_norm", "bias")
def _(made: Value, g: Value, bias_shape: Any) -> Any:
    return [(rows.column_sums[made.dtype], [flat(made), matrix(g, made.size)])]


# ---- rows of a table


@lowers("taken_rows")
def _(made: Value, input: Value, weight: Value, padding_idx: Any, scale_grad_by_freq: bool) -> Any:
    return [(rows.table_rows[made.dtype], [matrix(made), matrix(weight), flat(input)])] if input.dtype == np.int64 else None


@lowers_rule("taken_rows", "weight")
def _(made: Value, g: Value, input: Value, weight_shape: Any, padding_idx: Any, scale_grad_by_freq: bool) -> Any:
    if scale_grad_by_freq or input.dtype != np.int64:
        return None
    skipped = -1 if padding_idx is None else int(padding_idx)
    add = rows.table_rows_backward[made.dtype], [matrix(made), matrix(g), flat(input), skipped]
    return [(moves.zero[made.dtype], [flat(made)]), add]
