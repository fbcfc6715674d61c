"""Operations composed of others: sums of products, pieces of tensors, quantiles, elements put in place."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from op_cases import BOOL, F32, F64, I64, U8, OpCase, Refused, Typed, away, case, distinct, edge, given, normal, sample, uniform

import minigrad as mg
from minigrad.errors import ArgumentError, DimError, DomainError, DtypeError, InputTypeError, ShapeError
from minigrad.ops import arithmetic, extremes, indexing, scattering, shape

inf, nan = math.inf, math.nan
SHAPE = (ShapeError, RuntimeError)
ARGUMENT = (ArgumentError, RuntimeError)


def in_place(name: str, reference: Any, row: Any, *covers: Any) -> OpCase:
    """`x.name_(…)` of a recorded x."""
    return case(
        f"Tensor.{name}_",
        lambda x, *rest, **settings: getattr(x.clone(), f"{name}_")(*rest, **settings),
        reference,
        row,
        covers=(mg.clone, *covers),
        close=True,
    )


def weighted(input: Any, product: Any, beta: float, alpha: float) -> Any:
    return beta * input + alpha * product


ARITHMETIC = [
    case(
        "addcmul",
        mg.addcmul,
        lambda x, a, b, value=1: x + value * (a * b),
        sample(normal(3, 4), normal(4), normal(3, 1)),
        sample(normal(3), normal(3), normal(3), value=-0.5),
        covers=(mg.add, mg.mul),
        typed=[Typed((I64, I64, I64), "int64", {"value": 2.0}), Typed((F32, F32, F32), "float32")],
        close=True,
    ),
    case(
        "addcdiv",
        mg.addcdiv,
        lambda x, a, b, value=1: x + value * (a / b),
        sample(normal(3, 4), normal(4), away(0.0)(3, 1)),
        sample(normal(3), normal(3), away(0.0)(3), value=-0.5),
        covers=(mg.add, mg.div),
        close=True,
        refused=[
            Refused(lambda: mg.addcdiv(*[mg.tensor([1])] * 3), (DtypeError, RuntimeError), "addcdiv: tensor1 or tensor2 must be of")
        ],
    ),
    case(
        "rsub",
        mg.rsub,
        lambda x, other, alpha=1: other - alpha * x,
        sample(normal(3, 4), normal(4)),
        sample(normal(3), 1.0, alpha=2.0),
        covers=(mg.sub,),
        typed=[Typed((I64, 1), "int64")],
    ),
    case(
        "float_power",
        mg.float_power,
        np.float_power,
        sample(uniform(0.5, 2)(3, 4), normal(4)),
        sample(uniform(0.5, 2)(3), 2),
        sample(2.0, normal(3)),
        covers=(arithmetic.pow_tensor, arithmetic.pow_scalar),
        dtypes=("float64",),
        typed=[Typed((F32, 2), "float64"), Typed((I64, I64), "float64")],
    ),
    in_place("addcmul", lambda x, a, b: x + a * b, sample(normal(3), normal(3), normal(3)), mg.mul, mg.add),
    in_place("addcdiv", lambda x, a, b: x + a / b, sample(normal(3), normal(3), away(0.0)(3)), mg.div, mg.add),
    case(
        "Tensor.float_power_",
        lambda x, p: x.clone().float_power_(p),
        np.float_power,
        sample(uniform(0.5, 2)(3), 2),
        covers=(mg.clone, arithmetic.pow_scalar),
        dtypes=("float64",),
    ),
]

ADDED: tuple[tuple[str, Any, Any, tuple[Any, ...]], ...] = (
    ("addbmm", mg.addbmm, lambda a, b: (a @ b).sum(0), ((2, 3, 4), (2, 4, 2), (3, 2))),
    ("addmv", mg.addmv, np.matmul, ((3, 4), (4,), (3,))),
    ("addr", mg.addr, np.outer, ((3,), (2,), (3, 2))),
)
PRODUCTS = [
    *(
        case(
            name,
            function,
            lambda x, a, b, beta=1, alpha=1, f=reference: weighted(x, f(a, b), beta, alpha),
            sample(normal(*out), normal(*a), normal(*b)),
            sample(normal(), normal(*a), normal(*b), beta=0.5, alpha=-2.0),
            covers=(mg.mul if name == "addr" else mg.matmul,),
            close=True,
            refused=[
                Refused(
                    lambda f=function, a=a, b=b: f(mg.ones(7, 7), mg.ones(a), mg.ones(b)),
                    SHAPE,
                    f"{name}: input .* does not broadcast",
                )
            ],
        )
        for name, function, reference, (a, b, out) in ADDED
    ),
    *(
        in_place(name, lambda x, a, b, f=reference: x + f(a, b), sample(normal(*out), normal(*a), normal(*b)))
        for name, reference, (a, b, out) in (
            *((name, reference, shapes) for name, _, reference, shapes in ADDED),
            ("addmm", np.matmul, ((3, 4), (4, 2), (3, 2))),
            ("baddbmm", np.matmul, ((2, 3, 4), (2, 4, 2), (2, 3, 2))),
        )
    ),
    case(
        "tensordot",
        mg.tensordot,
        lambda a, b, dims=2: np.tensordot(a, b, dims),
        sample(normal(2, 3, 4), normal(3, 4, 2)),
        sample(normal(2, 3), normal(3, 4), 1),
        sample(normal(2, 3), normal(2), dims=0),
        sample(normal(2, 3, 4), normal(4, 2), ([0, 2], [1, 0])),
        sample(normal(2, 0), normal(0, 3), dims=([-1], [0])),
        sample(normal(2, 1), normal(1, 3), 1),
        covers=(mg.matmul,),
        typed=[Typed((I64, I64, 1), "int64")],
        close=True,
        refused=[
            Refused(lambda: mg.tensordot(mg.ones(2, 3), mg.ones(2), 1), SHAPE, "tensordot: the axes .* must have the same sizes"),
            Refused(lambda: mg.tensordot(mg.ones(2), mg.ones(2), 2), SHAPE, r"tensordot: dims must be in \[0, 1\]"),
            Refused(lambda: mg.tensordot(mg.ones(2), [1.0]), TypeError, "tensordot: b must be a Tensor, got list"),
        ],
    ),
    case(
        "tensordot[1 broadcasts]",
        mg.tensordot,
        lambda a, b, dims: np.tensordot(a, np.broadcast_to(b, (4, 3)), dims),
        sample(normal(2, 4), normal(1, 3), 1),
        covers=(mg.matmul, mg.sum),
        close=True,
    ),
    case(
        "kron",
        mg.kron,
        np.kron,
        sample(normal(2, 3), normal(3, 2)),
        sample(normal(2, 3), normal(2)),
        sample(normal(), normal(2, 2)),
        covers=(mg.mul,),
        typed=[Typed((I64, I64), "int64")],
        refused=[Refused(lambda: mg.kron(mg.ones(2), 2.0), TypeError, "kron: other must be a Tensor, got float")],
    ),
    case(
        "dist",
        mg.dist,
        lambda a, b, p=2: np.linalg.norm(np.ravel(a - b), p),
        sample(normal(3, 4), normal(4)),
        sample(normal(3), normal(3), 1),
        sample(normal(3), normal(3), p=inf),
        covers=(mg.norm, mg.sub),
        close=True,
    ),
]


def parts(x: Any, cuts: Any, axis: int) -> tuple[Any, ...]:
    return tuple(np.array_split(x, cuts, axis))


PIECES = [
    case(
        "tensor_split",
        lambda x, *args, **settings: mg.tensor_split(x.clone(), *args, **settings),
        lambda x, cuts, dim=0: parts(x, cuts, dim),
        sample(normal(7), 3),
        sample(normal(2, 5), (1, 3), dim=1),
        sample(normal(5), [2, 9]),
        sample(normal(2), 3),
        sample(normal(5, 2), (-3, 4), -2),
        covers=(mg.clone, indexing.getitem),
        refused=[
            Refused(lambda: mg.ones(3).tensor_split(0), ARGUMENT, "tensor_split: expected at least 1 section, got 0"),
            Refused(lambda: mg.ones(3).tensor_split(0.5), TypeError, "tensor_split: indices_or_sections must be an int"),
            Refused(lambda: mg.tensor(1.0).tensor_split(1), SHAPE, "tensor_split: needs an axis"),
        ],
    ),
    case(
        "split_with_sizes",
        mg.split_with_sizes,
        lambda x, sizes, dim=0: parts(x, np.cumsum(sizes)[:-1], dim),
        sample(normal(5), [2, 3]),
        sample(normal(2, 5), (1, 0, 4), dim=1),
        covers=(indexing.getitem,),
        refused=[Refused(lambda: mg.split_with_sizes(mg.ones(3), [1, 1]), SHAPE, r"split: sizes \[1, 1\] must add up to 3")],
    ),
    *(
        case(
            name,
            function,
            lambda x, cuts, axis=axis: parts(x, cuts, min(axis, x.ndim - 1)),
            sample(normal(2, 4, 4), 2),
            sample(normal(2, 3, 4), (1,)),
            *([sample(normal(4), 2)] if name == "hsplit" else []),
            covers=(indexing.getitem,),
            refused=[
                Refused(
                    lambda f=function: f(mg.ones(3, 3, 3), 2),
                    SHAPE,
                    rf"{name}: axis {axis} of shape \(3, 3, 3\) cannot be cut into 2",
                ),
                Refused(lambda f=function: f(mg.tensor(1.0), 1), SHAPE, f"{name}: needs at least {ndim}"),
            ],
        )
        for name, function, axis, ndim in (("hsplit", mg.hsplit, 1, 1), ("vsplit", mg.vsplit, 0, 2), ("dsplit", mg.dsplit, 2, 3))
    ),
    case("row_stack", lambda *xs: mg.row_stack(xs), lambda *xs: np.vstack(xs), sample(normal(3), normal(2, 3)), covers=(mg.cat,)),
    case(
        "column_stack",
        lambda *xs: mg.column_stack(xs),
        lambda *xs: np.column_stack(xs),
        sample(normal(3), normal(3, 2)),
        sample(normal(), normal()),
        covers=(mg.cat,),
        refused=[Refused(lambda: mg.column_stack([mg.ones(2), mg.ones(3)]), SHAPE, "cat: shapes must be equal but for axis 1")],
    ),
    *(
        case(
            f"atleast_{n}d",
            function,
            lambda *xs, f=reference: tuple(map(f, xs)) if len(xs) > 1 else f(*xs),
            *(sample(normal(*sizes)) for sizes in ((), (3,), (2, 3), (2, 3, 2), (2, 1, 3, 2))),
            sample(normal(3), normal()),
            covers=(shape.reshape_to,),
            refused=[Refused(lambda f=function: f([mg.ones(2), 1.0]), TypeError, rf"atleast_{n}d: tensors\[1\] must be a Tensor")],
        )
        for n, function, reference in (
            (1, mg.atleast_1d, np.atleast_1d),
            (2, mg.atleast_2d, np.atleast_2d),
            (3, mg.atleast_3d, np.atleast_3d),
        )
    ),
    case(
        "atleast_1d[list]",
        lambda *xs: mg.atleast_1d(list(xs)),
        lambda *xs: tuple(map(np.atleast_1d, xs)),
        sample(normal()),
        sample(normal(), normal(2)),
        covers=(shape.reshape_to,),
    ),
    case(
        "block_diag",
        mg.block_diag,
        lambda *xs: np.block(
            [
                [
                    np.atleast_2d(x) if i == j else np.zeros((np.atleast_2d(x).shape[0], np.atleast_2d(y).shape[1]))
                    for j, y in enumerate(xs)
                ]
                for i, x in enumerate(xs)
            ]
        ),
        sample(normal(2, 3), normal(2), normal()),
        sample(normal(2, 2)),
        covers=(mg.cat, indexing.put_into_zeros),
        refused=[Refused(lambda: mg.block_diag(mg.ones(1, 1, 1)), SHAPE, r"block_diag: expected matrices, got shapes \(1, 1, 1\)")],
    ),
    case(
        "cartesian_prod",
        mg.cartesian_prod,
        lambda *xs: np.array([[a, b] for a in xs[0] for b in xs[1]]),
        sample(normal(3), normal(2)),
        covers=(mg.stack,),
        refused=[Refused(lambda: mg.cartesian_prod(mg.ones(2, 2)), SHAPE, "cartesian_prod: expected vectors")],
    ),
]


def running(x: Any, dim: int, better: Any) -> tuple[Any, Any]:
    """Values and places of the best so far, the last of equal ones, element by element."""
    if not x.ndim:
        return x, np.zeros((), int)
    rows = np.moveaxis(x, dim, -1)
    places = np.zeros(rows.shape, int)
    for row in np.ndindex(rows.shape[:-1]):
        best = 0
        for k, v in enumerate(rows[row]):
            top = rows[row][best]
            best = k if v != v or (top == top and better(v, top)) else best
            places[(*row, k)] = best
    places = np.moveaxis(places, -1, dim)
    return np.take_along_axis(x, places, dim), places


ALONG = [
    *(
        case(
            name,
            function,
            lambda x, dim, better=better: running(x, dim, better),
            sample(distinct(3, 4), 0),
            sample(distinct(2, 3, 2), -1),
            sample(distinct(5), 0),
            sample(normal(), 0),
            sample(normal(0, 3), 0),
            covers=(indexing.getitem, mg.clone),
            typed=[Typed((x, 0), x.dtype.name) for x in (I64, U8, F32, BOOL)],
            edges=[
                edge(
                    [1.0, 3.0, 3.0, 1.0, 1.0, nan, 5.0],
                    0,
                    value=running(np.array([1, 3, 3, 1, 1, nan, 5]), 0, better),
                    grads=[grads],
                )
            ],
            refused=[Refused(lambda f=function: f(mg.ones(2), 1), (DimError, IndexError), f"{name}: dim 1 is out of range")],
        )
        for name, function, better, grads in (
            ("cummax", mg.cummax, np.greater_equal, [1, 1, 3, 0, 0, 2, 0]),
            ("cummin", mg.cummin, np.less_equal, [3, 0, 0, 1, 1, 2, 0]),
        )
    ),
    case(
        "diff",
        mg.diff,
        lambda x, n=1, dim=-1, prepend=None, append=None: np.diff(
            x, n, dim, **{k: v for k, v in (("prepend", prepend), ("append", append)) if v is not None}
        ),
        sample(normal(5)),
        sample(normal(3, 4), 2),
        sample(normal(3, 4), 1, 0),
        sample(normal(3), 0),
        sample(normal(2), n=4),
        sample(normal(3, 4), 1, -1, normal(3, 1), normal(3, 2)),
        covers=(mg.sub, indexing.getitem),
        typed=[Typed((I64,), "int64"), Typed((U8,), "uint8"), Typed((BOOL,), "bool")],
        refused=[
            Refused(lambda: mg.diff(mg.tensor(1.0)), SHAPE, "diff: needs an axis"),
            Refused(lambda: mg.diff(mg.ones(2), -1), ARGUMENT, "diff: n must be at least 0, got -1"),
        ],
    ),
    case(
        "msort",
        mg.msort,
        lambda x: np.sort(x, 0),
        sample(distinct(4, 3)),
        covers=(extremes.pick,),
    ),
    case(
        "quantile",
        mg.quantile,
        lambda x, q, dim=None, keepdim=False, interpolation="linear": np.quantile(
            x, q, dim, keepdims=keepdim, method=interpolation
        ),
        sample(distinct(3, 4), 0.3),
        sample(distinct(3, 4), 0.3, 1, True),
        sample(distinct(3, 4), 1.0, keepdim=True),
        sample(distinct(2, 3, 5), 0.7, 1),
        *(sample(distinct(5), 0.3, interpolation=way) for way in ("lower", "higher", "nearest", "midpoint")),
        sample(distinct(2, 5), given([0.25, 0.5, 1.0]), 1),
        sample(distinct(2, 5), given([0.25, 0.5]), 0, keepdim=True),
        sample(distinct(), 0.5),
        fixed=(1,),
        covers=(extremes.pick, mg.lerp, indexing.getitem),
        typed=[Typed((F32, 0.5), "float32"), Typed((F64, 0.3), "float64")],
        close=True,
        edges=[edge([1.0, nan], 0.5, value=nan)],
        refused=[
            Refused(
                lambda: mg.quantile(mg.tensor([1]), 0.5), (DtypeError, RuntimeError), "quantile: expected a floating-point tensor"
            ),
            Refused(lambda: mg.quantile(mg.ones(2), 1.5), (DomainError, RuntimeError), r"quantile: q must be in \[0, 1\]"),
            Refused(
                lambda: mg.quantile(mg.ones(2), mg.tensor(0.5, dtype=mg.float64)), RuntimeError, "quantile: q must be a number or"
            ),
            Refused(
                lambda: mg.quantile(mg.ones(2), 0.5, interpolation="spline"), ARGUMENT, "quantile: interpolation must be one of"
            ),
            Refused(lambda: mg.quantile(mg.ones(0), 0.5), ARGUMENT, "quantile: has no value for an empty tensor"),
        ],
    ),
    case(
        "quantile[share]",
        mg.quantile,
        lambda x, q, dim: np.quantile(x, q, dim),
        sample(distinct(2, 5), given([0.3, 0.6]), 1),
        sample(distinct(6), given(0.3), 0),
        covers=(extremes.pick, mg.lerp),
        close=True,
    ),
    case(
        "histc",
        lambda x, *args, **settings: mg.histc(x.clone(), *args, **settings),
        lambda x, bins, **ends: np.histogram(x, bins, tuple(ends.values()) or None)[0],
        sample(given([1.0, 2.0, 1.0, 2.5]), 4),
        sample(given([1.0, 2.0, 1.0, 7.0]), bins=3, min=0, max=3),
        covers=(mg.clone,),
        order=0,
        edges=[edge([1.0, 1.0], 2, value=[0, 2])],
        refused=[
            Refused(lambda: mg.histc(mg.tensor([1])), (DtypeError, RuntimeError), "histc: expected a floating-point tensor"),
            Refused(lambda: mg.histc(mg.ones(2), 0), ARGUMENT, "histc: expected at least 1 bin"),
            Refused(lambda: mg.histc(mg.ones(2), 2, 3, 1), ARGUMENT, "histc: expected .* a finite min below max"),
        ],
    ),
]


def replaced(x: Any, dim: int, index: Any, values: Any) -> Any:
    out = x.copy()
    np.moveaxis(out, dim, 0)[index] = np.moveaxis(values, dim, 0) if isinstance(values, np.ndarray) and values.ndim else values
    return out


FOLDS = {"sum": np.sum, "prod": np.prod, "mean": np.mean, "amax": np.max, "amin": np.min}


def combined(x: Any, dim: int, index: Any, src: Any, reduce: str, include_self: bool = True) -> Any:
    """Each place with all that goes there, folded at once."""
    index, src = np.atleast_1d(index), np.atleast_1d(src)
    out = np.atleast_1d(x).copy()
    for place in np.ndindex(out.shape):
        there = [src[p] for p in np.ndindex(index.shape) if (*p[:dim], index[p], *p[dim + 1 :]) == place]
        if there:
            values = [out[place], *there] if include_self else there
            out[place] = np.floor(np.mean(values)) if reduce == "mean" and x.dtype.kind in "iu" else FOLDS[reduce](values)
    return out.reshape(x.shape)


def lower(*sizes: int) -> Any:
    """Numbers that keep apart from `distinct` ones."""
    return lambda rng: np.asarray(distinct(*sizes)(rng) + 0.1)


def put(x: Any, values: Any, *index: Any, add: bool = False) -> Any:
    out = x.copy()
    if add:
        np.add.at(out, index, values)
    else:
        out[index] = values
    return out


def index_put(x: mg.Tensor, values: mg.Tensor, *index: mg.Tensor, accumulate: bool = False) -> mg.Tensor:
    return mg.index_put(x, index, values, accumulate)


IN_PLACES = [
    case(
        "index_copy",
        mg.index_copy,
        replaced,
        sample(normal(3, 4), 0, given([2, 0]), normal(2, 4)),
        sample(normal(3, 4), -1, given([1]), normal(3, 1)),
        covers=(indexing.index_put,),
        refused=[
            Refused(lambda: mg.index_copy(mg.ones(3), 0, mg.tensor([0]), mg.ones(2)), SHAPE, r"expected a source of shape \(1,\)"),
            Refused(
                lambda: mg.index_copy(mg.ones(3, 2), 0, mg.tensor([0]), mg.ones(2)), (DimError, IndexError), "expected a source"
            ),
            Refused(lambda: mg.index_copy(mg.ones(3), 0, mg.tensor([3]), mg.ones(1)), IndexError, "index_copy: index 3"),
        ],
    ),
    case(
        "index_copy[0-d]",
        mg.index_copy,
        lambda x, dim, index, source: source,
        sample(normal(), 0, given(0), normal()),
        covers=(indexing.index_put,),
    ),
    case(
        "index_fill",
        mg.index_fill,
        replaced,
        sample(normal(3, 4), 0, given([2, 0]), 2.5),
        sample(normal(3, 4), 1, given([-1]), normal()),
        covers=(indexing.index_put,),
        typed=[Typed((I64, 0, I64 - 1, 2.0), "int64")],
        refused=[
            Refused(lambda: mg.index_fill(mg.ones(3), 0, mg.tensor([3]), 1.0), IndexError, "index_fill: index 3"),
            Refused(lambda: mg.index_fill(mg.ones(3), 0, mg.tensor([-4]), 1.0), IndexError, "index_fill: index -4"),
            Refused(
                lambda: mg.index_fill(mg.ones(3), 0, mg.tensor([0]), mg.ones(1)), SHAPE, "index_fill: value must be a number or"
            ),
        ],
    ),
    case(
        "index_fill[0-d]",
        mg.index_fill,
        lambda x, dim, index, value: np.asarray(value) + 0 * x,
        sample(normal(), 0, given([0]), 2.5),
        covers=(indexing.index_put,),
    ),
    case(
        "index_put",
        index_put,
        put,
        sample(normal(3, 4), normal(2), given([0, 2]), given([1, 3])),
        sample(normal(3, 4), normal(4), given([0, 2])),
        sample(normal(3, 4), normal(), given([True, False, True])),
        covers=(indexing.index_put,),
        refused=[
            Refused(
                lambda: mg.index_put(mg.ones(2), mg.tensor([0]), mg.ones(1)), TypeError, "index_put: indices must be a tuple of"
            ),
            Refused(
                lambda: mg.index_put(mg.ones(2), (mg.tensor([0]),), mg.tensor([1])),
                RuntimeError,
                "expected values of input's dtype",
            ),
        ],
    ),
    case(
        "index_put[accumulate]",
        lambda *args: index_put(*args, accumulate=True),
        lambda *args: put(*args, add=True),
        sample(normal(3, 4), normal(3), given([0, 2, 0]), given([1, 3, 1])),
        sample(normal(3, 4), normal(4), given([0, 0])),
        covers=(indexing.put_into_zeros, mg.add),
        close=True,
    ),
    case(
        "take",
        mg.take,
        lambda x, index: np.take(x, index),
        sample(normal(3, 4), given([[0, -1, 5], [5, 11, 0]])),
        sample(normal(3), given(1)),
        covers=(indexing.getitem,),
        refused=[
            Refused(lambda: mg.take(mg.ones(3), mg.tensor([3])), (IndexError, RuntimeError), "take: index 3 at"),
            Refused(lambda: mg.take(mg.ones(3), mg.tensor([0.5])), (DtypeError, RuntimeError), "take: index must hold integers"),
        ],
    ),
    case(
        "unravel_index[places]",
        lambda index, sizes: mg.unravel_index(index.clone(), sizes),
        lambda index, sizes: np.unravel_index(index % math.prod(sizes), sizes),
        sample(given([1, 5, -1, 6]), (2, 3)),
        sample(given(3), [2, 3]),
        covers=(mg.clone,),
        order=0,
        refused=[Refused(lambda: mg.unravel_index([1], (2, 3)), (InputTypeError, TypeError), "unravel_index: indices must be")],
    ),
    case(
        "scatter[add]",
        lambda *args: mg.scatter(*args, reduce="add"),
        lambda x, dim, index, src: put(x, src, index, add=True),
        sample(normal(4), 0, given([0, 2, 0]), normal(3)),
        sample(normal(4), 0, given([0, 2, 0]), 2.0),
        covers=(extremes.place,),
        refused=[Refused(lambda: mg.ones(2).scatter(0, mg.tensor([0]), 1.0, reduce="mean"), ARGUMENT, "reduce must be 'add' or")],
    ),
    case(
        "scatter[multiply]",
        lambda *args: mg.scatter(*args, reduce="multiply"),
        lambda x, dim, index, src: combined(x, dim, index, np.broadcast_to(src, index.shape), "prod"),
        sample(normal(4), 0, given([0, 2, 0]), normal(3)),
        sample(normal(4), 0, given([0, 2, 0]), 2.0),
        covers=(scattering.combine_at,),
        typed=[Typed((I64, 0, I64 - 1, 2), "int64")],
    ),
    *(
        case(
            f"scatter_reduce[{reduce}]",
            lambda *args, reduce=reduce, **settings: mg.scatter_reduce(*args, reduce, **settings),
            lambda *args, reduce=reduce, **settings: combined(*args, reduce, **settings),
            sample(distinct(3, 4), 0, given([[0, 2, 1, 1], [0, 1, 1, 0]]), lower(2, 4)),
            sample(distinct(3, 4), 1, given([[0, 2, 2], [3, 1, 3]]), lower(2, 3), include_self=False),
            sample(normal(), 0, given(0), lower()),
            covers=(extremes.place if reduce in ("sum", "mean") else scattering.combine_at,),
            typed=[
                Typed((I64, 0, I64 * 0, I64), "int64"),
                *([Typed((BOOL, 0, I64 * 0, BOOL), "bool", {"include_self": False})] if reduce in ("amax", "amin") else []),
                Typed((I64, 0, I64 * 0, I64), "int64", {"include_self": False}),
                Typed((F32, 0, I64 - 1, F32), "float32", {"include_self": False}),
            ],
            edges=[
                edge([1.0, 2.0], 0, np.array([0, 0]), [1.0, 1.0], value=[value, 2], grads=[[own, 1], None, None, [other, other]])
            ],
            close=True,
            refused=[
                Refused(
                    lambda: mg.ones(2).scatter_reduce(0, mg.tensor([0]), mg.ones(1), "max"), ARGUMENT, "reduce must be one of 'sum'"
                )
            ],
        )
        for reduce, value, own, other in (
            ("sum", 3, 1, 1),
            ("prod", 1, 1, 1),
            ("mean", 1, 1 / 3, 1 / 3),
            ("amax", 1, 1 / 3, 1 / 3),
            ("amin", 1, 1 / 3, 1 / 3),
        )
    ),
    case(
        "scatter_reduce[zeros]",
        lambda *args: mg.scatter_reduce(*args, "prod"),
        lambda *args: combined(*args, "prod"),
        sample(
            given([0.0, 2.0, 3.0, 0.0, 5.0]), 0, given([0, 1, 2, 2, 3, 4, 4, 4]), given([2.0, 0.0, 0.0, 3.0, 0.0, 0.0, 0.0, 3.0])
        ),
        sample(normal(3), 0, given([0, 0, 2, 0, 0, 0, 2, 0, 0]), normal(9)),
        sample(normal(3), 0, given(np.zeros(0, np.int64)), normal(0)),
        covers=(scattering.combine_at,),
        edges=[  # what is infinite at one place is nobody's business at another
            edge(
                [inf, 2.0, 0.0],
                0,
                np.array([0, 1, 1, 2]),
                [3.0, 5.0, 0.0, inf],
                value=[inf, 0, nan],
                grads=[[3, 0, inf], None, None, [inf, 0, 10, 0]],
            ),
        ],
    ),
    in_place("scatter_reduce", combined, sample(normal(4), 0, given([0, 2, 0]), normal(3), "sum"), extremes.place),
    in_place("index_copy", replaced, sample(normal(3), 0, given([2, 0]), normal(2))),
    in_place("index_fill", replaced, sample(normal(3), 0, given([2, 0]), 2.5)),
    case(
        "Tensor.index_put_",
        lambda x, values, index: x.clone().index_put_((index,), values),
        put,
        sample(normal(3), normal(2), given([2, 0])),
        covers=(mg.clone, indexing.index_put),
    ),
]

VIEWS = [
    *(
        in_place(name, reference, row)
        for name, reference, row in (
            ("t", np.transpose, sample(normal(2, 3))),
            ("squeeze", np.squeeze, sample(normal(2, 1), 1)),
            ("unsqueeze", np.expand_dims, sample(normal(2, 3), 1)),
            ("transpose", np.swapaxes, sample(normal(2, 3), 0, 1)),
            ("swapaxes", np.swapaxes, sample(normal(2, 3), 0, 1)),
            ("swapdims", np.swapaxes, sample(normal(2, 3), 0, 1)),
        )
    ),
    case("Tensor.detach_", lambda x: x.clone().detach_(), lambda x: x, sample(normal(3)), covers=(mg.clone,), order=0),
]


def matrix_norms(x: Any, ord: Any = None, dim: Any = None, keepdim: bool = False) -> Any:
    return np.linalg.norm(x, ord, dim, keepdim) if dim is not None or x.ndim < 3 else np.linalg.norm(x.ravel())


LINALG = [
    case(
        "linalg.norm",
        mg.linalg.norm,
        matrix_norms,
        sample(normal(3, 4)),
        sample(normal(2, 3, 2)),
        *(sample(normal(3, 4), p) for p in ("fro", 1, -1, inf, -inf)),
        sample(normal(5), 3),
        sample(normal(3, 4), 1, 1),
        sample(normal(3, 4), None, 0, True),
        sample(normal(2, 3, 4), inf, (0, 2), True),
        covers=(mg.norm, mg.amax, mg.amin),
        close=True,
        refused=[
            Refused(
                lambda: mg.linalg.norm(mg.ones(2, 2), 2), ARGUMENT, "matrix_norm: ord must be 'fro', 1, -1, inf or -inf, got 2"
            ),
            Refused(lambda: mg.linalg.norm(mg.ones(2), "fro"), SHAPE, "matrix_norm: needs at least two axes"),
            Refused(lambda: mg.linalg.norm(mg.ones(2, 2, 2), 1), SHAPE, "norm: with an ord but without dim"),
            Refused(lambda: mg.linalg.matrix_norm(mg.ones(2, 2), dim=(0,)), ARGUMENT, "matrix_norm: dim must name two axes"),
        ],
    ),
    case(
        "linalg.vector_norm",
        mg.linalg.vector_norm,
        lambda x, p=2, dim=None: np.linalg.norm(x.ravel() if dim is None else x, p, dim),
        sample(normal(3, 4)),
        sample(normal(3, 4), 3.5, 0),
        covers=(mg.norm,),
        typed=[Typed((F32,), "float64", {"dtype": mg.float64})],
        close=True,
        refused=[
            Refused(lambda: mg.linalg.vector_norm(mg.ones(2), "fro"), ARGUMENT, "vector_norm: ord must be a number"),
            Refused(lambda: mg.linalg.vector_norm(mg.tensor([1])), RuntimeError, "vector_norm: expected a floating-point tensor"),
        ],
    ),
    case(
        "linalg.vecdot",
        mg.linalg.vecdot,
        lambda x, y, dim=-1: (x * y).sum(dim),
        sample(normal(3, 4), normal(4)),
        sample(normal(3, 4), normal(3, 4), dim=0),
        covers=(mg.mul, mg.sum),
        close=True,
    ),
    case(
        "linalg.multi_dot",
        lambda *xs: mg.linalg.multi_dot(xs),
        lambda *xs: np.linalg.multi_dot(xs),
        sample(normal(2, 3), normal(3, 4), normal(4, 2)),
        sample(normal(3), normal(3, 4), normal(4)),
        covers=(mg.matmul,),
        close=True,
        refused=[
            Refused(lambda: mg.linalg.multi_dot([mg.ones(2)]), ARGUMENT, "multi_dot: expected at least two tensors, got 1"),
            Refused(lambda: mg.linalg.multi_dot([mg.ones(2)] * 3), SHAPE, r"multi_dot: tensors\[1\] must be a matrix"),
        ],
    ),
    case(
        "linalg.diagonal",
        mg.linalg.diagonal,
        lambda x, offset=0, dim1=-2, dim2=-1: np.diagonal(x, offset, dim1, dim2),
        sample(normal(2, 3, 4)),
        sample(normal(2, 3, 4), offset=1, dim1=0, dim2=1),
        covers=(shape.last_diagonal,),
    ),
]

CASES: tuple[OpCase, ...] = (*ARITHMETIC, *PRODUCTS, *PIECES, *ALONG, *IN_PLACES, *VIEWS, *LINALG)
