"""Comparisons, logic, and choices between values."""

from __future__ import annotations

from math import inf

import numpy as np

from ..core import Operand, Tensor, elementwise, op
from ..core.check import check_kind
from ..errors import ArgumentError, DtypeError, ShapeError
from ..kernels import notation as math
from ..kernels.notation import where as choose
from .convert import check_tensors, on_tensor, to


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


def _in_dtype(bound: Operand | None, input: Tensor) -> Operand | None:
    """A bound that is a 0-d tensor in the dtype of input."""
    if not isinstance(bound, Tensor) or bound.ndim or not input.ndim or (bound.dtype.kind == "f") > (input.dtype.kind == "f"):
        return bound
    return to(bound, input.dtype)


def clamp(input: Tensor, min: Operand | None = None, max: Operand | None = None) -> Tensor:
    """input limited to [min, max]; either bound (a number or a tensor) may be left out. The gradient at a bound is 1.

    A bound that is a 0-d tensor leaves the dtype of input alone, as a number does, but where it makes floats of integers.
    """
    min, max = (_in_dtype(bound, input) for bound in (min, max))
    if min is None and max is None:
        raise ArgumentError("clamp: at least one of min and max must be given")
    if max is None:
        return clamp_min(input, min)
    return clamp_max(input, max) if min is None else clamp_both(input, min, max)


clip = clamp


@elementwise(integers=True)
def where(condition: Tensor, input: Operand, other: Operand) -> Tensor:
    """input where the condition (a bool tensor) holds, else other.

    Shapes: broadcast. Backward: g to the input where the condition holds, else to the other. What is not chosen gets an exact 0.
    """
    return choose(condition, input, other)


@where.backward("input")
def _(g, condition):
    return choose(condition, g, 0)


@where.backward("other")
def _(g, condition):
    return choose(condition, 0, g)


@on_tensor
def masked_fill(input: Tensor, mask: Tensor, value: Operand) -> Tensor:
    """`value` (a number or 0-d tensor, taken in the dtype of input) where the mask holds, else input; their shapes broadcast.

    Backward: g to the input where the mask does not hold, the sum of the rest to a value that is a tensor.
    """
    if not isinstance(mask, Tensor) or mask.dtype.kind != "b":
        raise DtypeError(f"masked_fill: mask must be a bool tensor, got {mask.dtype if isinstance(mask, Tensor) else mask!r}")
    try:
        np.broadcast_shapes(input.shape, mask.shape)
    except ValueError:
        raise ShapeError(f"masked_fill: mask {mask.shape} does not broadcast with input {input.shape}") from None
    if isinstance(value, Tensor):
        if value.ndim:
            raise ShapeError(f"masked_fill: value must be a number or a 0-d tensor, got shape {value.shape}")
        return where(mask, value.to(input.dtype), input)
    check_kind("masked_fill", "value", value, "float")
    return where(mask, input.dtype.type(value).item(), input)


@elementwise
def lerp(input: Tensor, end: Tensor, weight: Operand) -> Tensor:
    """input + weight (end − input), written from the nearer end: exactly `end` for weight 1.

    Shapes: broadcast. Backward: g (1 − weight) to the input, g weight to the end, g (end − input) to a weight that is a tensor.
    Errors: DtypeError unless all are floating-point tensors of one dtype (the weight may be a number).
    """
    step = end - input
    return choose(math.absolute(weight) < 0.5, input + weight * step, end - step * (1 - weight))


@lerp.check
def _(input, end, weight):
    dtypes = [getattr(value, "dtype", None) for value in (input, end, weight)]
    if dtypes[0] is None or dtypes[0].kind != "f" or dtypes[1] != dtypes[0] or dtypes[2] not in (None, dtypes[0]):
        raise DtypeError(
            "lerp: input, end and weight must be floating-point tensors of one dtype (weight may be a number), got "
            + ", ".join("a number" if dtype is None else str(dtype) for dtype in dtypes)
        )


@lerp.backward("input")
def _(g, weight):
    return g * (1 - weight)


@lerp.backward("end")
def _(g, weight):
    return g * weight


@lerp.backward("weight")
def _(g, input, end):
    return g * (end - input)


@elementwise(integers=True)
def nan_to_num(x: Tensor, nan: float | None = 0.0, posinf: float | None = None, neginf: float | None = None) -> Tensor:
    """x with NaN, inf and −inf replaced; None stands for 0 and for the largest and smallest number of the dtype. Backward: g, 0 there."""
    return choose(x != x, nan, choose(x == inf, posinf, choose(x == -inf, neginf, x)))


@nan_to_num.check
def _(x, nan, posinf, neginf):
    largest = float(np.finfo(x.dtype).max) if x.dtype.kind == "f" else 0.0  # integers have no infinities to replace
    return {
        "nan": 0.0 if nan is None else nan,
        "posinf": largest if posinf is None else posinf,
        "neginf": -largest if neginf is None else neginf,
    }


@nan_to_num.backward("x")
def _(g, x):
    return choose(math.absolute(x) < inf, g, 0)


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
    """a and b (non-zero is true), as a bool tensor."""
    return np.logical_and(a, b)


@op
def logical_or(a: Operand, b: Operand) -> Tensor:
    """a or b (non-zero is true), as a bool tensor."""
    return np.logical_or(a, b)


@op
def logical_xor(a: Operand, b: Operand) -> Tensor:
    """Either a or b and not both (non-zero is true), as a bool tensor."""
    return np.logical_xor(a, b)


@op
def logical_not(a: Operand) -> Tensor:
    """not a (non-zero is true), as a bool tensor."""
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


@op
def isclose(a: Tensor, b: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Tensor:
    """Whether |a − b| ≤ atol + rtol |b|, or both are the same infinity (or, if asked for, NaN). Shapes broadcast; no gradient."""
    return np.isclose(a, b, rtol, atol, equal_nan)


@isclose.check
def _(a, b, rtol, atol, equal_nan):
    if a.dtype != b.dtype:
        raise DtypeError(f"isclose: a and b must have one dtype, got {a.dtype} and {b.dtype}")
    for name, value in (("rtol", rtol), ("atol", atol)):
        if value < 0:
            raise ArgumentError(f"isclose: {name} must not be negative, got {value}")
    _fits("isclose", a, b)


def allclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    """Whether `isclose` holds for all elements: a Python bool. Backward: none."""
    return bool(isclose(input, other, rtol, atol, equal_nan)._values("allclose").all())


def equal(input: Tensor, other: Tensor) -> bool:
    """Whether both have the same shape and the same elements: a Python bool. NaN equals nothing. Backward: none."""
    check_tensors("equal", input=input, other=other)
    return input.shape == other.shape and bool(eq(input, other)._values("equal").all())


# Bits of integers; of booleans the logic.


@op
def bitwise_and(a: Operand, b: Operand) -> Tensor:
    """a & b, bit by bit; of booleans the logical and. Shapes broadcast; no gradient."""
    return np.bitwise_and(a, b)


@op
def bitwise_or(a: Operand, b: Operand) -> Tensor:
    """a | b, bit by bit; of booleans the logical or. Shapes broadcast; no gradient."""
    return np.bitwise_or(a, b)


@op
def bitwise_xor(a: Operand, b: Operand) -> Tensor:
    """a ^ b, bit by bit; of booleans the exclusive or. Shapes broadcast; no gradient."""
    return np.bitwise_xor(a, b)


@op
def bitwise_not(a: Tensor) -> Tensor:
    """~a, bit by bit; of booleans the logical not. No gradient."""
    return np.invert(a)


def _has_bits(name: str, *values: object) -> None:
    """Integers and booleans, of shapes that broadcast."""
    _fits(name, values[0], values[-1])
    for value in values:
        if np.asarray(value).dtype.kind == "f":
            what = f"dtype {value.dtype}" if isinstance(value, np.ndarray) else repr(value)
            raise DtypeError(f"{name}: the operators & | ^ ~ take integers and booleans, got {what}")


for _binary in (eq, ne, lt, le, gt, ge, logical_and, logical_or, logical_xor):
    _binary.check(lambda a, b, _name=_binary.name: _fits(_name, a, b))
for _binary in (bitwise_and, bitwise_or, bitwise_xor):
    _binary.check(lambda a, b, _name=_binary.name: _has_bits(_name, a, b))
bitwise_not.check(lambda a: _has_bits("bitwise_not", a))
