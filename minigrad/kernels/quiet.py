"""NumPy calls without floating-point warnings, for where `np.errstate` would cost as much as the call."""

import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

import numpy as np

__all__ = ["quiet"]


class _Quiet(threading.local):
    """`quiet.run(f, *args)` calls f in a context of this thread's in which NumPy ignores overflow and the like.

    f must not come back here: a context is entered once at a time.
    """

    run: Callable[..., Any]

    def __init__(self) -> None:
        context = copy_context()
        context.run(np.seterr, all="ignore")
        self.run = context.run


quiet = _Quiet()
