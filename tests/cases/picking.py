"""Elements by their places along an axis."""

from __future__ import annotations

from typing import Any

import numpy as np
from op_cases import BOOL, F32, F64, I32, I64, U8, OpCase, Refused, Typed, case, edge, given, integers, mask, normal, sample

import minigrad as mg
from minigrad.errors import ArgumentError, DimError, DtypeError, IndexRangeError, InputTypeError, ShapeError
from minigrad.ops import extremes, indexing, picking, shape

F = mg.nn.functional
PLACES = integers(0, 3)
GIVEN = given([[2, 0, 1], [0, 2, 2]])
APART = given([[2, 0, 1, 1], [0, 1, 2, 0]])  # no place twice along axis 0


def places(index: Any, dim: int) -> Any:
    """For each place of an index the place it names."""
    for p in np.ndindex(*index.shape):
        if not p:
            yield p, (int(index),)
        else:
            yield p, tuple(int(index[p]) if axis == dim % len(p) else i for axis, i in enumerate(p))


def gathered(x: Any, dim: int, index: Any) -> Any:
    out = np.zeros(index.shape)
    for p, q in places(index, dim):
        out[p] = x[q if x.ndim else ()]
    return out


def scattered(x: Any, dim: int, index: Any, src: Any = None, value: Any = None, add: bool = False) -> Any:
    out = x.copy()
    for p, q in places(index, dim):
        out[q] = (src[p] if isinstance(src, np.ndarray) else value if src is None else src) + (out[q] if add else 0)
    return out


def along(x: Any, index: Any, dim: int | None = None) -> Any:
    if dim is None:
        return np.array([x.ravel()[i] for i in index.ravel()])
    other = [i for i in range(x.ndim) if i != dim % x.ndim]
    sizes = [max(x.shape[i], index.shape[i]) if i in other else -1 for i in range(x.ndim)]
    x, index = (np.broadcast_to(a, [a.shape[i] if n == -1 else n for i, n in enumerate(sizes)]) for a in (x, index))
    return gathered(x, dim, np.where(index < 0, index + x.shape[dim], index))


def index_errors(name: str, use: Any) -> list[Refused]:
    """`use(x, index)` on a tensor of shape (3, 4), along axis 1."""
    return [
        Refused(
            lambda: use(mg.ones(3, 4), mg.tensor([[0, 1], [0, 4]])),
            (IndexRangeError, IndexError, RuntimeError),
            rf"{name}: index 4 at \[1, 1\] is out of range: axis 1 of length 4",
        ),
        Refused(
            lambda: use(mg.ones(3, 4), mg.tensor([[-1, 1]])), IndexRangeError, rf"{name}: index -1 at \[0, 0\] is out of range"
        ),
        Refused(lambda: use(mg.ones(3, 4), mg.tensor([[0.5]])), (DtypeError, RuntimeError), f"{name}: index must hold integers"),
        Refused(
            lambda: use(mg.ones(3, 4), [[0]]), (InputTypeError, TypeError), f"{name}: index must be a Tensor of ints, got list"
        ),
        Refused(lambda: use(mg.ones(3, 4), mg.tensor([0, 1])), (ShapeError, RuntimeError), f"{name}: index must have as many axes"),
        Refused(
            lambda: use(mg.ones(3, 4), mg.zeros(4, 1, dtype=mg.int64)),
            (ShapeError, RuntimeError),
            f"{name}: outside of dim 1 index must not be longer than input",
        ),
    ]


GATHERING = [
    case(
        "gather",
        mg.gather,
        gathered,
        sample(normal(3, 4), 0, PLACES(2, 4)),
        sample(normal(3, 4), 1, PLACES(3, 5)),
        sample(normal(3, 4), -1, GIVEN),
        sample(normal(2, 3, 4), 1, PLACES(1, 5, 2)),
        sample(normal(4), 0, given([1, 1, 1, 0])),
        sample(normal(3, 4), 0, given(np.zeros((0, 3), int))),
        sample(normal(), 0, given([0, 0])),
        sample(normal(3), 0, given(2)),
        covers=(extremes.pick, indexing.getitem, shape.reshape_to),
        typed=[Typed((x, 0, I64 - 1), x.dtype.name) for x in (I64, F32, F64, BOOL)],
        refused=[
            *index_errors("gather", lambda x, index: mg.gather(x, 1, index)),
            Refused(lambda: mg.gather(mg.ones(3, 4), 2, mg.tensor([[0]])), (DimError, IndexError), "gather: dim 2 is out of range"),
        ],
    ),
    case(
        "take_along_dim",
        mg.take_along_dim,
        along,
        sample(normal(3, 4), PLACES(3, 2), 1),
        sample(normal(3, 4), PLACES(2, 1), 0),
        sample(normal(1, 4), PLACES(3, 2), 1),
        sample(normal(3, 4), given([[-1], [0], [-4]]), -1),
        sample(normal(3, 4), given([[0, 11], [5, 5]])),
        covers=(extremes.pick, shape.expand_to),
        refused=[
            Refused(
                lambda: mg.take_along_dim(mg.ones(3, 4), mg.tensor([0]), 0),
                (ShapeError, RuntimeError),
                "must have equally many axes",
            ),
            Refused(
                lambda: mg.take_along_dim(mg.ones(3, 4), mg.tensor([[0], [0]]), 1),
                (ShapeError, RuntimeError),
                r"take_along_dim: \(3, 4\) and \(2, 1\) do not broadcast outside of dim 1",
            ),
            Refused(lambda: mg.take_along_dim(mg.ones(3), mg.tensor([3]), 0), IndexError, "index 3 at .* is out of range"),
        ],
    ),
    case(
        "index_select",
        mg.index_select,
        lambda x, dim, index: np.stack([np.moveaxis(x, dim, 0)[i] for i in np.atleast_1d(index)]).swapaxes(0, dim) if x.ndim else x,
        sample(normal(3, 4), 0, given([2, 0, 0])),
        sample(normal(3, 4), 1, given([3, 1])),
        sample(normal(3, 4), -1, given(1)),
        sample(normal(), 0, given([0])),
        sample(normal(), 0, given(0)),
        covers=(indexing.getitem,),
        typed=[Typed((x, 0, I64 - 1), x.dtype.name) for x in (I64, F32, BOOL)],
        refused=[
            Refused(
                lambda: mg.index_select(mg.ones(3, 4), 0, mg.tensor([0, 3])),
                (IndexRangeError, IndexError),
                r"index_select: index 3 at \[1\] is out of range: axis 0 of length 3",
            ),
            Refused(lambda: mg.index_select(mg.ones(3), 0, mg.tensor([-1])), IndexError, "index_select: index -1"),
            Refused(lambda: mg.index_select(mg.ones(3), 0, mg.tensor([[0]])), IndexError, "index_select: index must be a vector"),
            Refused(
                lambda: mg.index_select(mg.ones(3), 1, mg.tensor([0])), (DimError, IndexError), "index_select: dim 1 is out of"
            ),
        ],
    ),
    case(
        "select",
        mg.select,
        lambda x, dim, index: np.take(x, index, dim),
        sample(normal(3, 4), 0, 2),
        sample(normal(3, 4), -1, -2),
        sample(normal(3), 0, 1),
        covers=(indexing.getitem,),
        refused=[
            Refused(
                lambda: mg.ones(3, 4).select(1, 4),
                (IndexRangeError, IndexError),
                "select: index 4 is out of range for axis 1 of length 4",
            ),
            Refused(lambda: mg.tensor(1.0).select(0, 0), (DimError, IndexError), "select: needs an axis"),
            Refused(lambda: mg.ones(3).select(0, 0.5), TypeError, "select: index must be an int"),
        ],
    ),
    case(
        "narrow",
        mg.narrow,
        lambda x, dim, start, length: np.take(x, [start % max(x.shape[dim], 1) + i for i in range(length)], dim),
        sample(normal(3, 4), 0, 1, 2),
        sample(normal(3, 4), 1, -3, 2),
        sample(normal(3, 4), -1, 0, 0),
        covers=(indexing.getitem,),
        refused=[
            Refused(
                lambda: mg.ones(3, 4).narrow(0, 2, 2),
                (IndexRangeError, RuntimeError),
                "narrow: 2 elements from 2 on are not within axis 0 of length 3",
            ),
            Refused(lambda: mg.ones(3, 4).narrow(0, 4, 0), (IndexRangeError, IndexError), "narrow: 0 elements from 4 on"),
            Refused(lambda: mg.ones(3, 4).narrow(0, 0, -1), (IndexRangeError, RuntimeError), "narrow: -1 elements"),
            Refused(lambda: mg.ones(3, 4).narrow(0, 0.5, 1), (InputTypeError, TypeError), "narrow: start must be an int, got 0.5"),
            Refused(lambda: mg.tensor(1.0).narrow(0, 0, 1), (ShapeError, RuntimeError), "narrow: needs an axis"),
        ],
    ),
    case(
        "masked_select",
        mg.masked_select,
        lambda x, m: np.array([v for v, keep in zip(*map(np.ravel, np.broadcast_arrays(x, m)), strict=True) if keep]),
        sample(normal(3, 4), mask(3, 4)),
        sample(normal(3, 4), given([True, False, True, True])),
        sample(normal(4), mask(3, 4)),
        sample(normal(3), given([False] * 3)),
        covers=(indexing.getitem,),
        refused=[
            Refused(
                lambda: mg.masked_select(mg.ones(3), mg.tensor([1, 0, 1])), (DtypeError, RuntimeError), "expected a mask of bools"
            ),
            Refused(lambda: mg.masked_select(mg.ones(3), [True]), (DtypeError, TypeError), "expected a mask of bools, got list"),
            Refused(lambda: mg.masked_select(mg.ones(3), mg.tensor([True, False])), (ShapeError, RuntimeError), "do not broadcast"),
        ],
    ),
]

SCATTERING = [
    case(
        "scatter",
        mg.scatter,
        scattered,
        sample(normal(3, 4), 0, APART, normal(2, 4)),
        sample(normal(3, 4), 1, given([[3, 0], [1, 2]]), normal(3, 4)),
        sample(normal(3, 4), 1, given([[1, 1, 2]]), normal(1, 3)),
        sample(normal(3, 4), 0, APART, 2.5),
        sample(normal(3, 4), 0, APART, value=-1.5),
        sample(normal(2, 3, 2), -1, PLACES(1, 0, 2), normal(1, 1, 2)),
        sample(normal(4), 0, given([3, 1]), normal(2)),
        covers=(indexing.index_put, shape.reshape_to),
        typed=[Typed((x, 0, I64 - 1, x), x.dtype.name) for x in (I64, F32, F64, BOOL)],
        refused=[
            *index_errors("scatter", lambda x, index: mg.scatter(x, 1, index, 1.0)),
            Refused(
                lambda: mg.scatter(mg.ones(3), 0, mg.tensor([0, 1]), mg.ones(1)),
                (ShapeError, RuntimeError),
                r"scatter: index must not be longer than src, got shape \(2,\) for \(1,\)",
            ),
            Refused(
                lambda: mg.scatter(mg.ones(3), 0, mg.tensor([0]), mg.ones(1, dtype=mg.float64)),
                (DtypeError, RuntimeError),
                "scatter: expected values of input's dtype float32, got float64",
            ),
            Refused(lambda: mg.scatter(mg.ones(3), 0, mg.tensor([0])), TypeError, "scatter: expected one of src and value"),
        ],
    ),
    case(
        "scatter_add",
        mg.scatter_add,
        lambda x, dim, index, src: scattered(x, dim, index, src, add=True),
        sample(normal(3, 4), 0, PLACES(2, 4), normal(2, 4)),
        sample(normal(3, 4), 1, given([[1, 1, 1], [0, 0, 3]]), normal(3, 4)),
        sample(normal(4), 0, given([3, 3, 3]), normal(3)),
        covers=(extremes.place, mg.add),
        refused=index_errors("scatter_add", lambda x, index: mg.scatter_add(x, 1, index, mg.ones(9, 9))),
    ),
    case(
        "place",
        lambda x, index, dim, shape: extremes.place(x, index.array, dim, shape),
        lambda x, index, dim, shape: scattered(np.zeros(shape), dim, index, x, add=True),
        sample(normal(3, 2), given([[2, 0], [1, 3], [3, 2]]), 1, (3, 4)),
        sample(normal(2, 2), given([[2, 0], [1, 2]]), 0, (3, 2)),
        sample(normal(2, 3), given([[1, 1, 0], [0, 0, 0]]), 1, (3, 2)),
        sample(normal(2, 3), given([[1, 1, 0], [1, 0, 0]]), 0, (2, 4)),
        covers=(extremes.place,),
    ),
    case(
        "index_add",
        mg.index_add,
        lambda x, dim, index, source, alpha=1: np.moveaxis(
            np.array(
                [
                    row + alpha * sum((s for j, s in zip(index, np.moveaxis(source, dim, 0), strict=True) if j == i), 0 * row)
                    for i, row in enumerate(np.moveaxis(x, dim, 0))
                ]
            ),
            0,
            dim,
        ),
        sample(normal(3, 4), 0, given([2, 0, 2, 2]), normal(4, 4)),
        sample(normal(3, 4), 1, given([1, 1]), normal(3, 2), alpha=-0.5),
        close=True,
        covers=(indexing.put_into_zeros, mg.add),
        refused=[
            Refused(
                lambda: mg.index_add(mg.tensor(1.0), 0, mg.tensor([0]), mg.ones(1)),
                (DimError, IndexError),
                "index_add: needs an axis, got a 0-d tensor",
            ),
            Refused(
                lambda: mg.index_add(mg.ones(3, 4), 0, mg.tensor([0, 3]), mg.ones(2, 4)),
                (IndexRangeError, IndexError, RuntimeError),
                r"index_add: index 3 at \[1\] is out of range: axis 0 of length 3",
            ),
            Refused(
                lambda: mg.index_add(mg.ones(3, 4), 0, mg.tensor([0]), mg.ones(2, 4)),
                (ShapeError, RuntimeError),
                r"index_add: expected a source of shape \(1, 4\), got \(2, 4\)",
            ),
        ],
    ),
    case(
        "index_add[0-d]",
        mg.index_add,
        lambda x, dim, index, source, alpha=1: x + alpha * source,
        sample(normal(), 0, given(0), normal(), alpha=2.0),
        sample(normal(), -1, given([0]), normal()),
        covers=(indexing.put_into_zeros, mg.add),
    ),
    case(
        "where[condition]",
        mg.where,
        lambda x: tuple(np.nonzero(np.atleast_1d(x))),
        sample(mask(3, 4)),
        sample(integers(0, 3)(5)),
        sample(given(True)),
        covers=(mg.argwhere,),
        order=0,
    ),
    case(
        "masked_scatter",
        mg.masked_scatter,
        lambda x, m, source: np.where(
            m, source.ravel()[np.clip(np.cumsum(m + np.zeros(x.shape, int)) - 1, 0, None)].reshape(x.shape), x
        ),
        sample(normal(3, 4), mask(3, 4), normal(12)),
        sample(normal(3, 4), given([True, False, True, False]), normal(2, 5)),
        covers=(indexing.index_put,),
        refused=[
            Refused(
                lambda: mg.masked_scatter(mg.ones(3), mg.tensor([True, True, False]), mg.ones(1)),
                (ShapeError, RuntimeError),
                "masked_scatter: the mask takes 2 elements, but source has 1",
            ),
            Refused(
                lambda: mg.masked_scatter(mg.ones(3), mg.ones(3), mg.ones(3)),
                (DtypeError, RuntimeError),
                "expected a mask of bools",
            ),
        ],
    ),
    *(
        case(
            f"Tensor.{name}_",
            lambda x, *rest, name=name: getattr(x * 1, f"{name}_")(*rest),
            reference,
            row,
            covers=(operation, mg.mul),
        )
        for name, operation, reference, row in (
            ("scatter", indexing.index_put, scattered, sample(normal(3, 4), 0, APART, normal(2, 4))),
            (
                "scatter_add",
                extremes.place,
                lambda *args: scattered(*args, add=True),
                sample(normal(3, 4), 0, PLACES(2, 4), normal(2, 4)),
            ),
            (
                "index_add",
                indexing.put_into_zeros,
                lambda x, dim, index, source: x + np.stack([source[0] + source[2], 0 * source[0], source[1]]),
                sample(normal(3, 4), 0, given([0, 2, 0]), normal(3, 4)),
            ),
            (
                "masked_scatter",
                indexing.index_put,
                lambda x, m, source: np.array([source[0], x[1], source[1]]),
                sample(normal(3), given([True, False, True]), normal(2)),
            ),
        )
    ),
]

COUNTING = [
    case(
        "nonzero",
        lambda x: mg.nonzero(x),
        lambda x: np.array([p for p in np.ndindex(*x.shape) if x[p]], int).reshape(np.count_nonzero(x), x.ndim),
        sample(integers(0, 2)(3, 4)),
        sample(mask(2, 3, 2)),
        sample(given(3)),
        sample(given([0, 0])),
        covers=(picking.argwhere,),
        order=0,
        typed=[Typed((x,), "int64") for x in (I64, I32, U8, F32, F64, BOOL)],
    ),
    case(
        "nonzero[as_tuple]",
        lambda x: mg.nonzero(x, as_tuple=True),
        lambda x: tuple(
            np.array([p[i] for p in np.ndindex(*np.shape(x)) if x[p]] if x.ndim else [0]) for i in range(max(x.ndim, 1))
        ),
        sample(mask(3, 4)),
        sample(given(3)),
        covers=(picking.argwhere,),
        order=0,
    ),
    case(
        "one_hot",
        F.one_hot,
        lambda x, classes=-1: np.array(
            [[int(j == i) for j in range(x.max() + 1 if classes == -1 else classes)] for i in x.ravel()]
        ).reshape(*x.shape, -1),
        sample(integers(0, 4)(5)),
        sample(integers(0, 4)(2, 3), 6),
        sample(given(2), 3),
        covers=(mg.eq,),
        order=0,
        edges=[edge(np.zeros(0, int), 3, value=np.zeros((0, 3)))],
        refused=[
            Refused(
                lambda: F.one_hot(mg.tensor([0, 3]), 3),
                (IndexRangeError, RuntimeError),
                r"one_hot: index 3 at \[1\] is out of range: classes 3",
            ),
            Refused(lambda: F.one_hot(mg.tensor([-1, 3])), (IndexRangeError, RuntimeError), "one_hot: index -1"),
            Refused(lambda: F.one_hot(mg.tensor([1.0])), (DtypeError, RuntimeError), "one_hot: expected class indices"),
            Refused(lambda: F.one_hot(mg.zeros(0, dtype=mg.int64)), (ArgumentError, RuntimeError), "num_classes must be given"),
            Refused(
                lambda: F.one_hot(mg.zeros(0, dtype=mg.int64), 0), (ArgumentError, RuntimeError), "num_classes must be at least 1"
            ),
        ],
    ),
]

CASES: tuple[OpCase, ...] = (*GATHERING, *SCATTERING, *COUNTING)
