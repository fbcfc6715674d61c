"""Activation functions as modules."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import Tensor, check_number
from ..errors import ArgumentError
from . import functional as F
from .module import Module, Parameter, check_sizes, made

__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "GLU",
    "SELU",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "LeakyReLU",
    "LogSigmoid",
    "LogSoftmax",
    "Mish",
    "PReLU",
    "RReLU",
    "ReLU",
    "ReLU6",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softmin",
    "Softplus",
    "Softshrink",
    "Softsign",
    "Swish",
    "Tanh",
    "Tanhshrink",
    "Threshold",
]  # fmt: skip


class _Activation(Module):
    """What shows its settings: `_settings` names them; `inplace` is shown where it is True."""

    _settings: tuple[str, ...] = ()

    def extra_repr(self) -> str:
        shown = [*self._settings, *(("inplace",) if getattr(self, "inplace", False) else ())]
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)


class _InPlace(_Activation):
    def __init__(self, inplace: bool = False):
        self.inplace = inplace


class ReLU(_InPlace):
    """max(x, 0), see `nn.functional.relu`."""

    def forward(self, input: Tensor) -> Tensor:
        return F.relu(input, True) if self.inplace else F.relu(input)


class ReLU6(_InPlace):
    """min(max(x, 0), 6), see `nn.functional.relu6`."""

    def forward(self, input: Tensor) -> Tensor:
        return F.relu6(input, self.inplace)


class SELU(_InPlace):
    """Self-normalizing exponential linear unit, see `nn.functional.selu`."""

    def forward(self, input: Tensor) -> Tensor:
        return F.selu(input, self.inplace)


class SiLU(_InPlace):
    """x σ(x), see `nn.functional.silu`. `nn.Swish` is the same."""

    def forward(self, input: Tensor) -> Tensor:
        return F.silu(input, self.inplace)


Swish = SiLU


class Mish(_InPlace):
    """x tanh(softplus(x)), see `nn.functional.mish`."""

    def forward(self, input: Tensor) -> Tensor:
        return F.mish(input, self.inplace)


class _Hard(_InPlace):
    def extra_repr(self) -> str:
        return ""  # PyTorch's show nothing


class Hardsigmoid(_Hard):
    """min(max(x + 3, 0), 6) / 6, see `nn.functional.hardsigmoid`."""

    def forward(self, input: Tensor) -> Tensor:
        return F.hardsigmoid(input, self.inplace)


class Hardswish(_Hard):
    """x · hardsigmoid(x), see `nn.functional.hardswish`."""

    def forward(self, input: Tensor) -> Tensor:
        return F.hardswish(input, self.inplace)


class LeakyReLU(_Activation):
    """x for x > 0, else negative_slope · x, see `nn.functional.leaky_relu`."""

    _settings = ("negative_slope",)

    def __init__(self, negative_slope: float = 1e-2, inplace: bool = False):
        self.negative_slope, self.inplace = negative_slope, inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.leaky_relu(input, self.negative_slope, self.inplace)


class PReLU(_Activation):
    """x for x > 0, else weight · x with learnt weights, see `nn.functional.prelu`: one, or one a channel (axis 1 of the input)."""

    _settings = ("num_parameters",)

    def __init__(self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None):
        check_sizes("PReLU", num_parameters=num_parameters)
        check_number("PReLU", init=init)
        kind = made("PReLU", device, dtype)
        self.num_parameters, self.init = int(num_parameters), init
        self.weight = Parameter(np.empty(self.num_parameters, kind))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set all weights to `init` again."""
        self.weight.data.fill_(self.init)

    def forward(self, input: Tensor) -> Tensor:
        return F.prelu(input, self.weight)


class RReLU(_Activation):
    """x for x > 0, else αx with α drawn from [lower, upper) in training, see `nn.functional.rrelu`."""

    _settings = ("lower", "upper")

    def __init__(self, lower: float = 1 / 8, upper: float = 1 / 3, inplace: bool = False):
        self.lower, self.upper, self.inplace = lower, upper, inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.rrelu(input, self.lower, self.upper, self.training, self.inplace)


class _WithAlpha(_Activation):
    _settings = ("alpha",)

    def __init__(self, alpha: float = 1.0, inplace: bool = False):
        self.alpha, self.inplace = alpha, inplace


class ELU(_WithAlpha):
    """x for x > 0, else α (eˣ − 1), see `nn.functional.elu`."""

    def forward(self, input: Tensor) -> Tensor:
        return F.elu(input, self.alpha, self.inplace)


class CELU(_WithAlpha):
    """x for x > 0, else α (e^(x/α) − 1), see `nn.functional.celu`."""

    def forward(self, input: Tensor) -> Tensor:
        return F.celu(input, self.alpha, self.inplace)


class Threshold(_Activation):
    """x where x > threshold, else value, see `nn.functional.threshold`."""

    _settings = ("threshold", "value")

    def __init__(self, threshold: float, value: float, inplace: bool = False):
        self.threshold, self.value, self.inplace = threshold, value, inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.threshold(input, self.threshold, self.value, self.inplace)


class Hardtanh(_Activation):
    """x limited to [min_val, max_val], see `nn.functional.hardtanh`."""

    _settings = ("min_val", "max_val")

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False):
        check_number("Hardtanh", min_val=min_val, max_val=max_val)
        if not min_val < max_val:
            raise ArgumentError(f"Hardtanh: min_val must be below max_val, got min_val {min_val}, max_val {max_val}")
        self.min_val, self.max_val, self.inplace = min_val, max_val, inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.hardtanh(input, self.min_val, self.max_val, self.inplace)


class Sigmoid(Module):
    """1 / (1 + e⁻ˣ), see `nn.functional.sigmoid`."""

    def forward(self, input: Tensor) -> Tensor:
        return F.sigmoid(input)


class LogSigmoid(Module):
    """log(1 / (1 + e⁻ˣ)), see `nn.functional.logsigmoid`."""

    def forward(self, input: Tensor) -> Tensor:
        return F.logsigmoid(input)


class Tanh(Module):
    """Hyperbolic tangent, see `nn.functional.tanh`."""

    def forward(self, input: Tensor) -> Tensor:
        return F.tanh(input)


class Tanhshrink(Module):
    """x − tanh x, see `nn.functional.tanhshrink`."""

    def forward(self, input: Tensor) -> Tensor:
        return F.tanhshrink(input)


class Softsign(Module):
    """x / (1 + |x|), see `nn.functional.softsign`."""

    def forward(self, input: Tensor) -> Tensor:
        return F.softsign(input)


class GELU(_Activation):
    """x Φ(x), or its tanh approximation, see `nn.functional.gelu`."""

    _settings = ("approximate",)

    def __init__(self, approximate: str = "none"):
        self.approximate = approximate

    def forward(self, input: Tensor) -> Tensor:
        return F.gelu(input, approximate=self.approximate)


class Softplus(_Activation):
    """log(1 + e^(βx)) / β, see `nn.functional.softplus`."""

    _settings = ("beta", "threshold")

    def __init__(self, beta: float = 1.0, threshold: float = 20.0):
        self.beta, self.threshold = beta, threshold

    def forward(self, input: Tensor) -> Tensor:
        return F.softplus(input, self.beta, self.threshold)


class _WithLambda(Module):
    def __init__(self, lambd: float = 0.5):
        self.lambd = lambd

    def extra_repr(self) -> str:
        return str(self.lambd)


class Hardshrink(_WithLambda):
    """0 for −λ ≤ x ≤ λ, else x, see `nn.functional.hardshrink`."""

    def forward(self, input: Tensor) -> Tensor:
        return F.hardshrink(input, self.lambd)


class Softshrink(_WithLambda):
    """x drawn towards 0 by λ, see `nn.functional.softshrink`."""

    def forward(self, input: Tensor) -> Tensor:
        return F.softshrink(input, self.lambd)


class GLU(_Activation):
    """a σ(b) with the halves a and b of the input along `dim`, see `nn.functional.glu`."""

    _settings = ("dim",)

    def __init__(self, dim: int = -1):
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        return F.glu(input, self.dim)


class _AlongDim(_Activation):
    _settings = ("dim",)

    def __init__(self, dim: int | None = None):
        self.dim = dim


class Softmax(_AlongDim):
    """Softmax along `dim`, see `nn.functional.softmax`. Not to be put in front of cross-entropy, which takes logits."""

    def forward(self, input: Tensor) -> Tensor:
        return F.softmax(input, self.dim)


class Softmin(_AlongDim):
    """Softmax of −x along `dim`, see `nn.functional.softmin`."""

    def forward(self, input: Tensor) -> Tensor:
        return F.softmin(input, self.dim)


class LogSoftmax(_AlongDim):
    """log(softmax) along `dim`, see `nn.functional.log_softmax`."""

    def forward(self, input: Tensor) -> Tensor:
        return F.log_softmax(input, self.dim)
