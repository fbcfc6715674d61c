"""The operations, and the one table that makes them methods and operators of Tensor."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ..core import Operand, Tensor, apply, backward, register_hook, retain_grad
from ..core.op import Op
from . import arranging, comparison, convert, create, indexing, inplace, random, shape
from .activation import gelu, leaky_relu, relu, sigmoid, silu, softplus, tanh
from .arithmetic import abs, add, div, erf, erfc, exp, expm1, floor, log, log1p, mul, neg, normal_cdf, normal_pdf, pow, sqrt, sub
from .arranging import (
    diag,
    diag_embed,
    flip,
    fliplr,
    flipud,
    repeat_interleave,
    roll,
    rot90,
    tile,
    tril,
    triu,
)
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
from .convert import clone
from .create import (
    arange,
    as_tensor,
    empty,
    empty_like,
    eye,
    from_dlpack,
    from_numpy,
    full,
    full_like,
    is_tensor,
    linspace,
    logspace,
    ones,
    ones_like,
    rand_like,
    randint_like,
    randn_like,
    tensor,
    tril_indices,
    triu_indices,
    zeros,
    zeros_like,
)
from .extremes import amax, amin, aminmax, argmax, argmin, max, min
from .joining import cat, chunk, dstack, hstack, split, stack, unbind, vstack
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
from .moments import norm, std, std_mean, var, var_mean
from .ordering import argsort, bincount, kthvalue, median, searchsorted, sort, topk, unique
from .picking import (
    gather,
    index_add,
    index_select,
    masked_scatter,
    masked_select,
    narrow,
    nonzero,
    scatter,
    scatter_add,
    select,
    take_along_dim,
)
from .random import Generator, bernoulli, default_generator, dropout, manual_seed, rand, randint, randn, randperm
from .reduction import all, any, count_nonzero, logsumexp, mean, nanmean, nansum, sum
from .scan import cumprod, cumsum, logcumsumexp, prod
from .shape import (
    broadcast_tensors,
    broadcast_to,
    diagonal,
    expand,
    flatten,
    meshgrid,
    movedim,
    permute,
    reshape,
    squeeze,
    t,
    transpose,
    unflatten,
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
    sum, mean, nansum, nanmean, logsumexp, all, any, count_nonzero,
    # extremes, moments
    amax, amin, aminmax, argmax, argmin, max, min, var, std, norm,
    # ordering, scan
    argsort, sort, topk, kthvalue, median, unique, bincount, cumsum, cumprod, logcumsumexp, prod,
    # shape
    reshape, shape.view, flatten, squeeze, unsqueeze, permute, transpose, t, expand, broadcast_to,
    shape.reshape_as, shape.view_as, shape.expand_as, unflatten, movedim, diagonal,
    # joining, arranging
    split, chunk, unbind, flip, fliplr, flipud, roll, rot90, arranging.repeat, tile, repeat_interleave, tril, triu, diag, diag_embed,
    # picking
    select, narrow, index_select, gather, take_along_dim, scatter, scatter_add, index_add, masked_select, masked_scatter, nonzero,
    # create
    create.new_tensor, create.new_zeros, create.new_ones, create.new_empty, create.new_full,
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
    "swapaxes": transpose,
    "swapdims": transpose,
    "moveaxis": movedim,
    "ravel": flatten,
    "mm": matmul,
    "type": convert.to,
}

_IN_PLACE: tuple[Any, ...] = (add, sub, mul, div, pow, neg, abs, exp, log, sqrt, clamp, relu, sigmoid, tanh)

# Written in place by the name of the operation and an underscore.
_IN_PLACE += (tril, triu, cumsum, cumprod, scatter, scatter_add, index_add, masked_scatter, arranging.fill_diagonal)

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

# Other names of the same.
concat = concatenate = cat
moveaxis, ravel, swapaxes, swapdims = movedim, flatten, transpose, transpose
numel = Tensor.numel

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
    "zeros", "zeros_like", "empty_like", "is_tensor", "logspace", "rand_like", "randint_like", "randn_like", "tril_indices",
    "triu_indices",
    # arranging
    "diag", "diag_embed", "flip", "fliplr", "flipud", "repeat_interleave", "roll", "rot90", "tile", "tril", "triu",
    # joining
    "cat", "chunk", "concat", "concatenate", "dstack", "hstack", "split", "stack", "unbind", "vstack",
    # picking
    "gather", "index_add", "index_select", "masked_scatter", "masked_select", "narrow", "nonzero", "scatter", "scatter_add", "select",
    "take_along_dim",
    # linalg
    "linear", "matmul",
    # loss
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "huber_loss", "l1_loss", "mse_loss", "nll_loss",
    # random
    "Generator", "bernoulli", "default_generator", "dropout", "manual_seed", "rand", "randint", "randn", "randperm",
    # reduction
    "all", "any", "count_nonzero", "logsumexp", "mean", "nanmean", "nansum", "sum",
    # extremes
    "amax", "amin", "aminmax", "argmax", "argmin", "max", "min",
    # moments
    "norm", "std", "std_mean", "var", "var_mean",
    # ordering
    "argsort", "bincount", "kthvalue", "median", "searchsorted", "sort", "topk", "unique",
    # scan
    "cumprod", "cumsum", "logcumsumexp", "prod",
    # shape
    "broadcast_tensors", "broadcast_to", "diagonal", "expand", "flatten", "meshgrid", "moveaxis", "movedim", "numel", "permute",
    "ravel", "reshape", "squeeze", "swapaxes", "swapdims", "t", "transpose", "unflatten", "unsqueeze",
    # softmax
    "log_softmax", "softmax",
]  # fmt: skip
