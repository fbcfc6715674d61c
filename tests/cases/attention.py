"""Rows of a table, attention, dropout of channels and with alpha."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from op_cases import I32, I64, OpCase, Refused, Typed, case, edge, given, integers, normal, sample

import minigrad as mg
from minigrad.errors import ArgumentError, DtypeError, IndexRangeError, InputTypeError, ShapeError
from minigrad.nn import functional as F
from minigrad.ops import attention, noise

nan, inf = math.nan, math.inf


def attend(q: Any, k: Any, v: Any, mask: Any = None, **settings: Any) -> Any:
    """Query by query."""
    if settings.get("enable_gqa"):
        k, v = (np.repeat(x, q.shape[-3] // x.shape[-3], -3) for x in (k, v))
    scale = settings.get("scale") or 1 / math.sqrt(q.shape[-1])
    scores = np.einsum("...le,...se->...ls", q, k) * scale
    if settings.get("is_causal"):
        mask = np.arange(k.shape[-2]) <= np.arange(q.shape[-2])[:, None]
    shares = np.exp(scores) * mask if mask is not None and mask.dtype == bool else np.exp(scores + (0 if mask is None else mask))
    sums = shares.sum(-1, keepdims=True)
    return np.einsum("...ls,...sv->...lv", np.divide(shares, sums, out=np.zeros_like(shares), where=sums > 0), v)


def looked_up(index: Any, table: Any, padding_idx: Any = None) -> Any:
    return np.array([table[i] for i in index.ravel()], table.dtype).reshape(*index.shape, table.shape[1])


def kept(seed: int, shape: Any, p: float) -> Any:
    return np.random.Generator(np.random.PCG64(seed)).random(shape) >= p


def shifted(x: Any, kept: Any, p: float) -> Any:
    """Alpha dropout in the words of the paper: α′ where dropped, then an affine map that restores mean 0 and variance 1."""
    alpha = -1.0507009873554804934193349852946 * 1.6732632423543772848170429916717
    a = (1 - p + alpha**2 * p * (1 - p)) ** -0.5
    return a * np.where(kept, x, alpha) - a * alpha * p


SEEN = np.array([[True, False, True], [False, False, False]])
GIVEN = mg.Generator

CASES: tuple[OpCase, ...] = (
    case(
        "embedding",
        F.embedding,
        looked_up,
        sample(integers(0, 4)(5), normal(4, 3)),
        sample(integers(0, 4)(2, 3), normal(4, 3)),
        sample(given([[0, 2], [3, 0]]), normal(4, 3), 1),
        sample(given([1, 1, 3, 1]), normal(4, 3), -2),
        sample(given([[0], [2]], np.int32), normal(3, 1)),
        sample(given(2), normal(4, 3)),
        sample(given([], np.int64), normal(4, 3)),
        sample(given([0, 1]), normal(2, 0)),
        covers=(attention.taken_rows,),
        fixed=(0,),
        edges=[
            edge(
                np.array([1, 1, 0]), [[1.0, nan], [inf, 2.0]], value=[[inf, 2], [inf, 2], [1, nan]], grads=[None, [[1, 1], [2, 2]]]
            ),
            edge(np.array([1, 1, 0]), [[1.0], [2.0]], -1, value=[[2], [2], [1]], grads=[None, [[1], [0]]]),
            edge(
                np.array([1, 1, 2]),
                [[1.0], [2.0], [4.0]],
                value=[[2], [2], [4]],
                grads=[None, [[0], [1], [1]]],
                scale_grad_by_freq=True,
            ),
            edge(np.array(1), [[1.0], [2.0]], 0, value=[2], grads=[None, [[0], [1]]], scale_grad_by_freq=True),
            edge(np.array([], int), [[1.0]], value=np.zeros((0, 1)), grads=[None, [[0]]], scale_grad_by_freq=True),
        ],
        typed=[
            Typed((I64, np.eye(5, dtype=np.float32)), "float32"),
            Typed((I32, np.eye(5)), "float64"),
            Typed((I64, np.eye(5, dtype=int)), "int64"),
        ],
        refused=[
            Refused(
                lambda: F.embedding(mg.tensor([[0, 1], [2, 7]]), mg.ones(4, 2)),
                (IndexRangeError, IndexError),
                r"embedding: input\[1, 1\] is 7, but weight has 4 rows",
            ),
            Refused(lambda: F.embedding(mg.tensor([-1]), mg.ones(4, 2)), IndexRangeError, r"embedding: input\[0\] is -1, but"),
            Refused(
                lambda: F.embedding(mg.tensor(4), mg.ones(4, 2)), IndexRangeError, "embedding: input is 4, but weight has 4 rows"
            ),
            Refused(
                lambda: F.embedding(mg.ones(2), mg.ones(4, 2)), (DtypeError, RuntimeError), "embedding: input must hold integers"
            ),
            Refused(
                lambda: F.embedding(mg.tensor([1]), mg.ones(4)),
                (ShapeError, RuntimeError),
                "embedding: weight must have shape",
            ),
            Refused(
                lambda: F.embedding(mg.tensor([1]), mg.ones(4, 2), 4),
                ArgumentError,
                r"embedding: padding_idx must be in \[-4, 3\] for 4 rows, got 4",
            ),
            Refused(lambda: F.embedding([1], mg.ones(4, 2)), InputTypeError, "embedding: input must be a Tensor, got list"),
            Refused(lambda: F.embedding(mg.tensor([1]), [[1.0]]), InputTypeError, "embedding: weight must be a Tensor, got list"),
            Refused(
                lambda: F.embedding(mg.tensor([1]), mg.ones(4, 2), max_norm="x"),
                InputTypeError,
                "embedding: max_norm must be a number",
            ),
            Refused(
                lambda: F.embedding(mg.tensor([7]), mg.ones(4, 2), max_norm=1.0), IndexRangeError, r"embedding: input\[0\] is 7"
            ),
        ],
    ),
    case(
        "scaled_dot_product_attention",
        F.scaled_dot_product_attention,
        attend,
        sample(normal(2, 4), normal(3, 4), normal(3, 5)),
        sample(normal(2, 2, 4), normal(2, 3, 4), normal(2, 3, 5)),
        sample(normal(2, 1, 2, 4), normal(3, 4), normal(3, 5), scale=0.7),
        sample(normal(3, 4), normal(3, 4), normal(3, 2), is_causal=True),
        sample(normal(2, 4), normal(3, 4), normal(3, 2), given(SEEN)),
        sample(normal(2, 2, 4), normal(2, 3, 4), normal(2, 3, 2), normal(2, 3)),
        sample(normal(4, 2, 3), normal(2, 3, 3), normal(2, 3, 2), enable_gqa=True),
        covers=(mg.matmul, mg.softmax),
        close=True,
        edges=[
            edge(
                [[1.0]],
                [[1.0], [2.0]],
                [[3.0], [4.0]],
                np.array([[-inf, -inf]]),
                value=[[0]],
                grads=[[[0]], [[0], [0]], [[0], [0]]],
            ),
        ],
        refused=[
            Refused(
                lambda: F.scaled_dot_product_attention(*[mg.ones(2, 2)] * 3, mg.ones(2, 2), is_causal=True),
                (ArgumentError, RuntimeError),
                "attn_mask must be None where is_causal is True",
            ),
            Refused(
                lambda: F.scaled_dot_product_attention(*[mg.ones(2, 2)] * 3, mg.ones(2, 2).long()),
                (DtypeError, RuntimeError),
                "attn_mask must hold booleans or floats, got dtype int64",
            ),
            Refused(
                lambda: F.scaled_dot_product_attention(*[mg.ones(2)] * 3), RuntimeError, "query must be a Tensor of 2 or more axes"
            ),
            Refused(
                lambda: F.scaled_dot_product_attention(*[mg.ones(2, 2)] * 3, [[True]]), TypeError, "attn_mask must be a Tensor"
            ),
            Refused(
                lambda: F.scaled_dot_product_attention(*[mg.ones(2, 2)] * 3, dropout_p=2.0), ValueError, "p must be a probability"
            ),
            Refused(
                lambda: F.scaled_dot_product_attention(mg.ones(3, 2, 2), *[mg.ones(2, 2, 2)] * 2, enable_gqa=True),
                ShapeError,
                "3 heads of query do not share 2 heads",
            ),
        ],
    ),
    case(
        "dropout1d",
        lambda x, p, seed: F.dropout1d(x, p, generator=GIVEN(seed)),
        lambda x, p, seed: x * kept(seed, (*x.shape[:-1], 1), p) / (1 - p),
        sample(normal(3, 4, 2), 0.3, 0),
        sample(normal(5, 2), 0.6, 1),
        covers=(noise.keep_above,),
        dtypes=["float64"],
        edges=[edge([[1.0, -2.0]], 1.0, 0, value=[[0, 0]], grads=[[[0, 0]]])],
        refused=[
            Refused(lambda: F.dropout1d(mg.ones(3)), (ShapeError, RuntimeError), r"dropout1d: input must have shape \(N, C, L\)")
        ],
    ),
    case(
        "alpha_dropout",
        lambda x, p, seed: F.alpha_dropout(x, p, True, generator=GIVEN(seed)),
        lambda x, p, seed: shifted(x, kept(seed, x.shape, p), p),
        sample(normal(3, 4), 0.3, 0),
        sample(normal(0, 4), 0.3, 0),
        covers=(mg.mul, mg.add),
        dtypes=["float64"],
        edges=[edge([1.0, -2.0], 1.0, 0, value=[0, 0], grads=[[0, 0]]), edge([1.0, nan], 0.0, 0, value=[1, nan])],
        refused=[Refused(lambda: F.alpha_dropout(mg.ones(3), 1.5, True), ValueError, "alpha_dropout: p must be a probability")],
    ),
    case(
        "alpha_dropout[inplace]",
        lambda x, p, seed: F.alpha_dropout(x * 1, p, True, True, generator=GIVEN(seed)),
        lambda x, p, seed: shifted(x, kept(seed, x.shape, p), p),
        sample(normal(3, 4), 0.3, 0),
        covers=(mg.mul, mg.add),
        dtypes=["float64"],
    ),
    case(
        "feature_alpha_dropout",
        lambda x, p, seed: F.feature_alpha_dropout(x, p, True, generator=GIVEN(seed)),
        lambda x, p, seed: shifted(x, kept(seed, (*x.shape[:2], *[1] * (x.ndim - 2)), p), p),
        sample(normal(3, 4, 2), 0.3, 0),
        sample(normal(3, 4), 0.3, 0),
        covers=(mg.mul, mg.add),
        dtypes=["float64"],
        refused=[
            Refused(lambda: F.feature_alpha_dropout(mg.ones(3), 0.5, True), ShapeError, "feature_alpha_dropout: input must have")
        ],
    ),
)
