"""What the doctor knows: statistics of the places that samples go through, of weights, of inputs, outputs and targets."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ...core.tensor import Array
from ...evaluate.targets import is_one_hot
from .losses import KnownLoss

__all__ = [
    "ACTIVATIONS",
    "LIMITS",
    "LINEAR",
    "PROBABILITIES",
    "RECTIFIERS",
    "SLOPES",
    "SMALL_SLOPE",
    "Activation",
    "Birth",
    "Judgement",
    "Moments",
    "Statistics",
    "Weight",
]

RECTIFIERS = frozenset({"relu", "relu6"})
"""Operations whose slope is 0 wherever they give 0 (relu6: also at 6); `clamp` and `maximum` with 0 go under the name of relu."""

SLOPES: dict[str, Callable[[Array, Mapping[str, Any]], Array]] = {
    "sigmoid": lambda y, _: y * (1 - y),
    "tanh": lambda y, _: 1 - y * y,
    "softsign": lambda y, _: (1 - np.abs(y)) ** 2,
    "hardsigmoid": lambda y, _: ((y > 0) & (y < 1)) / 6,
    "hardtanh": lambda y, given: (y > given["min_val"]) & (y < given["max_val"]),
}
"""Derivatives of squashing operations, by their output and their attributes."""

LIMITS = {"sigmoid": 2.89, "tanh": 2.18, "softsign": 3.47, "hardsigmoid": 3.0}
"""The |input| from which their derivative is below SMALL_SLOPE."""

SMALL_SLOPE = 0.05
"""A derivative below this counts as saturated: of sigmoid from |x| = 2.89 on (output under 0.053 or over 0.947), of tanh from |x| = 2.18
on (|output| over 0.975). A gradient that goes through loses 95 % of itself and more."""

ACTIVATIONS = RECTIFIERS | {
    "celu", "elu", "gelu_exact", "gelu_tanh", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "log_softmax", "logsigmoid",
    "mish", "selu", "sigmoid", "silu", "softmax", "softplus", "softsign", "tanh",
}  # fmt: skip

LINEAR = frozenset({"linear", "matmul"})

PROBABILITIES = frozenset({"hardsigmoid", "sigmoid", "softmax"})
"""Operations that make probabilities."""

_LIKELIHOODS = frozenset({
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "multilabel_soft_margin_loss", "nll_loss",
})  # fmt: skip
"""Losses that are −log of the probability given to the target."""

_KEPT = 2048  # about so many values of an activation are kept of each batch, for histograms
_ROWS = 64  # rows of a batch that are kept to compare units


@dataclass
class Activation:
    """A place in the model and what came out of it, over all batches: an activation, a product with weights, or a layer. Units are the
    entries of the last axis, and every other entry of the output is a sample."""

    place: str
    op: str
    units: int
    layer: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    weighted: bool = False  # whether it has weights of its own
    is_head: bool = False
    samples: int = 0
    total: float = 0.0
    squares: float = 0.0
    zeros: int = 0
    saturated: int = 0
    firing: Array = field(default_factory=lambda: np.zeros(0, np.int64))
    kept: list[Array] = field(default_factory=list)
    rows: Array = field(default_factory=lambda: np.zeros((0, 0)))
    gradients: list[float] = field(default_factory=list)  # norms of dL/doutput, one a batch

    def add(self, values: Array) -> None:
        """Take in the output of one batch."""
        if values.dtype.kind != "f" or not values.size or (values.shape[-1] if values.ndim > 1 else 1) != self.units:
            return
        rows = values.reshape(-1, self.units)
        firing = np.count_nonzero(rows, axis=0)
        self.firing = firing if not self.samples else self.firing + firing
        self.samples += len(rows)
        self.zeros += rows.size - int(firing.sum())
        self.total += float(rows.sum(dtype=np.float64))
        self.squares += float(np.einsum("ij,ij->", rows, rows, dtype=np.float64))
        if self.op in SLOPES:
            self.saturated += int(np.count_nonzero(SLOPES[self.op](rows, self.attributes) < SMALL_SLOPE))
        self.kept.append(rows[:: max(1, rows.size // _KEPT)].ravel())
        if not self.rows.size:
            self.rows = rows[:_ROWS].copy()

    @property
    def size(self) -> int:
        return self.samples * self.units

    @property
    def mean(self) -> float:
        return self.total / self.size if self.size else math.nan

    @property
    def std(self) -> float:
        return math.sqrt(max(self.squares / self.size - self.mean**2, 0.0)) if self.size else math.nan

    @property
    def zero_share(self) -> float:
        return self.zeros / self.size if self.size else math.nan

    @property
    def saturated_share(self) -> float:
        """Share of the outputs where the slope is small; NaN of an operation that does not squash."""
        return self.saturated / self.size if self.size and self.op in SLOPES else math.nan

    @property
    def dead_units(self) -> list[int]:
        """The units of a rectifier that were 0 for every sample."""
        return np.flatnonzero(self.firing == 0).tolist() if self.op in RECTIFIERS and self.samples else []

    @property
    def dead(self) -> int:
        return len(self.dead_units)

    @property
    def dead_share(self) -> float:
        return self.dead / self.units if self.op in RECTIFIERS and self.samples else math.nan

    @property
    def gradient(self) -> float:
        """The norm of dL/doutput, root mean square over the batches."""
        return _root_mean_square(self.gradients)


def _root_mean_square(values: list[float]) -> float:
    return math.sqrt(sum(value * value for value in values) / len(values)) if values else math.nan


@dataclass
class Weight:
    """A parameter, where it is used, and what gradients and updates it gets. `gradients` are the norms of dL/dw, one a batch;
    `updates` pairs of a step and the norm of its change of the parameter, divided by the parameter's norm."""

    name: str
    layer: str
    place: str
    shape: tuple[int, ...]
    norm: float
    gradients: list[float] = field(default_factory=list)
    updates: list[tuple[int, float]] = field(default_factory=list)
    missing: bool = False  # whether the loss does not depend on it
    rate: float = math.nan  # the learning rate of its group in the optimizer

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def gradient(self) -> float:
        """The norm of the gradient, root mean square over the batches."""
        return _root_mean_square(self.gradients)

    @property
    def gradient_entry(self) -> float:
        """The size of one entry of the gradient, as root mean square: what can be compared between layers of different sizes."""
        return self.gradient / math.sqrt(self.size) if self.size else math.nan

    @property
    def update(self) -> float:
        """The update-to-weight ratio: the median of the second half of those that were measured."""
        ratios = [ratio for _, ratio in self.updates]
        return float(np.median(ratios[len(ratios) // 2 :])) if ratios else math.nan


class Moments:
    """Mean and standard deviation of columns, over batches."""

    def __init__(self) -> None:
        self.count = 0
        self.sums = self.squares = np.zeros(0)

    def add(self, values: Array) -> None:
        """Take in rows; more axes than two become columns too."""
        rows = values.reshape(len(values), -1).astype(np.float64)
        if not self.count:
            self.sums, self.squares = np.zeros(rows.shape[1]), np.zeros(rows.shape[1])
        if rows.shape[1] == len(self.sums):
            self.count += len(rows)
            self.sums += rows.sum(0)
            self.squares += np.einsum("ij,ij->j", rows, rows)

    @property
    def mean(self) -> Array:
        return self.sums / max(self.count, 1)

    @property
    def std(self) -> Array:
        variance: Array = np.maximum(self.squares / max(self.count, 1) - self.mean**2, 0)
        return np.sqrt(variance)


class Birth(NamedTuple):
    """Where NaN or infinities came up: in the "data", the "parameters" or an "operation" (an "overflow" where its numbers were too
    large, an "update" where an optimizer's step was); at which place, and half a sentence that says
    how; in which step of a training (0: it was none)."""

    kind: str
    place: str
    told: str
    step: int = 0


class Judgement(NamedTuple):
    """How a model does on some data: mean loss, accuracy (NaN where there are no classes), number of samples."""

    loss: float
    accuracy: float
    samples: int


@dataclass
class Statistics:
    """All that was gathered. `inputs`, by position, are those that are numbers; `outputs` what the loss was handed, `head` is the operation
    that made them; `loss` is what is known of the loss, and `failure` what it raised; `birth` tells where NaN or infinities came up; `total`
    is how many batches there are (None: not known), of which these are the `which` ones; `whole` what was seen of the data in all of them,
    where they lie in memory and are more; `dead`, by place, (epoch, share of dead units) as a callback saw them."""

    samples: int = 0
    batches: int = 0
    activations: list[Activation] = field(default_factory=list)
    weights: list[Weight] = field(default_factory=list)
    inputs: dict[int, Moments] = field(default_factory=dict)
    outputs: list[Array] = field(default_factory=list)
    targets: list[Array] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    head: str = ""
    loss: KnownLoss = field(default_factory=KnownLoss)
    ignore_index: int = -100
    failure: Exception | None = None
    birth: Birth | None = None
    total: int | None = None
    which: str = "first"
    whole: Statistics | None = None
    fresh_optimizer: bool = False
    dead: dict[str, list[tuple[int, float]]] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether these were all the data there are, as far as that can be known."""
        return self.batches == self.total

    @property
    def mean_loss(self) -> float:
        return float(np.mean(self.losses)) if self.losses else math.nan

    @property
    def output(self) -> Array:
        """The outputs of all batches in one array; an empty one if they do not fit together."""
        return _joined(self.outputs)

    @property
    def target(self) -> Array:
        """The targets of all batches in one array."""
        return _joined(self.targets)

    @property
    def matrices(self) -> list[Weight]:
        """The parameters with two axes or more: the weights of layers, without biases and scales, in the order of their use."""
        return [weight for weight in self.weights if len(weight.shape) > 1]

    @property
    def classes(self) -> int:
        """How many classes the outputs choose from; 0 where the loss is not one over exclusive classes."""
        if self.loss.task != "multiclass" or not self.outputs:
            return 0
        return int(self.outputs[0].shape[1 if self.outputs[0].ndim > 1 else 0])

    @property
    def labels(self) -> Array:
        """The class of each sample, as integers (n), where targets are classes (also one-hot) or yes and no; zeros and ones (n, labels), where
        they are several yes and no; else an empty array."""
        target = self.target
        yes_and_no = (-1, 1) if self.loss.name == "soft_margin_loss" else (0, 1)
        labels: Array = np.zeros(0, np.int64)
        if self.classes and target.dtype.kind in "iu":
            labels = target[target != self.ignore_index]
        elif self.classes and is_one_hot(target):
            labels = target.argmax(1)
        elif self.loss.task == "sigmoid" and target.ndim in (1, 2) and np.isin(target, yes_and_no).all():
            labels = (target == 1).astype(np.int64)
            if target.shape[1:] != (1,):
                return labels
        return labels.ravel()

    @property
    def costs(self) -> Array:
        """What each sample's labels cost in the best constant answer, −log of their share; empty where the loss is no plain mean of such."""
        labels = self.labels
        if not self.comparable or self.loss.name not in _LIKELIHOODS or not labels.size:
            return np.zeros(0)
        parts = [np.unique(column, return_inverse=True, return_counts=True) for column in labels.reshape(len(labels), -1).T]
        each: Array = np.stack([np.log(len(labels) / counts)[inverse] for _, inverse, counts in parts])
        return np.asarray(each.mean(0))

    @property
    def comparable(self) -> bool:
        """Whether the loss is a plain mean, without weights."""
        return self.loss.reduction == "mean" and not self.loss.weighted

    @property
    def baseline(self) -> float:
        """The loss of the best constant answer: the entropy of the labels, or the variance of the targets, or how far they are, on average,
        from their median. NaN where it is not known."""
        costs, target = self.costs, self.target
        if costs.size:
            return float(costs.mean())
        if not self.comparable or not target.size or target.dtype.kind != "f":
            return math.nan
        if self.loss.name == "mse_loss":
            return float(target.var(0).mean())
        if self.loss.name == "l1_loss":
            return float(np.abs(target - np.median(target, 0)).mean())
        return math.nan

    @property
    def threshold(self) -> float:
        """From where on a single output says yes."""
        return 0.5 if self.loss.scale == "probabilities" else 0.0

    def learned(self, share: float) -> bool:
        """Whether the loss is below a share of the baseline; where that is not known, the benefit of the doubt."""
        return not self.mean_loss >= share * self.baseline


def _joined(arrays: list[Array]) -> Array:
    fitting = [array for array in arrays if array.ndim and array.shape[1:] == arrays[0].shape[1:]]
    return np.concatenate(fitting) if fitting else np.zeros(0)
