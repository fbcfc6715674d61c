"""minigrad: reverse-mode automatic differentiation from scratch on NumPy and Numba."""

from . import errors
from .core import *  # noqa: F403
from .ops import *  # noqa: F403

__version__ = "0.1.0"
