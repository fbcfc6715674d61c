"""Losses over classes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from op_cases import F32, F64, OpCase, Refused, Sample, Typed, case, edge, given, integers, normal, sample, uniform

import minigrad as mg
from minigrad.errors import ArgumentError, DomainError, DtypeError, GraphError, IndexRangeError, ShapeError
from minigrad.nn import functional as F
from minigrad.ops import focal

from .loss import MEAN_OF_NOTHING, REDUCTIONS, each, inf, nan, probability, reduced


def log_probabilities(row: Any) -> list[float]:
    total = math.fsum(math.exp(x) for x in row)
    return [x - math.log(total) for x in row]


def over_classes(input: Any, target: Any, weight: Any, ignore_index: int, reduction: str, smoothing: float, logits: bool) -> Any:
    """Cross-entropy (or with `logits` false the negative log-likelihood), row by row in plain Python."""
    rows = input[None] if input.ndim == 1 else np.moveaxis(input, 1, -1)
    classes = rows.shape[-1]
    shape, rows = rows.shape[:-1], rows.reshape(-1, classes)
    dense = target.dtype.kind == "f"
    targets = (
        (target[None] if input.ndim == 1 else np.moveaxis(target, 1, -1)).reshape(-1, classes) if dense else target.reshape(-1)
    )
    w = [1.0] * classes if weight is None else [float(v) for v in weight]
    losses, divisor = [], 0.0
    for row, goal in zip(rows.tolist(), targets.tolist(), strict=True):
        log_p = log_probabilities(row) if logits else row
        if not dense and goal == ignore_index:
            losses.append(0.0)
            continue
        q = goal if dense else [float(c == goal) for c in range(classes)]
        losses.append(-math.fsum(w[c] * ((1 - smoothing) * q[c] + smoothing / classes) * log_p[c] for c in range(classes)))
        divisor += 1.0 if dense else w[goal]
    shaped = np.reshape(losses, () if input.ndim == 1 else shape)
    return reduced(shaped, reduction, divisor)


def cross_entropy(
    input: Any, target: Any, weight: Any = None, ignore_index: int = -100, reduction: str = "mean", label_smoothing: float = 0.0
) -> Any:
    return over_classes(input, target, weight, ignore_index, reduction, label_smoothing, logits=True)


def nll_loss(input: Any, target: Any, weight: Any = None, ignore_index: int = -100, reduction: str = "mean") -> Any:
    return over_classes(input, target, weight, ignore_index, reduction, 0.0, logits=False)


def distributions(*shape: int) -> Any:
    def draw(rng: np.random.Generator) -> Any:
        p = rng.uniform(0.1, 1, shape)
        return p / p.sum(0 if len(shape) == 1 else 1, keepdims=True)

    return draw


WEIGHT = given([0.5, 2.0, 1.25])
SOME_IGNORED = given([0, -100, 2, 1])


def index_samples() -> tuple[Sample, ...]:
    every = [sample(normal(4, 3), integers(0, 3)(4), reduction=r) for r in REDUCTIONS]
    weighted = [sample(normal(4, 3), integers(0, 3)(4), WEIGHT, reduction=r) for r in REDUCTIONS]
    ignored = [sample(normal(4, 3), SOME_IGNORED, reduction=r) for r in REDUCTIONS]
    shaped = [sample(normal(2, 3, 4), integers(0, 3)(2, 4), reduction=r) for r in REDUCTIONS]
    return (
        *every,
        *weighted,
        *ignored,
        *shaped,
        sample(normal(2, 3, 2, 2), integers(0, 3)(2, 2, 2), WEIGHT),
        sample(normal(3), given(1)),
        sample(normal(3), given(2), WEIGHT, reduction="sum"),
        sample(normal(3), given(0), reduction="none"),
        sample(given(np.zeros((2, 3))), given([0, 2])),
        sample(normal(4, 3), SOME_IGNORED, WEIGHT),
        sample(normal(4, 3), given([0, 1, 2, 1]), None, 1),
        sample(normal(4, 3), given([0, -1, 2, 1]), ignore_index=-1),
        sample(normal(4, 3), given([0, 1, 2, 1], np.int32)),
        sample(normal(4, 3), given([0, 1, 2, 1], np.uint8)),
        *(sample(normal(0, 3), integers(0, 3)(0), reduction=r) for r in REDUCTIONS),
        sample(normal(4, 3), integers(0, 3)(4)),
        sample(normal(3, 70), integers(0, 70)(3)),
        sample(normal(3, 64), given([0, -100, 63]), reduction="none"),
        *(sample(normal(2, 3, 2), given([[0, -100], [2, 1]]), WEIGHT, reduction=r) for r in REDUCTIONS),
        *(sample(normal(2, 3, 2, 2), given([[[0, -100], [2, 1]], [[1, 1], [-100, 0]]]), WEIGHT, reduction=r) for r in REDUCTIONS),
        sample(normal(2, 3, 0), integers(0, 3)(2, 0), reduction="sum"),
    )


def class_errors(function: Any, name: str) -> list[Refused]:
    scores, target = mg.ones(4, 3), mg.tensor([0, 1, 2, 1])
    return [
        Refused(
            lambda: function(scores, mg.tensor([0, 3, 2, 1])),
            (IndexRangeError, IndexError),
            rf"{name}: target\[1\] is 3, but there are 3 classes, numbered 0 to 2",
        ),
        Refused(lambda: function(scores, mg.tensor([0, 1, 2, -1])), IndexError, rf"{name}: target\[3\] is -1"),
        Refused(lambda: function(mg.ones(1, 3, 2), mg.tensor([[0, 7]])), IndexError, rf"{name}: target\[0, 1\] is 7"),
        Refused(
            lambda: function(scores, mg.tensor([0.0, 1.0, 2.0, 1.0])),
            (DtypeError, RuntimeError),
            f"{name}: target must hold class indices of an integer dtype.*got dtype float32",
        ),
        Refused(lambda: function(scores, mg.tensor([True] * 4)), DtypeError, f"{name}: target must hold class indices"),
        Refused(
            lambda: function(scores, mg.tensor([0, 1, 2])),
            (ShapeError, ValueError),
            rf"{name}: class indices for input \(4, 3\) must have shape \(4,\).*got target \(3,\)",
        ),
        Refused(lambda: function(scores, mg.tensor([[0], [1], [2], [1]])), ShapeError, r"got target \(4, 1\)"),
        Refused(
            lambda: function(scores, target, mg.ones(4)),
            ShapeError,
            rf"{name}: weight must have one entry a class, shape \(3,\), got \(4,\)",
        ),
        Refused(lambda: function(scores, target, reduction="max"), ValueError, f"{name}: reduction must be one of"),
        Refused(
            lambda: function(mg.ones(4, 3).long(), target),
            (DtypeError, RuntimeError),
            f"{name}: input must be floating-point scores, got dtype int64",
        ),
        Refused(lambda: function(mg.tensor(1.0), mg.tensor(0)), ShapeError, f"{name}: input must have a class axis"),
        Refused(
            lambda: function(scores, [0, 1, 2, 1]),
            TypeError,
            f"{name}: target must be a Tensor or a number, got list; make it one with mg.tensor",
        ),
        Refused(lambda: function(scores), TypeError, f"{name}: argument 'target' is missing"),
        Refused(
            lambda: function(scores, target, mg.ones(3, requires_grad=True)), GraphError, f"{name}: has no gradient for weight"
        ),
    ]


ZERO = np.array([0])
CLASSES = [
    case(
        "cross_entropy",
        F.cross_entropy,
        cross_entropy,
        *index_samples(),
        *(sample(normal(4, 3), SOME_IGNORED, WEIGHT, reduction=r, label_smoothing=0.3) for r in REDUCTIONS),
        sample(normal(4, 3), integers(0, 3)(4), label_smoothing=0.1),
        sample(normal(2, 3, 4), integers(0, 3)(2, 4), WEIGHT, label_smoothing=0.2),
        sample(normal(3), given(1), label_smoothing=1.0),
        *(
            sample(normal(2, 3, 4), given([[0, -100, 1, 2], [2, 1, 1, 0]]), WEIGHT, reduction=r, label_smoothing=0.2)
            for r in REDUCTIONS
        ),
        *(sample(normal(2, 3, 4), distributions(2, 3, 4), WEIGHT, reduction=r, label_smoothing=0.2) for r in REDUCTIONS),
        *(sample(normal(3), distributions(3), reduction=r) for r in REDUCTIONS),
        sample(normal(0, 3), distributions(0, 3), reduction="sum"),
        *(sample(normal(4, 3), distributions(4, 3), reduction=r) for r in REDUCTIONS),
        sample(normal(4, 3), distributions(4, 3), WEIGHT, label_smoothing=0.25),
        sample(normal(2, 3, 2), distributions(2, 3, 2), WEIGHT, reduction="none"),
        sample(normal(2, 3, 2), distributions(2, 3, 2)),
        sample(normal(3), distributions(3)),
        sample(normal(3), distributions(3), WEIGHT, label_smoothing=0.1),
        fixed=(2,),
        close=True,
        edges=[
            edge([[1e4, 0.0, -1e4]], ZERO, value=0, grads=[[[0, 0, 0]], None]),
            edge([[0.0, 1e4, -1e4]], ZERO, value=1e4, grads=[[[-1, 1, 0]], None]),
            edge([[2.0, 2.0, 2.0]], ZERO, value=math.log(3), grads=[[[-2 / 3, 1 / 3, 1 / 3]], None]),
            edge([[-inf, 0.0, 0.0]], ZERO, value=inf, grads=[[[-1, 0.5, 0.5]], None]),
            edge([[0.0, -inf, 0.0]], ZERO, value=math.log(2), grads=[[[-0.5, 0, 0.5]], None]),
            edge([[nan, 0.0, 0.0]], ZERO, value=nan),
            edge([[inf, 0.0, 0.0]], ZERO, value=nan),
            edge([[1.0, 2.0, 4.0]], np.array([-100]), value=nan, grads=[[[0, 0, 0]], None]),
            edge([[1.0, 2.0, 4.0]], np.array([-100]), value=0, grads=[[[0, 0, 0]], None], reduction="sum"),
            edge([[[1.0], [2.0], [4.0]]], np.array([[-100]]), value=nan, grads=[[[[0], [0], [0]]], None]),
            edge([1.0, 2.0, 4.0], np.array(-100), value=nan, grads=[[0, 0, 0], None]),
            edge([[1.0, 2.0]], ZERO, [0.0, 1.0], label_smoothing=0.1, value=nan, grads=[[[nan, nan]], None]),
            edge([[[1.0] * 3, [2.0] * 3]], ZERO[None].repeat(3, 1), [0.0, 1.0], label_smoothing=0.1, value=nan),
        ],
        typed=[
            Typed((F32[None], ZERO), "float32"),
            Typed((F64[None], ZERO), "float64"),
            Typed((F64[None], ZERO, F32), "float64"),
            Typed((F32[None], np.array([1], np.uint8)), "float32"),
        ],
        refused=[
            *class_errors(F.cross_entropy, "cross_entropy"),
            Refused(
                lambda: F.cross_entropy(mg.ones(4, 3), mg.tensor([0, 1, 2, 1]), label_smoothing=1.5),
                (ArgumentError, ValueError),
                r"label_smoothing must be in \[0, 1\], got 1.5",
            ),
            Refused(
                lambda: F.cross_entropy(mg.ones(4, 3), mg.tensor([0, 1, 2, 1]), label_smoothing=-0.1),
                ArgumentError,
                "label_smoothing must be in",
            ),
            Refused(
                lambda: F.cross_entropy(mg.ones(4, 3), mg.ones(4, 2)),
                DtypeError,
                r"or probabilities of shape \(4, 3\), got dtype float32, shape \(4, 2\)",
            ),
            Refused(
                lambda: F.cross_entropy(mg.zeros(2, 2), mg.tensor([[2.0, -1.0], [0.0, 1.0]])),
                DomainError,
                r"cross_entropy: target must hold probabilities in \[0, 1\]; 2 of 4 values do not",
            ),
            Refused(
                lambda: F.cross_entropy(mg.zeros(1, 2, 3), mg.full((1, 2, 3), nan)),
                (DomainError, RuntimeError),
                "cross_entropy: target must hold probabilities",
            ),
        ],
    ),
    case(
        "nll_loss",
        F.nll_loss,
        nll_loss,
        *index_samples(),
        fixed=(2,),
        close=True,
        edges=[
            edge([[-1e3, 0.0, 0.0]], ZERO, value=1e3, grads=[[[-1, 0, 0]], None]),
            edge([[-inf, 0.0, 0.0]], ZERO, value=inf, grads=[[[-1, 0, 0]], None]),
            edge([[0.0, nan, inf]], ZERO, value=0, grads=[[[-1, 0, 0]], None]),
            edge([[1.0, 2.0, 4.0]], np.array([-100]), value=nan, grads=[[[0, 0, 0]], None]),
            edge([[1.0, 2.0, 4.0]], np.array([-100]), value=0, grads=[[[0, 0, 0]], None], reduction="sum"),
        ],
        typed=[Typed((F32[None], ZERO), "float32"), Typed((F64[None], ZERO), "float64")],
        refused=[
            *class_errors(F.nll_loss, "nll_loss"),
            Refused(lambda: F.nll_loss(mg.ones(4, 3), mg.ones(4, 3)), DtypeError, "nll_loss: target must hold class indices"),
        ],
    ),
]


# ---- hinges and focal loss


def multi_margin(x: Any, t: Any, p: int = 1, margin: float = 1.0, weight: Any = None, reduction: str = "mean") -> Any:
    rows = x.reshape(-1, x.shape[-1]).tolist()
    w = [1.0] * len(rows[0]) if weight is None and rows else weight
    losses = [
        w[goal] * math.fsum(max(0.0, margin - row[goal] + v) ** p for c, v in enumerate(row) if c != goal) / len(row)
        for row, goal in zip(rows, np.ravel(t).tolist(), strict=True)
    ]
    return reduced(np.reshape(losses, x.shape[:-1]), reduction)


def multilabel_margin(x: Any, t: Any, reduction: str = "mean") -> Any:
    losses = []
    for row, labels in zip(x.reshape(-1, x.shape[-1]).tolist(), t.reshape(-1, x.shape[-1]).tolist(), strict=True):
        labels = labels[: labels.index(-1)] if -1 in labels else labels
        others = [v for c, v in enumerate(row) if c not in labels]
        losses.append(math.fsum(max(0.0, 1 - row[c] + v) for c in labels for v in others) / len(row))
    return reduced(np.reshape(losses, x.shape[:-1]), reduction)


LABELS = given([[2, 0, -1, 1], [1, -1, -1, -1], [-1, 0, 1, 2], [3, 3, 0, -1]])


def focal_binary(x: Any, t: Any, gamma: float = 2.0, alpha: float | None = None, reduction: str = "mean") -> Any:
    def loss(x: float, t: float) -> float:
        p = 1 / (1 + math.exp(-x))
        weight = 1.0 if alpha is None else alpha * t + (1 - alpha) * (1 - t)
        return -weight * (1 - p * t - (1 - p) * (1 - t)) ** gamma * (t * math.log(p) + (1 - t) * math.log(1 - p))

    return each(loss)(x, t, reduction=reduction)


def focal_classes(x: Any, t: Any, gamma: float = 2.0, alpha: Any = None, reduction: str = "mean") -> Any:
    ce = cross_entropy(x, t, reduction="none")
    weights = np.ones(np.shape(ce)) if alpha is None else np.asarray(alpha)[t] if np.ndim(alpha) else np.full(np.shape(ce), alpha)
    return each(lambda ce, w: w * (1 - math.exp(-ce)) ** gamma * ce)(ce, weights, reduction=reduction)


GAMMAS = (0.0, 0.5, 1.0, 2.0, 3.5)
INDICES = integers(0, 3)
HINGES = [
    case(
        "multi_margin_loss",
        F.multi_margin_loss,
        multi_margin,
        *(sample(normal(4, 3), INDICES(4), p, m, reduction=r) for p in (1, 2) for m in (1.0, 0.25) for r in REDUCTIONS),
        *(sample(normal(4, 3), INDICES(4), p, 1.0, WEIGHT, r) for p in (1, 2) for r in REDUCTIONS),
        sample(normal(4, 3), given([0, 1, 2, 1], np.int32)),
        sample(normal(3), given(1)),
        sample(normal(3), given(2), 2, 0.5, WEIGHT, "none"),
        sample(normal(3, 70), integers(0, 70)(3)),
        *(sample(normal(0, 3), INDICES(0), reduction=r) for r in REDUCTIONS),
        fixed=(4,),
        close=True,
        edges=[
            edge([[1.0, 0.0, -1.0]], ZERO, value=0, grads=[[[0, 0, 0]]]),
            edge([[1.0, 0.5, 3.0]], ZERO, value=3.5 / 3, grads=[[[-2 / 3, 1 / 3, 1 / 3]]]),
            edge([[0.0, inf, -inf]], ZERO, value=inf, grads=[[[-1 / 3, 1 / 3, 0]]]),
            edge([[0.0, nan, 1.0]], ZERO, value=2 / 3, grads=[[[-1 / 3, 0, 1 / 3]]]),
            edge([1.0, 0.5, 3.0], ZERO, value=[3.5 / 3], grads=[[-2 / 3, 1 / 3, 1 / 3]], reduction="none"),
            edge([[1.0, 0.5, 3.0]], np.array(0), value=3.5 / 3, grads=[[[-2 / 3, 1 / 3, 1 / 3]]], reduction="none"),
            edge(np.array(2.0), np.array(0), value=0, grads=[0], reduction="none"),
            edge(np.array(2.0), ZERO, value=0, grads=[0]),
        ],
        typed=[Typed((F32[None], ZERO), "float32"), Typed((F64[None], ZERO), "float64")],
        refused=[
            Refused(
                lambda: F.multi_margin_loss(mg.ones(3, 4), mg.tensor([0, 4, 1])),
                (DomainError, RuntimeError),
                r"multi_margin_loss: target\[1\] is 4, but there are 4 classes, numbered 0 to 3",
            ),
            Refused(
                lambda: F.multi_margin_loss(mg.ones(3, 4), mg.tensor([0, 1])),
                ShapeError,
                r"must have shape \(3,\).*got target \(2,\)",
            ),
            Refused(
                lambda: F.multi_margin_loss(mg.ones(3, 4), mg.tensor([0, 1, 2]), p=3),
                (ArgumentError, ValueError),
                "multi_margin_loss: p must be 1 or 2, got 3",
            ),
            Refused(
                lambda: F.multi_margin_loss(mg.ones(3, 4), mg.tensor([0, 1, 2]), weight=mg.ones(3)),
                (ShapeError, RuntimeError, ValueError),
                "multi_margin_loss: weight must have one entry a class",
            ),
            Refused(
                lambda: F.multi_margin_loss(mg.ones(3, 4, 2), mg.tensor([[0, 1]] * 3)),
                ShapeError,
                r"multi_margin_loss: input must be \(N, C\) or \(C\), got \(3, 4, 2\)",
            ),
            Refused(lambda: F.multi_margin_loss(mg.ones(3, 4), mg.ones(3)), DtypeError, "target must hold class indices"),
            Refused(
                lambda: F.multi_margin_loss(mg.ones(3, 4), mg.tensor([0, 1, 2]), reduction="max"),
                ValueError,
                "reduction must be one of",
            ),
        ],
    ),
    case(
        "multilabel_margin_loss",
        F.multilabel_margin_loss,
        multilabel_margin,
        *(sample(uniform(-3, 3)(4, 4), LABELS, reduction=r) for r in REDUCTIONS),
        sample(normal(3), given([1, 2, -1])),
        sample(normal(3), given([0, 1, 2]), reduction="none"),
        sample(normal(3), given([1, -1, 99], np.int32), reduction="sum"),
        *(sample(normal(0, 3), INDICES(0, 3), reduction=r) for r in REDUCTIONS),
        close=True,
        edges=[
            edge([1.0, 0.0, 2.0], np.array([0, -1, -1]), value=2 / 3, grads=[[-1 / 3, 0, 1 / 3]]),
            edge([0.0, inf, -inf], np.array([0, -1, -1]), value=inf, grads=[[-1 / 3, 1 / 3, 0]]),
            edge([0.0, nan, 0.5], np.array([0, -1, -1]), value=0.5, grads=[[-1 / 3, 0, 1 / 3]]),
            *(edge(np.array(2.0), target, value=0, grads=[0], reduction="none") for target in (ZERO, np.array(0), np.array(-1))),
        ],
        typed=[Typed((F32, np.array([0, -1, 0])), "float32"), Typed((F64, np.array([0, -1, 0])), "float64")],
        refused=[
            Refused(
                lambda: F.multilabel_margin_loss(mg.ones(1, 3), mg.tensor([[0, 3, -1]])),
                (DomainError, RuntimeError),
                r"multilabel_margin_loss: target\[0, 1\] is 3, but there are 3 classes",
            ),
            Refused(
                lambda: F.multilabel_margin_loss(mg.ones(3), mg.tensor([0, -1])),
                (ShapeError, RuntimeError),
                "must have the same shape",
            ),
            Refused(lambda: F.multilabel_margin_loss(mg.ones(1, 1, 3), mg.tensor([[[0, 1, 2]]])), ShapeError, "input must be"),
            Refused(lambda: F.multilabel_margin_loss(mg.ones(3), mg.ones(3)), DtypeError, "scores and class indices are expected"),
            Refused(
                lambda: F.multilabel_margin_loss(mg.ones(3), mg.tensor([0, 1, 2]), reduction="max"), ValueError, "reduction must be"
            ),
        ],
    ),
    case(
        "focal_loss[binary]",
        F.focal_loss,
        focal_binary,
        *(sample(normal(3, 4), probability(3, 4), gamma, alpha) for gamma in GAMMAS for alpha in (None, 0.25)),
        *(sample(normal(3, 4), integers(0, 2)(3, 4), 2.0, 0.25, r) for r in REDUCTIONS),
        sample(given([0.0, -0.0, 0.5]), given([0.25, 0.75, 0.5])),
        sample(normal(), probability(), reduction="none"),
        sample(normal(0, 3), probability(0, 3), reduction="sum"),
        covers=(focal.binary_focal_loss,),
        close=True,
        typed=[Typed((F32, F32[:1].repeat(3)), "float32"), Typed((F64, F64[:1].repeat(3)), "float64")],
        edges=[
            MEAN_OF_NOTHING,
            edge(
                [-1e3, -1e3, 1e3, 1e3, 0.0, nan],
                [0.0, 1.0, 1.0, 0.0, 1.0, 1.0],
                value=[0, 1e3, 0, 1e3, math.log(2) / 4, nan],
                grads=[[0, -1, 0, 1, -math.log(2) / 4 - 0.125, nan]],
                reduction="none",
            ),
            edge([-40.0], [0.0], value=[math.exp(-120)], grads=[[3 * math.exp(-120)]], reduction="none", dtypes=["float64"]),
        ],
        refused=[
            Refused(
                lambda: F.focal_loss(mg.ones(3), mg.ones(3), gamma=-1.0),
                (ArgumentError, ValueError),
                "focal_loss: gamma must not be negative, got -1.0",
            ),
            Refused(
                lambda: F.focal_loss(mg.ones(3), mg.ones(3), reduction="max"), ValueError, "focal_loss: reduction must be one of"
            ),
            Refused(
                lambda: F.focal_loss(mg.ones(3), mg.tensor([2.0, -1.0, 0.0])),
                (DomainError, RuntimeError),
                r"focal_loss: target must hold probabilities in \[0, 1\]; 2 of 3 values do not",
            ),
        ],
    ),
    case(
        "focal_loss[classes]",
        F.focal_loss,
        focal_classes,
        *(sample(normal(4, 3), INDICES(4), gamma) for gamma in GAMMAS),
        *(sample(normal(4, 3), INDICES(4), 2.0, 0.25, r) for r in REDUCTIONS),
        *(sample(normal(4, 3), INDICES(4), 2.0, WEIGHT, r) for r in REDUCTIONS),
        sample(normal(2, 3, 4), INDICES(2, 4)),
        sample(normal(3), given(1), reduction="none"),
        covers=(F.cross_entropy, focal.focused),
        close=True,
        edges=[
            edge([[1e4, 0.0, -1e4]], ZERO, value=0, grads=[[[0, 0, 0]]]),
            edge([[0.0, 1e4, -1e4]], ZERO, value=1e4, grads=[[[-1, 1, 0]]]),
        ],
        typed=[Typed((F32[None], ZERO), "float32"), Typed((F64[None], ZERO), "float64")],
        refused=[
            Refused(
                lambda: F.focal_loss(mg.ones(4, 3), mg.tensor([0, 1, 2, 0]), alpha=mg.ones(4)),
                ShapeError,
                r"focal_loss: alpha must have one entry a class, got shape \(4,\) for input \(4, 3\)",
            ),
            Refused(lambda: F.focal_loss([1.0], mg.ones(1)), TypeError, "focal_loss: input must be a Tensor, got list"),
            Refused(
                lambda: F.focal_loss(mg.ones(4, 3), mg.tensor([0, 1, 2, 3])),
                IndexRangeError,
                r"target\[3\] is 3, but there are 3 classes",
            ),
        ],
    ),
]

CASES: tuple[OpCase, ...] = (*CLASSES, *HINGES)
