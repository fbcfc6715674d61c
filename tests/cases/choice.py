"""Choices between values: clamp, where, masked_fill, lerp, nan_to_num."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from op_cases import (
    BOOL,
    F32,
    F64,
    FEW_PAIRS,
    I32,
    I64,
    SAME,
    U8,
    OpCase,
    Refused,
    Typed,
    away,
    binary,
    case,
    edge,
    lattice,
    mask,
    normal,
    points,
    sample,
    unary,
)

import minigrad as mg
from minigrad.errors import ArgumentError, DtypeError, ShapeError
from minigrad.ops import comparison

from .arithmetic import does_not_broadcast

inf, nan = math.inf, math.nan


def clamped(x: Any, min: Any = None, max: Any = None) -> Any:
    """clamp, one number after the other."""
    low, high = -inf if min is None else min, inf if max is None else max

    def one(value: float, lower: float, upper: float) -> float:
        return upper if upper < lower else sorted([lower, value, upper])[1]

    return np.vectorize(one, otypes=[np.float64])(x, low, high)


CASES: tuple[OpCase, ...] = (
    case(
        "clamp",
        mg.clamp,
        clamped,
        *unary(away(-0.5, 0.7), min=-0.5, max=0.7),
        *unary(away(-0.5), min=-0.5)[:4],
        *unary(away(0.5), max=0.5)[:4],
        *binary(lattice(0, 2), lattice(1, 2), FEW_PAIRS),
        *(sample(s.draws[0], None, s.draws[1]) for s in binary(lattice(0, 2), lattice(1, 2), FEW_PAIRS)),
        *(
            sample(lattice(0, 3)(*shape), lattice(1, 3)(*low), lattice(2, 3)(*high))
            for shape, low, high in (
                ((3, 4), (3, 4), (3, 4)),
                ((3, 4), (4,), (3, 1)),
                ((4,), (), (3, 4)),
                ((), (), ()),
                ((0, 4), (4,), ()),
            )
        ),
        sample(lattice(0, 2)(3, 4), lattice(1, 2)(4), 9.0),
        sample(lattice(0, 2)(3, 4), -9.0, lattice(1, 2)(3, 1)),
        covers=(comparison.clamp_min, comparison.clamp_max, comparison.clamp_both),
        edges=[
            points(
                (-inf, -1, 0),
                (-1e3, -1, 0),
                (-1.0, -1, 1),
                (0.0, 0, 1),
                (2.0, 2, 1),
                (1e3, 2, 0),
                (inf, 2, 0),
                (nan, nan, 0),
                min=-1,
                max=2,
            ),
            points((-inf, -1, 0), (-1.0, -1, 1), (1e3, 1e3, 1), (inf, inf, 1), (nan, nan, 0), min=-1),
            points((-inf, -inf, 1), (2.0, 2, 1), (1e3, 2, 0), (inf, 2, 0), (nan, nan, 0), max=2),
            points((-3.0, 1, 0), (1.5, 1, 0), (5.0, 1, 0), min=2, max=1),
            edge([0.0, 1.0, 2.0], [1.0, 1.0, 1.0], value=[1, 1, 2], grads=[[0, 1, 1], [1, 0, 0]]),
            edge([0.0, 1.0, 2.0], None, [1.0, 1.0, 1.0], value=[0, 1, 1], grads=[[1, 1, 0], None, [0, 0, 1]]),
            edge(
                [0.0, 1.0, 5.0, 2.0],
                [1.0, 1.0, 1.0, 3.0],
                [3.0, 3.0, 3.0, 1.0],
                value=[1, 1, 3, 1],
                grads=[[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 1]],
            ),
        ],
        typed=[
            Typed((I64, 0, 2), "int64"),
            Typed((I64, 0.5, 2), "float32"),
            Typed((I64, 1.5), "float32"),
            Typed((F32, 1), "float32"),
            Typed((F32, F64), "float64"),
            Typed((U8, None, 2), "uint8"),
        ],
        refused=[
            Refused(lambda: mg.clamp(mg.ones(2)), ArgumentError, "clamp: at least one of min and max must be given"),
            Refused(lambda: mg.clamp(mg.ones(2, 3), mg.ones(2)), ShapeError, "clamp_min: shapes do not broadcast"),
        ],
    ),
    case(
        "where",
        mg.where,
        lambda c, a, b: np.choose(c.astype(int), [b, a]) if c.size else np.zeros(np.broadcast(c, a, b).shape),
        *(
            sample(mask(*c), normal(*a), normal(*b))
            for c, a, b in (
                ((3, 4), (3, 4), (3, 4)),
                ((3, 4), (4,), (3, 1)),
                ((4,), (3, 4), ()),
                ((3, 1), (3, 4), (4,)),
                ((), (3,), (3,)),
                ((), (), ()),
                ((0, 3), (3,), (0, 3)),
            )
        ),
        sample(mask(3, 4), normal(3, 4), 0.0),
        sample(mask(3, 4), 1, normal(4)),
        edges=[
            edge(
                np.array([True, False, True, False]),
                [nan, 1.0, inf, 1.0],
                [1.0, nan, 1.0, -inf],
                value=[nan, nan, inf, -inf],
                grads=[None, [1, 0, 1, 0], [0, 1, 0, 1]],
            )
        ],
        typed=[
            Typed((BOOL, I64, I64), "int64"),
            Typed((BOOL, I64, 0.5), "float32"),
            Typed((BOOL, F32, 0), "float32"),
            Typed((BOOL, F32, F64), "float64"),
            Typed((BOOL, I32, 0), "int32"),
            Typed((BOOL, BOOL, BOOL), "bool"),
            Typed((BOOL, 1, 0), "int64"),
            Typed((BOOL, 1.0, 0), "float32"),
        ],
        refused=[
            Refused(
                lambda: mg.where(mg.ones(2), mg.ones(2), 0.0),
                (DtypeError, RuntimeError),
                "where: condition must be a bool tensor, got dtype float32",
            ),
            Refused(lambda: mg.where(1, mg.ones(2), 0.0), DtypeError, "where: condition must be a bool tensor, got int"),
            Refused(
                lambda: mg.where(mg.tensor([True]), mg.ones(2), mg.ones(3)),
                ShapeError,
                r"where: shapes do not broadcast: condition \(1,\), input \(2,\), other \(3,\)",
            ),
        ],
    ),
    *(
        case(
            f"clamp_{name}",
            getattr(mg, f"clamp_{name}"),
            reference,
            *binary(lattice(0, 2), lattice(1, 2)),
            sample(away(0.5)(3), 0.5),
            typed=[Typed((I64, 2), "int64"), Typed((I64, 1.5), "float32"), Typed((F32, F64), "float64")],
            edges=[edge([0.0, 1.0, 2.0, nan], 1.0, value=[*np.asarray(reference([0, 1, 2], 1)), nan], grads=[[*mine, 0]])],
            refused=[does_not_broadcast(getattr(mg, f"clamp_{name}"), f"clamp_{name}")],
        )
        for name, reference, mine in (
            ("min", lambda x, low: np.where(x < np.asarray(low), low, x), [0, 1, 1]),
            ("max", lambda x, high: np.where(x > np.asarray(high), high, x), [1, 1, 0]),
        )
    ),
    case(
        "masked_fill",
        mg.masked_fill,
        lambda x, m, value: x * ~m + value * m,
        sample(normal(3, 4), mask(3, 4), normal()),
        sample(normal(3, 4), mask(4), -1.5),
        sample(normal(4), mask(3, 1), normal()),
        sample(normal(), mask(), 2),
        sample(normal(0, 3), mask(3), 2.0),
        covers=(mg.where,),
        typed=[
            Typed((I64, BOOL, 2), "int64"),
            Typed((F32, BOOL, 2), "float32"),
            Typed((U8, BOOL, 7.0), "uint8"),
            Typed((F32, BOOL, np.array(2.0)), "float32"),
            Typed((BOOL, BOOL, False), "bool"),
        ],
        edges=[edge([nan, 1.0], np.array([True, False]), -inf, value=[-inf, 1], grads=[[0, 1]])],
        refused=[
            Refused(
                lambda: mg.masked_fill(mg.ones(2), mg.ones(2), 1.0),
                (DtypeError, RuntimeError),
                "masked_fill: mask must be a bool tensor",
            ),
            Refused(
                lambda: mg.masked_fill(mg.ones(1), mg.tensor([True]), mg.ones(1)),
                (ShapeError, RuntimeError),
                r"masked_fill: value must be a number or a 0-d tensor, got shape \(1,\)",
            ),
            Refused(
                lambda: mg.masked_fill(mg.ones(1), mg.tensor([True]), "1"),
                TypeError,
                "masked_fill: value must be a number, got '1'",
            ),
            Refused(
                lambda: mg.masked_fill(mg.ones(3), mg.tensor([True, False]), 1.0),
                ShapeError,
                "masked_fill: mask .* does not broadcast",
            ),
        ],
    ),
    case(
        "lerp",
        mg.lerp,
        lambda a, b, w: a * (1 - w) + b * w,
        *(
            sample(normal(*a), normal(*b), weight)
            for a, b, weight in (
                ((3, 4), (3, 4), away(0.5)(3, 4)),
                ((3, 4), (4,), away(0.5)(3, 1)),
                ((4,), (3, 4), 0.25),
                ((), (), away(0.5)()),
                ((3,), (), 2),
                ((0, 3), (3,), away(0.5)(3)),
            )
        ),
        close=True,
        edges=[
            edge([1.0, 2.0], [3.0, 4.0], [0.25, 0.75], value=[1.5, 3.5], grads=[[0.75, 0.25], [0.25, 0.75], [2, 2]]),
            edge(
                [inf, 2.0, 1.0],
                [3.0, inf, 1.0],
                [0.25, 1.0, nan],
                value=[nan] * 3,
                grads=[[0.75, 0, nan], [0.25, 1, nan], [-inf, inf, 0]],
            ),
            edge([1e20, 1.0], [1.0, 3.0], 1, value=[1, 3], grads=[[0, 0], [1, 1]]),
        ],
        refused=[
            Refused(
                lambda: mg.lerp(mg.ones(2), mg.ones(2).double(), 0.5),
                (DtypeError, RuntimeError),
                "lerp: .* got float32, float64, a number",
            ),
            Refused(
                lambda: mg.lerp(mg.tensor([1]), mg.tensor([2]), 0.5), DtypeError, "lerp: .* floating-point tensors of one dtype"
            ),
            Refused(lambda: mg.lerp(mg.ones(2), 3.0, 0.5), TypeError, "lerp: .* got float32, a number, a number"),
            Refused(lambda: mg.lerp(mg.ones(2), mg.ones(3), 0.5), ShapeError, "lerp: shapes do not broadcast"),
        ],
    ),
    case(
        "nan_to_num",
        mg.nan_to_num,
        lambda x, **settings: x + 0,
        *unary(normal),
        *unary(normal, nan=1.5, posinf=2.5, neginf=3.5)[:2],
        typed=[*SAME, Typed((BOOL,), "bool")],
        edges=[
            points(
                (nan, 0, 0),
                (1.5, 1.5, 1),
                (inf, np.finfo(np.float32).max, 0),
                (-inf, np.finfo(np.float32).min, 0),
                dtypes=["float32"],
            ),
            points(
                (nan, 0, 0),
                (1.5, 1.5, 1),
                (inf, np.finfo(np.float64).max, 0),
                (-inf, np.finfo(np.float64).min, 0),
                dtypes=["float64"],
            ),
            points((nan, 7, 0), (inf, 8, 0), (-inf, -9, 0), nan=7.0, posinf=8.0, neginf=-9.0),
            points((nan, 0, 0), (inf, 5, 0), nan=None, posinf=5),
        ],
        refused=[Refused(lambda: mg.nan_to_num(mg.ones(2), "0"), TypeError, "nan_to_num: nan must be a number, got '0'")],
    ),
    case(
        "Tensor.where",
        lambda x, c, other: x.where(c, other),
        lambda x, c, other: np.where(c, x, other),
        sample(normal(3, 4), mask(3, 4), normal(4)),
        sample(normal(3), mask(3), -1.0),
        covers=(mg.where,),
    ),
)
