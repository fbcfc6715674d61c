"""Losses that are likelihoods: of probabilities, counts and normal variables; and the Kullback-Leibler divergence."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from op_cases import F32, F64, OpCase, Refused, Sample, Typed, case, edge, given, integers, normal, sample, uniform

import minigrad as mg
from minigrad.errors import ArgumentError, DimError, DomainError, GraphError, InputTypeError, ShapeError
from minigrad.nn import functional as F
from minigrad.ops import likelihood

from .loss import MEAN_OF_NOTHING, NOTHING, REDUCTIONS, each, inf, nan, probability, reduced, regression, regression_errors


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
                grads=[[0, 0, -1e12, 1e12, 0], [inf, -inf, inf, -inf, 0]],
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


# ---- Kullback-Leibler


def kl_div(x: Any, t: Any, reduction: str = "mean", log_target: bool = False) -> Any:
    def term(x: float, t: float) -> float:
        return math.exp(t) * (t - x) if log_target else (t * math.log(t) if t else 0.0) - t * x

    if reduction == "batchmean":
        return each(term)(x, t, reduction="sum") / (len(x) if x.ndim else 1)
    return each(term)(x, t, reduction=reduction)


def kl_samples(target: Any, **settings: Any) -> tuple[Sample, ...]:
    batches = [sample(normal(*s), target(*s), reduction="batchmean", **settings) for s in ((3, 4), (5,), (), (2, 3, 2))]
    return (*regression((normal, target), **settings), *batches)


KULLBACK_LEIBLER = [
    case(
        "kl_div",
        F.kl_div,
        kl_div,
        *kl_samples(probability),
        *kl_samples(normal, log_target=True),
        covers=(likelihood.kl_div_of_probabilities, likelihood.kl_div_of_logs),
        close=True,
        typed=[Typed((F32, F32), "float32"), Typed((F32, F64), "float64"), Typed((F32, F32), "float32", {"log_target": True})],
        edges=[
            MEAN_OF_NOTHING,
            edge(NOTHING, NOTHING, value=nan, reduction="batchmean"),
            edge(
                [-1.0, -1e4, -inf, nan, 0.5, -inf],
                [0.0, 0.5, 0.5, 0.5, -0.5, 0.0],
                value=[0, 0.5 * math.log(0.5) + 5e3, inf, nan, nan, nan],
                grads=[[0, -0.5, -0.5, -0.5, 0.5, 0], [-inf, math.log(0.5) + 1 + 1e4, inf, nan, nan, nan]],
                reduction="none",
            ),
            edge(
                [-1.0, 0.0, 2.0, -inf],
                [-1.0, -1e4, -inf, 0.0],
                value=[0, 0, nan, inf],
                grads=[[-math.exp(-1), 0, 0, -1], [math.exp(-1), 0, nan, inf]],
                reduction="none",
                log_target=True,
            ),
        ],
        refused=[
            Refused(
                lambda: F.kl_div(mg.ones(3, 1), mg.ones(3)),
                (ShapeError, ValueError),
                r"kl_div: input and target must have the same shape, got input \(3, 1\), target \(3,\)",
            ),
            Refused(lambda: F.kl_div(mg.ones(3), [1.0] * 3), TypeError, "kl_div: target must be a Tensor, got list"),
            Refused(
                lambda: F.kl_div(mg.ones(3), mg.ones(3), reduction="max"),
                (ArgumentError, ValueError),
                "kl_div: reduction must be one of 'none', 'mean', 'sum', 'batchmean', got 'max'",
            ),
        ],
    ),
]


# ---- counts and normal variables


def poisson(x: float, t: float, log_input: bool = True, full: bool = False, eps: float = 1e-8) -> float:
    stirling = t * math.log(t) - t + math.log(2 * math.pi * t) / 2 if full and t > 1 else 0.0
    return stirling + (math.exp(x) - t * x if log_input else x - t * math.log(x + eps))


def poisson_nll(x: Any, t: Any, reduction: str = "mean", **settings: Any) -> Any:
    return each(lambda x, t: poisson(x, t, **settings))(x, t, reduction=reduction)


def gaussian(x: Any, t: Any, var: Any, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> Any:
    v = np.asarray(var)
    v = v[..., None] if v.shape == x.shape[:-1] and v.shape != x.shape and v.ndim else v
    constant = math.log(2 * math.pi) / 2 if full else 0.0
    return each(lambda x, t, v: math.log(max(v, eps)) / 2 + (x - t) ** 2 / max(v, eps) / 2 + constant)(x, t, v, reduction=reduction)


positive = uniform(0.2, 3)
counts = uniform(1.2, 5)
variances = (
    positive(3, 4),
    positive(3),
    positive(3, 1),
    0.7,
    2,
)

MEASURED = [
    case(
        "poisson_nll_loss",
        F.poisson_nll_loss,
        poisson_nll,
        *regression((normal, uniform(0.1, 0.9))),
        *regression((normal, counts), full=True),
        *regression((positive, counts), log_input=False),
        sample(positive(3, 4), uniform(0.1, 0.9)(3, 4), log_input=False, full=True, eps=0.25),
        sample(normal(3, 4), uniform(0.1, 0.9)(3, 4), full=True),
        sample(normal(3, 4), integers(0, 6)(3, 4), full=True),
        close=True,
        typed=[Typed((F32, F32), "float32"), Typed((F32, F64), "float64")],
        edges=[
            MEAN_OF_NOTHING,
            edge(
                [0.0, -1e3, 1e3, -inf, nan],
                [0.0, 2.0, 0.0, 1.0, 1.0],
                value=[1, 2e3, inf, inf, nan],
                grads=[[1, -2, inf, -1, nan], [0, 1e3, -1e3, inf, nan]],
                reduction="none",
            ),
            edge([0.0, 0.0], [0.0, 1.0], value=[0, -math.log(1e-8)], grads=[[1, 1 - 1e8]], reduction="none", log_input=False),
            edge([1e3, 0.0], [1.0, 0.0], value=[1e3 - math.log(1e3), 0], grads=[[0.999, 1]], reduction="none", log_input=False),
            edge([0.0, 0.0], [1.0, 0.0], value=[1, 1], grads=[[0, 1], [0, 0]], reduction="none", full=True),
        ],
        refused=[
            *regression_errors(F.poisson_nll_loss, "poisson_nll_loss"),
            Refused(
                lambda: F.poisson_nll_loss(mg.ones(3), mg.ones(3), eps="small"),
                InputTypeError,
                "poisson_nll_loss: eps must be a number, got 'small'",
            ),
        ],
    ),
    case(
        "gaussian_nll_loss",
        F.gaussian_nll_loss,
        gaussian,
        *(
            sample(normal(3, 4), normal(3, 4), v, reduction=r, full=full)
            for v in variances
            for r in REDUCTIONS
            for full in (False, True)
        ),
        sample(normal(3, 4), normal(3, 1), positive(3, 4)),
        sample(normal(2, 3, 2), normal(2, 3, 2), positive(2, 1, 2)),
        sample(normal(), normal(), positive()),
        sample(normal(5), normal(5), 1e-9, eps=0.5),
        sample(normal(0, 3), normal(0, 3), positive(0, 3), reduction="sum"),
        covers=(likelihood.gaussian_nll, likelihood.raised),
        close=True,
        typed=[Typed((F32, F32, F32), "float32"), Typed((F32, F64, F32), "float64"), Typed((F32, F32, 2.0), "float32")],
        edges=[
            edge([1.0], [0.0], [0.0], value=[math.log(0.5) / 2 + 1], grads=[[2], [-2], [-1]], reduction="none", eps=0.5),
            edge([3.0, nan], [0.0, 0.0], [1.0, 1.0], value=[4.5, nan], grads=[[3, nan], [-3, nan], [-4, nan]], reduction="none"),
            edge([1.0], [0.0], [inf], value=[inf], grads=[[0], [0], [0]], reduction="none"),
            edge(NOTHING, NOTHING, NOTHING, value=nan, grads=[NOTHING, NOTHING, NOTHING]),
        ],
        refused=[
            Refused(
                lambda: F.gaussian_nll_loss(mg.ones(3), mg.ones(3), mg.tensor([1.0, -1.0, 1.0])),
                (DomainError, ValueError),
                "gaussian_nll_loss: var must not be negative",
            ),
            Refused(
                lambda: F.gaussian_nll_loss(mg.ones(3), mg.ones(3), -1.0), ValueError, "gaussian_nll_loss: var must not be negative"
            ),
            Refused(
                lambda: F.gaussian_nll_loss(mg.ones(3), mg.ones(3), [1.0] * 3), TypeError, "gaussian_nll_loss: var must be a number"
            ),
            *(
                Refused(
                    lambda var=var: F.gaussian_nll_loss(mg.ones(2, 3), mg.ones(2, 3), var),
                    (ShapeError, ValueError),
                    r"gaussian_nll_loss: var of shape .* does not fit the input's shape \(2, 3\)",
                )
                for var in (mg.ones(3), mg.ones(1, 1), mg.ones(2, 2), mg.tensor(1.0))
            ),
            Refused(
                lambda: F.gaussian_nll_loss(mg.ones(3), mg.ones(3), mg.ones(3), reduction="max"),
                ValueError,
                "gaussian_nll_loss: reduction must be one of",
            ),
        ],
    ),
    case(
        "multilabel_soft_margin_loss",
        F.multilabel_soft_margin_loss,
        lambda x, t, weight=None, reduction="mean": multilabel(x, t, weight, reduction),
        *(sample(normal(3, 4), probability(3, 4), None, r) for r in REDUCTIONS),
        *(sample(normal(3, 4), probability(3, 4), uniform(0.5, 2)(*w), r) for w in ((4,), (3, 4)) for r in REDUCTIONS),
        sample(normal(5), integers(0, 2)(5), reduction="none"),
        sample(normal(2, 3, 4), probability(2, 3, 4), reduction="none"),
        sample(given([0.0, -0.0, 0.5]), probability(3)),
        *(sample(normal(3, 4), normal(3, 4), None, r) for r in REDUCTIONS),
        covers=(likelihood.multilabel_terms,),
        fixed=(2,),
        close=True,
        typed=[
            Typed((F32, np.array([0, 1, 1])), "float32"),
            Typed((F32, F32[:1].repeat(3)), "float32"),
            Typed((F64, F64[:1].repeat(3)), "float64"),
        ],
        edges=[
            MEAN_OF_NOTHING,
            edge([[-1e3, 1e3], [1e3, 1e3]], [[0.0, 1.0], [0.0, 1.0]], value=[0, 500], grads=[[[0, 0], [0.5, 0]]], reduction="none"),
        ],
        refused=[
            Refused(
                lambda: F.multilabel_soft_margin_loss(mg.tensor(1.0), mg.tensor(1.0)),
                (DimError, IndexError),
                "multilabel_soft_margin_loss: input must have an axis of classes",
            ),
            Refused(
                lambda: F.multilabel_soft_margin_loss(mg.ones(3, 1), mg.ones(3)),
                ShapeError,
                "multilabel_soft_margin_loss: input and target must have the same shape",
            ),
            Refused(
                lambda: F.multilabel_soft_margin_loss(mg.ones(3), mg.ones(3), reduction="max"),
                ValueError,
                "multilabel_soft_margin_loss: reduction must be one of",
            ),
            Refused(
                lambda: F.multilabel_soft_margin_loss(mg.ones(3, 2), mg.ones(3, 2), mg.ones(3)),
                ShapeError,
                r"multilabel_soft_margin_loss: weight of shape \(3,\) does not broadcast",
            ),
        ],
    ),
]


def multilabel(x: Any, t: Any, weight: Any, reduction: str) -> Any:
    terms = each(bce_logits)(x, t, np.ones(()) if weight is None else weight, reduction="none")
    return reduced(np.sum(terms, -1) / x.shape[-1], reduction)


CASES: tuple[OpCase, ...] = (*BINARY, *KULLBACK_LEIBLER, *MEASURED)
