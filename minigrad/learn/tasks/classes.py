"""Softmax and its logarithms: normalized rows, and powers that must not overflow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import ops
from ...kernels.notation import sigmoid
from ..comparing import Case, Mistake
from ..exercises import Exercise
from ..operations import Operation

__all__ = ["CLASSES", "LOGITS", "softmax_along"]

LOGITS = np.random.default_rng(11).normal(size=(4, 3)) * 2
_LARGE = Case("large logits", {"x": np.array([[1000.0, 1001.0, 1002.0], [-1000.0, 0.0, 1000.0], [-1000.0, -1001.0, -1002.0]])})
_ROWS = (Case("four rows", {"x": LOGITS}), Case("one row", {"x": np.array([[2.0, 1.0, 0.1]])}))
_SHARED = (
    "This takes the largest entry of the whole batch; beside 1000 all powers of a row near −1000 round to 0. Each row has its own."
)


def softmax_along(x: Any, axis: int | None = 1) -> Any:
    """Softmax of an array along an axis; None takes all of it for one."""
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


_logsumexp = Exercise(
    name="logsumexp",
    heading="log-sum-exp, a maximum without corners",
    task="""\
x has shape (n, k), y shape (n,): of each row the logarithm of the sum of e to its entries. Its gradient is an old friend.""",
    starter="""\
from minigrad.kernels.notation import exp, log


@mg.op
def logsumexp(x):
    return ...


@logsumexp.backward("x")
def _(g, x, y):
    return ...


learn.check("logsumexp", logsumexp)""",
    hints=(
        "As with softmax: take the largest entry of each row out, and add it again after the logarithm.",
        "Derive log(e^a + e^b) by a: e^a over the sum.",
        "g has shape (n,): g[:, None] has a column to be multiplied with. And with y given, softmax(x) is exp(x − y).",
    ),
    stages=Operation(
        truth=lambda x: ops.logsumexp(x, 1),
        cases=_ROWS,
        edges=(_LARGE,),
        unstable=(
            "At 1000 this is no number: e¹⁰⁰⁰ is more than a float can hold, and the logarithm comes too late. What can be taken out of "
            "all entries of a row before, and added again after the logarithm, so that the largest power is e⁰?"
        ),
        mistakes=(
            Mistake(
                "This sums over the samples (axis 0); each row has its own sum, over axis 1.", lambda x: np.log(np.exp(x).sum(0))
            ),
            Mistake("This is the sum over the whole batch; each row has its own.", lambda x: np.log(np.exp(x).sum())),
            Mistake(
                "The largest entry was taken out and not added again after the logarithm.",
                lambda x: np.log(np.exp(x - x.max(1, keepdims=True)).sum(1)),
            ),
            Mistake("The logarithm stands inside of the sum: this is the sum of x.", lambda x: x.sum(1)),
            Mistake("This is the sum of the powers; its logarithm was asked.", lambda x: np.exp(x).sum(1)),
            Mistake("This is the logarithm of the mean; the powers are summed.", lambda x: np.log(np.exp(x).mean(1))),
            Mistake("This is the largest entry alone; the others count, too.", lambda x: x.max(1)),
            Mistake(_SHARED, lambda x: x.max() + np.log(np.exp(x - x.max()).sum(1))),
            Mistake(
                "What was taken out of each row, its own largest entry, has to be added again; this adds that of the whole batch.",
                lambda x: x.max() + np.log(np.exp(x - x.max(1, keepdims=True)).sum(1)),
            ),
        ),
        rules={
            "x": (
                Mistake(
                    "This hands the same to all entries of a row; the large ones count for more. How much, softmax says.",
                    lambda g, x: np.broadcast_to(g[:, None], x.shape),
                ),
                Mistake(
                    "Here e^x is not divided by the sum of the row (1 / sum is the derivative of the logarithm).",
                    lambda g, x: g[:, None] * np.exp(x),
                ),
                Mistake(
                    "The shares of a column add up to 1 here; it is each row that shares out its g.",
                    lambda g, x: g[:, None] * softmax_along(x, 0),
                ),
                Mistake(
                    "This sends everything to the largest entry; that is the rule of max, of which this is the smooth kin.",
                    lambda g, x: g[:, None] * (x == x.max(1, keepdims=True)),
                ),
            )
        },
    ).stages,
)

_softmax_task = Exercise(
    name="softmax",
    heading="Softmax: every output depends on every input",
    task="""\
x has shape (n, k); each row of y is e to the entries of that row, divided by their sum. Two things are new: it must not overflow at 1000,
and each output depends on all entries of its row, so the rule has a sum in it: the Jacobian of a row is diag(y) − y yᵀ.""",
    starter="""\
from minigrad.kernels.notation import exp


@mg.op
def softmax(x):
    return ...


@softmax.backward("x")
def _(g, y):
    return ...


learn.check("softmax", softmax)""",
    hints=(
        "Subtract the largest entry of each row first: x - x.max(1, keepdims=True). It changes nothing but the size of the powers.",
        "∂yᵢ/∂xⱼ is yᵢ (1 − yᵢ) for i = j, and −yᵢ yⱼ else. Multiply with gᵢ and sum over i.",
        "What comes out is y times (g less a number for each row); that number is the sum of g · y over the row.",
    ),
    stages=Operation(
        truth=lambda x: ops.softmax(x, dim=1),
        cases=_ROWS,
        edges=(_LARGE,),
        unstable=(
            "At 1000 this is no number: e¹⁰⁰⁰ is more than a float can hold. What can be subtracted from all entries of a row without "
            "changing the result (numerator and denominator shrink alike), so that the largest power is e⁰?"
        ),
        mistakes=(
            Mistake(
                "Here all entries of the batch share one sum; each row is to add up to 1 by itself (axis 1, with keepdims).",
                lambda x: softmax_along(x, None),
            ),
            Mistake(
                "Here the columns add up to 1: the sum runs over axis 0, the samples. It has to run over axis 1, the classes.",
                lambda x: softmax_along(x, 0),
            ),
            Mistake("This is e to the entries; dividing by the sum of the row is missing.", np.exp),
            Mistake("This divides by the sum of x; e has to be taken before.", lambda x: x / x.sum(1, keepdims=True)),
            Mistake(
                "This is the sigmoid of each entry by itself; in a softmax the entries of a row share one sum.",
                lambda x: sigmoid(np.asarray(x)),
            ),
            Mistake(_SHARED, lambda x: np.exp(x - x.max()) / np.exp(x - x.max()).sum(1, keepdims=True)),
            Mistake(
                "The sign in the exponent is wrong: the largest entry gets the smallest share here.", lambda x: softmax_along(-x)
            ),
            Mistake("This is the logarithm of the softmax.", lambda x: np.log(softmax_along(x))),
        ),
        rules={
            "x": (
                Mistake(
                    (
                        "This is the diagonal of the Jacobian only, as if each output depended on its own input alone. The others "
                        "are −yᵢ yⱼ, and add up too."
                    ),
                    lambda g, x: g * softmax_along(x) * (1 - softmax_along(x)),
                ),
                Mistake(
                    "This is y g: the part that the whole row has in common, y times the sum of g y, has to be subtracted.",
                    lambda g, x: g * softmax_along(x),
                ),
                Mistake(
                    "The sum of g y runs over all rows here; each row has its own (keepdims keeps the axis).",
                    lambda g, x: softmax_along(x) * (g - (g * softmax_along(x)).sum()),
                ),
                Mistake(
                    "The sum of g y runs over axis 0 here, the samples; a row's sum runs over its classes.",
                    lambda g, x: softmax_along(x) * (g - (g * softmax_along(x)).sum(0, keepdims=True)),
                ),
                Mistake(
                    "This takes the mean of g y over the row; what comes back along several ways adds up, and nobody divides.",
                    lambda g, x: softmax_along(x) * (g - (g * softmax_along(x)).mean(1, keepdims=True)),
                ),
                Mistake(
                    "The number that is subtracted is the sum of g alone; each entry counts with its y.",
                    lambda g, x: softmax_along(x) * (g - g.sum(1, keepdims=True)),
                ),
                Mistake(
                    "What the row has in common is taken off each entry alike; each entry takes its share, y, of it.",
                    lambda g, x: softmax_along(x) * g - (g * softmax_along(x)).sum(1, keepdims=True),
                ),
                Mistake("The factor y in front is missing.", lambda g, x: g - (g * softmax_along(x)).sum(1, keepdims=True)),
                Mistake(
                    "The sign between the two parts is wrong: the common part is subtracted.",
                    lambda g, x: softmax_along(x) * (g + (g * softmax_along(x)).sum(1, keepdims=True)),
                ),
            )
        },
    ).stages,
)

_log_softmax = Exercise(
    name="log_softmax",
    heading="The logarithm of softmax, without taking it",
    task="""\
x has shape (n, k), and y is log(softmax(x)) of each row. If softmax comes first and the logarithm after it, small probabilities round to 0
and their logarithm to −∞. Write it so that it does not.""",
    starter="""\
from minigrad.kernels.notation import exp, log


@mg.op
def log_softmax(x):
    return ...


@log_softmax.backward("x")
def _(g, y):
    return ...


learn.check("log_softmax", log_softmax)""",
    hints=(
        "log(e^x / s) = x − log s, and log s is the logsumexp of the row.",
        "∂yᵢ/∂xⱼ = [i = j] − softmaxⱼ. Multiply with gᵢ and sum over i.",
        "softmax is exp(y). The rule is g less exp(y) times a number for each row.",
    ),
    stages=Operation(
        truth=lambda x: ops.log_softmax(x, dim=1),
        cases=_ROWS,
        edges=(_LARGE,),
        unstable=(
            "Far out it fails: either e¹⁰⁰⁰ overflows, or a small probability has rounded to 0 before its logarithm is"
            " taken (−∞, where −2000 is right). The logarithm of a quotient is a difference: nothing has to be divided."
        ),
        mistakes=(
            Mistake(
                "The logarithm of the row's sum is missing: this only takes the largest entry off.",
                lambda x: x - x.max(1, keepdims=True),
            ),
            Mistake("This is softmax without its logarithm.", softmax_along),
            Mistake(_SHARED, lambda x: x - x.max() - np.log(np.exp(x - x.max()).sum(1, keepdims=True))),
            Mistake(
                "Here all rows share one sum; each row has its own (axis 1, with keepdims).",
                lambda x: np.log(softmax_along(x, None)),
            ),
            Mistake(
                "Here the columns are normalized: the sum runs over the samples. It has to run over axis 1, the classes.",
                lambda x: np.log(softmax_along(x, 0)),
            ),
            Mistake(
                "The largest entry is subtracted in one term here, and missing in the other.",
                lambda x: x - np.log(np.exp(x - x.max(1, keepdims=True)).sum(1, keepdims=True)),
            ),
        ),
        rules={
            "x": (
                Mistake(
                    "This is the rule of softmax; here the output is its logarithm.",
                    lambda g, x: softmax_along(x) * (g - (g * softmax_along(x)).sum(1, keepdims=True)),
                ),
                Mistake(
                    "What all entries of a row have in common is missing: each output contains the logarithm of the row's sum.",
                    lambda g, x: g,
                ),
                Mistake(
                    "The sum of g over the row is missing: all entries of a row send something back along the common term.",
                    lambda g, x: g - softmax_along(x) * g,
                ),
                Mistake(
                    "The sign between the two parts is wrong: the logarithm of the row's sum is subtracted.",
                    lambda g, x: g + softmax_along(x) * g.sum(1, keepdims=True),
                ),
                Mistake("The sum of g runs over all rows here; each row has its own.", lambda g, x: g - softmax_along(x) * g.sum()),
                Mistake(
                    "The sum of g is multiplied with y, the logarithm; it has to be the softmax itself, exp(y).",
                    lambda g, x: g - np.log(softmax_along(x)) * g.sum(1, keepdims=True),
                ),
                Mistake(
                    "Each row's sum of g is subtracted from all its entries alike; each entry takes its share, softmax, of it.",
                    lambda g, x: g - g.sum(1, keepdims=True),
                ),
            )
        },
    ).stages,
)


CLASSES: Sequence[Exercise] = (_logsumexp, _softmax_task, _log_softmax)
