"""Values of arrays, as traces keep and write them: all of them if they are few, else what they are like."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ..core.tensor import Array
from ..kernels.arrays import euclidean_norm

__all__ = ["Snapshot", "Statistics", "short", "written"]


class Statistics(NamedTuple):
    """What numbers are like. `zeros` is a share; `not_finite` counts NaN and infinities; `min`, `mean`, `max` and `std` are those of the
    other numbers. `norm` and `mean_size`, the mean of |x|, are of all. Where there are no numbers, it is all NaN but for norm and count."""

    zeros: float
    min: float
    mean: float
    max: float
    std: float
    norm: float
    mean_size: float
    not_finite: int

    @property
    def shown_mean(self) -> float:
        """The mean, as 0 where rounding alone makes it something else."""
        return 0.0 if abs(self.mean) < 1e-6 * self.std else self.mean


def _statistics(array: Array) -> Statistics:
    x = array.astype(np.float64).ravel()
    if not x.size:
        nan = math.nan
        return Statistics(nan, nan, nan, nan, nan, 0.0, nan, 0)
    finite = x[np.isfinite(x)]
    with np.errstate(all="ignore"):
        least, mean, most, std = (float(f(finite)) if finite.size else math.nan for f in (np.min, np.mean, np.max, np.std))
        zeros, norm, size = np.count_nonzero(x == 0) / x.size, euclidean_norm(x), float(np.abs(x).mean())
    return Statistics(zeros, least, mean, most, std, norm, size, x.size - finite.size)


class Snapshot:
    """An array as it was: `shape`, `dtype`, `values` (a copy of it, or None if it has more than `limit` elements) and `statistics`."""

    __slots__ = ("_statistics", "dtype", "shape", "values")

    def __init__(self, array: Array, limit: int):
        self.shape, self.dtype = array.shape, array.dtype
        self.values = np.array(array) if array.size <= limit else None
        self._statistics = None if self.values is not None else _statistics(array)

    @property
    def statistics(self) -> Statistics:
        if self._statistics is None:
            assert self.values is not None
            self._statistics = _statistics(self.values)
        return self._statistics

    def __str__(self) -> str:
        if self.values is not None:
            return written(self.values)
        s, size = self.statistics, math.prod(self.shape)
        if s.not_finite == size:
            return f"{size:,} not finite"
        return f"{short(s.shown_mean)} ± {short(s.std)}" + f" ({s.not_finite:,} not finite)" * (s.not_finite > 0)

    def to_dict(self) -> dict[str, Any]:
        values = None if self.values is None else self.values.tolist()
        return {"shape": list(self.shape), "dtype": str(self.dtype), "values": values, **self.statistics._asdict()}


def short(value: Any) -> str:
    """A number in four decimals or three figures, whichever says more, without zeros at the end."""
    if isinstance(value, (bool, int, np.bool_, np.integer)):
        return str(value)
    value, size = float(value), abs(float(value))
    if size >= 1e6 or 0 < size < 1e-3 or not math.isfinite(value):
        return f"{value:.3g}"
    text = f"{value:.3g}" if size < 0.1 else f"{value:.6g}" if size >= 100 else f"{value:.4f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def written(array: Array) -> str:
    """All values, in brackets as lists have them."""
    if array.ndim == 0:
        return short(array[()])
    return f"[{', '.join(written(np.asarray(part)) for part in array)}]"
