"""What is shown while a training goes on, and how it is interrupted."""

from __future__ import annotations

import builtins
import signal
import sys
import threading
from importlib.util import find_spec
from typing import Any, Self

from ..display import require
from .history import History

__all__ = ["Interrupt", "Progress"]


class Progress:
    """A bar over all steps on terminals and in notebooks, and, if asked for by True, a line an epoch on the standard output."""

    def __init__(self, wanted: bool | None, epochs: int, loader: Any):
        self._lines, self._epochs = wanted is True, epochs
        self._bar: Any = None
        can_be_seen = sys.stderr.isatty() or hasattr(builtins, "__IPYTHON__")
        if can_be_seen and (wanted or (wanted is None and find_spec("tqdm"))):
            steps = epochs * len(loader) if hasattr(loader, "__len__") else None
            self._bar = require("fit: progress=True", "tqdm").tqdm(desc=f"epoch 1/{epochs}", total=steps, unit="step", leave=False)

    def step(self) -> None:
        """A step is done."""
        if self._bar is not None:
            self._bar.update()

    def epoch(self, history: History) -> None:
        """An epoch is done, the last of the history."""
        row = history.rows[-1]
        if self._bar is not None:
            self._bar.set_description(f"epoch {min(row.epoch + 1, self._epochs)}/{self._epochs}", refresh=False)
            losses = {name: f"{value:.4g}" for name, value in row.figures().items() if name in ("loss", "val_loss")}
            self._bar.set_postfix(losses)
        if self._lines:
            write = print if self._bar is None else self._bar.write
            for line in history.lines():
                write(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.close()


class Interrupt:
    """Ctrl-C, noted: within it (in the main thread) the first one makes it true, the second one stops at once."""

    def __init__(self) -> None:
        self._noted = False
        self._before: Any = None
        self._main = threading.current_thread() is threading.main_thread()

    def __bool__(self) -> bool:
        return self._noted

    def __enter__(self) -> Self:
        if self._main:
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def _note(self, *signal_and_frame: Any) -> None:
        if self._noted:
            raise KeyboardInterrupt
        self._noted = True

    def __exit__(self, *error: object) -> None:
        if self._main:
            signal.signal(signal.SIGINT, self._before)
