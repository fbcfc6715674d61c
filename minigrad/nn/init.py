"""Initial values for parameters.

Each function overwrites a Tensor in place, unrecorded, whatever its requires_grad, and returns it. `generator` is where the random
numbers come from (None: the default generator). A weight is (out, in, *kernel): fan_in = in · ∏ kernel inputs feed each output,
fan_out = out · ∏ kernel outputs are fed by each input.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from ..core import Tensor, check_number, no_grad
from ..errors import ArgumentError, InputTypeError, ShapeError
from ..ops.create import eye
from ..ops.random import Generator, rand, randn

__all__ = [
    "calculate_gain",
    "constant_",
    "eye_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "linear_default_",
    "normal_",
    "ones_",
    "orthogonal_",
    "sparse_",
    "trunc_normal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]

_GAINS = {"linear": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor on the standard deviation of the weights that makes up for a nonlinearity.

    linear, sigmoid 1 · tanh 5/3 · relu √2 · selu 3/4 · leaky_relu √(2 / (1 + param²)), where param is the negative slope (default 0.01).
    Errors: ArgumentError for another nonlinearity, or a slope that is no number.
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, (int, float)):
            raise ArgumentError(f"calculate_gain: param must be a number (the negative slope of leaky_relu), got {param!r}")
        return math.sqrt(2 / (1 + slope**2))
    if nonlinearity not in _GAINS:
        raise ArgumentError(f"calculate_gain: nonlinearity must be one of {', '.join(_GAINS)}, leaky_relu, got {nonlinearity!r}")
    return _GAINS[nonlinearity]


# ---- given values and distributions


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Uniform numbers in [a, b)."""
    _require_float("uniform_", tensor)
    with no_grad():
        tensor.uniform_(a, b, generator=generator)
    return tensor


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal numbers."""
    _require_float("normal_", tensor)
    with no_grad():
        tensor.normal_(mean, std, generator=generator)
    return tensor


def trunc_normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0, generator: Generator | None = None
) -> Tensor:
    """Normal numbers of this mean and std (before the cut), given that they lie in [a, b], wherever that is.

    Drawn by rejection: z ~ N(0, 1) is kept if it lies in [l, h] = [(a − mean) / std, (b − mean) / std]; where that is rare,
    z ~ U(l, h) is kept with probability φ(z) / max φ over [l, h].
    a and b may be infinite. Errors: ArgumentError unless mean and std are finite, std > 0 and a < b.
    """
    _require_float("trunc_normal_", tensor)
    check_number("trunc_normal_", mean=mean, std=std, a=a, b=b)
    if not (math.isfinite(mean) and 0 < std < math.inf and a < b):
        raise ArgumentError(
            f"trunc_normal_: expected finite mean and std, std > 0, a < b; got mean {mean}, std {std}, a {a}, b {b}"
        )
    low, high = (a - mean) / std, (b - mean) / std
    common = NormalDist().cdf(high) - NormalDist().cdf(low) > 0.3
    peak = min(max(low, 0.0), high)
    reach = 50 / max(abs(peak), 5)  # further from the peak φ is below e⁻⁵⁰ of its maximum
    low, high = max(low, peak - reach), min(high, peak + reach)
    values = np.empty(tensor.numel())
    missing = np.arange(values.size)
    while missing.size:
        if common:
            z = randn(missing.size, generator=generator, dtype=np.float64).array
            kept = (low <= z) & (z <= high)
        else:
            z = low + (high - low) * rand(missing.size, generator=generator, dtype=np.float64).array
            kept = rand(missing.size, generator=generator, dtype=np.float64).array < np.exp((peak - z) * (peak + z) / 2)
        values[missing[kept]] = z[kept]
        missing = missing[~kept]
    with no_grad():
        tensor.copy_(np.clip(mean + std * values, a, b).reshape(tensor.shape))
    return tensor


def constant_(tensor: Tensor, val: float) -> Tensor:
    """One value."""
    with no_grad():
        tensor.fill_(val)
    return tensor


def ones_(tensor: Tensor) -> Tensor:
    """Ones."""
    return constant_(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """Zeros."""
    return constant_(tensor, 0.0)


def eye_(tensor: Tensor) -> Tensor:
    """The identity: ones on the diagonal of a matrix, else zeros. Errors: ShapeError unless it has two axes."""
    if tensor.ndim != 2:
        raise ShapeError(f"eye_: expected a tensor with 2 axes, got shape {tensor.shape}")
    with no_grad():
        tensor.copy_(eye(*tensor.shape, dtype=tensor.dtype))
    return tensor


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """gain times a random matrix with orthonormal rows (or columns, if there are more rows); axes from the second on count as one.

    Uniform over all such matrices: Q of a QR decomposition of normal numbers, with the signs that make R's diagonal positive.
    Errors: ShapeError below two axes.
    Source: Saxe et al. 2014, "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks"; Mezzadri 2007,
    "How to generate random matrices from the classical compact groups".
    """
    _require_float("orthogonal_", tensor)
    if tensor.ndim < 2:
        raise ShapeError(f"orthogonal_: expected a tensor with 2 or more axes, got shape {tensor.shape}")
    rows, columns = tensor.shape[0], math.prod(tensor.shape[1:])
    drawn = randn(max(rows, columns), min(rows, columns), generator=generator, dtype=np.float64).array
    q, r = np.linalg.qr(drawn)
    q *= np.copysign(1, np.diag(r))
    with no_grad():
        tensor.copy_((gain * (q.T if rows < columns else q)).reshape(tensor.shape))
    return tensor


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None) -> Tensor:
    """Normal numbers of mean 0, of which a fraction `sparsity` of each column, rounded up, is 0. Errors: ShapeError unless 2 axes.

    Source: Martens 2010, "Deep learning via Hessian-free optimization".
    """
    check_number("sparse_", sparsity=sparsity)
    if tensor.ndim != 2:
        raise ShapeError(f"sparse_: expected a tensor with 2 axes, got shape {tensor.shape}")
    rows, columns = tensor.shape
    normal_(tensor, 0.0, std, generator)
    order = rand(rows, columns, generator=generator).array.argsort(axis=0)
    with no_grad():
        tensor.mul_(Tensor((order >= math.ceil(sparsity * rows)).astype(tensor.dtype)))
    return tensor


# ---- scaled by the fans


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Uniform in ±gain · √(6 / (fan_in + fan_out)). Errors: ShapeError below two axes.

    Source: Glorot & Bengio 2010, "Understanding the difficulty of training deep feedforward neural networks", equation 16.
    """
    bound = math.sqrt(3) * _xavier_std("xavier_uniform_", tensor, gain)
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal with mean 0 and std gain · √(2 / (fan_in + fan_out)). Errors and source: as xavier_uniform_."""
    return normal_(tensor, 0.0, _xavier_std("xavier_normal_", tensor, gain), generator)


def kaiming_uniform_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Generator | None = None
) -> Tensor:
    """Uniform in ±gain · √(3 / fan), with the gain of the nonlinearity (`a`: negative slope of leaky_relu) and fan_in or fan_out.

    Errors: ShapeError below two axes; ArgumentError for another mode or nonlinearity.
    Source: He et al. 2015, "Delving deep into rectifiers: surpassing human-level performance on ImageNet classification", § 2.2.
    """
    bound = math.sqrt(3) * _kaiming_std("kaiming_uniform_", tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Generator | None = None
) -> Tensor:
    """Normal with mean 0 and std gain / √fan. Arguments, errors and source: as kaiming_uniform_."""
    return normal_(tensor, 0.0, _kaiming_std("kaiming_normal_", tensor, a, mode, nonlinearity), generator)


def linear_default_(weight: Tensor, bias: Tensor | None, generator: Generator | None = None) -> None:
    """What a Linear layer starts with, as in PyTorch: weight (out, in) and bias (out,) uniform in ±1/√in; without inputs, bias 0.

    For the weight it is kaiming_uniform_ with a = √5, whose gain is √⅓. Errors: ShapeError for a weight below two axes.
    """
    kaiming_uniform_(weight, math.sqrt(5), generator=generator)
    if bias is not None:
        fan_in, _ = _fans("linear_default_", weight)
        bound = 1 / math.sqrt(fan_in) if fan_in else 0.0
        uniform_(bias, -bound, bound, generator)


def _fans(name: str, tensor: Tensor) -> tuple[int, int]:
    """(fan_in, fan_out)."""
    if tensor.ndim < 2:
        raise ShapeError(f"{name}: fan_in and fan_out need a tensor with 2 or more axes, got shape {tensor.shape}")
    kernel = math.prod(tensor.shape[2:])
    return tensor.shape[1] * kernel, tensor.shape[0] * kernel


# A fan of 0 belongs to an empty tensor, which any std leaves as it is.


def _xavier_std(name: str, tensor: Tensor, gain: float) -> float:
    return gain * math.sqrt(2 / max(sum(_fans(name, tensor)), 1))


def _kaiming_std(name: str, tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ArgumentError(f"{name}: mode must be 'fan_in' or 'fan_out', got {mode!r}")
    fan_in, fan_out = _fans(name, tensor)
    return calculate_gain(nonlinearity, a) / math.sqrt(max(fan_in if mode == "fan_in" else fan_out, 1))


def _require_float(name: str, tensor: Tensor) -> None:
    if not tensor.is_floating_point():
        raise InputTypeError(f"{name}: expected a floating-point tensor, got dtype {tensor.dtype}")
