"""NumPy's own products of matrices, for compiled code: the routines that `np.dot` calls, in the library that NumPy loaded.

Where the arguments are those that `np.dot` would hand over, so are the results, bit for bit.
"""

from __future__ import annotations

import ctypes
from functools import cache
from importlib import import_module
from typing import Any

__all__ = ["address"]

_LETTERS = {"float32": "s", "float64": "d"}


@cache
def _library() -> Any:
    try:
        return ctypes.CDLL(import_module("numpy._core._multiarray_umath").__file__)
    except OSError:
        return None


@cache
def address(routine: str, dtype: str) -> int | None:
    """The address of a routine of CBLAS, "gemm" or "gemv", with 64-bit sizes; None if this NumPy has none under a name known here."""
    for prefix in ("scipy_cblas_", "cblas_"):
        found = getattr(_library(), f"{prefix}{_LETTERS[dtype]}{routine}64_", None)
        if found is not None:
            return ctypes.cast(found, ctypes.c_void_p).value
    return None
