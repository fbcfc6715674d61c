"""Joining and splitting."""

from __future__ import annotations

from typing import Any

import numpy as np
from op_cases import BOOL, F32, F64, I64, OpCase, Refused, Typed, case, normal, sample

import minigrad as mg
from minigrad.errors import ArgumentError, DimError, InputTypeError, ShapeError
from minigrad.ops import indexing


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


def raised(x: Any, ndim: int) -> Any:
    return x.reshape((1,) * (ndim - x.ndim) + x.shape)


JOINING += [
    *(
        case(
            name,
            lambda *parts, f=getattr(mg, name), dim=0: f(parts, dim) + f(parts, axis=dim),
            lambda *parts, dim=0: 2 * joined(*parts, dim=dim),
            sample(normal(2, 3), normal(1, 3)),
            sample(normal(2, 3), normal(2, 1), dim=-1),
            covers=(mg.cat, mg.add),
        )
        for name in ("concat", "concatenate")
    ),
    *(
        case(
            name,
            lambda *parts, f=getattr(mg, name): f(parts),
            reference,
            *(sample(normal(*a), normal(*b)) for a, b in rows),
            covers=(mg.cat,),
            refused=[
                Refused(lambda f=getattr(mg, name): f([]), (ArgumentError, RuntimeError), "cat: tensors must hold at least one"),
                Refused(
                    lambda f=getattr(mg, name): f([1, 2]), TypeError, r"cat: tensors\[0\] must be a Tensor|cat: needs a Tensor"
                ),
                Refused(lambda f=getattr(mg, name): f([mg.ones(2, 3), mg.ones(4, 5)]), ShapeError, "cat: shapes must be equal but"),
            ],
        )
        for name, reference, rows in (
            (
                "hstack",
                lambda a, b: joined(raised(a, 1), raised(b, 1), dim=0 if max(a.ndim, b.ndim) < 2 else 1),
                (((2, 3), (2, 1)), ((3,), (2,)), ((), (2,)), ((2, 1, 2), (2, 2, 2))),
            ),
            (
                "vstack",
                lambda a, b: joined(raised(a, 2), raised(b, 2)),
                (((2, 3), (1, 3)), ((3,), (3,)), ((2, 3), (3,)), ((), ()), ((2, 2, 2), (1, 2, 2))),
            ),
            (
                "dstack",
                lambda a, b: np.stack([raised(a, 2), raised(b, 2)], 2) if max(a.ndim, b.ndim) < 3 else joined(a, b, dim=2),
                (((2, 3), (2, 3)), ((3,), (3,)), ((), ()), ((2, 2, 2), (2, 2, 1))),
            ),
        )
    ),
]


def parts_of(x: Any, sizes: Any, dim: int) -> tuple[Any, ...]:
    """Parts of these lengths along an axis, one after the other."""
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    return tuple(np.take(x, range(start, start + size), dim) for start, size in zip(starts, sizes, strict=True))


def even(x: Any, size: int, dim: int = 0) -> tuple[Any, ...]:
    length = x.shape[dim]
    return parts_of(x, [size] * (length // size) + [length % size] * (length % size > 0), dim)


SPLITTING = [
    case(
        "split",
        mg.split,
        lambda x, size, dim=0: even(x, size, dim) if isinstance(size, int) else parts_of(x, size, dim),
        sample(normal(5, 2), 2),
        sample(normal(3, 4), 2, 1),
        sample(normal(3, 4), 9, -1),
        sample(normal(5), [1, 0, 4]),
        sample(normal(2, 5), (2, 3), dim=1),
        covers=(indexing.getitem,),
        refused=[
            Refused(
                lambda: mg.ones(5).split([2, 2]),
                (ShapeError, RuntimeError),
                r"split: sizes \[2, 2\] must add up to 5, the length of axis 0",
            ),
            Refused(lambda: mg.ones(5).split(0), (ArgumentError, RuntimeError), "split: expected a size of at least 1, got 0"),
            Refused(lambda: mg.ones(5).split(-1), ArgumentError, "split: expected a size"),
            Refused(lambda: mg.tensor(1.0).split(1), (ShapeError, RuntimeError), "split: needs an axis, got a 0-d tensor"),
            Refused(
                lambda: mg.ones(5).split(1.5), (InputTypeError, TypeError), "split: split_size_or_sections must be an int, got 1.5"
            ),
            Refused(lambda: mg.ones(5).split(1, 1), (DimError, IndexError), "split: dim 1 is out of range"),
        ],
    ),
    case(
        "chunk",
        mg.chunk,
        lambda x, chunks, dim=0: even(x, -(-x.shape[dim] // chunks), dim) if x.shape[dim] else (x,) * chunks,
        sample(normal(5, 2), 2),
        sample(normal(5, 2), 4),
        sample(normal(3, 4), 7, 1),
        sample(normal(0, 4), 3),
        covers=(indexing.getitem,),
        refused=[
            Refused(lambda: mg.ones(5).chunk(0), (ArgumentError, RuntimeError), "chunk: chunks must be at least 1, got 0"),
            Refused(lambda: mg.ones(5).chunk(1.5), (InputTypeError, TypeError), "chunk: chunks must be an int, got 1.5"),
            Refused(lambda: mg.tensor(1.0).chunk(1), (ShapeError, RuntimeError), "chunk: needs an axis"),
        ],
    ),
    case(
        "unbind",
        mg.unbind,
        lambda x, dim=0: tuple(np.take(x, i, dim) for i in range(x.shape[dim])),
        sample(normal(3, 4)),
        sample(normal(3, 4), -1),
        sample(normal(2, 3, 2), 1),
        sample(normal(3)),
        covers=(indexing.getitem,),
        refused=[
            Refused(lambda: mg.tensor(1.0).unbind(), (DimError, IndexError), "unbind: needs an axis"),
            Refused(lambda: mg.ones(2).unbind(1), DimError, "unbind: dim 1 is out of range"),
        ],
    ),
    case(
        "iter", lambda x: tuple(x), lambda x: tuple(x[i] for i in range(len(x))), sample(normal(3, 2)), covers=(indexing.getitem,)
    ),
]

CASES: tuple[OpCase, ...] = (*JOINING, *SPLITTING)
