"""The report on a classifier of several labels a sample, each there or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.tensor import Array
from ..display import Block, Cell, Details, Table, Text, plain, require
from .base import Report
from .calibration import Reliability, binned, calibration_of
from .pictures import precision_recall_picture, roc_picture, short
from .ranks import ranking
from .reading import Reading
from .scores import averaged, log_loss
from .tables import named, rows_of, shown
from .thresholds import curve_of

__all__ = ["MultilabelReport", "multilabel_report"]

_CURVES = 10  # labels up to which each has its curve
_AVERAGES = ("macro", "weighted", "micro")


@dataclass(frozen=True, eq=False, repr=False)
class MultilabelReport(Report):
    """How good a classifier of n samples in L labels is; arrays hold one entry a label.

    `exact_match` is the share of samples with all labels right, `label_accuracy` the share of right answers over all samples and labels, and
    `baseline_accuracy` that of always giving each label its more frequent answer. `confusion` (L, 2, 2) has rows true, columns predicted.
    precision is nan for a label that is never predicted, recall for one that no sample has, f1 where both is so; `macro_…` are plain means
    over labels, which count these as 0, `weighted_…` those weighted by `support`, `micro_…` those of all answers together, as scikit-learn has
    them. `roc_auc` and `average_precision` are means over labels (nan if one is undefined), ranked by the logits if there are any, `log_loss`
    and `brier` means over samples and labels, `ece` … calibration errors of all labels together.
    """

    exact_match: float
    label_accuracy: float
    baseline_accuracy: float
    macro_precision: float
    macro_recall: float
    macro_f1: float
    weighted_precision: float
    weighted_recall: float
    weighted_f1: float
    micro_precision: float
    micro_recall: float
    micro_f1: float
    roc_auc: float
    average_precision: float
    brier: float
    log_loss: float
    baseline_log_loss: float
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
    probabilities: Array
    predicted: Array
    targets: Array
    class_names: tuple[str, ...]
    loss: float | None
    threshold: Array
    reading: Reading
    reliability: Reliability

    def headline(self) -> str:
        """The first thing to know, in a sentence or two."""
        against = "always giving each label its more frequent answer"
        if self.label_accuracy <= self.baseline_accuracy:
            same = "no better" if self.label_accuracy == self.baseline_accuracy else "worse"
            first = (
                f"Label accuracy {self.label_accuracy:.4f} is {same} than {against} ({self.baseline_accuracy:.4f}): look at recall."
            )
        else:
            first = f"Label accuracy {self.label_accuracy:.4f}, against {self.baseline_accuracy:.4f} for {against}."
        return f"{first} All labels of a sample are right in {self.exact_match:.4f} of the samples."

    @property
    def notes(self) -> list[str]:
        """What is undefined."""
        found = super().notes
        for what, which in (("No sample has", self.support == 0), ("Every sample has", self.support == self.n)):
            if which.any():
                names = named(self.class_names, which)
                found.append(f"{what} label {names}: ROC AUC is undefined there (–), and so is its mean over labels.")
        never = named(self.class_names, (self.predicted.sum(0) == 0) & (self.support > 0))
        if never:
            found.append(f"Never predicted: label {never}. Precision is undefined there (–), and counts as 0 in the averages.")
        return found

    def to_dict(self) -> dict[str, Any]:
        """All measures; not the single samples."""
        left_out = ("probabilities", "predicted", "targets", "reading", "reliability")
        own = {"headline": self.headline()} | {name: plain(getattr(self, name)) for name in ("n", "task", "notes")}
        measures = {name: plain(value) for name, value in vars(self).items() if name not in left_out}
        return own | {"outputs": self.reading.outputs} | measures | {"reliability": self.reliability.to_dict()}

    def blocks(self) -> list[Block]:
        return [
            *self.opening(),
            self._measures(),
            self._labels(),
            *self._curves(),
            self.reliability.picture(),
            Text(self.reading.words + " A label is predicted where its probability is at least its threshold."),
        ]

    def _curves(self) -> list[Block]:
        """ROC, precision and recall, and for each label with both answers the threshold curve."""
        both = np.flatnonzero((self.support > 0) & (self.support < self.n)).tolist()
        if len(self.class_names) > _CURVES or not both:
            return []
        wanted, scores, names = self.targets == 1, self.reading.scores, self.class_names
        pictures = [
            curve_of("evaluate", self.probabilities[:, k], self.targets[:, k], "probabilities").picture(
                self.threshold[k], f'Label "{short(names[k], 24)}"'
            )
            for k in both
        ]
        return [
            roc_picture(wanted, scores, names, self.roc_auc_per_class, "each label"),
            precision_recall_picture(wanted, scores, names, self.average_precision_per_class, "each label"),
            Details("Precision, recall and F1 over the threshold, label by label", pictures),
        ]

    def _measures(self) -> Table:
        rows: list[list[Any]] = [["Loss", self.loss, "", ""]] if self.loss is not None else []
        rows += [
            ["Label accuracy", self.label_accuracy, self.baseline_accuracy, "1"],
            ["Exact match", self.exact_match, "", "1"],
            ["F1, macro", self.macro_f1, "", "1"],
            ["F1, weighted", self.weighted_f1, "", "1"],
            ["F1, micro", self.micro_f1, "", "1"],
            ["ROC AUC, mean", self.roc_auc, 0.5, "1"],
            ["Average precision, mean", self.average_precision, float(self.support.mean() / self.n), "1"],
            ["Log loss", self.log_loss, self.baseline_log_loss, "0"],
            ["Brier score", self.brier, "", "0"],
            ["Expected calibration error", self.ece, "", "0"],
            ["Maximum calibration error", self.mce, "", "0"],
            ["ECE, bins of equal mass", self.ece_equal_mass, "", "0"],
            ["MCE, bins of equal mass", self.mce_equal_mass, "", "0"],
        ]
        return Table(
            ("measure", "model", "baseline", "best"),
            [[shown(entry) for entry in row] for row in rows],
            note="Baseline: the frequency of each label, whatever the sample.\n"
            f"Calibration errors (ECE, MCE): the confidence is {self.reliability.event}.",
        )

    def _labels(self) -> Table:
        counts = self.confusion[:, [1, 0, 1, 0], [1, 1, 0, 0]]
        columns = (
            self.threshold, self.precision, self.recall, self.f1, self.support, self.roc_auc_per_class,
            self.average_precision_per_class, *counts.T,
        )  # fmt: skip
        rows, note = rows_of(self.class_names, columns, self.f1, "F1")
        for average in _AVERAGES:
            values = [getattr(self, f"{average}_{name}") for name in ("precision", "recall", "f1")]
            rows.append([Cell(f"{average} average", strong=True), "", *values, int(self.support.sum()), "", "", "", "", "", ""])
        head = (
            "label",
            "threshold",
            "precision",
            "recall",
            "F1",
            "support",
            "ROC AUC",
            "average precision",
            "TP",
            "FP",
            "FN",
            "TN",
        )
        return Table(head, rows, "Label by label", note=note)


def multilabel_report(
    reading: Reading, loss: float | None, class_names: Sequence[str], threshold: Any, bins: int
) -> MultilabelReport:
    """The report on probabilities and zeros and ones, both (n, L); `threshold` is one for all labels or one a label."""
    metrics = require("evaluate", "sklearn.metrics")
    p, t = reading.values, reading.targets
    cut = np.broadcast_to(np.asarray(threshold, np.float64), p.shape[1:])
    predicted = (p >= cut).astype(np.int64)
    precision, recall, f1, support = metrics.precision_recall_fscore_support(t, predicted, zero_division=0)
    auc, ap = ranking(t == 1, reading.scores)
    frequency = t.mean(0)
    uniform, mass = (binned(p.ravel(), t.ravel(), bins, strategy) for strategy in ("uniform", "quantile"))
    return MultilabelReport(
        exact_match=float(metrics.accuracy_score(t, predicted)),
        label_accuracy=float((t == predicted).mean()),
        baseline_accuracy=float(np.maximum(frequency, 1 - frequency).mean()),
        **averaged(t, predicted, *_AVERAGES),
        roc_auc=float(auc.mean()),
        average_precision=float(ap.mean()),
        brier=float(((p - t) ** 2).mean()),
        log_loss=log_loss(np.where(t == 1, p, 1 - p)),
        baseline_log_loss=log_loss(np.where(t == 1, frequency, 1 - frequency)),
        ece=uniform.ece,
        mce=uniform.mce,
        ece_equal_mass=mass.ece,
        mce_equal_mass=mass.mce,
        precision=np.where(predicted.any(0), precision, np.nan),
        recall=np.where(support == 0, np.nan, recall),
        f1=np.where(predicted.any(0) | (support > 0), f1, np.nan),
        support=support,
        roc_auc_per_class=auc,
        average_precision_per_class=ap,
        confusion=metrics.multilabel_confusion_matrix(t, predicted),
        probabilities=p,
        predicted=predicted,
        targets=t,
        class_names=tuple(class_names),
        loss=loss,
        threshold=np.array(cut),
        reading=reading,
        reliability=calibration_of(reading, bins, "uniform"),
    )
