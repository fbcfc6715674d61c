"""Comparisons, logic, and choices between values."""

from __future__ import annotations

import numpy as np

from ..core import Operand, Tensor, elementwise, op
from ..errors import ArgumentError, DtypeError, ShapeError
from ..kernels import notation as math
from ..kernels.notation import where as choose


@elementwise(integers=True)
def maximum(a: Operand, b: Operand) -> Tensor:
    """The larger of two, element by element; NaN if either is NaN.

    Backward: g to the larger one; a tie shares ½ and ½; both get g where there is a NaN.
    """
    return math.maximum(a, b)


@maximum.backward("a")
def _(g, a, b):
    return choose(a < b, 0, choose(a == b, g / 2, g))


@maximum.backward("b")
def _(g, a, b):
    return choose(b < a, 0, choose(a == b, g / 2, g))


@elementwise(integers=True)
def minimum(a: Operand, b: Operand) -> Tensor:
    """The smaller of two, element by element; NaN if either is NaN.

    Backward: g to the smaller one; a tie shares ½ and ½; both get g where there is a NaN.
    """
    return math.minimum(a, b)


@minimum.backward("a")
def _(g, a, b):
    return choose(a > b, 0, choose(a == b, g / 2, g))


@minimum.backward("b")
def _(g, a, b):
    return choose(b > a, 0, choose(a == b, g / 2, g))


@elementwise(integers=True)
def clamp_min(x: Tensor, min: Operand) -> Tensor:
    """max(x, min). Backward: dL/dx = g where x ≥ min (the bound included), dL/dmin = g elsewhere."""
    return math.maximum(x, min)


@clamp_min.backward("x")
def _(g, x, min):
    return choose(x >= min, g, 0)


@clamp_min.backward("min")
def _(g, x, min):
    return choose(x < min, g, 0)


@elementwise(integers=True)
def clamp_max(x: Tensor, max: Operand) -> Tensor:
    """min(x, max). Backward: dL/dx = g where x ≤ max (the bound included), dL/dmax = g elsewhere."""
    return math.minimum(x, max)


@clamp_max.backward("x")
def _(g, x, max):
    return choose(x <= max, g, 0)


@clamp_max.backward("max")
def _(g, x, max):
    return choose(x > max, g, 0)


@elementwise(integers=True)
def clamp_both(x: Tensor, min: Operand, max: Operand) -> Tensor:
    """min(max(x, lower), upper); the upper bound wins where it is below the lower.

    Backward: dL/dx = g where lower ≤ x ≤ upper, to the bound that was taken elsewhere.
    """
    return math.minimum(math.maximum(x, min), max)


@clamp_both.backward("x")
def _(g, x, min, max):
    return choose((x >= min) & (x <= max), g, 0)


@clamp_both.backward("min")
def _(g, x, min, max):
    return choose((x < min) & (min < max), g, 0)


@clamp_both.backward("max")
def _(g, x, min, max):
    return choose((x > max) | (max < min), g, 0)


def clamp(input: Tensor, min: Operand | None = None, max: Operand | None = None) -> Tensor:
    """input limited to [min, max]; either bound (a number or a tensor) may be left out. The gradient at a bound is 1."""
    if min is None and max is None:
        raise ArgumentError("clamp: at least one of min and max must be given")
    if max is None:
        return clamp_min(input, min)
    return clamp_max(input, max) if min is None else clamp_both(input, min, max)


@elementwise(integers=True)
def where(condition: Tensor, a: Operand, b: Operand) -> Tensor:
    """a where the condition (a bool tensor) holds, else b.

    Shapes: broadcast. Backward: dL/da = g where the condition holds, else 0; dL/db the reverse. What is not chosen gets an exact 0.
    """
    return choose(condition, a, b)


@where.backward("a")
def _(g, condition):
    return choose(condition, g, 0)


@where.backward("b")
def _(g, condition):
    return choose(condition, 0, g)


# Comparisons and logic: bool results, no gradient.


def _fits(name: str, a: object, b: object) -> None:
    """Shapes that broadcast."""
    try:
        np.broadcast_shapes(np.shape(a), np.shape(b))
    except ValueError:
        raise ShapeError(f"{name}: shapes do not broadcast: a {np.shape(a)}, b {np.shape(b)}") from None


@op
def eq(a: Operand, b: Operand) -> Tensor:
    """a == b, as a bool tensor. Shapes broadcast; no gradient. NaN equals nothing."""
    return np.equal(a, b)


@op
def ne(a: Operand, b: Operand) -> Tensor:
    """a ≠ b, as a bool tensor. Shapes broadcast; no gradient."""
    return np.not_equal(a, b)


@op
def lt(a: Operand, b: Operand) -> Tensor:
    """a < b, as a bool tensor. Shapes broadcast; no gradient."""
    return np.less(a, b)


@op
def le(a: Operand, b: Operand) -> Tensor:
    """a ≤ b, as a bool tensor. Shapes broadcast; no gradient."""
    return np.less_equal(a, b)


@op
def gt(a: Operand, b: Operand) -> Tensor:
    """a > b, as a bool tensor. Shapes broadcast; no gradient."""
    return np.greater(a, b)


@op
def ge(a: Operand, b: Operand) -> Tensor:
    """a ≥ b, as a bool tensor. Shapes broadcast; no gradient."""
    return np.greater_equal(a, b)


@op
def logical_and(a: Operand, b: Operand) -> Tensor:
    """a and b (non-zero is true), as a bool tensor; the operator & on bool tensors."""
    return np.logical_and(a, b)


@op
def logical_or(a: Operand, b: Operand) -> Tensor:
    """a or b (non-zero is true), as a bool tensor; the operator | on bool tensors."""
    return np.logical_or(a, b)


@op
def logical_not(a: Operand) -> Tensor:
    """not a (non-zero is true), as a bool tensor; the operator ~ on bool tensors."""
    return np.logical_not(a)


@op
def isnan(x: Tensor) -> Tensor:
    """Whether each element is NaN."""
    return np.isnan(x)


@op
def isinf(x: Tensor) -> Tensor:
    """Whether each element is infinite."""
    return np.isinf(x)


@op
def isfinite(x: Tensor) -> Tensor:
    """Whether each element is neither infinite nor NaN."""
    return np.isfinite(x)


for _binary in (eq, ne, lt, le, gt, ge, logical_and, logical_or):
    _binary.check(lambda a, b, _name=_binary.name: _fits(_name, a, b))


def bitwise(operation: object) -> object:
    """The operator of a logical operation: on bool tensors only, where both mean the same."""

    def operator(a: Tensor, *others: Operand) -> Tensor:
        for value in (a, *others):
            kind = value.dtype.kind if isinstance(value, Tensor) else np.asarray(value).dtype.kind
            if kind != "b":
                raise DtypeError(f"{operation.name}: the operators & | ~ take bool tensors, got {value!r}")  # type: ignore[attr-defined]
        return operation(a, *others)

    return operator
