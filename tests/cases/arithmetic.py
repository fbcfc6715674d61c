"""Arithmetic, powers, exponentials, comparisons and choices."""

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
        Refused(lambda: function(*[1.0] * count), TypeError, f"{name}: needs a Tensor"),
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
        typed=PROMOTED,
        refused=[
            does_not_broadcast(mg.sub, "sub"),
            Refused(
                lambda: mg.tensor([True]) - mg.tensor([False]), (DtypeError, RuntimeError), "sub: booleans cannot be subtracted"
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
        ],
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
        "exp",
        mg.exp,
        exactly(mp.exp),
        *smooth(normal),
        typed=[*TO_FLOAT, Typed((BOOL,), "float32")],
        refused=call_errors(mg.exp, "exp"),
        edges=[
            points((-inf, 0, 0), (-1e3, 0, 0), (0.0, 1, 1), (1e3, inf, inf), (inf, inf, inf), (nan, nan, nan)),
            points((89.0, inf, inf), dtypes=["float32"]),
            points((89.0, math.exp(89), math.exp(89)), dtypes=["float64"]),
        ],
    ),
    case(
        "expm1",
        mg.expm1,
        exactly(mp.expm1),
        *smooth(normal),
        typed=TO_FLOAT,
        edges=[
            points(
                (-inf, -1, 0), (-1e3, -1, 0), (0.0, 0, 1), (2**-60, 2**-60, 1), (1e3, inf, inf), (inf, inf, inf), (nan, nan, nan)
            )
        ],
    ),
    case(
        "log",
        mg.log,
        exactly(mp.log),
        *unary(positive),
        typed=TO_FLOAT,
        edges=[
            points(
                (0.0, -inf, inf),
                (-1.0, nan, -1),
                (-inf, nan, 0),
                (1.0, 0, 1),
                (1e3, math.log(1e3), 1e-3),
                (inf, inf, 0),
                (nan, nan, nan),
            )
        ],
    ),
    case(
        "log1p",
        mg.log1p,
        exactly(mp.log1p),
        *smooth(uniform(-0.8, 3)),
        typed=TO_FLOAT,
        edges=[points((-1.0, -inf, inf), (-2.0, nan, -1), (0.0, 0, 1), (2**-60, 2**-60, 1), (inf, inf, 0), (nan, nan, nan))],
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
        "abs",
        mg.abs,
        lambda x: np.where(x < 0, 0 - x, x),
        *unary(away(0.0)),
        typed=SAME,
        edges=[points((0.0, 0, 0), (-0.0, 0, 0), (-1e3, 1e3, -1), (1e3, 1e3, 1), (-inf, inf, -1), (inf, inf, 1), (nan, nan, 0))],
    ),
    case(
        "floor",
        mg.floor,
        exactly(math.floor),
        *unary(away(*range(-9, 9))),
        typed=SAME,
        edges=[points((0.0, 0, 0), (-0.5, -1, 0), (2.0, 2, 0), (-1e3, -1e3, 0), (-inf, -inf, 0), (inf, inf, 0), (nan, nan, 0))],
    ),
    case(
        "erf",
        mg.erf,
        exactly(mp.erf),
        *smooth(normal),
        typed=TO_FLOAT,
        edges=[points((-inf, -1, 0), (-1e3, -1, 0), (0.0, 0, 2 / math.sqrt(math.pi)), (1e3, 1, 0), (inf, 1, 0), (nan, nan, nan))],
    ),
    case(
        "erfc",
        mg.erfc,
        exactly(mp.erfc),
        *smooth(normal),
        typed=TO_FLOAT,
        edges=[
            points(
                (-inf, 2, 0),
                (-1e3, 2, 0),
                (0.0, 1, -2 / math.sqrt(math.pi)),
                (5.0, 1.5374597944280349e-12, -1.5670866531017335e-11),
                (1e3, 0, 0),
                (inf, 0, 0),
                (nan, nan, nan),
            )
        ],
    ),
    case(
        "normal_cdf",
        mg.normal_cdf,
        exactly(mp.ncdf),
        *smooth(normal),
        typed=TO_FLOAT,
        edges=[
            points(
                (-inf, 0, 0),
                (-1e3, 0, 0),
                (0.0, 0.5, 1 / math.sqrt(2 * math.pi)),
                (-10.0, 7.619853024160527e-24, 7.69459862670642e-23),
                (1e3, 1, 0),
                (inf, 1, 0),
                (nan, nan, nan),
            )
        ],
    ),
    case(
        "normal_pdf",
        mg.normal_pdf,
        exactly(mp.npdf),
        *smooth(normal),
        typed=TO_FLOAT,
        edges=[points((-1e3, 0, 0), (0.0, 1 / math.sqrt(2 * math.pi), 0), (1e3, 0, 0), (nan, nan, nan))],
    ),
]

CASES: tuple[OpCase, ...] = (*BINARY, *POWERS, *UNARY)
