"""Losses with a margin."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from op_cases import (
    BOOL,
    F32,
    F64,
    I32,
    I64,
    U8,
    Array,
    Draw,
    OpCase,
    Refused,
    Typed,
    away,
    case,
    edge,
    lattice,
    normal,
    sample,
    uniform,
)

import minigrad as mg
from minigrad.errors import ArgumentError, GraphError, InputTypeError, ShapeError
from minigrad.nn import functional as F
from minigrad.ops import margin as margins
from minigrad.ops.distance import vector_distance

from .loss import NOTHING, REDUCTIONS, each, inf, nan, reduced, regression, regression_errors


def signs(*shape: int) -> Draw:
    return lambda rng: np.asarray(rng.choice([-1.0, 1.0], shape))


def hinge(x: Any, t: Any, margin: float = 1.0, reduction: str = "mean") -> Any:
    return each(lambda x, t: x if t == 1 else max(0.0, margin - x))(x, t, reduction=reduction)


def ranking(x: Any, y: Any, t: Any, margin: float = 0.0, reduction: str = "mean") -> Any:
    return each(lambda x, y, t: max(0.0, margin - t * (x - y)))(x, y, t, reduction=reduction)


LEFT, RIGHT = lattice(0, 4), lattice(1, 4)
SCORES = [
    case(
        "soft_margin_loss",
        F.soft_margin_loss,
        each(lambda x, t: math.log1p(math.exp(-t * x))),
        *regression((normal, signs)),
        sample(lambda rng: np.array([0.0, -0.0, 1.0]), lambda rng: np.array([1.0, -1.0, 0.5])),
        fixed=(1,),
        close=True,
        typed=[Typed((F32, F32), "float32"), Typed((F32, F64), "float64"), *(Typed((F32, x), "float32") for x in (I64, BOOL))],
        edges=[
            edge(NOTHING, NOTHING, value=nan, grads=[NOTHING]),
            edge(
                [-1e3, 1e3, -40.0, 40.0, 0.0, inf, -inf, nan],
                [1.0, 1.0, -1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
                value=[1e3, 0, math.exp(-40), math.exp(-40), math.log(2), 0, inf, nan],
                grads=[[-1, 0, math.exp(-40), -math.exp(-40), -0.5, 0, -1, nan]],
                reduction="none",
            ),
        ],
        refused=[
            *regression_errors(F.soft_margin_loss, "soft_margin_loss"),
            Refused(
                lambda: F.soft_margin_loss(mg.ones(3), mg.ones(3, requires_grad=True)),
                (GraphError, RuntimeError),
                "soft_margin_loss: has no gradient for target",
            ),
        ],
    ),
    case(
        "hinge_embedding_loss",
        F.hinge_embedding_loss,
        hinge,
        *regression((away(1.0), signs)),
        *regression((away(0.25), signs), margin=0.25)[:3],
        *(sample(away(1.0)(*a), signs(*b), reduction="none") for a, b in (((3, 4), (4,)), ((3, 1), (1, 4)), ((), (3,)))),
        fixed=(1,),
        close=True,
        typed=[
            Typed((F32, np.ones_like(F32)), "float32"),
            Typed((F32, np.ones(3)), "float64"),
            Typed((F32, np.ones(3, int)), "float32"),
        ],
        edges=[
            edge(NOTHING, NOTHING, value=nan, grads=[NOTHING]),
            edge(
                [1.0, 1.0, 3.0, 0.5, -2.0, -2.0, nan, nan, inf],
                [1.0, -1.0, -1.0, 0.0, 1.0, -1.0, 1.0, -1.0, -1.0],
                value=[1, 0, 0, 1, -2, 3, nan, nan, 0],
                grads=[[1, -1, 0, 0, 1, -1, 1, 0, 0]],
                reduction="none",
            ),
        ],
        refused=[
            *regression_errors(F.hinge_embedding_loss, "hinge_embedding_loss")[1:],
            Refused(
                lambda: F.hinge_embedding_loss(mg.ones(3), mg.ones(4)),
                (ShapeError, RuntimeError),
                r"hinge_embedding_loss: shapes do not broadcast: input \(3,\), target \(4,\)",
            ),
        ],
    ),
    case(
        "hinge_embedding_loss[between]",
        F.hinge_embedding_loss,
        lambda x, t: reduced(np.maximum(1 - x, 0) + x + 0 * t, "mean"),
        sample(away(1.0)(3, 4), uniform(-0.8, 0.8)(3, 4)),
        sample(away(1.0)(3, 4), uniform(-0.8, 0.8)(4)),
        close=True,
        edges=[edge([3.0, 0.5], [-1.0, 1.0], value=0.25, grads=[None, [0, 0]])],
    ),
    case(
        "margin_ranking_loss",
        F.margin_ranking_loss,
        ranking,
        *(sample(LEFT(*s), RIGHT(*s), signs(*s), m, r) for s in ((3, 4), ()) for m in (0.0, 0.2) for r in REDUCTIONS),
        *(sample(LEFT(*a), RIGHT(*b), signs(*c)) for a, b, c in (((3, 1), (1, 4), (3, 4)), ((3, 4), (3, 4), (1, 1)))),
        sample(LEFT(5), RIGHT(5), uniform(0.5, 1.5)(5)),
        sample(LEFT(0, 3), RIGHT(0, 3), signs(0, 3), reduction="sum"),
        close=True,
        typed=[
            Typed((F32, F32, F32), "float32"),
            Typed((F32, F64, F32), "float64"),
            Typed((F32, F32, I64), "float32"),
            Typed((I64, I64, I64), "float32"),
            Typed((I64, F64, I64), "float64"),
        ],
        edges=[
            edge(NOTHING, NOTHING, NOTHING, value=nan, grads=[NOTHING, NOTHING, NOTHING]),
            edge(
                [1.0, 1.0, 1e3, 0.0, nan],
                [1.0, 3.0, 0.0, -inf, 0.0],
                [1.0, 1.0, -1.0, -1.0, 1.0],
                value=[0, 2, 1e3, inf, nan],
                grads=[[-1, -1, 1, 1, 0], [1, 1, -1, -1, 0], [0, 2, -1e3, -inf, nan]],
                reduction="none",
            ),
        ],
        refused=[
            Refused(
                lambda: F.margin_ranking_loss(mg.ones(3), mg.ones(3), mg.tensor(1.0)),
                (ShapeError, RuntimeError),
                r"margin_ranking_loss: input1, input2 and target must have as many axes each, got shapes \(3,\), \(3,\), \(\)",
            ),
            Refused(
                lambda: F.margin_ranking_loss(mg.ones(3), mg.ones(3), mg.ones(3), margin="wide"),
                InputTypeError,
                "margin_ranking_loss: margin must be a number, got 'wide'",
            ),
            Refused(
                lambda: F.margin_ranking_loss(mg.ones(3), mg.ones(3), mg.ones(3), reduction="max"),
                (ArgumentError, ValueError),
                "margin_ranking_loss: reduction must be one of",
            ),
        ],
    ),
]


# ---- cosines


def cosine(x: Any, y: Any) -> float:
    squares = [math.fsum(v * v for v in vector) + 1e-12 for vector in (x, y)]
    return math.fsum(a * b for a, b in zip(x, y, strict=True)) / math.sqrt(squares[0] * squares[1])


def over_vectors(measure: Any, *arrays: Any) -> Any:
    """A measure of vectors along the last axis, over all others."""
    arrays = tuple(np.broadcast_arrays(*arrays))
    rows = zip(*(a.reshape(-1, a.shape[-1]).tolist() for a in arrays), strict=True)
    return np.reshape([measure(*row) for row in rows], arrays[0].shape[:-1])


def cosine_embedding(x: Any, y: Any, t: Any, margin: float = 0.0, reduction: str = "mean") -> Any:
    return each(lambda c, t: 1 - c if t == 1 else max(0.0, c - margin))(over_vectors(cosine, x, y), t, reduction=reduction)


COSINES = [
    case(
        "cosine_of_rows",
        margins.cosine_of_rows,
        lambda x, y: over_vectors(cosine, x, y),
        *(
            sample(normal(*a), normal(*b))
            for a, b in (((3, 4), (3, 4)), ((4,), (4,)), ((3, 4), (1, 4)), ((1, 4), (3, 4)), ((0, 4), (0, 4)))
        ),
        sample(normal(2, 3, 4), normal(2, 3, 4)),
        sample(normal(2, 70), normal(2, 70)),
        close=True,
        typed=[Typed((F32, F32[::-1].copy()), "float32"), Typed((F32, F64), "float64"), Typed((I64, U8), "float32")],
        edges=[
            edge([0.0, 0.0], [3.0, 4.0], value=0, grads=[[6e5, 8e5], [0, 0]]),
            edge([3.0, 4.0], [3.0, 4.0], value=1, dtypes=["float64"]),
            edge([nan, 0.0], [1.0, 1.0], value=nan, grads=[[nan, nan], [nan, nan]]),
        ],
    ),
    case(
        "cosine_embedding_loss",
        F.cosine_embedding_loss,
        cosine_embedding,
        *(sample(normal(6, 4), normal(6, 4), signs(6), m, r) for m in (0.0, 0.2, -0.5) for r in REDUCTIONS),
        sample(normal(4), normal(4), signs(), reduction="none"),
        sample(normal(3, 4), normal(1, 4), signs(3)),
        sample(normal(3, 4), normal(3, 4), signs(1)),
        sample(normal(0, 4), normal(0, 4), signs(0), reduction="sum"),
        covers=(margins.cosine_of_rows, margins.cosine_hinge),
        fixed=(2,),
        close=True,
        typed=[
            Typed((F32[None], F32[None, ::-1].copy(), F32[:1] * 2), "float32"),
            Typed((F32[None], F32[None, ::-1].copy(), I64[:1]), "float32"),
            Typed((I64[None], I64[None, ::-1].copy(), I64[:1]), "float32"),
        ],
        edges=[
            edge(
                [[1e3, 0.0]] * 3,
                [[0.0, 1e3]] * 3,
                [1.0, -1.0, 0.0],
                value=[1, 0, 0],
                grads=[[[0, -1e-3], [0, 1e-3], [0, 0]], None, None],
                reduction="none",
            ),
        ],
        refused=[
            *(
                Refused(
                    lambda shapes=shapes: F.cosine_embedding_loss(*(mg.ones(*s) for s in shapes)),
                    (ShapeError, RuntimeError),
                    r"cosine_embedding_loss: inputs \(N, D\) with target \(N\), or \(D\) with a 0-d target, are expected, got input1",
                )
                for shapes in (((3, 4), (3, 4), (3, 1)), ((3, 4), (4,), (3,)), ((3, 4), (3, 4), ()), ((4,), (4,), (1,)))
            ),
            Refused(
                lambda: F.cosine_embedding_loss(mg.ones(3, 4), mg.ones(3, 4), mg.ones(4)),
                (ShapeError, RuntimeError),
                "do not broadcast",
            ),
            Refused(
                lambda: F.cosine_embedding_loss(mg.ones(3, 4), mg.ones(3, 4), mg.ones(3), reduction="max"),
                ValueError,
                "cosine_embedding_loss: reduction must be one of",
            ),
        ],
    ),
]


# ---- distances


def norm(d: Any, p: float) -> float:
    return max(map(abs, d)) if p == inf else math.fsum(abs(v) ** p for v in d) ** (1 / p)


def distance(x: Any, y: Any, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Array:
    d = over_vectors(lambda x, y: norm([a - b + eps for a, b in zip(x, y, strict=True)], p), x, y)
    return d[..., None] if keepdim else d


def triplet(
    a: Any, p: Any, n: Any, margin: float = 1.0, power: float = 2.0, eps: float = 1e-6, swap: bool = False, reduction: str = "mean"
) -> Any:
    near, far = distance(a, p, power, eps), distance(a, n, power, eps)
    far = np.minimum(far, distance(p, n, power, eps)) if swap else far
    return reduced(np.maximum(margin + near - far, 0), reduction)


def city_block(x: Any, y: Any) -> Any:
    return (x - y).abs().sum(-1)


TRIPLET_ERRORS = [
    Refused(
        lambda: F.triplet_margin_loss(mg.ones(3, 4), mg.ones(4), mg.ones(4)),
        (ShapeError, RuntimeError),
        r"triplet_margin_loss: anchor, positive and negative must have as many axes each, got shapes \(3, 4\), \(4,\), \(4,\)",
    ),
    Refused(
        lambda: F.triplet_margin_loss(mg.ones(3, 4), mg.ones(3, 4), mg.ones(3, 4), margin=0.0),
        (ArgumentError, ValueError),
        "triplet_margin_loss: margin must be positive, got 0.0",
    ),
    Refused(
        lambda: F.triplet_margin_loss(mg.ones(3, 4), mg.ones(3, 4), mg.ones(3, 4), margin="wide"),
        InputTypeError,
        "triplet_margin_loss: margin must be a number, got 'wide'",
    ),
    Refused(
        lambda: F.triplet_margin_loss(mg.ones(3, 4), mg.ones(3, 4), mg.ones(3, 4), reduction="max"),
        ValueError,
        "reduction must be one of",
    ),
]
TRIPLE = (normal(3, 4), normal(3, 4), normal(3, 4))
DISTANCES = [
    case(
        "pairwise_distance",
        F.pairwise_distance,
        distance,
        *(sample(normal(3, 4), normal(3, 4), p, keepdim=k) for p in (2.0, 1.0, 3.0, 1.5, inf) for k in (False, True)),
        *(sample(normal(*a), normal(*b)) for a, b in (((4,), (4,)), ((3, 4), (4,)), ((1, 4), (3, 4)), ((0, 4), (0, 4)))),
        sample(normal(2, 3, 4), normal(2, 3, 4), eps=0.25),
        sample(normal(3, 4), normal(3, 4), p=-2.0),
        covers=(vector_distance, mg.norm),
        close=True,
        typed=[
            Typed((F32, F64), "float64"),
            Typed((F32, F32[::-1].copy()), "float32"),
            *(Typed((I64, I32, p), "float32") for p in (2.0, 1.0, inf)),
        ],
        edges=[
            edge([1.0, 2.0], [1.0, 2.0], value=0, grads=[[0, 0], [0, 0]], eps=0.0),
            edge([4.0, 2.0], [1.0, -2.0], value=5, grads=[[0.6, 0.8], [-0.6, -0.8]], eps=0.0),
            edge([1.0, 2.0], [1.0, 4.0], value=2, grads=[[0, -1], [0, 1]], eps=0.0, p=1.0),
            edge([1.0, 2.0], [1.0, 4.0], value=2, grads=[[0, -1], [0, 1]], eps=0.0, p=1.5),
            edge([1.0, 2.0], [1.0, 4.0], value=2, grads=[[0, -1], [0, 1]], eps=0.0, p=3.0),
            edge([3.0, 2.0, 0.0], [1.0, 4.0, 0.0], value=2, grads=[[0.5, -0.5, 0]], eps=0.0, p=inf),
            edge([0.0, 0.0], [0.0, 0.0], value=0, grads=[[0, 0]], eps=0.0, p=inf),
            edge([nan, 0.0], [1.0, 1.0], value=nan, grads=[[nan, nan], [nan, nan]]),
            edge([nan, 0.0], [1.0, 1.0], value=nan, grads=[[0, -1], [0, 1]], p=1.0),
            edge([-inf, 2.0], [1.0, 1.0], value=inf, grads=[[-1, 1], [1, -1]], p=1.0),
            edge([-inf, 2.0], [1.0, 1.0], value=inf, grads=[[nan, 0], [nan, 0]], p=1.5),
        ],
        refused=[
            Refused(lambda: F.pairwise_distance(mg.ones(3), mg.ones(3), p="x"), TypeError, "pairwise_distance: p must be a number"),
            Refused(
                lambda: vector_distance(mg.ones(3), mg.ones(3), p=0.0),
                ArgumentError,
                "pairwise_distance: p must be positive, got 0.0",
            ),
            Refused(
                lambda: F.pairwise_distance(mg.ones(3), mg.ones(4)),
                (ShapeError, RuntimeError),
                r"pairwise_distance: vectors along the last axis are expected, got x1 \(3,\), x2 \(4,\)",
            ),
            Refused(lambda: F.pairwise_distance(mg.tensor(1.0), mg.tensor(1.0)), ShapeError, r"got x1 \(\), x2 \(\)"),
        ],
    ),
    case(
        "triplet_margin_loss",
        F.triplet_margin_loss,
        triplet,
        *(sample(*TRIPLE, 1.5, reduction=r, swap=swap) for swap in (False, True) for r in REDUCTIONS),
        *(sample(*TRIPLE, 0.75, p) for p in (1.0, 3.0, inf)),
        sample(*TRIPLE, eps=0.25),
        sample(normal(4), normal(4), normal(4), reduction="none"),
        sample(normal(3, 4), normal(1, 4), normal(3, 4), 2.0),
        sample(normal(0, 4), normal(0, 4), normal(0, 4), reduction="sum"),
        covers=(vector_distance, margins.triplet_hinge),
        close=True,
        typed=[Typed((F32[None], F32[None], F64[None]), "float64")],
        edges=[
            edge([0.0, 0.0], [3.0, 4.0], [0.0, 6.0], value=0, grads=[[-0.6, 0.2], [0.6, 0.8], [0, -1]], eps=0.0, margin=1.0),
            edge([0.0, 0.0], [0.0, 1.0], [0.0, 6.0], value=0, grads=[[0, 0], [0, 0], [0, 0]], eps=0.0),
            edge([nan, 0.0], [0.0, 1.0], [0.0, 6.0], value=nan),
            edge([inf, 1.0], [0.5, 0.5], [0.1, 2.0], value=nan, grads=[[0, 0], [0, 0], [0, 0]], p=1.0),
        ],
        refused=TRIPLET_ERRORS,
    ),
    case(
        "triplet_margin_with_distance_loss",
        lambda a, p, n, own=False, **settings: F.triplet_margin_with_distance_loss(
            a, p, n, distance_function=city_block if own else None, **settings
        ),
        lambda a, p, n, own=False, **settings: triplet(a, p, n, power=1.0 if own else 2.0, eps=0.0 if own else 1e-6, **settings),
        *(
            sample(*TRIPLE, own, margin=1.5, swap=swap, reduction=r)
            for own in (False, True)
            for swap in (False, True)
            for r in REDUCTIONS
        ),
        covers=(vector_distance, margins.triplet_hinge),
        close=True,
        refused=[
            Refused(
                lambda: F.triplet_margin_with_distance_loss(mg.ones(3, 4), mg.ones(3, 4), mg.ones(3, 4), margin=-1.0),
                (ArgumentError, ValueError),
                "triplet_margin_with_distance_loss: margin must be positive, got -1.0",
            ),
            Refused(
                lambda: F.triplet_margin_with_distance_loss(mg.ones(3, 4), mg.ones(4), mg.ones(4)),
                (ShapeError, RuntimeError),
                "triplet_margin_with_distance_loss: anchor, positive and negative must have as many axes each",
            ),
        ],
    ),
]

CASES: tuple[OpCase, ...] = (*SCORES, *COSINES, *DISTANCES)
