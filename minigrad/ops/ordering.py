"""Order: sorting, the k largest, medians, and counting of values."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import Operand, Tensor, array_of, by_replay, check_number, derived, op
from ..core.check import check_kind
from ..errors import ArgumentError, DomainError, DtypeError, InputTypeError, ShapeError
from .comparison import lerp, where
from .convert import check_tensors, constant, float_only, on_tensor
from .extremes import ValuesAndIndices, shared_by_ties, values_at
from .picking import take_along_dim
from .reduction import axis_of, kept, not_empty
from .shape import movedim, reshape_to


@op
def argsort(x: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Tensor:
    """The indices (int64) that sort x along `dim`; equal elements always keep their order. NaN counts as the largest. No gradient.

    Complexity: n log n for n elements along `dim`.
    """
    if x.ndim == 0:
        return np.zeros((), np.int64)
    if descending:
        backwards = (*(slice(None),) * dim, slice(None, None, -1))
        return x.shape[dim] - 1 - np.argsort(x[backwards], axis=dim, kind="stable")[backwards]
    return np.argsort(x, axis=dim, kind="stable")


@argsort.check
def _(x, dim, descending, stable):
    return {"dim": axis_of("argsort", dim, x.ndim)}


@on_tensor
def sort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> ValuesAndIndices:
    """(values, indices) in ascending or descending order along `dim`; equal elements always keep their order, NaN counts as the largest.

    Backward: g goes back to where each value came from. Complexity: n log n for n elements along `dim`; backward n.
    """
    axis = axis_of("sort", dim, input.ndim)
    return values_at(input, argsort(input, axis, descending, stable).array, axis)


@on_tensor
def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> ValuesAndIndices:
    """(values, indices) of the k largest (or smallest) along `dim`, best first also where `sorted` is False.

    NaN counts as the largest; which of equal elements are taken is left open. Backward: g to the elements taken. Complexity: n + k
    log k for n elements along `dim`; backward n.
    """
    axis = axis_of("topk", dim, input.ndim)
    _check_rank("topk", k, 0, input.shape[axis] if input.ndim else 1)
    return values_at(input, derived("topk", _best, array_of(input, "topk"), k, axis, largest), axis)


def _best(x: Any, k: int, axis: int, largest: bool) -> Any:
    """The indices of the k largest (or smallest) along an axis, best first."""
    if not x.ndim:
        return np.zeros((), np.int64)
    length, cut = x.shape[axis], (slice(None),) * axis
    if axis < x.ndim - 1 and length >= 64:
        return np.moveaxis(_best(np.ascontiguousarray(np.moveaxis(x, axis, -1)), k, x.ndim - 1, largest), -1, axis)
    if length < 64 or not 0 < 4 * k <= length:
        return argsort.formula(x, axis, largest)[(*cut, slice(k))]
    places = np.argpartition(x, length - k if largest else k - 1, axis)
    places = np.sort(places[(*cut, slice(-k, None) if largest else slice(k))], axis)
    order = argsort.formula(np.take_along_axis(x, places, axis), axis, largest)
    return np.take_along_axis(places, order, axis)


@on_tensor
def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> ValuesAndIndices:
    """(values, indices) of the k-th smallest element (from 1) along `dim`. Backward: g to the element taken.

    Complexity: n log n for n elements along `dim`; backward n.
    """
    axis = axis_of("kthvalue", dim, input.ndim)
    if input.ndim:
        not_empty("kthvalue", input.shape, (axis,))
    _check_rank("kthvalue", k, 1, input.shape[axis] if input.ndim else 1)
    return _ranked(input, axis, k - 1, keepdim)


@op
def median_of_all(x: Tensor) -> Tensor:
    """The middle element of all, of an even number the lower. Backward: g, shared evenly by all that equal it."""
    ordered = np.sort(x, axis=None)
    if not len(ordered):
        return np.asarray(np.nan, x.dtype)
    return ordered[-1] if ordered[-1] != ordered[-1] else ordered[(x.size - 1) // 2]


@median_of_all.check
def _(x):
    if x.dtype.kind != "f":
        not_empty("median", (x.size,), (0,), ShapeError)


@median_of_all.backward("x")
def _(g, x, y, x_shape):
    return shared_by_ties(g, x, y, x_shape, tuple(range(len(x_shape))))


@on_tensor
def median(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """The middle element, of an even number the lower; NaN if there is one. With `dim` (values, indices).

    Backward: g to the element taken (with `dim`), or shared evenly by all that equal it (without). Edge values: the median of
    nothing is NaN. Complexity: n log n for n elements along `dim`; backward n.
    """
    if dim is None:
        return median_of_all(input)
    axis = axis_of("median", dim, input.ndim)
    if input.ndim:
        not_empty("median", input.shape, (axis,))
    return _ranked(input, axis, (input.shape[axis] - 1) // 2 if input.ndim else 0, keepdim, spread_nan=True)


def _ranked(x: Tensor, dim: int, rank: int, keepdim: bool, spread_nan: bool = False) -> ValuesAndIndices:
    """The elements that stand at `rank` in order, counted from 0, each where it first occurs; with `spread_nan` NaN where there is one."""
    return values_at(x, derived("ranked", _place_of_rank, array_of(x, "kthvalue"), dim, rank, spread_nan), dim, keepdim)


def _place_of_rank(array: Any, dim: int, rank: int, spread_nan: bool) -> Any:
    """The indices of those elements, the axis kept."""
    if not array.ndim:
        return np.zeros((), np.int64)
    value = np.take(np.partition(array, rank, dim), [rank], dim)
    nan = array != array
    if spread_nan:
        value = np.where(nan.any(dim, keepdims=True), np.nan, value)
    hit = (array == value) | (nan & (value != value))
    return hit.argmax(dim, keepdims=True)


def _check_rank(name: str, k: Any, least: int, most: int) -> None:
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)):
        raise InputTypeError(f"{name}: k must be an int, got {k!r}")
    if not least <= k <= most:
        raise ArgumentError(f"{name}: k must be in [{least}, {most}] for {most} elements along the axis, got {k}")


@on_tensor
def msort(input: Tensor) -> Tensor:
    """The values of `sort` along the first axis."""
    return sort(input, 0).values


_RANKS: dict[str, Any] = {
    "linear": None, "midpoint": None, "lower": np.floor, "higher": np.ceil, "nearest": np.rint,
}  # fmt: skip


@on_tensor
def quantile(
    input: Tensor, q: float | Tensor, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Tensor:
    """The value below which a share q of all elements (or of those along `dim`) lies; NaN if there is one.

    Between two elements `interpolation` says what is taken: "linear", "midpoint", "lower", "higher" or "nearest".
    Shapes: of a vector q, its axis comes first. Backward: g to the elements taken, and to a q that is a tensor ("linear").
    Complexity: n log n for n elements.
    """
    float_only("quantile", input)
    shares = _shares(input, q)
    if interpolation not in _RANKS:
        raise ArgumentError(f"quantile: interpolation must be one of {', '.join(map(repr, _RANKS))}, got {interpolation!r}")
    whole = dim is None or not input.ndim
    x = reshape_to(input, (-1,)) if whole else movedim(input, axis_of("quantile", dim, input.ndim), -1)
    if not input.numel():
        raise ArgumentError(f"quantile: has no value for an empty tensor (shape {input.shape})")
    rounded = _RANKS[interpolation]
    low, high = _neighbours(shares, x.shape[-1] - 1, rounded)
    weight = 0.5 if interpolation == "midpoint" else shares * (x.shape[-1] - 1) - low.to(input.dtype)
    ordered = sort(x).values
    out = ordered[..., low] if rounded else lerp(ordered[..., low], ordered[..., high], weight)
    out = where(Tensor(derived("spoilt", _spoilt, array_of(x, "quantile"), shares.ndim)), np.nan, out)
    out = movedim(out, -1, 0) if shares.ndim else out
    if not keepdim:
        return out
    kept_shape = kept(input.shape, range(input.ndim) if whole else (axis_of("quantile", dim, input.ndim),))
    return reshape_to(out, shares.shape + kept_shape)


@by_replay("free")
def _neighbours(shares: Tensor, most: int, rounded: Any) -> tuple[Tensor, Tensor]:
    """The places, from 0 to `most`, between which shares in [0, 1] lie, or to which they are rounded."""
    if not ((shares.array >= 0) & (shares.array <= 1)).all():
        raise DomainError("quantile: q must be in [0, 1]")
    ranks = shares.array * most
    low = Tensor(np.asarray((rounded or np.floor)(ranks), np.int64))
    return low, low if rounded else Tensor(np.asarray(np.ceil(ranks), np.int64))


def _spoilt(x: Any, more: int) -> Any:
    """Which rows hold a NaN, with so many axes more."""
    return np.isnan(x).any(-1, keepdims=True).reshape(x.shape[:-1] + (1,) * more)


def _shares(input: Tensor, q: Any) -> Tensor:
    """The shares of a quantile as a Tensor of input's dtype."""
    if not isinstance(q, Tensor):
        check_kind("quantile", "q", q, "float")
        q = constant(q, input.dtype)
    if q.dtype != input.dtype or q.ndim > 1:
        raise DtypeError(f"quantile: q must be a number or a vector of dtype {input.dtype}, got {q.dtype}, shape {q.shape}")
    return q


@on_tensor
@by_replay("free")
def histc(input: Tensor, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    """How many elements lie in each of so many equal bins from min to max (by default from the smallest to the largest element).

    The last bin holds max too; what lies outside does not count. In the dtype of input; no gradient.
    """
    float_only("histc", input)
    check_kind("histc", "bins", bins, "int")
    check_number("histc", min=min, max=max)
    values = input.array.ravel()
    if min == max and values.size:
        min, max = values.min(), values.max()
    if min == max:
        min, max = min - 1, max + 1
    if bins < 1 or not min < max or not np.isfinite([min, max]).all():
        raise ArgumentError(f"histc: expected at least 1 bin and a finite min below max, got bins {bins}, min {min}, max {max}")
    return Tensor(np.histogram(values, bins, (min, max))[0].astype(input.dtype))


@on_tensor
def unique(
    input: Tensor, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """The distinct values in ascending order (or slices along `dim`), no two NaN the same; no gradient.

    With `return_inverse` also where each element of input stands among them, with `return_counts` also how often each occurs.
    Complexity: n log n for n elements.
    """
    axis = None if dim is None else axis_of("unique", dim, input.ndim)
    values, inverse, counts = np.unique(
        input._values("unique"), return_inverse=True, return_counts=True, axis=axis, equal_nan=False
    )
    wanted = (True, return_inverse, return_counts)
    inverse = inverse.reshape(input.shape if dim is None else -1)
    results = tuple(Tensor(array) for array, want in zip((values, inverse, counts), wanted, strict=True) if want)
    return results if len(results) > 1 else results[0]


@on_tensor
def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often each of 0, 1, 2, … occurs in a vector of integers, or the sum of the weights that stand there; no gradient.

    The result has max + 1 elements, at least `minlength`.
    """
    check_kind("bincount", "minlength", minlength, "int")
    if input.dtype.kind not in "iu" or input.ndim != 1 or (input._values("bincount") < 0).any():
        raise ArgumentError(
            f"bincount: input must be a vector of non-negative integers, got shape {input.shape}, dtype {input.dtype}"
        )
    if minlength < 0:
        raise ArgumentError(f"bincount: minlength must be at least 0, got {minlength}")
    if weights is None:
        return Tensor(np.bincount(input.array, minlength=minlength).astype(np.int64))
    check_tensors("bincount", weights=weights)
    if weights.shape != input.shape:
        raise ShapeError(f"bincount: input and weights must have the same shape, got {input.shape} and {weights.shape}")
    dtype = weights.dtype if weights.dtype.kind == "f" else np.float64
    return Tensor(np.bincount(input.array, weights.array, minlength).astype(dtype))


@on_tensor
@by_replay("free")
def searchsorted(
    sorted_sequence: Tensor,
    input: Operand,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Tensor | None = None,
) -> Tensor:
    """Where to insert values into rows in ascending order: before equal elements, or behind them (`right`, or side="right").

    Rows that are in no order come with the indices that sort them (`sorter`). The places are int64, or int32 if asked for.
    Shapes: (n,) and any; or (…, n) and (…, m) with the same leading axes. Backward: none. Complexity: m log n for m values and rows
    of n.
    """
    if side not in (None, "left", "right") or (side == "left" and right):
        raise ArgumentError(f"searchsorted: side must be 'left' or 'right' and agree with right, got side={side!r}, right={right}")
    side = "right" if right else side or "left"
    rows, values = sorted_sequence.array, input.array if isinstance(input, Tensor) else np.asarray(input)
    if sorter is not None:
        rows = take_along_dim(sorted_sequence.detach(), sorter, -1).array
    kind = np.dtype(np.int32 if out_int32 else np.int64)
    if rows.ndim == 1:
        return Tensor(np.searchsorted(rows, values, side).astype(kind))
    if rows.ndim == 0 or rows.shape[:-1] != values.shape[:-1]:
        raise ShapeError(f"searchsorted: all axes but the last must agree, got {rows.shape} and {values.shape}")
    out = np.empty(values.shape, kind)
    for row in np.ndindex(rows.shape[:-1]):
        out[row] = np.searchsorted(rows[row], values[row], side)
    return Tensor(out)


def bucketize(input: Operand, boundaries: Tensor, *, out_int32: bool = False, right: bool = False) -> Tensor:
    """The bucket of each value between boundaries in ascending order, a vector: `searchsorted` with the arguments the other way round.

    Backward: none. Complexity: m log n for m values and n boundaries.
    """
    check_tensors("bucketize", boundaries=boundaries)
    if boundaries.ndim != 1:
        raise ShapeError(f"bucketize: boundaries must be a vector, got shape {boundaries.shape}")
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)
