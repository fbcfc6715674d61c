"""Sums, means and products of matrices: a gradient has the shape of what it is the gradient of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ... import ops
from ..comparing import Case, Mistake
from ..exercises import Exercise
from ..operations import Operation

__all__ = ["SHAPES"]

_RNG = np.random.default_rng(7)
_ROW = np.array([0.4, 1.25, -3.0, 2.0])
_MATRIX = _RNG.normal(size=(3, 4))

_add = Exercise(
    name="add",
    heading="A sum of different shapes: gradients add up",
    task="""\
y = x + b, where x has shape (n, k) and b shape (k,): b is added to every row, as a bias is to every sample of a batch. This time
nothing is done for you (@mg.op): a gradient must have the shape of what it is the gradient of.""",
    starter="""\
@mg.op
def add(x, b):
    return x + b


@add.backward("x")
def _(g):
    return ...


@add.backward("b")
def _(g):
    return ...


learn.check("add", add)""",
    hints=(
        "If x grows by 1, y grows by 1. What does that make of g?",
        "b[0] stands in the first column of all n rows. If it grows by 1, n outputs grow by 1.",
        "g has shape (n, k). Which axis has to go? g.sum(0) takes away the rows.",
    ),
    stages=Operation(
        truth=ops.add,
        cases=(Case("three rows of four", {"x": _MATRIX, "b": _ROW}), Case("one row", {"x": _MATRIX[:1], "b": _ROW})),
        rules={
            "b": (
                Mistake(
                    "This is the mean over the rows. Each row hands b its gradient, and they add up; nobody divides.",
                    lambda g, x, b: g.mean(0),
                ),
                Mistake("This sums over the columns and leaves one number a row; b has one a column.", lambda g, x, b: g.sum(1)),
                Mistake(
                    "This has a row too many, shape (1, 4): b is no matrix, and keepdims makes one.",
                    lambda g, x, b: g.sum(0, keepdims=True),
                ),
                Mistake("This sums over everything, and leaves one number; b has one for each column.", lambda g, x, b: g.sum()),
                Mistake("This is the gradient from one row only; b is in all of them.", lambda g, x, b: g[0]),
                Mistake("This is the gradient from one row only; b is in all of them.", lambda g, x, b: g[-1]),
            ),
            "x": (
                Mistake("x is added to b, not multiplied: its slope is 1.", lambda g, x, b: g * x),
                Mistake("x is added to b, not multiplied: its slope is 1.", lambda g, x, b: g * b),
            ),
        },
        summed={"b": "b was added to each row, and every row sends a gradient back"},
    ).stages,
)

_mean = Exercise(
    name="mean",
    heading="The mean of all elements",
    task="""\
y is one number, the mean of all elements of x, whatever shape that has. The incoming g is then one number, too, and has to be
handed to every element. A rule gets the shape of x if it names x_shape.""",
    starter="""\
@mg.op
def mean(x):
    return ...


@mean.backward("x")
def _(g, x):
    return ...


learn.check("mean", mean)""",
    hints=(
        "If one of n elements grows by 1, how far does the mean go?",
        "All elements get the same. What has the right shape already? x does.",
        "Inside of @mg.op x is a NumPy array: x.size counts its elements.",
    ),
    stages=Operation(
        truth=lambda x: ops.mean(x),
        cases=(Case("a vector of four", {"x": _ROW}), Case("three rows of four", {"x": _MATRIX})),
        mistakes=(
            Mistake("This is the sum; a mean divides by the number of elements.", lambda x: x.sum()),
            Mistake("This is the mean of each column; all elements together have one mean.", lambda x: x.mean(0)),
            Mistake("This divides by the number of rows; there are more elements than rows.", lambda x: x.sum() / len(x)),
            Mistake(
                "This divides by n − 1, which is for the variance of a sample; a mean of n elements divides by n.",
                lambda x: x.sum() / (x.size - 1),
            ),
        ),
        rules={
            "x": (
                Mistake("This is the rule of a sum: each element counts for 1/n in a mean.", lambda g, x: g * np.ones_like(x)),
                Mistake(
                    "This divides by the number of rows; there are more elements than rows.",
                    lambda g, x: g * np.ones_like(x) / len(x),
                ),
                Mistake(
                    "This divides by n − 1, which is for the variance of a sample; in a mean of n elements each counts for 1/n.",
                    lambda g, x: g * np.ones_like(x) / (x.size - 1),
                ),
                Mistake(
                    "The slope does not depend on x: a mean is a straight line in each of its elements.",
                    lambda g, x: g * x / x.size,
                ),
            )
        },
    ).stages,
)

_matmul = Exercise(
    name="matmul",
    heading="A product of matrices",
    task="""\
y = a @ b with a of shape (n, k) and b of shape (k, m). Both rules are products of matrices again. If you don't know in which order: the
shapes leave one way only.""",
    starter="""\
@mg.op
def matmul(a, b):
    return a @ b


@matmul.backward("a")
def _(g, b):
    return ...


@matmul.backward("b")
def _(g, a):
    return ...


learn.check("matmul", matmul)""",
    hints=(
        "g has the shape of y, (n, m), and the gradient of a must be (n, k). What has to stand beside g, and how turned?",
        "b.T has shape (m, k).",
    ),
    stages=Operation(
        truth=ops.matmul,
        cases=(
            Case("square matrices", {"a": _MATRIX[:, :3], "b": _RNG.normal(size=(3, 3))}),
            Case("(3, 4) @ (4, 2)", {"a": _MATRIX, "b": _RNG.normal(size=(4, 2))}),
        ),
        mistakes=(
            Mistake("This multiplies element by element: for arrays * is no product of matrices.", lambda a, b: a * b),
            Mistake("This is b @ a: the order counts.", lambda a, b: b @ a),
            Mistake("One of the two is turned over: y = a @ b takes both as they are.", lambda a, b: a.T @ b),
            Mistake("One of the two is turned over: y = a @ b takes both as they are.", lambda a, b: a @ b.T),
        ),
        rules={
            "a": (
                Mistake(
                    (
                        "b has to be turned over: with square matrices the shapes fit either way, but only bᵀ takes each output "
                        "back to what it was made from."
                    ),
                    lambda g, a, b: g @ b,
                ),
                Mistake(
                    "The order is wrong: with square matrices both orders have the right shape, but g comes first here.",
                    lambda g, a, b: b.T @ g,
                ),
                Mistake(
                    "This multiplies element by element: each element of a is used in a whole row of y, and what comes from there adds up.",
                    lambda g, a, b: g * b,
                ),
                Mistake(
                    "This is the transpose of the gradient: it is turned over once too often.",
                    lambda g, a, b: (g @ b.T).T,
                ),
            ),
            "b": (
                Mistake(
                    (
                        "a has to be turned over: with square matrices the shapes fit either way, but only aᵀ takes each output "
                        "back to what it was made from."
                    ),
                    lambda g, a, b: a @ g,
                ),
                Mistake(
                    "The order is wrong: with square matrices both orders have the right shape, but g comes last here.",
                    lambda g, a, b: g @ a.T,
                ),
                Mistake(
                    "This multiplies element by element: each element of b is used in a whole column of y, and what comes from there adds up.",
                    lambda g, a, b: g * a,
                ),
                Mistake(
                    "This is the transpose of the gradient: it is turned over once too often.",
                    lambda g, a, b: (a.T @ g).T,
                ),
            ),
        },
    ).stages,
)

SHAPES: Sequence[Exercise] = (_add, _mean, _matmul)
