"""The in-place forms of elementwise operations: recorded as a new value, on the first sample of the operation's own case."""

from __future__ import annotations

from op_cases import OpCase, Refused, case, tensors

import minigrad as mg
from minigrad.errors import GraphError

from . import arithmetic, choice, comparison, exponential, rounding, signs, trigonometry

BASES = {
    base.name: base for room in (arithmetic, choice, comparison, exponential, rounding, signs, trigonometry) for base in room.CASES
}
ALIASES = {
    "subtract": "sub", "multiply": "mul", "divide": "div", "true_divide": "div", "negative": "neg", "absolute": "abs", "clip": "clamp",
    "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arctan2": "atan2",
    "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh",
    "greater": "gt", "greater_equal": "ge", "less": "lt", "less_equal": "le", "not_equal": "ne", "fix": "trunc", "sgn": "sign",
}  # fmt: skip
NAMES = (
    "square", "reciprocal", "rsqrt", "clamp_min", "clamp_max", "masked_fill", "lerp", "nan_to_num", "eq", "ne", "lt", "le", "gt", "ge",
    "logical_and", "logical_or", "logical_xor", "logical_not", "bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_not",
    "exp2", "expm1", "log1p", "log2", "log10", "xlogy", "erf", "erfc",
    "floor", "ceil", "trunc", "round", "sign", "remainder", "fmod", "floor_divide",
    "sin", "cos", "tan", "asin", "acos", "atan", "atan2", "sinh", "cosh", "asinh", "acosh", "atanh", "hypot",
    "erfinv", "logit", "frac", "copysign", "heaviside", "deg2rad", "rad2deg",
    *ALIASES,
)  # fmt: skip


def in_place(name: str) -> OpCase:
    base = BASES[ALIASES.get(name, name)]
    return case(
        f"Tensor.{name}_",
        lambda x, *others, **settings: getattr(x.clone(), f"{name}_")(*others, **settings),
        base.reference,
        base.samples[0],
        covers=(mg.clone,),
        order=base.order,
        edges=base.edges,
        refused=[
            Refused(lambda: on_a_leaf(name, base), GraphError, f"{name}_: a leaf that requires grad cannot be changed in place")
        ],
    )


def on_a_leaf(name: str, base: OpCase) -> None:
    first, *others = tensors(base.samples[0].arguments())
    getattr(mg.ones(first.shape, requires_grad=True), f"{name}_")(*others, **base.samples[0].settings)


CASES: tuple[OpCase, ...] = tuple(map(in_place, NAMES))
