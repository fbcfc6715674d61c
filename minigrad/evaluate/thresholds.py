"""Where to cut a score: precision, recall and F1 over the threshold, and ways to choose one."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from ..core.tensor import Array
from ..display import Block, Cell, Document, Picture, Table, Text, plain
from ..errors import ArgumentError
from .pictures import thinned
from .reading import scores_and_targets, sigmoid

__all__ = ["ThresholdChoice", "ThresholdCurve", "curve_of", "threshold_curve"]

RULE = "predicted = score ≥ threshold"


@dataclass(frozen=True, eq=False, repr=False)
class ThresholdCurve(Document):
    """What each threshold would bring. The rule: predicted = score ≥ threshold.

    One entry a distinct score, ascending, on the scale of the scores (`outputs`: logits or probabilities), and at last inf, with which
    nothing is predicted. precision = TP / (TP + FP), 1 where nothing is predicted (as in scikit-learn's curve); recall = TP / (TP + FN);
    f1 = 2 TP / (2 TP + FP + FN). Of equally good thresholds the highest is chosen: it predicts the fewest.
    """

    title = "Thresholds"

    thresholds: Array
    tp: Array
    fp: Array
    fn: Array
    tn: Array
    outputs: str

    @property
    def precision(self) -> Array:
        return np.where(self.tp + self.fp, self.tp / np.maximum(self.tp + self.fp, 1), 1.0)

    @property
    def recall(self) -> Array:
        return np.asarray(self.tp / (self.tp + self.fn))

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
        """The highest precision among the thresholds of recall ≥ r. Errors: ArgumentError if r is not in [0, 1]."""
        _check_share("recall_at_least", r)
        at = _last_best(self.precision, self.recall >= r)
        return self._choice(at, f"highest precision with recall ≥ {r:g}")

    def precision_at_least(self, p: float) -> ThresholdChoice:
        """The highest recall among the thresholds of precision ≥ p that predict something.

        Errors: ArgumentError if there is none; it says what the best is.
        """
        _check_share("precision_at_least", p)
        some = self.tp + self.fp > 0
        allowed = some & (self.precision >= p)
        if not allowed.any():
            best = _last_best(self.precision, some)
            raise ArgumentError(
                f"precision_at_least: no threshold reaches a precision of {p:g}; the best is {self.precision[best]:.4f}, "
                f"at {self.thresholds[best]:.6g}, with a recall of {self.recall[best]:.4f}"
            )
        return self._choice(_last_best(self.recall, allowed), f"highest recall with precision ≥ {p:g}")

    def by_cost(self, cost_matrix: Any) -> ThresholdChoice:
        """The threshold of the lowest total cost; cost_matrix[true][predicted], 2 × 2, is the cost of one sample."""
        cost = np.asarray(cost_matrix, np.float64)
        if cost.shape != (2, 2) or not np.isfinite(cost).all():
            raise ArgumentError(f"by_cost: cost_matrix must be 2 × 2 finite numbers, [true][predicted], got {cost_matrix!r}")
        total = cost[0, 0] * self.tn + cost[0, 1] * self.fp + cost[1, 0] * self.fn + cost[1, 1] * self.tp
        at = _last_best(-total)
        return self._choice(at, f"lowest total cost, {total[at]:,.6g}", float(total[at]))

    def at(self, threshold: float) -> ThresholdChoice:
        """What a threshold of one's own brings."""
        at = int(np.searchsorted(self.thresholds, threshold))  # the lowest score that it lets through
        return self._choice(min(at, len(self.thresholds) - 1), "as asked", threshold=float(threshold))

    def _choice(self, at: int, why: str, cost: float | None = None, threshold: float | None = None) -> ThresholdChoice:
        counts = {name: int(getattr(self, name)[at]) for name in ("tp", "fp", "fn", "tn")}
        where = float(self.thresholds[at]) if threshold is None else threshold
        return ThresholdChoice(where, **counts, outputs=self.outputs, why=why, cost=cost, curve=self)

    # ---- as a document

    def to_dict(self) -> dict[str, Any]:
        names = ("outputs", "thresholds", "precision", "recall", "f1", "tp", "fp", "fn", "tn")
        return {name: plain(getattr(self, name)) for name in names}

    def blocks(self) -> list[Block]:
        best = _last_best(self.f1)
        levels = {_last_best(self.thresholds, self.recall >= level) for level in np.linspace(0, 1, 11)}
        rows = [
            [Cell(float(getattr(self, name)[k]) if name not in _COUNTS else int(getattr(self, name)[k]), strong=bool(k == best))
             for name in ("thresholds", "precision", "recall", "f1", *_COUNTS)]
            for k in sorted({*levels, best, 0})
        ]  # fmt: skip
        head = ("threshold", "precision", "recall", "F1", "TP", "FP", "FN", "TN")
        note = f"The rule: {RULE}. Shown: the highest threshold for each tenth of recall, and the highest F1."
        return [Text(self.headline()), Table(head, rows, row_heads=False, note=note), self.picture()]

    def picture(self, chosen: float | None = None, why: str = "") -> Picture:
        """Precision, recall and F1 over the threshold, with one threshold marked."""
        alt = "Precision, recall and F1 over the threshold" + ("" if chosen is None else f"; marked: {chosen:.4g}")
        return Picture(partial(self._draw, chosen, why), alt)

    def _draw(self, chosen: float | None, why: str, figure: Any) -> None:
        axes = figure.subplots()
        finite = thinned(len(self.thresholds) - 1)
        x = self.thresholds[finite]
        for color, name in enumerate(("precision", "recall", "f1")):
            y = getattr(self, name)
            axes.plot(x, y[finite], drawstyle="steps-pre", color=f"C{color}", label=name.replace("f1", "F1"))
            if chosen is not None and np.isfinite(chosen):
                axes.plot([chosen], [y[np.searchsorted(self.thresholds, chosen)]], "o", color=f"C{color}", zorder=3)
        if chosen is not None and np.isfinite(chosen):
            axes.axvline(chosen, linestyle="--", color="C6", label=f"threshold {chosen:.4g}")
        limits = {"xlim": (-0.02, 1.02)} if self.outputs == "probabilities" else {}
        scale = "probability" if self.outputs == "probabilities" else "logit"
        axes.set(xlabel=f"threshold on the {scale}", ylim=(0, 1.03), **limits)
        axes.set_title(why[0].upper() + why[1:] if why else "Threshold curve", pad=20)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, fontsize=8, borderaxespad=0.2, columnspacing=1.2)


_COUNTS = ("tp", "fp", "fn", "tn")


def _last_best(values: Array, allowed: Array | None = None) -> int:
    """The last index of the greatest of the allowed values."""
    values = values if allowed is None else np.where(allowed, values, -np.inf)
    return int(np.flatnonzero(values == values.max())[-1])


def _check_share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ArgumentError(f"{name}: expected a share between 0 and 1, got {value!r}")


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

    @property
    def probability(self) -> float:
        """The threshold as a probability, which `evaluate` takes: σ of one on logits."""
        return self.threshold if self.outputs == "probabilities" else float(sigmoid(np.array(self.threshold)))

    @property
    def precision(self) -> float:
        """TP / (TP + FP), 1 where nothing is predicted."""
        return self.tp / (self.tp + self.fp) if self.tp + self.fp else 1.0

    @property
    def recall(self) -> float:
        """TP / (TP + FN)."""
        return self.tp / (self.tp + self.fn)

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN)."""
        return 2 * self.tp / (2 * self.tp + self.fp + self.fn)

    @property
    def accuracy(self) -> float:
        """(TP + TN) / n."""
        return (self.tp + self.tn) / (self.tp + self.fp + self.fn + self.tn)

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
        rows = [[name, getattr(self, name.lower())] for name in ("precision", "recall", "F1", "accuracy")]
        rows += [["cost", f"{self.cost:,.6g}"]] if self.cost is not None else []
        matrix = [["true 0", self.tn, self.fp], ["true 1", self.fn, self.tp]]
        return [
            Text(self.headline()),
            Table(("measure", "value"), rows, note=f"The rule: {RULE}."),
            Table(("", "→ 0", "→ 1"), matrix, "Confusion matrix: rows true, columns predicted"),
            self.curve.picture(self.threshold, self.why),
        ]


def threshold_curve(scores: Any, targets: Any, *, outputs: str | None = None) -> ThresholdCurve:
    """Precision, recall and F1 of every threshold on the scores of a sigmoid output.

    scores: (n) or (n, 1), logits or probabilities; the thresholds stand on the same scale. `outputs` says which they are (default: seen from
    the values). targets: 0 or 1.
    Errors: as `evaluate`; ArgumentError if the targets hold one class only.
    Complexity: O(n log n).
    """
    y, t, scale = scores_and_targets("threshold_curve", scores, targets, outputs)
    if y.ndim == 2:
        raise ArgumentError(f"threshold_curve: scores have {y.shape[1]} columns; see multilabel_thresholds")
    return curve_of("threshold_curve", y, t, scale)


def curve_of(name: str, scores: Array, targets: Array, outputs: str) -> ThresholdCurve:
    """The curve of finite scores (n) in float64 against zeros and ones."""
    positives = int(targets.sum())
    if positives in (0, len(targets)):
        raise ArgumentError(
            f"{name}: all {len(targets)} targets are {int(targets[0])}; there is nothing to choose between without both classes"
        )
    order = np.argsort(scores, kind="stable")
    ascending, found = scores[order], np.cumsum(targets[order])
    first = np.flatnonzero(np.append(True, ascending[1:] != ascending[:-1]))  # of each group of equal scores
    below = np.append(first, len(scores))  # samples that the threshold refuses, and at last all of them
    fn = np.append(0, found)[below]
    tn = below - fn
    tp, fp = positives - fn, len(targets) - positives - tn
    return ThresholdCurve(np.append(ascending[first], np.inf), tp, fp, fn, tn, outputs)
