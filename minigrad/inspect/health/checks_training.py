"""What the doctor says of a training, epoch by epoch, and of validation data."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from ...display import number
from ...train import Epoch, History
from ...train.observations import Course
from .finding import Finding
from .statistics import Judgement, Statistics

__all__ = ["of_history", "of_validation"]

ACCURACY_GAP = 0.1
"""Accuracy in training minus that in validation from which it is overfitting. In healthy networks on digits, wine, iris, breast cancer
and moons the gap was at most 0.06; small validation sets add two standard errors of their accuracy."""

LOSS_RISE = 1.5
"""A validation loss that rose to this many times its best, while the training loss fell. A little rise is usual: networks that are right
get ever surer, and the few samples that they get wrong cost ever more."""

LOSS_GAP = 3.0
"""Loss on validation data over loss on training data from which a regression overfits, unless it is below SMALL of the best constant
answer's there, too."""

SMALL = 0.25
"""Networks that are right on 91 to 96 % of wine have 0.12 to 0.22 of that, for a squared error of softmax, and 2 to 5 times the loss in
training."""

CHANCE = 0.05
"""A loss this close to −log 1/K, relatively, after some epochs, is that of a guess among K classes."""

FREQUENCIES = 0.02
"""A loss this close to the entropy of the labels is that of always answering with the frequencies of the classes. Closer than CHANCE, as
what can be learned of rare classes is a small share of it; the entropy must be known to within CHANCE (two standard errors)."""

EPOCHS = 3
"""Before that many epochs, a loss at chance level may only be slow."""


def of_history(statistics: Statistics, history: History) -> Iterator[Finding]:
    """What the epochs say: overfitting, and a loss at chance level."""
    # To the weights that the model was left with.
    rows = [row for row in history.rows if not history.kept or row.epoch <= history.kept]
    if not rows:
        return
    yield from _overfitting(rows)
    if len(rows) >= EPOCHS and statistics.costs.size:
        yield from _chance_level(statistics, len(rows), rows[-1].loss)


def _chance_level(statistics: Statistics, epochs: int, loss: float) -> Iterator[Finding]:
    """A loss that takes no model: that of guessing, or of always answering with the frequencies of the classes."""
    classes, entropy = statistics.classes or 2, statistics.baseline
    chance = math.log(classes)
    error = 0.0 if statistics.complete else 2 * float(statistics.costs.std()) / math.sqrt(statistics.costs.size)
    if classes > 1 and abs(loss - chance) <= CHANCE * chance:
        told, bound = f"guessing among {classes} classes (−log 1/{classes} = {chance:.4f})", chance
    elif abs(loss - entropy) <= FREQUENCIES * entropy and error <= CHANCE * entropy:
        told, bound = f"always answering with the frequencies of the classes (their entropy, {entropy:.4f})", entropy
    else:
        return
    told = f"After {epochs} epochs the loss is {loss:.4f}, that of {told}."
    remedy = (
        "See whether the model can learn ten samples by heart. If not, look for labels that do not belong to their inputs, a learning "
        "rate far off, dead or saturated layers, or a missing optimizer.step()."
    )
    yield Finding("chance_level", "warning", "training", told, remedy, loss, bound)


def _overfitting(rows: Sequence[Epoch]) -> Iterator[Finding]:
    """A gap in accuracy, or a validation loss that rises far while the training loss falls."""
    course = Course(rows)
    last, best = rows[-1], course.best
    if best is None or "loss" not in last.validation:
        return
    train, validation = last.metrics.get("accuracy", math.nan), last.validation.get("accuracy", math.nan)
    lowest, rises = best.validation["loss"], course.overfits()
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
    elif (
        math.isnan(gap)
        and validation.loss > LOSS_GAP * train.loss
        and not validation.loss < SMALL * statistics.baseline
        and statistics.learned(0.5)
    ):
        ratio = validation.loss / train.loss if train.loss else math.inf
        told = f"The loss is {number(train.loss)} on training data, but {number(validation.loss)} on validation data."
        yield Finding("overfitting", "warning", "validation", told, _GENERALIZE, ratio, LOSS_GAP)
