"""Optional libraries: imported where they are used."""

from __future__ import annotations

import importlib
from typing import Any

from ..errors import MissingExtraError

__all__ = ["require"]

_EXTRAS = {"sklearn": ("scikit-learn", "data"), "matplotlib": ("matplotlib", "plots"), "tqdm": ("tqdm", "progress")}


def require(caller: str, module: str) -> Any:
    """Import a module of an optional library (`sklearn.metrics`).

    Errors: MissingExtraError, which names the caller and the extra that brings the library.
    """
    top = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != top:
            raise
        library, extra = _EXTRAS[top]
        raise MissingExtraError(
            f"{caller}: needs {library}, which is not installed; in the repository's folder: pip install '.[{extra}]'"
        ) from None
