"""minigrad: reverse-mode automatic differentiation from scratch on NumPy and Numba."""

from . import autograd, data, errors, nn, optim
from .core import (
    Elementwise,
    Op,
    Tensor,
    apply,
    detect_anomaly,
    elementwise,
    enable_grad,
    get_default_dtype,
    grad,
    is_grad_enabled,
    no_grad,
    op,
    set_default_dtype,
    set_grad_enabled,
)
from .kernels import notation
from .ops import *  # noqa: F403
from .ops import __all__ as _operations
from .testing import GradcheckError, gradcheck, gradgradcheck

__version__ = "0.1.0"

# PyTorch's short names of dtypes.
float, double = float32, float64  # noqa: A001, F405
int, long = int32, int64  # noqa: A001, F405
bool = bool_  # noqa: A001, F405

__all__ = [
    "Elementwise",
    "GradcheckError",
    "Op",
    "Tensor",
    "apply",
    "autograd",
    "bool",
    "data",
    "detect_anomaly",
    "double",
    "elementwise",
    "enable_grad",
    "errors",
    "float",
    "get_default_dtype",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "int",
    "is_grad_enabled",
    "long",
    "nn",
    "no_grad",
    "notation",
    "op",
    "optim",
    "set_default_dtype",
    "set_grad_enabled",
    *_operations,
]
