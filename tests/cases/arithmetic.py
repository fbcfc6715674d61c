"""Sums, products, powers and roots."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from mpmath import mp
from op_cases import (
    BOOL,
    F32,
    F64,
    FEW_PAIRS,
    I32,
    I64,
    PROMOTED,
    SAME,
    TO_FLOAT,
    U8,
    OpCase,
    Refused,
    Typed,
    away,
    binary,
    case,
    edge,
    given,
    lattice,
    normal,
    points,
    sample,
    smooth,
    unary,
    uniform,
)

import minigrad as mg
from minigrad.errors import DtypeError, InputTypeError, ShapeError
from minigrad.ops import arithmetic

inf, nan = math.inf, math.nan
positive = uniform(0.2, 3)
MASK, INTEGERS = mg.tensor([True, False]), mg.tensor([1, 2])


def exactly(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function of one number over arrays."""
    return np.vectorize(lambda x: float(function(float(x))), otypes=[np.float64])


def does_not_broadcast(function: Any, name: str) -> Refused:
    return Refused(
        lambda: function(mg.ones(3, 4), mg.ones(3)),
        (ShapeError, RuntimeError),
        rf"{name}: shapes do not broadcast: .*\(3, 4\).*\(3,\)",
    )


def call_errors(function: Any, name: str) -> list[Refused]:
    """What every operation refuses: no tensor, strings, lists, unknown and missing arguments, object arrays."""
    count = len(function.inputs)
    ones = [mg.ones(2)] * count
    return [
        Refused(
            lambda: function(*["text"] * count), (InputTypeError, TypeError), f"{name}: .* must be a Tensor or a number, got str"
        ),
        Refused(lambda: function(*[[1.0]] * count), TypeError, f"{name}: .* got list; make it one with mg.tensor"),
        Refused(lambda: function(*[np.array(["a"])] * count), TypeError, f"{name}: .* must be a Tensor or a number, got ndarray"),
        *([] if function.numbers else [Refused(lambda: function(*[1.0] * count), TypeError, f"{name}: needs a Tensor")]),
        Refused(lambda: function(), TypeError, f"{name}: argument .* is missing"),
        Refused(lambda: function(*ones, *ones, *ones), TypeError, f"{name}: takes .* positional arguments, got {3 * count}"),
        Refused(lambda: function(*ones, colour=1), TypeError, f"{name}: unexpected argument 'colour'"),
        Refused(lambda: function(*ones, input=mg.ones(2)), TypeError, f"{name}: argument .* was given twice"),
    ]


BINARY = [
    case(
        "add",
        mg.add,
        np.add,
        *binary(normal, normal),
        sample(normal(3), 2.5),
        sample(-1, normal(3)),
        edges=[edge([inf, 1e3, nan, 0.0], [-inf, -1e3, 1.0, -0.0], value=[nan, 0, nan, 0], grads=[[1] * 4, [1] * 4])],
        typed=PROMOTED,
        refused=[does_not_broadcast(mg.add, "add"), *call_errors(mg.add, "add")],
    ),
    case(
        "sub",
        mg.sub,
        np.subtract,
        *binary(normal, normal),
        sample(normal(3), 2.5),
        sample(-1, normal(3)),
        edges=[edge([inf, 1e3, nan], [inf, 1e3, 1.0], value=[nan, 0, nan], grads=[[1] * 3, [-1] * 3])],
        typed=[row for row in PROMOTED if not any(np.asarray(x).dtype == bool for x in row.arguments)],
        refused=[
            does_not_broadcast(mg.sub, "sub"),
            *(
                Refused(lambda a=a, b=b: a - b, (DtypeError, RuntimeError), "sub: booleans cannot be subtracted")
                for a, b in ((MASK, MASK), (mg.ones(1), MASK), (1, MASK), (mg.ones(1), True))
            ),
        ],
    ),
    case(
        "mul",
        mg.mul,
        np.multiply,
        *binary(normal, normal),
        sample(normal(3), 2.5),
        sample(-1, normal(3)),
        edges=[
            edge(
                [0.0, inf, nan, 1e3],
                [inf, 2.0, 0.0, -1e3],
                value=[nan, inf, nan, -1e6],
                grads=[[inf, 2, 0, -1e3], [0, inf, nan, 1e3]],
            )
        ],
        typed=PROMOTED,
        refused=[does_not_broadcast(mg.mul, "mul")],
    ),
    case(
        "div",
        mg.div,
        np.divide,
        *binary(normal, away(0.0)),
        sample(normal(3), 2.5),
        sample(-1, away(0.0)(3)),
        edges=[
            edge(
                [1.0, -1.0, 0.0, inf, 1.0, nan],
                [0.0, 0.0, 0.0, 2.0, inf, 1.0],
                value=[inf, -inf, nan, inf, 0, nan],
                grads=[[inf, inf, inf, 0.5, 0, 1], [-inf, inf, nan, -inf, 0, nan]],
            )
        ],
        typed=[Typed(row.arguments, row.dtype if row.dtype.startswith("float") else "float32") for row in PROMOTED],
        refused=[does_not_broadcast(mg.div, "div")],
    ),
    case(
        "add[alpha]",
        lambda a, b, alpha: mg.add(a, b, alpha=alpha),
        lambda a, b, alpha: a - -alpha * b,
        *(sample(*s.draws, alpha) for s in binary(normal, normal, FEW_PAIRS) for alpha in (2.5, 1)),
        sample(normal(3), 2.0, -3),
        covers=(mg.add,),
        typed=[Typed((I32, I32, 2), "int32"), Typed((I64, F32, 0.5), "float64"), Typed((BOOL, F32, 0.5), "float32")],
        edges=[edge([1.0, inf], [inf, 1.0], 0, value=[nan, inf], grads=[[1, 1], [0, 0]])],
        refused=[
            Refused(lambda: mg.add(INTEGERS, INTEGERS, alpha=2.5), (DtypeError, RuntimeError), "add: alpha must be an int among"),
            Refused(lambda: mg.add(INTEGERS, INTEGERS, alpha=True), (DtypeError, RuntimeError), "add: alpha may be a bool among"),
            Refused(lambda: mg.add(INTEGERS, INTEGERS, alpha="2"), TypeError, "add: alpha must be a number, got '2'"),
            Refused(lambda: mg.add(mg.ones(2), [1.0], alpha=2), TypeError, "add: b must be a Tensor or a number, got list"),
        ],
    ),
    case(
        "sub[alpha]",
        lambda a, b, alpha: a.sub(b, alpha=alpha),
        lambda a, b, alpha: a + -alpha * b,
        *(sample(*s.draws, alpha) for s in binary(normal, normal, FEW_PAIRS) for alpha in (2.5, 1)),
        covers=(mg.sub,),
        refused=[Refused(lambda: mg.sub(INTEGERS, INTEGERS, alpha=0.5), DtypeError, "sub: alpha must be an int among integers")],
    ),
    case(
        "maximum",
        mg.maximum,
        lambda a, b: np.where(a > b, a, b),
        *binary(lattice(0, 2), lattice(1, 2)),
        sample(away(0.5)(3), 0.5),
        edges=[
            edge(
                [1.0, 2.0, 3.0, inf, nan, 1.0, -inf],
                [2.0, 2.0, 1.0, 1e3, 1.0, nan, -1e3],
                value=[2, 2, 3, inf, nan, nan, -1e3],
                grads=[[0, 0.5, 1, 1, 1, 1, 0], [1, 0.5, 0, 0, 1, 1, 1]],
            )
        ],
        typed=PROMOTED,
        refused=[does_not_broadcast(mg.maximum, "maximum")],
    ),
    case(
        "minimum",
        mg.minimum,
        lambda a, b: np.where(a < b, a, b),
        *binary(lattice(0, 2), lattice(1, 2)),
        sample(away(0.5)(3), 0.5),
        edges=[
            edge(
                [1.0, 2.0, 3.0, inf, nan, 1.0, -inf],
                [2.0, 2.0, 1.0, 1e3, 1.0, nan, -1e3],
                value=[1, 2, 1, 1e3, nan, nan, -inf],
                grads=[[1, 0.5, 0, 0, 1, 1, 1], [0, 0.5, 1, 1, 1, 1, 0]],
            )
        ],
        typed=PROMOTED,
        refused=[does_not_broadcast(mg.minimum, "minimum")],
    ),
]

POWERS = [
    case(
        "pow",
        mg.pow,
        np.vectorize(lambda x, p: float(mp.power(float(x), float(p))), otypes=[np.float64]),
        *(sample(away(0.0)(3, 4), p) for p in (1, 2, 3, 4, 5, -1, -2, -3, 2.0, 0)),
        *(sample(positive(3, 4), p) for p in (0.5, 1.5, -0.5, 2.7)),
        *(sample(given([0.0, -1.0, 2.0]), p) for p in (0, 1, 2, 3, 4, 5)),
        *binary(positive, normal),
        sample(2.5, normal(3, 4)),
        sample(positive(), 3),
        sample(positive(0, 2), 2),
        covers=(arithmetic.pow_scalar, arithmetic.pow_tensor),
        edges=[
            edge([0.0, 1e3, nan, inf, -2.0], 0, value=[1] * 5, grads=[[0] * 5, None]),
            edge([0.0, 1e3, nan, inf, -2.0], 1, value=[0, 1e3, nan, inf, -2], grads=[[1] * 5, None]),
            edge([0.0, -1e3, nan, -inf], 2, value=[0, 1e6, nan, inf], grads=[[0, -2e3, nan, -inf], None]),
            edge([0.0, 1e3, nan, inf], -1, value=[inf, 1e-3, nan, 0], grads=[[-inf, -1e-6, nan, 0], None]),
            edge([0.0, 4.0, -1.0, inf], 0.5, value=[0, 2, nan, inf], grads=[[inf, 0.25, nan, 0], None]),
            edge([-1.0, 0.0, 4.0], 1.5, value=[nan, 0, 8], grads=[[nan, 0, 3], None]),
            edge(
                [0.0, 0.0, 0.0, 2.0, -2.0, nan],
                [0.0, 1.0, 2.0, 0.0, 2.0, 0.0],
                value=[1, 0, 0, 1, 4, 1],
                grads=[[0, 1, 0, 0, -4, 0], [0, 0, 0, math.log(2), nan, nan]],
            ),
            edge([2.0**600, 2.0**-600], -2, value=[2.0**-1200, inf], grads=[[-0.0, -inf], None], dtypes=["float64"]),
            edge([2.0**518, 2.0**-511], -2, value=[2.0**-1036, 2.0**1022], grads=[[-0.0, -inf], None], dtypes=["float64"]),
            edge(2.0, [-inf, 0.0, 10.0, inf], value=[0, 1, 1024, inf], grads=[None, [0, math.log(2), 1024 * math.log(2), inf]]),
            edge(0.0, [0.0, 1.0, -1.0], value=[1, 0, inf], grads=[None, [0, 0, -inf]]),
        ],
        typed=[
            Typed((I64, 2), "int64"),
            Typed((I32, 2), "int32"),
            Typed((U8, 3), "uint8"),
            Typed((I64, 0.5), "float32"),
            Typed((I32, 2.0), "float32"),
            Typed((BOOL, 2), "int64"),
            Typed((F32, 2), "float32"),
            Typed((F64, 0.5), "float64"),
            Typed((2, F32), "float32"),
            Typed((2.0, I64), "float32"),
            Typed((F32, F64), "float64"),
            Typed((I64, F32), "float64"),
        ],
        refused=[
            Refused(
                lambda: mg.tensor([1, 2]) ** -1,
                (DtypeError, RuntimeError),
                "pow: integers cannot be raised to the negative power -1",
            ),
            Refused(lambda: mg.ones(3, 4) ** mg.ones(3), ShapeError, "pow_tensor: shapes do not broadcast"),
            Refused(lambda: mg.pow(mg.ones(3), "2"), TypeError, "pow_tensor: exponent must be a Tensor or a number, got str"),
            Refused(lambda: MASK**MASK, (DtypeError, RuntimeError), "pow: takes floats and integers, got dtype bool"),
        ],
    ),
    case(
        "pow[negative powers of integers]",
        mg.pow,
        lambda x, p: np.vectorize(lambda a, b: float(a**b) if b >= 0 else float(abs(a) == 1) * a ** (b % 2), otypes=[float])(x, p),
        sample(given([-2, -1, 0, 1, 3]), given([[-1], [-2], [2]])),
        sample(-1, given([-3, -2, 0, 1])),
        sample(given([1, 2]), given(-1)),
        covers=(arithmetic.pow_tensor,),
        order=0,
    ),
    case(
        "add[uint8]",
        lambda x, n: mg.add(x.to(mg.uint8), n),
        lambda x, n: (x + n) % 256,
        sample(given([0, 1, 255]), -1),
        sample(given([0, 1, 255]), 300),
        covers=(mg.add,),
        order=0,
    ),
]

UNARY = [
    case(
        "neg",
        mg.neg,
        lambda x: 0 - x,
        *smooth(normal),
        typed=SAME,
        edges=[points((inf, -inf, -1), (nan, nan, -1), (0.0, 0, -1), (1e3, -1e3, -1))],
        refused=[
            Refused(lambda: -mg.tensor([True]), (DtypeError, RuntimeError), "neg: booleans have no negative"),
            *call_errors(mg.neg, "neg"),
        ],
    ),
    case(
        "sqrt",
        mg.sqrt,
        exactly(mp.sqrt),
        *unary(positive),
        typed=TO_FLOAT,
        edges=[points((0.0, 0, inf), (-1.0, nan, nan), (4.0, 2, 0.25), (1e6, 1e3, 0.5e-3), (inf, inf, 0), (nan, nan, nan))],
    ),
    case(
        "rsqrt",
        mg.rsqrt,
        exactly(lambda x: 1 / mp.sqrt(x)),
        *unary(positive),
        typed=TO_FLOAT,
        edges=[points((0.0, inf, -inf), (-1.0, nan, nan), (4.0, 0.5, -1 / 16), (inf, 0, 0), (nan, nan, nan))],
        refused=call_errors(mg.rsqrt, "rsqrt"),
    ),
    case(
        "reciprocal",
        mg.reciprocal,
        lambda x: x**-1.0,
        *unary(away(0.0)),
        typed=[*TO_FLOAT, Typed((np.array([True]),), "float32")],
        edges=[points((0.0, inf, -inf), (-0.0, -inf, -inf), (4.0, 0.25, -1 / 16), (-inf, 0, 0), (inf, 0, 0), (nan, nan, nan))],
        refused=call_errors(mg.reciprocal, "reciprocal"),
    ),
    case(
        "square",
        mg.square,
        lambda x: x * x,
        *smooth(normal),
        covers=(arithmetic.pow_scalar,),
        typed=[*SAME, Typed((BOOL,), "int64")],
        edges=[points((0.0, 0, 0), (-3.0, 9, -6), (-inf, inf, -inf), (nan, nan, nan))],
    ),
    case(
        "abs",
        mg.abs,
        lambda x: np.where(x < 0, 0 - x, x),
        *unary(away(0.0)),
        typed=SAME,
        edges=[points((0.0, 0, 0), (-0.0, 0, 0), (-1e3, 1e3, -1), (1e3, 1e3, 1), (-inf, inf, -1), (inf, inf, 1), (nan, nan, 0))],
        refused=[Refused(lambda: mg.abs(MASK), (DtypeError, RuntimeError), "abs: takes floats and integers, got dtype bool")],
    ),
]

CASES: tuple[OpCase, ...] = (*BINARY, *POWERS, *UNARY)
