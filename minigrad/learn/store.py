"""What a learner has done, kept in one small JSON file."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ..errors import ArgumentError

__all__ = ["Record", "Records", "place", "records"]


@dataclass
class Record:
    """Of one exercise or question: how often it was tried, how many hints were asked, and whether an answer was right."""

    tries: int = 0
    hints: int = 0
    right: bool = False


@dataclass
class Records:
    """All of them by name, as they stand in the file."""

    exercises: dict[str, Record] = field(default_factory=dict)
    questions: dict[str, Record] = field(default_factory=dict)

    @classmethod
    def read(cls) -> Records:
        """What the file says; nothing if there is none. Errors: ArgumentError if it cannot be understood."""
        try:
            text = place().read_text(encoding="utf-8")
        except FileNotFoundError:
            return cls()
        try:
            parts = json.loads(text)
            return cls(*({name: Record(**entry) for name, entry in parts[part].items()} for part in ("exercises", "questions")))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ArgumentError(
                f"learn: {place()} is no file of progress ({error}); mend it, take it away, or name another in MINIGRAD_PROGRESS"
            ) from error

    def write(self) -> None:
        """Put them into the file, whole or not at all."""
        target = place()
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=target.parent, suffix=".tmp", delete=False) as file:
            json.dump(asdict(self), file, indent=1)
        os.replace(file.name, target)


@contextmanager
def records() -> Iterator[Records]:
    """What the file says, to be changed; at the end it is written."""
    kept = Records.read()
    yield kept
    kept.write()


def place() -> Path:
    """Where the file is: MINIGRAD_PROGRESS names it, else it is minigrad/progress.json under XDG_DATA_HOME or ~/.local/share."""
    named = os.environ.get("MINIGRAD_PROGRESS")
    return (
        Path(named)
        if named
        else Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "minigrad" / "progress.json"
    )
