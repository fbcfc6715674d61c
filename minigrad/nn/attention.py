"""Multi-head attention as a module."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..core import Tensor, check_probability
from ..errors import ArgumentError, ShapeError
from ..ops.arranging import pad
from ..ops.attention import attention_weights
from ..ops.comparison import where
from ..ops.convert import constant
from ..ops.joining import cat
from ..ops.shape import broadcast_to, transpose, unsqueeze
from . import functional as F
from . import init
from .layers import Linear
from .module import Module, Parameter, check_sizes, made

__all__ = ["MultiheadAttention"]


class MultiheadAttention(Module):
    """Attention of several heads side by side, each over embed_dim / num_heads features of its own projections.

    `add_bias_kv` lets every query look at a learnt key with a learnt value as well, `add_zero_attn` at a key and a value of zeros.
    Projections start Xavier-uniform, biases at 0.
    Shapes: query (L, N, E), key (S, N, kdim), value (S, N, vdim) → (L, N, E), E = embed_dim; with batch_first the first two axes
    exchanged; N may be missing.
    Deviation: a query that may look nowhere gets zeros (PyTorch: NaN where need_weights).
    Source: Vaswani et al. 2017, "Attention is all you need".
    """

    _absent: Mapping[str, type] = {"in_proj_bias": Parameter}

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ):
        check_sizes("MultiheadAttention", embed_dim=embed_dim, num_heads=num_heads)
        check_probability("MultiheadAttention", dropout)
        if embed_dim == 0 or num_heads == 0 or embed_dim % num_heads:
            raise ArgumentError(f"MultiheadAttention: num_heads {num_heads} does not divide embed_dim {embed_dim}")
        kind = made("MultiheadAttention", device, dtype)
        self.embed_dim, self.num_heads, self.dropout, self.batch_first = embed_dim, num_heads, dropout, batch_first
        self.kdim, self.vdim = embed_dim if kdim is None else kdim, embed_dim if vdim is None else vdim
        self.head_dim = embed_dim // num_heads
        if self.kdim == self.vdim == embed_dim:
            self.in_proj_weight = Parameter(np.empty((3 * embed_dim, embed_dim), kind))
        else:
            self.q_proj_weight = Parameter(np.empty((embed_dim, embed_dim), kind))
            self.k_proj_weight = Parameter(np.empty((embed_dim, self.kdim), kind))
            self.v_proj_weight = Parameter(np.empty((embed_dim, self.vdim), kind))
        self.in_proj_bias = Parameter(np.empty(3 * embed_dim, kind)) if bias else None
        self.out_proj = Linear(embed_dim, embed_dim, bias, dtype=kind)
        self.bias_k = Parameter(np.empty((1, 1, embed_dim), kind)) if add_bias_kv else None
        self.bias_v = Parameter(np.empty((1, 1, embed_dim), kind)) if add_bias_kv else None
        self.add_zero_attn = add_zero_attn
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the projections anew."""
        for name, parameter in self.named_parameters(recurse=False):
            if name.endswith("weight"):
                init.xavier_uniform_(parameter)
        for bias in (self.in_proj_bias, self.out_proj.bias):
            if bias is not None:
                init.zeros_(bias)
        for learnt in (self.bias_k, self.bias_v):
            if learnt is not None:
                init.xavier_normal_(learnt)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """The output, and if `need_weights` how much each query looked at each key, (N, L, S), or (N, heads, L, S) without averaging.

        Masks hold True where a query may not look, or numbers that are added: key_padding_mask (N, S), attn_mask (L, S) or
        (N · heads, L, S). `is_causal` says that attn_mask is causal; it must be given all the same.
        """
        if is_causal and attn_mask is None:
            raise ArgumentError("MultiheadAttention: is_causal needs an attn_mask, got None")
        for name, x in (("query", query), ("key", key), ("value", value)):
            if x.ndim not in (2, 3) or x.ndim != query.ndim:
                raise ShapeError(f"MultiheadAttention: {name} must have 2 axes or, in a batch, 3, as query has; got {x.shape}")
        inputs = [self._batch_first(x) for x in (query, key, value)]
        q, k, v = (self._heads(F.linear(x, *p)) for x, p in zip(inputs, self._projections(), strict=True))
        mask, extra = self._mask(q, k, attn_mask, key_padding_mask), self._extra(k.dtype)
        for more_k, more_v in extra:
            k, v = (cat([x, broadcast_to(more, (*x.shape[:2], 1, x.shape[3]))], 2) for x, more in ((k, more_k), (v, more_v)))
        mask = None if mask is None else pad(mask, (0, len(extra)))
        weights = F.dropout(attention_weights(q, k, mask), self.dropout, self.training)
        joined = (weights @ v).transpose(1, 2).reshape(q.shape[0], q.shape[2], self.embed_dim)
        out = self.out_proj(joined)
        seen = weights.mean(1) if average_attn_weights else weights
        if query.ndim == 2:
            return out[0], seen[0] if need_weights else None
        return out if self.batch_first else out.transpose(0, 1), seen if need_weights else None

    def _batch_first(self, x: Tensor) -> Tensor:
        return unsqueeze(x, 0) if x.ndim == 2 else x if self.batch_first else transpose(x, 0, 1)

    def _projections(self) -> list[tuple[Tensor, Tensor | None]]:
        """Weight and bias of query, key and value."""
        size = self.embed_dim
        parts = [slice(i * size, (i + 1) * size) for i in range(3)]
        split = "q_proj_weight" in vars(self)
        weights = [getattr(self, f"{n}_proj_weight") for n in "qkv"] if split else [self.in_proj_weight[p] for p in parts]
        return [(w, None if self.in_proj_bias is None else self.in_proj_bias[p]) for w, p in zip(weights, parts, strict=True)]

    def _heads(self, x: Tensor) -> Tensor:
        """(N, L, E) → (N, heads, L, E / heads)."""
        return transpose(x.reshape(*x.shape[:2], self.num_heads, self.head_dim), 1, 2)

    def _extra(self, dtype: Any) -> list[tuple[Tensor, Tensor]]:
        """Keys and values, of shape (1, heads, 1, E / heads), that every query may look at."""
        found = [] if self.bias_k is None or self.bias_v is None else [(self._heads(self.bias_k), self._heads(self.bias_v))]
        zeros = constant(0, dtype, (1, self.num_heads, 1, self.head_dim))
        return [*found, (zeros, zeros)] if self.add_zero_attn else found

    def _mask(self, q: Tensor, k: Tensor, attn_mask: Tensor | None, key_padding_mask: Tensor | None) -> Tensor | None:
        """Both masks as numbers to add to scores of shape (N, heads, L, S)."""
        batch, heads, queries, keys = *q.shape[:3], k.shape[2]
        found = None
        for name, given, shapes in (
            (
                "attn_mask",
                attn_mask,
                {(queries, keys): (1, 1, queries, keys), (batch * heads, queries, keys): (batch, heads, queries, keys)},
            ),
            ("key_padding_mask", key_padding_mask, {(batch, keys): (batch, 1, 1, keys), (keys,): (1, 1, 1, keys)}),
        ):
            if given is None:
                continue
            if given.shape not in shapes:
                raise ShapeError(f"MultiheadAttention: {name} must have shape {' or '.join(map(str, shapes))}, got {given.shape}")
            numbers = where(given, -math.inf, constant(0, q.dtype)) if given.dtype.kind == "b" else given
            shaped = numbers.reshape(shapes[given.shape])
            found = shaped if found is None else found + shaped
        return found
