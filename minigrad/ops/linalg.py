"""Products of matrices."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import Tensor, broadcasts_to, check_number, derived, op
from ..errors import ShapeError
from ..kernels.arrays import total
from ..kernels.cache import one_dtype
from ..kernels.products import product
from ..kernels.rows import add_to_rows, column_sums
from .convert import check_tensors, on_tensor


@op(broadcasts=True)
def matmul(a: Tensor, b: Tensor) -> Tensor:
    """Matrix product a @ b.

    Shapes: (…, n, k) @ (…, k, m) → (…, n, m), leading axes broadcast; a vector counts as a row on the left and as a column on the
    right, and loses that axis again. Backward: dL/da = g bᵀ, dL/db = aᵀ g, summed over broadcast axes. Complexity: n·k·m
    multiplications a product; backward twice as many.
    Errors: ShapeError names both shapes.
    """
    return np.matmul(a, b)


@matmul.kernel(when=lambda a, b: a.ndim == b.ndim == 2 and a.dtype == b.dtype and a.dtype.kind == "f")
def _(a, b):
    return product(a, b)


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
    return product(g, b.T)


@matmul.backward_kernel("b")
def _(g, a):
    return product(a.T, g)


def _vector(g, a_shape):
    """g with the row axis back that a vector on the left has lost."""
    return g[..., None, :] if len(a_shape) == 1 else g


@op
def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Affine map, x Wᵀ + b.

    Shapes: x (…, in), weight (out, in), bias (out) → (…, out). Backward: dL/dx = g W, dL/dW = gᵀ x, dL/db = Σ g over all rows.
    Complexity: rows · in · out multiplications; backward twice as many.
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


@linear.kernel(when=lambda x, weight, bias: x.ndim > 1 and weight.ndim == 2 and one_dtype(x, weight, bias))
def _(x, weight, bias):
    y = product(x if x.ndim == 2 else _rows(x), weight.T)
    if bias is not None:
        add_to_rows[y.dtype](y, bias.ravel())
    return y if x.ndim == 2 else y.reshape(*x.shape[:-1], y.shape[1])


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
    return product(g, weight) if g.ndim == 2 else product(_rows(g), weight).reshape(*g.shape[:-1], weight.shape[1])


@linear.backward_kernel("weight")
def _(g, x):
    if g.ndim > 2:
        g, x = _rows(g), _rows(x)
    return product((g if g.flags.forc else np.ascontiguousarray(g)).T, x)  # BLAS adds up in the order of the layout


@linear.backward_kernel("bias")
def _(g, bias_shape):
    out = np.empty(bias_shape, g.dtype)
    column_sums[g.dtype](out, np.ascontiguousarray(g if g.ndim == 2 else _rows(g)))
    return out


# ---- products of given ranks


def _check_ranks(name: str, **operands: tuple[Any, int]) -> None:
    """Refuse operands that do not have the number of axes that the operation asks for."""
    for argument, (value, ndim) in operands.items():
        check_tensors(name, **{argument: value})
        if value.ndim != ndim:
            raise ShapeError(f"{name}: {argument} must have {ndim} axes, got shape {value.shape}")


def _product(name: str, left: tuple[str, Tensor, int], right: tuple[str, Tensor, int]) -> Tensor:
    """a @ b for operands (argument, tensor, number of axes)."""
    (a_name, a, a_ndim), (b_name, b, b_ndim) = left, right
    _check_ranks(name, **{a_name: (a, a_ndim), b_name: (b, b_ndim)})
    inner = b.shape[-2] if b_ndim > 1 else b.shape[0]
    if a.shape[-1] != inner or (a_ndim == 3 and a.shape[0] != b.shape[0]):
        raise ShapeError(f"{name}: {a_name} {a.shape} and {b_name} {b.shape} do not fit each other")
    return matmul(a, b)


def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """The product of two matrices, (n, k) @ (k, m) → (n, m): `matmul`, but refusing other numbers of axes.

    Complexity: n·k·m multiplications.
    """
    return _product("mm", ("input", input, 2), ("mat2", mat2, 2))


def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """Products of matrices, pair by pair, (b, n, k) @ (b, k, m) → (b, n, m), without broadcasting.

    Complexity: b·n·k·m multiplications.
    """
    return _product("bmm", ("input", input, 3), ("mat2", mat2, 3))


def mv(input: Tensor, vec: Tensor) -> Tensor:
    """The product of a matrix and a vector, (n, k) @ (k) → (n)."""
    return _product("mv", ("input", input, 2), ("vec", vec, 1))


def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """Σ input · tensor, of two vectors of one length."""
    return _product("dot", ("input", input, 1), ("tensor", tensor, 1))


def vdot(input: Tensor, other: Tensor) -> Tensor:
    """`dot`, from which it differs for complex numbers only."""
    return dot(input, other)


def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """The products of each element of one vector with each of another, (n), (m) → (n, m)."""
    _check_ranks("outer", input=(input, 1), vec2=(vec2, 1))
    return input[:, None] * vec2


@on_tensor
def inner(input: Tensor, other: Tensor) -> Tensor:
    """Σ input · other over the last axes of both, (…, k), (*, k) → (…, *); with a 0-d operand the plain product.

    Complexity: the product of both sizes divided by k.
    """
    if input.ndim == 0 or other.ndim == 0:
        return input * other
    if input.shape[-1] != other.shape[-1]:
        raise ShapeError(f"inner: the last axes must have one size, got input {input.shape}, other {other.shape}")
    size = input.shape[-1]
    rows, columns = (x.reshape(math.prod(x.shape[:-1]), size) for x in (input, other))
    return matmul(rows, columns.mT).reshape(input.shape[:-1] + other.shape[:-1])


def trace(input: Tensor) -> Tensor:
    """The sum of a matrix's diagonal."""
    _check_ranks("trace", input=(input, 2))
    along = derived("arange", np.arange, min(input.shape))
    return input[along, along].sum()


def addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta · input + alpha · (mat1 @ mat2); input broadcasts to the product's shape, and is not looked at where beta is 0.

    Of integers, beta and alpha are cut to whole numbers.
    """
    return _added("addmm", input, mm(mat1, mat2), beta, alpha)


def baddbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta · input + alpha · (batch1 @ batch2), matrix by matrix: see `addmm` and `bmm`."""
    return _added("baddbmm", input, bmm(batch1, batch2), beta, alpha)


def addbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta · input + alpha · Σ batch1 @ batch2, the products of all pairs of matrices added up: see `addmm` and `bmm`."""
    products = bmm(batch1, batch2)
    return _added("addbmm", input, products.sum(0, dtype=products.dtype), beta, alpha)


def addmv(input: Tensor, mat: Tensor, vec: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta · input + alpha · (mat @ vec): see `addmm` and `mv`."""
    return _added("addmv", input, mv(mat, vec), beta, alpha)


def addr(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta · input + alpha · vec1 vec2ᵀ: see `addmm` and `outer`."""
    return _added("addr", input, outer(vec1, vec2), beta, alpha)


def _added(name: str, input: Tensor, product: Tensor, beta: float, alpha: float) -> Tensor:
    check_number(name, beta=beta, alpha=alpha)
    check_tensors(name, input=input)
    if not broadcasts_to(input.shape, product.shape):
        raise ShapeError(f"{name}: input {input.shape} does not broadcast to the product's shape {product.shape}")
    if product.dtype.kind != "f":
        whole = bool if product.dtype.kind == "b" else int
        beta, alpha = whole(beta), whole(alpha)
    scaled = product if alpha == 1 else product * alpha
    if beta == 0:
        return scaled
    return scaled + (input if beta == 1 else input * beta)


@on_tensor
def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """yₖ = Σᵢⱼ input1ᵢ weightₖᵢⱼ input2ⱼ + biasₖ.

    Shapes: input1 (…, n), input2 (…, m) with equal leading axes, weight (out, n, m), bias (out) → (…, out). Complexity: rows · out
    · n · m multiplications.
    """
    _check_ranks("bilinear", weight=(weight, 3))
    out, n, m = weight.shape
    if input1.shape != (*input2.shape[:-1], n) or input2.shape[-1:] != (m,):
        raise ShapeError(f"bilinear: input1 {input1.shape} and input2 {input2.shape} do not go with weight {weight.shape}")
    if bias is not None and bias.shape != (out,):
        raise ShapeError(f"bilinear: bias must have shape ({out},) to go with weight {weight.shape}, got {bias.shape}")
    leading = input1.shape[:-1]
    left = linear(input1, weight.permute(0, 2, 1).reshape(out * m, n)).reshape(*leading, out, m)
    y = matmul(left, input2[..., None]).reshape(*leading, out)
    return y if bias is None else y + bias
