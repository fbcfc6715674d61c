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
    Refused,
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
from minigrad.ops import exponential

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
    case(
        "erfinv",
        mg.erfinv,
        exactly(mp.erfinv),
        *smooth(uniform(-0.99, 0.99)),
        typed=[Typed((x / 8,), "float32" if x.dtype == np.float32 else "float64") for x in (F32, F64)],
        edges=[
            points((1.0, inf, inf), (-1.0, -inf, inf), (1.5, nan, nan), (nan, nan, nan), (0.0, 0, math.sqrt(math.pi) / 2)),
            points((1e-300, 1e-300 * math.sqrt(math.pi) / 2, math.sqrt(math.pi) / 2), dtypes=["float64"]),
            edge([1 - 2**-24, 2**-40], value=[float(mp.erfinv(1 - 2**-24)), float(mp.erfinv(2**-40))], dtypes=["float64"]),
        ],
        refused=call_errors(mg.erfinv, "erfinv"),
    ),
    case(
        "logit",
        mg.logit,
        lambda x, eps=None: exactly(lambda v: mp.log(v / (1 - v)))(x if eps is None else np.clip(x, eps, 1 - eps)),
        *unary(uniform(0.01, 0.24)),
        *unary(uniform(0.26, 0.49)),
        *unary(uniform(0.51, 0.99)),
        sample(uniform(0.01, 0.24)(4), 0.25),
        sample(uniform(0.3, 0.49)(4), eps=0.25),
        covers=(exponential.log_odds,),
        edges=[
            points((0.0, -inf, inf), (1.0, inf, inf), (-1.0, nan, nan), (2.0, nan, nan), (0.5, 0, 4), (nan, nan, nan)),
            points((0.0, -math.log(3), 0), (0.25, -math.log(3), 16 / 3), (2.0, math.log(3), 0), eps=0.25),
        ],
        refused=[Refused(lambda: mg.logit(mg.ones(2), "0"), TypeError, "logit: eps must be a number, got '0'")],
    ),
)
