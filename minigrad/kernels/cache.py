"""Generated kernel sources on disk, so that Numba's compiled code survives the process.

A source lives in a per-user folder (0700) under a name that is a hash of everything that decides its machine code. Numba keeps its
own index and object files in `__pycache__` beside it, and never recovers from a damaged one: `compiled` drops such files and
compiles anew. Where no folder can be written, kernels are compiled for this process only.
"""

import hashlib
import os
import shutil
import sys
import tempfile
import threading
import types
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import ArgumentError

__all__ = ["compilable", "compiled", "file_digest", "folder", "in_cache", "kernels_enabled", "native", "one_dtype"]

_lock = threading.RLock()
if hasattr(os, "register_at_fork"):  # no child is born while another thread compiles: it would wait for that thread for ever
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


@cache
def kernels_enabled() -> bool:
    """False if the environment says MINIGRAD_KERNELS=numpy: then formulas and rules run as plain NumPy."""
    choice = os.environ.get("MINIGRAD_KERNELS", "numba")
    if choice not in ("numba", "numpy"):
        raise ArgumentError(f"MINIGRAD_KERNELS: expected 'numba' or 'numpy', got {choice!r}")
    return choice == "numba" and os.environ.get("NUMBA_DISABLE_JIT", "0") == "0"


def compilable(dtype: Any) -> bool:
    """Whether kernels can be made for a dtype: float32 and float64, in the machine's byte order."""
    return dtype.char in "fd" and dtype.isnative  # the name would take a microsecond


def one_dtype(x: Any, *others: Any) -> bool:
    """Whether kernels take these: x holds something, and it and the arrays among the others are floats of one dtype."""
    return compilable(x.dtype) and x.size > 0 and all(a.dtype == x.dtype for a in others if isinstance(a, np.ndarray))


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
def file_digest(*files: str) -> str:
    """A hash of files that decide machine code, for the names of cached kernels."""
    return hashlib.sha256(b"".join(Path(file).read_bytes() for file in files)).hexdigest()


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


def _name(source: str) -> str:
    return "minigrad_kernel_" + hashlib.sha256((_fingerprint() + source).encode()).hexdigest()[:20]


def in_cache(source: str, function: str) -> bool:
    """Whether a function of this source was compiled here, or is in the cache folder."""
    name = _name(source)
    if name in sys.modules:
        return True
    directory = folder()
    line = source.partition(f"def {function}(")[0].count("\n")  # of the decorator
    python = f"py{sys.version_info.major}{sys.version_info.minor}{getattr(sys, 'abiflags', '')}"
    return directory is not None and (directory / "__pycache__" / f"{name}.{function}-{line}.{python}.nbi").exists()


def _module(source: str) -> types.ModuleType:
    """The module of a generated source, executed from the text in memory; its file only anchors Numba's cache."""
    name = _name(source)
    if name not in sys.modules:
        path = _anchor(name, source)
        try:
            sys.modules[name] = _executed(name, source, path)
        except RuntimeError:  # Numba found no place to keep its files
            if path is None:
                raise
            sys.modules[name] = _executed(name, source, None)
    return sys.modules[name]


def _anchor(name: str, source: str) -> Path | None:
    """The file of a source, written if it is not there as it should be; None if it cannot be."""
    directory = folder()
    if directory is None:
        return None
    path = directory / f"{name}.py"
    try:
        if not path.exists() or path.read_bytes() != source.encode():
            _write(path, source)
    except OSError:
        return None
    return path


def _executed(name: str, source: str, path: Path | None) -> types.ModuleType:
    module = types.ModuleType(name)
    module.__file__ = str(path or f"<{name}>")
    module.__dict__["CACHE"] = path is not None
    try:
        sys.modules[name] = module
        exec(compile(source, module.__file__, "exec"), module.__dict__)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _drop(dispatcher: Any, stem: str) -> None:
    """Remove Numba's files of one kernel."""
    for file in Path(dispatcher.stats.cache_path).glob(f"{stem}.{dispatcher.py_func.__name__}-*.nb*"):
        try:
            file.unlink(missing_ok=True)
        except IsADirectoryError:
            shutil.rmtree(file, ignore_errors=True)


def compiled(source: str, function: str, signature: Sequence[Any]) -> Callable[..., Any]:
    """The machine code of `function` in `source` for Numba types `signature`, from the cache or compiled now.

    What comes back is the compiled entry point itself: it checks no types, so its callers hand it exactly what was compiled for.
    A read-only array is taken like a writable one.
    """
    with _lock:
        module = _module(source)
        try:
            return _entry_point(getattr(module, function), tuple(signature))
        except Exception:
            if not module.__dict__["CACHE"]:
                raise
            _drop(getattr(module, function), Path(module.__file__ or "").stem)
            del sys.modules[module.__name__]
            return _entry_point(getattr(_module(source), function), tuple(signature))


def _entry_point(dispatcher: Any, signature: tuple[Any, ...]) -> Callable[..., Any]:
    dispatcher.compile(signature)
    result = dispatcher.overloads[signature]
    entry: Callable[..., Any] = result.entry_point
    _results[entry] = result
    return entry


_results: dict[Callable[..., Any], Any] = {}
"""What Numba knows of each entry point."""


class Native(NamedTuple):
    """Where the machine code of a function stands, with Numba's types of its arguments and of its result."""

    address: int
    arguments: Sequence[Any]
    result: Any


def native(entry: Callable[..., Any], for_c: bool = False) -> Native:
    """The machine code behind an entry point that `compiled` returned; `for_c`, the one that is called as C calls."""
    result = _results[entry]
    name = result.fndesc.llvm_cfunc_wrapper_name if for_c else result.fndesc.llvm_func_name
    return Native(result.library.get_pointer_to_function(name), result.signature.args, result.signature.return_type)
