"""A second pair of hands: a thread that takes its share of the parts of a large kernel.

Who has a job of several parts writes it on a board, and takes one part after the other; a helper that looks at the board takes parts as
well. Nobody waits for a helper that has not come: it may be asleep, or in the process that this one was forked from. A part makes the same
whoever does it, and so does the job.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Mapping

import numpy as np

from .cache import compiled, file_digest

__all__ = ["PARTS", "PLACES", "helper", "threads", "wake"]

# The board: numbers of words. Each that is written to has a cache line of its own.
PLACES = {"LOCK": 0, "STATE": 8, "DONE": 16, "JOB": 24, "ASLEEP": 48, "STOP": 56}
_SIZE = 64

_PATIENCE = 20_000  # looks at an empty board before the helper goes to sleep: about a millisecond

PARTS = f"""\
from minigrad.kernels.addresses import add_up, instruction, look, publish, rest, store, swap, word

{", ".join(PLACES)} = {", ".join(str(8 * place) for place in PLACES.values())}

@njit(cache=CACHE, nogil=True, error_model="numpy")
def take(board):
    '''The number of a part that nobody else will do; -1 if there is none left. The state is the number of the job, and in the lower half
    how many parts are left: as both change together, nobody takes a part of another job than the one that was seen.'''
    while True:
        state = look(board + STATE)
        left = state & 0xFFFFFFFF
        if left == 0:
            return -1
        if swap(board + STATE, state, state - 1):
            return left - 1

@njit(cache=CACHE, nogil=True, error_model="numpy")
def do_parts(board, parts):
    '''Do the job on the board: call the function at its first word with the address of the job and, for each part, its number.'''
    publish(board + DONE, 0)
    publish(board + STATE, (((look(board + STATE) >> 32) + 1) << 32) + parts)
    mine = 0
    part = take(board)
    while part >= 0:
        instruction(word(board + JOB, 0), board + JOB, part)
        mine += 1
        part = take(board)
    while look(board + DONE) < parts - mine:
        rest()

@njit(cache=CACHE, nogil=True, error_model="numpy")
def help_out(board, patience):
    '''Do parts, with 1 in the upper half of their numbers, until there was nothing to do for some time.'''
    idle = 0
    while idle < patience and look(board + STOP) == 0:
        part = take(board)
        if part >= 0:
            instruction(word(board + JOB, 0), board + JOB, part + (1 << 32))
            add_up(board + DONE, 1)
            idle = 0
        else:
            rest()
            idle += 1
"""
"""The text of what both sides do, for modules with kernels that have parts. On the board: LOCK is held by who has written a job there."""


class _Helper:
    """A board, at an address, and the thread that looks at it."""

    def __init__(self) -> None:
        from numba import types

        from . import addresses

        self._help_out = compiled(
            f"# {file_digest(addresses.__file__)}\nfrom numba import njit\n{PARTS}", "help_out", [types.int64, types.int64]
        )
        self._memory = np.zeros(_SIZE + 8, np.int64)
        first = -self._memory.ctypes.data % 64 // 8
        self.words = memoryview(self._memory)[first:]  # type: ignore[arg-type]
        self.board = self._memory.ctypes.data + 8 * first
        self._start()
        atexit.register(self._stop)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._begin_anew)

    def _start(self) -> None:
        self._call = threading.Event()
        self._thread: threading.Thread | None = threading.Thread(target=self._work, name="minigrad helper", daemon=True)
        self._thread.start()

    def _begin_anew(self) -> None:
        """In a process that has the board, but not the thread."""
        self._memory[:] = 0
        self.words[PLACES["ASLEEP"]] = 1
        self._thread = None

    def wake(self) -> None:
        """Call the thread to work if it is asleep."""
        if self.words[PLACES["ASLEEP"]]:
            self.words[PLACES["ASLEEP"]] = 0
            if self._thread is None:
                self._start()
            else:
                self._call.set()

    def _work(self) -> None:
        while not self.words[PLACES["STOP"]]:
            self._help_out(self.board, _PATIENCE)
            self.words[PLACES["ASLEEP"]] = 1
            self._call.wait()
            self._call.clear()

    def _stop(self) -> None:
        """Let no thread run compiled code when the interpreter ends."""
        self.words[PLACES["STOP"]] = 1
        if self._thread is not None:
            self._call.set()
            self._thread.join(1.0)


def threads(settings: Mapping[str, str]) -> int:
    """How many threads this process is to use: not more than processors, nor than the settings that BLAS follows say."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    named = (settings.get(name, "") for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"))
    return min([count, *(int(number) for number in named if number.isdecimal() and int(number))])


_lock = threading.Lock()
_found: list[_Helper | None] = []


def helper() -> _Helper | None:
    """The helper of this process; None where it is to use one thread, or can have no other."""
    if not _found:
        with _lock:
            if not _found:
                _found.append(_made())
    return _found[0]


def _made() -> _Helper | None:
    try:
        return _Helper() if threads(os.environ) > 1 else None
    except RuntimeError:  # no more threads
        return None


def wake() -> None:
    """Call the helper to work."""
    found = helper()
    if found is not None:
        found.wake()
