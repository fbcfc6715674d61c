"""Running sums and products, and products."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from op_cases import BOOL, F32, F64, I32, I64, U8, OpCase, Refused, Typed, case, distinct, edge, given, normal, sample, uniform

import minigrad as mg
from minigrad.errors import DimError, InputTypeError
from minigrad.ops import extremes, scan

from .reduction import DIMS, EMPTY, NO_ROWS, dim_errors, drawn, slices

inf, nan = math.inf, math.nan
ZEROS = ([[0.0, 2.0, 3.0], [1.5, 0.0, 0.0], [-1.0, 2.0, 0.5]], [0.0, 0.0, 2.0, 3.0], [2.0, 0.0, -3.0])


def running(function: Callable[[Any, Any], Any], otype: Any = np.float64) -> Callable[..., Any]:
    """Every prefix along an axis reduced by a function of two numbers."""

    def over(x: Any, dim: int) -> Any:
        if not x.ndim:
            return np.asarray(x, otype)
        rows = np.moveaxis(x, dim, -1)
        out = np.zeros(rows.shape, otype)
        for row in np.ndindex(rows.shape[:-1]):
            out[row] = list(itertools.accumulate(rows[row].tolist(), function))
        return np.moveaxis(out, -1, dim)

    return over


def recurrence(a: Any, b: Any) -> Any:
    """sₖ = Σⱼ bⱼ aⱼ₊₁ … aₖ, term by term."""
    terms = range(b.shape[-1])
    return np.stack([sum(b[..., j] * np.prod(a[..., j + 1 : k + 1], -1) for j in range(k + 1)) for k in terms], -1)


def log_add(a: float, b: float) -> float:
    high, low = max(a, b), min(a, b)
    return high + math.log1p(math.exp(low - high))


ALONG = tuple(
    sample(normal(*shape), dim)
    for shape, dim in (((3, 4), 0), ((3, 4), -1), ((2, 3, 2), 1), ((5,), 0), ((0, 3), 0), ((), 0), ((1,), -1))
)
WIDE = (
    Typed((I64, 0), "int64"),
    Typed((I32, 0), "int64"),
    Typed((U8, 0), "int64"),
    Typed((BOOL, 0), "int64"),
    Typed((F32, 0), "float32"),
)


def scan_errors(function: Any, name: str) -> list[Refused]:
    return [
        Refused(
            lambda: function(mg.ones(2, 3), 2), (DimError, IndexError), f"{name}: dim 2 is out of range: the tensor has 2 axes"
        ),
        Refused(lambda: function(mg.ones(2, 3)), TypeError, f"{name}: argument 'dim' is missing"),
        Refused(lambda: function(mg.ones(2, 3), (0, 1)), TypeError, f"{name}: dim must be an int"),
    ]


SCANS = [
    case(
        "linear_scan",
        scan.linear_scan,
        recurrence,
        sample(normal(3, 5), normal(3, 5)),
        sample(normal(4), normal(4)),
        sample(normal(2, 1, 3), normal(2, 1, 3)),
        sample(given([0.0, 0.0, 2.0, 0.0]), normal(4)),
        sample(normal(2, 1), normal(2, 1)),
        close=True,
        edges=[edge([inf, 2.0, 0.0], [1.0, 3.0, 4.0], value=[1, 5, 4], grads=[[0, 1, 5], [3, 1, 1]])],
    ),
    case(
        "cumsum",
        mg.cumsum,
        running(lambda a, b: a + b),
        *ALONG,
        close=True,
        typed=[*WIDE, Typed((F64, 0), "float64"), Typed((I64, 0), "float32", {"dtype": np.float32})],
        edges=[edge([1.0, inf, -inf, 2.0], 0, value=[1, inf, nan, nan], grads=[[4, 3, 2, 1]])],
        refused=scan_errors(mg.cumsum, "cumsum"),
    ),
    case(
        "cumprod",
        mg.cumprod,
        running(lambda a, b: a * b),
        *ALONG,
        *(sample(given(rows), -1) for rows in ZEROS),
        sample(given(ZEROS[0]), 0),
        close=True,
        typed=[*WIDE, Typed((F64, 0), "float64"), Typed((I64, 0), "float32", {"dtype": np.float32})],
        edges=[
            edge([0.0, 2.0, 3.0], 0, value=[0, 0, 0], grads=[[1 + 2 + 6, 0, 0]]),
            edge([2.0, 0.0, 0.0], 0, value=[2, 0, 0], grads=[[1, 2, 0]]),
            edge([1.0, nan, 3.0], 0, value=[1, nan, nan], grads=[[nan, 4, nan]]),
        ],
        refused=scan_errors(mg.cumprod, "cumprod"),
    ),
    case(
        "logcumsumexp",
        mg.logcumsumexp,
        running(log_add),
        *ALONG,
        close=True,
        typed=[Typed((F32, 0), "float32"), Typed((F64, 0), "float64"), Typed((I64, 0), "float32")],
        edges=[
            edge([1e4, 0.0, 1e4], 0, value=[1e4, 1e4, 1e4 + math.log(2)], grads=[[2.5, 0, 0.5]], dtypes=["float64"]),
            edge([-inf, -inf, 0.0], 0, value=[-inf, -inf, 0], grads=[[0, 0, 1]]),
            edge([-1e4, -1e4], 0, value=[-1e4, -1e4 + math.log(2)], grads=[[1.5, 0.5]], dtypes=["float64"]),
            edge([nan, 0.0], 0, value=[nan, nan], grads=[[nan, nan]]),
        ],
        refused=scan_errors(mg.logcumsumexp, "logcumsumexp"),
    ),
    case(
        "prod",
        mg.prod,
        slices(math.prod),
        *drawn(normal, (*DIMS, *EMPTY, *NO_ROWS)),
        *(sample(given(rows)) for rows in ZEROS),
        *(sample(given(ZEROS[0]), dim=dim) for dim in (0, 1, (0, 1))),
        sample(given([[[0.0, 1.5], [2.0, 0.0]], [[3.0, 0.0], [1.0, 2.0]]]), dim=(0, 2), keepdim=True),
        close=True,
        covers=(scan.prod_along,),
        typed=[
            *(Typed((x,), "int64") for x in (I64, I32, U8, BOOL)),
            Typed((F32,), "float32"),
            Typed((F64, 0), "float64"),
            Typed((F32,), "float64", {"dtype": np.float64}),
        ],
        edges=[
            edge([0.0, 2.0, 3.0], value=0, grads=[[6, 0, 0]]),
            edge([0.0, 0.0, 3.0], value=0, grads=[[0, 0, 0]]),
            edge([-0.0, 2.0, -3.0], value=0, grads=[[-6, 0, 0]]),
            edge([0.0, inf], value=nan, grads=[[inf, 0]]),
        ],
        refused=[
            *dim_errors(mg.prod, "prod"),
            Refused(
                lambda: mg.prod([1.0, 2.0]), (InputTypeError, TypeError), "prod: input must be a Tensor, got list; make it one"
            ),
        ],
    ),
    case(
        "prod[axis]",
        lambda x: mg.prod(x, axis=0, keepdims=True) + mg.max(x, axis=1, keepdims=True).values,
        lambda x: slices(math.prod)(x, 0, True) + slices(max)(x, 1, True),
        sample(distinct(3, 4)),
        covers=(scan.prod_along, extremes.pick),
        close=True,
    ),
    case(
        "prod[array]",
        lambda x: mg.prod(x.numpy()) + x,
        lambda x: math.prod(x.tolist()) + x,
        sample(given([2, 3])),
        covers=(mg.add,),
        order=0,
    ),
    case(
        "Tensor.cumsum_",
        lambda x: (x * 1).cumsum_(0).cumprod_(1),
        lambda x: running(lambda a, b: a * b)(running(lambda a, b: a + b)(x, 0), 1),
        sample(uniform(0.5, 1)(3, 4)),
        covers=(mg.cumsum, mg.cumprod, mg.mul),
        close=True,
    ),
    case(
        "Tensor.cumprod_",
        lambda x: (x * 1).cumprod_(0),
        lambda x: running(lambda a, b: a * b)(x, 0),
        sample(normal(3, 4)),
        covers=(mg.cumprod, mg.mul),
        close=True,
    ),
]

CASES: tuple[OpCase, ...] = tuple(SCANS)
