"""Kernels compiled beside the running program, by a second process, into the cache."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from time import perf_counter

from ..kernels.cache import folder
from .plan import Schedule

__all__ = ["Builder"]

# Compiling a program's kernels costs about a second of a processor. It begins when the program has run for as long.
_WAIT = 1.0


class Builder:
    """The kernels of a schedule on their way: nothing happens until it pays, then another process compiles them."""

    def __init__(self, schedule: Schedule):
        self.schedule = schedule
        self.seconds = 0.0
        self.succeeded = False
        self._since = perf_counter()
        self._process: subprocess.Popen[str] | None = None

    def done(self) -> bool:
        """Whether there is nothing more to wait for."""
        if self._process is None:
            if folder() is None or not sys.executable:
                return True  # nowhere to keep them, or nobody to make them
            if perf_counter() - self._since > _WAIT and not _busy():
                self._start()
            return False
        if self._process.poll() is None:
            return False
        self.seconds = perf_counter() - self._since
        self.succeeded = self._process.returncode == 0
        return True

    def _start(self) -> None:
        self._since = perf_counter()
        here = str(Path(__file__).parents[2])
        paths = [here, *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process = subprocess.Popen(
            [sys.executable, "-c", "from minigrad.compiler.build import work; work()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            text=True,
        )
        _processes.append(self._process)
        assert self._process.stdin is not None
        with self._process.stdin as pipe:
            json.dump([list(kernel) for kernel in self.schedule.built()], pipe)


_processes: list[subprocess.Popen[str]] = []


def _busy() -> bool:
    """Whether a process is at work: one is enough."""
    _processes[:] = [process for process in _processes if process.poll() is None]
    return bool(_processes)


def work() -> None:
    """Compile the kernels that come on standard input."""
    from ..kernels.machine import Built

    for source, function, kinds in json.load(sys.stdin):
        Built(source, function, tuple(kinds)).entry()
