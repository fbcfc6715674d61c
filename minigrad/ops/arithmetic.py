"""Sums, products, powers and roots."""

from __future__ import annotations

import numpy as np

from ..core import Operand, Tensor, by_replay, elementwise, get_default_dtype
from ..core.check import check_kind
from ..errors import DtypeError
from ..kernels import notation as math
from ..kernels.notation import where as choose
from .convert import check_tensors, on_tensor, plain


def kind_of(value: object) -> str:
    """The kind of a tensor, array or number: f, i, u or b; another letter for what is none of them."""
    return np.asarray(value.array if isinstance(value, Tensor) else value).dtype.kind


@elementwise(integers=True)
def add(a: Operand, b: Operand) -> Tensor:
    """a + b; with `alpha` (a keyword) a + alpha · b.

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
    """a − b; with `alpha` (a keyword) a − alpha · b.

    Shapes: broadcast. Backward: dL/da = g, dL/db = −g.
    Errors: DtypeError for booleans.
    """
    return a - b


@sub.check
def _(a, b):
    if "b" in (kind_of(a), kind_of(b)):
        raise DtypeError("sub: booleans cannot be subtracted; use a != b or ~ for masks, or convert them first")


@sub.backward("a")
def _(g):
    return g


@sub.backward("b")
def _(g):
    return -g


@add.variant("alpha")
def _(input: Operand, other: Operand, *, alpha: float) -> Tensor:
    return add(input, scaled("add", input, other, alpha))


@sub.variant("alpha")
def _(input: Operand, other: Operand, *, alpha: float) -> Tensor:
    return sub(input, scaled("sub", input, other, alpha))


def scaled(name: str, a: Operand, b: Operand, alpha: float) -> Operand:
    """alpha · b, where alpha is of a kind that leaves the dtype of the result alone."""
    check_kind(name, "alpha", alpha, "float")
    kinds = {kind_of(a), kind_of(b)}
    if isinstance(alpha, bool) and kinds != {"b"}:
        raise DtypeError(f"{name}: alpha may be a bool among booleans only, got {alpha}")
    if isinstance(alpha, float) and "f" not in kinds:
        raise DtypeError(f"{name}: alpha must be an int among integers, got {alpha!r}")
    if kinds == {"b"}:
        return b if alpha else b & False
    return b if alpha == 1 else alpha * b


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
    """a / b; with `rounding_mode` (a keyword) "floor" or "trunc" rounded to a whole number, with gradient 0.

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
    if kind_of(x) == "b":
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


@elementwise(integers=True)
def pow_tensor(x: Operand, exponent: Operand) -> Tensor:
    """x to the power of a tensor, element by element.

    Shapes: broadcast. Backward: dL/dx = g p x^(p−1), 0 where p = 0; dL/dp = g y log x, 0 where x = 0 and p ≥ 0.
    """
    return x**exponent


@pow_tensor.check
def _(x, exponent):
    if {kind_of(x), kind_of(exponent)} == {"b"}:
        raise DtypeError("pow: takes floats and integers, got dtype bool twice")


@pow_tensor.backward("x")
def _(g, x, exponent):
    return choose(exponent == 0, 0, g * (exponent * x ** (exponent - 1)))


@pow_tensor.backward("exponent")
def _(g, x, exponent, y):
    return choose((x == 0) & (exponent >= 0), 0, g * y * math.log(x))


def pow(input: Operand, exponent: Operand) -> Tensor:
    """input to the power of a number (`pow_scalar`) or of a tensor (`pow_tensor`).

    Edge values: an integer to the negative power of an integer tensor is 1 / x^−p cut to a whole number: 0 but for 1 and −1, also at 0.
    Errors: DtypeError for integers to one negative power.
    """
    if isinstance(input, Tensor) and isinstance(exponent, (int, float)):
        if input.dtype.kind != "f" and isinstance(exponent, float):
            input = input.to(get_default_dtype())
        elif input.dtype.kind == "b":
            input = input.to(np.int64)
        return pow_scalar(input, exponent if input.dtype.kind != "f" else float(exponent))
    if kind_of(exponent) == "i" and kind_of(input) in "iub":
        return pow_tensor(*_whole_factors(input, exponent))
    return pow_tensor(input, exponent)


@by_replay("free")
def _whole_factors(input: Operand, power: Operand) -> tuple[Tensor, Tensor]:
    """For a power of integers those without negative exponents that give the same."""
    x, exponent = np.asarray(plain(input)), np.asarray(plain(power))
    gone = (exponent < 0) & (np.abs(x) != 1)
    dtype = np.result_type(*(v.dtype if isinstance(v, Tensor) else v for v in (input, power)))
    return Tensor(np.where(gone, 0, x).astype(dtype)), Tensor(np.abs(exponent).astype(dtype))


def float_power(input: Operand, exponent: Operand) -> Tensor:
    """`pow` in float64, whatever the dtypes."""
    base, power = (x.to(np.float64) if isinstance(x, Tensor) else x for x in (input, exponent))
    return pow(base, power)


def square(input: Tensor) -> Tensor:
    """input². Backward: 2 g input."""
    return pow(input, 2)


@elementwise
def reciprocal(x: Tensor) -> Tensor:
    """1 / x. Backward: dL/dx = −g y², from the saved output. Edge values: 1 / ±0 = ±inf."""
    return 1 / x


@reciprocal.backward("x")
def _(g, y):
    return -g * (y * y)


@elementwise
def sqrt(x: Tensor) -> Tensor:
    """√x. Backward: dL/dx = g / (2 y), from the saved output; inf at 0. NaN below 0."""
    return math.sqrt(x)


@sqrt.backward("x")
def _(g, y):
    return g / (2 * y)


@elementwise
def rsqrt(x: Tensor) -> Tensor:
    """1 / √x. Backward: dL/dx = −g y³ / 2, from the saved output; −inf at 0. Edge values: 1 / √0 = inf, NaN below 0."""
    return 1 / math.sqrt(x)


@rsqrt.backward("x")
def _(g, y):
    return -0.5 * g * (y * y * y)


@elementwise(integers=True)
def abs(x: Tensor) -> Tensor:
    """|x|. Backward: dL/dx = g sign(x); 0 at the kink x = 0."""
    return math.absolute(x)


@abs.backward("x")
def _(g, x):
    return choose(x > 0, g, choose(x < 0, -g, 0))


@abs.check
def _(x):
    if kind_of(x) == "b":
        raise DtypeError("abs: takes floats and integers, got dtype bool")


absolute, subtract, multiply, divide, true_divide, negative = abs, sub, mul, div, div, neg


@on_tensor
def positive(input: Tensor) -> Tensor:
    """input itself. Errors: DtypeError for booleans."""
    check_tensors("positive", input=input)
    if input.dtype.kind == "b":
        raise DtypeError("positive: takes floats and integers, got dtype bool")
    return input


def rsub(input: Tensor, other: Operand, *, alpha: float = 1) -> Tensor:
    """other − alpha · input."""
    return sub(other, scaled("rsub", other, input, alpha))


def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    """input + value · tensor1 · tensor2, element by element. Shapes: broadcast. Of integers, value is cut to a whole number."""
    product = mul(tensor1, tensor2)
    whole = "f" not in (kind_of(input), kind_of(product))
    return add(input, scaled("addcmul", input, product, int(value) if whole else value))


def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    """input + value · tensor1 / tensor2, element by element. Shapes: broadcast. Errors: DtypeError where both are of integers."""
    if "f" not in (kind_of(tensor1), kind_of(tensor2)):
        raise DtypeError("addcdiv: tensor1 or tensor2 must be of floats; use floor_divide for quotients of integers")
    return add(input, scaled("addcdiv", input, div(tensor1, tensor2), value))


# PyTorch takes two plain numbers here, and in quotients with a rounding mode, but nowhere else.
for _binary in (add, sub, mul, div):
    _binary.numbers = True
