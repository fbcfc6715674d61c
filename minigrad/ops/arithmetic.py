"""Arithmetic, powers, exponentials, comparisons and choices."""

from __future__ import annotations

import numpy as np

from ..core import Operand, Tensor, elementwise, get_default_dtype, op
from ..errors import ArgumentError, DtypeError, ShapeError
from ..kernels import notation as math
from ..kernels.notation import where as choose

_TWO_OVER_ROOT_PI = 1.1283791670955126


def _kind(value: object) -> str:
    return np.asarray(value).dtype.kind


@elementwise(integers=True)
def add(a: Operand, b: Operand) -> Tensor:
    """a + b.

    Shapes: broadcast. Backward: dL/da = g, dL/db = g.

    >>> add.formula(1.0, 2.0)
    3.0
    """
    return a + b


@add.backward("a")
def _(g):
    return g


@add.backward("b")
def _(g):
    return g


@elementwise(integers=True)
def sub(a: Operand, b: Operand) -> Tensor:
    """a − b.

    Shapes: broadcast. Backward: dL/da = g, dL/db = −g.
    """
    return a - b


@sub.check
def _(a, b):
    if not {_kind(a), _kind(b)} - {"b"}:
        raise DtypeError("sub: booleans cannot be subtracted; use a != b for the elements that differ")


@sub.backward("a")
def _(g):
    return g


@sub.backward("b")
def _(g):
    return -g


@elementwise(integers=True)
def mul(a: Operand, b: Operand) -> Tensor:
    """a · b.

    Shapes: broadcast. Backward: dL/da = g b, dL/db = g a.
    """
    return a * b


@mul.backward("a")
def _(g, b):
    return g * b


@mul.backward("b")
def _(g, a):
    return g * a


@elementwise
def div(a: Operand, b: Operand) -> Tensor:
    """a / b.

    Shapes: broadcast. Backward: dL/da = g / b, dL/db = −g y / b, from the saved output.
    Edge values: x / 0 = ±inf, 0 / 0 = NaN.
    """
    return a / b


@div.backward("a")
def _(g, b):
    return g / b


@div.backward("b")
def _(g, b, y):
    return -g * y / b


@elementwise(integers=True)
def neg(x: Tensor) -> Tensor:
    """−x. Backward: dL/dx = −g."""
    return -x


@neg.check
def _(x):
    if _kind(x) == "b":
        raise DtypeError("neg: booleans have no negative; use ~ or logical_not")


@neg.backward("x")
def _(g):
    return -g


@elementwise(static=("exponent",), integers=True)
def pow_scalar(x: Tensor, exponent: float) -> Tensor:
    """x to a constant power.

    Backward: dL/dx = g p x^(p−1); 0 for p = 0. The power is baked into the kernel: x², √x, 1/x cost no power function.
    Edge values: x^0 = 1 also at 0 and NaN; a negative x to a broken power is NaN.
    """
    return x**exponent


@pow_scalar.backward("x")
def _(g, x, exponent):
    # One less, but for exponent 0: there 0 · x⁰ is 0, and 0 · x⁻¹ would be NaN at 0.
    return g * (exponent * x ** (exponent - (exponent != 0)))


@pow_scalar.check
def _(x, exponent):
    if x.dtype.kind in "iu" and isinstance(exponent, int) and exponent < 0:
        raise DtypeError(f"pow: integers cannot be raised to the negative power {exponent}; convert to float first")
    return


@elementwise(integers=True)
def pow_tensor(x: Operand, exponent: Operand) -> Tensor:
    """x to the power of a tensor, element by element.

    Shapes: broadcast. Backward: dL/dx = g p x^(p−1), 0 where p = 0; dL/dp = g y log x, 0 where x = 0 and p ≥ 0.
    """
    return x**exponent


@pow_tensor.backward("x")
def _(g, x, exponent):
    return choose(exponent == 0, 0, g * (exponent * x ** (exponent - 1)))


@pow_tensor.backward("exponent")
def _(g, x, exponent, y):
    return choose((x == 0) & (exponent >= 0), 0, g * y * math.log(x))


def pow(input: Operand, exponent: Operand) -> Tensor:
    """input to the power of a number (`pow_scalar`) or of a tensor (`pow_tensor`)."""
    if isinstance(input, Tensor) and isinstance(exponent, (int, float)):
        if input.dtype.kind != "f" and isinstance(exponent, float):
            input = input.to(get_default_dtype())
        elif input.dtype.kind == "b":
            input = input.to(np.int64)
        return pow_scalar(input, exponent if input.dtype.kind != "f" else float(exponent))
    return pow_tensor(input, exponent)


@elementwise
def exp(x: Tensor) -> Tensor:
    """eˣ. Backward: dL/dx = g y, from the saved output. Overflows to inf above 88.7 (float32) or 709.7 (float64)."""
    return math.exp(x)


@exp.backward("x")
def _(g, y):
    return g * y


@elementwise
def expm1(x: Tensor) -> Tensor:
    """eˣ − 1, exact also near 0. Backward: dL/dx = g (y + 1)."""
    return math.expm1(x)


@expm1.backward("x")
def _(g, y):
    return g * (y + 1)


@elementwise
def log(x: Tensor) -> Tensor:
    """Natural logarithm. Backward: dL/dx = g / x. Edge values: log 0 = −inf, NaN below 0."""
    return math.log(x)


@log.backward("x")
def _(g, x):
    return g / x


@elementwise
def log1p(x: Tensor) -> Tensor:
    """log(1 + x), exact also near 0. Backward: dL/dx = g / (1 + x). Edge values: −inf at −1, NaN below."""
    return math.log1p(x)


@log1p.backward("x")
def _(g, x):
    return g / (1 + x)


@elementwise
def sqrt(x: Tensor) -> Tensor:
    """√x. Backward: dL/dx = g / (2 y), from the saved output; inf at 0. NaN below 0."""
    return math.sqrt(x)


@sqrt.backward("x")
def _(g, y):
    return g / (2 * y)


@elementwise(integers=True)
def abs(x: Tensor) -> Tensor:
    """|x|. Backward: dL/dx = g sign(x); 0 at the kink x = 0."""
    return math.absolute(x)


@abs.backward("x")
def _(g, x):
    return choose(x > 0, g, choose(x < 0, -g, 0))


@elementwise(integers=True)
def floor(x: Tensor) -> Tensor:
    """The largest integer not above x. Backward: 0."""
    return math.floor(x)


@floor.backward("x")
def _(g):
    return choose(g > 0, 0, 0)  # zeros, also where g is infinite


@elementwise
def erf(x: Tensor) -> Tensor:
    """Error function, 2/√π ∫₀ˣ exp(−t²) dt. Backward: dL/dx = g 2/√π exp(−x²)."""
    return math.erf(x)


@erf.backward("x")
def _(g, x):
    return g * (_TWO_OVER_ROOT_PI * math.exp(-x * x))


@elementwise
def erfc(x: Tensor) -> Tensor:
    """1 − erf(x), with all its digits in the tail. Backward: dL/dx = −g 2/√π exp(−x²)."""
    return math.erfc(x)


@erfc.backward("x")
def _(g, x):
    return -g * (_TWO_OVER_ROOT_PI * math.exp(-x * x))


@elementwise
def normal_cdf(x: Tensor) -> Tensor:
    """Φ(x), the distribution function of the standard normal; PyTorch's `special.ndtr`. Backward: dL/dx = g φ(x)."""
    return math.normal_cdf(x)


@normal_cdf.backward("x")
def _(g, x):
    return g * math.normal_pdf(x)


@elementwise
def normal_pdf(x: Tensor) -> Tensor:
    """φ(x) = exp(−x²/2) / √(2π). Backward: dL/dx = −g x y."""
    return math.normal_pdf(x)


@normal_pdf.backward("x")
def _(g, x, y):
    return -g * (x * y)


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


# ---- comparisons and logic: bool results, no gradient


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
