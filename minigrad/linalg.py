"""Norms and products under PyTorch's name for their place, `linalg`. No decompositions: norms that need singular values are refused."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np

from .core import Tensor
from .errors import ArgumentError, ShapeError
from .ops import abs as absolute
from .ops import amax, amin, matmul
from .ops import diagonal as diagonal_of
from .ops import norm as norm_of
from .ops import sum as sum_over
from .ops.convert import check_tensors, on_tensor
from .ops.reduction import Dims, axes_of, mean_dtype

__all__ = ["diagonal", "matmul", "matrix_norm", "multi_dot", "norm", "vecdot", "vector_norm"]


@on_tensor
def vector_norm(x: Tensor, ord: float = 2, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The p-norm, p = ord, of all elements or of those along `dim`: `norm` with numbers only."""
    if not isinstance(ord, (int, float, np.number)):
        raise ArgumentError(f"vector_norm: ord must be a number, inf or -inf, got {ord!r}")
    return norm_of(x, float(ord), dim, keepdim, dtype=mean_dtype("vector_norm", dtype, x))


@on_tensor
def matrix_norm(
    A: Tensor, ord: float | str = "fro", dim: Sequence[int] = (-2, -1), keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """The norm of matrices: √ Σ |aᵢⱼ|² ("fro"), the largest (or with −1 smallest) column sum of |aᵢⱼ| (1), or row sum (±inf).

    Errors: ArgumentError for "nuc", 2 and −2, which need singular values.
    """
    if A.ndim < 2:
        raise ShapeError(f"matrix_norm: needs at least two axes, got shape {A.shape}")
    kind = mean_dtype("matrix_norm", dtype, A)
    axes = axes_of("matrix_norm", tuple(dim) if isinstance(dim, Sequence) else (dim,), A.ndim)
    if len(axes) != 2:
        raise ArgumentError(f"matrix_norm: dim must name two axes, got {dim}")
    if ord == "fro":
        return norm_of(A, 2, axes, keepdim, dtype=kind)
    if ord not in (1, -1, math.inf, -math.inf):
        raise ArgumentError(f"matrix_norm: ord must be 'fro', 1, -1, inf or -inf, got {ord!r}")
    rows, columns = axes if ord in (1, -1) else axes[::-1]
    sums = sum_over(absolute(A.to(kind)), rows, True)
    out: Tensor = (amax if ord in (1, math.inf) else amin)(sums, columns, True)
    return out if keepdim else out.squeeze(axes)


@on_tensor
def norm(A: Tensor, ord: float | str | None = None, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """`matrix_norm` of a matrix (or along two dims) if `ord` is given, else `vector_norm`: by default √ Σ aᵢ² of all elements."""
    of_vectors = isinstance(dim, int) or (dim is None and A.ndim == 1)
    if ord is None or (of_vectors and not isinstance(ord, str)):
        return vector_norm(A, 2 if ord is None else ord, dim, keepdim, dtype=dtype)
    if dim is None and A.ndim > 2:
        raise ShapeError(f"norm: with an ord but without dim, A must be a vector or a matrix, got shape {A.shape}")
    axes = (-2, -1) if dim is None else dim if isinstance(dim, Sequence) else (dim,)
    return matrix_norm(A, ord, axes, keepdim, dtype=dtype)


@on_tensor
def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """Σ x · y along `dim`; the shapes broadcast."""
    return sum_over(x * y, dim)


def multi_dot(tensors: Sequence[Tensor]) -> Tensor:
    """The product of two or more matrices, from left to right; the first may be a row, the last a column, given as vectors."""
    if len(tensors) < 2:
        raise ArgumentError(f"multi_dot: expected at least two tensors, got {len(tensors)}")
    check_tensors("multi_dot", **{f"tensors[{i}]": x for i, x in enumerate(tensors)})
    for i, x in enumerate(tensors):
        if x.ndim != 2 and not (x.ndim == 1 and i in (0, len(tensors) - 1)):
            raise ShapeError(f"multi_dot: tensors[{i}] must be a matrix, got shape {x.shape}")
    return reduce(matmul, tensors)


@on_tensor
def diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """The diagonals of matrices; `mg.diagonal` of the last two axes."""
    return diagonal_of(A, offset, dim1, dim2)
