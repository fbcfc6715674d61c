"""The one table that makes operations methods and operators of Tensor, and its readers of the notation."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from ..core import Operand, Tensor, apply, backward, register_hook, register_post_accumulate_grad_hook, retain_grad
from ..core.op import Op
from . import (
    activation,
    arithmetic,
    arranging,
    comparison,
    contraction,
    convert,
    create,
    exponential,
    extremes,
    indexing,
    inplace,
    joining,
    linalg,
    moments,
    ordering,
    picking,
    random,
    rectifier,
    reduction,
    rounding,
    scan,
    shape,
    signs,
    softmax,
    trigonometry,
)  # fmt: skip

__all__ = ["IN_PLACE", "OPERATORS", "bind"]


def _named(table: dict[ModuleType, str]) -> dict[str, Any]:
    """The operations of these names, room by room."""
    return {name: getattr(room, name) for room, names in table.items() for name in names.split()}


_METHODS: tuple[Any, ...] = tuple(_named({
    activation: "sigmoid tanh",
    arithmetic: "add sub mul div neg pow sqrt abs square reciprocal rsqrt addcmul addcdiv float_power positive",
    arranging: "flip fliplr flipud roll rot90 repeat tile repeat_interleave tril triu diag diag_embed",
    comparison: "maximum minimum clamp clamp_min clamp_max masked_fill lerp nan_to_num isclose allclose equal eq ne lt le gt ge isnan isinf "
    "isfinite logical_and logical_or logical_xor logical_not bitwise_and bitwise_or bitwise_xor bitwise_not",
    contraction: "kron",
    convert: "clone contiguous to cpu type_as",
    create: "new_tensor new_zeros new_ones new_empty new_full",
    exponential: "exp exp2 expm1 log log1p log2 log10 logaddexp xlogy erf erfc erfinv logit",
    extremes: "amax amin argmax argmin max min aminmax",
    inplace: "copy_ fill_ zero_ detach_",
    joining: "split chunk unbind split_with_sizes tensor_split hsplit vsplit dsplit",
    linalg: "matmul mm bmm mv dot vdot outer inner trace addmm baddbmm addbmm addmv addr",
    moments: "var std norm dist",
    ordering: "argsort sort msort topk kthvalue median quantile unique bincount histc",
    picking: "argwhere select narrow index_select gather take_along_dim scatter scatter_add scatter_reduce index_add index_copy index_fill "
    "masked_select masked_scatter nonzero put_at take",
    random: "bernoulli multinomial uniform_ normal_ bernoulli_",
    rectifier: "relu prelu hardshrink",
    reduction: "sum mean logsumexp all any nansum nanmean count_nonzero",
    rounding: "floor ceil trunc round sign remainder fmod floor_divide frac",
    scan: "cumsum cumprod cummax cummin diff logcumsumexp prod",
    shape: "reshape view flatten unflatten squeeze unsqueeze permute transpose t expand broadcast_to reshape_as view_as expand_as movedim "
    "diagonal",
    signs: "copysign fmax fmin heaviside isposinf isneginf isreal signbit",
    softmax: "softmax log_softmax",
    trigonometry: "sin cos tan asin acos atan atan2 sinh cosh asinh acosh atanh hypot deg2rad rad2deg",
}).values())  # fmt: skip

_ALIASES: dict[str, Any] = {
    "absolute": arithmetic.abs,
    "subtract": arithmetic.sub,
    "multiply": arithmetic.mul,
    "divide": arithmetic.div,
    "true_divide": arithmetic.div,
    "negative": arithmetic.neg,
    "clip": comparison.clamp,
    "arcsin": trigonometry.asin,
    "arccos": trigonometry.acos,
    "arctan": trigonometry.atan,
    "arctan2": trigonometry.atan2,
    "arcsinh": trigonometry.asinh,
    "arccosh": trigonometry.acosh,
    "arctanh": trigonometry.atanh,
    "swapaxes": shape.transpose,
    "swapdims": shape.transpose,
    "moveaxis": shape.movedim,
    "ravel": shape.flatten,
    "type": convert.to,
    "greater": comparison.gt,
    "greater_equal": comparison.ge,
    "less": comparison.lt,
    "less_equal": comparison.le,
    "not_equal": comparison.ne,
    "fix": rounding.trunc,
    "sgn": rounding.sign,
    "ger": linalg.outer,
}

# Written in place by the name of the operation and an underscore.
IN_PLACE: tuple[Any, ...] = tuple(_named({
    activation: "sigmoid tanh",
    arithmetic: "add sub mul div neg pow square reciprocal sqrt rsqrt abs addcmul addcdiv float_power",
    arranging: "tril triu fill_diagonal",
    comparison: "clamp clamp_min clamp_max masked_fill lerp nan_to_num eq ne lt le gt ge logical_and logical_or logical_xor logical_not "
    "bitwise_and bitwise_or bitwise_xor bitwise_not",
    exponential: "exp exp2 expm1 log log1p log2 log10 xlogy erf erfc erfinv logit",
    linalg: "addmm baddbmm addbmm addmv addr",
    picking: "scatter scatter_add scatter_reduce index_add masked_scatter index_copy index_fill put_at",
    rectifier: "relu",
    rounding: "floor ceil trunc round sign remainder fmod floor_divide frac",
    scan: "cumsum cumprod",
    signs: "copysign heaviside",
    trigonometry: "sin cos tan asin acos atan atan2 sinh cosh asinh acosh atanh hypot deg2rad rad2deg",
}).values())  # fmt: skip

OPERATORS: dict[str, Any] = {
    **_named({arithmetic: "add sub mul pow", linalg: "matmul", comparison: "eq ne lt le gt ge"}),
    "truediv": arithmetic.div, "floordiv": rounding.floor_divide, "mod": rounding.remainder,
    "and": comparison.bitwise_and, "or": comparison.bitwise_or, "xor": comparison.bitwise_xor,
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
    return comparison.where(condition, self, other)


def bind() -> None:
    """Give Tensor its methods and operators, and the notation its Tensor readers."""
    for operation in _METHODS:
        setattr(Tensor, _name(operation), operation)
    for name, operation in _ALIASES.items():
        setattr(Tensor, name, operation)
    aliases = [(name, operation) for name, operation in _ALIASES.items() if operation in IN_PLACE]
    for name, operation in [*((_name(operation), operation) for operation in IN_PLACE), *aliases]:
        setattr(Tensor, f"{name}_", inplace.in_place(operation, f"{name}_"))
    for name, operation in OPERATORS.items():
        setattr(Tensor, f"__{name}__", _operator(operation))
    for name in _REFLECTED:
        setattr(Tensor, f"__r{name}__", _operator(OPERATORS[name], reflected=True))
    for name in _REFLECTED:
        if name != "matmul":
            setattr(Tensor, f"__i{name}__", inplace.in_place(OPERATORS[name], f"{_name(OPERATORS[name])}_"))
    for name, dtype in _DTYPES.items():
        setattr(Tensor, name, _conversion(dtype))
    moves = (shape.t, shape.squeeze, shape.unsqueeze, shape.transpose)
    direct = {
        "__neg__": arithmetic.neg, "__pos__": convert.cpu, "__abs__": arithmetic.abs, "__invert__": comparison.bitwise_not, "where": _where,
        **{f"{_name(operation)}_": inplace.view_in_place(operation) for operation in moves},
        "swapaxes_": inplace.view_in_place(shape.transpose), "swapdims_": inplace.view_in_place(shape.transpose),
        "__getitem__": indexing.getitem_method, "__setitem__": inplace.setitem_method,
        "T": property(shape.reversed_axes), "mT": property(shape.matrix_transpose),
        **{f.__name__: f for f in (backward, register_hook, register_post_accumulate_grad_hook, retain_grad)},
    }  # fmt: skip
    for name, value in direct.items():
        setattr(Tensor, name, value)
    Tensor.__notation__.update(
        _named({
            activation: "tanh sigmoid softplus",
            arithmetic: "sqrt",
            comparison: "maximum minimum where",
            exponential: "exp exp2 expm1 log log1p log2 log10 erf erfc normal_cdf normal_pdf",
            rounding: "floor ceil trunc rint fmod",
            shape: "broadcast_to",
            trigonometry: "sin cos tan asin acos atan atan2 sinh cosh",
        }),
        absolute=arithmetic.abs, gelu_slope=activation.slope_of_gelu, gelu_tanh_slope=activation.slope_of_gelu_tanh,
        sum_to=shape.sum_to_shape, put=indexing.put_tensor,
    )  # fmt: skip
