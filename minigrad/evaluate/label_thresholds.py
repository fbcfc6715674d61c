"""Several labels a sample: one threshold a label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..core.tensor import Array
from ..display import Block, Document, Table, Text
from ..errors import ArgumentError, ShapeError
from .pictures import short
from .reading import names_of, numbers, scores_and_targets
from .tables import named, rows_of
from .thresholds import RULE, ThresholdChoice, counted, whole

__all__ = ["MultilabelThresholds", "multilabel_thresholds"]

_DRAWN = 10  # labels whose curve is drawn
_RULES = ("best_f1", "recall_at_least", "precision_at_least", "by_cost")


@dataclass(frozen=True, eq=False, repr=False)
class MultilabelThresholds(Document):
    """One `ThresholdChoice` a label; `thresholds` (L) on the scale of the scores, `probabilities` (L) as `evaluate` takes them."""

    title = "Thresholds"

    choices: tuple[ThresholdChoice, ...]
    class_names: tuple[str, ...]
    rule: str
    notes: tuple[str, ...] = ()

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
            "notes": list(self.notes),
            "labels": {n: choice.to_dict() for n, choice in zip(self.class_names, self.choices, strict=True)},
        }

    def blocks(self) -> list[Block]:
        names = ("threshold", "precision", "recall", "f1", "tp", "fp", "fn", "tn")
        columns: list[Any] = [np.array([getattr(choice, name) for choice in self.choices]) for name in names]
        head = ["label", "threshold", "precision", "recall", "F1", "TP", "FP", "FN", "TN"]
        if self.rule.startswith("by_cost"):
            head.append("total cost")
            columns.append(["–" if choice.cost is None else whole(choice.cost) for choice in self.choices])
        rows, note = rows_of(self.class_names, columns, columns[3], "F1")
        rule = f"The rule: {RULE}, on {self.choices[0].outputs}."
        both = [k for k, choice in enumerate(self.choices) if 0 < choice.tp + choice.fn < choice.curve.n]
        pictures = [
            self.choices[k].curve.picture(self.choices[k].threshold, self._title(k), self.choices[k].costs) for k in both[:_DRAWN]
        ]
        return [Text(self.headline()), *map(Text, self.notes), Table(head, rows, note=f"{rule}\n{note}".strip()), *pictures]

    def _title(self, k: int) -> str:
        return f'Label "{short(self.class_names[k], 24)}": {self.choices[k].why}'


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
    `ThresholdCurve`, one for all labels or a list of one each. outputs: as in `threshold_curve`.
    A label that no sample has, or every one, keeps the probability 0.5 (the logit 0), and `notes` name it.
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
    values = _values(name, rule, value, len(names))
    choices = [_choice(name, y[:, k], t[:, k], scale, rule, values[k], label) for k, label in enumerate(names)]
    kept = [
        f"{what} label {which}: nothing can be chosen there, the threshold stays at the probability 0.5."
        for what, which in (("No sample has", named(names, t.max(0) == 0)), ("Every sample has", named(names, t.min(0) == 1)))
        if which
    ]
    return MultilabelThresholds(tuple(choices), names, rule if value is None else f"{rule} {value}", tuple(kept))


def _values(name: str, rule: str, value: Any, labels: int) -> list[Any]:
    """The value of the rule for each label."""
    depth = 3 if rule == "by_cost" else 1
    if value is None or np.ndim(value) < depth:
        return [value] * labels
    if len(value) != labels:
        raise ArgumentError(f"{name}: value must be one for all labels or {labels}, one a label, got {len(value)}")
    return list(value)


def _choice(name: str, scores: Array, targets: Array, scale: str, rule: str, value: Any, label: str) -> ThresholdChoice:
    curve = counted(scores, targets, scale)
    if targets.min() == targets.max():
        return replace(curve.at(0.5 if scale == "probabilities" else 0.0), why="kept at the probability 0.5")
    try:
        choice: ThresholdChoice = getattr(curve, rule)(*(() if value is None else (value,)))
    except ArgumentError as error:
        raise ArgumentError(f'{name}: label "{label}": {error}') from None
    return choice
