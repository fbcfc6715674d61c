"""Sums, products, powers: the first rules, and what happens when shapes differ."""

from __future__ import annotations

import numpy as np

from ... import ops
from ..comparing import Case, Mistake
from ..exercises import Exercise
from ..functions import Function
from ..operations import Operation

__all__ = ["ARITHMETIC"]

_RNG = np.random.default_rng(7)
_A = np.array([1.5, -2.0, 0.5, 3.0])
_B = np.array([0.4, 1.25, -3.0, 2.0])
_MATRIX = _RNG.normal(size=(3, 4))
_OTHER = _RNG.normal(size=(4, 2))

_derivative = Exercise(
    name="derivative",
    heading="What is a derivative? Measure one",
    task="""\
Write a function that measures how fast f changes at x: move x a little to both sides, by h = 1e-5, and divide the change of f by the way
that x went, (f(x + h) − f(x − h)) / 2h. This central difference is what every rule that you will write is held against.""",
    starter="""\
def derivative(f, x):
    h = 1e-5
    return ...


learn.check("derivative", derivative)""",
    hints=(
        "f is a function: call it twice, a little to the right of x and a little to the left.",
        "Between the two places lie two steps of h, not one.",
        "Python divides before it subtracts: the difference needs brackets.",
    ),
    stages=Function(
        truth=lambda f, x: (f(x + 1e-5) - f(x - 1e-5)) / 2e-5,
        groups=(
            ("a straight line", (Case("f(x) = 3x + 1 at x = 2", {"f": lambda x: 3 * x + 1, "x": 2.0}),)),
            (
                "curves",
                (
                    Case("f(x) = x³ at x = 2", {"f": lambda x: x**3, "x": 2.0}),
                    Case("f(x) = sin x at x = −1", {"f": np.sin, "x": -1.0}),
                    Case("f(x) = e^3x at x = 0.5", {"f": lambda x: np.exp(3 * x), "x": 0.5}),
                ),
            ),
        ),
        mistakes=(
            Mistake(
                "Between x − h and x + h lie two steps: the difference has to be divided by 2h.",
                lambda f, x: (f(x + 1e-5) - f(x - 1e-5)) / 1e-5,
            ),
            Mistake(
                "It is divided and then multiplied by h: write / (2 * h), with brackets.",
                lambda f, x: (f(x + 1e-5) - f(x - 1e-5)) / 2 * 1e-5,
            ),
            Mistake(
                (
                    "This looks to one side only. On a curve that is off by a share of h; looking to both sides lets the "
                    "largest error cancel."
                ),
                lambda f, x: (f(x + 1e-5) - f(x)) / 1e-5,
            ),
            Mistake(
                (
                    "This looks to one side only. On a curve that is off by a share of h; looking to both sides lets the "
                    "largest error cancel."
                ),
                lambda f, x: (f(x) - f(x - 1e-5)) / 1e-5,
            ),
            Mistake(
                "The sign is the other way round: what f is to the right of x comes first.",
                lambda f, x: (f(x - 1e-5) - f(x + 1e-5)) / 2e-5,
            ),
            Mistake(
                "This is how far f moved; how fast it moves is that divided by the way, 2h.", lambda f, x: f(x + 1e-5) - f(x - 1e-5)
            ),
            Mistake("This is f itself, not how fast it changes.", lambda f, x: f(x)),
        ),
    ).stages,
)

_mul = Exercise(
    name="mul",
    heading="A product, and your first backward rule",
    task="""\
y = a · b, element by element. A backward rule answers: if the loss grows by g for each unit that y grows, how fast does it grow with a?
It is handed what its parameters name: g, the gradient that comes in, and the inputs. Write a rule for a and one for b.""",
    starter="""\
@mg.elementwise
def mul(a, b):
    return a * b


@mul.backward("a")
def _(g, b):
    return ...


@mul.backward("b")
def _(g, a):
    return ...


learn.check("mul", mul)""",
    hints=(
        "Hold b still and move a by 1: how far does y = a · b move?",
        "The slope of y along a is b. The chain rule multiplies it with what comes in.",
    ),
    stages=Operation(
        truth=ops.mul,
        cases=(Case("two vectors", {"a": _A, "b": _B}), Case("a matrix and a number for each column", {"a": _MATRIX, "b": _B})),
        mistakes=(Mistake("This adds; a product was asked.", lambda a, b: a + b),),
        rules={
            "a": (
                Mistake(
                    "The slope along a does not depend on a itself: holding b still, y is a straight line in a.",
                    lambda g, a, b: g * a,
                ),
                Mistake(
                    (
                        "The gradient comes in as g, and leaves as g: this is the rule of a sum. In a product, b decides how much "
                        "of it counts."
                    ),
                    lambda g, a, b: g,
                ),
                Mistake(
                    "This multiplies with a as well: of y = a · b the slope along a is what stands beside it.",
                    lambda g, a, b: g * a * b,
                ),
            ),
            "b": (
                Mistake(
                    "The slope along b does not depend on b itself: holding a still, y is a straight line in b.",
                    lambda g, a, b: g * b,
                ),
                Mistake(
                    (
                        "The gradient comes in as g, and leaves as g: this is the rule of a sum. In a product, a decides how much "
                        "of it counts."
                    ),
                    lambda g, a, b: g,
                ),
                Mistake(
                    "This multiplies with b as well: of y = a · b the slope along b is what stands beside it.",
                    lambda g, a, b: g * a * b,
                ),
            ),
        },
    ).stages,
)

_div = Exercise(
    name="div",
    heading="A quotient",
    task="""\
y = a / b, element by element. One of the two rules is as easy as that of the product; for the other, think of b⁻¹.""",
    starter="""\
@mg.elementwise
def div(a, b):
    return ...


@div.backward("a")
def _(g, b):
    return ...


@div.backward("b")
def _(g, a, b):
    return ...


learn.check("div", div)""",
    hints=(
        "Dividing by b is multiplying with 1 / b, which does not depend on a.",
        "The derivative of b⁻¹ is −b⁻².",
        "A rule may also name y, the output: with it the rule for b becomes shorter.",
    ),
    stages=Operation(
        truth=ops.div,
        cases=(Case("two vectors", {"a": _A, "b": _B}), Case("a matrix and a number for each column", {"a": _MATRIX, "b": _B})),
        mistakes=(
            Mistake("a and b are swapped: this is b / a.", lambda a, b: b / a),
            Mistake("This multiplies.", lambda a, b: a * b),
        ),
        rules={
            "a": (
                Mistake(
                    (
                        "Multiplying with b is the rule of the product; y = a · (1/b), so the slope along a is what a is "
                        "multiplied with."
                    ),
                    lambda g, a, b: g * b,
                ),
                Mistake("The slope along a is 1 / b: one b, not its square.", lambda g, a, b: g / b**2),
            ),
            "b": (
                Mistake(
                    "The sign is missing: the larger b is, the smaller is a / b (for positive a and b).",
                    lambda g, a, b: g * a / b**2,
                ),
                Mistake("The derivative of 1/b is −1/b², and this has −1/b.", lambda g, a, b: -g * a / b),
                Mistake("The factor a is missing: y is a times 1/b.", lambda g, a, b: -g / b**2),
                Mistake("This is the rule of the product.", lambda g, a, b: g * a),
            ),
        },
    ).stages,
)

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
        cases=(Case("three rows of four", {"x": _MATRIX, "b": _B}), Case("one row", {"x": _MATRIX[:1], "b": _B})),
        rules={
            "b": (
                Mistake(
                    "This is the mean over the rows. Each row hands b its gradient, and they add up; nobody divides.",
                    lambda g, x, b: g.mean(0),
                ),
                Mistake("This sums over the columns and leaves one number a row; b has one a column.", lambda g, x, b: g.sum(1)),
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
        "x.size on arrays is x.numel() on Tensors; both know len(x) and x.shape. math.prod(x_shape) does for both.",
    ),
    stages=Operation(
        truth=lambda x: ops.mean(x),
        cases=(Case("a vector of four", {"x": _A}), Case("three rows of four", {"x": _MATRIX})),
        mistakes=(
            Mistake("This is the sum; a mean divides by the number of elements.", lambda x: x.sum()),
            Mistake("This is the mean of each column; all elements together have one mean.", lambda x: x.mean(0)),
            Mistake("This divides by the number of rows; there are more elements than rows.", lambda x: x.sum() / len(x)),
        ),
        rules={
            "x": (
                Mistake("This is the rule of a sum: each element counts for 1/n in a mean.", lambda g, x: g * np.ones_like(x)),
                Mistake(
                    "This divides by the number of rows; there are more elements than rows.",
                    lambda g, x: g * np.ones_like(x) / len(x),
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
            Case("(3, 4) @ (4, 2)", {"a": _MATRIX, "b": _OTHER}),
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
            ),
        },
    ).stages,
)

ARITHMETIC = (_derivative, _mul, _div, _add, _mean, _matmul)
