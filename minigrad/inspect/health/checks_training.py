"""What the doctor says of a training: its losses step by step and epoch by epoch, and what validation data say."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from ...core.tensor import Array
from ...display import number
from ...train import Epoch, History
from ...train.observations import overfitting
from .finding import Finding, percent
from .statistics import Judgement, Statistics

__all__ = ["learning_rate", "of_history", "of_validation"]

ACCURACY_GAP = 0.1
"""Accuracy in training minus that in validation from which it is overfitting. In healthy networks on digits, wine, iris, breast cancer
and moons the gap was at most 0.06; small validation sets add two standard errors of their accuracy."""

LOSS_RISE = 1.5
"""A validation loss that rose to this many times its best, while the training loss fell. A little rise is usual: networks that are right
get ever surer, and the few samples that they get wrong cost ever more."""

LOSS_GAP = 3.0
"""Loss on validation data over loss on training data from which a regression overfits."""

CHANCE = 0.05
"""A loss this close to −log 1/K, relatively, after some epochs, is that of a guess among K classes."""

EPOCHS = 3
"""Before that many epochs, a loss at chance level may only be slow."""

STEPS = 20
"""With fewer steps, nothing is said of the learning rate (but that the loss is no number any more)."""

RISEN = 1.5
"""The loss diverges if, in the last quarter of the steps, it is this many times what it was at the start."""

STUCK = 0.7
"""It has not got anywhere if it is still above this share of the start …"""

SWING = 0.5
"""… and oscillates if its standard deviation is above this share of its mean. Batches of 16 and more make it vary by 0.1 to 0.3 so far up."""

SHOT = 3.0
"""One that shot up to this many times the start and got nowhere has thrown the weights away."""

SLOW = 0.1
"""A loss that fell in each quarter of the steps, but by less than this share in all, falls too slowly."""

SLOW_STEPS = 50
"""Fewer steps than that may not fall far at any rate."""


def of_history(statistics: Statistics, history: History) -> Iterator[Finding]:
    """What the epochs say: overfitting, and a loss at chance level."""
    rows = [
        row for row in history.rows if not history.kept or row.epoch <= history.kept
    ]  # to the weights that the model was left with
    if not rows:
        return
    yield from _overfitting(rows)
    last, classes = rows[-1], statistics.classes or (2 if statistics.loss.startswith("binary_cross_entropy") else 0)
    if classes > 1 and len(rows) >= EPOCHS and statistics.comparable:
        chance = math.log(classes)
        if abs(last.loss - chance) <= CHANCE * chance:
            told = (
                f"After {len(rows)} epochs the loss is {last.loss:.4f}, that of guessing among {classes} classes "
                f"(−log 1/{classes} = {chance:.4f})."
            )
            remedy = (
                "See whether the model can learn ten samples by heart. If not, look for labels that do not belong to their inputs, a learning "
                "rate far off, dead or saturated layers, or a missing optimizer.step()."
            )
            yield Finding("chance_level", "warning", "training", told, remedy, last.loss, chance)


def _overfitting(rows: Sequence[Epoch]) -> Iterator[Finding]:
    """A gap in accuracy, or a validation loss that rises far while the training loss falls."""
    last = rows[-1]
    best = min((row for row in rows if "loss" in row.validation), key=lambda row: row.validation["loss"], default=None)
    if best is None or "loss" not in last.validation:
        return
    train, validation = last.metrics.get("accuracy", math.nan), last.validation.get("accuracy", math.nan)
    lowest, rises = best.validation["loss"], overfitting(rows, best)
    if train - validation > ACCURACY_GAP:
        told = f"The accuracy is {train:.4f} in training, but {validation:.4f} in validation"
        value, threshold = train - validation, ACCURACY_GAP
    elif rises and last.validation["loss"] > LOSS_RISE * lowest:
        value, threshold = last.validation["loss"] / lowest, LOSS_RISE
        told = f"The validation loss is {value:.1f} times its lowest ({number(lowest)}), while the training loss fell to {number(last.loss)}"
    else:
        return
    told += f"; since epoch {best.epoch} the model learns what holds for the training data only." if rises else "."
    yield Finding("overfitting", "warning", "training", told, _GENERALIZE, value, threshold)


_GENERALIZE = "Stop earlier (EarlyStopping, BestWeights), or try weight decay, dropout, a smaller model, or more data."


def of_validation(train: Judgement, validation: Judgement, statistics: Statistics) -> Iterator[Finding]:
    """The same model on training and on validation data."""
    accuracy = validation.accuracy
    gap = train.accuracy - accuracy
    if gap > ACCURACY_GAP + 2 * math.sqrt(max(accuracy * (1 - accuracy), 0.0) / validation.samples):
        told = f"The accuracy is {train.accuracy:.4f} on training data, but {accuracy:.4f} on {validation.samples:,} validation samples."
        yield Finding("overfitting", "warning", "validation", told, _GENERALIZE, gap, ACCURACY_GAP)
    elif math.isnan(gap) and validation.loss > LOSS_GAP * train.loss and statistics.learned(0.5):
        ratio = validation.loss / train.loss if train.loss else math.inf
        told = f"The loss is {number(train.loss)} on training data, but {number(validation.loss)} on validation data."
        yield Finding("overfitting", "warning", "validation", told, _GENERALIZE, ratio, LOSS_GAP)


def learning_rate(statistics: Statistics, losses: Sequence[float]) -> Iterator[Finding]:
    """The learning rate, judged by the losses of the steps: they diverge, oscillate, or fall steadily and too slowly."""
    series = np.asarray(losses, np.float64)
    lost = np.flatnonzero(~np.isfinite(series))
    if lost.size:
        told = f"The loss is no finite number from step {lost[0] + 1} on ({series[lost[0]]})"
        told += f", after {number(series[lost[0] - 1])} in the step before." if lost[0] else "."
        yield Finding("learning_rate_too_high", "error", "training", told, _SLOWER, float(lost[0] + 1), math.nan)
        return
    if series.size < STEPS:
        return
    start, late = float(series[: max(4, series.size // 20)].mean()), series[-(series.size // 4) :]
    half = series[series.size // 2 :]
    stuck = start > 0 and late.mean() > STUCK * start
    level, swing = float(np.median(late)), float(half.std() / half.mean()) if half.mean() > 0 else 0.0
    if start > 0 and level > RISEN * start:
        told = (
            f"The loss diverges: from {number(start)} at the start to {number(level)} in the last quarter of {series.size:,} steps."
        )
        yield Finding("learning_rate_too_high", "error", "training", told, _SLOWER, level / start, RISEN)
    elif stuck and swing > SWING:
        told = (
            f"The loss oscillates and does not fall: in the second half of {series.size:,} steps it lies between {number(half.min())} and "
            f"{number(half.max())}, at the start it was {number(start)}."
        )
        yield Finding("learning_rate_too_high", "warning", "training", told, _SLOWER, swing, SWING)
    elif stuck and series.max() > SHOT * start:
        told = (
            f"The loss shot up to {number(series.max())} in step {series.argmax() + 1} and got nowhere since: it is {number(level)} in the "
            f"last quarter of {series.size:,} steps, at the start it was {number(start)}."
        )
        yield Finding("learning_rate_too_high", "warning", "training", told, _SLOWER, float(series.max()) / start, SHOT)
    else:
        yield from _too_slow(statistics, series, start)


_SLOWER = "Divide the learning rate by 10; clip gradients; let it warm up."


def _too_slow(statistics: Statistics, series: Array, start: float) -> Iterator[Finding]:
    if series.size < SLOW_STEPS or not start > 0:
        return
    quarters = np.array_split(series, 4)
    means = [float(quarter.mean()) for quarter in quarters]
    error = math.sqrt(sum(float(quarter.var()) / quarter.size for quarter in (quarters[0], quarters[-1])))
    fall = (means[0] - means[-1]) / start
    steady = all(a > b for a, b in pairwise(means)) and means[0] - means[-1] > 2 * error
    baseline = statistics.baseline
    if steady and fall < SLOW and not means[-1] < (1 - SLOW) * baseline:
        told = (
            f"The loss falls steadily, but by {percent(fall)} only in {series.size:,} steps, from {number(means[0])} to "
            f"{number(means[-1])} (means of the first and last quarter)."
        )
        remedy = "Multiply the learning rate by 3 to 10, or try Adam; see that the inputs are scaled."
        yield Finding("learning_rate_too_low", "note" if math.isnan(baseline) else "warning", "training", told, remedy, fall, SLOW)
