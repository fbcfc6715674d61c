"""Softmax and log-softmax along an axis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import Tensor, op
from ..errors import DtypeError
from ..kernels import rows
from ..kernels.arrays import total
from ..kernels.cache import compilable
from ..kernels.notation import exp, log
from .reduction import axis_of


def _check(name: str, x: Any, dim: Any, dtype: Any) -> dict[str, Any]:
    if dtype is None and x.dtype.kind != "f":
        raise DtypeError(f"{name}: expected a floating-point tensor, got dtype {x.dtype}; convert it or pass dtype=")
    return {"dim": axis_of(name, dim, x.ndim), "dtype": None if dtype is None else np.dtype(dtype)}


def _compiled(x: Any, dim: int, dtype: Any) -> bool:
    return compilable(x.dtype) and (dtype is None or dtype == x.dtype) and x.size > 0


def along_rows(run: Callable[..., None], dim: int, *arrays: Any) -> Any:
    """Run a row kernel `(out, *arrays, rows, columns)` with the axis `dim` as the columns."""
    shape, dtype = arrays[0].shape, arrays[0].dtype
    columns = shape[dim] if shape else 1
    last = dim == len(shape) - 1 or not shape
    given = arrays if last else [np.moveaxis(a, dim, -1) for a in arrays]
    out = np.empty(given[0].shape, dtype)
    run(out.ravel(), *[a.ravel() for a in given], out.size // columns, columns)
    return out if last else np.ascontiguousarray(np.moveaxis(out, -1, dim))


def _shifted(x: Any, dim: int, dtype: Any) -> Any:
    x = x if dtype is None else x.astype(dtype)
    return x - np.max(x, axis=dim, keepdims=True, initial=-np.inf) if x.ndim else x - x


def _sum_along(x: Any, dim: int) -> Any:
    return total(x, (dim,), True) if x.ndim else x


@op
def softmax(x: Tensor, dim: int, dtype: Any = None) -> Tensor:
    """Softmax along `dim`, yᵢ = exp(xᵢ − max x) / Σⱼ exp(xⱼ − max x): positive, sums to 1.

    Shapes: any; rows along `dim` are independent. `dtype`: convert first.
    Backward: dL/dx = y (g − Σ g y), from the saved output; the Jacobian is diag(y) − y yᵀ.
    Edge values: shifted by the maximum, so ±10⁴ is safe; an entry of −inf gets 0; NaN where a row holds NaN, +inf or only −inf.
    Errors: DimError for an axis that is not there; `dim` has no default, as none is right for every batch.
    Source: Bridle 1990, "Probabilistic interpretation of feedforward classification network outputs".
    """
    e = exp(_shifted(x, dim, dtype))
    return e / _sum_along(e, dim)


@softmax.check
def _(x, dim, dtype):
    return _check("softmax", x, dim, dtype)


@softmax.kernel(when=_compiled)
def _(x, dim, dtype):
    return along_rows(rows.softmax_rows[x.dtype], dim, x)


@softmax.backward("x")
def _(g, y, dim):
    return y * (g - (g * y).sum(dim, keepdims=True)) if y.ndim else y * (g - g * y)


@softmax.backward_kernel("x")
def _(g, y, dim):
    return along_rows(rows.softmax_rows_backward[y.dtype], dim, g, y)


@op
def log_softmax(x: Tensor, dim: int, dtype: Any = None) -> Tensor:
    """log(softmax(x)) along `dim`, computed as x − max x − log Σ exp(x − max x): exact where softmax itself would round to 0 or 1.

    Shapes: any. `dtype`: convert first. Backward: dL/dx = g − exp(y) Σ g, from the saved output.
    Edge values: as softmax; an entry of −inf stays −inf.
    """
    shifted = _shifted(x, dim, dtype)
    return shifted - log(_sum_along(exp(shifted), dim))


@log_softmax.check
def _(x, dim, dtype):
    return _check("log_softmax", x, dim, dtype)


@log_softmax.kernel(when=_compiled)
def _(x, dim, dtype):
    columns = x.shape[dim] if x.ndim else 1
    work = np.empty(x.size if columns <= 256 else 0, x.dtype)
    run = rows.log_softmax_rows[x.dtype]
    return along_rows(lambda out, flat, n, d: run(out, work, flat, n, d), dim, x)


@log_softmax.backward("x")
def _(g, y, dim):
    return g - exp(y) * g.sum(dim, keepdims=True) if y.ndim else g - exp(y) * g


@log_softmax.backward_kernel("x")
def _(g, y, dim):
    return along_rows(rows.log_softmax_rows_backward[y.dtype], dim, g, y)
