"""Exponentials, logarithms, the error function and the normal distribution."""

from __future__ import annotations

import math

import numpy as np
from mpmath import mp
from op_cases import (
    BOOL,
    F32,
    F64,
    I64,
    TO_FLOAT,
    OpCase,
    Typed,
    binary,
    case,
    edge,
    normal,
    points,
    sample,
    smooth,
    unary,
    uniform,
)

import minigrad as mg

from .arithmetic import call_errors, does_not_broadcast, exactly

inf, nan = math.inf, math.nan
positive = uniform(0.2, 3)
LOG_2, LOG_10 = math.log(2), math.log(10)

CASES: tuple[OpCase, ...] = (
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
        "exp2",
        mg.exp2,
        exactly(lambda x: mp.mpf(2) ** x),
        *smooth(normal),
        typed=TO_FLOAT,
        edges=[
            points(
                (-inf, 0, 0),
                (-2e3, 0, 0),
                (0.0, 1, LOG_2),
                (10.0, 1024, 1024 * LOG_2),
                (2e3, inf, inf),
                (inf, inf, inf),
                (nan, nan, nan),
            ),
            points((128.0, inf, inf), dtypes=["float32"]),
            points((128.0, 2.0**128, 2.0**128 * LOG_2), (-1074.0, 2.0**-1074, 0), dtypes=["float64"]),
        ],
        refused=call_errors(mg.exp2, "exp2"),
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
        "log2",
        mg.log2,
        exactly(lambda x: mp.log(x) / mp.log(2)),
        *unary(positive),
        typed=TO_FLOAT,
        edges=[
            points(
                (0.0, -inf, inf),
                (-1.0, nan, -1 / LOG_2),
                (1.0, 0, 1 / LOG_2),
                (2.0**-40, -40, 2.0**40 / LOG_2),
                (8.0, 3, 0.125 / LOG_2),
                (inf, inf, 0),
                (nan, nan, nan),
            )
        ],
        refused=call_errors(mg.log2, "log2"),
    ),
    case(
        "log10",
        mg.log10,
        exactly(mp.log10),
        *unary(positive),
        typed=TO_FLOAT,
        edges=[
            points(
                (0.0, -inf, inf),
                (-1.0, nan, -1 / LOG_10),
                (1.0, 0, 1 / LOG_10),
                (1e3, 3, 1e-3 / LOG_10),
                (inf, inf, 0),
                (nan, nan, nan),
            )
        ],
        refused=call_errors(mg.log10, "log10"),
    ),
    case(
        "logaddexp",
        mg.logaddexp,
        np.vectorize(lambda a, b: float(mp.log(mp.exp(float(a)) + mp.exp(float(b)))), otypes=[np.float64]),
        *binary(normal, normal),
        sample(normal(3), 0.5),
        typed=[Typed((F32, F64), "float64"), Typed((I64, I64), "float32")],
        edges=[
            edge(
                [0.0, -inf, inf, nan, 1.0, 1e3],
                [0.0, -inf, inf, 1.0, -inf, -1e3],
                value=[LOG_2, -inf, inf, nan, 1, 1e3],
                grads=[[0.5, nan, nan, nan, 1, 1], [0.5, nan, nan, nan, 0, 0]],
            )
        ],
        refused=[does_not_broadcast(mg.logaddexp, "logaddexp"), *call_errors(mg.logaddexp, "logaddexp")],
    ),
    case(
        "xlogy",
        mg.xlogy,
        np.vectorize(lambda a, b: float(float(a) * mp.log(float(b))), otypes=[np.float64]),
        *binary(normal, positive),
        sample(2.5, positive(3)),
        typed=[Typed((F32, F32), "float32"), Typed((I64, 2), "float32"), Typed((BOOL, F32), "float32")],
        edges=[
            edge(
                [0.0, 0.0, 1.0, 0.0, 2.0, inf],
                [0.0, nan, 0.0, -1.0, -1.0, 2.0],
                value=[0, nan, -inf, 0, nan, inf],
                grads=[[0, nan, -inf, 0, nan, LOG_2], [nan, nan, inf, 0, -2, inf]],
            )
        ],
        refused=[does_not_broadcast(mg.xlogy, "xlogy"), *call_errors(mg.xlogy, "xlogy")],
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
)
