"""Shapes, copies and dtypes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from op_cases import BOOL, F32, F64, I64, KEPT, OpCase, Refused, Typed, case, integers, normal, sample

import minigrad as mg
from minigrad.errors import ArgumentError, DimError, DtypeError, InputTypeError, ShapeError
from minigrad.ops import convert, shape

inf, nan = math.inf, math.nan


def elements(x: Any, *size: Any) -> Any:
    """The elements in row-major order, in another shape."""
    size = size[0] if len(size) == 1 and isinstance(size[0], (tuple, list)) else size
    flat = np.array([x[i] for i in np.ndindex(*x.shape)], x.dtype)
    return flat.reshape([x.size // max(math.prod(n for n in size if n != -1), 1) if n == -1 else n for n in size])


def moved(x: Any, *order: Any) -> Any:
    """Axes in another order, element by element."""
    order = order[0] if len(order) == 1 and isinstance(order[0], (tuple, list)) else order
    out = np.zeros([x.shape[i] for i in order], x.dtype)
    for place in np.ndindex(*out.shape):
        source = [0] * x.ndim
        for axis, i in zip(order, place, strict=True):
            source[axis] = i
        out[place] = x[tuple(source)]
    return out


def exchanged(x: Any, a: int, b: int) -> Any:
    if x.ndim == 0:
        return x
    order = list(range(x.ndim))
    order[a], order[b] = order[b], order[a]
    return moved(x, tuple(order))


def eighths(*shape: int) -> Any:
    """Few bits: such numbers, and what a step of 1/1024 makes of them, are exact in float32."""
    return lambda rng: np.asarray(rng.integers(-16, 17, shape) / 8)


RESHAPES = ((4, 3), (2, 6), (2, -1), (-1,), (3, 2, 2), (12, 1))

SHAPES = [
    case(
        "reshape",
        mg.reshape,
        elements,
        *(sample(normal(3, 4), *size) for size in RESHAPES),
        sample(normal(3, 4), (2, 6)),
        sample(normal(3, 4), [4, -1]),
        sample(normal(), 1),
        sample(normal(), ()),
        sample(normal(1, 1), ()),
        sample(normal(0, 3), 3, 0),
        sample(normal(0, 3), -1),
        sample(normal(2, 0), -1, 5),
        covers=(shape.reshape_to,),
        typed=[Typed((I64, -1, 1), "int64"), Typed((F32, (3, 1)), "float32")],
        refused=[
            Refused(
                lambda: mg.ones(3, 4).reshape(5, 2),
                (ShapeError, RuntimeError),
                r"reshape: 12 elements of shape \(3, 4\) do not fit the shape \(5, 2\)",
            ),
            Refused(lambda: mg.ones(3, 4).reshape(5, -1), ShapeError, "do not fit"),
            Refused(lambda: mg.ones(3, 4).reshape(-1, -1), ShapeError, "do not fit"),
            Refused(lambda: mg.ones(3, 4).reshape(-2, 6), ShapeError, "do not fit"),
            Refused(lambda: mg.ones(0, 3).reshape(-1, 0), ShapeError, "do not fit"),
        ],
    ),
    case(
        "view",
        lambda x, *size: x.view(*size),
        elements,
        *(sample(normal(3, 4), *size) for size in RESHAPES),
        covers=(shape.reshape_to,),
        refused=[
            Refused(
                lambda: mg.ones(3, 4).T.view(12),
                (ShapeError, RuntimeError),
                r"view: a tensor of shape \(4, 3\) with these strides has no view of shape \(12,\); use reshape",
            ),
            Refused(lambda: mg.ones(3, 4).view(mg.float64), InputTypeError, "view: reinterpreting bytes"),
        ],
    ),
    case(
        "flatten",
        mg.flatten,
        lambda x, start=0, end=-1: elements(x, *x.shape[:start], -1, *(x.shape[end + 1 :] if end != -1 else ())),
        sample(normal(3, 4)),
        sample(normal(2, 3, 2), 1),
        sample(normal(2, 3, 2), 0, 1),
        sample(normal(2, 3, 2), 1, 1),
        sample(normal(5)),
        sample(normal()),
        sample(normal(0, 3)),
        covers=(shape.reshape_to,),
        typed=KEPT,
        refused=[
            Refused(lambda: mg.ones(3, 4).flatten(2), DimError, "flatten: dim 2 is out of range"),
            Refused(lambda: mg.ones(3, 4).flatten(1, 0), (ShapeError, RuntimeError), "flatten: start_dim 1 comes after end_dim 0"),
        ],
    ),
    case(
        "squeeze",
        mg.squeeze,
        lambda x, dim=None: elements(
            x, *(n for i, n in enumerate(x.shape) if n != 1 or not (dim is None or i in [d % x.ndim for d in np.atleast_1d(dim)]))
        ),
        sample(normal(1, 3, 1)),
        sample(normal(1, 3, 1), 0),
        sample(normal(1, 3, 1), -1),
        sample(normal(1, 3, 1), 1),
        sample(normal(1, 3, 1), (0, 2)),
        sample(normal()),
        sample(normal(1, 0)),
        typed=KEPT,
        refused=[
            Refused(
                lambda: mg.ones(3, 4).squeeze(2), (DimError, IndexError), "squeeze: dim 2 is out of range: the tensor has 2 axes"
            )
        ],
    ),
    case(
        "unsqueeze",
        mg.unsqueeze,
        lambda x, dim: elements(
            x,
            *(
                n
                for i in range(x.ndim + 1)
                for n in ((1,) if i == dim % (x.ndim + 1) else (x.shape[i - (i > dim % (x.ndim + 1))],))
            ),
        ),
        *(sample(normal(3, 4), d) for d in (0, 1, 2, -1, -3)),
        sample(normal(), 0),
        sample(normal(0, 2), 1),
        typed=[Typed((I64, 0), "int64"), Typed((F64, -1), "float64")],
        refused=[
            Refused(
                lambda: mg.ones(3, 4).unsqueeze(3),
                (DimError, IndexError),
                r"unsqueeze: dim 3 is out of range: it must be in \[-3, 2\]",
            ),
            Refused(lambda: mg.ones(3).unsqueeze("x"), TypeError, "unsqueeze: dim must be an int, got 'x'"),
        ],
    ),
    case(
        "permute",
        mg.permute,
        moved,
        sample(normal(3, 4), 1, 0),
        sample(normal(2, 3, 4), 2, 0, 1),
        sample(normal(2, 3, 4), (1, 2, 0)),
        sample(normal(2, 3, 4), (0, -1, -2)),
        sample(normal(), ()),
        sample(normal(5), 0),
        sample(normal(0, 3), 1, 0),
        covers=(shape.permute_to,),
        typed=[Typed((I64, 0), "int64")],
        refused=[
            Refused(
                lambda: mg.ones(3, 4).permute(0, 0),
                (ShapeError, RuntimeError),
                r"permute: dims \(0, 0\) must name each of the 2 axes once",
            ),
            Refused(lambda: mg.ones(3, 4).permute(0), ShapeError, "permute: dims"),
            Refused(lambda: mg.ones(3, 4).permute(0, 2), (DimError, IndexError), "permute: dim 2 is out of range"),
        ],
    ),
    case(
        "transpose",
        mg.transpose,
        exchanged,
        sample(normal(3, 4), 0, 1),
        sample(normal(2, 3, 4), -1, 0),
        sample(normal(2, 3, 4), 1, 1),
        sample(normal(2, 3, 4), 1, 2),
        sample(normal(), 0, -1),
        sample(normal(0, 3), 0, 1),
        typed=[Typed((F32, 0, 0), "float32")],
        refused=[
            Refused(lambda: mg.ones(3, 4).transpose(0, 2), (DimError, IndexError), "transpose: dim 2 is out of range"),
            Refused(lambda: mg.ones(3, 4).transpose(0), TypeError, "transpose: argument 'dim1' is missing"),
        ],
    ),
    case(
        "t",
        mg.t,
        lambda x: moved(x, tuple(range(x.ndim))[::-1]),
        sample(normal(3, 4)),
        sample(normal(2, 2)),
        covers=(mg.transpose,),
        refused=[Refused(lambda: mg.ones(2, 3, 4).t(), (ShapeError, RuntimeError), "t: expected at most two axes")],
    ),
    case(
        "Tensor.T",
        lambda x: x.T,
        lambda x: moved(x, tuple(range(x.ndim))[::-1]),
        sample(normal(3, 4)),
        sample(normal(2, 3, 4)),
        sample(normal(3)),
        covers=(shape.permute_to,),
    ),
    case(
        "Tensor.mT",
        lambda x: x.mT * x.swapaxes(-1, -2),
        lambda x: exchanged(x, -2, -1) ** 2,
        sample(normal(3, 4)),
        sample(normal(2, 3, 4)),
        covers=(mg.transpose, mg.mul),
        refused=[Refused(lambda: mg.ones(3).mT, (ShapeError, RuntimeError), "mT: needs at least two axes")],
    ),
    case(
        "expand",
        mg.expand,
        lambda x, *s: x * np.ones([x.shape[i - len(s) + x.ndim] if n == -1 else n for i, n in enumerate(s)]),
        sample(normal(3, 1), 3, 4),
        sample(normal(3, 1), -1, 4),
        sample(normal(4), 2, 3, 4),
        sample(normal(), 2, 3),
        sample(normal(3, 4), 3, 4),
        sample(normal(1, 3), 0, 3),
        sample(normal(1), 0),
        covers=(shape.expand_to,),
        typed=[Typed((I64, 2, 3), "int64")],
        refused=[
            Refused(
                lambda: mg.ones(3, 4).expand(4, 4),
                (ShapeError, RuntimeError),
                r"expand: shape \(3, 4\) cannot be expanded to \(4, 4\)",
            ),
            Refused(lambda: mg.ones(3, 4).expand(4), ShapeError, "expand: shape"),
            Refused(lambda: mg.ones(3).expand(-1, 3), ShapeError, "expand: shape"),
        ],
    ),
    case(
        "broadcast_to",
        mg.broadcast_to,
        lambda x, size: x + np.zeros(size),
        sample(normal(3, 1), (2, 3, 4)),
        sample(normal(), (2,)),
        covers=(shape.expand_to,),
        refused=[Refused(lambda: mg.broadcast_to(mg.ones(3), (2,)), ShapeError, "cannot be expanded")],
    ),
    case(
        "sum_to_shape",
        shape.sum_to_shape,
        lambda x, size: np.einsum("abc,bc->b", x, np.ones(x.shape[1:]))[:, None] if size == (3, 1) else x.sum(),
        sample(normal(2, 3, 4), (3, 1)),
        sample(normal(3, 4), ()),
        close=True,
    ),
]


def axes_moved(x: Any, source: Any, destination: Any) -> Any:
    order = [a for a in range(x.ndim) if a not in [s % x.ndim for s in np.atleast_1d(source)]]
    for place, axis in sorted(
        (d % x.ndim, s % x.ndim) for s, d in zip(np.atleast_1d(source), np.atleast_1d(destination), strict=True)
    ):
        order.insert(place, axis)
    return moved(x, tuple(int(a) for a in order))


SHAPES += [
    case(
        "unflatten",
        mg.unflatten,
        lambda x, dim, sizes: elements(x, *x.shape[: dim % x.ndim], *sizes, *x.shape[dim % x.ndim + 1 :]),
        sample(normal(3, 4), 1, (2, 2)),
        sample(normal(6), 0, (2, -1)),
        sample(normal(4, 3), -2, [2, 2]),
        sample(normal(3, 0), 1, (0, 2)),
        covers=(shape.reshape_to,),
        refused=[
            Refused(
                lambda: mg.ones(3, 4).unflatten(1, (3, 2)),
                (ShapeError, RuntimeError),
                r"unflatten: sizes \(3, 2\) do not multiply up to axis 1 of shape \(3, 4\)",
            ),
            Refused(lambda: mg.ones(3, 4).unflatten(1, ()), (ShapeError, RuntimeError), "unflatten: sizes"),
            Refused(lambda: mg.ones(3, 4).unflatten(1, (-1, -1)), ShapeError, "unflatten: sizes"),
            Refused(lambda: mg.ones(3, 4).unflatten(2, (2, 2)), (DimError, IndexError), "unflatten: dim 2 is out of range"),
            Refused(lambda: mg.tensor(1.0).unflatten(0, (1,)), (ShapeError, RuntimeError), "unflatten: needs an axis"),
        ],
    ),
    case(
        "Tensor.reshape_as",
        lambda x: x.reshape_as(mg.zeros(2, 6)) + (x * 1).view_as(mg.zeros(2, 6)),
        lambda x: 2 * elements(x, 2, 6),
        sample(normal(3, 4)),
        covers=(shape.reshape_to, mg.add),
    ),
    case(
        "Tensor.expand_as",
        lambda x: x.expand_as(mg.zeros(2, 3, 4)),
        lambda x: x * np.ones((2, 3, 4)),
        sample(normal(3, 1)),
        covers=(shape.expand_to,),
    ),
    *(
        case(
            name,
            getattr(mg, name),
            axes_moved,
            sample(normal(2, 3, 4), 0, 2),
            sample(normal(2, 3, 4), (0, 1), (-1, 0)),
            sample(normal(2, 3, 4), -1, 0),
            covers=(shape.permute_to,),
            refused=[
                Refused(lambda f=getattr(mg, name): f(mg.ones(2, 3), 0, (0, 1)), ShapeError, "movedim: source 0 and destination"),
                Refused(
                    lambda f=getattr(mg, name): f(mg.ones(2, 3), (0, 0), (0, 1)),
                    (ShapeError, RuntimeError),
                    "equally many different",
                ),
                Refused(
                    lambda f=getattr(mg, name): f(mg.ones(2, 3), 2, 0), (DimError, IndexError), "movedim: dim 2 is out of range"
                ),
            ],
        )
        for name in ("movedim", "moveaxis")
    ),
    *(
        case(name, getattr(mg, name), exchanged, sample(normal(2, 3, 4), 0, -1), covers=(mg.transpose,))
        for name in ("swapaxes", "swapdims")
    ),
    case("ravel", mg.ravel, lambda x: elements(x, -1), sample(normal(3, 4)), sample(normal()), covers=(shape.reshape_to,)),
    case(
        "numel",
        lambda x: x * mg.numel(x),
        lambda x: x * x.size,
        sample(normal(3, 4)),
        sample(normal()),
        covers=(mg.mul,),
    ),
]


def on_diagonal(x: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    """Element by element: y[…, i] = x[…, i − min(offset, 0), i + max(offset, 0)]."""
    x = axes_moved(x, (dim1, dim2), (-2, -1))
    places = [(i, i + offset) for i in range(x.shape[-2]) if 0 <= i + offset < x.shape[-1]]
    return np.stack([x[..., i, j] for i, j in places], -1) if places else np.zeros((*x.shape[:-2], 0))


DIAGONALS = [
    case(
        "diagonal",
        mg.diagonal,
        on_diagonal,
        *(sample(normal(3, 4), offset) for offset in (0, 1, -2, 5)),
        sample(normal(4, 2)),
        sample(normal(2, 3, 4), 0, 1, 2),
        sample(normal(2, 3, 3), -1, -1, 0),
        sample(normal(2, 3, 3), dim1=2, dim2=1),
        covers=(shape.last_diagonal,),
        typed=[Typed((I64[None],), "int64")],
        refused=[
            Refused(lambda: mg.ones(3, 4).diagonal(0, 0, 0), (ShapeError, RuntimeError), "diagonal: needs two different axes"),
            Refused(lambda: mg.ones(3, 4).diagonal(0, 0, 2), (DimError, IndexError), "diagonal: dim 2 is out of range"),
            Refused(lambda: mg.ones(3).diagonal(0, 0, 0), ShapeError, "diagonal: needs two different axes"),
        ],
    ),
]


GRIDS = [
    case(
        "broadcast_tensors",
        mg.broadcast_tensors,
        lambda *arrays: tuple(x + np.zeros((2, 3, 4)) for x in arrays),
        sample(normal(3, 1), normal(2, 1, 4), normal()),
        sample(normal(2, 3, 4), normal(4)),
        covers=(shape.expand_to,),
        refused=[
            Refused(
                lambda: mg.broadcast_tensors(mg.ones(2), mg.ones(3)),
                (ShapeError, RuntimeError),
                r"broadcast_tensors: shapes do not broadcast: \(2,\), \(3,\)",
            )
        ],
    ),
    case(
        "meshgrid",
        mg.meshgrid,
        lambda *vectors, indexing="ij": tuple(
            np.ravel(vectors[k])[np.indices([v.size for v in vectors])[k]].swapaxes(0, int(indexing == "xy"))
            for k in range(len(vectors))
        ),
        sample(normal(3), normal(4)),
        sample(normal(3), normal(4), indexing="xy"),
        sample(normal(2), normal(3), normal(4), indexing="xy"),
        sample(normal(3), normal()),
        sample(normal(3)),
        covers=(shape.expand_to, shape.reshape_to),
        refused=[
            Refused(lambda: mg.meshgrid(mg.ones(2, 2)), (ShapeError, RuntimeError), "meshgrid: expected vectors or numbers"),
            Refused(lambda: mg.meshgrid([1, 2]), ShapeError, "meshgrid: expected vectors"),
            Refused(lambda: mg.meshgrid(mg.ones(2), indexing="a"), (ArgumentError, RuntimeError), "indexing must be 'ij' or 'xy'"),
        ],
    ),
]


COPIES = [
    case("clone", mg.clone, lambda x: x + 0, sample(normal(3, 4)), sample(normal()), sample(normal(0, 2)), typed=KEPT),
    case(
        "Tensor.contiguous",
        convert.contiguous,
        lambda x: x + 0,
        sample(normal(3, 4)),
        sample(normal()),
        sample(normal(0, 2)),
        typed=KEPT,
    ),
    case(
        "Tensor.to",
        lambda x: x.to(mg.float32) * mg.ones((), dtype=mg.float64),
        lambda x: x,
        sample(eighths(3, 4)),
        sample(eighths()),
        covers=(convert.astype, mg.mul),
        order=1,
        eps=2.0**-10,
        dtypes=["float64"],
        refused=[
            Refused(
                lambda: mg.ones(2).to("cuda"), (DtypeError, TypeError), "to: 'cuda' is no dtype, and the only device is the CPU"
            ),
            Refused(lambda: mg.ones(2).to("complex64"), DtypeError, "to: dtype complex64 is not supported"),
        ],
    ),
    case(
        "astype",
        lambda x, dtype: x.to(dtype),
        lambda x, dtype: np.trunc(x) if np.dtype(dtype).kind == "i" else x != 0 if dtype == "bool" else x,
        sample(normal(3, 4), "int64"),
        sample(normal(3, 4), "int32"),
        sample(integers(0, 2)(3, 4), "bool"),
        sample(integers(0, 3)(3), "float64"),
        covers=(convert.astype,),
        order=0,
        typed=[Typed((F32, np.int64), "int64"), Typed((I64, "float32"), "float32"), Typed((F64, np.bool_), "bool")],
    ),
    case(
        "Tensor.double",
        lambda x: x.type_as(mg.zeros(1, dtype=mg.float64)).double(),
        lambda x: x,
        sample(integers(0, 5)(3, 4)),
        covers=(convert.astype,),
        order=0,
        typed=[Typed((F32,), "float64"), Typed((I64,), "float64"), Typed((BOOL,), "float64")],
    ),
    case(
        "Tensor.long",
        lambda x: x.float().long().int().bool(),
        lambda x: np.trunc(x) != 0,
        sample(integers(0, 3)(3, 4)),
        covers=(convert.astype,),
        order=0,
        typed=[Typed((F32,), "bool"), Typed((I64,), "bool")],
    ),
]

CASES: tuple[OpCase, ...] = (*SHAPES, *DIAGONALS, *GRIDS, *COPIES)
