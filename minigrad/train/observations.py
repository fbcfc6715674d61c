"""What a history says, in words: each from the numbers of the epochs so far.

Losses are noisy, so that a trend is judged by means over a few epochs: by how far they move beside the scatter of single losses, and beside
the whole way that the loss has come.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise, takewhile
from statistics import fmean, stdev
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .history import Epoch

__all__ = ["Course", "observation", "verdict"]

WINDOW = 3  # epochs that a mean is taken over, and that a trend lasts
FAST = 0.20  # a loss that falls by this share in an epoch falls fast
FLAT = 0.01  # means that differ by less than this share are the same
REST = 1.2  # and so are means that differ by less than so many standard deviations
BLOWN = 0.5  # a training loss that stands this share above the first one, twice running, has come undone;
UNDONE = 0.5  # so has one that stays this share of its progress above the lowest, if it had come down by this share
RISEN = 0.02  # a validation loss has risen by this share of itself, and of all its progress (a loss of 10⁻⁵ may double),
CERTAIN = 4  # and by so many standard deviations (noise alone rises so far in 4 of 100 trainings of 30 epochs)
MANY = 10  # a rise to so many times the loss is told as such, not in percent


class Course:
    """The epochs of a training as they come, and those among them that later ones are held against."""

    def __init__(self, rows: Sequence[Epoch] = ()) -> None:
        self.rows: list[Epoch] = []
        self.lowest: Epoch | None = None
        self.best: Epoch | None = None
        self.first_judged: Epoch | None = None
        for row in rows:
            self.append(row)

    def append(self, row: Epoch) -> None:
        """Add an epoch."""
        self.rows.append(row)
        if math.isfinite(row.loss) and (self.lowest is None or row.loss < self.lowest.loss):
            self.lowest = row
        if _judged(row):
            self.first_judged = self.first_judged or row
            if self.best is None or row.validation["loss"] < self.best.validation["loss"]:
                self.best = row

    def diverges(self) -> bool:
        """Whether the training loss has gone up and stays there."""
        last = [row.loss for row in self.rows[-WINDOW:]]
        if not math.isfinite(last[-1]):
            return True
        first, lowest = self.rows[0].loss, self.lowest.loss if self.lowest else math.nan
        if len(self.rows) > 2 and min(last[-2:]) > first + BLOWN * abs(first):
            return True
        progress = first - lowest
        return len(last) == WINDOW and progress > UNDONE * abs(first) and min(last) > lowest + UNDONE * progress

    def rests(self) -> bool:
        """Whether the training loss moves no more than it scatters."""
        recent = [row.loss for row in self.rows[-2 * WINDOW :]]
        if len(recent) < 2 * WINDOW or not all(map(math.isfinite, recent)):
            return False
        moved = abs(fmean(recent[WINDOW:]) - fmean(recent[:WINDOW]))
        return moved < max(FLAT * abs(fmean(recent)), REST * _scatter(recent))

    def overfits(self) -> bool:
        """Whether the validation loss has risen since its lowest, while the training loss fell."""
        now, best, first = self.rows[-1], self.best, self.first_judged
        if best is None or first is None or not _judged(now) or not now.loss < best.loss:
            return False
        since = [row.validation["loss"] for row in self.rows if row.epoch >= best.epoch and _judged(row)]
        if len(since) < 2 * WINDOW:
            return False
        rise = fmean(since[-WINDOW:]) - fmean(since[:WINDOW])
        lowest = best.validation["loss"]
        progress = first.validation["loss"] - lowest
        return rise > max(RISEN * abs(lowest), RISEN * progress, CERTAIN * _scatter(since))


def _judged(row: Epoch) -> bool:
    """Whether an epoch has a validation loss that is a number."""
    return math.isfinite(row.validation.get("loss", math.nan))


def _scatter(losses: Sequence[float]) -> float:
    """The standard deviation of losses about their trend: from the differences of neighbours, to which a steady trend adds nothing."""
    return stdev(b - a for a, b in pairwise(losses)) / math.sqrt(2)


def observation(course: Course) -> str:
    """What is to be said of the last epoch."""
    if not math.isfinite(course.rows[-1].loss):
        return "the loss is no number any more: diverged"
    if len(course.rows) == 1:
        return "where it starts"
    if course.diverges():
        return "diverging: try a smaller learning rate"
    if course.overfits() and course.best is not None:
        return f"{_move(course)}; overfitting since epoch {course.best.epoch}"
    if _lost(course):
        return f"{_move(course)}; the validation loss is no number"
    return f"{_move(course)}; validation at its best" if course.best is course.rows[-1] else _move(course)


def _move(course: Course) -> str:
    """How the training loss moves."""
    losses = [row.loss for row in course.rows[-WINDOW - 1 :]]
    before, now = losses[-2:]
    if not math.isfinite(before):
        return "loss is a number again"
    change = round((now - before) / abs(before), 3) if before else 0.0
    if course.rests():
        return "plateau"
    if now >= MANY * before > 0:
        return f"loss rises ({now / before:.0f}-fold)"
    if change == 0:
        return "loss stays as it is"
    steadily = len(losses) > WINDOW and all(b < a for a, b in pairwise(losses))
    how = "rises" if change > 0 else "falls fast" if change <= -FAST else "falls steadily" if steadily else "falls"
    return f"loss {how} ({change:+.1%})"


def verdict(course: Course) -> str:
    """What is to be said of the whole training."""
    if not course.rows:
        return "No epoch was trained."
    first, last = course.rows[0], course.rows[-1]
    if len(course.rows) == 1:
        return f"The training loss was {last.loss:.4g} in the one epoch that was trained.{_lost(course)}"
    said = f"The training loss went from {first.loss:.4g} to {last.loss:.4g} in {len(course.rows)} epochs"
    if course.diverges():
        return f"{said}: it diverges; try a smaller learning rate."
    said += ", and has come to rest." if course.rests() else "."
    if course.best is None or not _judged(last):
        return f"{said}{_lost(course)}"
    now, lowest = last.validation["loss"], course.best.validation["loss"]
    if course.best is last:
        return f"{said} The validation loss ended at its lowest, {now:.4g}."
    said += f" The validation loss was lowest in epoch {course.best.epoch}, {lowest:.4g}, and ended at {now:.4g}"
    return f"{said}, while the training loss fell: overfitting." if course.overfits() else f"{said}."


def _lost(course: Course) -> str:
    """Since when the validation loss is no number, if it is none."""
    rows = [*takewhile(lambda row: "loss" in row.validation and not _judged(row), reversed(course.rows))]
    return f" The validation loss is no number (since epoch {rows[-1].epoch})." if rows else ""
