"""What a learner has done, kept in one small JSON file."""

from __future__ import annotations

import json
import os
import tempfile
import warnings
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
        """What the file says; nothing if there is none. Errors: ArgumentError if it cannot be read or understood."""
        try:
            parts = json.loads(place().read_text(encoding="utf-8"))
            return cls(*({name: Record(**entry) for name, entry in parts[part].items()} for part in ("exercises", "questions")))
        except FileNotFoundError:
            return cls()
        except OSError as error:
            raise _unusable("cannot be read", error) from error
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise _unusable("is no file of progress", error) from error

    def write(self) -> None:
        """Put them into the file, whole or not at all. Errors: ArgumentError if it cannot be written."""
        target = place()
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=target.parent) as folder:
                new = Path(folder) / target.name
                new.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")
                os.replace(new, target)
        except OSError as error:
            raise _unusable("cannot be written", error) from error


@contextmanager
def records() -> Iterator[Records]:
    """What the file says, to be changed; at the end it is written. What cannot be kept is lost with a warning, and nothing else is."""
    unusable: ArgumentError | None = None
    try:
        kept = Records.read()
    except ArgumentError as error:
        kept, unusable = Records(), error
    yield kept
    try:
        if unusable is None:
            kept.write()
    except ArgumentError as error:
        unusable = error
    if unusable is not None:
        warnings.warn(f"{unusable}; until then, what you do is not kept", UserWarning, stacklevel=4)


def _unusable(what: str, error: Exception) -> ArgumentError:
    return ArgumentError(f"learn: {place()} {what} ({error}); mend it, take it away, or name another in MINIGRAD_PROGRESS")


def place() -> Path:
    """Where the file is: MINIGRAD_PROGRESS names it, else it is minigrad/progress.json under XDG_DATA_HOME or ~/.local/share."""
    named = os.environ.get("MINIGRAD_PROGRESS")
    return (
        Path(named).expanduser()
        if named
        else Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "minigrad" / "progress.json"
    )
