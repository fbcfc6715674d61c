"""Generated kernel sources on disk, so that Numba's compiled code survives the process.

A source lives in a per-user folder (0700) under a name that is a hash of everything that decides its machine code. Numba keeps its
own index and object files in `__pycache__` beside it, and never recovers from a damaged one: `compiled` drops such files and
compiles anew. Where no folder can be written, kernels are compiled for this process only.
"""

import hashlib
import os
import sys
import tempfile
import threading
import types
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import ArgumentError

__all__ = ["compiled", "folder", "kernels_enabled"]

_lock = threading.RLock()


@cache
def kernels_enabled() -> bool:
    """False if the environment says MINIGRAD_KERNELS=numpy: then formulas and rules run as plain NumPy."""
    choice = os.environ.get("MINIGRAD_KERNELS", "numba")
    if choice not in ("numba", "numpy"):
        raise ArgumentError(f"MINIGRAD_KERNELS: expected 'numba' or 'numpy', got {choice!r}")
    return choice == "numba"


@cache
def folder() -> Path | None:
    """The cache folder, made on first use: MINIGRAD_CACHE, else minigrad under XDG_CACHE_HOME or ~/.cache; None if not writable."""
    named = os.environ.get("MINIGRAD_CACHE")
    try:
        base = Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "minigrad"
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
        if hasattr(os, "getuid") and base.stat().st_uid != os.getuid():
            return None
        with tempfile.TemporaryFile(dir=base):
            return base
    except (OSError, RuntimeError):
        return None


@cache
def _fingerprint() -> str:
    import llvmlite
    import numba

    from . import vector_math

    versions = (sys.implementation.cache_tag, numba.__version__, llvmlite.__version__, vector_math.digest())
    return "/".join(map(str, versions))


def _write(path: Path, source: str) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.stem)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(source)
    os.replace(temporary, path)


def _module(source: str) -> types.ModuleType:
    """The module of a generated source, executed from the text in memory; its file only anchors Numba's cache."""
    name = "minigrad_kernel_" + hashlib.sha256((_fingerprint() + source).encode()).hexdigest()[:20]
    if name in sys.modules:
        return sys.modules[name]
    module = types.ModuleType(name)
    directory = folder()
    path = None if directory is None else directory / f"{name}.py"
    if path is not None:
        try:
            if not path.exists() or path.read_text(encoding="utf-8") != source:
                _write(path, source)
        except (OSError, UnicodeDecodeError):
            path = None
    module.__file__ = str(path or f"<{name}>")
    module.__dict__["CACHE"] = path is not None
    sys.modules[name] = module
    exec(compile(source, module.__file__, "exec"), module.__dict__)
    return module


def _drop(module: types.ModuleType, function: str) -> None:
    """Remove Numba's files of one kernel."""
    path = Path(module.__file__ or "")
    for file in path.parent.glob(f"__pycache__/{path.stem}.{function}-*.nb*"):
        file.unlink(missing_ok=True)


def compiled(source: str, function: str, signature: Sequence[Any]) -> Callable[..., Any]:
    """The machine code of `function` in `source` for Numba types `signature`, from the cache or compiled now.

    What comes back is the compiled entry point itself: it checks no types, so its callers hand it exactly what was compiled for.
    A read-only array is taken like a writable one.
    """
    with _lock:
        module = _module(source)
        dispatcher = getattr(module, function)
        try:
            dispatcher.compile(tuple(signature))
        except Exception:  # a damaged cache file can raise anything: EOFError, UnpicklingError, RuntimeError, …
            if not module.CACHE:
                raise
            _drop(module, function)
            del sys.modules[module.__name__]
            module = _module(source)
            dispatcher = getattr(module, function)
            dispatcher.compile(tuple(signature))
        entry: Callable[..., Any] = dispatcher.overloads[tuple(signature)].entry_point
        return entry
