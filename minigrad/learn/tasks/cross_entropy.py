"""Cross-entropy, the loss that softmax is made for: its gradient is p − q."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import ops
from ...kernels.notation import sigmoid
from ..comparing import Case, Mistake
from ..exercises import Exercise
from ..operations import Operation
from .classes import LOGITS, softmax_along

__all__ = ["CROSS_ENTROPY"]

_TARGETS = np.array([2, 0, 1, 1])


def _one_hot(target: Any, x: Any) -> Any:
    return np.eye(x.shape[1])[target]


CROSS_ENTROPY = Exercise(
    name="cross_entropy",
    heading="Cross-entropy of logits: p − q",
    task="""\
x has shape (n, k), the logits of n samples; target has shape (n,), the right class of each. y is one number: the mean over the samples of
−log softmax(x)[target]. The rule is the reason why everybody takes this loss.""",
    starter="""\
from minigrad.kernels.notation import exp, log


@mg.op
def cross_entropy(x, target):
    return ...


@cross_entropy.backward("x")
def _(g, x, target):
    return ...


learn.check("cross_entropy", cross_entropy)""",
    hints=(
        "log_softmax of the row, at the place of the right class: log_p[range(n), target].",
        "Loss of one sample: logsumexp(x) − x[target]. Derive both terms.",
        "softmax, less 1 at the right class; and the mean divides by n. np.eye(k)[target] has the ones.",
    ),
    stages=Operation(
        truth=lambda x, target: ops.cross_entropy(x, target),
        cases=(
            Case("one sample", {"x": np.array([[2.0, 1.0, 0.1]]), "target": np.array([0])}),
            Case("four samples", {"x": LOGITS, "target": _TARGETS}),
        ),
        edges=(Case("large logits", {"x": np.array([[1000.0, 0.0, -1000.0], [3.0, 1.0, 2.0]]), "target": np.array([1, 0])}),),
        unstable=(
            "With logits of 1000 this is no number, where the loss is 1000 (and not worse): e¹⁰⁰⁰ overflows, or a "
            "probability rounded to 0 meets its logarithm. You have written a form of log-probabilities that holds."
        ),
        mistakes=(
            Mistake(
                "This is the sum over the samples; the mean divides by n.",
                lambda x, target: -np.log(softmax_along(x)[range(len(x)), target]).sum(),
            ),
            Mistake(
                "The sign is missing: log p is negative, and a loss is −log p.",
                lambda x, target: np.log(softmax_along(x)[range(len(x)), target]).mean(),
            ),
            Mistake(
                "This adds up −log p of all classes; the loss of a sample is that of its right class alone.",
                lambda x, target: -np.log(softmax_along(x)).sum(1).mean(),
            ),
            Mistake(
                "This is the mean of −log p over all classes; the loss of a sample is that of its right class alone.",
                lambda x, target: -np.log(softmax_along(x)).mean(),
            ),
            Mistake(
                "This weighs −log p with p itself (the entropy of the answer); the target says which class counts.",
                lambda x, target: -(softmax_along(x) * np.log(softmax_along(x))).sum(1).mean(),
            ),
            Mistake(
                "[:, target] takes the columns of all targets from every row; row and target go in pairs: [range(n), target].",
                lambda x, target: -np.log(softmax_along(x))[:, target].mean(),
            ),
            Mistake(
                "The logarithm comes after the mean here; each sample has a −log p of its own, and those are averaged.",
                lambda x, target: -np.log(softmax_along(x)[range(len(x)), target].mean()),
            ),
            Mistake(
                "This is the sigmoid of each logit by itself; the classes share one softmax.",
                lambda x, target: -np.log(sigmoid(np.asarray(x)))[range(len(x)), target].mean(),
            ),
            Mistake("This is the mean of p, not of −log p.", lambda x, target: softmax_along(x)[range(len(x)), target].mean()),
            Mistake(
                "This takes the logits for log-probabilities; log_softmax is missing.",
                lambda x, target: -x[range(len(x)), target].mean(),
            ),
            Mistake(
                "This divides by the number of all logits; the mean is over the samples.",
                lambda x, target: -np.log(softmax_along(x)[range(len(x)), target]).sum() / x.size,
            ),
            Mistake(
                "softmax is taken twice here: log_softmax of probabilities.",
                lambda x, target: -np.log(softmax_along(softmax_along(x))[range(len(x)), target]).mean(),
            ),
            Mistake(
                "Here the columns are normalized: softmax runs over axis 1, the classes.",
                lambda x, target: -np.log(softmax_along(x, 0)[range(len(x)), target]).mean(),
            ),
        ),
        rules={
            "x": (
                Mistake(
                    "The mean is missing: each sample counts for 1/n.",
                    lambda g, x, target: g * (softmax_along(x) - _one_hot(target, x)),
                ),
                Mistake(
                    "This is p without − q: at the right class, 1 has to be taken off.",
                    lambda g, x, target: g * softmax_along(x) / len(x),
                ),
                Mistake(
                    "This is q − p, the gradient with the wrong sign: growing the right class's logit makes the loss fall.",
                    lambda g, x, target: g * (_one_hot(target, x) - softmax_along(x)) / len(x),
                ),
                Mistake(
                    "This divides by the number of all logits; the mean is over the samples.",
                    lambda g, x, target: g * (softmax_along(x) - _one_hot(target, x)) / x.size,
                ),
                Mistake(
                    (
                        "Only the right class gets a gradient here; the others' logits stand in the sum, and pushing them down "
                        "helps too."
                    ),
                    lambda g, x, target: g * (softmax_along(x) - 1) * _one_hot(target, x) / len(x),
                ),
                Mistake(
                    "[:, target] takes 1 off in the columns of all targets, in every row; each row has one right class: [range(n), target].",
                    lambda g, x, target: g * (softmax_along(x) - _one_hot(target, x).max(0)) / len(x),
                ),
                Mistake(
                    "This is −q / p, the slope of the loss along p; the way from p back to the logits is missing.",
                    lambda g, x, target: -g * _one_hot(target, x) / softmax_along(x) / len(x),
                ),
                Mistake(
                    "These are the logits less the ones; softmax of them is missing.",
                    lambda g, x, target: g * (x - _one_hot(target, x)) / len(x),
                ),
            )
        },
    ).stages,
)
