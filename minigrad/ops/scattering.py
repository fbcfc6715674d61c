"""Values combined at places of a tensor: scatter with a reduction."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import Operand, Tensor, apply, derived, op
from ..kernels.arrays import put
from ..kernels.notation import where
from .convert import plain
from .indexing import index_put
from .rounding import div_whole
from .shape import reshape_to

_COMBINE: dict[str, Any] = {"prod": np.multiply, "amax": np.maximum, "amin": np.minimum}


@op(live=("places",))
def combine_at(x: Tensor, src: Tensor, places: Any, reduce: str) -> Tensor:
    """A copy of a vector x with values of src multiplied by ("prod") or compared with ("amax", "amin") what is at its places.

    Backward: for a product g times all other factors at the place, exact at zeros, as are its own derivatives; for extremes g, shared
    evenly by all that tie.
    """
    out = x.copy()
    _COMBINE[reduce].at(out, places, src)
    return out


@combine_at.backward("x")
def _(g, x, src, y, places, reduce):
    if reduce == "prod":
        return g * combine_at.of(np.ones(x.shape, x.dtype), src, places, "prod")
    return where(x == y, _share(g, x, src, y, places), 0)


@combine_at.backward("src")
def _(g, x, src, y, places, reduce):
    if reduce == "prod":
        return g[places] * _others(x, src, y, places)
    return where(src == y[places], _share(g, x, src, y, places)[places], 0)


def _others(x: Any, src: Any, y: Any, places: Any) -> Any:
    """For each value of src the product of all other factors at its place: y / src where all of these y are normal numbers (no factor
    is then 0 or infinite), else that of those before it, x first, and of those after it."""
    sizes = np.abs(plain(y)[places])
    if np.all((sizes >= np.finfo(y.dtype).tiny) & (sizes < np.inf)):
        return y[places] / src
    order = np.argsort(places, kind="stable")
    at, here = places[order], np.arange(places.size)
    before = here - np.searchsorted(at, at)  # how many there are at the same place
    after = np.searchsorted(at, at, side="right") - 1 - here
    values = src[order]
    earlier = where(before == 0, x[at], values[np.maximum(here - 1, 0)])
    later = where(after == 0, 1, values[np.minimum(here + 1, here.size - 1)])
    return (_products(earlier, before, -1) * _products(later, after, 1))[np.argsort(order)]


def _products(x: Any, count: Any, side: int) -> Any:
    """xₖ times the `count` elements next to it on one side, each step doubling how many have been multiplied."""
    here, step = np.arange(count.size), 1
    while step <= count.max(initial=0):
        x = x * where(count >= step, x[np.clip(here + side * step, 0, here.size - 1)], 1)
        step *= 2
    return x


def _count(hit: Any, places: Any, g: Any) -> Any:
    """How many of the values at each place hold, as plain floats."""
    return put(plain(hit).astype(g.dtype), (places,), g.shape)


def _share(g: Any, x: Any, src: Any, y: Any, places: Any) -> Any:
    """g over the number of all that equal the extreme."""
    ties = _count(src == y[places], places, g) + plain(x == y)
    return g / where(ties == 0, 1, ties)


def combined(input: Tensor, src: Tensor, places: Any, reduce: str) -> Tensor:
    """input with values multiplied by or compared with what is at flat places."""
    return reshape_to(
        apply(combine_at, (reshape_to(input, (-1,)), reshape_to(src, (-1,))), (reduce,), (derived("flat", np.ravel, places),)),
        input.shape,
    )


def averaged(sums: Tensor, places: Any, more: int) -> Tensor:
    """Sums at flat places over the number of their terms, `more` than those that the places count; integers rounded down."""
    divisor = Tensor(derived("counts", _counts, places, more, sums.shape, sums.dtype))
    return sums / divisor if sums.dtype.kind == "f" else div_whole(sums, divisor, "floor")


def _counts(places: Any, more: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    """How many terms there are at each place, at least 1."""
    counts = np.bincount(places.reshape(-1), minlength=math.prod(shape)) + more
    return np.maximum(counts, 1).astype(dtype).reshape(shape)


def cleared(input: Tensor, places: Any, reduce: str) -> Tensor:
    """input with what changes nothing where it is combined at flat places."""
    flat = apply(index_put, (reshape_to(input, (-1,)), _neutral(reduce, input.dtype)), (), (derived("flat", np.ravel, places),))
    return reshape_to(flat, input.shape)


def _neutral(reduce: str, dtype: np.dtype[Any]) -> Operand:
    """What changes nothing where it is combined."""
    if reduce in ("sum", "mean", "prod"):
        return int(reduce == "prod")
    if dtype.kind == "f":
        return -np.inf if reduce == "amax" else np.inf
    if dtype.kind == "b":
        return reduce == "amin"
    limits = np.iinfo(dtype)
    return int(limits.min if reduce == "amax" else limits.max)
