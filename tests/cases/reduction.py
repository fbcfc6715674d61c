"""Reductions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from op_cases import (
    BOOL,
    F32,
    F64,
    I32,
    I64,
    U8,
    OpCase,
    Refused,
    Sample,
    Typed,
    case,
    distinct,
    edge,
    given,
    integers,
    mask,
    normal,
    sample,
)

import minigrad as mg
from minigrad.errors import DimError, DtypeError, ShapeError
from minigrad.ops import extremes

from .arithmetic import call_errors

inf, nan = math.inf, math.nan


def slices(function: Callable[[list[float]], Any], otype: Any = np.float64) -> Callable[..., Any]:
    """A function of a list of numbers, over all elements of an array or over those along `dim`."""

    def over(x: Any, dim: Any = None, keepdim: bool = False) -> Any:
        axes = tuple(range(x.ndim)) if dim is None or dim == () else tuple(d % max(x.ndim, 1) for d in np.atleast_1d(dim))
        axes = axes if x.ndim else ()
        kept = [i for i in range(x.ndim) if i not in axes]
        length = math.prod(x.shape[i] for i in axes)
        rows = np.transpose(x, [*kept, *axes]).reshape(math.prod(x.shape[i] for i in kept), length)
        values = np.array([function(row.tolist()) for row in rows], otype)
        return values.reshape([1 if i in axes else n for i, n in enumerate(x.shape)] if keepdim else [x.shape[i] for i in kept])

    return over


def mean_of(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else nan


DIMS: tuple[tuple[tuple[int, ...], dict[str, Any]], ...] = (
    ((3, 4), {}),
    ((3, 4), {"dim": 0}),
    ((3, 4), {"dim": -1}),
    ((3, 4), {"dim": 1, "keepdim": True}),
    ((2, 3, 4), {"dim": (0, 2)}),
    ((2, 3, 4), {"dim": [1, -1], "keepdim": True}),
    ((2, 3, 4), {"dim": 1}),
    ((3, 4), {"dim": ()}),
    ((3, 4), {"keepdim": True}),
    ((), {}),
    ((), {"dim": 0}),
    ((), {"dim": -1, "keepdim": True}),
    ((5,), {"dim": 0}),
    ((3, 1), {"dim": 1}),
)
EMPTY: tuple[tuple[tuple[int, ...], dict[str, Any]], ...] = (((0,), {}), ((0, 3), {"dim": 0}), ((2, 0, 3), {"dim": (0, 1)}))
NO_ROWS: tuple[tuple[tuple[int, ...], dict[str, Any]], ...] = (((0, 3), {"dim": 1}), ((2, 0, 3), {"dim": 2, "keepdim": True}))
ONE_DIM = tuple((shape, settings) for shape, settings in (*DIMS, *NO_ROWS) if isinstance(settings.get("dim"), int))


def drawn(draw: Any, rows: Sequence[tuple[tuple[int, ...], dict[str, Any]]], **more: Any) -> tuple[Sample, ...]:
    return tuple(sample(draw(*shape), **settings, **more) for shape, settings in rows)


def dim_errors(function: Any, name: str, several: bool = True) -> list[Refused]:
    found = [
        Refused(
            lambda: function(mg.ones(2, 3), dim=2),
            (DimError, IndexError),
            rf"{name}: dim 2 is out of range: the tensor has 2 axes, so dim must be in \[-2, 1\]",
        ),
        Refused(
            lambda: function(mg.ones(3), dim=-2),
            DimError,
            rf"{name}: dim -2 is out of range: the tensor has one axis, so dim must be in \[-1, 0\]",
        ),
        Refused(lambda: function(mg.tensor(1.0), dim=1), DimError, rf"{name}: dim 1 is out of range: the tensor has no axis"),
        Refused(lambda: function(mg.ones(2, 3), dim="x"), TypeError, f"{name}: dim must be an int, got 'x'"),
    ]
    twice = [
        Refused(
            lambda: function(mg.ones(2, 3), dim=(0, -2)), (ShapeError, RuntimeError), rf"{name}: dim \(0, -2\) names an axis twice"
        ),
        Refused(lambda: function(mg.ones(2, 3), dim=(0, 2)), DimError, f"{name}: dim 2 is out of range"),
    ]
    return found + twice if several else found


def empty_errors(function: Any, name: str) -> list[Refused]:
    return [
        Refused(
            lambda: function(mg.ones(0, 3), dim=0),
            (DimError, IndexError),
            rf"{name}: has no value for an empty axis \(shape \(0, 3\), dim \(0,\)\)",
        )
    ]


def first(best: Callable[..., Any]) -> Callable[[list[float]], int]:
    return lambda values: values.index(best(values))


SUMS = [
    case(
        "sum",
        mg.sum,
        slices(math.fsum),
        *drawn(normal, (*DIMS, *EMPTY, *NO_ROWS)),
        close=True,
        refused=[*dim_errors(mg.sum, "sum"), *call_errors(mg.sum, "sum")[:1]],
        edges=[
            edge([1e3, inf, nan], value=nan, grads=[[1, 1, 1]]),
            edge([1e3, inf, -inf], value=nan, grads=[[1, 1, 1]]),
            edge([[1.0, inf], [2.0, 0.0]], 0, value=[3, inf], grads=[[[1, 1], [1, 1]]]),
        ],
        typed=[
            Typed((I64,), "int64"),
            Typed((I32,), "int64"),
            Typed((U8,), "int64"),
            Typed((BOOL,), "int64"),
            Typed((F32,), "float32"),
            Typed((F64,), "float64"),
            Typed((I64,), "float32", {"dtype": np.float32}),
            Typed((F32,), "float64", {"dtype": np.float64}),
            Typed((F32, 0), "float32"),
        ],
    ),
    case(
        "sum[axis]",
        lambda x: mg.sum(x, axis=0, keepdims=True) + x.sum(1, keepdim=True),
        lambda x: np.add.outer(x.sum(1), x.sum(0)),
        sample(normal(3, 4)),
        covers=(mg.sum, mg.add),
        close=True,
    ),
    case(
        "mean",
        mg.mean,
        slices(mean_of),
        *drawn(normal, (*DIMS, *EMPTY, *NO_ROWS)),
        close=True,
        edges=[edge([1e3, inf, 0.0, 0.0], value=inf, grads=[[0.25] * 4]), edge([1.0, nan], value=nan, grads=[[0.5, 0.5]])],
        typed=[Typed((F32,), "float32"), Typed((F64, 0), "float64"), Typed((I64,), "float32", {"dtype": np.float32})],
        refused=[
            *dim_errors(mg.mean, "mean"),
            Refused(
                lambda: mg.mean(mg.tensor([1, 2])),
                (DtypeError, RuntimeError),
                "mean: expected a floating-point tensor, got dtype int64",
            ),
        ],
    ),
]

EXTREMES = (
    [
        case(
            name,
            getattr(mg, name),
            slices(best),
            *drawn(distinct, (*DIMS, *NO_ROWS)),
            edges=edges,
            typed=[Typed((x, 0), x.dtype.name) for x in (I64, I32, U8, F32, F64, BOOL)],
            refused=[
                *dim_errors(getattr(mg, name), name),
                *empty_errors(getattr(mg, name), name),
                Refused(lambda f=getattr(mg, name): f(mg.ones(0)), (ShapeError, RuntimeError), f"{name}: has no value"),
            ],
        )
        for name, best, edges in (
            (
                "amax",
                max,
                [
                    edge([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]], 1, value=[3, 2], grads=[[[0, 0.5, 0.5], [1 / 3] * 3]]),
                    edge([nan, 1.0, nan], value=nan, grads=[[0.5, 0, 0.5]]),
                    edge([-inf, 1e3, inf], value=inf, grads=[[0, 0, 1]]),
                    edge([[5.0, 1.0], [0.0, 5.0]], value=5, grads=[[[0.5, 0], [0, 0.5]]]),
                ],
            ),
            (
                "amin",
                min,
                [
                    edge([[1.0, 1.0, 3.0], [2.0, 2.0, 2.0]], 1, value=[1, 2], grads=[[[0.5, 0.5, 0], [1 / 3] * 3]]),
                    edge([nan, 1.0, nan], value=nan, grads=[[0.5, 0, 0.5]]),
                    edge([-inf, -1e3, inf], value=-inf, grads=[[1, 0, 0]]),
                ],
            ),
        )
    ]
    + [
        case(
            name,
            getattr(mg, name),
            slices(first(best), np.int64),
            *drawn(distinct, [row for row in (*DIMS, *NO_ROWS) if not isinstance(row[1].get("dim"), (tuple, list))]),
            order=0,
            edges=[
                edge([[1.0, 3.0, 3.0], [2.0, 2.0, 1.0]], 1, value=tied),
                edge([1.0, nan, 2.0], value=1),
                edge([[1.0, 2.0], [3.0, 0.0]], value=flat),
            ],
            typed=[Typed((x,), "int64") for x in (I64, I32, U8, F32, F64)],
            refused=[
                *dim_errors(getattr(mg, name), name, several=False),
                *empty_errors(getattr(mg, name), name),
                Refused(lambda f=getattr(mg, name): f(mg.ones(0)), (DimError, IndexError), f"{name}: has no value"),
            ],
        )
        for name, best, tied, flat in (("argmax", max, [1, 0], 2), ("argmin", min, [0, 2], 3))
    ]
    + [
        case(
            name,
            getattr(mg, name),
            slices(best),
            *(sample(distinct(*shape)) for shape in ((3, 4), (), (5,), (2, 3, 2))),
            covers=(covers,),
            edges=[edge([1.0, 1.0], value=1, grads=[[0.5, 0.5]]), edge([2.0, nan], value=nan, grads=[[0, 1]])],
            typed=[Typed((x,), x.dtype.name) for x in (I64, F32, F64)],
            refused=[
                Refused(lambda f=getattr(mg, name): f(mg.ones(0, 3)), (ShapeError, RuntimeError), "has no value for an empty axis")
            ],
        )
        for name, best, covers in (("max", max, mg.amax), ("min", min, mg.amin))
    ]
    + [
        case(
            f"{name}[dim]",
            getattr(mg, name),
            lambda x, dim, keepdim=False, best=best: (
                slices(best)(x, dim, keepdim),
                slices(first(best), np.int64)(x, dim, keepdim),
            ),
            *drawn(distinct, ONE_DIM),
            sample(distinct(3, 4), 1),
            sample(distinct(3, 4), 0, True),
            covers=(extremes.pick, covers),
            edges=[
                edge([[1.0, 3.0, 3.0], [-2.0, -2.0, -2.0]], 1, value=(values, indices), grads=[grads]),
                edge([[1.0, nan, nan]], 1, value=([nan], [1]), grads=[[[0, 1, 0]]]),
            ],
            refused=[
                *dim_errors(getattr(mg, name), name, several=False),
                *empty_errors(getattr(mg, name), name),
                Refused(lambda f=getattr(mg, name): f(mg.ones(2, 3), (0, 1)), TypeError, f"{name}: dim must be an int"),
            ],
        )
        for name, best, covers, values, indices, grads in (
            ("max", max, mg.argmax, [3, -2], [1, 0], [[0, 1, 0], [1, 0, 0]]),
            ("min", min, mg.argmin, [1, -2], [0, 0], [[1, 0, 0], [1, 0, 0]]),
        )
    ]
    + [
        case(
            f"{name}[other]",
            lambda a, b, f=getattr(mg, name): f(a, b) + f(a, other=b),
            lambda a, b, best=best: 2 * best(np.stack(np.broadcast_arrays(a, b)), axis=0),
            sample(distinct(3, 4), given([7.13, 0.07, -7.0, 0.23])),
            covers=(covers,),
        )
        for name, best, covers in (("max", np.max, mg.maximum), ("min", np.min, mg.minimum))
    ]
)

LOGSUMEXP = [
    case(
        "logsumexp",
        mg.logsumexp,
        slices(lambda values: max(values) + math.log(math.fsum(math.exp(v - max(values)) for v in values)) if values else -inf),
        *drawn(normal, [row for row in (*DIMS, *NO_ROWS) if "dim" in row[1]]),
        sample(normal(3, 4), 0),
        sample(normal(0, 3), 0),
        sample(given([0.0, 0.0, 1.0]), 0),
        sample(given([800.0, 801.0, 800.5]), 0),
        close=True,
        edges=[
            edge([1e4, 0.0, 1e4], 0, value=1e4 + math.log(2), grads=[[0.5, 0, 0.5]]),
            edge([-1e4, -1e4], 0, value=-1e4 + math.log(2)),
            edge([-inf, 0.0], 0, value=0, grads=[[0, 1]]),
            edge([-inf, -inf], 0, value=-inf, grads=[[0, 0]]),
            edge([inf, 0.0], 0, value=inf, grads=[[nan, 0]]),
            edge([nan, 0.0], 0, value=nan, grads=[[nan, nan]]),
        ],
        typed=[Typed((F32, 0), "float32"), Typed((F64, 0), "float64"), Typed((I64, 0), "float32"), Typed((BOOL, 0), "float32")],
        refused=[
            *dim_errors(mg.logsumexp, "logsumexp"),
            Refused(lambda: mg.logsumexp(mg.ones(2)), TypeError, "logsumexp: argument 'dim' is missing"),
        ],
    ),
]

TRUTH_DTYPES = tuple(Typed((x,), "uint8" if x is U8 else "bool") for x in (I64, I32, U8, F32, F64, BOOL))

TRUTH = [
    case(
        "all",
        mg.all,
        slices(all, np.bool_),
        *drawn(mask, (*DIMS, *EMPTY, *NO_ROWS)),
        sample(integers(0, 3)(4, 3), 1),
        order=0,
        typed=TRUTH_DTYPES,
        refused=dim_errors(mg.all, "all"),
        edges=[edge([nan, 1.0], value=True), edge([0.0, 1.0], value=False)],
    ),
    case(
        "any",
        mg.any,
        slices(any, np.bool_),
        *drawn(mask, (*DIMS, *EMPTY, *NO_ROWS)),
        sample(integers(0, 2)(4, 3), 1),
        order=0,
        typed=TRUTH_DTYPES,
        refused=dim_errors(mg.any, "any"),
        edges=[edge([nan, 0.0], value=True), edge([0.0, -0.0], value=False)],
    ),
]

COUNTS = [
    case(
        "count_nonzero",
        mg.count_nonzero,
        slices(lambda values: sum(v != 0 for v in values), np.int64),
        *drawn(integers(-1, 2), [row for row in (*DIMS, *EMPTY, *NO_ROWS) if "keepdim" not in row[1]]),
        order=0,
        typed=[Typed((x,), "int64") for x in (I64, U8, F32, F64, BOOL)],
        refused=dim_errors(mg.count_nonzero, "count_nonzero"),
        edges=[edge([nan, 0.0, -0.0, 1.0], value=2)],
    ),
    *(
        case(
            name,
            getattr(mg, name),
            slices(lambda values, f=function: f([v for v in values if v == v])),
            *drawn(normal, (*DIMS, *NO_ROWS)),
            covers=(mg.sum, mg.where),
            close=True,
            edges=[edge([[1.0, nan, 5.0], [nan, nan, 2.0]], 1, value=value, grads=[grads]), edge([nan], value=empty)],
            typed=typed,
            refused=[*dim_errors(getattr(mg, name), "sum"), *refused],
        )
        for name, function, value, grads, empty, typed, refused in (
            ("nansum", math.fsum, [6, 2], [[1, 0, 1], [0, 0, 1]], 0, [Typed((I64,), "int64"), Typed((F32,), "float32")], []),
            (
                "nanmean",
                mean_of,
                [3, 2],
                [[0.5, 0, 0.5], [0, 0, 1]],
                nan,
                [Typed((F32,), "float32"), Typed((F64, 0), "float64")],
                [Refused(lambda: mg.nanmean(mg.tensor([1])), (DtypeError, RuntimeError), "nanmean: expected a floating-point")],
            ),
        )
    ),
    case(
        "aminmax",
        mg.aminmax,
        lambda x, dim=None, keepdim=False: (slices(min)(x, dim, keepdim), slices(max)(x, dim, keepdim)),
        *drawn(distinct, [row for row in DIMS if not isinstance(row[1].get("dim"), (tuple, list))]),
        covers=(mg.amin, mg.amax),
        edges=[edge([1.0, 3.0, 1.0], value=(1, 3), grads=[[0.5, 0, 0.5]])],
    ),
]

CASES: tuple[OpCase, ...] = (*SUMS, *EXTREMES, *LOGSUMEXP, *TRUTH, *COUNTS)
