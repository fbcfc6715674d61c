"""Flipped, rolled, repeated, triangles, diagonals, padding."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from op_cases import F32, I64, KEPT, OpCase, Refused, Typed, case, edge, given, normal, sample

import minigrad as mg
from minigrad.errors import ArgumentError, DimError, ShapeError
from minigrad.ops import arranging, indexing, shape

inf, nan = math.inf, math.nan
F = mg.nn.functional


def rearranged(place: Any) -> Any:
    """y[place] = x[place(x.shape, place)], element by element, in the shape of x."""

    def reference(x: Any, *settings: Any, **named: Any) -> Any:
        out = np.zeros_like(x)
        for p in np.ndindex(*x.shape):
            out[p] = x[place(x.shape, p, *settings, **named)]
        return out

    return reference


def flipped(sizes: Any, p: Any, *dims: Any) -> Any:
    dims = [d % len(sizes) for d in (dims[0] if dims and isinstance(dims[0], tuple) else dims)]
    return tuple(n - 1 - i if axis in dims else i for axis, (i, n) in enumerate(zip(p, sizes, strict=True)))


def rolled(sizes: Any, p: Any, shifts: Any, dims: Any) -> Any:
    back = list(p)
    for shift, dim in zip(np.atleast_1d(shifts), np.atleast_1d(dims), strict=True):
        back[dim] = int(back[dim] - shift) % sizes[dim]
    return tuple(back)


FLIPPING = [
    case(
        "flip",
        mg.flip,
        rearranged(flipped),
        sample(normal(3, 4), 0),
        sample(normal(3, 4), 0, -1),
        sample(normal(2, 3, 4), (0, 2)),
        sample(normal(3, 4), ()),
        sample(normal(0, 3), 1),
        covers=(arranging.flip_along,),
        typed=[Typed((I64, 0), "int64"), Typed((F32, 0), "float32")],
        refused=[
            Refused(lambda: mg.ones(2, 3).flip(2), (DimError, IndexError), "flip: dim 2 is out of range"),
            Refused(lambda: mg.ones(2, 3).flip(0, -2), (ShapeError, RuntimeError), "flip: dim .* names an axis twice"),
        ],
    ),
    *(
        case(
            name,
            getattr(mg, name),
            lambda x, dim=dim: rearranged(flipped)(x, dim),
            sample(normal(3, 4)),
            sample(normal(2, 3, 2)),
            covers=(arranging.flip_along,),
            refused=[Refused(lambda f=getattr(mg, name): f(mg.tensor(1.0)), (ShapeError, RuntimeError), f"{name}: needs at least")],
        )
        for name, dim in (("flipud", 0), ("fliplr", 1))
    ),
    case(
        "roll",
        mg.roll,
        lambda x, shifts, dims=None: (
            rearranged(rolled)(x, shifts, dims) if dims is not None else rearranged(rolled)(x.ravel(), shifts, 0).reshape(x.shape)
        ),
        sample(normal(3, 4), 1),
        sample(normal(3, 4), -2, 1),
        sample(normal(3, 4), (1, 5), (0, -1)),
        sample(normal(2, 3, 4), [2, 1], [0, 0]),
        sample(normal(3), 0, 0),
        typed=[Typed((I64, 1), "int64")],
        refused=[
            Refused(lambda: mg.ones(2, 3).roll((1, 2)), (ArgumentError, RuntimeError), "roll: without dims one shift is expected"),
            Refused(lambda: mg.ones(2, 3).roll((1, 2), 0), (ArgumentError, RuntimeError), "roll: expected as many dims as shifts"),
            Refused(lambda: mg.ones(2, 3).roll(1, 2), (DimError, IndexError), "roll: dim 2 is out of range"),
            Refused(lambda: mg.tensor(1.0).roll(1, 0), (DimError, IndexError), "roll: dims of a 0-d tensor"),
            Refused(lambda: mg.ones(2).roll(1.5), TypeError, "roll: shifts must be an int, got 1.5"),
        ],
    ),
    case(
        "rot90",
        mg.rot90,
        lambda x, k=1, dims=(0, 1): turned(x, k % 4, dims),
        *(sample(normal(3, 4), k) for k in (0, 1, 2, 3, -1)),
        sample(normal(3, 4), 1, (1, 0)),
        sample(normal(2, 3, 4), 1, [0, -1]),
        sample(normal(3, 4)),
        covers=(arranging.flip_along,),
        refused=[
            Refused(lambda: mg.ones(2, 3).rot90(1, (0, 0)), (ShapeError, RuntimeError), "rot90: needs two different axes"),
            Refused(lambda: mg.ones(2, 3).rot90(1, (0,)), (ShapeError, RuntimeError), "rot90: needs a plane of two axes"),
            Refused(lambda: mg.ones(3).rot90(), (ShapeError, RuntimeError), "rot90: needs a plane"),
            Refused(lambda: mg.ones(2, 3).rot90(0.5), TypeError, "rot90: k must be an int"),
        ],
    ),
]


def turned(x: Any, k: int, dims: Any) -> Any:
    """k quarter turns: y[i, j] = x[j, n − 1 − i] in the plane of the two axes."""
    for _ in range(k):
        plane = np.moveaxis(x, dims, (0, 1))
        rows, columns = plane.shape[:2]
        y = np.array([[plane[j, columns - 1 - i] for j in range(rows)] for i in range(columns)])
        x = np.moveaxis(y, (0, 1), dims)
    return x


def copies(x: Any, *counts: Any) -> Any:
    """x over and over, by the remainder of each place."""
    counts = counts[0] if isinstance(counts[0], (tuple, list)) else counts
    counts = (1,) * (x.ndim - len(counts)) + tuple(counts)
    x = x.reshape((1,) * (len(counts) - x.ndim) + x.shape)
    out = np.zeros([n * c for n, c in zip(x.shape, counts, strict=True)])
    for p in np.ndindex(*out.shape):
        out[p] = x[tuple(i % n for i, n in zip(p, x.shape, strict=True))]
    return out


def interleaved(x: Any, repeats: Any, dim: Any = None) -> Any:
    x, dim = (x.ravel(), 0) if dim is None else (x, dim)
    counts = np.broadcast_to(repeats, x.shape[dim])
    return np.take(x, [i for i in range(x.shape[dim]) for _ in range(counts[i])], dim)


REPEATING = [
    case(
        "Tensor.repeat",
        lambda x, *counts: x.repeat(*counts),
        copies,
        sample(normal(3, 4), 2, 3),
        sample(normal(3), 2, 2),
        sample(normal(2, 3), (1, 0)),
        sample(normal(), 3),
        sample(normal(2, 3), 1, 1),
        covers=(arranging.tile_by,),
        refused=[
            Refused(lambda: mg.ones(2, 3).repeat(2), (ShapeError, RuntimeError), "repeat: needs a count for each axis"),
            Refused(lambda: mg.ones(2).repeat(-1), (ArgumentError, RuntimeError), "repeat: expected counts of at least 0"),
        ],
    ),
    case(
        "tile",
        mg.tile,
        copies,
        sample(normal(3, 4), 2),
        sample(normal(3, 4), (2, 2)),
        sample(normal(2), (2, 1, 2)),
        covers=(arranging.tile_by,),
        typed=[Typed((I64, 2), "int64")],
    ),
    case(
        "repeat_interleave",
        lambda x, repeats, dim=None: x.repeat_interleave(mg.tensor(repeats) if isinstance(repeats, list) else repeats, dim),
        interleaved,
        sample(normal(3, 4), 2),
        sample(normal(3, 4), 2, 1),
        sample(normal(3, 4), [2, 0, 1], 0),
        sample(normal(3), [1, 2, 3]),
        sample(normal(2, 3), [2], -1),
        covers=(indexing.getitem,),
        refused=[
            Refused(lambda: mg.ones(3).repeat_interleave(-1), (ArgumentError, RuntimeError), "repeats must be ints of at least 0"),
            Refused(
                lambda: mg.ones(3).repeat_interleave(mg.tensor([1, 2])), (ShapeError, RuntimeError), "2 repeats do not fit axis 0"
            ),
            Refused(
                lambda: mg.ones(3).repeat_interleave(mg.ones(3)), (ShapeError, RuntimeError), "repeats must be a vector of ints"
            ),
            Refused(lambda: mg.tensor(1.0).repeat_interleave(2, 0), (DimError, IndexError), "dim of a 0-d tensor"),
        ],
    ),
    case(
        "repeat_interleave[counts]",
        lambda counts: mg.repeat_interleave(counts.clone()),
        lambda counts: interleaved(np.arange(counts.size), counts),
        sample(given([1, 0, 2])),
        covers=(mg.clone,),
        order=0,
    ),
]


def masked(keep: Any) -> Any:
    def reference(x: Any, diagonal: int = 0) -> Any:
        rows, columns = np.indices(x.shape[-2:])
        return x * keep(columns - rows, diagonal)

    return reference


def embedded(x: Any, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    n = x.shape[-1]
    out = np.zeros((*x.shape[:-1], n + abs(offset), n + abs(offset)))
    for i in range(n):
        out[..., i + max(-offset, 0), i + max(offset, 0)] = x[..., i]
    return np.moveaxis(out, (-2, -1), (dim1, dim2))


def filled(x: Any, value: float, wrap: bool = False) -> Any:
    """Every (columns + 1)-th element of the flat matrix."""
    out = x.copy()
    if x.ndim > 2:
        for i in range(len(x)):
            out[(i,) * x.ndim] = value
        return out
    columns = x.shape[1]
    end = x.size if wrap else columns * columns
    out.reshape(-1)[: end : columns + 1] = value
    return out


DIAGONALS = [
    *(
        case(
            name,
            getattr(mg, name),
            masked(keep),
            *(sample(normal(3, 4), offset) for offset in (0, 1, -1, 9)),
            sample(normal(2, 3, 3)),
            sample(normal(4, 2), diagonal=1),
            typed=KEPT,
            edges=[edge([[nan, inf], [inf, 1.0]], value=value, grads=[grads])],
            refused=[
                Refused(lambda f=getattr(mg, name): f(mg.ones(3)), (ShapeError, RuntimeError), f"{name}: needs at least two axes"),
                Refused(lambda f=getattr(mg, name): f(mg.ones(3, 3), 0.5), TypeError, f"{name}: diagonal must be an int"),
            ],
        )
        for name, keep, value, grads in (
            ("tril", np.less_equal, [[nan, 0], [inf, 1]], [[1, 0], [1, 1]]),
            ("triu", np.greater_equal, [[nan, inf], [0, 1]], [[1, 1], [0, 1]]),
        )
    ),
    *(
        case(
            f"Tensor.{name}_",
            lambda x, name=name: getattr(x * 1, f"{name}_")(),
            masked(keep),
            sample(normal(3, 4)),
            covers=(getattr(mg, name), mg.mul),
        )
        for name, keep in (("tril", np.less_equal), ("triu", np.greater_equal))
    ),
    case(
        "diag_embed",
        mg.diag_embed,
        embedded,
        sample(normal(3)),
        sample(normal(2, 3)),
        sample(normal(2, 3), 1),
        sample(normal(3), -2),
        sample(normal(2, 3), 0, 0, 2),
        sample(normal(2, 3), 1, 2, 0),
        covers=(indexing.put_into_zeros, shape.permute_to),
        refused=[
            Refused(lambda: mg.diag_embed(mg.tensor(1.0)), (DimError, IndexError), "diag_embed: needs at least one axis"),
            Refused(lambda: mg.diag_embed(mg.ones(2), 0, 1, 1), (ShapeError, RuntimeError), "diag_embed: needs two different axes"),
            Refused(lambda: mg.diag_embed(mg.ones(2), 0.5), TypeError, "diag_embed: offset must be an int"),
        ],
    ),
    case(
        "diag",
        mg.diag,
        lambda x, diagonal=0: (
            embedded(x, diagonal)
            if x.ndim == 1
            else np.array([x[i, i + diagonal] for i in range(x.shape[0]) if 0 <= i + diagonal < x.shape[1]])
        ),
        sample(normal(3)),
        sample(normal(3), -1),
        sample(normal(3, 4)),
        sample(normal(3, 4), 2),
        covers=(indexing.put_into_zeros, shape.last_diagonal, mg.clone),
        refused=[Refused(lambda: mg.diag(mg.ones(1, 1, 1)), (ShapeError, RuntimeError), "diag: expected a vector or a matrix")],
    ),
    case(
        "Tensor.fill_diagonal_",
        lambda x, value, wrap=False: (x * 1).fill_diagonal_(value, wrap),
        filled,
        sample(normal(3, 3), 2.5),
        sample(normal(5, 2), 2.5),
        sample(normal(7, 2), 2.5, True),
        sample(normal(2, 4), 2.5, True),
        sample(normal(2, 2, 2), 2.5),
        covers=(indexing.index_put, mg.mul),
        refused=[
            Refused(lambda: mg.ones(3).fill_diagonal_(1.0), (ShapeError, RuntimeError), "fill_diagonal_: expected a matrix"),
            Refused(lambda: mg.ones(2, 2, 3).fill_diagonal_(1.0), (ShapeError, RuntimeError), "fill_diagonal_: expected a matrix"),
        ],
    ),
]


def padded(x: Any, pad: Any, mode: str = "constant", value: float | None = None) -> Any:
    """By NumPy's pad, after cutting off what negative numbers say."""
    pairs = [(0, 0)] * (x.ndim - len(pad) // 2) + [(pad[i], pad[i + 1]) for i in range(0, len(pad), 2)][::-1]
    cut = x[tuple(slice(max(-a, 0), n - max(-b, 0)) for n, (a, b) in zip(x.shape, pairs, strict=True))]
    widths = [(max(a, 0), max(b, 0)) for a, b in pairs]
    settings = {"constant_values": value or 0} if mode == "constant" else {}
    return np.pad(cut, widths, {"replicate": "edge", "circular": "wrap"}.get(mode, mode), **settings)  # type: ignore[call-overload]


PADDING = [
    case(
        "pad",
        F.pad,
        padded,
        sample(normal(3, 4), (1, 2)),
        sample(normal(3, 4), [1, 0, 0, 2], value=2.5),
        sample(normal(3, 4), (-1, 2, 1, -2)),
        sample(normal(2, 3, 4), (0, 0, 1, 1)),
        sample(normal(0, 3), (1, 1, 2, 0)),
        sample(normal(3), ()),
        sample(normal(3, 4), (1, 1), "constant", 3),
        covers=(indexing.index_put, indexing.getitem),
        typed=[Typed((I64, (1, 1)), "int64"), Typed((F32, (0, 1)), "float32")],
        refused=[
            Refused(lambda: F.pad(mg.ones(3), (1,)), (ArgumentError, RuntimeError), "pad: expected a pair of numbers"),
            Refused(lambda: F.pad(mg.ones(3), (1, 1, 1, 1)), (ArgumentError, RuntimeError), "for at most each of 1 axes"),
            Refused(lambda: F.pad(mg.ones(3), (-2, -2)), (ShapeError, RuntimeError), "leaves less than nothing of axis 0"),
            Refused(lambda: F.pad(mg.ones(3), (1, 1), "mirror"), ArgumentError, "pad: mode must be one of .* got 'mirror'"),
            Refused(
                lambda: F.pad(mg.ones(3), (1, 1), "reflect", 1.0), (ArgumentError, RuntimeError), "mode 'reflect' takes no value"
            ),
        ],
    ),
    case(
        "pad[mode]",
        F.pad,
        padded,
        *(
            sample(normal(2, 3, 4), pad, mode)
            for mode in ("reflect", "replicate", "circular")
            for pad in ((1, 2), (2, 0, 1, 1), (-1, 2), (0, -1, 2, 2), (1, 1, 1, 1, 1, 1))
        ),
        sample(normal(1, 1, 3), (7, 4), "replicate"),
        sample(normal(2, 3), (-1, 4), "replicate"),
        sample(normal(1, 1, 3), (3, 3), "circular"),
        covers=(indexing.getitem,),
        refused=[
            Refused(
                lambda: F.pad(mg.ones(2, 3), (3, 0), mode="reflect"),
                (ArgumentError, RuntimeError),
                r"pad: \(3, 0\) is too much for an axis of length 3: in mode 'reflect' at most 2",
            ),
            Refused(lambda: F.pad(mg.ones(2, 3), (4, 0), mode="circular"), (ArgumentError, RuntimeError), "'circular' at most 3"),
            Refused(lambda: F.pad(mg.ones(2, 0), (1, 0), mode="replicate"), (ArgumentError, RuntimeError), "'replicate' at most 0"),
        ],
    ),
]

CASES: tuple[OpCase, ...] = (*FLIPPING, *REPEATING, *DIAGONALS, *PADDING)
