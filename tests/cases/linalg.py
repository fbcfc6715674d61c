"""Products of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
from op_cases import F32, F64, I32, I64, OpCase, Refused, Typed, case, edge, normal, sample

import minigrad as mg
from minigrad.errors import InputTypeError, ShapeError
from minigrad.nn import functional as F


def product(a: Any, b: Any) -> Any:
    """A matrix product as sums over an index."""
    rows = a if a.ndim > 1 else a[None]
    columns = b if b.ndim > 1 else b[:, None]
    full = (rows[..., :, :, None] * columns[..., None, :, :]).sum(-2)
    full = full if a.ndim > 1 else full[..., 0, :]
    return full if b.ndim > 1 else full[..., 0]


def affine(x: Any, weight: Any, bias: Any = None) -> Any:
    return (
        np.einsum("...i,...i->...", x[..., None, :], weight) + (0 if bias is None else bias)
        if weight.ndim == 2
        else ((x * weight).sum(-1) + (0 if bias is None else bias))
    )


MATRICES = (
    ((3, 4), (4, 2)),
    ((1, 4), (4, 1)),
    ((4,), (4,)),
    ((3, 4), (4,)),
    ((4,), (4, 2)),
    ((2, 3, 4), (2, 4, 2)),
    ((2, 3, 4), (4, 2)),
    ((3, 4), (2, 4, 2)),
    ((2, 1, 3, 2), (3, 2, 2)),
    ((4,), (2, 4, 2)),
    ((2, 3, 4), (4,)),
    ((2, 1, 2, 3), (1, 2, 3, 1)),
    ((0, 4), (4, 2)),
    ((3, 0), (0, 2)),
    ((3, 4), (4, 0)),
    ((0,), (0,)),
)
LAYERS = (
    ((3, 4), (2, 4), (2,)),
    ((4,), (2, 4), (2,)),
    ((2, 3, 4), (5, 4), (5,)),
    ((0, 4), (2, 4), (2,)),
    ((3, 0), (2, 0), (2,)),
    ((3, 4), (4,), ()),
    ((2, 3, 4), (4,), ()),
)

CASES: tuple[OpCase, ...] = (
    case(
        "matmul",
        mg.matmul,
        product,
        *(sample(normal(*a), normal(*b)) for a, b in MATRICES),
        close=True,
        edges=[
            edge(
                [[1.0, np.inf], [0.0, np.nan]],
                [[1.0, 0.0], [0.0, 2.0]],
                value=[[np.nan, np.inf], [np.nan, np.nan]],
                grads=[[[1, 2], [1, 2]], None],
            )
        ],
        typed=[Typed((I64, I64), "int64"), Typed((I32, I64), "int64"), Typed((F32, F64), "float64"), Typed((F32, F32), "float32")],
        refused=[
            Refused(
                lambda: mg.ones(2, 3) @ mg.ones(4, 5),
                (ShapeError, RuntimeError),
                r"matmul: a has 3 columns but b has 4 rows \(a \(2, 3\), b \(4, 5\)\)",
            ),
            Refused(lambda: mg.ones(3) @ mg.ones(4), ShapeError, "matmul: a has 3 elements but b has 4 elements"),
            Refused(lambda: mg.ones(2, 3) @ mg.ones(4), ShapeError, "matmul: a has 3 columns but b has 4 elements"),
            Refused(
                lambda: mg.tensor(1.0) @ mg.ones(4),
                ShapeError,
                r"matmul: needs at least one axis on both sides, got a \(\), b \(4,\)",
            ),
            Refused(lambda: mg.ones(2, 3, 4) @ mg.ones(3, 4, 5), ShapeError, "matmul: the leading axes do not broadcast"),
            Refused(
                lambda: mg.ones(2, 3) @ 2.0,
                (InputTypeError, TypeError),
                "matmul: b must be a Tensor, got float|unsupported operand",
            ),
        ],
    ),
    case(
        "operator @",
        lambda a, b: a @ b,
        product,
        sample(normal(3, 4), normal(4, 2)),
        sample(normal(4), normal(4)),
        covers=(mg.matmul,),
        close=True,
    ),
    case(
        "array @",
        lambda a: np.eye(3)[:2] @ a @ np.arange(8.0).reshape(4, 2),
        lambda a: product(a[:2], np.arange(8.0).reshape(4, 2)),
        sample(normal(3, 4)),
        covers=(mg.matmul,),
        close=True,
    ),
    case("Tensor.mm", lambda a, b: a.mm(b), product, sample(normal(3, 4), normal(4, 2)), covers=(mg.matmul,), close=True),
    case(
        "linear",
        F.linear,
        affine,
        *(sample(normal(*x), normal(*w), normal(*b)) for x, w, b in LAYERS),
        *(sample(normal(*x), normal(*w)) for x, w, _ in LAYERS),
        sample(normal(3, 4), normal(2, 4), bias=None),
        close=True,
        typed=[Typed((F32, F32[None]), "float32"), Typed((F32, F64[None]), "float64"), Typed((F64, F64[None], F64[:1]), "float64")],
        refused=[
            Refused(
                lambda: F.linear(mg.ones(2, 3), mg.ones(5, 4)),
                (ShapeError, RuntimeError),
                r"linear: x has 3 features but weight takes 4 \(x \(2, 3\), weight \(5, 4\)\)",
            ),
            Refused(
                lambda: F.linear(mg.ones(2, 4), mg.ones(5, 4), mg.ones(4)),
                ShapeError,
                r"linear: bias must have shape \(5,\) to go with weight \(5, 4\), got \(4,\)",
            ),
            Refused(lambda: F.linear(mg.tensor(1.0), mg.ones(5, 1)), ShapeError, "linear: weight must have shape"),
            Refused(lambda: F.linear(mg.ones(2, 4)), TypeError, "linear: argument 'weight' is missing"),
            Refused(lambda: F.linear(mg.ones(2, 4), 1.0), TypeError, "linear: weight must be a Tensor, got float"),
        ],
    ),
)
