"""The operations, and the one table that makes them methods and operators of Tensor."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ..core import Operand, Tensor, apply, backward, register_hook, retain_grad
from ..core.op import Op
from . import convert, indexing, inplace, random, shape
from .activation import gelu, leaky_relu, relu, sigmoid, silu, softplus, tanh
from .arithmetic import (
    abs,
    absolute,
    add,
    div,
    divide,
    mul,
    multiply,
    neg,
    negative,
    pow,
    reciprocal,
    rsqrt,
    sqrt,
    square,
    sub,
    subtract,
    true_divide,
)
from .comparison import (
    allclose,
    bitwise_and,
    bitwise_not,
    bitwise_or,
    bitwise_xor,
    clamp,
    clamp_max,
    clamp_min,
    clip,
    eq,
    equal,
    ge,
    gt,
    isclose,
    isfinite,
    isinf,
    isnan,
    le,
    lerp,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    lt,
    masked_fill,
    maximum,
    minimum,
    nan_to_num,
    ne,
    where,
)
from .convert import clone
from .create import (
    arange,
    as_tensor,
    empty,
    eye,
    from_dlpack,
    from_numpy,
    full,
    full_like,
    linspace,
    ones,
    ones_like,
    tensor,
    zeros,
    zeros_like,
)
from .exponential import erf, erfc, exp, exp2, expm1, log, log1p, log2, log10, logaddexp, normal_cdf, normal_pdf, xlogy
from .linalg import linear, matmul
from .loss import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    huber_loss,
    l1_loss,
    mse_loss,
    nll_loss,
)
from .random import Generator, bernoulli, default_generator, dropout, manual_seed, rand, randint, randn, randperm
from .reduction import all, amax, amin, any, argmax, argmin, logsumexp, max, mean, min, std, sum, var
from .rounding import ceil, floor, floor_divide, fmod, remainder, rint, round, sign, trunc
from .shape import (
    broadcast_to,
    cat,
    expand,
    flatten,
    permute,
    reshape,
    squeeze,
    stack,
    t,
    transpose,
    unsqueeze,
)
from .softmax import log_softmax, softmax
from .trigonometry import (
    acos,
    acosh,
    arccos,
    arccosh,
    arcsin,
    arcsinh,
    arctan,
    arctan2,
    arctanh,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    cos,
    cosh,
    hypot,
    sin,
    sinh,
    tan,
)

_METHODS: tuple[Any, ...] = (
    # activation, softmax
    relu, sigmoid, tanh, softmax, log_softmax,
    # arithmetic
    add, sub, mul, div, neg, pow, square, reciprocal, sqrt, rsqrt, abs,
    # comparison
    maximum, minimum, clamp, clamp_min, clamp_max, masked_fill, lerp, nan_to_num, eq, ne, lt, le, gt, ge, isclose, allclose, equal,
    logical_and, logical_or, logical_xor, logical_not, bitwise_and, bitwise_or, bitwise_xor, bitwise_not, isnan, isinf, isfinite,
    # exponential
    exp, exp2, expm1, log, log1p, log2, log10, logaddexp, xlogy, erf, erfc,
    # rounding
    floor, ceil, trunc, round, sign, remainder, fmod, floor_divide,
    # trigonometry
    sin, cos, tan, asin, acos, atan, atan2, sinh, cosh, asinh, acosh, atanh, hypot,
    # reduction
    sum, mean, amax, amin, argmax, argmin, max, min, var, std, logsumexp, all, any,
    # shape
    reshape, shape.view, flatten, squeeze, unsqueeze, permute, transpose, t, expand, broadcast_to,
    # convert, inplace
    clone, convert.contiguous, convert.to, convert.cpu, convert.type_as, inplace.copy_, inplace.fill_, inplace.zero_,
    # linalg
    matmul,
    # random
    random.uniform_, random.normal_,
    # the engine
    backward, register_hook, retain_grad,
)  # fmt: skip

_ALIASES: dict[str, Any] = {
    "absolute": abs,
    "subtract": sub,
    "multiply": mul,
    "divide": div,
    "true_divide": div,
    "negative": neg,
    "clip": clamp,
    "arcsin": asin,
    "arccos": acos,
    "arctan": atan,
    "arctan2": atan2,
    "arcsinh": asinh,
    "arccosh": acosh,
    "arctanh": atanh,
    "swapaxes": transpose,
    "swapdims": transpose,
    "mm": matmul,
    "type": convert.to,
}

_IN_PLACE: tuple[Any, ...] = (
    relu, sigmoid, tanh,
    # arithmetic
    add, sub, mul, div, neg, pow, square, reciprocal, sqrt, rsqrt, abs,
    # comparison
    clamp, clamp_min, clamp_max, masked_fill, lerp, nan_to_num, eq, ne, lt, le, gt, ge,
    logical_and, logical_or, logical_xor, logical_not, bitwise_and, bitwise_or, bitwise_xor, bitwise_not,
    # exponential
    exp, exp2, expm1, log, log1p, log2, log10, xlogy, erf, erfc,
    # rounding
    floor, ceil, trunc, round, sign, remainder, fmod, floor_divide,
    # trigonometry
    sin, cos, tan, asin, acos, atan, atan2, sinh, cosh, asinh, acosh, atanh, hypot,
)  # fmt: skip

_OPERATORS: dict[str, Any] = {
    "add": add, "sub": sub, "mul": mul, "truediv": div, "floordiv": floor_divide, "mod": remainder, "pow": pow, "matmul": matmul,
    "eq": eq, "ne": ne, "lt": lt, "le": le, "gt": gt, "ge": ge,
    "and": bitwise_and, "or": bitwise_or, "xor": bitwise_xor,
}  # fmt: skip

_REFLECTED = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor")

_DTYPES = {"float": np.float32, "double": np.float64, "long": np.int64, "int": np.int32, "bool": np.bool_}


_OPERANDS = (Tensor, float, int, np.ndarray, np.generic)


def _name(operation: Any) -> str:
    return operation.name if isinstance(operation, Op) else operation.__name__


def _operator(operation: Any, reflected: bool = False) -> Callable[[Tensor, Any], Any]:
    """A binary operator; what is no operand is left to the other side."""
    run: Callable[..., Any] = partial(apply, operation) if isinstance(operation, Op) else lambda pair: operation(*pair)

    def operator(self: Tensor, other: Any) -> Any:
        if isinstance(other, _OPERANDS):
            return run((other, self) if reflected else (self, other))
        return NotImplemented

    return operator


def _conversion(dtype: Any) -> Callable[[Tensor], Tensor]:
    def method(self: Tensor) -> Tensor:
        return convert.to(self, dtype)

    method.__doc__ = f"The same values as {np.dtype(dtype)}."
    return method


def _where(self: Tensor, condition: Tensor, other: Operand) -> Tensor:
    """self where the condition holds, else other."""
    return where(condition, self, other)


def _bind() -> None:
    """Give Tensor its methods and operators, and the notation its Tensor readers."""
    for operation in _METHODS:
        setattr(Tensor, _name(operation), operation)
    for name, operation in _ALIASES.items():
        setattr(Tensor, name, operation)
    aliases = [(name, operation) for name, operation in _ALIASES.items() if operation in _IN_PLACE]
    for name, operation in [*((_name(operation), operation) for operation in _IN_PLACE), *aliases]:
        setattr(Tensor, f"{name}_", inplace.in_place(operation, f"{name}_"))
    for name, operation in _OPERATORS.items():
        setattr(Tensor, f"__{name}__", _operator(operation))
    for name in _REFLECTED:
        setattr(Tensor, f"__r{name}__", _operator(_OPERATORS[name], reflected=True))
    for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and", "or", "xor"):
        setattr(Tensor, f"__i{name}__", inplace.in_place(_OPERATORS[name], f"{name}_"))
    for name, dtype in _DTYPES.items():
        setattr(Tensor, name, _conversion(dtype))
    direct = {
        "__neg__": neg, "__pos__": convert.cpu, "__abs__": abs, "__invert__": bitwise_not, "where": _where,
        "__getitem__": indexing.getitem_method, "__setitem__": inplace.setitem_method,
        "T": property(shape.reversed_axes), "mT": property(shape.matrix_transpose),
    }  # fmt: skip
    for name, value in direct.items():
        setattr(Tensor, name, value)
    Tensor.__notation__.update(
        {operation.name: operation for operation in (exp, expm1, log, log1p, tanh, erf, erfc, normal_cdf, normal_pdf, sqrt)},
        exp2=exp2, log2=log2, log10=log10, sin=sin, cos=cos, tan=tan, asin=asin, acos=acos, atan=atan, atan2=atan2, sinh=sinh, cosh=cosh,
        absolute=abs, floor=floor, ceil=ceil, trunc=trunc, rint=rint, fmod=fmod, maximum=maximum, minimum=minimum, where=where,
        broadcast_to=broadcast_to, sum_to=shape.sum_to_shape, put=indexing.put_tensor,
    )  # fmt: skip


_bind()

float32, float64 = np.dtype(np.float32), np.dtype(np.float64)
int32, int64 = np.dtype(np.int32), np.dtype(np.int64)
uint8, bool_ = np.dtype(np.uint8), np.dtype(np.bool_)

__all__ = [
    # dtypes
    "bool_", "float32", "float64", "int32", "int64", "uint8",
    # activation
    "gelu", "leaky_relu", "relu", "sigmoid", "silu", "softplus", "tanh",
    # arithmetic
    "abs", "absolute", "add", "div", "divide", "mul", "multiply", "neg", "negative", "pow", "reciprocal", "rsqrt", "sqrt", "square", "sub",
    "subtract", "true_divide",
    # comparison
    "allclose", "bitwise_and", "bitwise_not", "bitwise_or", "bitwise_xor", "clamp", "clamp_max", "clamp_min", "clip", "eq", "equal", "ge",
    "gt", "isclose", "isfinite", "isinf", "isnan", "le", "lerp", "logical_and", "logical_not", "logical_or", "logical_xor", "lt",
    "masked_fill", "maximum", "minimum", "nan_to_num", "ne", "where",
    # convert
    "clone",
    # create
    "arange", "as_tensor", "empty", "eye", "from_dlpack", "from_numpy", "full", "full_like", "linspace", "ones", "ones_like", "tensor",
    "zeros", "zeros_like",
    # exponential
    "erf", "erfc", "exp", "exp2", "expm1", "log", "log10", "log1p", "log2", "logaddexp", "normal_cdf", "normal_pdf", "xlogy",
    # linalg
    "linear", "matmul",
    # loss
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "huber_loss", "l1_loss", "mse_loss", "nll_loss",
    # random
    "Generator", "bernoulli", "default_generator", "dropout", "manual_seed", "rand", "randint", "randn", "randperm",
    # reduction
    "all", "amax", "amin", "any", "argmax", "argmin", "logsumexp", "max", "mean", "min", "std", "sum", "var",
    # rounding
    "ceil", "floor", "floor_divide", "fmod", "remainder", "round", "sign", "trunc",
    # shape
    "broadcast_to", "cat", "expand", "flatten", "permute", "reshape", "squeeze", "stack", "t", "transpose", "unsqueeze",
    # softmax
    "log_softmax", "softmax",
    # trigonometry
    "acos", "acosh", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "asin", "asinh", "atan", "atan2", "atanh",
    "cos", "cosh", "hypot", "sin", "sinh", "tan",
]  # fmt: skip
