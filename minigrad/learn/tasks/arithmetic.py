"""A derivative, measured, and the first rules: product and quotient, element by element."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ... import ops
from ..comparing import Case, Mistake
from ..exercises import Exercise
from ..functions import Function
from ..operations import Operation

__all__ = ["ARITHMETIC"]

_A = np.array([1.5, -2.0, 0.5, 3.0])
_B = np.array([0.4, 1.25, -3.0, 2.0])
_MATRIX = np.random.default_rng(7).normal(size=(3, 4))


def _central(h: float) -> Callable[..., Any]:
    return lambda f, x: (f(x + h) - f(x - h)) / (2 * h)


def _to_one_side(h: float) -> Callable[..., Any]:
    return lambda f, x: (f(x + h) - f(x)) / h


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
        truth=_central(1e-5),
        groups=(
            ("a straight line", (Case("f(x) = 3x + 1 at x = 2", {"f": lambda x: 3 * x + 1, "x": 2.0}),)),
            (
                "curves",
                (
                    Case("f(x) = x³ at x = 2", {"f": lambda x: x**3, "x": 2.0}),
                    Case("f(x) = sin x at x = −1", {"f": np.sin, "x": -1.0}),
                    Case("f(x) = cos x at x = 1, where it falls", {"f": np.cos, "x": 1.0}),
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
                "This divides by 2 and then multiplies with h: Python goes from left to right.",
                lambda f, x: (f(x + 1e-5) - f(x - 1e-5)) / 2 * 1e-5,
            ),
            *(
                Mistake(
                    "This looks to one side only. On a curve that is off by a share of h; looking to both sides lets the "
                    "largest error cancel.",
                    _to_one_side(h),
                )
                for size in (1.0, 0.1, 1e-2, 1e-3, 1e-4, 1e-5)
                for h in (size, -size)
            ),
            *(
                Mistake("This h is too large: on the way from x − h to x + h the curve bends.", _central(h))
                for h in (1.0, 0.5, 0.1, 1e-2, 1e-3)
            ),
            *(
                Mistake(
                    "This h is too small: f(x + h) and f(x − h) share nearly all their digits, and rounding eats what is left.",
                    _central(h),
                )
                for h in (1e-11, 1e-12, 1e-13, 1e-14, 1e-15, 1e-16)
            ),
            Mistake(
                "Where f falls, its derivative is negative: the sign of the difference has to stay.",
                lambda f, x: abs(f(x + 1e-5) - f(x - 1e-5)) / 2e-5,
            ),
            Mistake(
                "The sign is the other way round: what f is to the right of x comes first.",
                lambda f, x: (f(x - 1e-5) - f(x + 1e-5)) / 2e-5,
            ),
            Mistake(
                "This is how far f moved; how fast it moves is that divided by the way, 2h.", lambda f, x: f(x + 1e-5) - f(x - 1e-5)
            ),
            Mistake("This is f itself, not how fast it changes.", lambda f, x: f(x)),
            Mistake(
                "Only the second value is divided here: Python divides before it subtracts, so the difference needs brackets.",
                lambda f, x: f(x + 1e-5) - f(x - 1e-5) / 2e-5,
            ),
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
                Mistake("This has one b too many: y is a straight line in a.", lambda g, a, b: g / b**2),
                Mistake("This divides by a; y = a · (1/b) does so nowhere.", lambda g, a, b: g / a),
            ),
            "b": (
                Mistake(
                    "The sign is missing: the larger b is, the smaller is a / b (for positive a and b).",
                    lambda g, a, b: g * a / b**2,
                ),
                Mistake("This has −1/b as the derivative of 1/b: a b is missing below.", lambda g, a, b: -g * a / b),
                Mistake(
                    "One b divides and the next multiplies: of / and * Python takes the left one first. Both belong below.",
                    lambda g, a, b: -g * a / b * b,
                ),
                Mistake(
                    "This has 1/b as the derivative of 1/b: the sign is missing, and a b below.",
                    lambda g, a, b: g * a / b,
                ),
                Mistake("The factor a is missing: y is a times 1/b.", lambda g, a, b: -g / b**2),
                Mistake("This is the rule of the product.", lambda g, a, b: g * a),
            ),
        },
    ).stages,
)

ARITHMETIC: Sequence[Exercise] = (_derivative, _mul, _div)
