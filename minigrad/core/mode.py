"""The modes of a thread: whether operations are recorded, and who looks on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextvars import ContextVar
from functools import partial, wraps
from inspect import isgeneratorfunction
from pathlib import Path
from types import FrameType
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

__all__ = [
    "ANOMALY",
    "GRAD",
    "RECORD",
    "WATCH",
    "defect",
    "detect_anomaly",
    "enable_grad",
    "get_mode",
    "is_grad_enabled",
    "mode",
    "no_grad",
    "set_grad_enabled",
    "switched",
    "user_depth",
    "user_line",
]

F = TypeVar("F", bound=Callable[..., Any])

GRAD, ANOMALY, RECORD, WATCH = 1, 2, 4, 8  # what is above GRAD looks on while operations run

mode: ContextVar[int] = ContextVar("minigrad_mode", default=GRAD)
get_mode = mode.get


def switched(bit: int, on: bool) -> int:
    """This thread's mode with one bit set or cleared."""
    return get_mode() | bit if on else get_mode() & ~bit


class _Mode:
    """Sets or clears one bit of this thread's mode: as a context manager, as a decorator (with or without parentheses) of functions
    and generators."""

    bit = GRAD
    on = True

    def __new__(cls, function: Callable[..., Any] | None = None) -> Self:
        made = super().__new__(cls)
        made._before = []
        return made if function is None else made(function)  # type: ignore[return-value]  # as in PyTorch, `@no_grad` is enough

    _before: list[int]

    def __enter__(self) -> Self:
        self._before.append(get_mode())
        mode.set(switched(self.bit, self.on))
        return self

    def __exit__(self, *exc: object) -> None:
        mode.set(switched(self.bit, bool(self._before.pop() & self.bit)))

    def _again(self) -> _Mode:
        """The same switch, for one call of a decorated function: calls may nest, and run in several threads."""
        fresh: _Mode = _Mode.__new__(_Mode)
        fresh.bit, fresh.on = self.bit, self.on
        return fresh

    def __call__(self, function: F) -> F:
        if isgeneratorfunction(function):
            return wraps(function)(partial(self._run_generator, function))  # type: ignore[return-value]

        @wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            with self._again():
                return function(*args, **kwargs)

        return run  # type: ignore[return-value]

    def _run_generator(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        """Each piece of the generator runs in the mode, what consumes it does not."""
        inner = function(*args, **kwargs)
        try:
            with self._again():
                item = next(inner)
            while True:
                sent = yield item
                with self._again():
                    item = inner.send(sent)
        except StopIteration as stop:
            return stop.value
        finally:
            inner.close()


class no_grad(_Mode):
    """Within it, or in a function decorated with it, nothing is recorded."""

    on = False


class enable_grad(_Mode):
    """Within it recording is on, also inside `no_grad`."""


class set_grad_enabled(_Mode):
    """Switch recording on or off: at once, and back at the end of the block if used as a context manager; or while a function that is
    decorated with it runs."""

    def __new__(cls, mode: bool) -> Self:
        return super().__new__(cls)

    def __init__(self, mode: bool):
        self.on = bool(mode)
        self._outside = get_mode()
        super().__enter__()

    def __enter__(self) -> Self:
        self._before = [self._outside]
        mode.set(switched(self.bit, self.on))
        return self

    def __call__(self, function: F) -> F:
        mode.set(self._outside)
        return super().__call__(function)


class detect_anomaly(_Mode):
    """Within it every forward and backward result is checked; the first operation that made a NaN or an infinity is named, with the
    line of code that called it (AnomalyError)."""

    bit = ANOMALY


def is_grad_enabled() -> bool:
    """Whether operations are recorded in this thread."""
    return bool(get_mode() & GRAD)


_PACKAGE = str(Path(__file__).parent.parent / "_")[:-1]  # with its last separator


def _user_frame() -> tuple[FrameType, int]:
    """The innermost frame of code outside this package, and how many calls it stands above the caller's caller, itself 1."""
    frame, depth = sys._getframe(2), 1
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame, depth = frame.f_back, depth + 1
    return frame, depth


def user_line() -> str:
    """The innermost line of code outside this package."""
    frame, _ = _user_frame()
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def user_depth() -> int:
    """Where that line stands, counted from the caller as the stacklevel of `warnings.warn` is."""
    return _user_frame()[1]


def defect(array: Array) -> str | None:
    """'NaN' or 'Inf' if an array of floats holds one."""
    if array.dtype.kind != "f" or np.isfinite(array).all():
        return None
    return "NaN" if np.isnan(array).any() else "Inf"
