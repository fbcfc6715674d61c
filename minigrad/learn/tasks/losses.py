"""Losses of numbers: squares, what outliers cannot pull at, and logits of yes or no."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import ops
from ...kernels.notation import sigmoid
from ..comparing import Case, Mistake
from ..exercises import Exercise
from ..operations import Operation

__all__ = ["LOSSES"]

_RNG = np.random.default_rng(11)
_Y, _T = _RNG.normal(size=(4, 3)) * 1.5, _RNG.normal(size=(4, 3))
_PAIRS = (Case("four numbers", {"input": _Y[:, 0], "target": _T[:, 0]}), Case("four rows of three", {"input": _Y, "target": _T}))


def _bce_of(x: Any, target: Any) -> Any:
    return np.maximum(x, 0) - x * target + np.log1p(np.exp(-np.abs(x)))


_mse_loss = Exercise(
    name="mse_loss",
    heading="Mean squared error",
    task="""\
y is one number, the mean over all elements of (input − target)². Write a rule for the input; the target is given and needs none, but
here you may write one too (it differs by a sign).""",
    starter="""\
@mg.op
def mse_loss(input, target):
    return ...


@mse_loss.backward("input")
def _(g, input, target):
    return ...


@mse_loss.backward("target")
def _(g, input, target):
    return ...


learn.check("mse_loss", mse_loss)""",
    hints=(
        "For one element: d/dx (x − t)² = 2 (x − t).",
        "The mean divides by the number of elements, so does each slope. math.prod(input.shape) counts them.",
        "g is one number: the loss's own gradient, mostly 1. It is a factor all the same.",
    ),
    stages=Operation(
        truth=lambda y, t: ops.mse_loss(y, t),
        cases=_PAIRS,
        optional=("target",),
        mistakes=(
            Mistake(
                "This is the sum of the squares; the mean divides by their number.",
                lambda y, t: ((y - t) ** 2).sum(),
            ),
            Mistake(
                "Input and target are squared first, and subtracted then: it is the difference that is squared.",
                lambda y, t: (y**2 - t**2).mean(),
            ),
            Mistake(
                "The mean comes before the square here, so that differences of opposite sign cancel.",
                lambda y, t: (y - t).mean() ** 2,
            ),
            Mistake(
                "This divides by n − 1, which is for the variance of a sample; a mean of n squares divides by n.",
                lambda y, t: ((y - t) ** 2).sum() / (y.size - 1),
            ),
            Mistake(
                "This is half of it: the ½ that some books put there is not in this loss.",
                lambda y, t: ((y - t) ** 2).mean() / 2,
            ),
            Mistake(
                "This is the mean absolute error: the differences should be squared.",
                lambda y, t: np.abs(y - t).mean(),
            ),
            Mistake(
                "This divides by the number of rows; the mean is over all elements.",
                lambda y, t: ((y - t) ** 2).sum() / len(y),
            ),
            Mistake(
                "This is the root of the mean square (RMSE); the loss is the mean square.",
                lambda y, t: np.sqrt(((y - t) ** 2).mean()),
            ),
        ),
        rules={
            "input": (
                Mistake("The 2 of the square is missing: d/dx x² = 2x.", lambda g, y, t: g * (y - t) / y.size),
                Mistake(
                    "The mean is missing: each element counts for 1/n, with n the number of all elements.",
                    lambda g, y, t: g * 2 * (y - t),
                ),
                Mistake("Both the 2 of the square and the 1/n of the mean are missing.", lambda g, y, t: g * (y - t)),
                Mistake(
                    "This divides by the number of rows; the mean is over all elements.",
                    lambda g, y, t: g * 2 * (y - t) / len(y),
                ),
                Mistake(
                    "The difference is turned round, so the sign is: if input is above target, growing makes the loss grow.",
                    lambda g, y, t: g * 2 * (t - y) / y.size,
                ),
                Mistake(
                    "This divides by n − 1, which is for the variance of a sample; in a mean of n elements each counts for 1/n.",
                    lambda g, y, t: g * 2 * (y - t) / (y.size - 1),
                ),
                Mistake(
                    "The difference is still squared here: the slope of x² is a straight line, 2x.",
                    lambda g, y, t: g * 2 * (y - t) ** 2 / y.size,
                ),
                Mistake(
                    "This is the rule of the absolute error: a square pulls harder the farther away it is.",
                    lambda g, y, t: g * np.sign(y - t) / y.size,
                ),
            ),
            "target": (
                Mistake(
                    "This is the gradient of input; target is subtracted, which turns the sign.",
                    lambda g, y, t: g * 2 * (y - t) / y.size,
                ),
            ),
        },
    ).stages,
)

_huber_loss = Exercise(
    name="huber_loss",
    heading="Huber: a square that outliers cannot pull at",
    task="""\
For a difference d = input − target the loss is ½ d² where |d| ≤ 1, and |d| − ½ beyond; y has one loss for each element (no mean). It is
elementwise: the two pieces meet at |d| = 1 with the same value and the same slope.""",
    starter="""\
from minigrad.kernels.notation import absolute, where


@mg.elementwise
def huber_loss(input, target):
    return ...


@huber_loss.backward("input")
def _(g, input, target):
    return ...


@huber_loss.backward("target")
def _(g, input, target):
    return ...


learn.check("huber_loss", huber_loss)""",
    hints=(
        "Each piece has its slope: d in the middle, and 1 or −1 outside.",
        "The slope is d, clipped to −1 … 1.",
        "The target's gradient is the input's with the sign turned.",
    ),
    stages=Operation(
        truth=lambda y, t: ops.huber_loss(y, t, reduction="none"),
        cases=(
            Case(
                "differences on both sides of 1",
                {"input": np.array([0.3, -0.8, 2.5, -4.0, 1.5]), "target": np.array([0.1, -0.2, 0.2, 0.5, -1.9])},
            ),
            Case("four rows of three", {"input": _Y, "target": _T}),
        ),
        kinks=(Case("|d| = 1", {"input": np.array([1.0, -1.0, 0.0]), "target": np.array([0.0, 0.0, 0.0])}),),
        at_kink="Where |d| is exactly 1, or 0, the pieces meet: the value there is ½ (or 0) and the slope ±1 (or 0).",
        mistakes=(
            Mistake(
                "The square lacks its ½: the pieces would not meet at |d| = 1.",
                lambda y, t: np.where(abs(y - t) <= 1, (y - t) ** 2, abs(y - t) - 0.5),
            ),
            Mistake(
                "Outside, the ½ is missing: at |d| = 1 the line has to begin at ½, where the square ends.",
                lambda y, t: np.where(abs(y - t) <= 1, 0.5 * (y - t) ** 2, abs(y - t)),
            ),
            Mistake(
                "The pieces are swapped: the square belongs in the middle.",
                lambda y, t: np.where(abs(y - t) > 1, 0.5 * (y - t) ** 2, abs(y - t) - 0.5),
            ),
            Mistake("This is |d| everywhere: within |d| ≤ 1 the loss is a square.", lambda y, t: np.abs(y - t)),
            Mistake(
                "The pieces meet at |d| = 2 here (delta = 2); they should meet at 1.",
                lambda y, t: np.where(abs(y - t) <= 2, 0.5 * (y - t) ** 2, 2 * abs(y - t) - 2),
            ),
            Mistake(
                "The condition compares d itself with 1: a difference of −3 counts as small. It is |d| that has to be small.",
                lambda y, t: np.where(y - t <= 1, 0.5 * (y - t) ** 2, abs(y - t) - 0.5),
            ),
            Mistake(
                "Beyond −1 the loss is negative here: outside it is a line of |d|, not of d.",
                lambda y, t: np.where(abs(y - t) <= 1, 0.5 * (y - t) ** 2, y - t - 0.5),
            ),
            Mistake(
                "This is ½ d² everywhere: beyond 1 the loss goes on as a straight line.",
                lambda y, t: 0.5 * (y - t) ** 2,
            ),
            Mistake(
                "This is the mean; here each element keeps its own loss.",
                lambda y, t: np.mean(np.where(abs(y - t) <= 1, 0.5 * (y - t) ** 2, abs(y - t) - 0.5)),
            ),
        ),
        rules={
            "input": (
                Mistake(
                    "This is the slope of the square everywhere: beyond |d| = 1 the loss is a line, whose slope is ±1.",
                    lambda g, y, t: g * (y - t),
                ),
                Mistake(
                    "This is ±1 everywhere: within |d| ≤ 1 the slope is d itself, which is what makes the bottom round.",
                    lambda g, y, t: g * np.sign(y - t),
                ),
                Mistake(
                    "Outside, this is 1 on both sides; left of the middle the loss falls, so the slope there is −1.",
                    lambda g, y, t: g * np.where(abs(y - t) <= 1, y - t, 1.0),
                ),
                Mistake(
                    "Outside this is 0: clipped differences still pull, with slope ±1.",
                    lambda g, y, t: g * np.where(abs(y - t) <= 1, y - t, 0.0),
                ),
                Mistake(
                    "The slope changes at |d| = 2 here (delta = 2); it should at 1.",
                    lambda g, y, t: g * np.clip(y - t, -2, 2),
                ),
                Mistake(
                    "The condition compares d itself with 1: a difference of −3 counts as small. It is |d| that has to be small.",
                    lambda g, y, t: g * np.where(y - t <= 1, y - t, np.sign(y - t)),
                ),
                Mistake(
                    "This is |d|, cut off at 1: left of the middle the loss falls, so the slope there is negative.",
                    lambda g, y, t: g * np.minimum(1, abs(y - t)),
                ),
                Mistake(
                    "The middle has the slope of d², 2 d; the loss is ½ d².",
                    lambda g, y, t: g * np.where(abs(y - t) <= 1, 2 * (y - t), np.sign(y - t)),
                ),
            ),
            "target": (
                Mistake(
                    "This is the gradient of input; target is subtracted, which turns the sign.",
                    lambda g, y, t: g * np.clip(y - t, -1, 1),
                ),
            ),
        },
    ).stages,
)

_bce = Exercise(
    name="bce_with_logits",
    heading="Binary cross-entropy, straight from the logit",
    task="""\
x is a logit, target 0 or 1 (or between); p = σ(x). y is −(t log p + (1 − t) log(1 − p)), one number for each element. Taking σ first and the
logarithm after it fails from x = 37 on, where p rounds to 1. Find the form that takes the logit itself: max(x, 0) − x t + log(1 + e^−|x|).""",
    starter="""\
from minigrad.kernels.notation import absolute, exp, log1p, maximum, sigmoid


@mg.elementwise
def bce_with_logits(x, target):
    return ...


@bce_with_logits.backward("x")
def _(g, x, target):
    return ...


@bce_with_logits.backward("target")
def _(g, x, target):
    return ...


learn.check("bce_with_logits", bce_with_logits)""",
    hints=(
        "−log σ(x) = softplus(−x), and −log(1 − σ(x)) = softplus(x). softplus(x) − softplus(−x) = x.",
        "The loss is softplus(x) − x t. Derive by x: you know the derivative of softplus.",
        "By t it is a straight line: what stands beside t?",
    ),
    stages=Operation(
        truth=lambda x, target: ops.binary_cross_entropy_with_logits(x, target, reduction="none"),
        cases=(
            Case("logits of both signs", {"x": np.array([-2.0, -0.5, 0.7, 3.0]), "target": np.array([0.0, 1.0, 1.0, 0.0])}),
            Case("soft targets", {"x": _Y, "target": np.abs(np.sin(_T))}),
        ),
        edges=(Case("large logits", {"x": np.array([-1000.0, -50.0, 50.0, 1000.0]), "target": np.array([1.0, 0.0, 1.0, 0.0])}),),
        unstable=(
            "With large logits it fails: σ(50) rounds to 1, and log(1 − 1) is −∞, where the loss is 50. "
            "The form in the task, with log1p, takes the logit itself."
        ),
        mistakes=(
            Mistake("The sign is missing: the logarithms are negative, and a loss is not.", lambda x, target: -_bce_of(x, target)),
            Mistake(
                "Only the term with t is here; where t is 0, nothing would be learned.",
                lambda x, target: -target * np.log(sigmoid(x)),
            ),
            Mistake(
                "x is taken for a probability here: it is a logit, and goes through σ first.",
                lambda x, target: -(target * np.log(x) + (1 - target) * np.log(1 - x)),
            ),
            Mistake(
                "Only the term with 1 − t is here; where t is 1, nothing would be learned.",
                lambda x, target: -(1 - target) * np.log(1 - sigmoid(x)),
            ),
            Mistake(
                "The term −x t is missing: this is the loss of the target 0 everywhere.",
                lambda x, target: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))),
            ),
            Mistake(
                "This begins with x; where x is negative, it has to be 0 there: max(x, 0).",
                lambda x, target: x - x * target + np.log1p(np.exp(-np.abs(x))),
            ),
            Mistake(
                "The term x t is added here: where t is 1, the loss has to fall with x.",
                lambda x, target: np.maximum(x, 0) + x * target + np.log1p(np.exp(-np.abs(x))),
            ),
            Mistake("t and 1 − t are swapped: this is the loss of the opposite answer.", lambda x, target: _bce_of(x, 1 - target)),
            Mistake("This is the mean; here each element keeps its own loss.", lambda x, target: np.mean(_bce_of(x, target))),
            Mistake(
                "This is a squared error of the probability; cross-entropy takes its logarithm.",
                lambda x, target: (sigmoid(x) - target) ** 2,
            ),
        ),
        rules={
            "x": (
                Mistake(
                    "This is t − p, the gradient with the wrong sign: where p is above t, growing x makes the loss grow.",
                    lambda g, x, target: g * (target - sigmoid(x)),
                ),
                Mistake(
                    "This has σ′ = p (1 − p) as a factor, as if the loss were of p: in the loss of a logit it cancels.",
                    lambda g, x, target: g * (sigmoid(x) - target) * sigmoid(x) * (1 - sigmoid(x)),
                ),
                Mistake("This is p alone; t has to be taken off.", lambda g, x, target: g * sigmoid(x)),
                Mistake("This is 1 − p: the target can be another than 1.", lambda g, x, target: g * (1 - sigmoid(x))),
                Mistake("This is x − t: the logit goes through σ first.", lambda g, x, target: g * (x - target)),
                Mistake(
                    "This is the gradient by p, −t/p + (1 − t)/(1 − p), without the way from p to x.",
                    lambda g, x, target: g * ((1 - target) / (1 - sigmoid(x)) - target / sigmoid(x)),
                ),
            ),
            "target": (Mistake("The sign is missing: t stands beside −x.", lambda g, x, target: g * x),),
        },
    ).stages,
)

LOSSES: Sequence[Exercise] = (_mse_loss, _huber_loss, _bce)
