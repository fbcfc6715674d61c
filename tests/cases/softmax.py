"""Softmax, softmin and log-softmax."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from op_cases import F32, F64, I64, OpCase, Refused, Sample, Typed, case, edge, given, normal, sample

import minigrad as mg
from minigrad.errors import ArgumentError, DimError, DtypeError
from minigrad.nn import functional as F

inf, nan = math.inf, math.nan


def shares(x: Any, dim: int, dtype: Any = None, temperature: float = 1.0) -> Any:
    x = x / temperature
    return np.exp(x) / np.sum(np.exp(x), axis=dim, keepdims=True) if x.ndim else np.ones(())


def samples() -> tuple[Sample, ...]:
    shaped = [
        sample(normal(*s), d)
        for s, d in (
            ((3, 4), 1),
            ((3, 4), 0),
            ((3, 4), -1),
            ((2, 3, 4), 1),
            ((2, 3, 4), -3),
            ((5,), 0),
            ((0, 3), 1),
            ((0, 3), 0),
            ((3, 0), 1),
            ((4, 1), 1),
        )
    ]
    return (
        *shaped,
        sample(normal(), 0),
        sample(normal(), -1),
        sample(normal(2, 70), 1),
        sample(normal(2, 64), 1),
        sample(given([[0.0, 0.0, 0.0], [1.0, 1.0, -1.0]]), 1),
        sample(normal(3, 4), dim=1, dtype=np.float64),
        sample(normal(3, 4), 1, temperature=0.3),
        sample(normal(3, 4), 0, temperature=2.5),
        sample(normal(2, 300), 1, temperature=2),
        sample(normal(3, 4), 1, dtype=np.float64, temperature=0.7),
        sample(normal(), 0, temperature=3.0),
    )


def refused(function: Any, name: str) -> list[Refused]:
    return [
        Refused(
            lambda: function(mg.ones(3), dim=1),
            (DimError, IndexError),
            rf"{name}: dim 1 is out of range: the tensor has one axis, so dim must be in \[-1, 0\]",
        ),
        Refused(lambda: function(mg.ones(2, 3), -3), DimError, f"{name}: dim -3 is out of range: the tensor has 2 axes"),
        Refused(lambda: function(mg.tensor(1.0), 1), DimError, f"{name}: dim 1 is out of range: the tensor has no axis"),
        Refused(lambda: function(mg.ones(2, 3), "x"), TypeError, f"{name}: dim must be an int, got 'x'"),
        Refused(
            lambda: function(mg.tensor([1, 2]), 0),
            (DtypeError, RuntimeError),
            f"{name}: expected a floating-point tensor, got dtype int64",
        ),
        Refused(
            lambda: function(mg.ones(2), 0, dtype=np.int64),
            (DtypeError, RuntimeError),
            f"{name}: expected dtype= to be a floating-point one, got dtype int64",
        ),
        *(
            Refused(
                lambda t=t: function(mg.ones(2, 3), 1, temperature=t),
                (ArgumentError, ValueError),
                f"{name}: temperature must be a positive number, got {t}",
            )
            for t in (0.0, -1.0, inf, nan)
        ),
        Refused(lambda: function(mg.ones(2, 3), 1, temperature="x"), TypeError, f"{name}: temperature must be a number, got 'x'"),
    ]


TYPED = [
    Typed((I64, 0), "float32", {"dtype": np.float32}),
    Typed((F32, 0), "float64", {"dtype": np.float64}),
    Typed((F64, 0), "float32", {"dtype": np.float32}),
]
MAX = float(np.finfo(np.float32).max)
CLOSE = [[1e6, 1e6 + 0.25, 1e6 - 0.5]]  # divided by 0.1 first, they would not be exact in float32
ODDS = [math.exp(-2.5), 1.0, math.exp(-7.5)]
E2 = math.exp(-1)
WIDE = np.array([[1e4] + [0.0] * 63])  # rows are short up to 63 columns: there kernels go another way

CASES: tuple[OpCase, ...] = (
    case(
        "softmax",
        mg.softmax,
        shares,
        *samples(),
        close=True,
        typed=TYPED,
        refused=refused(mg.softmax, "softmax"),
        edges=[
            edge(
                [[1e4, 0.0, -1e4], [5.0, 5.0, 5.0], [-inf, 0.0, 0.0]],
                1,
                value=[[1, 0, 0], [1 / 3] * 3, [0, 0.5, 0.5]],
                grads=[[[0] * 3] * 3],
            ),
            edge([[nan, 0.0], [inf, 0.0], [-inf, -inf]], 1, value=[[nan, nan], [nan, nan], [nan, nan]], grads=[[[nan] * 2] * 3]),
            edge([[0.0, -1.0]], 1, value=[[1 / (1 + E2), E2 / (1 + E2)]]),
            edge(WIDE, 1, value=[[1] + [0] * 63], grads=[[[0] * 64]]),
            edge(0 * WIDE, 1, value=[[1 / 64] * 64], grads=[[[0] * 64]]),
            edge(WIDE - inf, 1, value=[[nan] * 64], grads=[[[nan] * 64]]),
            edge([[MAX, -MAX, 0.0], [MAX, MAX, -inf], [-MAX, -MAX, -MAX]], 1, value=[[1, 0, 0], [0.5, 0.5, 0], [1 / 3] * 3]),
            edge(CLOSE, 1, temperature=0.1, value=[[odds / sum(ODDS) for odds in ODDS]]),
            edge(
                [[0.0, -1.0], [inf, 0.0], [-inf, 0.0]],
                1,
                temperature=0.5,
                value=[[1 / (1 + E2**2), E2**2 / (1 + E2**2)], [nan] * 2, [0, 1]],
            ),
        ],
    ),
    case(
        "log_softmax",
        mg.log_softmax,
        lambda x, dim, dtype=None, temperature=1.0: np.log(shares(x, dim, temperature=temperature)),
        *samples(),
        close=True,
        typed=TYPED,
        refused=refused(mg.log_softmax, "log_softmax"),
        edges=[
            edge(
                [[1e4, 0.0, -1e4], [5.0, 5.0, 5.0]], 1, value=[[0, -1e4, -2e4], [-math.log(3)] * 3], grads=[[[-2, 1, 1], [0, 0, 0]]]
            ),
            edge([[-inf, 0.0, 0.0]], 1, value=[[-inf, -math.log(2), -math.log(2)]], grads=[[[1, -0.5, -0.5]]]),
            edge([[nan, 0.0], [inf, 0.0]], 1, value=[[nan, nan], [nan, nan]]),
            edge([[0.0, 50.0]], 1, value=[[-50, -math.exp(-50)]], grads=[[[1, -1]]]),
            edge(WIDE, 1, value=[[0] + [-1e4] * 63], grads=[[[1 - 64] + [1] * 63]]),
            edge(WIDE - inf, 1, value=[[nan] * 64], grads=[[[nan] * 64]]),
            edge([[MAX, MAX], [-MAX, -MAX]], 1, value=[[-math.log(2)] * 2] * 2, grads=[[[0, 0]] * 2]),
            edge([[0.0, 1e4]], 1, temperature=2, value=[[-5e3, 0]], grads=[[[0.5, -0.5]]]),
            edge([[MAX, -MAX]], 1, temperature=4, value=[[0, -MAX / 2]]),
        ],
    ),
    case(
        "softmin",
        F.softmin,
        lambda x, dim, **settings: shares(-x, dim, **settings),
        sample(normal(3, 4), 1),
        sample(normal(3, 4), dim=0),
        sample(normal(3, 4), -1, temperature=0.3),
        sample(normal(3, 4), dim=1, dtype=np.float64),
        sample(normal(), 0),
        covers=(mg.softmax, mg.neg),
        close=True,
        typed=TYPED,
        edges=[edge([[1e4, 0.0, inf], [-1e4, 0.0, 1e4]], 1, value=[[0, 1, 0], [1, 0, 0]])],
        refused=[Refused(lambda: F.softmin(mg.ones(2), 1), (DimError, IndexError), "softmax: dim 1 is out of range")],
    ),
    case(
        "Tensor.softmax",
        lambda x: x.softmax(-1) * x.log_softmax(dim=1),
        lambda x: shares(x, -1) * np.log(shares(x, 1)),
        sample(normal(3, 4)),
        sample(given([[0.5, -1.0, 2.0]])),  # of two entries the two slopes would nearly cancel
        covers=(mg.softmax, mg.log_softmax),
        close=True,
    ),
)
