"""Sums over products of elements, written as indices: einsum."""

from __future__ import annotations

import math
import string
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core import Tensor
from ..errors import ArgumentError, InputTypeError, ShapeError
from .linalg import matmul

_LETTERS = frozenset(string.ascii_letters)


def einsum(equation: str, *operands: Any) -> Tensor:
    """The sum over products that an equation of indices says: "ij,jk->ik" is a matrix product, "ii" a trace, "…ij->…ji" a transpose.

    A letter names an axis, the same letter the same size (1 broadcasts). Letters that are not to the right of "->" are summed over;
    without "->" the result has, in alphabetical order, those that occur once. A letter twice in one operand takes the diagonal. "..."
    stands for axes that broadcast; without "->" they come first. Operands are multiplied from left to right, as matrix products
    where an index is summed.
    Errors: ArgumentError for an equation that cannot be read; ShapeError for sizes that do not fit.
    """
    if not isinstance(equation, str):
        raise InputTypeError(f"einsum: equation must be a str, got {type(equation).__name__}")
    tensors = operands[0] if len(operands) == 1 and isinstance(operands[0], (list, tuple)) else operands
    for number, operand in enumerate(tensors):
        if not isinstance(operand, Tensor):
            raise InputTypeError(f"einsum: operand {number} must be a Tensor, got {type(operand).__name__}")
    indices, result = _read(equation, tensors)
    order = [*result, *sorted({i for own in indices for i in own} - set(result))]
    terms = [_aligned(operand, own, order) for operand, own in zip(tensors, indices, strict=True)]
    _check_sizes(equation, terms, order)
    last = {index: max(n for n, own in enumerate(indices) if index in own) for index in order[len(result) :]}
    out = _summed(terms[0], [order.index(i) for i, n in last.items() if n == 0])
    for number, term in enumerate(terms[1:], 1):
        out = _product(out, term, [order.index(i) for i, n in last.items() if n == number])
    return _reshaped(out, out.shape[: len(result)])


def _read(equation: str, operands: Any) -> tuple[list[list[str]], list[str]]:
    """The indices of each operand and of the result. An axis under an ellipsis is named by its place from the right: "...1"."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    parts = left.split(",")
    if len(parts) != len(operands):
        raise ArgumentError(f"einsum: {equation!r} names {len(parts)} operands, but {len(operands)} were given")
    indices, widest = [], 0
    for number, (part, operand) in enumerate(zip(parts, operands, strict=True)):
        before, dots, after = _split(equation, part)
        hidden = operand.ndim - len(before) - len(after)
        if hidden < 0 or (hidden and not dots):
            raise ShapeError(f"einsum: {part!r} in {equation!r} does not fit operand {number} of shape {operand.shape}")
        indices.append([*before, *_dots(hidden), *after])
        widest = max(widest, hidden)
    letters = [i for own in indices for i in own if i in _LETTERS]
    if not arrow:
        return indices, [*_dots(widest), *sorted(i for i in letters if letters.count(i) == 1)]
    before, dots, after = _split(equation, right)
    named = before + after
    if len(set(named)) < len(named) or not set(named) <= set(letters):
        raise ArgumentError(f"einsum: {right!r} in {equation!r} must name indices of the operands, each once")
    return indices, [*before, *(_dots(widest) if dots else ()), *after]


def _split(equation: str, part: str) -> tuple[str, str, str]:
    before, dots, after = part.partition("...")
    if not _LETTERS.issuperset(before + after):
        raise ArgumentError(f"einsum: {part!r} in {equation!r} must be made of letters and at most one '...'")
    return before, dots, after


def _dots(count: int) -> list[str]:
    return [f"...{place}" for place in range(count, 0, -1)]


def _aligned(x: Tensor, own: list[str], order: list[str]) -> Tensor:
    """x with one axis for each index of `order`: of length 1 where it lacks the index, the diagonal where it has it twice."""
    own = list(own)
    while repeated := [i for i in own if own.count(i) > 1]:
        first, second = [k for k, i in enumerate(own) if i == repeated[0]][:2]
        x, own = _diagonal(x, own, first, second)
    x = _permuted(x, [own.index(i) for i in order if i in own])
    sizes = iter(x.shape)
    return _reshaped(x, [next(sizes) if i in own else 1 for i in order])


def _check_sizes(equation: str, terms: list[Tensor], order: list[str]) -> None:
    for place, index in enumerate(order):
        sizes = {term.shape[place] for term in terms} - {1}
        if len(sizes) > 1:
            raise ShapeError(f"einsum: index {index} of {equation!r} has the sizes {sorted(sizes)}, which do not broadcast")


def _summed(x: Tensor, axes: list[int]) -> Tensor:
    return x.sum(axes, keepdim=True) if axes else x


def _diagonal(x: Tensor, own: list[str], first: int, second: int) -> tuple[Tensor, list[str]]:
    """The diagonal over two axes, which becomes the first axis; and the indices that are left."""
    if x.shape[first] != x.shape[second]:
        raise ShapeError(
            f"einsum: index {own[first]} occurs twice in one operand, with the sizes {x.shape[first]}, {x.shape[second]}"
        )
    rest = [k for k in range(x.ndim) if k not in (first, second)]
    along = np.arange(x.shape[first])
    return _permuted(x, [first, second, *rest])[along, along], [own[first], *(own[k] for k in rest)]


def _product(a: Tensor, b: Tensor, axes: list[int]) -> Tensor:
    """The sum of a · b over `axes`, which stay with length 1: as a matrix product where both have one of them."""
    a = _summed(a, [i for i in axes if b.shape[i] == 1])
    b = _summed(b, [i for i in axes if a.shape[i] == 1])
    inner = [i for i in axes if a.shape[i] != 1]
    if not inner:
        return a * b
    outer = [i for i in range(a.ndim) if i not in inner]
    both = [i for i in outer if a.shape[i] != 1 and b.shape[i] != 1]
    left = [i for i in outer if b.shape[i] == 1]
    right = [i for i in outer if i not in both and i not in left]
    out = matmul(_matrices(a, both, left, inner), _matrices(b, both, inner, right))
    order = [*both, *left, *right, *inner]
    sizes = [1 if i in inner else a.shape[i] * b.shape[i] if i not in both else a.shape[i] for i in order]
    return _permuted(_reshaped(out, sizes), [order.index(i) for i in range(a.ndim)])


def _matrices(x: Tensor, batch: list[int], rows: list[int], columns: list[int]) -> Tensor:
    """x as matrices, one for each place along the axes `batch` (a single one without any); all axes but those named have length 1."""
    named = [*batch, *rows, *columns]
    rest = [i for i in range(x.ndim) if i not in named]
    sizes = [math.prod(x.shape[i] for i in axes) for axes in (batch, rows, columns)]
    return _reshaped(_permuted(x, [*rest, *named]), sizes if batch else sizes[1:])


def _permuted(x: Tensor, order: list[int]) -> Tensor:
    return x if order == list(range(x.ndim)) else x.permute(*order)


def _reshaped(x: Tensor, sizes: Sequence[int]) -> Tensor:
    return x if x.shape == tuple(sizes) else x.reshape(tuple(sizes))
