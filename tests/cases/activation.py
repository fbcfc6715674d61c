"""Activation functions, and dropout."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from mpmath import mp
from op_cases import (
    I64,
    SAME,
    TO_FLOAT,
    OpCase,
    Refused,
    Typed,
    away,
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
from minigrad.errors import ArgumentError
from minigrad.nn import functional as F
from minigrad.ops import activation, noise

from .arithmetic import call_errors, exactly

inf, nan = math.inf, math.nan
PHI8, DENSITY8 = float(mp.ncdf(-8)), float(mp.npdf(8))


def logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def slope(value: float) -> float:
    return value * (1 - value)


def dropped(x: Any, p: float, seed: int) -> Any:
    """Dropout, the mask from NumPy's own generator."""
    kept = np.random.Generator(np.random.PCG64(seed)).random(x.shape, x.dtype.type) >= p
    return np.asarray(x * kept / (1 - p))


def tanh_gelu(x: Any) -> Any:
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


CASES: tuple[OpCase, ...] = (
    case(
        "relu",
        mg.relu,
        lambda x: np.where(x > 0, x, 0),
        *unary(away(0.0)),
        typed=SAME,
        refused=call_errors(mg.relu, "relu"),
        edges=[points((-inf, 0, 0), (-1e3, 0, 0), (-0.0, 0, 0), (0.0, 0, 0), (1e3, 1e3, 1), (inf, inf, 1), (nan, nan, 1))],
    ),
    case(
        "leaky_relu",
        F.leaky_relu,
        lambda x, negative_slope=0.01: np.where(x > 0, x, x * negative_slope),
        *unary(away(0.0)),
        *unary(away(0.0), negative_slope=0.2)[:2],
        sample(away(0.0)(5), negative_slope=-0.5),
        sample(away(0.0)(5), 0.3),
        edges=[
            points(
                (-inf, -inf, 0.25),
                (-1e3, -250, 0.25),
                (0.0, 0, 0.25),
                (1e3, 1e3, 1),
                (inf, inf, 1),
                (nan, nan, 0.25),
                negative_slope=0.25,
            )
        ],
        typed=TO_FLOAT,
    ),
    case(
        "sigmoid",
        mg.sigmoid,
        exactly(lambda x: 1 / (1 + mp.exp(-x))),
        *smooth(normal),
        typed=TO_FLOAT,
        edges=[
            points(
                (-inf, 0, 0),
                (-1e3, 0, 0),
                (-30.0, logistic(-30), slope(logistic(-30))),
                (0.0, 0.5, 0.25),
                (1e3, 1, 0),
                (inf, 1, 0),
                (nan, nan, nan),
            )
        ],
    ),
    case(
        "tanh",
        mg.tanh,
        exactly(mp.tanh),
        *smooth(normal),
        typed=TO_FLOAT,
        edges=[points((-inf, -1, 0), (-1e3, -1, 0), (0.0, 0, 1), (2**-40, 2**-40, 1), (1e3, 1, 0), (inf, 1, 0), (nan, nan, nan))],
    ),
    case(
        "silu",
        F.silu,
        exactly(lambda x: x / (1 + mp.exp(-x))),
        *smooth(normal),
        typed=TO_FLOAT,
        edges=[
            points(
                (-1e3, 0, 0),
                (0.0, 0, 0.5),
                (-30.0, -30 * logistic(-30), -29 * logistic(-30)),
                (1e3, 1e3, 1),
                (inf, inf, nan),
                (-inf, nan, nan),
                (nan, nan, nan),
            )
        ],
    ),
    case(
        "gelu",
        F.gelu,
        lambda x, approximate="none": exactly(lambda v: v * mp.ncdf(v))(x),
        *smooth(normal),
        sample(normal(3), approximate="none"),
        covers=(activation.gelu_exact,),
        typed=TO_FLOAT,
        edges=[points((-1e3, 0, 0), (0.0, 0, 0.5), (-8.0, -8 * PHI8, PHI8 - 8 * DENSITY8), (1e3, 1e3, 1), (nan, nan, nan))],
        refused=[
            Refused(
                lambda: F.gelu(mg.ones(2), approximate="tan"),
                ArgumentError,
                "gelu: approximate must be 'none' or 'tanh', got 'tan'",
            )
        ],
    ),
    case(
        "gelu[tanh]",
        lambda x: F.gelu(x, approximate="tanh"),
        tanh_gelu,
        *smooth(normal),
        covers=(activation.gelu_tanh,),
        edges=[points((-1e3, 0, 0), (0.0, 0, 0.5), (1e3, 1e3, 1), (nan, nan, nan))],
    ),
    case(
        "softplus",
        F.softplus,
        lambda x, beta=1.0, threshold=20.0: np.where(beta * x > threshold, x, np.logaddexp(0, beta * x) / beta),
        *smooth(normal),
        sample(normal(3, 4), beta=2.5),
        sample(normal(3, 4), 0.5),
        sample(normal(5), beta=-1.0),
        sample(given([0.0, 1.0, -2.0]), beta=3.0),
        sample(away(1.0)(3, 4), beta=2.0, threshold=2.0),
        edges=[
            points(
                (-inf, 0, 0),
                (-1e3, 0, 0),
                (-40.0, math.exp(-40), math.exp(-40)),
                (0.0, math.log(2), 0.5),
                (30.0, 30 + math.exp(-30), logistic(30)),
                (1e3, 1e3, 1),
                (inf, inf, 1),
                (nan, nan, nan),
            ),
            points((2.0, math.log1p(math.exp(2)), logistic(2)), (2.5, 2.5, 1), (inf, inf, 1), threshold=2.0),
        ],
        typed=TO_FLOAT,
    ),
    case(
        "keep_above",
        noise.keep_above,
        lambda x, u, p: np.asarray(x * (u >= p) / (1 - p)),
        *(sample(normal(*s), uniform(0.6, 1.0)(*s), 0.5) for s in ((3, 4), (), (0,))),
        *(sample(normal(*s), lattice(0, 2, 0.3)(*s), 0.15 + 0.3) for s in ((3, 4), (5,))),
        fixed=(1,),
        edges=[
            edge(
                [1.0, 2.0, nan, inf, inf],
                [0.5, 0.25, 0.0, 0.0, 0.75],
                p=0.5,
                value=[2, 0, 0, 0, inf],
                grads=[[2, 0, 0, 0, 2]],
            )
        ],
    ),
    case(
        "dropout",
        lambda x, p, seed: F.dropout(x, p, generator=mg.Generator(seed)),
        dropped,
        sample(normal(40, 3), 0.3, 0),
        sample(normal(50), 0.8, 1),
        sample(normal(0, 3), 0.5, 2),
        covers=(noise.keep_above,),
        dtypes=["float64"],
        edges=[
            edge([1.0, -2.0, 1e3], 1.0, 0, value=[0] * 3, grads=[[0] * 3]),
            edge([1.0, inf, nan], 0.0, 0, value=[1, inf, nan], grads=[[1] * 3]),
        ],
        refused=[
            Refused(lambda: F.dropout(mg.ones(2), 1.5), ArgumentError, r"dropout: p must be a probability in \[0, 1\], got 1.5"),
            Refused(lambda: F.dropout(mg.ones(2), -0.1), ValueError, "dropout: p must be a probability"),
            Refused(lambda: F.dropout(mg.ones(2), generator=3), TypeError, "generator must be a minigrad Generator, got int"),
        ],
    ),
    case(
        "dropout[inplace]",
        lambda x, p, seed: F.dropout(x * 1, p, inplace=True, generator=mg.Generator(seed)),
        dropped,
        sample(normal(40, 3), 0.3, 0),
        covers=(noise.keep_above, mg.mul),
        dtypes=["float64"],
    ),
    case(
        "dropout[evaluation]",
        lambda x: F.dropout(x * 1, 0.9, training=False),
        lambda x: x,
        sample(normal(40)),
        covers=(mg.mul,),
        typed=[Typed((I64,), "int64")],
        edges=[edge(given([1.0, nan])(None), value=[1, nan], grads=[[1, 1]])],
    ),
)
