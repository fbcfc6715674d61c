"""Rounding, and division with a whole quotient: all with gradient 0 where they are constant."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import Operand, Tensor, elementwise, op
from ..core.check import check_kind
from ..errors import ArgumentError, DomainError, DtypeError
from ..kernels import notation as math
from ..kernels.notation import where as choose
from .arithmetic import div, kind_of


@elementwise(integers=True)
def floor(x: Tensor) -> Tensor:
    """The largest integer not above x; integers stay as they are. Backward: 0."""
    return math.floor(x)


@floor.backward("x")
def _(g):
    return choose(g > 0, 0, 0)  # zeros, also where g is infinite


@elementwise(integers=True)
def ceil(x: Tensor) -> Tensor:
    """The smallest integer not below x; integers stay as they are. Backward: 0."""
    return math.ceil(x)


@ceil.backward("x")
def _(g):
    return choose(g > 0, 0, 0)


@elementwise(integers=True)
def trunc(x: Tensor) -> Tensor:
    """x without its fraction; integers stay as they are. Backward: 0."""
    return math.trunc(x)


@trunc.backward("x")
def _(g):
    return choose(g > 0, 0, 0)


@elementwise
def frac(x: Tensor) -> Tensor:
    """x − trunc(x), with the sign of x. Backward: dL/dx = g. Edge values: NaN at infinities. Errors: DtypeError for integers."""
    return x - math.trunc(x)


@frac.backward("x")
def _(g):
    return g


@frac.check
def _(x):
    if kind_of(x) != "f":
        raise DtypeError(f"frac: expected a floating-point tensor, got dtype {x.dtype}")


@elementwise(integers=True)
def rint(x: Tensor) -> Tensor:
    """The integer next to x, halves to the even one; integers stay as they are. Backward: 0."""
    return math.rint(x)


@rint.backward("x")
def _(g):
    return choose(g > 0, 0, 0)


@elementwise
def round_scaled(x: Tensor, up: float, down: float) -> Tensor:
    """rint(x · up / down) / up · down. Backward: 0."""
    return math.rint(x * up / down) / up * down


@round_scaled.backward("x")
def _(g):
    return choose(g > 0, 0, 0)


@elementwise(integers=True)
def sign(x: Tensor) -> Tensor:
    """1 for positive x, −1 for negative x, 0 at 0 and at NaN. Backward: 0."""
    return choose(x > 0, 1, choose(x < 0, -1, 0))


@sign.backward("x")
def _(g):
    return choose(g > 0, 0, 0)


def _no_bool(name: str, x: Any) -> None:
    if kind_of(x) == "b":
        raise DtypeError(f"{name}: takes floats and integers, got dtype bool")


for _unary in (floor, ceil, trunc, rint):
    _unary.check(lambda x, _name=_unary.name: _no_bool(_name, x))


def round(input: Tensor, *, decimals: int = 0) -> Tensor:
    """input rounded to so many decimals (negative: to tens, hundreds, …), halves to the even neighbour. Backward: 0.

    Errors: DtypeError for integers with decimals.
    """
    check_kind("round", "decimals", decimals, "int")
    if decimals == 0:
        return rint(input)
    if isinstance(input, Tensor) and input.dtype.kind != "f":
        raise DtypeError(f"round: integers have no decimals to round to, got dtype {input.dtype} and decimals={decimals}")
    power = 10.0 ** abs(decimals)
    return round_scaled(input, power, 1.0) if decimals > 0 else round_scaled(input, 1.0, power)


# The rest of a division, and divisions with a whole quotient.


def _check_divisor(name: str, a: Any, b: Any) -> None:
    """Integers divided by 0, and booleans, are refused."""
    kinds = {kind_of(a), kind_of(b)}
    if kinds == {"b"}:
        raise DtypeError(f"{name}: takes floats and integers, got dtype bool")
    if "f" not in kinds and not np.all(b.array if isinstance(b, Tensor) else b):
        raise DomainError(f"{name}: division of integers by zero")


@elementwise(integers=True)
def remainder(a: Operand, b: Operand) -> Tensor:
    """a − b ⌊a / b⌋, computed exactly: with the sign of b, as Python's %.

    Shapes: broadcast. Backward: dL/da = g, dL/db = −g ⌊a / b⌋.
    Edge values: NaN for b = 0 or infinite a; an infinite b gives a, or b where the signs differ.
    Errors: DomainError for integers divided by 0, DtypeError for booleans.
    """
    rest = math.fmod(a, b)
    return choose((rest != 0) & ((rest < 0) != (b < 0)), rest + b, rest)


@remainder.backward("a")
def _(g):
    return g


@remainder.backward("b")
def _(g, a, b):
    rest = math.fmod(a, b)
    quotient = (a - rest) / b
    whole = math.rint(choose((rest != 0) & ((rest < 0) != (b < 0)), quotient - 1, quotient))
    return -g * choose(b == 0, a / b, whole)


@elementwise(integers=True)
def fmod(a: Operand, b: Operand) -> Tensor:
    """a − b trunc(a / b), computed exactly: with the sign of a, as C's fmod.

    Shapes: broadcast. Backward: dL/da = g, dL/db = −g trunc(a / b).
    Edge values: NaN for b = 0 or infinite a; an infinite b gives a.
    Errors: DomainError for integers divided by 0, DtypeError for booleans.
    """
    return math.fmod(a, b)


@fmod.backward("a")
def _(g):
    return g


@fmod.backward("b")
def _(g, a, b):
    return -g * math.trunc(a / b)


@elementwise
def div_trunc(a: Operand, b: Operand) -> Tensor:
    """trunc(a / b). Shapes: broadcast. Backward: 0."""
    return math.trunc(a / b)


@elementwise
def div_floor(a: Operand, b: Operand) -> Tensor:
    """⌊a / b⌋, from the exact rest of the division, as Python's //. Shapes: broadcast. Backward: 0. Edge values: a / 0 = ±inf."""
    rest = math.fmod(a, b)
    quotient = (a - rest) / b
    whole = math.rint(choose((rest != 0) & ((rest < 0) != (b < 0)), quotient - 1, quotient))
    return choose(b == 0, a / b, whole)


@div_trunc.backward("a")
@div_trunc.backward("b")
@div_floor.backward("a")
@div_floor.backward("b")
def _(g):
    return choose(g > 0, 0, 0)


@op
def div_whole(a: Operand, b: Operand, rounding_mode: str) -> Tensor:
    """The quotient of integers, rounded to −inf ("floor") or to 0 ("trunc"). Shapes: broadcast; no gradient."""
    return np.floor_divide(a if rounding_mode == "floor" else a - np.fmod(a, b), b)


div_floor.numbers = div_trunc.numbers = div_whole.numbers = True

for _binary, _name in ((remainder, "remainder"), (fmod, "fmod"), (div_whole, "div")):
    _binary.guarded(lambda a, b, _name=_name: _check_divisor(_name, a, b))


@div.variant("rounding_mode")
def _div_rounded(input: Operand, other: Operand, *, rounding_mode: str | None) -> Tensor:
    if rounding_mode is None:
        return div(input, other)
    if rounding_mode not in ("trunc", "floor"):
        raise ArgumentError(f"div: rounding_mode must be None, 'trunc' or 'floor', got {rounding_mode!r}")
    if "f" not in (kind_of(input), kind_of(other)):
        return div_whole(input, other, rounding_mode)
    return div_floor(input, other) if rounding_mode == "floor" else div_trunc(input, other)


def floor_divide(input: Operand, other: Operand) -> Tensor:
    """⌊input / other⌋, as Python's //; `div` with rounding_mode="floor". Backward: 0."""
    return _div_rounded(input, other, rounding_mode="floor")
