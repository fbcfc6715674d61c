"""Comparisons, logic, and the operators of Tensor."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from op_cases import (
    BOOL,
    F32,
    FEW_PAIRS,
    I32,
    I64,
    PROMOTED,
    TO_BOOL,
    U8,
    OpCase,
    Refused,
    Typed,
    away,
    binary,
    case,
    edge,
    given,
    integers,
    mask,
    normal,
    sample,
    unary,
    uniform,
)

import minigrad as mg
from minigrad.errors import ArgumentError, DtypeError, GraphError, ShapeError
from minigrad.ops import arithmetic, rounding

from .arithmetic import call_errors, does_not_broadcast

inf, nan = math.inf, math.nan
positive = uniform(0.2, 3)


def by_number(compare: Callable[[float, float], bool]) -> Callable[..., Any]:
    """A comparison of Python numbers, over arrays."""
    return np.vectorize(lambda a, b: compare(float(a), float(b)), otypes=[np.bool_])


COMPARISONS = [
    case(
        name,
        getattr(mg, name),
        by_number(getattr(operator, name)),
        *binary(integers(-2, 3), integers(-2, 3)),
        sample(given([0.5, -1.0, 2.0]), 0.5),
        order=0,
        edges=[edge([-inf, 0.0, 1.0, inf, nan, nan], [-inf, -0.0, 2.0, 1.0, nan, 0.0], value=expected)],
        typed=[*(Typed(row.arguments, "bool") for row in PROMOTED)],
        refused=[does_not_broadcast(getattr(mg, name), name)],
    )
    for name, expected in (
        ("eq", [True, True, False, False, False, False]),
        ("ne", [False, False, True, True, True, True]),
        ("lt", [False, False, True, False, False, False]),
        ("le", [True, True, True, False, False, False]),
        ("gt", [False, False, False, True, False, False]),
        ("ge", [True, True, False, True, False, False]),
    )
]

LOGIC = [
    case(
        "logical_and",
        mg.logical_and,
        lambda a, b: (a != 0) * (b != 0),
        *binary(mask, mask),
        order=0,
        typed=[Typed((I64, F32), "bool")],
        edges=[edge([0.0, 0.0, nan, 2.0], [0.0, nan, 1.0, 0.0], value=[False, False, True, False])],
        refused=[does_not_broadcast(mg.logical_and, "logical_and")],
    ),
    case(
        "logical_or",
        mg.logical_or,
        lambda a, b: (a != 0) + (b != 0) > 0,
        *binary(mask, mask),
        order=0,
        typed=[Typed((I64, F32), "bool")],
        edges=[edge([0.0, 0.0, nan, 2.0], [0.0, nan, 1.0, 0.0], value=[False, True, True, True])],
        refused=[does_not_broadcast(mg.logical_or, "logical_or")],
    ),
    case(
        "logical_not",
        mg.logical_not,
        lambda a: a == 0,
        *unary(mask),
        order=0,
        typed=TO_BOOL,
        edges=[edge([0.0, -0.0, nan, 2.0, inf], value=[True, True, False, False, False])],
    ),
    case(
        "isnan",
        mg.isnan,
        lambda x: x != x,
        *unary(normal),
        order=0,
        typed=TO_BOOL,
        edges=[edge([nan, inf, -inf, 0.0], value=[True, False, False, False])],
    ),
    case(
        "isinf",
        mg.isinf,
        lambda x: abs(x) == inf,
        *unary(normal),
        order=0,
        typed=TO_BOOL,
        edges=[edge([nan, inf, -inf, 0.0], value=[False, True, True, False])],
    ),
    case(
        "isfinite",
        mg.isfinite,
        lambda x: abs(x) < inf,
        *unary(normal),
        order=0,
        typed=TO_BOOL,
        edges=[edge([nan, inf, -inf, 0.0], value=[False, False, False, True])],
    ),
    case(
        "logical_xor",
        mg.logical_xor,
        lambda a, b: (a != 0) != (b != 0),
        *binary(mask, mask),
        order=0,
        typed=[Typed((I64, F32), "bool")],
        edges=[edge([0.0, 0.0, nan, 2.0], [0.0, nan, 1.0, 0.0], value=[False, True, False, True])],
        refused=[does_not_broadcast(mg.logical_xor, "logical_xor")],
    ),
    *(
        case(
            f"bitwise_{name}",
            getattr(mg, f"bitwise_{name}"),
            getattr(np, f"logical_{name}"),
            *binary(mask, mask),
            order=0,
            typed=[Typed((BOOL, BOOL), "bool")],
            refused=[
                does_not_broadcast(getattr(mg, f"bitwise_{name}"), f"bitwise_{name}"),
                *call_errors(getattr(mg, f"bitwise_{name}"), f"bitwise_{name}"),
            ],
        )
        for name in ("and", "or", "xor")
    ),
    case(
        "bitwise_not",
        mg.bitwise_not,
        np.logical_not,
        *unary(mask),
        order=0,
        typed=[Typed((BOOL,), "bool")],
        refused=call_errors(mg.bitwise_not, "bitwise_not"),
    ),
    *(
        case(
            f"operator {name}",
            function,
            np.vectorize(function, otypes=[np.int64]),
            *binary(integers(-9, 9), integers(-9, 9), FEW_PAIRS),
            *binary(mask, mask, FEW_PAIRS),
            sample(integers(-9, 9)(5), 5),
            sample(5, integers(-9, 9)(5)),
            sample(True, mask(3)),
            covers=(covers,),
            order=0,
            typed=[
                *(Typed(pair, "int64") for pair in ((I64, I64), (I32, I64), (I64, 6), (6, I64), (BOOL, 3), (BOOL, I64))),
                *(
                    Typed(pair, dtype)
                    for pair, dtype in (((U8, U8), "uint8"), ((U8, 3), "uint8"), ((I32, BOOL), "int32"), ((BOOL, True), "bool"))
                ),
            ],
            refused=[
                Refused(
                    lambda function=function: function(mg.ones(2), mg.tensor([1, 2])),
                    (DtypeError, RuntimeError),
                    r"take integers and booleans, got dtype float32",
                ),
                Refused(
                    lambda function=function: function(mg.tensor([1, 2]), 2.5),
                    TypeError,
                    r"the operators & \| \^ ~ take integers and booleans, got 2.5",
                ),
            ],
        )
        for name, function, covers in (
            ("&", operator.and_, mg.bitwise_and),
            ("|", operator.or_, mg.bitwise_or),
            ("^", operator.xor, mg.bitwise_xor),
        )
    ),
    case(
        "operator ~",
        lambda a: ~a,
        np.vectorize(operator.invert, otypes=[np.int64]),
        *unary(integers(-9, 9)),
        covers=(mg.bitwise_not,),
        order=0,
        typed=[Typed((I32,), "int32"), Typed((U8,), "uint8")],
        refused=[Refused(lambda: ~mg.ones(2), (DtypeError, RuntimeError), "bitwise_not: .* got dtype float32")],
    ),
    case(
        "isclose",
        mg.isclose,
        lambda a, b, rtol=1e-5, atol=1e-8: abs(a - 1.0 * b) <= atol + rtol * abs(b),
        *binary(normal, normal),
        *binary(normal, normal, FEW_PAIRS, rtol=0.5, atol=0.5),
        sample(given([1.0, 1.0, 0.0]), given([1.00001, 1.0001, 1e-9])),
        order=0,
        typed=[Typed((I64, I64), "bool"), Typed((BOOL, BOOL), "bool")],
        edges=[
            edge([nan, inf, inf, 1.0], [nan, inf, -inf, inf], value=[False, True, False, False]),
            edge([nan, inf, inf, 1.0], [nan, inf, -inf, nan], equal_nan=True, value=[True, True, False, False]),
        ],
        refused=[
            Refused(
                lambda: mg.isclose(mg.ones(2), mg.tensor([1, 2])),
                (DtypeError, RuntimeError),
                "isclose: a and b must have one dtype",
            ),
            Refused(
                lambda: mg.isclose(mg.ones(2), mg.ones(2), rtol=-1.0),
                (ArgumentError, RuntimeError),
                "isclose: rtol must not be negative",
            ),
            Refused(lambda: mg.isclose(mg.ones(2), 1.0), TypeError, "isclose: b must be a Tensor, got float"),
            Refused(lambda: mg.isclose(mg.ones(2), mg.ones(3)), ShapeError, "isclose: shapes do not broadcast"),
        ],
    ),
    case(
        "allclose",
        lambda a, b, **settings: mg.tensor(mg.allclose(a, b, **settings)),
        np.allclose,
        sample(normal(3, 4), normal(3, 4)),
        sample(normal(3, 4), normal(4), atol=99.0),
        sample(normal(0), normal(0)),
        covers=(mg.isclose,),
        order=0,
        refused=[
            Refused(lambda: mg.allclose(mg.ones(2), mg.ones(2).double()), (DtypeError, RuntimeError), "isclose: .* one dtype")
        ],
    ),
    case(
        "equal",
        lambda a, b: mg.tensor(mg.equal(a, b)),
        np.array_equal,
        sample(given([1.0, 2.0]), given([1.0, 2.0])),
        sample(given([1.0, 2.0]), given([1.0, 3.0])),
        sample(given([1.0, 2.0]), given([1, 2])),
        sample(given([nan]), given([nan])),
        sample(normal(3, 1), normal(3)),
        sample(normal(0), normal(0)),
        covers=(mg.eq,),
        order=0,
        refused=[Refused(lambda: mg.equal(mg.ones(1), 1.0), TypeError, "equal: other must be a Tensor, got float")],
    ),
]

ROW = np.array([0.5, -1.5, 2.0, 0.25])

OPERATORS = [
    case(f"operator {name}", function, reference, *samples, covers=(covers,))
    for name, function, reference, samples, covers in (
        (
            "+",
            lambda a, b: a + b,
            np.add,
            (*binary(normal, normal, FEW_PAIRS), sample(normal(3), 2), sample(2.5, normal(3)), sample(True, normal(3))),
            mg.add,
        ),
        (
            "-",
            lambda a, b: a - b,
            np.subtract,
            (*binary(normal, normal, FEW_PAIRS), sample(normal(3), 2), sample(2.5, normal(3))),
            mg.sub,
        ),
        (
            "*",
            lambda a, b: a * b,
            np.multiply,
            (*binary(normal, normal, FEW_PAIRS), sample(normal(3), 2), sample(2.5, normal(3))),
            mg.mul,
        ),
        (
            "/",
            lambda a, b: a / b,
            np.divide,
            (*binary(normal, positive, FEW_PAIRS), sample(normal(3), 2), sample(2.5, positive(3))),
            mg.div,
        ),
        (
            "//",
            lambda a, b: a // b,
            np.floor_divide,
            (*binary(normal, positive, FEW_PAIRS), sample(normal(3), 2), sample(2.5, positive(3))),
            rounding.div_floor,
        ),
        (
            "%",
            lambda a, b: a % b,
            np.mod,
            (*binary(normal, positive, FEW_PAIRS), sample(normal(3), 2), sample(2.5, positive(3))),
            mg.remainder,
        ),
        ("array +", lambda a: ROW + a + ROW, lambda a: a + 2 * ROW, (sample(normal(3, 4)),), mg.add),
        ("array -", lambda a: (ROW - a) - ROW, lambda a: -a, (sample(normal(3, 4)),), mg.sub),
        ("array *", lambda a: ROW * a * ROW, lambda a: a * ROW**2, (sample(normal(3, 4)),), mg.mul),
        ("array /", lambda a: (ROW / a) / ROW, lambda a: 1 / a, (sample(positive(3, 4)),), mg.div),
        (
            "array **",
            lambda a: np.abs(ROW) ** a,
            lambda a: np.exp(a * np.log(np.abs(ROW))),
            (sample(normal(3, 4)),),
            arithmetic.pow_tensor,
        ),
        ("** array", lambda a: a**ROW, lambda a: np.exp(ROW * np.log(a)), (sample(positive(3, 4)),), arithmetic.pow_tensor),
        ("float64 scalar", lambda a: np.float64(2) * a - np.float64(1), lambda a: a + a - 1, (sample(normal(3, 4)),), mg.mul),
        (
            "**",
            lambda a, b: a**b,
            np.float_power,
            (*binary(positive, normal, FEW_PAIRS), sample(positive(3), 3), sample(2, normal(3))),
            arithmetic.pow_tensor,
        ),
        ("unary -", lambda a: -a, lambda a: a - 2 * a, unary(normal), mg.neg),
        ("abs()", abs, lambda a: np.sqrt(a * a), unary(away(0.0)), mg.abs),
    )
]

MIXED = [
    case(
        "operator comparisons",
        lambda a, b: ((a < b) == (b > a)) & ((a <= b) == (b >= a)) & ((a == b) != (a != b)),
        lambda a, b: np.ones(np.broadcast(a, b).shape, bool),
        *binary(integers(-2, 3), integers(-2, 3), FEW_PAIRS),
        sample(integers(-2, 3)(9), 0),
        covers=(mg.lt, mg.gt, mg.le, mg.ge, mg.eq, mg.ne),
        order=0,
        refused=[
            Refused(lambda: mg.ones(3) < "x", TypeError, "not supported between"),
            Refused(lambda: mg.ones(3) + None, TypeError, "unsupported operand"),
            Refused(lambda: [1, 2, 3] - mg.ones(3), TypeError, "unsupported operand"),
            Refused(lambda: "x" * mg.ones(3), TypeError, "can be used as an index"),
            Refused(
                lambda: mg.tensor([1, 2]).requires_grad_(),
                GraphError,
                "only floating-point tensors can require gradients, got dtype int64",
            ),
        ],
    ),
]

CASES: tuple[OpCase, ...] = (*COMPARISONS, *LOGIC, *OPERATORS, *MIXED)
