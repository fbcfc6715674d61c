"""Losses of regression, and what the tables of losses share."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from op_cases import F32, F64, I64, OpCase, Refused, Sample, Typed, away, case, edge, given, lattice, normal, sample, uniform

import minigrad as mg
from minigrad.errors import ArgumentError, InputTypeError, ShapeError
from minigrad.nn import functional as F

inf, nan = math.inf, math.nan
probability = uniform(0.05, 0.95)
REDUCTIONS = ("mean", "sum", "none")


def reduced(losses: Any, reduction: str, divisor: float | None = None) -> Any:
    losses = np.asarray(losses, np.float64)
    if reduction == "none":
        return losses
    total = math.fsum(losses.ravel())
    return np.float64(total) if reduction == "sum" else np.float64(total) / (losses.size if divisor is None else divisor)


def each(loss: Callable[..., float]) -> Callable[..., Any]:
    """A loss of one element, with a reduction, over arrays."""

    def over_arrays(*values: Any, reduction: str = "mean", **settings: Any) -> Any:
        arrays = np.broadcast_arrays(*[v for v in values if v is not None])
        flat = [loss(*map(float, row), **settings) for row in zip(*(a.ravel() for a in arrays), strict=True)]
        return reduced(np.reshape(flat, arrays[0].shape), reduction)

    return over_arrays


def weighted(loss: Callable[..., float], by_weights: bool) -> Callable[..., Any]:
    """A loss of one element, with weights; the mean divides by their sum, or by their number."""

    def over_arrays(x: Any, t: Any, reduction: str = "mean", weight: Any = None, **settings: Any) -> Any:
        w = np.ones(np.shape(x)) if weight is None else weight
        terms = each(lambda x, t, w: w * loss(x, t, **settings))(x, t, w, reduction="none")
        return reduced(terms, reduction, math.fsum(w.ravel()) if by_weights else None)

    return over_arrays


def by_keyword(loss: Any) -> Callable[..., Any]:
    """A loss whose weight is a keyword, for samples, which give their arrays by position."""

    def call(input: Any, target: Any, *settings: Any, **more: Any) -> Any:
        return loss(input, target, *settings[:1], **({"weight": settings[1]} if len(settings) > 1 else {}), **more)

    return call


def with_weights(left: Any, right: Any, **settings: Any) -> tuple[Sample, ...]:
    weights = uniform(0.5, 2)
    return tuple(sample(left(*s), right(*s), r, weights(*s), **settings) for s in ((3, 4), ()) for r in REDUCTIONS)


def regression(draws: tuple[Any, Any], **settings: Any) -> tuple[Sample, ...]:
    left, right = draws
    shaped = [sample(left(*s), right(*s), reduction=r, **settings) for s in ((3, 4), (5,), ()) for r in REDUCTIONS]
    empty = [sample(left(0, 3), right(0, 3), reduction=r, **settings) for r in ("sum", "none")]
    return (*shaped, *empty, sample(left(3, 4), right(3, 4), **settings))


def regression_errors(function: Any, name: str) -> list[Refused]:
    return [
        Refused(
            lambda: function(mg.ones(3, 1), mg.ones(3)),
            (ShapeError, ValueError),
            rf"{name}: input and target must have the same shape, got input \(3, 1\), target \(3,\)",
        ),
        Refused(
            lambda: function(mg.ones(3), mg.ones(3), reduction="max"),
            (ArgumentError, ValueError),
            f"{name}: reduction must be one of 'none', 'mean', 'sum', got 'max'",
        ),
        Refused(lambda: function(mg.ones(3)), (InputTypeError, TypeError), f"{name}: argument 'target' is missing"),
        Refused(lambda: function(mg.ones(3), "x"), TypeError, f"{name}: target must be a Tensor or a number, got str"),
    ]


def weight_errors(function: Any, name: str) -> list[Refused]:
    return [
        Refused(
            lambda: function(mg.ones(3, 4), mg.ones(3, 4), weight=mg.ones(4)),
            (ShapeError, ValueError),
            rf"{name}: input and weight must have the same shape, got input \(3, 4\), weight \(4,\)",
        ),
        Refused(
            lambda: function(mg.ones(3), mg.ones(3), weight="x"), TypeError, f"{name}: weight must be a Tensor or a number, got str"
        ),
    ]


NOTHING = np.zeros((0, 3))
MEAN_OF_NOTHING = edge(NOTHING, NOTHING, value=nan, grads=[NOTHING, NOTHING])
PAIR = (lattice(0, 4), lattice(1, 4))
TYPES = [Typed((F32, F32), "float32"), Typed((F32, F64), "float64"), Typed((I64, I64), "float32"), Typed((F32, I64), "float64")]

REGRESSION = [
    case(
        "mse_loss",
        by_keyword(F.mse_loss),
        weighted(lambda x, t: (x - t) ** 2, by_weights=True),
        *regression((normal, normal)),
        *with_weights(normal, normal),
        sample(given([0.0, 1.0]), given([0.0, 1.0])),
        covers=[F.mse_loss],
        close=True,
        typed=TYPES,
        refused=[*regression_errors(F.mse_loss, "mse_loss"), *weight_errors(F.mse_loss, "mse_loss")],
        edges=[
            MEAN_OF_NOTHING,
            edge([1.0, 2.0], [0.0, 0.0], "mean", [0.0, 0.0], value=nan),
            edge([1.0, 2.0], [0.0, 0.0], "sum", [0.0, 0.0], value=0, grads=[[0, 0], [0, 0], None, [1, 4]]),
            edge(
                [0.0, 1e3, inf, nan],
                [0.0, -1e3, 0.0, 0.0],
                value=[0, 4e6, inf, nan],
                grads=[[0, 4e3, inf, nan], [0, -4e3, -inf, nan]],
                reduction="none",
            ),
        ],
    ),
    case(
        "l1_loss",
        by_keyword(F.l1_loss),
        weighted(lambda x, t: abs(x - t), by_weights=True),
        *regression(PAIR),
        *with_weights(*PAIR),
        covers=[F.l1_loss],
        close=True,
        typed=TYPES,
        refused=[*regression_errors(F.l1_loss, "l1_loss"), *weight_errors(F.l1_loss, "l1_loss")],
        edges=[
            MEAN_OF_NOTHING,
            edge(
                [0.0, 1e3, -inf, nan],
                [0.0, -1e3, 0.0, 0.0],
                value=[0, 2e3, inf, nan],
                grads=[[0, 1, -1, 0], [0, -1, 1, 0]],
                reduction="none",
            ),
        ],
    ),
    case(
        "huber_loss",
        F.huber_loss,
        lambda x, t, reduction="mean", delta=1.0, weight=None: weighted(
            lambda x, t: (x - t) ** 2 / 2 if abs(x - t) <= delta else delta * abs(x - t) - delta**2 / 2, by_weights=False
        )(x, t, reduction, weight),
        *regression(PAIR, delta=0.8),
        *(sample(PAIR[0](3, 4), PAIR[1](3, 4), r, 0.8, uniform(0.5, 2)(3, 4)) for r in REDUCTIONS),
        sample(given([0.0, 1.0]), given([0.0, 1.0])),
        *regression(PAIR)[:3],
        close=True,
        typed=TYPES,
        edges=[
            MEAN_OF_NOTHING,
            edge(
                [0.0, 1.0, 0.5, 1e3, -inf, inf, nan],
                [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
                value=[0, 0.5, 0.125, 999.5, inf, inf, nan],
                grads=[[0, 1, 0.5, 1, -1, 1, nan], [0, -1, -0.5, -1, 1, -1, nan]],
                reduction="none",
            ),
        ],
        refused=[
            *regression_errors(F.huber_loss, "huber_loss"),
            *weight_errors(F.huber_loss, "huber_loss"),
            Refused(
                lambda: F.huber_loss(mg.ones(3), mg.ones(3), delta=0.0),
                ArgumentError,
                "huber_loss: delta must be positive, got 0.0",
            ),
            Refused(
                lambda: F.huber_loss(mg.ones(3), mg.ones(3), delta=-1.0),
                ArgumentError,
                "huber_loss: delta must be positive, got -1.0",
            ),
        ],
    ),
    case(
        "smooth_l1_loss",
        F.smooth_l1_loss,
        each(lambda x, t, beta=1.0: (x - t) ** 2 / 2 / beta if abs(x - t) < beta else abs(x - t) - beta / 2),
        *regression(PAIR, beta=0.8),
        *regression(PAIR, beta=0.0)[:3],
        *regression(PAIR)[:3],
        sample(given([0.0, 1.0]), given([0.0, 1.0])),
        close=True,
        typed=TYPES,
        edges=[
            MEAN_OF_NOTHING,
            edge(
                [0.0, 1.0, 0.5, 1e3, -inf, inf, nan],
                [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
                value=[0, 0.5, 0.125, 999.5, inf, inf, nan],
                grads=[[0, 1, 0.5, 1, -1, 1, nan], [0, -1, -0.5, -1, 1, -1, nan]],
                reduction="none",
            ),
            edge(
                [0.0, 0.5, -1e3, inf, nan],
                [0.0, 0.0, 0.0, 0.0, 0.0],
                value=[0, 0.5, 1e3, inf, nan],
                grads=[[0, 1, -1, 1, 0], [0, -1, 1, -1, 0]],
                reduction="none",
                beta=0.0,
            ),
        ],
        refused=[
            *regression_errors(F.smooth_l1_loss, "smooth_l1_loss"),
            Refused(
                lambda: F.smooth_l1_loss(mg.ones(3), mg.ones(3), beta=-0.5),
                (ArgumentError, RuntimeError),
                "smooth_l1_loss: beta must not be negative, got -0.5",
            ),
        ],
    ),
    case(
        "log_cosh_loss",
        F.log_cosh_loss,
        each(lambda x, t: abs(x - t) + math.log1p(math.exp(-2 * abs(x - t))) - math.log(2)),
        *regression((normal, normal)),
        sample(away(0.0)(3, 4), normal(3, 4), reduction="sum"),
        sample(given([5.0, -6.0, 2.5]), given([0.5, 1.0, 0.0]), reduction="none"),
        close=True,
        typed=TYPES,
        edges=[
            MEAN_OF_NOTHING,
            edge(
                [0.0, -0.0, 1e-9, 1e3, -1e3, inf, -inf, nan],
                [0.0] * 8,
                value=[0, 0, 5e-19, 1e3 - math.log(2), 1e3 - math.log(2), inf, inf, nan],
                grads=[[0, 0, 1e-9, 1, -1, 1, -1, nan], [0, 0, -1e-9, -1, 1, -1, 1, nan]],
                reduction="none",
            ),
        ],
        refused=regression_errors(F.log_cosh, "log_cosh"),
    ),
]

CASES: tuple[OpCase, ...] = tuple(REGRESSION)
