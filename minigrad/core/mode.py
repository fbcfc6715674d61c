"""The modes of a thread: whether operations are recorded, and whether every result is checked."""

from __future__ import annotations

import sys
from contextlib import ContextDecorator
from contextvars import ContextVar, Token
from pathlib import Path

import numpy as np

from .tensor import Array

__all__ = [
    "ANOMALY",
    "GRAD",
    "defect",
    "detect_anomaly",
    "enable_grad",
    "get_mode",
    "is_grad_enabled",
    "mode",
    "no_grad",
    "set_grad_enabled",
    "switched",
    "user_line",
]

GRAD, ANOMALY = 1, 2

mode: ContextVar[int] = ContextVar("minigrad_mode", default=GRAD)
get_mode = mode.get


def switched(bit: int, on: bool) -> int:
    """This thread's mode with one bit set or cleared."""
    return get_mode() | bit if on else get_mode() & ~bit


class _Mode(ContextDecorator):
    """A context manager and decorator that sets or clears one bit of this thread's mode."""

    bit = GRAD
    on = True

    def __init__(self) -> None:
        self._tokens: list[Token[int]] = []

    def __enter__(self) -> _Mode:
        self._tokens.append(mode.set(switched(self.bit, self.on)))
        return self

    def __exit__(self, *exc: object) -> None:
        mode.reset(self._tokens.pop())

    def _recreate_cm(self) -> _Mode:
        fresh = _Mode()
        fresh.bit, fresh.on = self.bit, self.on
        return fresh


class no_grad(_Mode):
    """Within it, or in a function decorated with it, nothing is recorded."""

    on = False


class enable_grad(_Mode):
    """Within it recording is on, also inside `no_grad`."""


class set_grad_enabled(_Mode):
    """Switch recording on or off: at once, and back at the end of the block if used as a context manager."""

    def __init__(self, mode: bool):
        super().__init__()
        self.on = bool(mode)
        super().__enter__()

    def __enter__(self) -> set_grad_enabled:
        return self


class detect_anomaly(_Mode):
    """Within it every forward and backward result is checked; the first operation that made a NaN or an infinity is named, with the
    line of code that called it (AnomalyError)."""

    bit = ANOMALY


def is_grad_enabled() -> bool:
    """Whether operations are recorded in this thread."""
    return bool(get_mode() & GRAD)


_PACKAGE = str(Path(__file__).parent.parent)


def user_line() -> str:
    """The innermost line of code outside this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def defect(array: Array) -> str | None:
    """'NaN' or 'Inf' if an array of floats holds one."""
    if array.dtype.kind != "f" or np.isfinite(array).all():
        return None
    return "NaN" if np.isnan(array).any() else "Inf"
