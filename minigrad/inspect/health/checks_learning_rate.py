"""What the doctor says of the learning rate: by the losses of a training, step by step, or else epoch by epoch."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ...core.tensor import Array
from ...display import number
from ...train import History
from .finding import Finding, percent
from .statistics import Statistics

__all__ = ["learning_rate"]

FEW = 4
"""With fewer losses, nothing is said (but that one is no number any more)."""

STEPS = 20
"""With fewer losses than that, only a loss that climbs far counts: what oscillates or falls slowly takes longer to show."""

RISEN = 1.5
"""The loss diverges if, in the last quarter, it is this many times what it was at first, and what the best constant answer costs."""

SHOT = 2.5
"""The mean of WINDOW losses early in training shoots up if it is this many times the first loss, and what the best constant answer costs.
In 870 trainings (digits, iris, wine, breast cancer, moons, diabetes; SGD, momentum, Adam at brisk rates) it was at most 2.45 with batches of
16 and more; single samples vary more, up to 3.9 with Adam at 0.01 (if the loss recovers, it is a note). Of few losses the last quarter must
be as high, and rising or above FAR times that."""

SHOT_AND_STUCK = 1.5
"""A lower shot counts, if the loss has got nowhere since, and is by this factor above all that comes late: what single samples
make of it, they make of it late in training, too."""

WINDOW = 4
EARLY = 0.25  # the share of the training that counts as early
FAR = 10.0

STUCK = 0.7
"""It has not got anywhere if it is still above this share of the start, and of what the best constant answer costs: a training that goes
on from low losses need not fall far."""

LEVEL = 0.5
"""Below this share of what the best constant answer costs, something has been learned."""

SWING = 0.5
"""It oscillates if its standard deviation is above this share of its mean. Batches of 16 and more make it vary by 0.1 to 0.3 so far up."""

SLOW = 0.1
"""A loss that fell all the time, but by less than this share in all, falls too slowly."""

SLOW_STEPS = 50
"""Fewer steps than that may not fall far at any rate."""

FLAT = 1e-3
"""Means of epochs that all lie within this share of the first are flat. At a minimum, where there is no more to learn, batches push the
weights to and fro, and the means with them."""

STILL = 10
"""So many steps at a usual rate make a loss that can fall at all leave that band."""

GRADIENT = 0.01
"""A loss can fall if the norms of weights and gradients, multiplied, come to this share of it."""


@dataclass
class _Course:
    """The losses of a training: `start` is the median of the first ones, `level` that of the last quarter; `baseline` is what the best
    constant answer costs, 0 where it is not known; `reference` is what a loss may cost at first: a small first batch says little."""

    losses: Array
    unit: str
    baseline: float

    def __post_init__(self) -> None:
        self.start = float(np.median(self.losses[: max(FEW, self.losses.size // 20)]))
        self.late = self.losses[-max(1, self.losses.size // 4) :]
        self.level = float(np.median(self.late))
        self.reference = max(float(self.losses[0]), self.baseline or self.start)

    @property
    def last_quarter(self) -> str:
        return f"{number(self.level)} in the last quarter of {self.losses.size:,} {self.unit}s"


def learning_rate(statistics: Statistics, history: History) -> Iterator[Finding]:
    """The learning rate, judged by the losses: they diverge, shoot up, oscillate, or hardly fall."""
    unit = "step" if history.step_losses else "epoch"
    losses = np.asarray(history.step_losses or [row.loss for row in history.rows], np.float64)
    lost = np.flatnonzero(~np.isfinite(losses))
    if lost.size:
        yield from _lost(losses, int(lost[0]), unit, statistics)
        return
    if losses.size < FEW or not losses[0] > 0:
        return
    course = _Course(losses, unit, 0.0 if math.isnan(statistics.baseline) else statistics.baseline)
    found = _diverged(course) or _shot_up(course) or _oscillates(course) or _too_slow(statistics, course, history)
    if found is not None:
        yield found


_SLOWER = "Divide the learning rate by 10; clip gradients; let it warm up."


def _too_high(severity: str, told: str, value: float, threshold: float) -> Finding:
    return Finding("learning_rate_too_high", severity, "training", told, _SLOWER, value, threshold)


def _lost(losses: Array, n: int, unit: str, statistics: Statistics) -> Iterator[Finding]:
    """A loss that is no number: no learning rate is to blame for the first one."""
    if n:
        told = f"The loss is no finite number from {unit} {n + 1} on ({losses[n]}), after {number(losses[n - 1])} in the {unit} before."
        yield _too_high("error", told, float(n + 1), math.nan)
    elif unit == "step" and not (statistics.birth and statistics.birth.step):
        told = f"The loss was {losses[0]} in the first step already, before any update: the data, the model as it was, or the loss made it."
        remedy = "Look at a model that has not been trained: doctor(model, data, loss), or DoctorCallback during the training."
        yield Finding("nan", "error", "training", told, remedy)


def _diverged(course: _Course) -> Finding | None:
    """The loss ends far above where it began."""
    level, losses = course.level, course.losses
    risen = level / course.reference
    if losses.size < STEPS:
        rising = bool((np.diff(losses[-3:]) > 0).all())
        found, threshold = risen > SHOT and (rising or risen > FAR), SHOT
    elif level > SHOT * course.start and level > LEVEL * course.baseline:  # a training that went on from lower losses
        found, risen, threshold = True, level / course.start, SHOT
    else:
        found, threshold = risen > RISEN, RISEN
    told = f"The loss diverges: from {number(losses[0])} in the first {course.unit} to {course.last_quarter}."
    return _too_high("error", told, risen, threshold) if found else None


def _shot_up(course: _Course) -> Finding | None:
    """The loss leaps early on: the weights are thrown far off, and have to find back, if they do."""
    losses = course.losses
    early = losses[: max(2 * WINDOW, round(EARLY * losses.size))]
    if early.size < 2 * WINDOW:
        return None
    peak = _peak(early)
    shot = peak / course.reference
    stuck = course.level > STUCK * course.reference and peak > SHOT_AND_STUCK * _peak(course.late)
    threshold = SHOT_AND_STUCK if stuck else SHOT
    if shot < threshold:
        return None
    recovered = course.level < LEVEL * (course.baseline or course.start)
    told = (
        f"The loss shot up to {number(early.max())} in {course.unit} {early.argmax() + 1}, from {number(losses[0])} in the first; it is "
        f"{course.last_quarter}."
    )
    return _too_high("note" if recovered else "warning", told, shot, threshold)


def _peak(losses: Array) -> float:
    """The largest mean of WINDOW losses in a row."""
    return float(np.convolve(losses, np.ones(WINDOW) / WINDOW, "valid").max()) if losses.size >= WINDOW else float(losses.max())


def _oscillates(course: _Course) -> Finding | None:
    """The loss goes up and down, and not down on the whole."""
    losses = course.losses
    start, half, late = float(losses[: max(FEW, losses.size // 20)].mean()), losses[losses.size // 2 :], float(course.late.mean())
    if losses.size < STEPS or late <= STUCK * max(start, course.baseline) or half.std() <= SWING * half.mean():
        return None
    told = (
        f"The loss oscillates and does not fall: in the second half of {losses.size:,} {course.unit}s it lies between "
        f"{number(half.min())} and {number(half.max())}, at the start it was {number(start)}."
    )
    return _too_high("warning", told, float(half.std() / half.mean()), SWING)


def _too_slow(statistics: Statistics, course: _Course, history: History) -> Finding | None:
    """The loss falls steadily, or stands still, far up, though there are gradients to follow."""
    losses = course.losses
    by_epoch = [row.loss for row in history.rows]  # each of the same samples, so that they vary less than steps do
    means = by_epoch if len(by_epoch) >= FEW else [float(part.mean()) for part in np.array_split(losses, 4)]
    fall = (means[0] - means[-1]) / means[0]
    if means[-1] < (1 - SLOW) * course.baseline or not _can_fall(statistics, means[-1]):
        return None
    noise = 0.0 if means is by_epoch else 2 * math.sqrt(2 * losses.var() / losses.size * 4) / means[0]
    steady = losses.size >= SLOW_STEPS and all(a > b for a, b in pairwise(means)) and noise < fall < SLOW
    flat = losses.size >= STILL and max(means) - min(means) < FLAT * means[0]
    if not steady and not flat:
        return None
    how = f"falls steadily, but by {percent(fall)} only" if steady else f"hardly moves (by {percent(abs(fall))})"
    what = "epochs" if means is by_epoch else "quarters"
    told = (
        f"The loss {how} in {losses.size:,} {course.unit}s, from {number(means[0])} to {number(means[-1])} (means of the first and "
        f"last of {len(means)} {what}), though there are gradients to follow."
    )
    remedy = "Multiply the learning rate by 3 to 10, by more if nothing moves, or try Adam; see that the inputs are scaled."
    severity = "warning" if course.baseline else "note"
    return Finding("learning_rate_too_low", severity, "training", told, remedy, fall, SLOW)


def _can_fall(statistics: Statistics, loss: float) -> bool:
    """Whether gradients are worth following: what a change of the weights does to the loss, to first order, as a share of it."""
    reach = sum(weight.gradient * weight.norm for weight in statistics.matrices if weight.gradients)
    return reach > GRADIENT * loss
