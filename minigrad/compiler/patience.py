"""How long a function is tried that never comes to a replay, and how long it then runs as it is."""

from __future__ import annotations

import warnings
from typing import Any

from ..core import user_depth
from .outside import differing

__all__ = ["Patience"]

_MANY = 256  # signatures that are remembered before there are programs for them
_MISSES = 32  # new values from outside in a row, without a replay between, until the function is left as it is
_REST = 1000  # calls until it is looked at again
_TRIES = 4  # new values that it has then


class Patience:
    """Remembers the signatures that came, and says when a function is left as it is, since each call finds another value outside."""

    def __init__(self, name: str):
        self._name = name
        self._seen: set[Any] = set()
        self._last: dict[Any, Any] = {}  # what was taken from outside, by mode and arguments
        self._misses = self._replayed = self._rest = 0
        self.why = ""  # it runs as it is

    def resting(self) -> bool:
        """Whether a call runs as it is, without a look at what it takes. Each question counts as a call."""
        if self._rest <= 0:
            return False
        self._rest -= 1
        return True

    def new(self, key: Any, replayed: int) -> bool:
        """Whether such a call was never seen before; it is from now on. `replayed` counts the replays so far."""
        if replayed != self._replayed:
            self._misses, self._replayed = 0, replayed
        if key in self._seen:
            return False
        if len(self._seen) >= _MANY:
            self._seen.clear()
            self._last.clear()
            if not replayed:
                self._warn(
                    f"was called with {_MANY} different signatures, and none came often enough for a program; hand in numbers that "
                    "change as Tensors"
                )
        self._seen.add(key)
        return True

    def miss(self, key: Any, changed: str | None) -> bool:
        """Count a call of a new signature, and what it changed; whether the function is left as it is now."""
        mode, (arguments, outside) = key
        last = self._last.get((mode, arguments), outside)
        self._last[mode, arguments] = outside
        if last == outside:
            return False
        self._misses += 1
        if self._misses < _MISSES:
            return False
        if changed is not None:
            self.changes(changed)
        else:
            self._leave(f"what it takes from outside is another one at every call: {differing(last, outside)}")
        return True

    def changes(self, what: str) -> None:
        """Leave a function as it is that changes something outside."""
        self._leave(f"it changes {what}, and a replay would not")

    def _leave(self, why: str) -> None:
        first, self.why = not self.why, why
        self._rest, self._misses = _REST, _MISSES - _TRIES
        if first:
            self._warn(f"runs as it is, as {why}; keep this out of the function, or in a Tensor that is written in place")

    def _warn(self, text: str) -> None:
        warnings.warn(f"compile: {self._name} {text}", stacklevel=user_depth())
