"""Several labels a sample: one threshold a label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.tensor import Array
from ..display import Block, Document, Table, Text
from ..errors import ArgumentError, ShapeError
from .reading import names_of, numbers, scores_and_targets
from .thresholds import RULE, ThresholdChoice, curve_of

__all__ = ["MultilabelThresholds", "multilabel_thresholds"]

_RULES = ("best_f1", "recall_at_least", "precision_at_least", "by_cost")


@dataclass(frozen=True, eq=False, repr=False)
class MultilabelThresholds(Document):
    """One `ThresholdChoice` a label; `thresholds` (L) on the scale of the scores, `probabilities` (L) as `evaluate` takes them."""

    title = "Thresholds"

    choices: tuple[ThresholdChoice, ...]
    class_names: tuple[str, ...]
    rule: str

    @property
    def thresholds(self) -> Array:
        return np.array([choice.threshold for choice in self.choices])

    @property
    def probabilities(self) -> Array:
        return np.array([choice.probability for choice in self.choices])

    def predict(self, scores: Any) -> Array:
        """1 where a score, (n, L) on the scale of the thresholds, is at least its label's threshold, else 0."""
        y = numbers("predict", "scores", scores)
        if y.shape[1:] != (len(self.choices),):
            raise ShapeError(f"predict: scores must have shape (n, {len(self.choices)}), one column a label, got {y.shape}")
        return (y >= self.thresholds).astype(np.int64)

    def headline(self) -> str:
        return f"One threshold for each of {len(self.choices)} labels, chosen by {self.rule}."

    def to_dict(self) -> dict[str, Any]:
        return {
            "rule": self.rule,
            "labels": {n: choice.to_dict() for n, choice in zip(self.class_names, self.choices, strict=True)},
        }

    def blocks(self) -> list[Block]:
        names = ("threshold", "precision", "recall", "f1", "tp", "fp", "fn", "tn")
        costs = ("cost",) if self.choices[0].cost is not None else ()
        rows = [
            [name, *(getattr(choice, at) for at in names + costs)]
            for name, choice in zip(self.class_names, self.choices, strict=True)
        ]
        scale = self.choices[0].outputs
        head = ("label", "threshold", "precision", "recall", "F1", "TP", "FP", "FN", "TN", *costs)
        note = f"The rule: {RULE}, on {scale}."
        pictures = [
            choice.curve.picture(choice.threshold, name) for name, choice in zip(self.class_names, self.choices, strict=True)
        ]
        return [Text(self.headline()), Table(head, rows, note=note), *pictures]


def multilabel_thresholds(
    scores: Any,
    targets: Any,
    rule: str = "best_f1",
    value: Any = None,
    *,
    outputs: str | None = None,
    class_names: Sequence[str] | None = None,
) -> MultilabelThresholds:
    """One threshold a label, each chosen by the same rule on its own curve.

    scores and targets: (n, L). rule: "best_f1", or "recall_at_least", "precision_at_least", "by_cost" with their `value`, see
    `ThresholdCurve`. outputs: as in `threshold_curve`.
    Errors: as `threshold_curve`; they name the label.
    """
    name = "multilabel_thresholds"
    if rule not in _RULES:
        raise ArgumentError(f"{name}: rule must be one of {', '.join(map(repr, _RULES))}, got {rule!r}")
    if (value is None) != (rule == "best_f1"):
        raise ArgumentError(f"{name}: rule {rule!r} takes {'no value' if rule == 'best_f1' else 'a value'}, got {value!r}")
    y, t, scale = scores_and_targets(name, scores, targets, outputs)
    y, t = y.reshape(len(y), -1), t.reshape(len(t), -1)
    names = names_of(name, class_names, y.shape[1], "label")
    settings = () if value is None else (value,)
    choices = []
    for k, label in enumerate(names):
        curve = curve_of(f'{name}: label "{label}"', y[:, k], t[:, k], scale)
        try:
            choices.append(getattr(curve, rule)(*settings))
        except ArgumentError as error:
            raise ArgumentError(f'{name}: label "{label}": {error}') from None
    return MultilabelThresholds(tuple(choices), names, rule if value is None else f"{rule} {value}")
