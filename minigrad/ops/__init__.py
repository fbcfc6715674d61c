"""The operations, and the one table that makes them methods and operators of Tensor."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ..core import Operand, Tensor, apply, backward, register_hook, retain_grad
from ..core.op import Op
from . import comparison, convert, indexing, inplace, random, shape
from .activation import gelu, leaky_relu, relu, sigmoid, silu, softplus, tanh
from .arithmetic import abs, add, div, erf, erfc, exp, expm1, floor, log, log1p, mul, neg, normal_cdf, normal_pdf, pow, sqrt, sub
from .attention import embedding, scaled_dot_product_attention
from .channels import batch_norm, group_norm, instance_norm
from .comparison import (
    clamp,
    eq,
    ge,
    gt,
    isfinite,
    isinf,
    isnan,
    le,
    logical_and,
    logical_not,
    logical_or,
    lt,
    maximum,
    minimum,
    ne,
    where,
)
from .contraction import einsum
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
from .distance import cdist, cosine_similarity, normalize, pairwise_distance
from .linalg import addmm, baddbmm, bilinear, bmm, dot, inner, linear, matmul, mm, mv, outer, trace, vdot
from .loss import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    huber_loss,
    l1_loss,
    mse_loss,
    nll_loss,
)
from .noise import alpha_dropout, dropout, dropout1d, feature_alpha_dropout
from .normalization import layer_norm, rms_norm
from .random import Generator, bernoulli, default_generator, manual_seed, rand, randint, randn, randperm
from .reduction import all, amax, amin, any, argmax, argmin, logsumexp, max, mean, min, std, sum, var
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

_METHODS: tuple[Any, ...] = (
    # activation, softmax
    relu, sigmoid, tanh, softmax, log_softmax,
    # arithmetic
    add, sub, mul, div, neg, pow, exp, expm1, log, log1p, sqrt, abs, floor, erf, erfc,
    # comparison
    maximum, minimum, clamp, eq, ne, lt, le, gt, ge, logical_and, logical_or, logical_not, isnan, isinf, isfinite,
    # reduction
    sum, mean, amax, amin, argmax, argmin, max, min, var, std, logsumexp, all, any,
    # shape
    reshape, shape.view, flatten, squeeze, unsqueeze, permute, transpose, t, expand, broadcast_to,
    # convert, inplace
    clone, convert.contiguous, convert.to, convert.cpu, convert.type_as, inplace.copy_, inplace.fill_, inplace.zero_,
    # linalg
    matmul, mm, bmm, mv, dot, outer, inner, trace, addmm, baddbmm,
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
    "swapaxes": transpose,
    "swapdims": transpose,
    "vdot": dot,
    "type": convert.to,
}

_IN_PLACE: tuple[Any, ...] = (add, sub, mul, div, pow, neg, abs, exp, log, sqrt, clamp, relu, sigmoid, tanh)

_OPERATORS: dict[str, Any] = {
    "add": add, "sub": sub, "mul": mul, "truediv": div, "pow": pow, "matmul": matmul,
    "eq": eq, "ne": ne, "lt": lt, "le": le, "gt": gt, "ge": ge,
    "and": comparison.bitwise(logical_and), "or": comparison.bitwise(logical_or),
}  # fmt: skip

_REFLECTED = ("add", "sub", "mul", "truediv", "pow", "matmul", "and", "or")

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
    for operation in _IN_PLACE:
        name = f"{_name(operation)}_"
        setattr(Tensor, name, inplace.in_place(operation, name))
    for name, operation in _OPERATORS.items():
        setattr(Tensor, f"__{name}__", _operator(operation))
    for name in _REFLECTED:
        setattr(Tensor, f"__r{name}__", _operator(_OPERATORS[name], reflected=True))
    for name in ("add", "sub", "mul", "truediv", "pow"):
        setattr(Tensor, f"__i{name}__", inplace.in_place(_OPERATORS[name], f"{name}_"))
    for name, dtype in _DTYPES.items():
        setattr(Tensor, name, _conversion(dtype))
    direct = {
        "__neg__": neg, "__pos__": convert.cpu, "__abs__": abs, "__invert__": comparison.bitwise(logical_not), "where": _where,
        "__getitem__": indexing.getitem_method, "__setitem__": inplace.setitem_method,
        "T": property(shape.reversed_axes), "mT": property(shape.matrix_transpose),
    }  # fmt: skip
    for name, value in direct.items():
        setattr(Tensor, name, value)
    Tensor.__notation__.update(
        {operation.name: operation for operation in (exp, expm1, log, log1p, tanh, erf, erfc, normal_cdf, normal_pdf, sqrt)},
        absolute=abs, floor=floor, maximum=maximum, minimum=minimum, where=where,
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
    "abs", "add", "div", "erf", "erfc", "exp", "expm1", "floor", "log", "log1p", "mul", "neg", "normal_cdf", "normal_pdf", "pow", "sqrt",
    "sub",
    # comparison
    "clamp", "eq", "ge", "gt", "isfinite", "isinf", "isnan", "le", "logical_and", "logical_not", "logical_or", "lt", "maximum", "minimum",
    "ne", "where",
    # convert
    "clone",
    # create
    "arange", "as_tensor", "empty", "eye", "from_dlpack", "from_numpy", "full", "full_like", "linspace", "ones", "ones_like", "tensor",
    "zeros", "zeros_like",
    # attention
    "embedding", "scaled_dot_product_attention",
    # distance
    "cdist", "cosine_similarity", "normalize", "pairwise_distance",
    # noise
    "alpha_dropout", "dropout", "dropout1d", "feature_alpha_dropout",
    # contraction, linalg
    "addmm", "baddbmm", "bilinear", "bmm", "dot", "einsum", "inner", "linear", "matmul", "mm", "mv", "outer", "trace", "vdot",
    # channels, normalization
    "batch_norm", "group_norm", "instance_norm", "layer_norm", "rms_norm",
    # loss
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "huber_loss", "l1_loss", "mse_loss", "nll_loss",
    # random
    "Generator", "bernoulli", "default_generator", "manual_seed", "rand", "randint", "randn", "randperm",
    # reduction
    "all", "amax", "amin", "any", "argmax", "argmin", "logsumexp", "max", "mean", "min", "std", "sum", "var",
    # shape
    "broadcast_to", "cat", "expand", "flatten", "permute", "reshape", "squeeze", "stack", "t", "transpose", "unsqueeze",
    # softmax
    "log_softmax", "softmax",
]  # fmt: skip
