"""Products of matrices."""

from __future__ import annotations

import math

import numpy as np

from ..core import Tensor, op
from ..errors import ShapeError
from ..kernels.arrays import total
from ..kernels.cache import compilable
from ..kernels.quiet import quiet
from ..kernels.rows import add_to_rows, column_sums


@op(broadcasts=True)
def matmul(a: Tensor, b: Tensor) -> Tensor:
    """Matrix product a @ b.

    Shapes: (…, n, k) @ (…, k, m) → (…, n, m), leading axes broadcast; a vector counts as a row on the left and as a column on the
    right, and loses that axis again. Backward: dL/da = g bᵀ, dL/db = aᵀ g, summed over broadcast axes.
    Errors: ShapeError names both shapes.
    """
    return np.matmul(a, b)


@matmul.kernel(when=lambda a, b: a.ndim == b.ndim == 2 and a.dtype == b.dtype and a.dtype.kind == "f")
def _(a, b):
    return quiet.run(a.dot, b)


@matmul.check
def _(a, b):
    if a.ndim == 0 or b.ndim == 0:
        raise ShapeError(f"matmul: needs at least one axis on both sides, got a {a.shape}, b {b.shape}; use * for a scalar")
    inner = b.shape[-2] if b.ndim > 1 else b.shape[0]
    if a.shape[-1] != inner:
        left = f"{a.shape[-1]} columns" if a.ndim > 1 else f"{a.shape[-1]} elements"
        right = f"{inner} rows" if b.ndim > 1 else f"{inner} elements"
        raise ShapeError(f"matmul: a has {left} but b has {right} (a {a.shape}, b {b.shape})")
    try:
        np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    except ValueError:
        raise ShapeError(f"matmul: the leading axes do not broadcast (a {a.shape}, b {b.shape})") from None


@matmul.backward("a")
def _(g, b, a_shape):
    if b.ndim == 1:
        return g[..., None] * b
    return _vector(g, a_shape) @ b.mT if len(a_shape) > 1 else (_vector(g, a_shape) @ b.mT)[..., 0, :]


@matmul.backward("b")
def _(g, a, b_shape):
    if a.ndim == 1:
        return a * g[..., None] if len(b_shape) == 1 else a[:, None] * g[..., None, :]
    if len(b_shape) == 1:
        return (a.mT @ g[..., None])[..., 0]
    return a.mT @ g


@matmul.backward_kernel("a")
def _(g, b):
    return quiet.run(g.dot, b.T)


@matmul.backward_kernel("b")
def _(g, a):
    return quiet.run(a.T.dot, g)


def _vector(g, a_shape):
    """g with the row axis back that a vector on the left has lost."""
    return g[..., None, :] if len(a_shape) == 1 else g


@op
def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Affine map, x Wᵀ + b.

    Shapes: x (…, in), weight (out, in), bias (out) → (…, out). Backward: dL/dx = g W, dL/dW = gᵀ x, dL/db = Σ g over all rows.
    Errors: ShapeError names the sizes that differ.
    """
    y = np.matmul(x, weight.T)
    return y if bias is None else y + bias


@linear.check
def _(x, weight, bias):
    if weight.ndim not in (1, 2) or x.ndim == 0:
        raise ShapeError(f"linear: weight must have shape (out, in), x (…, in); got weight {weight.shape}, x {x.shape}")
    if x.shape[-1] != weight.shape[-1]:
        raise ShapeError(
            f"linear: x has {x.shape[-1]} features but weight takes {weight.shape[-1]} (x {x.shape}, weight {weight.shape})"
        )
    if bias is not None and bias.shape != weight.shape[:-1]:
        raise ShapeError(f"linear: bias must have shape {weight.shape[:-1]} to go with weight {weight.shape}, got {bias.shape}")


def _one_matrix(x, weight, bias):
    arrays = [x, weight] if bias is None else [x, weight, bias]
    return x.ndim == weight.ndim == 2 and compilable(x.dtype) and {a.dtype for a in arrays} == {x.dtype}


@linear.kernel(when=_one_matrix)
def _(x, weight, bias):
    y = quiet.run(x.dot, weight.T)
    if bias is not None:
        add_to_rows[y.dtype](y, bias.ravel())
    return y


def _rows(x):
    """x as a matrix: all axes but the last made into one."""
    return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


@linear.backward("x")
def _(g, weight):
    return g @ weight if weight.ndim == 2 else g[..., None] * weight


@linear.backward("weight")
def _(g, x, weight_shape):
    if len(weight_shape) == 1:
        return _rows(g[..., None] * x).sum(0)
    return _rows(g).T @ _rows(x)


@linear.backward("bias")
def _(g, bias_shape):
    rows = _rows(g) if bias_shape else g.reshape(math.prod(g.shape))
    return rows.sum(0) if isinstance(g, Tensor) else total(rows, (0,))


@linear.backward_kernel("x")
def _(g, weight):
    return quiet.run(g.dot, weight)


@linear.backward_kernel("weight")
def _(g, x):
    return quiet.run(g.T.dot, x)


@linear.backward_kernel("bias")
def _(g, bias_shape):
    out = np.empty(bias_shape, g.dtype)
    column_sums[g.dtype](out, np.ascontiguousarray(g))
    return out
