"""Where to cut a score: precision, recall and F1 over the threshold, and ways to choose one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..core import Tensor
from ..core.tensor import Array
from ..display import Block, Cell, Document, Picture, Table, Text, number, plain
from ..errors import ArgumentError, ShapeError
from ..ops.activation import sigmoid
from .pictures import threshold_picture
from .ranks import counts_above
from .reading import names_of, numbers, scores_and_targets, single
from .tables import shown

__all__ = ["ThresholdChoice", "ThresholdCurve", "counted", "curve_of", "threshold_curve", "whole"]

RULE = "predicted = score ≥ threshold"
CLASSES = ("0", "1")
"""What the classes are called where they have no names."""


@dataclass(frozen=True, eq=False, repr=False)
class ThresholdCurve(Document):
    """What each threshold would bring. The rule: predicted = score ≥ threshold.

    One entry a distinct score, ascending, on the scale of the scores (`outputs`: logits or probabilities), and at last inf, with which
    nothing is predicted. precision = TP / (TP + FP), 1 where nothing is predicted (as in scikit-learn's curve); recall = TP / (TP + FN);
    f1 = 2 TP / (2 TP + FP + FN). Of equally good thresholds the highest is chosen: it predicts the fewest. A choice stands midway between
    its score and the next lower one, so that the rounding of float32 moves no sample across it.
    """

    title = "Thresholds"

    thresholds: Array
    tp: Array
    fp: Array
    fn: Array
    tn: Array
    outputs: str
    class_names: Sequence[str] = CLASSES

    @property
    def precision(self) -> Array:
        return np.where(self.tp + self.fp, self.tp / np.maximum(self.tp + self.fp, 1), 1.0)

    @property
    def recall(self) -> Array:
        return np.asarray(self.tp / np.maximum(self.tp + self.fn, 1))

    @property
    def f1(self) -> Array:
        return np.asarray(2 * self.tp / (2 * self.tp + self.fp + self.fn))

    @property
    def n(self) -> int:
        """The number of samples."""
        return int(self.tp[0] + self.fp[0])

    def headline(self) -> str:
        best = self.best_f1()
        return (
            f"{self.n:,} samples, {self.tp[0]:,} of them positive; thresholds on {self.outputs}. "
            f"The highest F1, {best.f1:.4f}, is at {best.threshold:.6g}."
        )

    # ---- choices

    def best_f1(self) -> ThresholdChoice:
        """The threshold of the highest F1."""
        return self._choice(_last_best(self.f1), f"highest F1 of {len(self.thresholds):,} thresholds")

    def recall_at_least(self, r: float) -> ThresholdChoice:
        """The highest precision among the thresholds of recall ≥ r that predict something. Errors: ArgumentError if r is not in [0, 1]."""
        _check_share("recall_at_least", r)
        at = _last_best(self.precision, self._some & (self.recall >= r))
        return self._choice(at, f"highest precision with recall ≥ {r:g}")

    def precision_at_least(self, p: float) -> ThresholdChoice:
        """The highest recall among the thresholds of precision ≥ p that predict something.

        Errors: ArgumentError if there is none; it says what the best is.
        """
        _check_share("precision_at_least", p)
        allowed = self._some & (self.precision >= p)
        if not allowed.any():
            best = _last_best(self.precision, self._some)
            raise ArgumentError(
                f"precision_at_least: no threshold reaches a precision of {p:g}; the best is {self.precision[best]:.4f}, "
                f"at {self._cut(best):.6g}, with a recall of {self.recall[best]:.4f}"
            )
        return self._choice(_last_best(self.recall, allowed), f"highest recall with precision ≥ {p:g}")

    def by_cost(self, cost_matrix: Any) -> ThresholdChoice:
        """The threshold of the lowest total cost; cost_matrix[true][predicted], 2 × 2, is the cost of one sample."""
        cost = _cost_matrix(cost_matrix)
        total = cost[0, 0] * self.tn + cost[0, 1] * self.fp + cost[1, 0] * self.fn + cost[1, 1] * self.tp
        at = _last_best(-total)
        return self._choice(at, f"lowest total cost, {number(whole(total[at]))}", costs=total)

    def at(self, threshold: float) -> ThresholdChoice:
        """What a threshold of one's own brings. Errors: ArgumentError if it is no number."""
        if not isinstance(threshold, (int, float, np.number)) or np.isnan(threshold):
            raise ArgumentError(f"at: threshold must be a number, got {threshold!r}")
        at = int(np.searchsorted(self.thresholds, threshold))  # the lowest score that it lets through
        return self._choice(min(at, len(self.thresholds) - 1), "as asked", threshold=float(threshold))

    @property
    def _some(self) -> Array:
        """Where something is predicted."""
        return np.asarray(self.tp + self.fp > 0)

    def _cut(self, at: int) -> float:
        """Midway between a score and the next lower one (below the lowest: 0, a logit less 2); the score itself if no number is between."""
        score = float(self.thresholds[at])
        below = float(self.thresholds[at - 1]) if at else score - 2 if self.outputs == "logits" else 0.0
        middle = below / 2 + score / 2
        apart = below < middle if self.outputs == "probabilities" else _probability(below) < _probability(middle)
        return middle if apart else score

    def _choice(self, at: int, why: str, costs: Array | None = None, threshold: float | None = None) -> ThresholdChoice:
        counts = {name: int(getattr(self, name)[at]) for name in _COUNTS}
        where = self._cut(at) if threshold is None else threshold
        cost = None if costs is None else float(costs[at])
        return ThresholdChoice(where, **counts, outputs=self.outputs, why=why, cost=cost, curve=self, costs=costs)

    # ---- as a document

    def to_dict(self) -> dict[str, Any]:
        names = ("outputs", "thresholds", "precision", "recall", "f1", "tp", "fp", "fn", "tn")
        return {name: plain(getattr(self, name)) for name in names}

    def blocks(self) -> list[Block]:
        best = _last_best(self.f1)
        levels = {_last_best(self.thresholds, self.recall >= level) for level in np.linspace(0, 1, 11)}
        rows = [[Cell(value, strong=bool(k == best)) for value in self._row(k)] for k in sorted({*levels, best, 0})]
        head = ("threshold", "precision", "recall", "F1", "TP", "FP", "FN", "TN")
        note = f"The rule: {RULE}. Shown: the highest threshold for each tenth of recall, and the highest F1."
        return [Text(self.headline()), Table(head, rows, row_heads=False, note=note), self.picture()]

    def _row(self, k: int) -> list[Any]:
        precision = float(self.precision[k]) if self._some[k] else shown(math.nan)
        counts = (int(getattr(self, name)[k]) for name in _COUNTS)
        return [self._cut(k), precision, float(self.recall[k]), float(self.f1[k]), *counts]

    def picture(self, chosen: float | None = None, title: str = "", costs: Array | None = None) -> Picture:
        """Precision, recall and F1 over the threshold, with one threshold marked; `costs`, one a threshold, on an axis of their own."""
        curves = {"precision": self.precision, "recall": self.recall, "F1": self.f1}
        return threshold_picture(self.thresholds, curves, costs, self.outputs, chosen, title or "Threshold curve")


_COUNTS = ("tp", "fp", "fn", "tn")


def _last_best(values: Array, allowed: Array | None = None) -> int:
    """The last index of the greatest of the allowed values."""
    values = values if allowed is None else np.where(allowed, values, -np.inf)
    return int(np.flatnonzero(values == values.max())[-1])


def whole(value: float) -> float:
    """An int in place of a whole float, which a table shows without decimals."""
    return int(value) if np.isfinite(value) and value == int(value) else float(value)


def _cost_matrix(value: Any) -> Array:
    try:
        cost = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        cost = np.array(np.nan)
    if cost.shape != (2, 2) or not np.isfinite(cost).all():
        raise ArgumentError(f"by_cost: cost_matrix must be 2 × 2 finite numbers, [true][predicted], got {value!r}")
    return cost


def _check_share(name: str, value: Any) -> None:
    if not isinstance(value, (int, float, np.number)) or not 0 <= value <= 1:
        raise ArgumentError(f"{name}: expected a share between 0 and 1, got {value!r}")


def _probability(logit: float) -> float:
    return float(sigmoid(Tensor(np.array(logit))).item())


def _share(part: int, whole_: int) -> float:
    return part / whole_ if whole_ else math.nan


@dataclass(frozen=True, eq=False, repr=False)
class ThresholdChoice(Document):
    """A threshold, on the scale of the scores it was chosen on, and what it brings there. inf predicts nothing."""

    title = "Threshold"

    threshold: float
    tp: int
    fp: int
    fn: int
    tn: int
    outputs: str
    why: str
    cost: float | None = None
    curve: ThresholdCurve = field(kw_only=True)
    costs: Array | None = field(kw_only=True, default=None)

    @property
    def probability(self) -> float:
        """The threshold as a probability, which `evaluate` takes: σ of one on logits; inf predicts nothing here too."""
        on_logits = self.outputs == "logits" and self.threshold < np.inf
        return _probability(self.threshold) if on_logits else self.threshold

    @property
    def precision(self) -> float:
        """TP / (TP + FP), nan where nothing is predicted."""
        return _share(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> float:
        """TP / (TP + FN), nan where there is nothing to find."""
        return _share(self.tp, self.tp + self.fn)

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN), nan where there is nothing to find and nothing is predicted."""
        return _share(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def accuracy(self) -> float:
        """(TP + TN) / n."""
        return (self.tp + self.tn) / (self.tp + self.fp + self.fn + self.tn)

    def predict(self, scores: Any) -> Array:
        """1 where a score, (n) or (n, 1) on the scale of the threshold, is at least the threshold, else 0; (n)."""
        y = numbers("predict", "scores", scores)
        if not single(y):
            raise ShapeError(f"predict: scores must have shape (n) or (n, 1), got {y.shape}")
        return (y.ravel() >= self.threshold).astype(np.int64)

    def headline(self) -> str:
        if self.threshold == np.inf:
            return f"Threshold: predict nothing ({self.why})."
        scale = "the probability" if self.outputs == "probabilities" else f"the logit, probability {self.probability:.4g}"
        return f"Threshold {self.threshold:.6g} on {scale} ({self.why})."

    def to_dict(self) -> dict[str, Any]:
        names = (
            "threshold",
            "outputs",
            "probability",
            "why",
            "tp",
            "fp",
            "fn",
            "tn",
            "precision",
            "recall",
            "f1",
            "accuracy",
            "cost",
        )
        return {name: plain(getattr(self, name)) for name in names}

    def blocks(self) -> list[Block]:
        rows = [[name, shown(getattr(self, name.lower()))] for name in ("precision", "recall", "F1", "accuracy")]
        rows += [["total cost", whole(self.cost)]] if self.cost is not None else []
        zero, one = self.curve.class_names
        matrix = [[f"true {zero}", self.tn, self.fp], [f"true {one}", self.fn, self.tp]]
        return [
            Text(self.headline()),
            Table(("measure", "value"), rows, note=f"The rule: {RULE}."),
            Table(("", f"→ {zero}", f"→ {one}"), matrix, "Confusion matrix: rows true, columns predicted"),
            self.curve.picture(self.threshold, self.why[:1].upper() + self.why[1:], self.costs),
        ]


def threshold_curve(
    scores: Any, targets: Any, *, outputs: str | None = None, class_names: Sequence[str] | None = None
) -> ThresholdCurve:
    """Precision, recall and F1 of every threshold on the scores of a sigmoid output.

    scores: (n) or (n, 1), logits or probabilities; the thresholds stand on the same scale. `outputs` says which they are (default: seen from
    the values). targets: 0 or 1. class_names: of these two.
    Errors: as `evaluate`; ArgumentError if the targets hold one class only.
    Complexity: O(n log n).
    """
    y, t, scale = scores_and_targets("threshold_curve", scores, targets, outputs)
    if y.ndim == 2:
        raise ArgumentError(f"threshold_curve: scores have {y.shape[1]} columns; see multilabel_thresholds")
    return curve_of("threshold_curve", y, t, scale, names_of("threshold_curve", class_names, 2))


def curve_of(name: str, scores: Array, targets: Array, outputs: str, class_names: Sequence[str] = CLASSES) -> ThresholdCurve:
    """The curve of finite scores (n) in float64 against zeros and ones, of which there are both."""
    if targets.min() == targets.max():
        raise ArgumentError(
            f"{name}: all {len(targets)} targets are {int(targets[0])}; there is nothing to choose between without both classes"
        )
    return counted(scores, targets, outputs, class_names)


def counted(scores: Array, targets: Array, outputs: str, class_names: Sequence[str] = CLASSES) -> ThresholdCurve:
    """The curve of `curve_of`, even if the targets are all the same."""
    values, tp, fp = counts_above(scores, targets)
    return ThresholdCurve(np.append(values, np.inf), tp, fp, tp[0] - tp, fp[0] - fp, outputs, class_names)
