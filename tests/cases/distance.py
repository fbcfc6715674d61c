"""Lengths, distances and angles."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from op_cases import F32, F64, I64, OpCase, Refused, Typed, case, distinct, edge, normal, sample, uniform

import minigrad as mg
from minigrad.errors import ArgumentError, DimError, DtypeError, ShapeError
from minigrad.nn import functional as F
from minigrad.ops.distance import euclidean_distances

inf, nan = math.inf, math.nan
ORDERS = (2.0, 1.0, 3.0, 0.5, 1.5, -1.0, 0.0)


def length(x: Any, p: float, dim: int, keepdim: bool = True) -> Any:
    return np.linalg.norm(x, p, dim, keepdim) if x.size else np.zeros([n for i, n in enumerate(x.shape) if i != dim])


def cosine(a: Any, b: Any, dim: int = 1, eps: float = 1e-8) -> Any:
    a, b = np.broadcast_arrays(a, b)
    return (a * b).sum(dim) / np.maximum(length(a, 2, dim, False), eps) / np.maximum(length(b, 2, dim, False), eps)


CASES: tuple[OpCase, ...] = (
    case(
        "normalize",
        F.normalize,
        lambda x, p=2.0, dim=1, eps=1e-12: x / np.maximum(length(x, p, dim) if x.ndim else abs(x), eps),
        sample(normal(3, 4)),
        sample(normal(3, 4, 2), p=1.0, dim=-1),
        sample(normal(4), dim=0),
        sample(uniform(0.5, 1.0)(), dim=0, eps=2.0),
        sample(distinct(3, 4), p=inf, dim=0),
        sample(normal(3, 4), 2.0, 1, 2.5),
        covers=(mg.norm,),
        close=True,
        edges=[edge([[0.0, 0.0]], eps=0.5, value=[[0, 0]], grads=[[[2, 2]]]), edge([[nan, 1.0]], value=[[nan, nan]])],
        typed=[Typed((F32[None],), "float32"), Typed((F64[None],), "float64")],
        refused=[
            Refused(lambda: F.normalize(mg.ones(3)), (DimError, IndexError), "normalize: dim 1 is out of range"),
            Refused(
                lambda: F.normalize(mg.tensor([[1]])), (DtypeError, RuntimeError), "normalize: expected a floating-point tensor"
            ),
            Refused(lambda: F.normalize(mg.ones(2, 2), p="x"), TypeError, "normalize: p must be a number"),
        ],
    ),
    case(
        "cosine_similarity",
        F.cosine_similarity,
        cosine,
        sample(normal(3, 4), normal(3, 4)),
        sample(normal(3, 4), normal(2, 1, 4), -1),
        sample(normal(4), normal(4), dim=0),
        covers=(mg.norm,),
        close=True,
        edges=[
            edge([[0.0, 0.0]], [[3.0, 4.0]], eps=0.5, value=[0], grads=[[[1.2, 1.6]], [[0, 0]]]),
            edge([[2.0, 0.0]], [[-3.0, 0.0]], value=[-1], grads=[[[0, 0]], [[0, 0]]]),
        ],
        refused=[
            Refused(
                lambda: F.cosine_similarity(mg.ones(3), mg.ones(3)),
                (DimError, IndexError),
                "cosine_similarity: dim 1 is out of range",
            ),
            Refused(
                lambda: F.cosine_similarity(mg.tensor(I64), mg.tensor(I64), 0),
                DtypeError,
                "cosine_similarity: expected a floating-point",
            ),
        ],
    ),
    case(
        "cosine_similarity[repeated]",  # the repeated vector's direction is fixed: its gradient is 0
        F.cosine_similarity,
        cosine,
        sample(normal(3, 4), normal(2, 1, 4), -2),
        sample(normal(2, 3), normal(2, 1)),
        covers=(mg.norm,),
        fixed=(1,),
        close=True,
    ),
    case(
        "euclidean_distances",
        euclidean_distances,
        lambda a, b: length(a[..., :, None, :] - b[..., None, :, :], 2, -1, False),
        sample(normal(3, 4), normal(2, 4)),
        sample(normal(2, 3, 4), normal(2, 5, 4)),
        close=True,
        dtypes=("float64",),
        edges=[edge([[1.0, 2.0]], [[1.0, 2.0], [4.0, 6.0]], value=[[0, 5]], grads=[[[-0.6, -0.8]], [[0, 0], [0.6, 0.8]]])],
    ),
    case(
        "cdist",
        mg.cdist,
        lambda a, b, p=2.0, compute_mode="": length(a[..., :, None, :] - b[..., None, :, :], p, -1, False),
        sample(normal(3, 4), normal(2, 4)),
        sample(normal(2, 3, 4), normal(5, 1, 2, 4), p=1.0),
        sample(normal(26, 2), normal(1, 2)),
        sample(normal(3, 4), normal(2, 4), 2.0, "use_mm_for_euclid_dist"),
        sample(normal(26, 2), normal(1, 2), compute_mode="donot_use_mm_for_euclid_dist"),
        covers=(mg.norm, euclidean_distances),
        dtypes=("float64",),
        close=True,
        edges=[edge([[1.0, 2.0]], [[1.0, 2.0], [4.0, 6.0]], value=[[0, 5]], grads=[[[-0.6, -0.8]], [[0, 0], [0.6, 0.8]]])],
        refused=[
            Refused(
                lambda: mg.cdist(mg.ones(2, 3), mg.ones(2, 4)),
                (ShapeError, RuntimeError),
                "cdist: x1 and x2 must have as many columns",
            ),
            Refused(lambda: mg.cdist(mg.ones(2, 3), mg.ones(2, 3), 2.0, "mm"), ValueError, "cdist: compute_mode must be one of"),
            Refused(lambda: mg.cdist(mg.ones(3), mg.ones(2, 3)), RuntimeError, "cdist: x1 must have 2 or more axes"),
            Refused(
                lambda: mg.cdist(mg.ones(2, 3), mg.ones(2, 3), -1.0), (ArgumentError, RuntimeError), "cdist: p must not be negative"
            ),
        ],
    ),
)
