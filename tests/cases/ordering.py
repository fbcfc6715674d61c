"""Sorting, medians and counting."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from typing import Any

import numpy as np
from op_cases import BOOL, F32, F64, I32, I64, U8, OpCase, Refused, Typed, case, distinct, edge, given, integers, sample

import minigrad as mg
from minigrad.errors import ArgumentError, DimError, InputTypeError, ShapeError
from minigrad.ops import extremes, ordering

from .reduction import ONE_DIM, dim_errors, drawn, empty_errors

inf, nan = math.inf, math.nan


def ordered(x: Any, dim: int = -1, descending: bool = False, stable: bool = False) -> tuple[Any, Any]:
    """Values and indices, each row sorted by Python, which keeps the order of equal elements."""
    if not x.ndim:
        return x, np.zeros((), int)
    rows = np.moveaxis(x, dim, -1)
    places = np.zeros(rows.shape, int)
    for row in np.ndindex(rows.shape[:-1]):
        values = rows[row].tolist()
        places[row] = sorted(range(len(values)), key=lambda i, v=values: -v[i] if descending else v[i])
    places = np.moveaxis(places, -1, dim)
    return np.take_along_axis(x, places, dim), places


def best(x: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> tuple[Any, Any]:
    values, places = ordered(x, dim, largest)
    part = (slice(None),) * (dim % max(x.ndim, 1)) + (slice(k),)
    return (values[part], places[part]) if x.ndim else (values, places)


def ranked(x: Any, k: int, dim: int = -1, keepdim: bool = False) -> tuple[Any, Any]:
    found = [np.take(a, [k - 1], dim) if x.ndim else a for a in ordered(x, dim)]
    return tuple(found) if keepdim or not x.ndim else tuple(np.squeeze(a, dim) for a in found)  # type: ignore[return-value]


def middle(x: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    if dim is None:
        return np.asarray(statistics.median_low(x.ravel().tolist()))
    return ranked(x, (x.shape[dim] + 1) // 2 if x.ndim else 1, dim, keepdim)


ORDERS: tuple[Any, ...] = (
    ((3, 4), {}),
    ((3, 4), {"dim": 0}),
    ((2, 3, 4), {"dim": 1, "descending": True}),
    ((), {}),
    ((0, 3), {"dim": 0}),
)
TIES = given([[1.0, 3.0, 1.0, 3.0], [2.0, 2.0, 2.0, 0.0]])
INDICES_ONLY = [Typed((x,), "int64") for x in (I64, I32, U8, F32, F64)]
VALUES = [Typed((x,), x.dtype.name) for x in (I64, I32, U8, F32, F64)]


def rank_errors(function: Any, name: str, least: int) -> list[Refused]:
    return [
        Refused(
            lambda: function(mg.ones(2, 3), 4),
            (ArgumentError, RuntimeError),
            rf"{name}: k must be in \[{least}, 3\] for 3 elements along the axis, got 4",
        ),
        Refused(lambda: function(mg.ones(2, 3), 1.5), (InputTypeError, TypeError), f"{name}: k must be an int, got 1.5"),
        Refused(lambda: function(mg.ones(2, 3), 1, 2), (DimError, IndexError), f"{name}: dim 2 is out of range"),
    ]


SORTING = [
    case(
        "argsort",
        mg.argsort,
        lambda *args, **settings: ordered(*args, **settings)[1],
        *drawn(distinct, ORDERS),
        sample(TIES),
        sample(TIES, descending=True, stable=True),
        order=0,
        typed=INDICES_ONLY,
        edges=[
            edge([nan, 3.0, 1.0, nan, 3.0], value=[2, 1, 4, 0, 3]),
            edge([nan, 3.0, 1.0, nan, 3.0], value=[0, 3, 1, 4, 2], descending=True),
            edge([0.0, -0.0, -inf, inf], value=[2, 0, 1, 3]),
        ],
        refused=dim_errors(mg.argsort, "argsort", several=False),
    ),
    case(
        "sort",
        mg.sort,
        ordered,
        *drawn(distinct, ORDERS),
        covers=(mg.argsort, extremes.pick),
        typed=VALUES,
        edges=[
            edge([3.0, nan, 1.0], value=([1, 3, nan], [2, 0, 1]), grads=[[1, 1, 1]]),
            edge([1.0, 2.0, 1.0], value=([2, 1, 1], [1, 0, 2]), descending=True),
        ],
        refused=dim_errors(mg.sort, "sort", several=False),
    ),
    case(
        "topk",
        mg.topk,
        best,
        sample(distinct(3, 4), 2),
        sample(distinct(3, 4), 2, 0),
        sample(distinct(3, 4), 3, largest=False),
        sample(distinct(2, 3, 4), 2, 1, True, False),
        sample(distinct(3, 4), 0),
        sample(distinct(5), 5),
        sample(distinct(2, 70), 3),
        sample(distinct(70, 2), 4, 0, largest=False),
        sample(distinct(), 1),
        covers=(extremes.pick,),
        edges=[
            edge([1.0, 3.0, 3.0, 2.0], 1, value=([3], [1]), grads=[[0, 1, 0, 0]]),
            edge([1.0, nan, inf, *[0.5] * 70, nan, -inf, 0.0], 3, value=([nan, nan, inf], [1, 73, 2])),
            edge([1.0, nan, inf, *[0.5] * 70, nan, -inf, 0.0], 2, value=([-inf, 0], [74, 75]), largest=False),
            edge([1.0, nan, inf], 2, value=([nan, inf], [1, 2]), grads=[[0, 1, 1]]),
        ],
        typed=[Typed((I64, 2), "int64"), Typed((F32, 1), "float32")],
        refused=rank_errors(mg.topk, "topk", 0),
    ),
    case(
        "kthvalue",
        mg.kthvalue,
        ranked,
        sample(distinct(3, 4), 2),
        sample(distinct(3, 4), 3, 0, True),
        sample(distinct(2, 3, 4), 1, 1),
        sample(distinct(), 1),
        covers=(extremes.pick,),
        edges=[edge([1.0, nan, 0.0], 3, value=(nan, 1), grads=[[0, 1, 0]])],
        refused=[
            *rank_errors(mg.kthvalue, "kthvalue", 1),
            Refused(lambda: mg.kthvalue(mg.ones(2), 0), ArgumentError, "kthvalue: k must be in"),
            Refused(lambda: mg.kthvalue(mg.ones(0, 3), 1, 0), (DimError, IndexError), "kthvalue: has no value for an empty axis"),
        ],
    ),
    case(
        "median",
        mg.median,
        middle,
        *(sample(distinct(*shape)) for shape in ((3, 4), (5,), (), (2, 3, 3))),
        covers=(ordering.median_of_all,),
        typed=VALUES,
        edges=[
            edge([2.0, 1.0, 2.0, 5.0], value=2, grads=[[0.5, 0, 0.5, 0]]),
            edge([2.0, nan, nan, 5.0], value=nan, grads=[[0, 0.5, 0.5, 0]]),
            edge(np.zeros(0), value=nan, grads=[np.zeros(0)]),
        ],
        refused=[Refused(lambda: mg.zeros(0, dtype=mg.int64).median(), (ShapeError, RuntimeError), "median: has no value")],
    ),
    case(
        "median[dim]",
        mg.median,
        middle,
        *drawn(distinct, ONE_DIM[:-2]),
        covers=(extremes.pick,),
        edges=[
            edge([[2.0, 1.0, 2.0, 5.0]], 1, value=([2], [0]), grads=[[[1, 0, 0, 0]]]),
            edge([[2.0, nan, nan], [1.0, 0.0, 3.0]], 1, value=([nan, 1], [1, 0]), grads=[[[0, 1, 0], [1, 0, 0]]]),
        ],
        refused=[*dim_errors(mg.median, "median", several=False), *empty_errors(mg.median, "median")],
    ),
]


def occurrences(x: Any) -> tuple[Any, Any, Any]:
    """Values, their places and counts, from a dictionary."""
    counts = Counter(x.ravel().tolist())
    values = sorted(counts)
    return np.array(values, x.dtype), np.vectorize(values.index, otypes=[int])(x), np.array([counts[v] for v in values])


def counted(x: Any, weights: Any = None, minlength: int = 0) -> Any:
    out = np.zeros(max([minlength, *(x + 1)]), int if weights is None else weights.dtype)
    for i, weight in zip(x, np.ones(x.size, int) if weights is None else weights, strict=True):
        out[i] += weight
    return out


def inserted(rows: Any, values: Any, right: bool = False, side: str | None = None, sorter: Any = None, **_: Any) -> Any:
    values = np.asarray(values)
    rows = rows if sorter is None else np.sort(rows)
    behind = right or side == "right"
    rows = rows if rows.ndim == 1 else rows[..., None, :]
    below = rows <= values[..., None] if behind else rows < values[..., None]
    return below.sum(-1)


REPEATED = given([[1, 0], [1, 2], [1, 0]])
ROWS = (np.array([[1, 0], [1, 2]]), np.array([0, 1, 0]))
COLUMNS = (np.array([[0, 1], [2, 1], [0, 1]]), np.array([1, 0]))

COUNTING = [
    case(
        "unique",
        lambda x, **settings: mg.unique(x.clone(), **settings),
        lambda x, return_inverse=False, return_counts=False: tuple(
            a for a, want in zip(occurrences(x), (True, return_inverse, return_counts), strict=True) if want
        ),
        sample(integers(-2, 3)(3, 4)),
        sample(integers(-2, 3)(3, 4), return_inverse=True),
        sample(integers(-2, 3)(7), return_counts=True),
        sample(integers(-2, 3)(3, 4), return_inverse=True, return_counts=True),
        sample(given([True, False, True])),
        covers=(mg.clone,),
        order=0,
        typed=[Typed((x,), x.dtype.name) for x in (I64, I32, F32, F64, BOOL)],
        edges=[edge([nan, 1.0, nan], value=[1, nan, nan]), edge([0.0, -0.0], value=[0])],
        refused=[Refused(lambda: mg.unique(mg.ones(2, 3), dim=2), (DimError, IndexError), "unique: dim 2 is out of range")],
    ),
    case(
        "unique[dim]",
        lambda x, dim: mg.unique(x.clone(), return_inverse=True, dim=dim),
        lambda x, dim: ROWS if dim == 0 else COLUMNS,
        sample(REPEATED, 0),
        sample(REPEATED, 1),
        covers=(mg.clone,),
        order=0,
    ),
    case(
        "bincount[vector]",
        lambda x, *rest, **settings: mg.bincount(x.clone(), *rest, **settings),
        counted,
        sample(integers(0, 5)(9)),
        sample(integers(0, 3)(4), minlength=6),
        sample(integers(0, 3)(0)),
        sample(integers(0, 4)(4), given([0.5, 1.0, 0.25, 2.0])),
        fixed=[1],
        covers=(mg.clone,),
        order=0,
        typed=[Typed((I64,), "int64"), Typed((I32,), "int64"), Typed((I64, F32), "float32"), Typed((I64, F64), "float64")],
        refused=[
            Refused(
                lambda: mg.bincount(mg.tensor([-1])),
                (ArgumentError, RuntimeError),
                "bincount: input must be a vector of non-negative",
            ),
            Refused(lambda: mg.bincount(mg.ones(2)), ArgumentError, r"got shape \(2,\), dtype float32"),
            Refused(lambda: mg.bincount(mg.tensor([1]), minlength=-1), ArgumentError, "minlength must be at least 0, got -1"),
            Refused(lambda: mg.bincount(mg.tensor([1]), mg.ones(2)), (ShapeError, RuntimeError), "must have the same shape"),
        ],
    ),
    case(
        "bucketize",
        lambda values, bounds, **settings: mg.bucketize(values.clone(), bounds, **settings),
        lambda values, bounds, **settings: inserted(bounds, values, **settings),
        sample(integers(0, 10)(2, 3), given([1, 3, 5, 5, 8])),
        sample(given([1.0, 2.5]), given([1.0, 2.0]), right=True),
        covers=(mg.clone,),
        order=0,
        refused=[
            Refused(lambda: mg.bucketize(1.0, mg.ones(2, 2)), (ShapeError, RuntimeError), "bucketize: boundaries must be a vector"),
            Refused(lambda: mg.bucketize(1.0, [1.0]), TypeError, "bucketize: boundaries must be a Tensor, got list"),
        ],
    ),
    case(
        "searchsorted",
        lambda rows, values, **settings: mg.searchsorted(rows.clone(), values, **settings),
        inserted,
        sample(given([1, 3, 5, 5, 8]), integers(0, 10)(2, 3)),
        sample(given([1, 3, 5, 5, 8]), integers(0, 10)(2, 3), right=True),
        sample(given([[1, 3, 5], [2, 2, 9]]), integers(0, 10)(2, 4), side="right"),
        sample(given([1.0, 2.0]), 1.0),
        sample(given([1, 3, 5]), integers(0, 6)(4), out_int32=True),
        sample(given([[5, 1, 3], [2, 9, 2]]), integers(0, 10)(2, 4), sorter=mg.tensor([[1, 2, 0], [0, 2, 1]])),
        covers=(mg.clone,),
        order=0,
        typed=[Typed((F64, 1.0), "int64"), Typed((F64, 1.0), "int32", {"out_int32": True})],
        refused=[
            Refused(
                lambda: mg.searchsorted(mg.ones(2, 3), mg.ones(3, 1)),
                (ShapeError, RuntimeError),
                "all axes but the last must agree",
            ),
            Refused(
                lambda: mg.searchsorted(mg.ones(3), 1.0, side="up"), (ArgumentError, RuntimeError), "side must be 'left' or 'right'"
            ),
        ],
    ),
]

CASES: tuple[OpCase, ...] = (*SORTING, *COUNTING)
