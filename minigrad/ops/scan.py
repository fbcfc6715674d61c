"""Running sums and products along an axis, and the product over an axis."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import Tensor, array_of, derived, get_default_dtype, op
from ..core.check import check_kind
from ..errors import ArgumentError, ShapeError
from ..kernels import arrays
from ..kernels.along import products, products_backward, running_products, running_products_backward, running_sums
from ..kernels.arrays import as_matrix, put, reduced
from ..kernels.cache import compilable
from ..kernels.notation import exp, where
from .arithmetic import sub
from .comparison import ne
from .convert import astype, constant, on_tensor, to
from .extremes import ValuesAndIndices
from .indexing import along
from .joining import cat
from .picking import gather
from .reduction import Dims, axes_of, axis_and_length, axis_of, kept, sum_dtype
from .shape import reshape_to


@op
def linear_scan(a: Tensor, b: Tensor) -> Tensor:
    """sₖ = aₖ sₖ₋₁ + bₖ along the last axis, from s₀ = b₀ (a₀ is not looked at).

    Backward: dL/db = r with rₖ = gₖ + aₖ₊₁ rₖ₊₁, the same scan from the end; dL/da = rₖ sₖ₋₁. No division: exact at zeros.
    """
    return arrays.linear_scan(a, b)


@linear_scan.backward("a")
def _(g, a, y):
    return _scan_from_end(a, g) * _previous(y)


@linear_scan.backward("b")
def _(g, a):
    return _scan_from_end(a, g)


def _scan_from_end(a: Any, g: Any) -> Any:
    """rₖ = gₖ + aₖ₊₁ rₖ₊₁."""
    return linear_scan.of(_previous(a[..., ::-1]), g[..., ::-1])[..., ::-1]


def _previous(x: Any) -> Any:
    """x moved on by one along the last axis, 0 at the start."""
    return put(x[..., :-1], (..., slice(1, None)), x.shape)


def _before(products: Any) -> Any:
    """From running products those of all earlier elements: the first is 1."""
    return where(np.arange(products.shape[-1]) == 0, 1, _previous(products))


def _length(x: Any, dim: int) -> int:
    """The length of an axis; a 0-d array counts as having one."""
    return int(x.shape[dim]) if x.ndim else 1


def _backwards(x: Any, dim: int) -> Any:
    return x[(slice(None),) * dim + (slice(None, None, -1),)] if x.ndim else x


def _wide(dtype: Any) -> Any:
    """The dtype in which terms and factors of another are taken together."""
    return np.dtype(np.float64) if dtype == np.float32 else dtype


def _accumulated(ufunc: Any, x: Any, dim: int, dtype: Any) -> Any:
    """The running results, float32 carried in float64."""
    dtype = x.dtype if dtype is None else dtype
    with np.errstate(all="ignore"):
        return ufunc.accumulate(np.atleast_1d(x), axis=dim, dtype=_wide(dtype)).astype(dtype, copy=False).reshape(x.shape)


@op
def cumsum(x: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """Running sums along an axis, yₖ = x₀ + … + xₖ; integers and booleans in int64, float32 added up in float64.

    Backward: the running sums of g from the end.
    """
    return _accumulated(np.add, x, dim, dtype)


@cumsum.check
def _(x, dim, dtype):
    return {"dim": axis_of("cumsum", dim, x.ndim), "dtype": sum_dtype("cumsum", dtype, x)}


@cumsum.backward("x")
def _(g, dim):
    return _backwards(cumsum.of(_backwards(g, dim), dim), dim)


def _along(x, dim, dtype):
    """Whether the kernels along an axis serve."""
    return x.dtype == dtype and compilable(dtype) and x.size


@cumsum.kernel(when=_along)
def _(x, dim, dtype):
    return _running_sums(x, dim, 1)


@cumsum.backward_kernel("x")
def _(g, dim):
    return _running_sums(g, dim, -1)


def _running_sums(x: Any, dim: int, step: int) -> Any:
    out = np.empty(x.shape, x.dtype)
    running_sums[x.dtype](as_matrix(out, dim), as_matrix(x, dim), _length(x, dim), step)
    return out


@op
def cumprod(x: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """Running products along an axis, yₖ = x₀ … xₖ; integers and booleans in int64, float32 multiplied up in float64.

    Backward: dL/dxₖ = yₖ₋₁ rₖ with rₖ = gₖ + xₖ₊₁ rₖ₊₁ (`linear_scan`). No division: exact at zeros, as are its own derivatives.
    """
    return _accumulated(np.multiply, x, dim, dtype)


@cumprod.check
def _(x, dim, dtype):
    return {"dim": axis_of("cumprod", dim, x.ndim), "dtype": sum_dtype("cumprod", dtype, x)}


@cumprod.backward("x")
def _(g, x, y, dim):
    if not g.ndim:
        return g
    g, x, y = g.swapaxes(dim, -1), x.swapaxes(dim, -1), y.swapaxes(dim, -1)
    return (_before(y) * _scan_from_end(x, g)).swapaxes(dim, -1)


@cumprod.kernel(when=_along)
def _(x, dim, dtype):
    out = np.empty(x.shape, x.dtype)
    running_products[x.dtype](as_matrix(out, dim), as_matrix(x, dim), _length(x, dim))
    return out


@cumprod.backward_kernel("x")
def _(g, x, y, dim):
    out = np.empty(x.shape, x.dtype)
    running_products_backward[x.dtype](*(as_matrix(a, dim) for a in (out, g, x, y)), _length(x, dim))
    return out


@op
def logcumsumexp(x: Tensor, dim: int) -> Tensor:
    """Running log-sum-exp along an axis, yₖ = log Σⱼ≤ₖ exp xⱼ.

    Backward: dL/dxₖ = exp(xₖ − yₖ) rₖ with rₖ = gₖ + exp(yₖ − yₖ₊₁) rₖ₊₁: no exponent is positive.
    The rounding of y goes into these factors, which are off by up to |y| units in their last place.
    Edge values: −inf for nothing but −inf, with gradient 0.
    """
    return _accumulated(np.logaddexp, x if x.dtype.kind == "f" else x.astype(get_default_dtype()), dim, None)


@logcumsumexp.check
def _(x, dim):
    return {"dim": axis_of("logcumsumexp", dim, x.ndim)}


@logcumsumexp.backward("x")
def _(g, x, y, dim):
    if not g.ndim:
        return g * where(x == -np.inf, 0, 1)
    g, x, y = g.swapaxes(dim, -1), x.swapaxes(dim, -1), y.swapaxes(dim, -1)
    y = where(y == -np.inf, np.finfo(y.dtype).min, y)
    return (exp(x - y) * _scan_from_end(exp(_previous(y) - y), g)).swapaxes(dim, -1)


def _cumulative(name: str, ufunc: Any) -> Any:
    """`cummax` and `cummin`: the same text but for the direction."""

    def cumulative(input: Tensor, dim: int) -> ValuesAndIndices:
        axis = axis_of(name, dim, input.ndim)
        if not input.ndim:
            return ValuesAndIndices(input.clone(), constant(0, np.int64))
        indices = Tensor(derived(name, _last_extremes, ufunc, array_of(input, name), axis))
        return ValuesAndIndices(gather(input, axis, indices), indices)

    cumulative.__name__ = cumulative.__qualname__ = name
    what = "maximum" if name == "cummax" else "minimum"
    cumulative.__doc__ = f"""(values, indices) of the running {what} along an axis; from the first NaN on NaN.

    Of equal elements the last one so far is taken. Backward: g, added up at the elements taken.
    """
    return on_tensor(cumulative)


def _last_extremes(ufunc: Any, x: Any, axis: int) -> Any:
    """For each element where the extreme so far last occurred."""
    x = np.moveaxis(x, axis, -1)
    hit = (ufunc.accumulate(x, axis=-1) == x) | (x != x)
    last = np.maximum.accumulate(np.where(hit, np.arange(x.shape[-1]), 0), axis=-1)
    return np.moveaxis(last, -1, axis).copy()


cummax = _cumulative("cummax", np.maximum)
cummin = _cumulative("cummin", np.minimum)


@on_tensor
def diff(input: Tensor, n: int = 1, dim: int = -1, prepend: Tensor | None = None, append: Tensor | None = None) -> Tensor:
    """The differences of neighbours along an axis, taken n times; of booleans whether they differ.

    Before that, `prepend` and `append` are joined to the ends; for n = 0 input is left as it is.
    """
    axis, _ = axis_and_length("diff", input, dim, ShapeError)
    check_kind("diff", "n", n, "int")
    if n < 0:
        raise ArgumentError(f"diff: n must be at least 0, got {n}")
    if n == 0:
        return input.clone()
    parts = [x for x in (prepend, input, append) if x is not None]
    out = input if len(parts) == 1 else cat(parts, axis)
    for _ in range(n):
        later, earlier = along(out, axis, slice(1, None)), along(out, axis, slice(-1))
        out = ne(later, earlier) if out.dtype.kind == "b" else sub(later, earlier)
    return out


@op
def prod_along(x: Tensor, dim: int, keepdim: bool = False) -> Tensor:
    """Product along one axis, in x's dtype; float32 multiplied up in float64.

    Backward: g times the product of all others, from the running products of both directions. No division: exact at zeros. The
    kernel divides, g y / x, where y is a normal number: then no x is 0 or infinite.
    """
    wide = _wide(x.dtype)
    return np.asarray(np.multiply.reduce(x, axis=dim, keepdims=keepdim, dtype=wide)).astype(x.dtype, copy=False)


@prod_along.backward("x")
def _(g, x, x_shape, dim):
    dtype, x = x.dtype, astype.of(x.swapaxes(dim, -1), _wide(x.dtype))
    earlier = _before(cumprod.of(x, -1))
    later = _before(cumprod.of(x[..., ::-1], -1))[..., ::-1]
    return g.reshape(kept(x_shape, (dim,))) * astype.of((earlier * later).swapaxes(dim, -1), dtype)


@prod_along.kernel(when=lambda x, dim, keepdim: _along(x, dim, x.dtype))
def _(x, dim, keepdim):
    out, matrix = reduced(x, (dim,), keepdim), as_matrix(x, dim)
    tiny = float(np.finfo(np.float64).tiny)
    products[x.dtype](out.reshape(-1, matrix.shape[1]), matrix, _length(x, dim), tiny)
    return out


@prod_along.backward_kernel("x")
def _(g, x, y, dim):
    out, matrix = np.empty(x.shape, x.dtype), as_matrix(x, dim)
    g, y = (np.ascontiguousarray(a).reshape(-1, matrix.shape[1]) for a in (g, y))
    products_backward[x.dtype](as_matrix(out, dim), g, matrix, y, _length(x, dim), float(np.finfo(x.dtype).tiny))
    return out


@on_tensor
def prod(input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Product over all axes or over `dim` (an axis or several); integers and booleans in int64; 1 for nothing.

    Backward: g times the product of all other elements, exact at zeros; so are second derivatives.
    Deviation: exact also at an infinite element, where PyTorch, which divides, has NaN.
    """
    axes = axes_of("prod", dim, input.ndim)
    wanted = sum_dtype("prod", dtype, input)
    out = input if input.dtype == wanted else to(input, wanted)
    if len(axes) == 1:
        return prod_along(out, axes[0], keepdim)
    shape = kept(input.shape, axes) if keepdim else tuple(n for i, n in enumerate(input.shape) if i not in axes)
    if len(axes) == input.ndim:
        whole = prod_along(reshape_to(out, (-1,)), 0)
        return reshape_to(whole, shape) if shape else whole
    for axis in sorted(axes):
        out = prod_along(out, axis, True)
    return reshape_to(out, shape)
