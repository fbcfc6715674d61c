"""minigrad: reverse-mode automatic differentiation from scratch on NumPy and Numba."""

from importlib import import_module
from math import e, inf, nan, pi
from typing import TYPE_CHECKING

from . import autograd, data, errors, linalg, nn, optim
from .compiler import compile  # noqa: A004
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
from .core.tensor import Device
from .kernels import notation
from .ops import *  # noqa: F403
from .ops import __all__ as _operations
from .testing import GradcheckError, gradcheck, gradgradcheck

if TYPE_CHECKING:
    from . import evaluate, inspect, learn, train

__version__ = "0.1.0"

inference_mode = no_grad
device = Device
newaxis = None

# PyTorch's short names of dtypes.
float, double = float32, float64  # noqa: A001, F405
int, long = int32, int64  # noqa: A001, F405
bool = bool_  # noqa: A001, F405

_LATE = ("evaluate", "inspect", "learn", "train")  # what is loaded when it is first asked for


def __getattr__(name: str) -> object:
    if name in _LATE:
        return import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "Elementwise",
    "GradcheckError",
    "Op",
    "Tensor",
    "apply",
    "autograd",
    "bool",
    "compile",
    "data",
    "detect_anomaly",
    "device",
    "double",
    "e",
    "elementwise",
    "enable_grad",
    "errors",
    "evaluate",
    "float",
    "get_default_dtype",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "inf",
    "inference_mode",
    "inspect",
    "int",
    "is_grad_enabled",
    "learn",
    "linalg",
    "long",
    "nan",
    "newaxis",
    "nn",
    "no_grad",
    "notation",
    "op",
    "optim",
    "pi",
    "set_default_dtype",
    "set_grad_enabled",
    "train",
    *_operations,
]
