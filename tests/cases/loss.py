"""Losses."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from op_cases import F32, F64, I64, OpCase, Refused, Sample, Typed, case, edge, given, integers, lattice, normal, sample, uniform

import minigrad as mg
from minigrad.errors import ArgumentError, DomainError, DtypeError, GraphError, IndexRangeError, InputTypeError, ShapeError
from minigrad.nn import functional as F

inf, nan = math.inf, math.nan
probability = uniform(0.05, 0.95)
REDUCTIONS = ("mean", "sum", "none")


def reduced(losses: Any, reduction: str, divisor: float | None = None) -> Any:
    losses = np.asarray(losses, np.float64)
    if reduction == "none":
        return losses
    total = math.fsum(losses.ravel())
    return np.float64(total) if reduction == "sum" else np.float64(total) / (losses.size if divisor is None else divisor)


def each(loss: Callable[..., float]) -> Callable[..., Any]:
    """A loss of one element, with a reduction, over arrays."""

    def over_arrays(*values: Any, reduction: str = "mean", **settings: Any) -> Any:
        arrays = np.broadcast_arrays(*[v for v in values if v is not None])
        flat = [loss(*map(float, row), **settings) for row in zip(*(a.ravel() for a in arrays), strict=True)]
        return reduced(np.reshape(flat, arrays[0].shape), reduction)

    return over_arrays


def regression(draws: tuple[Any, Any], **settings: Any) -> tuple[Sample, ...]:
    left, right = draws
    shaped = [sample(left(*s), right(*s), reduction=r, **settings) for s in ((3, 4), (5,), ()) for r in REDUCTIONS]
    empty = [sample(left(0, 3), right(0, 3), reduction=r, **settings) for r in ("sum", "none")]
    return (*shaped, *empty, sample(left(3, 4), right(3, 4), **settings))


def regression_errors(function: Any, name: str) -> list[Refused]:
    return [
        Refused(
            lambda: function(mg.ones(3, 1), mg.ones(3)),
            (ShapeError, ValueError),
            rf"{name}: input and target must have the same shape, got input \(3, 1\), target \(3,\)",
        ),
        Refused(
            lambda: function(mg.ones(3), mg.ones(3), reduction="max"),
            (ArgumentError, ValueError),
            f"{name}: reduction must be one of 'none', 'mean', 'sum', got 'max'",
        ),
        Refused(lambda: function(mg.ones(3)), (InputTypeError, TypeError), f"{name}: argument 'target' is missing"),
        Refused(lambda: function(mg.ones(3), "x"), TypeError, f"{name}: target must be a Tensor or a number, got str"),
    ]


NOTHING = np.zeros((0, 3))
MEAN_OF_NOTHING = edge(NOTHING, NOTHING, value=nan, grads=[NOTHING, NOTHING])
PAIR = (lattice(0, 4), lattice(1, 4))
TYPES = [Typed((F32, F32), "float32"), Typed((F32, F64), "float64"), Typed((I64, I64), "float32"), Typed((F32, I64), "float64")]

REGRESSION = [
    case(
        "mse_loss",
        F.mse_loss,
        each(lambda x, t: (x - t) ** 2),
        *regression((normal, normal)),
        sample(given([0.0, 1.0]), given([0.0, 1.0])),
        close=True,
        typed=TYPES,
        refused=regression_errors(F.mse_loss, "mse_loss"),
        edges=[
            MEAN_OF_NOTHING,
            edge(
                [0.0, 1e3, inf, nan],
                [0.0, -1e3, 0.0, 0.0],
                value=[0, 4e6, inf, nan],
                grads=[[0, 4e3, inf, nan], [0, -4e3, -inf, nan]],
                reduction="none",
            ),
        ],
    ),
    case(
        "l1_loss",
        F.l1_loss,
        each(lambda x, t: abs(x - t)),
        *regression(PAIR),
        close=True,
        typed=TYPES,
        refused=regression_errors(F.l1_loss, "l1_loss"),
        edges=[
            MEAN_OF_NOTHING,
            edge(
                [0.0, 1e3, -inf, nan],
                [0.0, -1e3, 0.0, 0.0],
                value=[0, 2e3, inf, nan],
                grads=[[0, 1, -1, 0], [0, -1, 1, 0]],
                reduction="none",
            ),
        ],
    ),
    case(
        "huber_loss",
        F.huber_loss,
        each(lambda x, t, delta=1.0: (x - t) ** 2 / 2 if abs(x - t) <= delta else delta * abs(x - t) - delta**2 / 2),
        *regression(PAIR, delta=0.8),
        sample(given([0.0, 1.0]), given([0.0, 1.0])),
        *regression(PAIR)[:3],
        close=True,
        typed=TYPES,
        edges=[
            MEAN_OF_NOTHING,
            edge(
                [0.0, 1.0, 0.5, 1e3, -inf, inf, nan],
                [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
                value=[0, 0.5, 0.125, 999.5, inf, inf, nan],
                grads=[[0, 1, 0.5, 1, -1, 1, nan], [0, -1, -0.5, -1, 1, -1, nan]],
                reduction="none",
            ),
        ],
        refused=[
            *regression_errors(F.huber_loss, "huber_loss"),
            Refused(
                lambda: F.huber_loss(mg.ones(3), mg.ones(3), delta=0.0),
                ArgumentError,
                "huber_loss: delta must be positive, got 0.0",
            ),
            Refused(
                lambda: F.huber_loss(mg.ones(3), mg.ones(3), delta=-1.0),
                ArgumentError,
                "huber_loss: delta must be positive, got -1.0",
            ),
        ],
    ),
]


def bce(x: float, t: float, w: float = 1.0) -> float:
    return -w * (t * math.log(x) + (1 - t) * math.log(1 - x))


def bce_logits(x: float, t: float, w: float = 1.0, p: float = 1.0) -> float:
    s = 1 / (1 + math.exp(-x))
    return -w * (p * t * math.log(s) + (1 - t) * math.log(1 - s))


def binary_logits(input: Any, target: Any, weight: Any = None, pos_weight: Any = None, reduction: str = "mean") -> Any:
    weight, pos_weight = (1.0 if v is None else v for v in (weight, pos_weight))
    return each(bce_logits)(input, target, weight, pos_weight, reduction=reduction)


def binary_samples(draw: Any) -> tuple[Sample, ...]:
    shaped = [sample(draw(*s), probability(*s), reduction=r) for s in ((3, 4), (5,), ()) for r in REDUCTIONS]
    weighted = [
        sample(draw(3, 4), probability(3, 4), uniform(0.5, 2)(*w), reduction=r)
        for w, r in (((3, 4), "mean"), ((4,), "sum"), ((3, 1), "none"), ((), "mean"))
    ]
    return (
        *shaped,
        *weighted,
        sample(draw(3, 4), probability(3, 4)),
        sample(draw(0, 3), probability(0, 3), reduction="sum"),
        sample(draw(5), integers(0, 2)(5)),
        sample(given([0.0, 0.5]), given([0.25, 0.5])) if draw is normal else sample(given([0.5, 0.5]), given([0.25, 0.5])),
    )


BINARY = [
    case(
        "binary_cross_entropy",
        F.binary_cross_entropy,
        lambda x, t, weight=None, reduction="mean": each(bce)(x, t, 1.0 if weight is None else weight, reduction=reduction),
        *binary_samples(probability),
        fixed=(2,),
        close=True,
        typed=[Typed((F32[:1], F32[:1]), "float32"), Typed((F64[:1], F64[:1]), "float64"), Typed((F32[:1], F64[:1]), "float64")],
        edges=[
            MEAN_OF_NOTHING,
            edge(
                [0.0, 1.0, 0.0, 1.0, 0.5],
                [0.0, 1.0, 1.0, 0.0, 0.5],
                value=[0, 0, 100, 100, math.log(2)],
                grads=[[0, 0, -1e12, 1e12, 0], [100, -100, 100, -100, 0]],
                reduction="none",
            ),
        ],
        refused=[
            *regression_errors(F.binary_cross_entropy, "binary_cross_entropy"),
            Refused(
                lambda: F.binary_cross_entropy(mg.tensor([0.5, 1.5, -3.0]), mg.ones(3)),
                (DomainError, RuntimeError),
                r"input must hold probabilities in \[0, 1\]; 2 of 3 values do not; for logits there is binary_cross_entropy_with_logits",
            ),
            Refused(lambda: F.binary_cross_entropy(mg.tensor([nan]), mg.ones(1)), DomainError, "input must hold probabilities"),
            Refused(
                lambda: F.binary_cross_entropy(mg.tensor([0.5]), mg.tensor([2.0])), DomainError, "target must hold probabilities"
            ),
            Refused(
                lambda: F.binary_cross_entropy(mg.tensor([0.5]), mg.tensor([3])), DomainError, "target must hold probabilities"
            ),
            Refused(
                lambda: F.binary_cross_entropy(mg.ones(3, 4), mg.ones(3, 4), mg.ones(3)),
                ShapeError,
                r"weight of shape \(3,\) does not broadcast to the input's shape \(3, 4\)",
            ),
            Refused(lambda: F.binary_cross_entropy(mg.ones(3), mg.ones(3), mg.ones(2, 3)), ShapeError, "weight of shape"),
            Refused(
                lambda: F.binary_cross_entropy(mg.ones(3), mg.ones(3), mg.ones(3, requires_grad=True)),
                GraphError,
                "binary_cross_entropy: has no gradient for weight",
            ),
        ],
    ),
    case(
        "binary_cross_entropy_with_logits",
        lambda x, t, w=None, p=None, reduction="mean": F.binary_cross_entropy_with_logits(x, t, w, reduction, p),
        binary_logits,
        *binary_samples(normal),
        *(
            sample(normal(3, 4), probability(3, 4), None, given(p), reduction=r)
            for p, r in (([0.5, 1.0, 2.0, 3.0], "mean"), ([[2.0], [0.5], [1.0]], "none"), (3.0, "sum"))
        ),
        sample(normal(3, 4), probability(3, 4), given([0.5, 1.0, 2.0, 3.0]), given([[2.0], [0.5], [1.0]])),
        covers=(F.binary_cross_entropy_with_logits,),
        fixed=(2, 3),
        close=True,
        typed=[Typed((F32, F32[:1].repeat(3)), "float32"), Typed((F64, F64[:1].repeat(3)), "float64")],
        edges=[
            MEAN_OF_NOTHING,
            edge(
                [-1e3, -1e3, 1e3, 1e3, 0.0, nan],
                [0.0, 1.0, 1.0, 0.0, 0.5, 1.0],
                value=[0, 1e3, 0, 1e3, math.log(2), nan],
                grads=[[0, -1, 0, 1, 0, nan], [1e3, 1e3, -1e3, -1e3, 0, nan]],
                reduction="none",
            ),
            edge([inf, -inf, inf], [0.0, 1.0, 0.5], value=[inf, inf, inf], grads=[[1, -1, 0.5]], reduction="none"),
            edge([-40.0, 40.0], [0.0, 1.0], value=[math.exp(-40)] * 2, grads=[[math.exp(-40), -math.exp(-40)]], reduction="none"),
        ],
        refused=[
            *regression_errors(F.binary_cross_entropy_with_logits, "binary_cross_entropy_with_logits"),
            Refused(
                lambda: F.binary_cross_entropy_with_logits(mg.ones(3), 2 * mg.ones(3)),
                DomainError,
                r"target must hold probabilities in \[0, 1\]; 3 of 3 values do not",
            ),
            Refused(
                lambda: F.binary_cross_entropy_with_logits(mg.ones(3), mg.ones(3), pos_weight=mg.ones(2)),
                ShapeError,
                "pos_weight of shape",
            ),
        ],
    ),
]


# ---- classes


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

CASES: tuple[OpCase, ...] = (*REGRESSION, *BINARY, *CLASSES)
