"""Softmax, softmin and log-softmax along an axis."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ..core import Tensor, checked_dtype, op, user_depth
from ..errors import ArgumentError, DtypeError
from ..kernels import rows
from ..kernels.arrays import total
from ..kernels.cache import one_dtype
from ..kernels.notation import exp, log1p, where
from .convert import on_tensor
from .reduction import axis_of


def _check(name: str, x: Any, dim: Any, dtype: Any, temperature: Any) -> dict[str, Any]:
    if not 0 < temperature < np.inf:
        raise ArgumentError(f"{name}: temperature must be a positive number, got {temperature}")
    wanted = None if dtype is None else checked_dtype(name, dtype)
    kind = x.dtype if wanted is None else wanted
    if kind.kind != "f":
        hint = "a floating-point tensor" if wanted is None else "dtype= to be a floating-point one"
        raise DtypeError(f"{name}: expected {hint}, got dtype {kind}" + "; convert it or pass dtype=" * (wanted is None))
    return {"dim": axis_of(name, dim, x.ndim), "dtype": wanted}


def _implicit_dim(name: str, x: Any) -> int:
    """The axis where none was said: the last of up to two, the first of three, else the second; with PyTorch's warning."""
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. Change the call to include dim=X as an argument.",
        stacklevel=user_depth(),
    )
    return 0 if np.ndim(x) in (0, 1, 3) else 1


def _as_it_is(x: Any, dim: int, dtype: Any, temperature: float) -> bool:
    return one_dtype(x) and (dtype is None or dtype == x.dtype)


def along_rows(run: Callable[..., None], dim: int, *arrays: Any, settings: tuple[Any, ...] = ()) -> Any:
    """Run a kernel `(out, *arrays, *settings)` over matrices whose rows lie along the axis `dim`."""
    shape = arrays[0].shape
    if len(shape) == 2 and dim == 1:
        out = np.empty(shape, arrays[0].dtype)
        run(out, *[np.ascontiguousarray(a) for a in arrays], *settings)
        return out
    if not shape or dim == len(shape) - 1:
        matrices = [a.reshape(-1, a.shape[-1] if shape else 1) for a in arrays]
        return along_rows(run, 1, *matrices, settings=settings).reshape(shape)
    moved = [np.moveaxis(a, dim, -1) for a in arrays]
    return np.ascontiguousarray(np.moveaxis(along_rows(run, len(shape) - 1, *moved, settings=settings), -1, dim))


def _shifted(x: Any, dim: int, dtype: Any, temperature: float) -> Any:
    """(x − max x) / τ; with halves, the difference of two large numbers does not overflow before it is divided."""
    x = x if dtype is None else x.astype(dtype)
    top = np.max(x, axis=dim, keepdims=True, initial=-np.inf) if x.ndim else x
    return x - top if temperature == 1 else (0.5 * x - 0.5 * top) / (0.5 * temperature)


def _sum_along(x: Any, dim: int) -> Any:
    return total(x, (dim,), True) if x.ndim else x


def _sum_but_one(e: Any, dim: int) -> Any:
    """Σ e − 1, where the largest of e is 1: that one is not added to the others, whose digits it would cover."""
    if not e.size or not e.ndim:
        return e - 1
    peak = np.argmax(e, dim, keepdims=True)
    largest = np.take_along_axis(e, peak, dim)
    np.put_along_axis(e, peak, 0, dim)
    return _sum_along(e, dim) + (largest - 1)


def balanced(y: Any, slope: Any, dim: int) -> Any:
    """Slopes of log-probabilities y, which add up to 0: where the probability is above ½, minus the sum of the others, as a difference
    from 1 could have no digits there."""
    if not y.ndim:
        return slope
    peak = y > -0.69
    others = where(peak, 0, slope)
    return others - where(peak, others.sum(dim, keepdims=True), 0)


@op
def softmax(x: Tensor, dim: int | None = None, dtype: Any = None, *, temperature: float = 1.0) -> Tensor:
    """Softmax along `dim`, yᵢ = exp((xᵢ − max x) / τ) / Σⱼ exp((xⱼ − max x) / τ): positive, sums to 1.

    Shapes: any; rows along `dim` are independent. `dtype`: convert first.
    τ = `temperature`, which PyTorch lacks, makes it the softmax of x / τ; what is divided are the differences, which are exact between
    close values, where those of rounded quotients would not be.
    Backward: dL/dx = y (g − Σ g y) / τ, from the saved output; the Jacobian is (diag(y) − y yᵀ) / τ.
    Edge values: shifted by the maximum, so ±10⁴ is safe; an entry of −inf gets 0; NaN where a row holds NaN, +inf or only −inf.
    Without `dim`, which as in PyTorch gets a warning, the axis is 0 for 0, 1 or 3 axes, else 1: no choice is right for every batch.
    Errors: DimError for an axis that is not there; ArgumentError for a temperature that is not positive.
    Source: Bridle 1990, "Probabilistic interpretation of feedforward classification network outputs".
    """
    e = exp(_shifted(x, dim, dtype, temperature))
    return e / _sum_along(e, dim)


@softmax.check
def _(x, dim, dtype, temperature):
    return _check("softmax", x, dim, dtype, temperature)


softmax.for_none("dim")(partial(_implicit_dim, "softmax"))


@softmax.kernel(when=_as_it_is)
def _(x, dim, dtype, temperature):
    return along_rows(rows.softmax_rows[x.dtype], dim, x, settings=(temperature,))


@softmax.backward("x")
def _(g, y, dim, temperature):
    return y * (g - (g * y).sum(dim, keepdims=True) if y.ndim else g - g * y) / temperature


@softmax.backward_kernel("x")
def _(g, y, dim, temperature):
    return along_rows(rows.softmax_rows_backward[y.dtype], dim, g, y, settings=(temperature,))


@op
def log_softmax(x: Tensor, dim: int | None = None, dtype: Any = None, *, temperature: float = 1.0) -> Tensor:
    """log(softmax(x / τ)) along `dim`, computed as (x − max x) / τ − log Σ exp((x − max x) / τ): exact where softmax itself would round
    to 0 or 1, as the logarithm is log1p of the terms beside the largest, which is 1.

    Shapes: any. `dtype`: convert first. τ = `temperature`, see `softmax`.
    Backward: dL/dx = (g − exp(y) Σ g) / τ, from the saved output; where exp(y) is above ½, minus the sum of the row's others.
    exp(y) of the rounded y is off by |y| units in its last place: of 1, less than half a unit.
    Edge values: as softmax; an entry of −inf stays −inf. Deviation: a log-probability near 0 keeps its digits (PyTorch: 0).
    """
    shifted = _shifted(x, dim, dtype, temperature)
    return shifted - log1p(_sum_but_one(exp(shifted), dim))


@log_softmax.check
def _(x, dim, dtype, temperature):
    return _check("log_softmax", x, dim, dtype, temperature)


log_softmax.for_none("dim")(partial(_implicit_dim, "log_softmax"))


@log_softmax.kernel(when=_as_it_is)
def _(x, dim, dtype, temperature):
    run = rows.log_softmax_rows[x.dtype]
    return along_rows(
        lambda out, x: run(out, np.empty(x.size if x.shape[1] <= 256 else x.shape[1], x.dtype), x, temperature), dim, x
    )


@log_softmax.backward("x")
def _(g, y, dim, temperature):
    return balanced(y, g - exp(y) * (g.sum(dim, keepdims=True) if y.ndim else g), dim) / temperature


@log_softmax.backward_kernel("x")
def _(g, y, dim, temperature):
    return along_rows(rows.log_softmax_rows_backward[y.dtype], dim, g, y, settings=(temperature,))


@on_tensor
def softmin(input: Tensor, dim: int | None = None, dtype: Any = None, *, temperature: float = 1.0) -> Tensor:
    """Softmax of −input along `dim`: the smallest gets most. Settings as those of `softmax`."""
    return softmax(-input, _implicit_dim("softmin", input) if dim is None else dim, dtype, temperature=temperature)
