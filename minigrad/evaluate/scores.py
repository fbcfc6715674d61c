"""Measures of a classifier, as scikit-learn has them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.tensor import Array
from ..display import require
from .calibration import binned

__all__ = ["ClassScores", "baseline_scores", "class_scores", "ranking"]


@dataclass(frozen=True, eq=False, repr=False)
class ClassScores:
    """Measures of n samples in K classes; arrays hold one entry a class.

    `confusion` counts samples, rows true classes, columns predicted ones. precision = TP / (TP + FP), which counts as 0 in the means if the
    class is never predicted; recall = TP / (TP + FN); f1 = 2 TP / (2 TP + FP + FN). `balanced_accuracy` is the mean recall of the classes
    that occur, `macro_…` the plain mean over the classes that occur or are predicted, `weighted_…` the mean weighted by `support`, the
    samples of each class.
    `roc_auc` and `average_precision` are those of class 1 for two classes, else the means of one class against the rest.
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


def class_scores(p: Array, predicted: Array, t: Array, bins: int, binary: bool) -> ClassScores:
    """The measures of probabilities (n, K) with the classes predicted from them; `binary`: calibration is that of class 1."""
    metrics = require("evaluate", "sklearn.metrics")
    labels = np.arange(p.shape[1])
    precision, recall, f1, support = metrics.precision_recall_fscore_support(t, predicted, labels=labels, zero_division=0)
    absent = support == 0
    never = ~np.isin(labels, predicted)
    averages = {
        f"{average}_{name}": float(value)
        for average in ("macro", "weighted")
        for name, value in zip(
            ("precision", "recall", "f1"),
            metrics.precision_recall_fscore_support(t, predicted, average=average, zero_division=0)[:3],
            strict=True,
        )
    }
    auc, ap = ranking(t[:, None] == labels, p)
    confidence, hits = (p[:, 1], t == 1) if binary else (p.max(1), p.argmax(1) == t)
    uniform, mass = (binned(confidence, hits, bins, strategy) for strategy in ("uniform", "quantile"))
    recall = np.where(absent, np.nan, recall)
    return ClassScores(
        accuracy=float(metrics.accuracy_score(t, predicted)),
        balanced_accuracy=float(np.nanmean(recall)),
        **averages,
        roc_auc=float(auc[1] if len(labels) == 2 else auc.mean()),
        average_precision=float(ap[1] if len(labels) == 2 else ap.mean()),
        brier=float(metrics.brier_score_loss(t, p, labels=labels)),
        log_loss=float(metrics.log_loss(t, p, labels=labels)),
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


def ranking(wanted: Array, scores: Array) -> tuple[Array, Array]:
    """ROC AUC and average precision of each column against what is wanted there; nan where that has one value only (no positive)."""
    metrics = require("evaluate", "sklearn.metrics")
    auc, ap = np.full((2, scores.shape[1]), np.nan)
    for k, (true, score) in enumerate(zip(wanted.T, scores.T, strict=True)):
        if true.any():
            ap[k] = metrics.average_precision_score(true, score)
            auc[k] = np.nan if true.all() else metrics.roc_auc_score(true, score)
    return auc, ap


def baseline_scores(t: Array, classes: int, bins: int, binary: bool) -> ClassScores:
    """The measures of always answering the most frequent class, with the classes' frequencies as probabilities."""
    frequencies = np.bincount(t, minlength=classes) / len(t)
    majority = np.full(len(t), frequencies.argmax())
    return class_scores(np.broadcast_to(frequencies, (len(t), classes)), majority, t, bins, binary)
