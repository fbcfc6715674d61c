"""Rows of a table by number, and attention: what sequence models add to dense layers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import Tensor, array_of, by_replay, check_number, check_probability, derived, of_constants, op
from ..errors import ArgumentError, DtypeError, IndexRangeError, InputTypeError, ShapeError
from ..kernels import rows
from ..kernels.arrays import put
from ..kernels.cache import one_dtype
from ..kernels.notation import where as select
from .comparison import where
from .convert import check_tensors, on_tensor
from .linalg import matmul
from .moments import norm
from .noise import dropout
from .softmax import softmax


@on_tensor
def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """The rows of a table that integers name, weight[input].

    Shapes: input (*) of an integer dtype, weight (rows, d) → (*, d). Backward: each row of g is added to the row it was taken from,
    with `scale_grad_by_freq` divided by how often that row was taken, but not to row padding_idx, which may be negative to count from
    the end. With `max_norm` rows that are asked for and longer, by the norm of order norm_type, are first scaled to it, in place.
    Deviation: the gradient is dense with `sparse` too.
    Errors: IndexRangeError names the first index that is no row; DtypeError, ShapeError, ArgumentError for a padding_idx out of range.
    """
    check_tensors("embedding", weight=weight)
    if max_norm is not None:
        check_number("embedding", max_norm=max_norm, norm_type=norm_type)
        _check_table(input, weight)
        _shorten(weight, input, max_norm, norm_type)
    return taken_rows(input, weight, padding_idx, scale_grad_by_freq)


@by_replay("write")
def _shorten(weight: Tensor, input: Tensor, max_norm: float, norm_type: float) -> None:
    """Scale those of the rows of a table that are asked for and whose norm is above max_norm to it."""
    rows_ = np.unique(input.array)
    _refuse_outside(rows_, weight.shape[0])
    table = weight.detach()
    chosen = table[rows_]
    length = norm(chosen, norm_type, 1, True)
    table[rows_] = where(length > max_norm, chosen * (max_norm / (length + 1e-7)), chosen)


@op
def taken_rows(input: Tensor, weight: Tensor, padding_idx: int | None = None, scale_grad_by_freq: bool = False) -> Tensor:
    """weight[input]: what `embedding` runs.

    Backward: dL/dweightᵣ = Σ g over the places where input is r, divided by their number with scale_grad_by_freq; 0 at padding_idx.
    """
    _refuse_outside(input, weight.shape[0])
    return weight[input]


def _check_table(input: Any, weight: Any) -> None:
    if input.dtype.kind not in "iu":
        raise DtypeError(f"embedding: input must hold integers, got dtype {input.dtype}")
    if weight.ndim != 2:
        raise ShapeError(f"embedding: weight must have shape (rows, d), got {weight.shape}")


@taken_rows.check
def _(input, weight, padding_idx, scale_grad_by_freq):
    _check_table(input, weight)
    return {"padding_idx": padding_row("embedding", padding_idx, weight.shape[0])}


def padding_row(name: str, padding_idx: int | None, count: int) -> int | None:
    """padding_idx as a non-negative row number."""
    if padding_idx is None:
        return None
    if not -count <= padding_idx < count:
        raise ArgumentError(f"{name}: padding_idx must be in [{-count}, {count - 1}] for {count} rows, got {padding_idx}")
    return padding_idx % count


def _refuse_outside(input: Any, count: int) -> None:
    bad = (input < 0) | (input >= count)
    if bad.any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        spot = f"[{', '.join(map(str, place))}]" if place else ""
        raise IndexRangeError(f"embedding: input{spot} is {int(input[place])}, but weight has {count} rows")


def _per_place(g: Any, input: Any, count: int, scaled: bool) -> Any:
    """The gradient of each place, divided by how often its row was taken if it is to be `scaled`."""
    if not scaled or not input.size:
        return g
    often = np.bincount(input.ravel(), minlength=count)[input]
    return g * (1 / often.astype(g.dtype))[..., None]


@taken_rows.kernel(when=lambda x, weight, padding_idx, scale_grad_by_freq: x.size > 0 and one_dtype(weight))
def _(input, weight, padding_idx, scale_grad_by_freq):
    indices = np.ascontiguousarray(input, np.int64).ravel()
    out = np.empty((indices.size, weight.shape[1]), weight.dtype)
    if rows.table_rows[weight.dtype](out, np.ascontiguousarray(weight), indices):
        _refuse_outside(input, weight.shape[0])
    return out.reshape(*input.shape, weight.shape[1])


@taken_rows.backward("weight")
def _(g, input, weight_shape, padding_idx, scale_grad_by_freq):
    index = input.array if isinstance(input, Tensor) else input
    g = _per_place(g, index, weight_shape[0], scale_grad_by_freq)
    counted = g if padding_idx is None else select((index == padding_idx)[..., None], 0, g)
    return put(counted, index, weight_shape)


@taken_rows.backward_kernel("weight")
def _(g, input, weight_shape, padding_idx, scale_grad_by_freq):
    indices = np.ascontiguousarray(input, np.int64).ravel()
    g = _per_place(g, input, weight_shape[0], scale_grad_by_freq)
    out = np.zeros(weight_shape, g.dtype)
    skipped = -1 if padding_idx is None else padding_idx
    rows.table_rows_backward[g.dtype](out, np.ascontiguousarray(g).reshape(indices.size, weight_shape[1]), indices, skipped)
    return out


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """softmax(scale · query keyᵀ + mask) value, with scale 1 / √(features of query) by default.

    Shapes: query (…, l, e), key (…, s, e), value (…, s, v) → (…, l, v), leading axes broadcast; attn_mask broadcasts to (…, l, s):
    True where a query may look, or numbers that are added. `is_causal`: query i looks at keys up to i. A query that may look nowhere
    gets zeros. `enable_gqa`: key and value may have fewer heads (third axis from the right), each serving several of query.
    dropout_p is applied always; pass 0 in evaluation. Complexity: l·s·(e + v) multiplications, and memory for l·s weights.
    Errors: ArgumentError for attn_mask together with is_causal; ShapeError, DtypeError.
    Source: Vaswani et al. 2017, "Attention is all you need".
    """
    weights = attention_weights(query, key, attn_mask, is_causal, scale, enable_gqa)
    check_probability("scaled_dot_product_attention", dropout_p)
    return matmul(dropout(weights, dropout_p), _for_each_head(value, query) if enable_gqa else value)


def attention_weights(
    query: Tensor,
    key: Tensor,
    attn_mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """softmax(scale · query keyᵀ + mask): how much each query looks at each key."""
    name = "scaled_dot_product_attention"
    for argument, x in (("query", query), ("key", key)):
        if not isinstance(x, Tensor) or x.ndim < 2:
            what = f"shape {x.shape}" if isinstance(x, Tensor) else type(x).__name__
            raise ShapeError(f"{name}: {argument} must be a Tensor of 2 or more axes, got {what}")
    if is_causal and attn_mask is not None:
        raise ArgumentError(f"{name}: attn_mask must be None where is_causal is True")
    if scale is not None:
        check_number(name, scale=scale)
    factor = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    scores = matmul(query * factor, (_for_each_head(key, query) if enable_gqa else key).mT)
    if is_causal:
        attn_mask = _causal(*scores.shape[-2:])
    if attn_mask is None:
        return softmax(scores, -1)
    if not isinstance(attn_mask, Tensor):
        raise InputTypeError(f"{name}: attn_mask must be a Tensor of booleans or numbers, got {type(attn_mask).__name__}")
    if attn_mask.dtype.kind not in "bf":
        raise DtypeError(f"{name}: attn_mask must hold booleans or floats, got dtype {attn_mask.dtype}")
    scores = where(attn_mask, scores, -math.inf) if attn_mask.dtype.kind == "b" else scores + attn_mask
    blind = Tensor(derived("blind", _blind, array_of(scores, name)))
    return where(blind, 0.0, softmax(where(blind, 0.0, scores), -1))


@of_constants
def _causal(queries: int, keys: int) -> Tensor:
    return Tensor(np.tri(queries, keys, dtype=bool))


def _blind(scores: Any) -> Any:
    """Which queries may look nowhere."""
    return (scores == -math.inf).all(-1, keepdims=True)


def _for_each_head(x: Tensor, query: Tensor) -> Tensor:
    """x with each head repeated for the heads of query that it serves."""
    heads, own = query.shape[-3], x.shape[-3]
    if own == 0 or heads % own:
        raise ShapeError(f"scaled_dot_product_attention: {heads} heads of query do not share {own} heads of key or value evenly")
    return x[..., [i // (heads // own) for i in range(heads)], :, :]
