"""Softmax and log-softmax."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from op_cases import F32, F64, I64, OpCase, Refused, Sample, Typed, case, edge, given, normal, sample

import minigrad as mg
from minigrad.errors import DimError, DtypeError

inf, nan = math.inf, math.nan


def shares(x: Any, dim: int, dtype: Any = None) -> Any:
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
        Refused(lambda: function(mg.ones(2, 3)), TypeError, f"{name}: argument 'dim' is missing"),
        Refused(lambda: function(mg.ones(2, 3), "x"), TypeError, f"{name}: dim must be an int, got 'x'"),
        Refused(
            lambda: function(mg.tensor([1, 2]), 0),
            (DtypeError, RuntimeError),
            f"{name}: expected a floating-point tensor, got dtype int64",
        ),
    ]


TYPED = [
    Typed((I64, 0), "float32", {"dtype": np.float32}),
    Typed((F32, 0), "float64", {"dtype": np.float64}),
    Typed((F64, 0), "float32", {"dtype": np.float32}),
]
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
        ],
    ),
    case(
        "log_softmax",
        mg.log_softmax,
        lambda x, dim, dtype=None: np.log(shares(x, dim)),
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
            edge([[0.0, 50.0]], 1, value=[[-50, 0]], grads=[[[1, -1]]]),
            edge(WIDE, 1, value=[[0] + [-1e4] * 63], grads=[[[1 - 64] + [1] * 63]]),
            edge(WIDE - inf, 1, value=[[nan] * 64], grads=[[[nan] * 64]]),
        ],
    ),
    case(
        "Tensor.softmax",
        lambda x: x.softmax(-1) * x.log_softmax(dim=1),
        lambda x: shares(x, -1) * np.log(shares(x, 1)),
        sample(normal(3, 4)),
        sample(given([[0.5, -1.0]])),
        covers=(mg.softmax, mg.log_softmax),
        close=True,
    ),
)
