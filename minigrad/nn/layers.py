"""Layers that hold parameters, and modules of one operation each."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..core import Tensor, check_probability, no_grad, touch
from ..errors import ArgumentError, InputTypeError, ShapeError
from ..ops.attention import padding_row
from ..ops.reduction import axis_of
from ..ops.shape import flatten, reshape
from . import functional as F
from . import init
from .module import Module, Parameter, check_sizes, made

__all__ = [
    "AlphaDropout",
    "Bilinear",
    "CosineSimilarity",
    "Dropout",
    "Dropout1d",
    "Embedding",
    "FeatureAlphaDropout",
    "Flatten",
    "Identity",
    "LazyLinear",
    "Linear",
    "PairwiseDistance",
    "Unflatten",
]


class Linear(Module):
    """Affine map, y = x Wᵀ + b. Weight and bias start uniform in ±1/√in_features, as in PyTorch.

    Shapes: x (…, in_features) → (…, out_features); weight (out_features, in_features), bias (out_features).
    """

    _absent: Mapping[str, type] = {"bias": Parameter}

    def __init__(self, in_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None):
        check_sizes("Linear", in_features=in_features, out_features=out_features)
        kind = made("Linear", device, dtype)
        self.in_features, self.out_features = int(in_features), int(out_features)
        self.weight = Parameter(np.empty((out_features, in_features), kind))
        self.bias = Parameter(np.empty(out_features, kind)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew."""
        init.linear_default_(self.weight, self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class LazyLinear(Linear):
    """A Linear that finds its in_features in its first input, or in the state that is loaded; from then on it is a Linear.

    Hand its parameters to an optimizer after that: before, the weight is empty.
    """

    def __init__(self, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None):
        super().__init__(0, out_features, bias, device, dtype)

    def _loadable(self, name: str, tensor: Tensor, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (self.out_features, shape[1]) if name == "weight" and len(shape) == 2 else tensor.shape

    def _make_room(self, name: str, shape: tuple[int, ...]) -> None:
        if name == "weight" and shape[1]:
            self._settle(shape[1])

    def _settle(self, in_features: int) -> None:
        self.__class__ = Linear  # type: ignore[assignment]
        self.in_features = in_features
        touch(self.weight)
        self.weight.array, self.weight.stamp = np.empty((self.out_features, in_features), self.weight.dtype), None
        self.reset_parameters()

    def forward(self, input: Tensor) -> Tensor:
        shape = getattr(input, "shape", ())
        if not shape:
            return super().forward(input)  # refuses it
        self._settle(shape[-1])
        return self.forward(input)


class Bilinear(Module):
    """yₖ = Σᵢⱼ input1ᵢ Wₖᵢⱼ input2ⱼ + bₖ, see `nn.functional.bilinear`. Both start uniform in ±1/√in1_features."""

    _absent: Mapping[str, type] = {"bias": Parameter}

    def __init__(
        self, in1_features: int, in2_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None
    ):
        check_sizes("Bilinear", in1_features=in1_features, in2_features=in2_features, out_features=out_features)
        if in1_features == 0:
            raise ArgumentError("Bilinear: in1_features must be above 0, got 0")
        kind = made("Bilinear", device, dtype)
        self.in1_features, self.in2_features, self.out_features = in1_features, in2_features, out_features
        self.weight = Parameter(np.empty((out_features, in1_features, in2_features), kind))
        self.bias = Parameter(np.empty(out_features, kind)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew."""
        bound = 1 / math.sqrt(self.in1_features)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        return F.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


class Embedding(Module):
    """A table of num_embeddings rows, which integers name, see `nn.functional.embedding`.

    The rows start standard normal, row padding_idx at 0, where it stays; or the table is `_weight`, which is trained only where not
    `_freeze`.
    Shapes: input (*) of an integer dtype → (*, embedding_dim).
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Tensor | None = None,
        _freeze: bool = False,
        device: Any = None,
        dtype: Any = None,
    ):
        check_sizes("Embedding", num_embeddings=num_embeddings, embedding_dim=embedding_dim)
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx = padding_row("Embedding", padding_idx, num_embeddings)
        self.max_norm, self.norm_type, self.scale_grad_by_freq, self.sparse = max_norm, norm_type, scale_grad_by_freq, sparse
        kind, shape = made("Embedding", device, dtype), (num_embeddings, embedding_dim)
        if _weight is not None and _weight.shape != shape:
            raise ShapeError(f"Embedding: the table must have shape {shape}, got {_weight.shape}")
        self.weight = Parameter(np.empty(shape, kind) if _weight is None else _weight, requires_grad=not _freeze)
        if _weight is None:
            self.reset_parameters()

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> Embedding:
        """A layer over a given table, whose memory it shares; trained only where not `freeze`."""
        if embeddings.ndim != 2:
            raise ShapeError(f"Embedding.from_pretrained: embeddings must have shape (rows, d), got {embeddings.shape}")
        count, size = embeddings.shape
        return cls(count, size, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse, embeddings, freeze)

    def reset_parameters(self) -> None:
        """Draw the table anew."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx] = 0

    def forward(self, input: Tensor) -> Tensor:
        settings = (self.max_norm, self.norm_type, self.scale_grad_by_freq, self.sparse)
        return F.embedding(input, self.weight, self.padding_idx, *settings)

    def extra_repr(self) -> str:
        usual = {"padding_idx": None, "max_norm": None, "norm_type": 2, "scale_grad_by_freq": False, "sparse": False}
        shown = [f"{name}={getattr(self, name)}" for name, value in usual.items() if getattr(self, name) != value]
        return ", ".join([str(self.num_embeddings), str(self.embedding_dim), *shown])


class _Dropout(Module):
    def __init__(self, p: float = 0.5, inplace: bool = False):
        check_probability(type(self).__name__, p)
        self.p, self.inplace = p, inplace

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_Dropout):
    """In training, zeroes each element with probability p and scales the rest by 1 / (1 − p); in evaluation does nothing."""

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout(input, self.p, self.training, self.inplace)


class Dropout1d(_Dropout):
    """Dropout of whole channels of (N, C, L) or (C, L), see `nn.functional.dropout1d`."""

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout1d(input, self.p, self.training, self.inplace)


class AlphaDropout(_Dropout):
    """Dropout that keeps mean and variance of a SELU network, see `nn.functional.alpha_dropout`."""

    def forward(self, input: Tensor) -> Tensor:
        return F.alpha_dropout(input, self.p, self.training, self.inplace)


class FeatureAlphaDropout(_Dropout):
    """Alpha dropout of whole channels, see `nn.functional.feature_alpha_dropout`."""

    def forward(self, input: Tensor) -> Tensor:
        return F.feature_alpha_dropout(input, self.p, self.training, self.inplace)


class Identity(Module):
    """Hands its input on."""

    def __init__(self, *args: Any, **kwargs: Any):
        pass

    def forward(self, input: Tensor) -> Tensor:
        return input


class Flatten(Module):
    """Makes the axes from start_dim to end_dim into one: (batch, …) → (batch, features) by default."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1):
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Tensor) -> Tensor:
        return flatten(input, self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Makes the axis `dim` into several, of the sizes given; one of them may be −1."""

    def __init__(self, dim: int, unflattened_size: Any):
        if not isinstance(unflattened_size, (tuple, list)) or not all(isinstance(n, (int, np.integer)) for n in unflattened_size):
            raise InputTypeError(f"Unflatten: unflattened_size must be a tuple of ints, got {unflattened_size!r}")
        self.dim, self.unflattened_size = dim, tuple(unflattened_size)

    def forward(self, input: Tensor) -> Tensor:
        axis = axis_of("Unflatten", self.dim, input.ndim)
        return reshape(input, *input.shape[:axis], *self.unflattened_size, *input.shape[axis + 1 :])

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


class CosineSimilarity(Module):
    """The cosine of the angle between vectors along `dim`, see `nn.functional.cosine_similarity`."""

    def __init__(self, dim: int = 1, eps: float = 1e-8):
        self.dim, self.eps = dim, eps

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return F.cosine_similarity(x1, x2, self.dim, self.eps)


class PairwiseDistance(Module):
    """The p-norm of x1 − x2 + eps, see `nn.functional.pairwise_distance`."""

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False):
        self.norm, self.eps, self.keepdim = p, eps, keepdim

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)
