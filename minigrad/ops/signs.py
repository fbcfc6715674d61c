"""Signs, and the special values: infinities, NaN, and what they leave of a maximum; members of a set."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from ..core import Operand, Tensor, array_of, derived, elementwise, op
from ..errors import DtypeError, InputTypeError
from ..kernels import notation as math
from ..kernels.notation import where as choose
from .convert import check_tensors, on_tensor, operand
from .shape import broadcast_tensors


@elementwise
def copysign(a: Operand, b: Operand) -> Tensor:
    """|a| with the sign of b, also of −0.

    Shapes: broadcast. Backward: dL/da = g y / a, 0 at a = 0, NaN at infinities as in PyTorch; dL/db = 0.
    """
    return choose((b < 0) | ((b == 0) & (1 / b < 0)), -math.absolute(a), math.absolute(a))


@copysign.backward("a")
def _(g, a, y):
    return choose(a == 0, 0, g * (y / a))


@copysign.backward("b")
def _(g):
    return choose(g > 0, 0, 0)


@elementwise(integers=True)
def fmax(a: Operand, b: Operand) -> Tensor:
    """The larger of two, element by element; beside NaN the other one.

    Shapes: broadcast. Backward: g to the one that was taken; of equal ones to the first.
    """
    return choose(a != a, b, choose(b != b, a, math.maximum(a, b)))


@fmax.backward("a")
def _(g, a, b):
    return choose((a >= b) | (b != b), g, 0)


@fmax.backward("b")
def _(g, a, b):
    return choose((a >= b) | (b != b), 0, g)


@elementwise(integers=True)
def fmin(a: Operand, b: Operand) -> Tensor:
    """The smaller of two, element by element; beside NaN the other one.

    Shapes: broadcast. Backward: g to the one that was taken; of equal ones to the first.
    """
    return choose(a != a, b, choose(b != b, a, math.minimum(a, b)))


@fmin.backward("a")
def _(g, a, b):
    return choose((a <= b) | (b != b), g, 0)


@fmin.backward("b")
def _(g, a, b):
    return choose((a <= b) | (b != b), 0, g)


@on_tensor
def heaviside(input: Tensor, values: Tensor) -> Tensor:
    """0 where input < 0, values where input = 0, 1 where input > 0; both of one dtype.

    Shapes: broadcast. Backward: none. Edge values: 0 at NaN.
    """
    check_tensors("heaviside", values=values)
    if input.dtype != values.dtype:
        raise DtypeError(f"heaviside: input and values must have one dtype, got {input.dtype} and {values.dtype}")
    input, values = broadcast_tensors(input, values)
    return Tensor(derived("heaviside", _steps, array_of(input, "heaviside"), array_of(values, "heaviside")))


def _steps(x: Any, values: Any) -> Any:
    return np.where(x == 0, values, x > 0).astype(x.dtype)


@op
def signbit(x: Tensor) -> Tensor:
    """Whether the sign of each element is −, also that of −0. No gradient."""
    return np.signbit(x) if x.dtype.kind == "f" else x < 0


@op
def isposinf(x: Tensor) -> Tensor:
    """Whether each element is +inf."""
    return x == inf


@op
def isneginf(x: Tensor) -> Tensor:
    """Whether each element is −inf."""
    return x == -inf


@op
def isreal(x: Tensor) -> Tensor:
    """Whether each element is a real number: always, as there are no complex tensors."""
    return np.ones(x.shape, np.bool_)


def isin(elements: Operand, test_elements: Operand, *, assume_unique: bool = False, invert: bool = False) -> Tensor:
    """Whether each of `elements` is among `test_elements` (or, with `invert`, is not). No gradient.

    Either may be a number. `assume_unique`, that no element occurs twice on either side, is only a hint. Complexity: (n + m) log m
    for n elements and m to find them among.
    """
    if not isinstance(elements, Tensor) and not isinstance(test_elements, Tensor):
        raise InputTypeError(f"isin: needs a Tensor, got {type(elements).__name__}, {type(test_elements).__name__}")
    return Tensor(derived("isin", _among, operand("isin", elements), operand("isin", test_elements), assume_unique, invert))


def _among(elements: Any, test_elements: Any, assume_unique: bool, invert: bool) -> Any:
    found: Any = np.isin(elements, test_elements, assume_unique=assume_unique, invert=invert)
    return np.asarray(found)
