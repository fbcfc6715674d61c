"""The report on a classifier, binary or over several classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from ..core.tensor import Array
from ..display import Block, Cell, Details, Table, Text, plain
from ..errors import ArgumentError
from .base import Report
from .calibration import Reliability, calibration_of
from .pictures import confusion_picture, precision_recall_picture, roc_picture
from .ranks import ranking
from .reading import Reading
from .scores import ClassScores, baseline_scores, class_scores
from .tables import named, rows_of, shown
from .thresholds import ThresholdCurve, curve_of

__all__ = ["ClassificationReport", "classification_report"]

_MATRIX = 12  # classes up to which the confusion matrix is a table
_CURVES = 10  # classes up to which each has its curve
_MISTAKES = 8  # rows of the table of mistakes

# Name, attribute, and the best value.
_MEASURES = (
    ("Accuracy", "accuracy", 1),
    ("Balanced accuracy", "balanced_accuracy", 1),
    ("F1, macro", "macro_f1", 1),
    ("F1, weighted", "weighted_f1", 1),
    ("ROC AUC", "roc_auc", 1),
    ("Average precision", "average_precision", 1),
    ("Log loss", "log_loss", 0),
    ("Brier score", "brier", 0),
    ("Expected calibration error", "ece", 0),
    ("Maximum calibration error", "mce", 0),
    ("ECE, bins of equal mass", "ece_equal_mass", 0),
    ("MCE, bins of equal mass", "mce_equal_mass", 0),
)


@dataclass(frozen=True, eq=False, repr=False)
class ClassificationReport(ClassScores, Report):
    """How good a classifier is: the measures of `ClassScores`, and beside them those of a `baseline` that always answers the most frequent
    class, with the classes' frequencies as probabilities.

    `probabilities` are (n, K), or (n) of class 1 if binary; `predicted` and `targets` class indices (n). `loss` is the mean of the loss
    that was given, or None. `threshold`: binary samples are predicted as 1 where the probability is ≥ threshold.
    """

    baseline: ClassScores
    probabilities: Array
    predicted: Array
    targets: Array
    class_names: tuple[str, ...]
    loss: float | None
    threshold: float
    reading: Reading
    reliability: Reliability

    @property
    def baseline_accuracy(self) -> float:
        """The share of the most frequent class."""
        return self.baseline.accuracy

    @property
    def baseline_log_loss(self) -> float:
        """The log loss of the classes' frequencies: their entropy."""
        return self.baseline.log_loss

    def threshold_curve(self) -> ThresholdCurve:
        """Precision, recall and F1 over the threshold on the probability of class 1, as `threshold` is one.

        Where probabilities are rounded to 1, the threshold_curve of the logits tells more apart.
        Errors: ArgumentError if there are not two classes, or the targets hold one of them only.
        """
        if len(self.class_names) != 2:
            raise ArgumentError(f"threshold_curve: needs two classes, this report has {len(self.class_names)}")
        return curve_of("threshold_curve", self._positive, self.targets, "probabilities", self.class_names)

    @property
    def _positive(self) -> Array:
        return self.probabilities if self.task == "binary" else np.asarray(self.probabilities[:, 1])

    # ---- in words

    def headline(self) -> str:
        """The first thing to know, in a sentence or two."""
        majority = self.class_names[int(self.support.argmax())]
        right = int(self.confusion.trace())
        if (self.support > 0).sum() == 1:
            all_ = f"All {self.n:,} samples are" if self.n > 1 else "The only sample is"
            return f'{all_} of class "{majority}": {right:,} of {self.n:,} recognised, but this says nothing about the others.'
        against = f'always answering "{majority}"'
        if self.accuracy <= self.baseline_accuracy:
            same = "no better" if self.accuracy == self.baseline_accuracy else "worse"
            return f"Accuracy {self.accuracy:.4f} is {same} than {against} ({self.baseline_accuracy:.4f}): look at recall. {self._weakest}"
        first = f"Accuracy {self.accuracy:.4f} ({right:,} of {self.n:,}), against {self.baseline_accuracy:.4f} for {against}."
        return f"{first} {self._weakest}" if np.nanmin(self.recall) < self.accuracy - 0.1 else first

    @property
    def _weakest(self) -> str:
        k = int(np.nanargmin(self.recall))
        found = f"{self.confusion[k, k]:,} of {self.support[k]:,}"
        return f'Of class "{self.class_names[k]}" it finds {found} (recall {self.recall[k]:.4f}).'

    @property
    def notes(self) -> list[str]:
        """What else should be known: undefined values, probabilities worse than none."""
        absent = named(self.class_names, self.support == 0)
        never = named(self.class_names, (self.support > 0) & (self.confusion.sum(0) == 0))
        found = super().notes
        if absent:
            found.append(
                f"No sample is of class {absent}: recall, ROC AUC and average precision are undefined there (–), "
                "and so are the means of the last two over classes."
            )
        elif np.isnan(self.roc_auc_per_class).any():
            found.append("ROC AUC is undefined (–) with one class only.")
        if never:
            found.append(f"Never predicted: class {never}. Precision is undefined there (–), and counts as 0 in the averages.")
        if self.accuracy > self.baseline_accuracy and self.log_loss > self.baseline_log_loss:
            found.append(
                f"The classes it names are better than its probabilities: log loss {self.log_loss:.4f} is above the "
                f"{self.baseline_log_loss:.4f} of the plain class frequencies. See temperature_scaling."
            )
        return found

    # ---- as a document

    def to_dict(self) -> dict[str, Any]:
        """All measures, the baseline's too; not the single samples."""
        own = ("n", "task", "class_names", "loss", "threshold", "notes")
        scores = {field.name: plain(getattr(self, field.name)) for field in fields(ClassScores)}
        reference = {field.name: plain(getattr(self.baseline, field.name)) for field in fields(ClassScores)}
        outputs = {"outputs": self.reading.outputs, "headline": self.headline(), "reliability": self.reliability.to_dict()}
        return {name: plain(getattr(self, name)) for name in own} | outputs | scores | {"baseline": reference}

    def blocks(self) -> list[Block]:
        matrix: Block = confusion_picture(self.confusion, self.class_names)
        if len(self.class_names) <= _MATRIX:
            matrix = Details("The confusion matrix as a picture", [matrix])
        return [
            *self.opening(),
            self._measures(),
            self._classes(),
            *self._confusion(),
            matrix,
            *self._curves(),
            self.reliability.picture(),
            Text(self._read()),
        ]

    def _read(self) -> str:
        if self.task != "binary":
            return self.reading.words
        return f'{self.reading.words} Predicted is "{self.class_names[1]}" where its probability is at least {self.threshold:g}.'

    def _measures(self) -> Table:
        rows: list[list[Any]] = [["Loss", self.loss, "", ""]] if self.loss is not None else []
        rows += [
            [name, shown(getattr(self, at)), shown(round(getattr(self.baseline, at), 12)), f"{best}"]
            for name, at, best in _MEASURES
        ]
        kind = f'of "{self.class_names[1]}"' if len(self.class_names) == 2 else "means of each class against the rest"
        return Table(
            ("measure", "model", "baseline", "best"),
            rows,
            note="Baseline: always the most frequent class, with the class frequencies as probabilities.\n"
            f"ROC AUC, average precision: {kind}.\n"
            f"Calibration errors (ECE, MCE): the confidence is {self.reliability.event}.",
        )

    def _classes(self) -> Table:
        columns = (self.precision, self.recall, self.f1, self.support, self.roc_auc_per_class, self.average_precision_per_class)
        rows, note = rows_of(self.class_names, columns, self.f1, "F1")
        for average in ("macro", "weighted"):
            values = [getattr(self, f"{average}_{name}") for name in ("precision", "recall", "f1")]
            rows.append([Cell(f"{average} average", strong=True), *values, self.n, "", ""])
        head = ("class", "precision", "recall", "F1", "support", "ROC AUC", "average precision")
        return Table(head, rows, "Class by class", note=note)

    def _confusion(self) -> list[Block]:
        if len(self.class_names) > _MATRIX:
            return self._mistakes()
        share = self.confusion / np.maximum(self.confusion.sum(1, keepdims=True), 1)
        rows = [
            [f"true {name}", *(Cell(int(count), float(part)) for count, part in zip(counts, parts, strict=True))]
            for name, counts, parts in zip(self.class_names, self.confusion, share, strict=True)
        ]
        return [Table(("", *(f"→ {name}" for name in self.class_names)), rows, "Confusion matrix: rows true, columns predicted")]

    def _mistakes(self) -> list[Block]:
        wrong = self.confusion - np.diag(self.confusion.diagonal())
        order = np.argsort(-wrong, axis=None, kind="stable")[:_MISTAKES]
        pairs = [(int(i), int(j)) for i, j in zip(*np.unravel_index(order, wrong.shape), strict=True) if wrong[i, j]]
        rows = [[self.class_names[i], self.class_names[j], int(wrong[i, j]), wrong[i, j] / self.support[i]] for i, j in pairs]
        return [Table(("true", "taken for", "samples", "share of the class"), rows, "The most frequent mistakes")] if rows else []

    def _curves(self) -> list[Block]:
        """ROC, precision and recall, and for two classes the threshold curve."""
        areas, averages, names = self.roc_auc_per_class, self.average_precision_per_class, self.class_names
        if np.isnan(areas).all() or len(names) > _CURVES:
            return []
        if len(names) > 2:
            wanted = self.targets[:, None] == np.arange(len(names))
            return [
                roc_picture(wanted, self.reading.scores, names, areas, "each class against the rest"),
                precision_recall_picture(wanted, self.reading.scores, names, averages, "each class"),
            ]
        wanted, scores, of = self.targets[:, None] == 1, self.reading.scores.reshape(self.n, -1)[:, -1:], f'"{names[1]}"'
        return [
            roc_picture(wanted, scores, names[1:], areas[1:], of),
            precision_recall_picture(wanted, scores, names[1:], averages[1:], of),
            self.threshold_curve().picture(self.threshold),
        ]


def classification_report(
    reading: Reading, loss: float | None, class_names: Sequence[str], threshold: float, bins: int
) -> ClassificationReport:
    """The report on probabilities and class indices."""
    binary = reading.task == "binary"
    p, t = reading.values, reading.targets
    predicted = (p >= threshold).astype(np.int64) if binary else p.argmax(1)
    columns = np.stack([1 - p, p], 1) if binary else p
    ranked = np.stack([-reading.scores, reading.scores], 1) if binary else reading.scores
    scores = class_scores(columns, ranking(t[:, None] == np.arange(columns.shape[1]), ranked), predicted, t, bins, binary)
    return ClassificationReport(
        **vars(scores),
        baseline=baseline_scores(t, columns.shape[1], bins, binary),
        probabilities=p,
        predicted=predicted,
        targets=t,
        class_names=tuple(class_names),
        loss=loss,
        threshold=threshold,
        reading=reading,
        reliability=calibration_of(reading, bins, "uniform", class_one=class_names[-1]),
    )
