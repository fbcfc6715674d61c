"""What a score ranks: the samples above each of its values, the area under the ROC curve, average precision."""

from __future__ import annotations

import numpy as np

from ..core.tensor import Array

__all__ = ["counts_above", "ranking"]


def counts_above(scores: Array, positive: Array) -> tuple[Array, Array, Array]:
    """The distinct scores (m), ascending; and true and false positives (m + 1) of the rule score ≥ each of them, at last of none."""
    order = np.argsort(scores)
    ascending, found = scores[order], np.cumsum(positive[order])
    first = np.flatnonzero(np.append(True, ascending[1:] != ascending[:-1]))  # of each group of equal scores
    below = np.append(first, len(scores))  # samples that the rule refuses, and at last all of them
    tp = found[-1] - np.append(0, found)[below]
    return ascending[first], tp, len(scores) - below - tp


def ranking(wanted: Array, scores: Array) -> tuple[Array, Array]:
    """ROC AUC and average precision of each column against what is wanted there; nan where that has one value only (no positive).

    AUC = Σ Δfp (tp + tp') / (2 P N), the trapezoids between neighbouring thresholds; AP = Σ Δtp tp / (tp + fp) / P; both without
    interpolation of ties, as scikit-learn has them. Complexity: O(n log n) a column, one sort.
    """
    auc, ap = np.full((2, scores.shape[1]), np.nan)
    for k, (true, score) in enumerate(zip(wanted.T, scores.T, strict=True)):
        _, tp, fp = counts_above(score, true)
        positives, negatives = int(tp[0]), int(fp[0])
        if positives:
            ap[k] = -np.diff(tp) @ (tp[:-1] / (tp + fp)[:-1]) / positives
        if positives and negatives:
            auc[k] = -np.diff(fp) @ (tp[:-1] + tp[1:]) / (2 * positives * negatives)
    return auc, ap
