"""Variances and norms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from op_cases import F32, F64, OpCase, Refused, Typed, away, case, edge, given, normal, sample

import minigrad as mg
from minigrad.errors import ArgumentError, DtypeError, ShapeError

from .reduction import DIMS, EMPTY, NO_ROWS, dim_errors, drawn, mean_of, slices

inf, nan = math.inf, math.nan


def spread(values: list[float], correction: float) -> float:
    centre = mean_of(values)
    degrees = len(values) - correction
    return math.fsum((v - centre) ** 2 for v in values) / degrees if degrees > 0 else nan


def variance(x: Any, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, correction: float = 1) -> Any:
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    return slices(lambda values: spread(values, correction if unbiased is None else int(unbiased)))(x, dim, keepdim)


def deviation(*args: Any, **settings: Any) -> Any:
    return np.sqrt(variance(*args, **settings))


UNEVEN_ROWS = [row for row in DIMS if row[0] not in ((), (3, 1))]
UNEVEN = (*drawn(normal, UNEVEN_ROWS), *drawn(normal, NO_ROWS))
MOMENTS = [
    case(
        name,
        getattr(mg, name),
        reference,
        *UNEVEN,
        *(
            sample(normal(3, 4), **s)
            for s in (
                {"correction": 0},
                {"dim": 1, "correction": 0},
                {"dim": 1, "correction": 2},
                {"dim": 0, "correction": 0.5},
                {"unbiased": False},
                {"dim": 1, "unbiased": False},
                {"dim": 1, "unbiased": True, "keepdim": True},
            )
        ),
        sample(normal(3, 4), 1, False, True),
        sample(normal(3, 4), False),
        sample(normal(3, 4), True),
        close=True,
        typed=[Typed((F32,), "float32"), Typed((F64, 0), "float64")],
        edges=edges,
        refused=[
            *dim_errors(getattr(mg, name), name),
            Refused(
                lambda f=getattr(mg, name): f(mg.ones(3), unbiased=True, correction=0),
                ArgumentError,
                f"{name}: expected unbiased or",
            ),
            Refused(
                lambda f=getattr(mg, name): f(mg.tensor([1, 2])),
                (DtypeError, RuntimeError),
                f"{name}: expected a floating-point tensor, got dtype int64",
            ),
        ],
    )
    for name, reference, edges in (
        (
            "var",
            variance,
            [
                edge([2.0, 2.0, 2.0], value=0, grads=[[0, 0, 0]]),
                edge([5.0], value=nan, grads=[[nan]]),
                edge(np.array(5.0), value=nan, grads=[nan]),
                edge([[1.0, 3.0]], 1, value=[2], grads=[[[-2, 2]]]),
                edge([5.0], value=0, grads=[[0]], correction=0),
                edge([1.0, inf], value=nan, grads=[[-inf, nan]]),
                edge([-1e3, 1e3], value=2e6, grads=[[-2e3, 2e3]]),
            ],
        ),
        (
            "std",
            deviation,
            [
                edge([2.0, 2.0, 2.0], value=0, grads=[[0, 0, 0]]),
                edge([5.0], value=nan, grads=[[nan]]),
                edge([[1.0, 3.0]], 1, value=[math.sqrt(2)], grads=[[[-math.sqrt(0.5), math.sqrt(0.5)]]]),
                edge([1.0, nan], value=nan, grads=[[nan, nan]]),
            ],
        ),
    )
]

MOMENTS_WITH_MEAN = [
    case(
        f"{name}_mean",
        getattr(mg, f"{name}_mean"),
        lambda x, dim=None, correction=1, keepdim=False, f=reference: (
            f(x, dim, None, keepdim, correction),
            slices(mean_of)(x, None if isinstance(dim, bool) else dim, keepdim),
        ),
        *drawn(normal, UNEVEN_ROWS),
        sample(normal(3, 4), False),
        sample(normal(3, 4), dim=0, correction=0),
        covers=(getattr(mg, name), mg.mean),
        close=True,
    )
    for name, reference in (("var", variance), ("std", deviation))
]


def length(values: list[float], p: Any) -> float:
    """The p-norm of a list of numbers."""
    sizes = [abs(v) for v in values]
    if p in (inf, -inf):
        return max(sizes) if p > 0 else min(sizes)
    if p == 0:
        return sum(v != 0 for v in values)
    return math.hypot(*values) if p in ("fro", 2, None) else math.pow(math.fsum(v**p for v in sizes), 1 / p)


def norms(x: Any, p: Any = "fro", dim: Any = None, keepdim: bool = False) -> Any:
    return slices(lambda values: length(values, p))(x, dim, keepdim)


apart = away(0.0, margin=0.3)
NORMS = [
    case(
        "norm",
        mg.norm,
        norms,
        *drawn(normal, [*UNEVEN_ROWS, *EMPTY, *NO_ROWS]),
        sample(given([0.0, 3.0, -4.0])),
        *(sample(normal(3, 4), p) for p in (2, None, 3, 2.5)),
        *(sample(apart(3, 4), p, 1) for p in (1, 1.5, 0.5, -1, -2.5)),
        *(sample(given([[0.3, -1.0, 2.0], [0.5, 0.9, -1.7]]), p, *dim) for p in (inf, -inf) for dim in ((), (0,), (1, True))),
        sample(normal(2, 3, 4), 3, (0, 2), True),
        sample(apart(3, 4), 0),
        close=True,
        typed=[Typed((F32,), "float32"), Typed((F64, 3, 0), "float64"), Typed((F32,), "float64", {"dtype": np.float64})],
        edges=[
            edge([0.0, 0.0], value=0, grads=[[0, 0]]),
            edge([[0.0, 0.0], [3.0, -4.0]], 2, 1, value=[0, 5], grads=[[[0, 0], [0.6, -0.8]]]),
            edge([0.0, -2.0, nan], 1, value=nan, grads=[[0, -1, 0]]),
            edge([0.0, -4.0], 3, value=4, grads=[[0, -1]]),
            edge([0.0, 0.0], 3, value=0, grads=[[0, 0]]),
            edge([0.0, 4.0], 0.5, value=4, grads=[[0, 1]]),
            edge([0.0, 4.0], -1, value=0, grads=[[0, 0]]),
            edge([3.0, -3.0, 1.0], inf, value=3, grads=[[0.5, -0.5, 0]]),
            edge([3.0, -1.0, nan], -inf, value=nan, grads=[[0, 0, 0]]),
            edge([3.0, 0.0, nan], 0, value=2, grads=[[0, 0, 0]]),
            edge([inf, 1.0], value=inf, grads=[[nan, 0]]),
        ],
        refused=[
            *dim_errors(mg.norm, "norm"),
            Refused(
                lambda: mg.norm(mg.ones(2), "nuc"), (ArgumentError, RuntimeError), "norm: p must be a number, inf, -inf or 'fro'"
            ),
            Refused(lambda: mg.norm(mg.tensor([1])), (DtypeError, RuntimeError), "norm: expected a floating-point tensor"),
            Refused(lambda: mg.norm(mg.ones(0), inf), (ShapeError, RuntimeError), "norm: has no value for an empty axis"),
        ],
    ),
]

CASES: tuple[OpCase, ...] = (*MOMENTS, *MOMENTS_WITH_MEAN, *NORMS)
