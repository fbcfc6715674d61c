"""The same elements in another arrangement: flipped, rolled, repeated, triangles, diagonals, padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core import Tensor, apply, derived, of_constants, op
from ..core.check import check_kind
from ..errors import ArgumentError, DimError, ShapeError
from ..kernels.arrays import sum_to
from .convert import constant, on_tensor
from .indexing import along, getitem, index_put, put_tensor
from .reduction import axes_of, axis_of
from .shape import diagonal_index, last_diagonal, last_two, permute_to, reshape_to, sizes_of, transpose


@op
def flip_along(x: Tensor, dims: tuple[int, ...]) -> Tensor:
    """x with the order of its elements reversed along `dims`. Backward: g reversed likewise."""
    return np.flip(x, dims).copy()


@flip_along.check
def _(x, dims):
    return {"dims": axes_of("flip", dims, x.ndim) if dims else ()}


@flip_along.backward("x")
def _(g, dims):
    return flip_along.of(g, dims)


def flip(input: Tensor, *axes: Any, dims: Sequence[int] | None = None) -> Tensor:
    """input with the order of its elements reversed along axes, given as a tuple or as numbers. A copy."""
    return flip_along(input, sizes_of(axes if dims is None else (dims,)))


@on_tensor
def fliplr(input: Tensor) -> Tensor:
    """`flip` along the second axis."""
    if input.ndim < 2:
        raise ShapeError(f"fliplr: needs at least two axes, got shape {input.shape}")
    return flip_along(input, (1,))


@on_tensor
def flipud(input: Tensor) -> Tensor:
    """`flip` along the first axis."""
    if input.ndim < 1:
        raise ShapeError("flipud: needs at least one axis, got a 0-d tensor")
    return flip_along(input, (0,))


@op
def roll(input: Tensor, shifts: int | Sequence[int], dims: int | Sequence[int] | None = None) -> Tensor:
    """input with its elements moved on by `shifts` along `dims`, what falls off coming back at the start; without dims, flat.

    Backward: g moved back.
    """
    return np.roll(input, shifts, dims)


@roll.check
def _(input, shifts, dims):
    shifts = tuple(shifts) if isinstance(shifts, Sequence) else (shifts,)
    for n in shifts:
        check_kind("roll", "shifts", n, "int")
    if dims is None or dims == ():
        if len(shifts) != 1:
            raise ArgumentError(f"roll: without dims one shift is expected, got {shifts}")
        return {"shifts": shifts[0], "dims": None}
    if not input.ndim:
        raise DimError("roll: dims of a 0-d tensor, which has no axis")
    axes = tuple(axis_of("roll", d, input.ndim) for d in (dims if isinstance(dims, Sequence) else (dims,)))
    if len(axes) != len(shifts):
        raise ArgumentError(f"roll: expected as many dims as shifts, got {dims} and {shifts}")
    return {"shifts": shifts, "dims": axes}


@roll.backward("input")
def _(g, shifts, dims):
    return roll.of(g, tuple(-n for n in shifts) if dims else -shifts, dims)


@on_tensor
def rot90(input: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    """input turned k times by 90 degrees in the plane of two axes, from the first towards the second. A copy."""
    dims = sizes_of((dims,))
    if len(dims) != 2 or input.ndim < 2:
        raise ShapeError(f"rot90: needs a plane of two axes, got dims {dims} of shape {input.shape}")
    first, second = last_two("rot90", dims[0], dims[1], input.ndim)[-2:]
    check_kind("rot90", "k", k, "int")
    if k % 4 == 2:
        return flip_along(input, (first, second))
    flipped = flip_along(input, ((), (second,), (), (first,))[k % 4])
    return transpose(flipped, first, second) if k % 2 else flipped


@op
def tile_by(x: Tensor, counts: tuple[int, ...]) -> Tensor:
    """x repeated as a whole, along each axis as often as `counts` say. Backward: the sum of g over the copies."""
    return np.tile(x, counts)


@tile_by.backward("x")
def _(g, x_shape, counts):
    shape = (1,) * (len(counts) - len(x_shape)) + x_shape
    apart = [n for pair in zip(counts, shape, strict=True) for n in pair]
    one_copy = [n for size in shape for n in (1, size)]
    return sum_to(g.reshape(apart), tuple(one_copy)).reshape(x_shape)


def _tiled(name: str, x: Tensor, counts: tuple[int, ...]) -> Tensor:
    if min(counts, default=0) < 0:
        raise ArgumentError(f"{name}: expected counts of at least 0, got {counts}")
    return tile_by(x, counts)


@on_tensor
def repeat(self: Tensor, *counts: Any, repeats: Sequence[int] | None = None) -> Tensor:
    """The tensor repeated as a whole, along each axis as often as said (as a tuple or as numbers); more numbers than axes add axes."""
    counts = sizes_of(counts if repeats is None else (repeats,))
    if len(counts) < self.ndim:
        raise ShapeError(f"repeat: needs a count for each axis of shape {self.shape}, got {counts}")
    return _tiled("repeat", self, counts)


@on_tensor
def tile(input: Tensor, *repeats: Any, dims: Sequence[int] | None = None) -> Tensor:
    """`repeat`, but counts that are missing at the front are 1."""
    counts = sizes_of(repeats if dims is None else (dims,))
    return _tiled("tile", input, (1,) * (input.ndim - len(counts)) + counts)


@on_tensor
def repeat_interleave(
    input: Tensor, repeats: int | Tensor | None = None, dim: int | None = None, *, output_size: int | None = None
) -> Tensor:
    """Each element (or slice along `dim`) repeated in its place, as often as `repeats` says for all or for each.

    Without `repeats`, input holds the counts, and the result are the positions 0, 1, …. `output_size` is not needed here.
    """
    if repeats is None:
        return Tensor(_spread(input.numel(), _counts(input)))
    if dim is not None and not input.ndim:
        raise DimError("repeat_interleave: dim of a 0-d tensor, which has no axis")
    axis = 0 if dim is None else axis_of("repeat_interleave", dim, input.ndim)
    x = reshape_to(input, (-1,)) if dim is None else input
    counts = _counts(repeats) if isinstance(repeats, Tensor) else derived("counts", np.asarray, repeats)
    if counts.dtype.kind not in "iu" or counts.ndim > 1 or (counts < 0).any():
        raise ArgumentError(f"repeat_interleave: repeats must be ints of at least 0, got {repeats}")
    if counts.size not in (1, x.shape[axis]):
        raise ShapeError(f"repeat_interleave: {counts.size} repeats do not fit axis {axis} of shape {x.shape}")
    return along(x, axis, derived("repeated", _spread, x.shape[axis], counts))


def _spread(n: int, counts: Any) -> Any:
    return np.repeat(np.arange(n), counts)


def _counts(repeats: Tensor) -> Any:
    if repeats.dtype.kind not in "iu" or repeats.ndim > 1:
        raise ShapeError(f"repeat_interleave: repeats must be a vector of ints, got shape {repeats.shape}, dtype {repeats.dtype}")
    return repeats._values("repeat_interleave by a tensor of counts")


# ---- triangles and diagonals


def _triangle(name: str, function: Any) -> Any:
    def triangle(input: Tensor, diagonal: int = 0) -> Tensor:
        return function(input, diagonal)

    triangle.__name__ = triangle.__qualname__ = name
    side = "on and below" if name == "tril" else "on and above"
    triangle.__doc__ = (
        f"""The last two axes {side} a diagonal (above the main one by `diagonal`), 0 elsewhere. Backward: the same of g."""
    )
    operation = op(triangle)

    @operation.check
    def _(input, diagonal):
        if input.ndim < 2:
            raise ShapeError(f"{name}: needs at least two axes, got shape {input.shape}")

    @operation.backward("input")
    def _(g, diagonal):
        return operation.of(g, diagonal)

    return operation


tril = _triangle("tril", np.tril)
triu = _triangle("triu", np.triu)


@on_tensor
def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Zeros with the last axis of input on a diagonal of the plane of two new axes, dim1 and dim2."""
    if not input.ndim:
        raise DimError("diag_embed: needs at least one axis, got a 0-d tensor")
    check_kind("diag_embed", "offset", offset, "int")
    order = last_two("diag_embed", dim1, dim2, input.ndim + 1)
    length = input.shape[-1]
    size = length + abs(offset)
    planes = put_tensor(input, diagonal_index(length, offset), (*input.shape[:-1], size, size))
    return permute_to(planes, tuple(int(i) for i in np.argsort(order)))


@on_tensor
def diag(input: Tensor, diagonal: int = 0) -> Tensor:
    """A matrix with a vector on its diagonal; or the diagonal of a matrix, as a copy."""
    if input.ndim not in (1, 2):
        raise ShapeError(f"diag: expected a vector or a matrix, got shape {input.shape}")
    return diag_embed(input, diagonal) if input.ndim == 1 else last_diagonal(input, diagonal).clone()


@on_tensor
def fill_diagonal(input: Tensor, fill_value: float, wrap: bool = False) -> Tensor:
    """input with one value on its main diagonal; of a matrix with more rows than columns, `wrap` starts it anew after each block."""
    if input.ndim < 2 or (input.ndim > 2 and len(set(input.shape)) > 1):
        raise ShapeError(f"fill_diagonal_: expected a matrix, or more axes of one length, got shape {input.shape}")
    rows, columns = input.shape[:2]
    if input.ndim > 2 or rows <= columns or not wrap:
        return apply(index_put, (input, fill_value), (), ((derived("arange", np.arange, min(input.shape)),) * input.ndim,))
    return apply(index_put, (input, fill_value), (), (_wrapped_diagonal(rows, columns),))


@of_constants
def _wrapped_diagonal(rows: int, columns: int) -> tuple[Any, Any]:
    """The places of a diagonal that starts anew after each block, and one row."""
    places = np.arange(rows)
    places = places[places % (columns + 1) < columns]
    return places, places % (columns + 1)


# ---- padding


@on_tensor
def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """input with elements added (or, by a negative number, cut off) at both ends of its last axes.

    `pad` has a pair (before, after) an axis, the last axis first. The new elements are `value` (0), or by mode: "replicate" the
    element at the end, "reflect" the elements inside, mirrored without repeating the end, "circular" those of the other end.

    A negative number beside a positive one in mode "replicate" repeats the element that was at the end before the cut.
    Deviation: the modes other than "constant" take any number of axes. Errors: ArgumentError for more elements than the axis has.
    """
    sizes = sizes_of((pad,))
    if len(sizes) % 2 or len(sizes) > 2 * input.ndim:
        raise ArgumentError(f"pad: expected a pair of numbers for at most each of {input.ndim} axes, got {sizes}")
    if mode not in ("constant", "reflect", "replicate", "circular"):
        raise ArgumentError(f"pad: mode must be one of 'constant', 'reflect', 'replicate', 'circular', got {mode!r}")
    if mode != "constant" and value:
        raise ArgumentError(f"pad: mode {mode!r} takes no value, got {value!r}")
    pairs = [(input.ndim - 1 - i, sizes[2 * i], sizes[2 * i + 1]) for i in range(len(sizes) // 2)]
    if mode == "constant":
        return _pad_constant(input, pairs, value or 0)
    if mode != "replicate":
        input = _crop(input, pairs)
        pairs = [(axis, max(before, 0), max(after, 0)) for axis, before, after in pairs]
    for axis, before, after in pairs:
        places = _places(mode, input.shape[axis], before, after)
        input = along(input, axis, places)
    return input


def _crop(x: Tensor, pairs: Sequence[tuple[int, int, int]]) -> Tensor:
    """x without what negative numbers cut off."""
    inner = [slice(None)] * x.ndim
    for axis, before, after in pairs:
        if x.shape[axis] + min(before, 0) + min(after, 0) < 0:
            raise ShapeError(f"pad: ({before}, {after}) leaves less than nothing of axis {axis} of shape {x.shape}")
        inner[axis] = slice(max(-before, 0), x.shape[axis] + min(after, 0))
    return apply(getitem, (x,), (), (tuple(inner),))


def _pad_constant(x: Tensor, pairs: Sequence[tuple[int, int, int]], value: float) -> Tensor:
    check_kind("pad", "value", value, "float")
    x = _crop(x, pairs)
    shape, place = list(x.shape), [slice(None)] * x.ndim
    for axis, before, after in pairs:
        place[axis] = slice(max(before, 0), max(before, 0) + x.shape[axis])
        shape[axis] += max(before, 0) + max(after, 0)
    return apply(index_put, (constant(value, x.dtype, tuple(shape)), x), (), (tuple(place),))


@of_constants
def _places(mode: str, length: int, before: int, after: int) -> Any:
    """Where the elements of a padded axis come from."""
    limit = {"reflect": length - 1, "circular": length, "replicate": abs(before) + abs(after) if length else 0}[mode]
    if max(before, after) > max(limit, 0) or length + before + after < 0:
        raise ArgumentError(
            f"pad: ({before}, {after}) is too much for an axis of length {length}: in mode {mode!r} at most {limit}"
        )
    places = np.arange(-before, length + after)
    if mode == "replicate":
        return np.clip(places, 0, length - 1)
    if mode == "circular":
        return places % max(length, 1)
    return length - 1 - np.abs(length - 1 - np.abs(places))
