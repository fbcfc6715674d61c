"""Sums over products of elements, written as indices: einsum."""

from __future__ import annotations

import math
import string
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core import Tensor, derived
from ..errors import ArgumentError, InputTypeError, ShapeError
from .convert import check_tensors
from .linalg import matmul
from .reduction import axis_of

_LETTERS = frozenset(string.ascii_letters)


def einsum(equation: Any, *operands: Any) -> Tensor:
    """The sum over products that an equation of indices says: "ij,jk->ik" is a matrix product, "ii" a trace, "…ij->…ji" a transpose.

    A letter names an axis, the same letter the same size (1 broadcasts). Letters that are not to the right of "->" are summed over;
    without "->" the result has, in alphabetical order, those that occur once. A letter twice in one operand takes the diagonal. "..."
    stands for axes that broadcast; without "->" they come first. Operands are multiplied from left to right, as matrix products
    where an index is summed. In the place of the equation a list of numbers may follow each operand, and the result's the last:
    `einsum(a, [0, 1], b, [1, 2], [0, 2])`; 0 stands for A, 26 for a. Complexity: operands are contracted from left to right, each
    pair as one matrix product over the indices that both have.
    Errors: ArgumentError for an equation that cannot be read; ShapeError for sizes that do not fit.
    """
    if isinstance(equation, Tensor):
        equation, operands = _from_lists((equation, *operands))
    if not isinstance(equation, str):
        raise InputTypeError(f"einsum: equation must be a str, got {type(equation).__name__}")
    tensors = operands[0] if len(operands) == 1 and isinstance(operands[0], (list, tuple)) else operands
    for number, operand in enumerate(tensors):
        if not isinstance(operand, Tensor):
            raise InputTypeError(f"einsum: operand {number} must be a Tensor, got {type(operand).__name__}")
    indices, result = _read(equation, tensors)
    sizes = _sizes(equation, tensors, indices)
    terms = [_plain(x, own, sizes) for x, own in zip(tensors, indices, strict=True)]
    last = {i: n for n, (_, own) in enumerate(terms) for i in own if i not in result}
    out, left = _summed(*terms[0], [i for i, n in last.items() if n == 0])
    for number, (term, own) in enumerate(terms[1:], 1):
        out, left = _product(out, left, term, own, [i for i, n in last.items() if n == number])
    return _permuted(out, [left.index(i) for i in result])


def _from_lists(arguments: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """The equation that lists of indices say, and its operands."""
    words = [_word(numbers) for numbers in arguments[1::2]]
    if len(arguments) % 2 == 0:
        return ",".join(words), arguments[::2]
    return f"{','.join(words)}->{_word(arguments[-1])}", arguments[:-1:2]


def _word(numbers: Any) -> str:
    if not isinstance(numbers, (list, tuple)):
        raise InputTypeError(f"einsum: expected a list of indices behind each operand, got {type(numbers).__name__}")
    letters = string.ascii_uppercase + string.ascii_lowercase
    known = {**dict(enumerate(letters)), ...: "..."}
    if not set(numbers) <= known.keys():
        raise ArgumentError(f"einsum: the indices of a list must be in [0, 51] or '...', got {numbers}")
    return "".join(known[i] for i in numbers)


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


def _sizes(equation: str, operands: Sequence[Tensor], indices: list[list[str]]) -> dict[str, int]:
    """The size of each index; 1 broadcasts."""
    sizes: dict[str, int] = {}
    for operand, own in zip(operands, indices, strict=True):
        for index, size in zip(own, operand.shape, strict=True):
            known = sizes.setdefault(index, size)
            if own.count(index) > 1 and operand.shape[own.index(index)] != size:
                raise ShapeError(f"einsum: index {index} of {equation!r} occurs twice in one operand of shape {operand.shape}")
            if known != size and 1 not in (known, size):
                raise ShapeError(f"einsum: index {index} of {equation!r} has the sizes {known} and {size}, which do not broadcast")
            sizes[index] = size if known == 1 else known
    return sizes


def _plain(x: Tensor, own: list[str], sizes: dict[str, int]) -> tuple[Tensor, list[str]]:
    """x and its indices, each once: repeated ones as diagonals, and without those along which x is to be repeated."""
    while repeated := [i for i in own if own.count(i) > 1]:
        first, second = [k for k, i in enumerate(own) if i == repeated[0]][:2]
        rest = [k for k in range(x.ndim) if k not in (first, second)]
        along = derived("arange", np.arange, x.shape[first])
        x, own = _permuted(x, [first, second, *rest])[along, along], [own[first], *(own[k] for k in rest)]
    kept = [k for k, i in enumerate(own) if x.shape[k] == sizes[i]]
    return _reshaped(x, [x.shape[k] for k in kept]), [own[k] for k in kept]


def _summed(x: Tensor, own: list[str], away: list[str]) -> tuple[Tensor, list[str]]:
    axes = [k for k, i in enumerate(own) if i in away]
    return (x.sum(axes), [i for i in own if i not in away]) if axes else (x, own)


def _product(a: Tensor, of_a: list[str], b: Tensor, of_b: list[str], away: list[str]) -> tuple[Tensor, list[str]]:
    """The sum of a · b over the indices `away`, and the indices it has: a matrix product where both have one of them."""
    a, of_a = _summed(a, of_a, [i for i in away if i not in of_b])
    b, of_b = _summed(b, of_b, [i for i in away if i not in of_a])
    both = [i for i in of_a if i in of_b and i not in away]
    inner = [i for i in of_a if i in of_b and i in away]
    left, right = [i for i in of_a if i not in of_b], [i for i in of_b if i not in of_a]
    order = [*both, *left, *right]
    sizes = dict(zip(of_a + of_b, a.shape + b.shape, strict=True))
    if not inner:
        a = _permuted(a, [of_a.index(i) for i in both + left])
        b = _permuted(b, [of_b.index(i) for i in both + right])
        a = _reshaped(a, a.shape + (1,) * len(right))
        return a * _reshaped(b, [sizes[i] if i in of_b else 1 for i in order]), order
    out = matmul(_matrices(a, of_a, both, left, inner), _matrices(b, of_b, both, inner, right))
    return _reshaped(out, [sizes[i] for i in order]), order


def _matrices(x: Tensor, own: list[str], both: list[str], *groups: list[str]) -> Tensor:
    """x as matrices whose rows and columns are the two groups of indices, one for each place of `both`.

    A single one with an empty group is a vector.
    """
    ordered = _permuted(x, [own.index(i) for group in (both, *groups) for i in group])
    sides = [math.prod(x.shape[own.index(i)] for i in group) for group in groups if group or both]
    return _reshaped(ordered, [*ordered.shape[: len(both)], *sides])


def _permuted(x: Tensor, order: list[int]) -> Tensor:
    return x if order == list(range(x.ndim)) else x.permute(*order)


def _reshaped(x: Tensor, sizes: Sequence[int]) -> Tensor:
    return x if x.shape == tuple(sizes) else x.reshape(tuple(sizes))


def tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Tensor:
    """Σ a · b over pairs of axes: the last `dims` of a with the first of b, or two lists of axes. The other axes of a, then of b, remain.

    Complexity: that of the matrix product of a's other axes by b's.
    """
    check_tensors("tensordot", a=a, b=b)
    if isinstance(dims, int):
        if not 0 <= dims <= min(a.ndim, b.ndim):
            raise ShapeError(
                f"tensordot: dims must be in [0, {min(a.ndim, b.ndim)}] for shapes {a.shape} and {b.shape}, got {dims}"
            )
        dims = range(a.ndim - dims, a.ndim), range(dims)
    if not (isinstance(dims, Sequence | range) and len(dims) == 2 and all(isinstance(side, Sequence | range) for side in dims)):
        raise InputTypeError(f"tensordot: dims must be an int or two lists of axes, got {dims!r}")
    of_a, of_b = ([axis_of("tensordot", d, x.ndim) for d in side] for side, x in zip(dims, (a, b), strict=True))
    for i, j in zip(of_a, of_b, strict=False):  # 1 broadcasts
        a, b = _sum_beside_one(a, i, b.shape[j]), _sum_beside_one(b, j, a.shape[i])
    if [a.shape[i] for i in of_a] != [b.shape[i] for i in of_b]:
        raise ShapeError(f"tensordot: the axes {of_a} of {a.shape} and {of_b} of {b.shape} must have the same sizes")
    rest_a, rest_b = ([i for i in range(x.ndim) if i not in own] for x, own in ((a, of_a), (b, of_b)))
    inner = math.prod(a.shape[i] for i in of_a)
    shape = [*(a.shape[i] for i in rest_a), *(b.shape[i] for i in rest_b)]
    left = _reshaped(_permuted(a, [*rest_a, *of_a]), [math.prod(a.shape[i] for i in rest_a), inner])
    right = _reshaped(_permuted(b, [*of_b, *rest_b]), [inner, math.prod(b.shape[i] for i in rest_b)])
    return _reshaped(matmul(left, right), shape)


def _sum_beside_one(x: Tensor, axis: int, other: int) -> Tensor:
    """x summed along an axis that meets one of length 1."""
    return x.sum(axis, True, dtype=x.dtype) if other == 1 != x.shape[axis] else x


def kron(input: Tensor, other: Tensor) -> Tensor:
    """The Kronecker product: each element of input times all of other, as blocks. The shape with fewer axes gets new ones in front."""
    check_tensors("kron", input=input, other=other)
    ndim = max(input.ndim, other.ndim)
    left, right = ((1,) * (ndim - x.ndim) + x.shape for x in (input, other))
    blocks = input.reshape([n for size in left for n in (size, 1)]) * other.reshape([n for size in right for n in (1, size)])
    return _reshaped(blocks, [n * m for n, m in zip(left, right, strict=True)])
