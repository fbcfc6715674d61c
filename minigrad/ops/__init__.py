"""The operations, and the one table that makes them methods and operators of Tensor."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ..core import Operand, Tensor, apply, backward, register_hook, register_post_accumulate_grad_hook, retain_grad
from ..core.op import Op
from . import activation, arranging, convert, create, indexing, inplace, random, shape
from .activation import gelu, glu, logsigmoid, mish, sigmoid, silu, softplus, softsign, swish, tanh, tanhshrink
from .arithmetic import (
    abs,
    absolute,
    add,
    addcdiv,
    addcmul,
    div,
    divide,
    float_power,
    mul,
    multiply,
    neg,
    negative,
    positive,
    pow,
    reciprocal,
    rsqrt,
    rsub,
    sqrt,
    square,
    sub,
    subtract,
    true_divide,
)
from .arranging import diag, diag_embed, flip, fliplr, flipud, repeat_interleave, roll, rot90, tile, tril, triu
from .attention import embedding, scaled_dot_product_attention
from .channels import batch_norm, group_norm, instance_norm
from .class_margin import multi_margin_loss, multilabel_margin_loss
from .classification import cross_entropy, nll_loss
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
from .contraction import einsum, kron, tensordot
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
from .distance import cdist, cosine_similarity, normalize, pairwise_distance
from .exponential import (
    erf,
    erfc,
    erfinv,
    exp,
    exp2,
    expm1,
    log,
    log1p,
    log2,
    log10,
    logaddexp,
    logit,
    normal_cdf,
    normal_pdf,
    xlogy,
)
from .extremes import amax, amin, aminmax, argmax, argmin, max, min
from .focal import focal_loss
from .joining import (
    atleast_1d,
    atleast_2d,
    atleast_3d,
    block_diag,
    cartesian_prod,
    cat,
    chunk,
    column_stack,
    dsplit,
    dstack,
    hsplit,
    hstack,
    split,
    split_with_sizes,
    stack,
    tensor_split,
    unbind,
    vsplit,
    vstack,
)
from .likelihood import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    gaussian_nll_loss,
    kl_div,
    multilabel_soft_margin_loss,
    poisson_nll_loss,
)
from .linalg import addbmm, addmm, addmv, addr, baddbmm, bilinear, bmm, dot, inner, linear, matmul, mm, mv, outer, trace, vdot
from .loss import huber_loss, l1_loss, log_cosh, log_cosh_loss, mse_loss, smooth_l1_loss
from .margin import (
    cosine_embedding_loss,
    hinge_embedding_loss,
    margin_ranking_loss,
    soft_margin_loss,
    triplet_margin_loss,
    triplet_margin_with_distance_loss,
)
from .moments import dist, norm, std, std_mean, var, var_mean
from .noise import alpha_dropout, dropout, dropout1d, feature_alpha_dropout
from .normalization import layer_norm, rms_norm
from .ordering import argsort, bincount, bucketize, histc, kthvalue, median, msort, quantile, searchsorted, sort, topk, unique
from .picking import (
    argwhere,
    gather,
    index_add,
    index_copy,
    index_fill,
    index_select,
    masked_scatter,
    masked_select,
    narrow,
    nonzero,
    scatter,
    scatter_add,
    scatter_reduce,
    select,
    take,
    take_along_dim,
    unravel_index,
)
from .picking import put_at as index_put
from .platform import accelerator, backends, cuda, finfo, get_default_device, iinfo, set_default_device
from .random import Generator, bernoulli, default_generator, manual_seed, multinomial, normal, rand, randint, randn, randperm
from .rectifier import (
    celu,
    elu,
    hardshrink,
    hardsigmoid,
    hardswish,
    hardtanh,
    leaky_relu,
    prelu,
    relu,
    relu6,
    rrelu,
    selu,
    softshrink,
    threshold,
)
from .reduction import all, any, count_nonzero, logsumexp, mean, nanmean, nansum, sum
from .rounding import ceil, floor, floor_divide, fmod, frac, remainder, rint, round, sign, trunc
from .scan import cummax, cummin, cumprod, cumsum, diff, logcumsumexp, prod
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
from .signs import copysign, fmax, fmin, heaviside, isin, isneginf, isposinf, isreal, signbit
from .softmax import log_softmax, softmax, softmin
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
    deg2rad,
    hypot,
    rad2deg,
    sin,
    sinc,
    sinh,
    tan,
)

_METHODS: tuple[Any, ...] = (
    # activation
    sigmoid, tanh,
    # arithmetic
    add, sub, mul, div, neg, pow, sqrt, abs, square, reciprocal, rsqrt, addcmul, addcdiv, float_power, positive,
    # arranging
    flip, fliplr, flipud, roll, rot90, arranging.repeat, tile, repeat_interleave, tril, triu, diag, diag_embed,
    # comparison
    maximum, minimum, clamp, eq, ne, lt, le, gt, ge, logical_and, logical_or, logical_not, isnan, isinf, isfinite, clamp_min, clamp_max,
    masked_fill, lerp, nan_to_num, isclose, allclose, equal, logical_xor, bitwise_and, bitwise_or, bitwise_xor, bitwise_not,
    # convert
    clone, convert.contiguous, convert.to, convert.cpu, convert.type_as,
    # create
    create.new_tensor, create.new_zeros, create.new_ones, create.new_empty, create.new_full,
    # exponential
    exp, expm1, log, log1p, erf, erfc, exp2, log2, log10, logaddexp, xlogy, erfinv, logit,
    # extremes
    amax, amin, argmax, argmin, max, min, aminmax,
    # inplace
    inplace.copy_, inplace.fill_, inplace.zero_, inplace.detach_,
    # joining
    split, chunk, unbind, split_with_sizes, tensor_split, hsplit, vsplit, dsplit,
    # linalg
    matmul, mm, bmm, mv, dot, vdot, outer, inner, trace, addmm, baddbmm, addbmm, addmv, addr,
    # contraction
    kron,
    # moments
    var, std, norm, dist,
    # ordering
    argsort, sort, msort, topk, kthvalue, median, quantile, unique, bincount, histc,
    # picking
    argwhere, select, narrow, index_select, gather, take_along_dim, scatter, scatter_add, index_add, masked_select, masked_scatter, nonzero,
    scatter_reduce, index_copy, index_fill, index_put, take,
    # random
    bernoulli, multinomial, random.uniform_, random.normal_, random.bernoulli_,
    # rectifier
    relu, prelu, hardshrink,
    # reduction
    sum, mean, logsumexp, all, any, nansum, nanmean, count_nonzero,
    # rounding
    floor, ceil, trunc, round, sign, remainder, fmod, floor_divide, frac,
    # scan
    cumsum, cumprod, cummax, cummin, diff, logcumsumexp, prod,
    # shape
    reshape, shape.view, flatten, squeeze, unsqueeze, permute, transpose, t, expand, broadcast_to, shape.reshape_as, shape.view_as,
    shape.expand_as, unflatten, movedim, diagonal,
    # signs
    copysign, fmax, fmin, heaviside, isposinf, isneginf, isreal, signbit,
    # softmax
    softmax, log_softmax,
    # trigonometry
    sin, cos, tan, asin, acos, atan, atan2, sinh, cosh, asinh, acosh, atanh, hypot, deg2rad, rad2deg, sinc,
    # the engine
    backward, register_hook, register_post_accumulate_grad_hook, retain_grad,
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
    "moveaxis": movedim,
    "ravel": flatten,
    "type": convert.to,
    "greater": gt,
    "greater_equal": ge,
    "less": lt,
    "less_equal": le,
    "not_equal": ne,
    "fix": trunc,
    "sgn": sign,
    "ger": outer,
}

# Written in place by the name of the operation and an underscore.
_IN_PLACE: tuple[Any, ...] = (
    # activation, rectifier
    relu, sigmoid, tanh,
    # arithmetic
    add, sub, mul, div, neg, pow, square, reciprocal, sqrt, rsqrt, abs, addcmul, addcdiv, float_power,
    # comparison
    clamp, clamp_min, clamp_max, masked_fill, lerp, nan_to_num, eq, ne, lt, le, gt, ge,
    logical_and, logical_or, logical_xor, logical_not, bitwise_and, bitwise_or, bitwise_xor, bitwise_not,
    # exponential
    exp, exp2, expm1, log, log1p, log2, log10, xlogy, erf, erfc, erfinv, logit,
    # rounding
    floor, ceil, trunc, round, sign, remainder, fmod, floor_divide, frac,
    # signs
    copysign, heaviside,
    # trigonometry
    sin, cos, tan, asin, acos, atan, atan2, sinh, cosh, asinh, acosh, atanh, hypot, deg2rad, rad2deg, sinc,
    # linalg
    addmm, baddbmm, addbmm, addmv, addr,
    # arranging, picking, scan
    tril, triu, arranging.fill_diagonal, scatter, scatter_add, scatter_reduce, index_add, masked_scatter, index_copy, index_fill, index_put,
    cumsum, cumprod,
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
    for name in _REFLECTED:
        if name != "matmul":
            setattr(Tensor, f"__i{name}__", inplace.in_place(_OPERATORS[name], f"{_name(_OPERATORS[name])}_"))
    for name, dtype in _DTYPES.items():
        setattr(Tensor, name, _conversion(dtype))
    direct = {
        "__neg__": neg, "__pos__": convert.cpu, "__abs__": abs, "__invert__": bitwise_not, "where": _where,
        **{f"{_name(operation)}_": inplace.view_in_place(operation) for operation in (t, squeeze, unsqueeze, transpose)},
        "swapaxes_": inplace.view_in_place(transpose), "swapdims_": inplace.view_in_place(transpose),
        "__getitem__": indexing.getitem_method, "__setitem__": inplace.setitem_method,
        "T": property(shape.reversed_axes), "mT": property(shape.matrix_transpose),
    }  # fmt: skip
    for name, value in direct.items():
        setattr(Tensor, name, value)
    Tensor.__notation__.update(
        {operation.name: operation for operation in (exp, expm1, log, log1p, tanh, erf, erfc, normal_cdf, normal_pdf, sqrt)},
        exp2=exp2, log2=log2, log10=log10, sin=sin, cos=cos, tan=tan, asin=asin, acos=acos, atan=atan, atan2=atan2, sinh=sinh, cosh=cosh,
        absolute=abs, floor=floor, ceil=ceil, trunc=trunc, rint=rint, fmod=fmod, maximum=maximum, minimum=minimum, where=where,
        sigmoid=sigmoid, softplus=softplus, gelu_slope=activation.slope_of_gelu,
        gelu_tanh_slope=activation.slope_of_gelu_tanh, broadcast_to=broadcast_to, sum_to=shape.sum_to_shape, put=indexing.put_tensor,
    )  # fmt: skip


_bind()

# Other names of the same.
concat = concatenate = cat
moveaxis, ravel, swapaxes, swapdims = movedim, flatten, transpose, transpose
greater, greater_equal, less, less_equal, not_equal = gt, ge, lt, le, ne
fix, sgn, ger, row_stack = trunc, sign, outer, vstack
numel, is_floating_point = Tensor.numel, Tensor.is_floating_point

float32, float64 = np.dtype(np.float32), np.dtype(np.float64)
int32, int64 = np.dtype(np.int32), np.dtype(np.int64)
int8, int16 = np.dtype(np.int8), np.dtype(np.int16)
uint8, bool_ = np.dtype(np.uint8), np.dtype(np.bool_)

__all__ = [
    # dtypes and other names
    "bool_", "concat", "concatenate", "fix", "float32", "float64", "ger", "greater", "greater_equal", "int8", "int16", "int32", "int64", "less",
    "less_equal", "moveaxis", "not_equal", "numel", "ravel", "row_stack", "sgn", "swapaxes", "swapdims", "uint8",
    # activation
    "gelu", "glu", "logsigmoid", "mish", "sigmoid", "silu", "softplus", "softsign", "swish", "tanh", "tanhshrink",
    # arithmetic
    "abs", "absolute", "add", "addcdiv", "addcmul", "div", "divide", "float_power", "mul", "multiply", "neg", "negative", "positive", "pow",
    "reciprocal", "rsqrt", "rsub", "sqrt", "square", "sub", "subtract", "true_divide",
    # arranging
    "diag", "diag_embed", "flip", "fliplr", "flipud", "repeat_interleave", "roll", "rot90", "tile", "tril", "triu",
    # attention
    "embedding", "scaled_dot_product_attention",
    # channels
    "batch_norm", "group_norm", "instance_norm",
    # class_margin
    "multi_margin_loss", "multilabel_margin_loss",
    # classification
    "cross_entropy", "nll_loss",
    # comparison
    "allclose", "bitwise_and", "bitwise_not", "bitwise_or", "bitwise_xor", "clamp", "clamp_max", "clamp_min", "clip", "eq", "equal", "ge",
    "gt", "isclose", "isfinite", "isinf", "isnan", "le", "lerp", "logical_and", "logical_not", "logical_or", "logical_xor", "lt",
    "masked_fill", "maximum", "minimum", "nan_to_num", "ne", "where",
    # contraction
    "einsum", "kron", "tensordot",
    # convert
    "clone",
    # create
    "arange", "as_tensor", "empty", "empty_like", "eye", "from_dlpack", "from_numpy", "full", "full_like", "is_tensor", "linspace",
    "logspace", "ones", "ones_like", "rand_like", "randint_like", "randn_like", "tensor", "tril_indices", "triu_indices", "zeros",
    "zeros_like",
    # distance
    "cdist", "cosine_similarity", "normalize", "pairwise_distance",
    # exponential
    "erf", "erfc", "erfinv", "exp", "exp2", "expm1", "log", "log10", "log1p", "log2", "logaddexp", "logit", "normal_cdf", "normal_pdf",
    "xlogy",
    # extremes
    "amax", "amin", "aminmax", "argmax", "argmin", "max", "min",
    # focal
    "focal_loss",
    # joining
    "atleast_1d", "atleast_2d", "atleast_3d", "block_diag", "cartesian_prod", "cat", "chunk", "column_stack", "dsplit", "dstack", "hsplit",
    "hstack", "split", "split_with_sizes", "stack", "tensor_split", "unbind", "vsplit", "vstack",
    # likelihood
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "gaussian_nll_loss", "kl_div", "multilabel_soft_margin_loss",
    "poisson_nll_loss",
    # linalg
    "addbmm", "addmm", "addmv", "addr", "baddbmm", "bilinear", "bmm", "dot", "inner", "linear", "matmul", "mm", "mv", "outer", "trace", "vdot",
    # loss
    "huber_loss", "l1_loss", "log_cosh", "log_cosh_loss", "mse_loss", "smooth_l1_loss",
    # margin
    "cosine_embedding_loss", "hinge_embedding_loss", "margin_ranking_loss", "soft_margin_loss", "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
    # moments
    "dist", "norm", "std", "std_mean", "var", "var_mean",
    # noise
    "alpha_dropout", "dropout", "dropout1d", "feature_alpha_dropout",
    # normalization
    "layer_norm", "rms_norm",
    # ordering
    "argsort", "bincount", "bucketize", "histc", "kthvalue", "median", "msort", "quantile", "searchsorted", "sort", "topk", "unique",
    # picking
    "argwhere", "gather", "index_add", "index_copy", "index_fill", "index_put", "index_select", "masked_scatter", "masked_select", "narrow",
    "nonzero", "scatter", "scatter_add", "scatter_reduce", "select", "take", "take_along_dim", "unravel_index",
    # platform
    "accelerator", "backends", "cuda", "finfo", "get_default_device", "iinfo", "is_floating_point", "set_default_device",
    # random
    "Generator", "bernoulli", "default_generator", "manual_seed", "multinomial", "normal", "rand", "randint", "randn", "randperm",
    # rectifier
    "celu", "elu", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "prelu", "relu", "relu6", "rrelu", "selu",
    "softshrink", "threshold",
    # reduction
    "all", "any", "count_nonzero", "logsumexp", "mean", "nanmean", "nansum", "sum",
    # rounding
    "ceil", "floor", "floor_divide", "fmod", "frac", "remainder", "round", "sign", "trunc",
    # scan
    "cummax", "cummin", "cumprod", "cumsum", "diff", "logcumsumexp", "prod",
    # shape
    "broadcast_tensors", "broadcast_to", "diagonal", "expand", "flatten", "meshgrid", "movedim", "permute", "reshape", "squeeze", "t",
    "transpose", "unflatten", "unsqueeze",
    # signs
    "copysign", "fmax", "fmin", "heaviside", "isin", "isneginf", "isposinf", "isreal", "signbit",
    # softmax
    "log_softmax", "softmax", "softmin",
    # trigonometry
    "acos", "acosh", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "asin", "asinh", "atan", "atan2", "atanh",
    "cos", "cosh", "deg2rad", "hypot", "rad2deg", "sin", "sinc", "sinh", "tan",
]  # fmt: skip
