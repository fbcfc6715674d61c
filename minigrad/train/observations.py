"""What a history says, in words: each from the numbers of the epochs so far."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .history import Epoch

__all__ = ["WINDOW", "observation", "overfitting", "verdict"]

WINDOW = 5  # epochs that a trend takes
STEEP = 0.20  # a loss that falls by this share in an epoch falls fast
FLAT = 0.01  # one that moves by less than this share in WINDOW epochs has come to rest
RISE = 0.05  # a validation loss this share above its lowest, on average over WINDOW epochs, has risen
BLOWN = 1.5  # a training loss this many times its lowest has come undone


def observation(recent: Sequence[Epoch], lowest: Epoch, best: Epoch | None) -> str:
    """What is to be said of the last of the recent epochs (WINDOW + 1 of them, as far as there are so many), given the epoch of the lowest
    training loss so far, and that of the lowest validation loss."""
    now = recent[-1]
    if not math.isfinite(now.loss):
        return "the loss is no number any more: diverged"
    if len(recent) == 1:
        return "where it starts"
    return _of_training(recent, lowest) + _of_validation(recent, best)


def _of_training(recent: Sequence[Epoch], lowest: Epoch) -> str:
    """How the training loss moves."""
    before, now = recent[-2].loss, recent[-1].loss
    if now > before and now > BLOWN * lowest.loss > 0:
        return f"diverging: the loss is {now / lowest.loss:.1f} times its lowest; try a smaller learning rate"
    if len(recent) > WINDOW and abs(recent[-1 - WINDOW].loss - now) < FLAT * abs(recent[-1 - WINDOW].loss):
        return f"plateau: the loss moved by less than {FLAT:.0%} in {WINDOW} epochs"
    change = round((now - before) / abs(before), 3) if before else 0.0
    if change == 0:
        return "loss stays as it is"
    return f"loss {'rises' if change > 0 else 'falls fast' if change <= -STEEP else 'falls'} ({change:+.1%})"


def _of_validation(recent: Sequence[Epoch], best: Epoch | None) -> str:
    """What the validation loss adds to it."""
    if best is None or "loss" not in recent[-1].validation:
        return ""
    if overfitting(recent, best):
        return f"; overfitting since epoch {best.epoch}"
    return "; validation at its best" if best is recent[-1] else ""


def overfitting(recent: Sequence[Epoch], best: Epoch) -> bool:
    """Whether, for WINDOW epochs, the validation loss has stood above its lowest, while the training loss fell."""
    since = [row.validation.get("loss", math.nan) for row in recent[-WINDOW:]]
    risen = sum(since) / len(since) > (1 + RISE) * best.validation["loss"]
    return risen and recent[-1].epoch - best.epoch >= WINDOW and recent[-1].loss < best.loss


def verdict(rows: Sequence[Epoch], best: Epoch | None) -> str:
    """What is to be said of the whole training."""
    if not rows:
        return "No epoch was trained."
    first, last = rows[0], rows[-1]
    said = f"The training loss went from {first.loss:.4g} to {last.loss:.4g} in {len(rows)} epochs."
    if len(rows) == 1:
        said = f"The training loss was {last.loss:.4g} in the one epoch that was trained."
    if best is None or "loss" not in last.validation:
        return said
    now, lowest = last.validation["loss"], best.validation["loss"]
    if best is last:
        return f"{said} The validation loss ended at its lowest, {now:.4g}."
    said += f" The validation loss was lowest in epoch {best.epoch}, {lowest:.4g}, and ended at {now:.4g}"
    return f"{said}, while the training loss fell: overfitting." if overfitting(rows, best) else f"{said}."
