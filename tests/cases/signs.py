"""Signs, special values, and members of a set."""

from __future__ import annotations

import math

import numpy as np
from op_cases import (
    BOOL,
    F32,
    F64,
    I64,
    PROMOTED,
    SAME,
    TO_BOOL,
    OpCase,
    Refused,
    Typed,
    away,
    binary,
    case,
    edge,
    given,
    integers,
    lattice,
    normal,
    points,
    sample,
    unary,
)

import minigrad as mg
from minigrad.errors import DtypeError, InputTypeError, ShapeError

from .arithmetic import call_errors, does_not_broadcast, exactly

inf, nan = math.inf, math.nan
NUMBERS = [row for row in PROMOTED if row.arguments[0] is not BOOL]

CASES: tuple[OpCase, ...] = (
    case(
        "copysign",
        mg.copysign,
        np.vectorize(math.copysign, otypes=[np.float64]),
        *binary(away(0.0), away(0.0)),
        sample(away(0.0)(5), -2.0),
        typed=[
            Typed((I64, I64), "float32"),
            Typed((F32, F64), "float64"),
            Typed((F32, -1), "float32"),
            Typed((I64, -1), "float32"),
        ],
        edges=[
            edge(
                [1.0, -2.0, 3.0, -4.0, 0.0, -inf, nan],
                [-0.0, 0.0, -inf, -1.0, -1.0, 2.0, 1.0],
                value=[-1, 2, -3, -4, 0, inf, nan],
                grads=[[-1, -1, -1, 1, 0, nan, nan], [0] * 7],
            )
        ],
        refused=[does_not_broadcast(mg.copysign, "copysign"), *call_errors(mg.copysign, "copysign")],
    ),
    *(
        case(
            name,
            function,
            reference,
            *binary(lattice(0, 2), lattice(1, 2)),
            sample(away(0.5)(3), 0.5),
            typed=NUMBERS,
            edges=[
                edge(
                    [1.0, nan, 2.0, nan, 1.0, -inf],
                    [1.0, 3.0, nan, nan, 2.0, inf],
                    value=[1, 3, 2, nan, *ends],
                    grads=[[1, 0, 1, 1, *mine], [0, 1, 0, 0, *(1 - g for g in mine)]],
                )
            ],
            refused=[does_not_broadcast(function, name), *call_errors(function, name)],
        )
        for name, function, reference, ends, mine in (
            ("fmax", mg.fmax, np.fmax, (2, inf), (0, 0)),
            ("fmin", mg.fmin, np.fmin, (1, -inf), (1, 1)),
        )
    ),
    case(
        "heaviside",
        lambda x, values: mg.heaviside(x.clone(), values),
        np.heaviside,
        *binary(normal, normal),
        sample(given([-1.0, 0.0, -0.0, 2.0]), normal(1)),
        covers=(mg.clone,),
        order=0,
        typed=[Typed((I64 - 2, I64), "int64"), Typed((F32, F32), "float32")],
        edges=[edge([nan, inf, -inf, 0.0], [0.5], value=[0, 1, 0, 0.5])],
        refused=[
            Refused(
                lambda: mg.heaviside(mg.ones(2), mg.tensor([1, 2])),
                (DtypeError, RuntimeError),
                "heaviside: input and values must have one dtype, got float32 and int64",
            ),
            Refused(
                lambda: mg.heaviside(mg.ones(2), mg.ones(3)),
                (ShapeError, RuntimeError),
                "broadcast_tensors: shapes do not broadcast",
            ),
        ],
    ),
    case(
        "signbit",
        mg.signbit,
        lambda x: np.reshape([math.copysign(1, v) < 0 for v in np.ravel(x)], np.shape(x)).astype(bool),
        *unary(normal),
        order=0,
        typed=TO_BOOL,
        edges=[edge([0.0, -0.0, -inf, inf], value=[False, True, True, False])],
    ),
    *(
        case(
            name,
            function,
            exactly(lambda v, end=end: v == end),
            *unary(normal),
            order=0,
            typed=TO_BOOL,
            edges=[edge([inf, -inf, nan, 1.0], value=[end > 0, end < 0, False, False])],
        )
        for name, function, end in (("isposinf", mg.isposinf, inf), ("isneginf", mg.isneginf, -inf))
    ),
    case(
        "isreal", mg.isreal, lambda x: x == x, *unary(normal), order=0, typed=TO_BOOL, edges=[edge([nan, inf], value=[True, True])]
    ),
    case(
        "isin",
        lambda x, members, **settings: mg.isin(x.clone(), members, **settings),
        lambda x, members, invert=False, **_: np.vectorize(lambda v: (v in np.ravel(members).tolist()) != invert, otypes=[bool])(x),
        sample(integers(0, 5)(3, 4), given([1, 3])),
        sample(integers(0, 5)(3), 2),
        sample(integers(0, 5)(3), given([1, 3]), invert=True),
        sample(given([1.5, 2.0]), given([[2.0], [4.0]]), assume_unique=True),
        covers=(mg.clone,),
        order=0,
        refused=[Refused(lambda: mg.isin(1, 2), (InputTypeError, TypeError), "isin: needs a Tensor, got int, int")],
    ),
    case(
        "frac",
        mg.frac,
        exactly(lambda v: math.modf(v)[0]),
        *unary(away(*range(-9, 9))),
        edges=[points((1.5, 0.5, 1), (-1.5, -0.5, 1), (0.0, 0, 1), (2.0, 0, 1), (inf, nan, 1), (nan, nan, 1))],
        refused=[
            Refused(
                lambda: mg.frac(mg.tensor([1])),
                (DtypeError, RuntimeError),
                "frac: expected a floating-point tensor, got dtype int64",
            )
        ],
    ),
    case(
        "positive",
        lambda x: mg.positive(x.clone()),
        lambda x: 1 * x,
        sample(normal(3, 4)),
        covers=(mg.clone,),
        typed=SAME,
        refused=[
            Refused(lambda: mg.positive(mg.tensor([True])), (DtypeError, RuntimeError), "positive: takes floats and integers")
        ],
    ),
)
