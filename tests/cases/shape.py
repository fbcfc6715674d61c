"""Shapes, joining, copies and dtypes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from op_cases import BOOL, F32, F64, I64, OpCase, Refused, Typed, case, integers, normal, sample

import minigrad as mg
from minigrad.errors import ArgumentError, DimError, DtypeError, InputTypeError, ShapeError
from minigrad.ops import convert, shape

inf, nan = math.inf, math.nan
KEPT = [Typed((x[None],), x.dtype.name) for x in (I64, F32, F64, BOOL)]


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


def joined(*parts: Any, dim: int = 0) -> Any:
    """cat, by writing the parts into zeros."""
    parts = [p for p in parts if p.shape != (0,)]
    axis = dim % parts[0].ndim
    out = np.zeros([sum(p.shape[axis] for p in parts) if i == axis else n for i, n in enumerate(parts[0].shape)])
    start = 0
    for p in parts:
        out[(slice(None),) * axis + (slice(start, start + p.shape[axis]),)] = p
        start += p.shape[axis]
    return out


JOINING = [
    case(
        "cat",
        lambda *parts, dim=0: mg.cat(parts, dim),
        joined,
        sample(normal(2, 3), normal(1, 3)),
        sample(normal(2, 3), normal(2, 1), normal(2, 2), dim=1),
        sample(normal(2, 3, 2), normal(2, 1, 2), dim=-2),
        sample(normal(2, 3)),
        sample(normal(0, 3), normal(2, 3)),
        sample(normal(2, 3), normal(0), normal(1, 3)),
        sample(normal(0), normal(2, 3), dim=1),
        covers=(mg.cat,),
        typed=[Typed((I64, I64), "int64"), Typed((F32, F64), "float64"), Typed((F32, I64), "float64"), Typed((BOOL, BOOL), "bool")],
        refused=[
            Refused(
                lambda: mg.cat([mg.ones(2, 3), mg.ones(3, 2)]),
                (ShapeError, RuntimeError),
                r"cat: shapes must be equal but for axis 0: tensors\[0\] has \(2, 3\), tensors\[1\] has \(3, 2\)",
            ),
            Refused(lambda: mg.cat([]), (ArgumentError, ValueError), "cat: tensors must hold at least one Tensor, got none"),
            Refused(lambda: mg.cat(mg.ones(2)), TypeError, "cat: tensors must be a list or tuple of Tensors, got Tensor"),
            Refused(lambda: mg.cat([mg.ones(2), 1.0]), TypeError, r"cat: tensors\[1\] must be a Tensor, got float"),
            Refused(lambda: mg.cat([mg.tensor(1.0), mg.tensor(1.0)]), (ShapeError, RuntimeError), r"cat: tensors\[0\] has no axis"),
            Refused(lambda: mg.cat([mg.ones(2), mg.ones(2)], 1), (DimError, IndexError), "cat: dim 1 is out of range"),
            Refused(lambda: mg.cat([mg.ones(2), mg.ones(1, 2)]), ShapeError, "cat: shapes must be equal"),
        ],
    ),
    case(
        "stack",
        lambda *parts, dim=0: mg.stack(parts, dim),
        lambda *parts, dim=0: joined(*(np.expand_dims(p, dim) for p in parts), dim=dim),
        sample(normal(2, 3), normal(2, 3)),
        sample(normal(2, 3), normal(2, 3), normal(2, 3), dim=1),
        sample(normal(2, 3), normal(2, 3), dim=-1),
        sample(normal(), normal()),
        sample(normal(0, 2), normal(0, 2), dim=2),
        covers=(mg.stack,),
        typed=[Typed((I64, I64), "int64"), Typed((F32, F64), "float64")],
        refused=[
            Refused(
                lambda: mg.stack([mg.ones(2), mg.ones(3)]),
                (ShapeError, RuntimeError),
                r"stack: shapes must be equal: tensors\[0\] has \(2,\), tensors\[1\] has \(3,\)",
            ),
            Refused(lambda: mg.stack([]), ValueError, "stack: tensors must hold"),
            Refused(
                lambda: mg.stack([mg.ones(2), mg.ones(2)], 2),
                (DimError, IndexError),
                r"stack: dim 2 is out of range: it must be in \[-2, 1\]",
            ),
            Refused(lambda: mg.stack([mg.ones(2), 1]), TypeError, r"stack: tensors\[1\] must be a Tensor, got int"),
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
            Refused(lambda: mg.ones(2).to("cuda"), (DtypeError, TypeError), "to: 'cuda' is no dtype"),
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

CASES: tuple[OpCase, ...] = (*SHAPES, *JOINING, *COPIES)
