"""Activation functions, and dropout."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from mpmath import mp
from op_cases import (
    I64,
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
    uniform,
)

import minigrad as mg
from minigrad.errors import ArgumentError, DimError, DtypeError, ShapeError
from minigrad.nn import functional as F
from minigrad.ops import activation, noise

from .arithmetic import exactly

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


def tanh_gelu_at(x: float) -> tuple[float, float]:
    """Its value and slope at one point, without cancellation."""
    with mp.workprec(200):
        power = mp.exp(2 * mp.sqrt(2 / mp.pi) * (x + mp.mpf("0.044715") * x**3))
        slope = 2 * mp.sqrt(2 / mp.pi) * (1 + mp.mpf("0.134145") * x**2)
        return float(x * power / (1 + power)), float(power / (1 + power) * (1 + x * slope / (1 + power)))


def tanh_gelu(x: Any) -> Any:
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def shrunk(x: float) -> float:
    with mp.workprec(200):
        return float(mp.mpf(x) - mp.tanh(x))


def gated(x: Any, dim: int = -1) -> Any:
    a, b = np.split(x, 2, axis=dim)
    return a / (1 + np.exp(-b))


CASES: tuple[OpCase, ...] = (
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
        "swish",
        F.swish,
        exactly(lambda x: x / (1 + mp.exp(-x))),
        sample(normal(3, 4)),
    ),
    case(
        "silu[inplace]",
        lambda x: F.silu(x * 1, True),
        exactly(lambda x: x / (1 + mp.exp(-x))),
        sample(normal(3, 4)),
        covers=(mg.silu, mg.mul),
        refused=[
            Refused(lambda: F.silu(mg.ones(2, requires_grad=True), inplace=True), RuntimeError, "silu_: a leaf that requires grad"),
            Refused(lambda: F.silu(3.0, inplace=True), TypeError, "silu: in place, x must be a Tensor, got float"),
            Refused(lambda: F.silu(mg.tensor([1, 2]), inplace=True), RuntimeError, "silu_: a result of dtype float32 cannot be"),
        ],
    ),
    case(
        "mish",
        F.mish,
        exactly(lambda x: x * mp.tanh(mp.log1p(mp.exp(x)))),
        *smooth(uniform(-6, 6)),
        sample(given([-80.0, -30.0, 30.0, 80.0])),
        typed=TO_FLOAT,
        edges=[
            points(
                (-1e3, 0, 0),
                (-0.0, 0, 0.6),
                (0.0, 0, 0.6),
                (-80.0, -80 * math.exp(-80), -79 * math.exp(-80)),
                (1e3, 1e3, 1),
                (inf, inf, nan),
                (-inf, nan, nan),
                (nan, nan, nan),
            )
        ],
    ),
    case(
        "logsigmoid",
        F.logsigmoid,
        exactly(lambda x: -mp.log1p(mp.exp(-x))),
        *smooth(uniform(-5, 5)),
        typed=TO_FLOAT,
        edges=[
            points(
                (-inf, -inf, 1),
                (-1e3, -1e3, 1),
                (-40.0, -40, 1),
                (0.0, -math.log(2), 0.5),
                (40.0, -math.exp(-40), math.exp(-40)),
                (1e3, 0, 0),
                (inf, 0, 0),
                (nan, nan, nan),
            )
        ],
    ),
    case(
        "softsign",
        F.softsign,
        lambda x: np.sign(x) - np.sign(x) / (1 + np.abs(x)),
        *(sample(away(0.0)(*shape)) for shape in ((3, 4), (), (5,), (0,), (2, 1, 3))),
        typed=TO_FLOAT,
        edges=[
            points(
                (-inf, nan, nan),
                (-999.0, -0.999, 1e-6),
                (-0.0, 0, 1),
                (0.0, 0, 1),
                (2**-70, 2**-70, 1),
                (1.0, 0.5, 0.25),
                (nan, nan, nan),
            ),
            points((1e30, 1, 0), (-1e30, -1, 0), (inf, nan, nan)),
        ],
    ),
    case(
        "tanhshrink",
        F.tanhshrink,
        exactly(shrunk),
        *smooth(normal),
        sample(uniform(-1, 1)(40)),
        sample(given([1.0, -1.0, 0.999, 1.001, 3.0, -5.0, 0.02, 1e-3])),
        typed=TO_FLOAT,
        edges=[
            points(
                (-inf, -inf, 1),
                (-1e3, -999, 1),
                (-0.0, 0, 0),
                (2**-10, shrunk(2**-10), math.tanh(2**-10) ** 2),
                (1e30, 1e30, 1),
                (inf, inf, 1),
                (nan, nan, nan),
            )
        ],
    ),
    case(
        "glu",
        F.glu,
        gated,
        sample(normal(3, 4)),
        sample(normal(6)),
        *(
            sample(normal(*s), d)
            for s, d in (((4, 3), 0), ((2, 4, 3), 1), ((2, 3, 4), -1), ((2, 4, 3), -2), ((0, 4), 1), ((0, 4), 0))
        ),
        sample(normal(2, 0), dim=1),
        sample(normal(3, 700), 1),
        sample(given([[1.0, 2.0, 0.0, -0.0]])),
        edges=[
            edge(
                [[1.0, -2.0, 3.0, 1e3, -1e3, 0.0], [inf, nan, 2.0, 0.0, 1.0, nan]],
                value=[[1, 0, 1.5], [inf, nan, nan]],
                grads=[
                    [[1, 0, 0.5, 0, 0, 0.75], [0.5, logistic(1), nan, inf, nan, nan]],
                ],
            )
        ],
        refused=[
            Refused(
                lambda: F.glu(mg.ones(2, 3)),
                (ShapeError, RuntimeError),
                r"glu: axis 1 must have an even length, got shape \(2, 3\)",
            ),
            Refused(lambda: F.glu(mg.tensor(1.0)), (ShapeError, RuntimeError), "glu: needs an axis to halve"),
            Refused(lambda: F.glu(mg.ones(2, 4), 2), (DimError, IndexError), "glu: dim 2 is out of range"),
            Refused(
                lambda: F.glu(mg.tensor([1, 2])),
                (DtypeError, RuntimeError),
                "glu: expected a floating-point tensor, got dtype int64",
            ),
            Refused(lambda: F.glu(mg.ones(2), "x"), TypeError, "glu: dim must be an int, got 'x'"),
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
        edges=[
            points((-inf, nan, nan), (-1e30, 0, 0), (-1e3, 0, 0), (0.0, 0, 0.5), (1e3, 1e3, 1), (inf, inf, nan), (nan, nan, nan)),
            points((-8.0, *tanh_gelu_at(-8.0))),
        ],
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
