"""Measures of a classifier, as scikit-learn has them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.tensor import Array
from ..display import require
from .calibration import binned

__all__ = ["ClassScores", "averaged", "baseline_scores", "class_scores", "log_loss"]


@dataclass(frozen=True, eq=False, repr=False)
class ClassScores:
    """Measures of n samples in K classes; arrays hold one entry a class.

    `confusion` counts samples, rows true classes, columns predicted ones. precision = TP / (TP + FP), which counts as 0 in the means if the
    class is never predicted; recall = TP / (TP + FN); f1 = 2 TP / (2 TP + FP + FN). `balanced_accuracy` is the mean recall of the classes
    that occur, `macro_…` the plain mean over the classes that occur or are predicted, `weighted_…` the mean weighted by `support`, the
    samples of each class.
    `roc_auc` and `average_precision` are those of class 1 for two classes, else the means of one class against the rest. Of two classes the
    logits rank the samples, if there are any: they tell apart what is rounded to one probability.
    `brier` is the mean Σ (p − one-hot)², halved for two classes. `log_loss` is the mean −log p of the true class, p clipped to 2.2e-16 and
    above. `ece`, `mce`: calibration errors over bins of equal width, `…_equal_mass` over bins of equal mass, see `reliability`.
    What is 0 / 0, or needs a class that does not occur, is nan.
    """

    accuracy: float
    balanced_accuracy: float
    macro_precision: float
    macro_recall: float
    macro_f1: float
    weighted_precision: float
    weighted_recall: float
    weighted_f1: float
    roc_auc: float
    average_precision: float
    brier: float
    log_loss: float
    ece: float
    mce: float
    ece_equal_mass: float
    mce_equal_mass: float
    precision: Array
    recall: Array
    f1: Array
    support: Array
    roc_auc_per_class: Array
    average_precision_per_class: Array
    confusion: Array


def class_scores(p: Array, ranks: tuple[Array, Array], predicted: Array, t: Array, bins: int, binary: bool) -> ClassScores:
    """The measures of probabilities (n, K), with their `ranking` and the classes predicted; `binary`: calibration is that of class 1."""
    metrics = require("evaluate", "sklearn.metrics")
    labels = np.arange(p.shape[1])
    precision, recall, f1, support = metrics.precision_recall_fscore_support(t, predicted, labels=labels, zero_division=0)
    absent = support == 0
    never = ~np.isin(labels, predicted)
    auc, ap = ranks
    wanted = t[:, None] == labels
    confidence, hits = (p[:, 1], t == 1) if binary else (p.max(1), p.argmax(1) == t)
    uniform, mass = (binned(confidence, hits, bins, strategy) for strategy in ("uniform", "quantile"))
    recall = np.where(absent, np.nan, recall)
    return ClassScores(
        accuracy=float(metrics.accuracy_score(t, predicted)),
        balanced_accuracy=float(np.nanmean(recall)),
        **averaged(t, predicted, "macro", "weighted"),
        roc_auc=float(auc[1] if len(labels) == 2 else auc.mean()),
        average_precision=float(ap[1] if len(labels) == 2 else ap.mean()),
        brier=float(np.square(p - wanted).sum(1).mean() / (2 if len(labels) == 2 else 1)),
        log_loss=log_loss(p[wanted]),
        ece=uniform.ece,
        mce=uniform.mce,
        ece_equal_mass=mass.ece,
        mce_equal_mass=mass.mce,
        precision=np.where(never, np.nan, precision),
        recall=recall,
        f1=np.where(absent & never, np.nan, f1),
        support=support,
        roc_auc_per_class=auc,
        average_precision_per_class=ap,
        confusion=metrics.confusion_matrix(t, predicted, labels=labels),
    )


def log_loss(given: Array) -> float:
    """The mean −log of the probabilities given to what came true."""
    return float(-np.log(np.maximum(given, np.finfo(np.float64).eps)).mean())


def averaged(t: Array, predicted: Array, *kinds: str) -> dict[str, float]:
    """Precision, recall and F1 averaged over classes or labels, as "macro_precision" and so on."""
    average = require("evaluate", "sklearn.metrics").precision_recall_fscore_support
    return {
        f"{kind}_{name}": float(value)
        for kind in kinds
        for name, value in zip(("precision", "recall", "f1"), average(t, predicted, average=kind, zero_division=0)[:3], strict=True)
    }


def baseline_scores(t: Array, classes: int, bins: int, binary: bool) -> ClassScores:
    """The measures of always answering the most frequent class, with the classes' frequencies as probabilities: these rank nothing."""
    frequencies = np.bincount(t, minlength=classes) / len(t)
    majority = np.full(len(t), frequencies.argmax())
    occurs = frequencies > 0
    ranks = np.where(occurs & (frequencies < 1), 0.5, np.nan), np.where(occurs, frequencies, np.nan)
    return class_scores(np.broadcast_to(frequencies, (len(t), classes)), ranks, majority, t, bins, binary)
