"""Rounding, and division with a whole quotient."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_EVEN, Decimal

import numpy as np
from op_cases import (
    BOOL,
    I32,
    I64,
    PROMOTED,
    SAME,
    OpCase,
    Refused,
    Typed,
    away,
    binary,
    case,
    edge,
    integers,
    normal,
    points,
    sample,
    unary,
)

import minigrad as mg
from minigrad.errors import ArgumentError, DomainError, DtypeError
from minigrad.ops import rounding

from .arithmetic import INTEGERS, MASK, call_errors, does_not_broadcast, exactly

inf, nan = math.inf, math.nan
whole, halves = away(*range(-9, 9)), away(*(k + 0.5 for k in range(-9, 9)))
NUMBERS = [row for row in PROMOTED if np.all(row.arguments[1])]


def decimals(x: float, places: int) -> float:
    """Rounded in decimal arithmetic."""
    return float(Decimal(x).quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN))


def no_booleans(name: str) -> Refused:
    return Refused(
        lambda: getattr(mg, name)(MASK), (DtypeError, RuntimeError), f"{name}: takes floats and integers, got dtype bool"
    )


ROUNDING = [
    case(
        "floor",
        mg.floor,
        exactly(math.floor),
        *unary(whole),
        typed=SAME,
        edges=[points((0.0, 0, 0), (-0.5, -1, 0), (2.0, 2, 0), (-1e3, -1e3, 0), (-inf, -inf, 0), (inf, inf, 0), (nan, nan, 0))],
        refused=[no_booleans("floor"), *call_errors(mg.floor, "floor")],
    ),
    case(
        "ceil",
        mg.ceil,
        exactly(math.ceil),
        *unary(whole),
        typed=SAME,
        edges=[points((0.0, 0, 0), (0.5, 1, 0), (-0.5, 0, 0), (2.0, 2, 0), (-inf, -inf, 0), (inf, inf, 0), (nan, nan, 0))],
        refused=[no_booleans("ceil"), *call_errors(mg.ceil, "ceil")],
    ),
    case(
        "trunc",
        mg.trunc,
        exactly(math.trunc),
        *unary(whole),
        typed=SAME,
        edges=[points((0.0, 0, 0), (0.5, 0, 0), (-1.5, -1, 0), (2.0, 2, 0), (-inf, -inf, 0), (inf, inf, 0), (nan, nan, 0))],
        refused=[no_booleans("trunc"), *call_errors(mg.trunc, "trunc")],
    ),
    case(
        "round",
        mg.round,
        exactly(round),
        *unary(halves),
        covers=(rounding.rint,),
        typed=SAME,
        edges=[points((0.5, 0, 0), (1.5, 2, 0), (-2.5, -2, 0), (2.0, 2, 0), (-inf, -inf, 0), (inf, inf, 0), (nan, nan, 0))],
        refused=[
            Refused(lambda: mg.round(MASK), DtypeError, "rint: takes floats and integers, got dtype bool"),
            Refused(
                lambda: mg.round(INTEGERS, decimals=1), (DtypeError, RuntimeError), "round: integers have no decimals to round to"
            ),
            Refused(lambda: mg.round(mg.ones(2), decimals=1.5), TypeError, "round: decimals must be an int, got 1.5"),
        ],
    ),
    case(
        "round[decimals]",
        lambda x, places: mg.round(x, decimals=places),
        np.vectorize(decimals, otypes=[np.float64]),
        *(sample(normal(3, 4), places) for places in (1, 2, -1)),
        covers=(rounding.round_scaled,),
        edges=[
            edge([0.25, 0.75, inf, nan], 1, value=[0.2, 0.8, inf, nan], grads=[[0] * 4]),
            edge([150.0, 250.0, -inf], -2, value=[200, 200, -inf]),
        ],
    ),
    case(
        "sign",
        mg.sign,
        lambda x: 1.0 * (x > 0) - (x < 0),
        *unary(away(0.0)),
        typed=[*SAME, Typed((BOOL,), "bool")],
        edges=[points((0.0, 0, 0), (-0.0, 0, 0), (1e-40, 1, 0), (-3.0, -1, 0), (inf, 1, 0), (-inf, -1, 0), (nan, 0, 0))],
        refused=call_errors(mg.sign, "sign"),
    ),
]

DIVISION = [
    case(
        "remainder",
        mg.remainder,
        np.vectorize(lambda a, b: float(a) % float(b), otypes=[np.float64]),
        *binary(normal, away(0.0)),
        sample(normal(5), 0.7),
        sample(2.5, away(0.0)(5)),
        typed=NUMBERS,
        edges=[
            edge(
                [5.0, -5.0, 5.0, -5.0, 6.0, 0.0, -5.0, 5.0, inf, 5.0],
                [3.0, 3.0, -3.0, -3.0, 3.0, 2.0, inf, inf, 2.0, 0.0],
                value=[2, 1, -1, -2, 0, 0, inf, 5, nan, nan],
                grads=[[1] * 10, [-1, 2, 2, -1, -2, 0, 1, 0, nan, -inf]],
            ),
            edge([1e300, 1.0], [3.0, 0.1], value=[1e300 % 3.0, 1.0 % 0.1], grads=[[1, 1], [-1e300 / 3, -9]], dtypes=["float64"]),
        ],
        refused=[
            does_not_broadcast(mg.remainder, "remainder"),
            Refused(lambda: INTEGERS % 0, (DomainError, RuntimeError), "remainder: division of integers by zero"),
            Refused(lambda: 3 % mg.tensor([1, 0]), RuntimeError, "remainder: division of integers by zero"),
            Refused(lambda: MASK % MASK, (DtypeError, RuntimeError), "remainder: takes floats and integers, got dtype bool"),
            *call_errors(mg.remainder, "remainder"),
        ],
    ),
    case(
        "fmod",
        mg.fmod,
        np.vectorize(lambda a, b: math.fmod(a, b), otypes=[np.float64]),
        *binary(normal, away(0.0)),
        sample(normal(5), 0.7),
        typed=NUMBERS,
        edges=[
            edge(
                [5.0, -5.0, 5.0, -5.0, 6.0, -5.0, inf],
                [3.0, 3.0, -3.0, -3.0, 3.0, inf, 2.0],
                value=[2, -2, 2, -2, 0, -5, nan],
                grads=[[1] * 7, [-1, 1, 1, -1, -2, 0, -inf]],
            )
        ],
        refused=[
            does_not_broadcast(mg.fmod, "fmod"),
            Refused(lambda: mg.fmod(INTEGERS, 0), (DomainError, RuntimeError), "fmod: division of integers by zero"),
            *call_errors(mg.fmod, "fmod"),
        ],
    ),
    case(
        "floor_divide",
        mg.floor_divide,
        np.vectorize(lambda a, b: float(a) // float(b), otypes=[np.float64]),
        *binary(normal, away(0.0)),
        sample(normal(5), 0.7),
        sample(2.5, away(0.0)(5)),
        sample(integers(-9, 10)(3, 9), integers(1, 5)(9)),
        sample(integers(-9, 10)(9), -3),
        covers=(rounding.div_floor, rounding.div_whole),
        typed=NUMBERS,
        edges=[
            edge(
                [5.0, -5.0, 5.0, -5.0, 6.0, 0.0, -5.0, inf, 1.0],
                [3.0, 3.0, -3.0, 0.0, 3.0, 0.0, inf, 2.0, 0.1],
                value=[1, -2, -2, -inf, 2, nan, -1, nan, 9],
                grads=[[0] * 9, [0] * 9],
            )
        ],
        refused=[
            does_not_broadcast(mg.floor_divide, "div_floor"),
            Refused(lambda: INTEGERS // 0, (DomainError, RuntimeError), "div: division of integers by zero"),
            Refused(lambda: MASK // MASK, (DtypeError, RuntimeError), "div: takes floats and integers, got dtype bool"),
        ],
    ),
    case(
        "div[trunc]",
        lambda a, b: mg.div(a, b, rounding_mode="trunc"),
        np.vectorize(lambda a, b: float(math.trunc(a / b)), otypes=[np.float64]),
        *binary(normal, away(0.0)),
        sample(integers(-9, 10)(3, 9), integers(1, 5)(9)),
        sample(integers(-9, 10)(9), -3),
        covers=(rounding.div_trunc, rounding.div_whole),
        typed=NUMBERS,
        edges=[edge([5.0, -5.0, 1.0, inf], [3.0, 3.0, 0.0, -2.0], value=[1, -1, inf, -inf], grads=[[0] * 4, [0] * 4])],
        refused=[
            Refused(
                lambda: mg.div(mg.ones(2), 2, rounding_mode="nearest"),
                (ArgumentError, RuntimeError),
                "div: rounding_mode must be None, 'trunc' or 'floor', got 'nearest'",
            )
        ],
    ),
    case(
        "div[None]",
        lambda a, b: a.div(b, rounding_mode=None),
        np.divide,
        *binary(normal, away(0.0))[:4],
        covers=(mg.div,),
        typed=[Typed((I64, I32), "float32")],
    ),
]

CASES: tuple[OpCase, ...] = (*ROUNDING, *DIVISION)
