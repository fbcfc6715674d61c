"""Values combined at places of a tensor: scatter with a reduction."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import Operand, Tensor, apply, op
from ..kernels.arrays import put
from ..kernels.notation import where
from .indexing import index_put
from .rounding import div_whole
from .shape import reshape_to

_COMBINE: dict[str, Any] = {"sum": np.add, "prod": np.multiply, "amax": np.maximum, "amin": np.minimum}


@op(live=("places",))
def combine_at(x: Tensor, src: Tensor, places: Any, reduce: str) -> Tensor:
    """A copy of a vector x with values of src added to ("sum"), multiplied by ("prod"), or compared with ("amax", "amin") what is at
    its places.

    Backward: g for a sum; for a product g times all other factors at the place; for extremes g, shared evenly by all that tie.
    """
    out = x.copy()
    _COMBINE[reduce].at(out, places, src)
    return out


@combine_at.backward("x")
def _(g, x, src, y, places, reduce):
    if reduce == "sum":
        return g
    if reduce == "prod":
        factor = where(x == 0, 1, x)
        return g * (combine_at.of(factor, src, places, "prod") / factor)
    return where(x == y, _share(g, x, src, y, places), 0)


@combine_at.backward("src")
def _(g, x, src, y, places, reduce):
    if reduce == "sum":
        return g[places]
    if reduce == "prod":
        factor, zeros = where(src == 0, 1, src), _count(src == 0, places, g)[places]
        others = combine_at.of(x, factor, places, "prod")[places] / factor
        return g[places] * where(zeros == where(src == 0, 1, 0), others, 0)
    return where(src == y[places], _share(g, x, src, y, places)[places], 0)


def _count(hit: Any, places: Any, g: Any) -> Any:
    """How many of the values at each place hold, as plain floats."""
    return put((hit.array if isinstance(hit, Tensor) else hit).astype(g.dtype), (places,), g.shape)


def _share(g: Any, x: Any, src: Any, y: Any, places: Any) -> Any:
    """g over the number of all that equal the extreme."""
    own = (x == y).array if isinstance(x, Tensor) else x == y
    ties = _count(src == y[places], places, g) + own
    return g / where(ties == 0, 1, ties)


def combined(input: Tensor, src: Tensor, places: Any, reduce: str, include_self: bool) -> Tensor:
    """input with values combined at flat places, with what is there or (without `include_self`) with each other alone."""
    flat, src, places = reshape_to(input, (-1,)), reshape_to(src, (-1,)), places.reshape(-1)
    if not include_self:
        flat = apply(index_put, (flat, _neutral(reduce, input.dtype)), (), (places,))
    out = apply(combine_at, (flat, src), ("sum" if reduce == "mean" else reduce,), (places,))
    if reduce == "mean":
        counts = np.bincount(places, minlength=input.numel()) + include_self
        divisor = Tensor(np.maximum(counts, 1).astype(input.dtype))
        out = out / divisor if input.dtype.kind == "f" else div_whole(out, divisor, "floor")
    return reshape_to(out, input.shape)


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
