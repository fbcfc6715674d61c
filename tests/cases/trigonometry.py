"""Circular and hyperbolic functions and their inverses."""

from __future__ import annotations

import math

import numpy as np
from mpmath import mp
from op_cases import (
    F32,
    F64,
    I64,
    TO_FLOAT,
    OpCase,
    Typed,
    away,
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

inf, nan, pi = math.inf, math.nan, math.pi
HUGE = 2.0**90  # 90 binary digits before the point: sin and cos need all of them
SIN, COS = float(mp.sin(HUGE)), float(mp.cos(HUGE))

CIRCULAR = [
    case(
        "sin",
        mg.sin,
        exactly(mp.sin),
        *smooth(normal),
        sample(uniform(-100, 100)(20)),
        typed=TO_FLOAT,
        edges=[
            points(
                (0.0, 0, 1), (-0.0, 0, 1), (HUGE, SIN, COS), (-HUGE, -SIN, COS), (inf, nan, nan), (-inf, nan, nan), (nan, nan, nan)
            )
        ],
        refused=call_errors(mg.sin, "sin"),
    ),
    case(
        "cos",
        mg.cos,
        exactly(mp.cos),
        *smooth(normal),
        sample(uniform(-100, 100)(20)),
        typed=TO_FLOAT,
        edges=[points((0.0, 1, 0), (HUGE, COS, -SIN), (-HUGE, COS, SIN), (inf, nan, nan), (-inf, nan, nan), (nan, nan, nan))],
        refused=call_errors(mg.cos, "cos"),
    ),
    case(
        "tan",
        mg.tan,
        exactly(mp.tan),
        *smooth(uniform(-1.2, 1.2)),
        sample(uniform(1.9, 4.3)(20)),
        typed=TO_FLOAT,
        edges=[
            points((0.0, 0, 1), (-0.0, 0, 1), (HUGE, SIN / COS, 1 / COS**2), (inf, nan, nan), (-inf, nan, nan), (nan, nan, nan))
        ],
        refused=call_errors(mg.tan, "tan"),
    ),
    case(
        "asin",
        mg.asin,
        exactly(mp.asin),
        *smooth(uniform(-0.9, 0.9)),
        typed=[Typed((np.array([-1, 0, 1]),), "float32"), Typed((np.array([0.5, -0.25]),), "float64")],
        edges=[points((-1.0, -pi / 2, inf), (0.0, 0, 1), (1.0, pi / 2, inf), (1.5, nan, nan), (-inf, nan, nan), (nan, nan, nan))],
        refused=call_errors(mg.asin, "asin"),
    ),
    case(
        "acos",
        mg.acos,
        exactly(mp.acos),
        *smooth(uniform(-0.9, 0.9)),
        typed=[Typed((np.array([-1, 0, 1]),), "float32")],
        edges=[points((-1.0, pi, -inf), (0.0, pi / 2, -1), (1.0, 0, -inf), (1.5, nan, nan), (inf, nan, nan), (nan, nan, nan))],
        refused=call_errors(mg.acos, "acos"),
    ),
    case(
        "atan",
        mg.atan,
        exactly(mp.atan),
        *smooth(normal),
        typed=TO_FLOAT,
        edges=[points((-inf, -pi / 2, 0), (0.0, 0, 1), (-0.0, 0, 1), (1.0, pi / 4, 0.5), (inf, pi / 2, 0), (nan, nan, nan))],
        refused=call_errors(mg.atan, "atan"),
    ),
    case(
        "atan2",
        mg.atan2,
        np.vectorize(lambda a, b: float(mp.atan2(float(a), float(b))), otypes=[np.float64]),
        *binary(away(0.0), away(0.0)),
        sample(away(0.0)(3), -0.5),
        typed=[Typed((F32, F64), "float64"), Typed((I64, I64), "float32"), Typed((F32, 2), "float32")],
        edges=[
            edge(
                [0.0, -0.0, 0.0, 0.0, 1.0, -1.0, inf, inf, inf, 1.0, 1.0, nan, 1.0],
                [0.0, 0.0, -0.0, -2.0, 0.0, -0.0, inf, -inf, 1.0, inf, -inf, 1.0, nan],
                value=[0, 0, pi, pi, pi / 2, -pi / 2, pi / 4, 3 * pi / 4, pi / 2, 0, pi, nan, nan],
                grads=[
                    [0, 0, 0, -0.5, 0, 0, nan, nan, 0, nan, nan, nan, nan],
                    [0, 0, 0, 0, -1, 1, nan, nan, nan, 0, 0, nan, nan],
                ],
            ),
            edge([-0.0, -0.0], [-0.0, -1.0], value=[-pi, -pi], grads=[[0, -1], [0, 0]]),
            edge(
                [1e300, -1e300, 1e-310],
                [1.7e308, -1e-300, -1e-310],
                value=[1e300 / 1.7e308, -pi / 2, 3 * pi / 4],
                dtypes=["float64"],
            ),
        ],
        refused=[does_not_broadcast(mg.atan2, "atan2"), *call_errors(mg.atan2, "atan2")],
    ),
]

HYPERBOLIC = [
    case(
        "sinh",
        mg.sinh,
        exactly(mp.sinh),
        *smooth(normal),
        typed=TO_FLOAT,
        edges=[
            points((-inf, -inf, inf), (-1e3, -inf, inf), (0.0, 0, 1), (2**-60, 2**-60, 1), (inf, inf, inf), (nan, nan, nan)),
            points((709.5, float(mp.sinh(709.5)), float(mp.cosh(709.5))), dtypes=["float64"]),
        ],
        refused=call_errors(mg.sinh, "sinh"),
    ),
    case(
        "cosh",
        mg.cosh,
        exactly(mp.cosh),
        *smooth(normal),
        typed=TO_FLOAT,
        edges=[
            points((-inf, inf, -inf), (-1e3, inf, -inf), (0.0, 1, 0), (1e3, inf, inf), (inf, inf, inf), (nan, nan, nan)),
            points((-709.5, float(mp.cosh(709.5)), -float(mp.sinh(709.5))), dtypes=["float64"]),
        ],
        refused=call_errors(mg.cosh, "cosh"),
    ),
    case(
        "asinh",
        mg.asinh,
        exactly(mp.asinh),
        *smooth(normal),
        sample(uniform(2e8, 9e8)(5)),
        typed=TO_FLOAT,
        edges=[
            points((-inf, -inf, 0), (0.0, 0, 1), (-0.0, 0, 1), (2**-60, 2**-60, 1), (inf, inf, 0), (nan, nan, nan)),
            points((-1e300, -float(mp.asinh(1e300)), 0), dtypes=["float64"]),
        ],
        refused=call_errors(mg.asinh, "asinh"),
    ),
    case(
        "acosh",
        mg.acosh,
        exactly(mp.acosh),
        *unary(uniform(1.3, 4)),
        sample(uniform(2e8, 9e8)(5)),
        typed=[Typed((np.array([2, 3]),), "float32"), Typed((np.array([1.5, 3]),), "float64")],
        edges=[
            points((-inf, nan, 0), (-2.0, nan, 3**-0.5), (0.5, nan, nan), (1.0, 0, inf), (inf, inf, 0), (nan, nan, nan)),
            points((1e300, float(mp.acosh(1e300)), 0), dtypes=["float64"]),
        ],
        refused=call_errors(mg.acosh, "acosh"),
    ),
    case(
        "atanh",
        mg.atanh,
        exactly(mp.atanh),
        *smooth(uniform(-0.8, 0.8)),
        typed=[Typed((np.array([-1, 0, 1]),), "float32"), Typed((np.array([0.5, -0.25]),), "float64")],
        edges=[
            points(
                (-1.0, -inf, inf),
                (0.0, 0, 1),
                (-0.0, 0, 1),
                (2**-60, 2**-60, 1),
                (1.0, inf, inf),
                (2.0, nan, -1 / 3),
                (nan, nan, nan),
            )
        ],
        refused=call_errors(mg.atanh, "atanh"),
    ),
    case(
        "hypot",
        mg.hypot,
        np.vectorize(lambda a, b: float(mp.hypot(float(a), float(b))), otypes=[np.float64]),
        *binary(normal, uniform(0.2, 3)),
        sample(normal(3), 1.5),
        typed=[Typed((F32, F64), "float64"), Typed((F32, 2), "float32")],
        edges=[
            edge(
                [0.0, 3.0, inf, nan, nan, -5.0],
                [0.0, -4.0, nan, -inf, 1.0, 0.0],
                value=[0, 5, inf, inf, nan, 5],
                grads=[[nan, 0.6, nan, nan, nan, -1], [nan, -0.8, nan, nan, nan, 0]],
            ),
            edge([3e300, 3e-320], [4e300, 4e-320], value=[5e300, 5e-320], dtypes=["float64"]),
        ],
        refused=[does_not_broadcast(mg.hypot, "hypot"), *call_errors(mg.hypot, "hypot")],
    ),
]

DEGREES = [
    case(
        "deg2rad",
        mg.deg2rad,
        exactly(mp.radians),
        *unary(normal),
        typed=TO_FLOAT,
        edges=[points((180.0, pi, pi / 180), (0.0, 0, pi / 180), (-inf, -inf, pi / 180), (nan, nan, pi / 180))],
        refused=call_errors(mg.deg2rad, "deg2rad"),
    ),
    case(
        "rad2deg",
        mg.rad2deg,
        exactly(mp.degrees),
        *unary(normal),
        typed=TO_FLOAT,
        edges=[points((pi, 180, 180 / pi), (0.0, 0, 180 / pi), (-inf, -inf, 180 / pi), (nan, nan, 180 / pi))],
        refused=call_errors(mg.rad2deg, "rad2deg"),
    ),
]

CASES: tuple[OpCase, ...] = (*DEGREES, *CIRCULAR, *HYPERBOLIC)
