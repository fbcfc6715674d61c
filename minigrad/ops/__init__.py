"""The operations: what the rooms of this folder make public, under one roof."""

from __future__ import annotations

import numpy as np

from ..core import Tensor
from . import methods
from .activation import gelu, glu, logsigmoid, mish, sigmoid, silu, softplus, softsign, swish, tanh, tanhshrink
from .arithmetic import (
    abs, absolute, add, addcdiv, addcmul, div, divide, float_power, mul, multiply, neg, negative, positive, pow, reciprocal,
    rsqrt, rsub, sqrt, square, sub, subtract, true_divide,
)  # fmt: skip
from .arranging import diag, diag_embed, flip, fliplr, flipud, repeat_interleave, roll, rot90, tile, tril, triu
from .attention import embedding, scaled_dot_product_attention
from .channels import batch_norm, group_norm, instance_norm
from .class_margin import multi_margin_loss, multilabel_margin_loss
from .classification import cross_entropy, nll_loss
from .comparison import (
    allclose, bitwise_and, bitwise_not, bitwise_or, bitwise_xor, clamp, clamp_max, clamp_min, clip, eq, equal, ge, gt,
    isclose, isfinite, isinf, isnan, le, lerp, logical_and, logical_not, logical_or, logical_xor, lt, masked_fill, maximum,
    minimum, nan_to_num, ne, where,
)  # fmt: skip
from .contraction import einsum, kron, tensordot
from .convert import clone
from .create import (
    arange, as_tensor, empty, empty_like, eye, from_dlpack, from_numpy, full, full_like, is_tensor, linspace, logspace,
    ones, ones_like, rand_like, randint_like, randn_like, tensor, tril_indices, triu_indices, zeros, zeros_like,
)  # fmt: skip
from .distance import cdist, cosine_similarity, normalize, pairwise_distance
from .exponential import (
    erf, erfc, erfinv, exp, exp2, expm1, log, log1p, log2, log10, logaddexp, logit, normal_cdf, normal_pdf, xlogy,
)  # fmt: skip
from .extremes import amax, amin, aminmax, argmax, argmin, max, min
from .focal import focal_loss
from .joining import (
    atleast_1d, atleast_2d, atleast_3d, block_diag, cartesian_prod, cat, chunk, column_stack, dsplit, dstack, hsplit,
    hstack, split, split_with_sizes, stack, tensor_split, unbind, vsplit, vstack,
)  # fmt: skip
from .likelihood import (
    binary_cross_entropy, binary_cross_entropy_with_logits, gaussian_nll_loss, kl_div, multilabel_soft_margin_loss,
    poisson_nll_loss,
)  # fmt: skip
from .linalg import addbmm, addmm, addmv, addr, baddbmm, bilinear, bmm, dot, inner, linear, matmul, mm, mv, outer, trace, vdot
from .loss import huber_loss, l1_loss, log_cosh, log_cosh_loss, mse_loss, smooth_l1_loss
from .margin import (
    cosine_embedding_loss, hinge_embedding_loss, margin_ranking_loss, soft_margin_loss, triplet_margin_loss,
    triplet_margin_with_distance_loss,
)  # fmt: skip
from .moments import dist, norm, std, std_mean, var, var_mean
from .noise import alpha_dropout, dropout, dropout1d, feature_alpha_dropout
from .normalization import layer_norm, rms_norm
from .ordering import argsort, bincount, bucketize, histc, kthvalue, median, msort, quantile, searchsorted, sort, topk, unique
from .picking import (
    argwhere, gather, index_add, index_copy, index_fill, index_select, masked_scatter, masked_select, narrow, nonzero,
    scatter, scatter_add, scatter_reduce, select, take, take_along_dim, unravel_index,
)  # fmt: skip
from .picking import put_at as index_put
from .platform import accelerator, backends, cuda, finfo, get_default_device, iinfo, set_default_device
from .random import Generator, bernoulli, default_generator, manual_seed, multinomial, normal, rand, randint, randn, randperm
from .rectifier import (
    celu, elu, hardshrink, hardsigmoid, hardswish, hardtanh, leaky_relu, prelu, relu, relu6, rrelu, selu, softshrink,
    threshold,
)  # fmt: skip
from .reduction import all, any, count_nonzero, logsumexp, mean, nanmean, nansum, sum
from .rounding import ceil, floor, floor_divide, fmod, frac, remainder, round, sign, trunc
from .scan import cummax, cummin, cumprod, cumsum, diff, logcumsumexp, prod
from .shape import (
    broadcast_tensors, broadcast_to, diagonal, expand, flatten, meshgrid, movedim, permute, reshape, squeeze, t, transpose,
    unflatten, unsqueeze,
)  # fmt: skip
from .signs import copysign, fmax, fmin, heaviside, isin, isneginf, isposinf, isreal, signbit
from .softmax import log_softmax, softmax, softmin
from .trigonometry import (
    acos, acosh, arccos, arccosh, arcsin, arcsinh, arctan, arctan2, arctanh, asin, asinh, atan, atan2, atanh, cos, cosh,
    deg2rad, hypot, rad2deg, sin, sinh, tan,
)  # fmt: skip

methods.bind()

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
    "cos", "cosh", "deg2rad", "hypot", "rad2deg", "sin", "sinh", "tan",
]  # fmt: skip
