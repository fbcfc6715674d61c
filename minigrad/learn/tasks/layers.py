"""Layers: several gradients of one operation, each with a shape of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...nn import functional
from ..comparing import Case, Mistake
from ..exercises import Exercise
from ..operations import Operation

__all__ = ["LAYERS"]

_RNG = np.random.default_rng(5)
_X, _W, _B = _RNG.normal(size=(5, 3)), _RNG.normal(size=(2, 3)), _RNG.normal(size=2)
_SQUARE = _RNG.normal(size=(3, 3))
_ROWS = _RNG.normal(size=(4, 5)) * 2 + 1
_EPS = 1e-5

_linear = Exercise(
    name="linear",
    heading="A linear layer",
    task="""\
y = x Wᵀ + b with x of shape (n, k), weight W of shape (m, k), one row for each output, and bias b of shape (m,). Three rules; you know
their parts from matmul and add.""",
    starter="""\
@mg.op
def linear(x, weight, bias):
    return ...


@linear.backward("x")
def _(g, weight):
    return ...


@linear.backward("weight")
def _(g, x):
    return ...


@linear.backward("bias")
def _(g):
    return ...


learn.check("linear", linear)""",
    hints=(
        "g has the shape of y, (n, m). Write down the shapes of x, weight and bias, and see which product gives each.",
        "The weight's gradient is a product of g, turned over, with x: it sums over the samples by itself.",
        "The bias is added to each row: its gradient is the sum of the rows of g.",
    ),
    stages=Operation(
        truth=lambda x, weight, bias: functional.linear(x, weight, bias),
        cases=(
            Case("as many outputs as inputs", {"x": _X, "weight": _SQUARE, "bias": _RNG.normal(size=3)}),
            Case("five samples, three inputs, two outputs", {"x": _X, "weight": _W, "bias": _B}),
        ),
        mistakes=(
            Mistake("The bias is missing.", lambda x, weight, bias: x @ weight.T),
            Mistake(
                "The weight has one row for each output: it has to be turned over, x Wᵀ.", lambda x, weight, bias: x @ weight + bias
            ),
            Mistake("The bias is subtracted; it is added.", lambda x, weight, bias: x @ weight.T - bias),
        ),
        rules={
            "x": (
                Mistake(
                    "The weight is turned over here; forward it was turned, and on the way back it is not.",
                    lambda g, x, weight, bias: g @ weight.T,
                ),
            ),
            "weight": (
                Mistake(
                    "This is the transpose of the gradient: the weight has one row for each output, so g comes first, turned over.",
                    lambda g, x, weight, bias: x.T @ g,
                ),
                Mistake(
                    (
                        "This is the mean over the samples. Every sample sends its gradient back, and they add up; if a mean is "
                        "taken, the loss does it."
                    ),
                    lambda g, x, weight, bias: g.T @ x / len(x),
                ),
            ),
            "bias": (
                Mistake(
                    "This is the mean over the samples; what they send back adds up. If a mean is taken, the loss does it.",
                    lambda g, x, weight, bias: g.mean(0),
                ),
                Mistake(
                    "This sums over the outputs, and leaves a number for each sample; the bias has one for each output.",
                    lambda g, x, weight, bias: g.sum(1),
                ),
                Mistake(
                    "This has an axis too many: the bias is no matrix, and keepdims makes one.",
                    lambda g, x, weight, bias: g.sum(0, keepdims=True),
                ),
                Mistake(
                    "This sums over everything, and leaves one number; the bias has one for each output.",
                    lambda g, x, weight, bias: g.sum(),
                ),
                Mistake("This is the gradient from one sample only; the bias is in all of them.", lambda g, x, weight, bias: g[0]),
                Mistake("The bias is added, not multiplied: its slope is 1.", lambda g, x, weight, bias: (g * bias).sum(0)),
            ),
        },
        summed={"bias": "The bias is added to every sample's row, and each sends a gradient back"},
    ).stages,
)


def _scattered(g: Any, weight: Any, index: Any) -> Any:
    found = np.zeros(weight.shape)
    np.add.at(found, index, g)
    return found


def _overwritten(g: Any, weight: Any, index: Any) -> Any:
    found = np.zeros(weight.shape)
    found[index] = g
    return found


_embedding = Exercise(
    name="embedding",
    heading="Looking rows up, some of them twice",
    task="""\
weight has shape (rows, k), index shape (n,); y[i] = weight[index[i]]. Backward, each row of g goes to the row that it came from. What if
a row was looked up twice? In NumPy `found[index] += g` forgets repeats; np.add.at(found, index, g) does not.""",
    starter="""\
@mg.op
def embedding(weight, index):
    return ...


@embedding.backward("weight")
def _(g, weight, index):
    return ...


learn.check("embedding", embedding)""",
    hints=(
        "Begin with zeros of the shape of weight. Rows that nobody looked up keep them.",
        "A row that was looked up twice stands in two outputs: what they send back adds up.",
    ),
    stages=Operation(
        truth=lambda weight, index: functional.embedding(index, weight),
        cases=(
            Case("each row once", {"weight": _RNG.normal(size=(4, 3)), "index": np.array([2, 0, 3])}),
            Case("a row looked up three times", {"weight": _RNG.normal(size=(4, 3)), "index": np.array([1, 3, 1, 1])}),
        ),
        rules={
            "weight": (
                Mistake(
                    (
                        "A row that was looked up several times keeps only one of the gradients here (`found[index] = g`, and `+=`"
                        " too, take each place once). What comes back from several places adds up: np.add.at(found, index, g)."
                    ),
                    lambda g, weight, index: _overwritten(g, weight, index),
                ),
                Mistake(
                    "Each gradient is divided by the number of lookups; nobody asked for a mean.",
                    lambda g, weight, index: _scattered(g, weight, index) / len(index),
                ),
                Mistake(
                    "Of a row that was looked up several times this takes the mean; what comes back from several places adds up.",
                    lambda g, weight, index: (
                        _scattered(g, weight, index) / np.maximum(np.bincount(index, minlength=len(weight)), 1)[:, None]
                    ),
                ),
                Mistake(
                    "Rows that were not looked up get a gradient here; theirs is 0.",
                    lambda g, weight, index: np.ones_like(weight) * g.sum(0),
                ),
                Mistake(
                    "The gradient of a row is multiplied with the row: looking up has slope 1.",
                    lambda g, weight, index: _scattered(g, weight, index) * weight,
                ),
            )
        },
        summed={"weight": "Rows are looked up by several outputs"},
    ).stages,
)


def _normal(x: Any, axis: int | None = 1, ddof: int = 0, eps: float = _EPS) -> Any:
    return (x - x.mean(axis, keepdims=True)) / np.sqrt(x.var(axis, keepdims=True, ddof=ddof) + eps)


def _scale(x: Any) -> Any:
    return np.sqrt(x.var(1, keepdims=True) + _EPS)


def _returned(g: Any, y: Any) -> Any:
    return g - g.mean(1, keepdims=True) - y * (g * y).mean(1, keepdims=True)


_layer_norm = Exercise(
    name="layer_norm",
    heading="Layer norm: mean and variance have gradients, too",
    task="""\
x has shape (n, k). Each row has its mean taken off and is divided by √(variance + 1e-5); the variance is the mean of the squares (divide by k,
not by k − 1). Mean and variance depend on every entry of the row, so an entry reaches each output along three ways.""",
    starter="""\
from minigrad.kernels.notation import sqrt


@mg.op
def layer_norm(x):
    return ...


@layer_norm.backward("x")
def _(g, x, y):
    return ...


learn.check("layer_norm", layer_norm)""",
    hints=(
        "Directly: g / s, with s = √(variance + 1e-5). Through the mean: what all entries of the row have in common is taken off.",
        "Through the variance: what goes along y is taken off, too. (Scaling a row by 1.01 changes nothing in y.)",
        "(g − mean(g) − y · mean(g · y)) / s, with the means over the row.",
    ),
    stages=Operation(
        truth=lambda x: functional.layer_norm(x, (x.shape[-1],)),
        cases=(Case("four rows of five", {"x": _ROWS}), Case("one row", {"x": _ROWS[:1]})),
        edges=(Case("a row of equal entries (a variance of 0)", {"x": np.array([[2.0, 2.0, 2.0], [1.0, 2.0, 4.0]])}),),
        unstable="A row of equal entries has variance 0, and 0 / 0 is nan: the 1e-5 under the root is there for that.",
        mistakes=(
            Mistake(
                "The variance divides by k − 1 here (ddof=1, what torch.var does by itself); layer norm divides by k.",
                lambda x: _normal(x, ddof=1),
            ),
            Mistake(
                "Mean and variance run over the samples here (axis 0, that is batch norm); each row has its own.",
                lambda x: _normal(x, 0),
            ),
            Mistake("Mean and variance are those of the whole batch here; each row has its own.", lambda x: _normal(x, None)),
            Mistake(
                "This divides by the variance; its root, the standard deviation, is what makes rows of size 1.",
                lambda x: (x - x.mean(1, keepdims=True)) / (x.var(1, keepdims=True) + _EPS),
            ),
            Mistake("The mean is not taken off (that is nearly RMS norm).", lambda x: x / _scale(x)),
            Mistake(
                "The variance is that of the row less its mean; this takes the mean of the squares of x itself.",
                lambda x: (x - x.mean(1, keepdims=True)) / np.sqrt((x**2).mean(1, keepdims=True) + _EPS),
            ),
            Mistake(
                "Only the mean is taken off; dividing by the standard deviation is missing.", lambda x: x - x.mean(1, keepdims=True)
            ),
            Mistake(
                "The 1e-5 is added after the root; it belongs under it, beside the variance.",
                lambda x: (x - x.mean(1, keepdims=True)) / (x.std(1, keepdims=True) + _EPS),
            ),
            Mistake("The 1e-5 under the root is missing.", lambda x: _normal(x, eps=0.0)),
        ),
        rules={
            "x": (
                Mistake(
                    (
                        "This takes mean and variance for constants: they depend on every entry of the row, and two more terms "
                        "come from that."
                    ),
                    lambda g, x: g / _scale(x),
                ),
                Mistake(
                    "The way through the variance is missing: it depends on every entry of the row.",
                    lambda g, x: (g - g.mean(1, keepdims=True)) / _scale(x),
                ),
                Mistake(
                    "The way through the mean is missing: it depends on every entry of the row.",
                    lambda g, x: (g - _normal(x) * (g * _normal(x)).mean(1, keepdims=True)) / _scale(x),
                ),
                Mistake(
                    "The three ways are there, but the division by √(variance + 1e-5) is missing.",
                    lambda g, x: _returned(g, _normal(x)),
                ),
                Mistake(
                    "This divides by the variance; forward it was its root, and so it is on the way back.",
                    lambda g, x: _returned(g, _normal(x)) / _scale(x) ** 2,
                ),
                Mistake(
                    "The means run over the samples here; each row has its own.",
                    lambda g, x: (g - g.mean(0) - _normal(x) * (g * _normal(x)).mean(0)) / _scale(x),
                ),
                Mistake(
                    "This divides by the standard deviation without the 1e-5 of the formula.",
                    lambda g, x: _returned(g, _normal(x)) / x.std(1, keepdims=True),
                ),
                Mistake(
                    "This takes the input where the output belongs: what goes through the variance goes along y.",
                    lambda g, x: _returned(g, x) / _scale(x),
                ),
                Mistake(
                    "This takes the input where the output belongs: what goes through the variance goes along y.",
                    lambda g, x: (g - g.mean(1, keepdims=True) - x * (g * _normal(x)).mean(1, keepdims=True)) / _scale(x),
                ),
                Mistake(
                    "These are sums where means belong: mean and variance divide by k, and so do their gradients.",
                    lambda g, x: (g - g.sum(1, keepdims=True) - _normal(x) * (g * _normal(x)).sum(1, keepdims=True)) / _scale(x),
                ),
            )
        },
    ).stages,
)

LAYERS: Sequence[Exercise] = (_linear, _embedding, _layer_norm)
