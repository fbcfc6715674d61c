"""How do you know that a gradient is right?"""

from .question import Choice, Question

__all__ = ["GRADIENT_CHECKING"]

GRADIENT_CHECKING = (
    Question(
        "gradient_checking-1",
        "The slope of e^sin(x) at 1 is measured by central differences, in float64. Which step comes closest to the truth?",
        (
            Choice(
                "0.1",
                "Within so long a step the curve bends: the difference is the slope of a long chord, and has two right digits only.",
            ),
            Choice(
                "1e-05",
                "The third root of the rounding error: here the error of the bend, h², and the error of rounding, ε/h, are about equal.",
            ),
            Choice(
                "1e-08",
                "The root of the rounding error: the best step of a one-sided difference. A central one may take larger steps, and should.",
            ),
            Choice(
                "1e-15",
                "In the limit the step goes to 0; in floats f(x + h) and f(x − h) then agree in nearly all digits, and rounding is left.",
            ),
        ),
        "b",
        """\
import math

truth = math.cos(1) * math.exp(math.sin(1))
error = {}
for h in (1e-1, 1e-5, 1e-8, 1e-15):
    up, down = math.exp(math.sin(1 + h)), math.exp(math.sin(1 - h))
    error[h] = abs((up - down) / (2 * h) - truth)
print(min(error, key=error.get))""",
    ),
    Question(
        "gradient_checking-2",
        "This rule of softmax is twice too large. It is checked as it is, and inside of a sum. What do the two checks say?",
        (
            Choice(
                "False False",
                "A sum hands the rule a gradient of ones. Softmax always adds up to 1, so its answer is 0, and twice 0 is right.",
            ),
            Choice(
                "False True",
                "The sum of a softmax is 1 and never moves: its gradient is 0. A rule that is twice too large gives twice 0, and passes.",
            ),
            Choice(
                "True False",
                "The other way round: without the sum every output is looked at by itself, and every entry is twice too large.",
            ),
            Choice(
                "True True",
                "A factor of 2 in an entry that is not 0 can't pass a tolerance of a millionth. What is 0 can hide it, though.",
            ),
        ),
        "b",
        """\
import numpy as np

import minigrad as mg


@mg.op
def doubled(z):
    powers = np.exp(z - z.max())
    return powers / powers.sum()


@doubled.backward("z")
def _(g, y):
    return 2 * y * (g - (g * y).sum())


z = mg.tensor([2.0, 1.0, 0.1], dtype=mg.float64, requires_grad=True)
alone = mg.gradcheck(doubled, z, raise_exception=False)
summed = mg.gradcheck(lambda z: doubled(z).sum(), z, raise_exception=False)
print(alone, summed)""",
    ),
    Question(
        "gradient_checking-3",
        "x lies right of the corner of ReLU, but nearer than the step. What does the central difference say?",
        (
            Choice("0.0", "That is the slope left of the corner. x is on the right of it, where ReLU has slope 1."),
            Choice(
                "0.5",
                "That would be x = 0, with the corner in the middle. Here the step to the right is longer than x on the left.",
            ),
            Choice("0.6", "From 0 at x − h the function rises to 0.3 at x + h; over the 0.5 between the two that is 0.6."),
            Choice(
                "1.0",
                "That is the true slope at x, and the rule's. But x − h is on the other side of the corner, where ReLU stays 0.",
            ),
        ),
        "c",
        """\
import minigrad as mg

x, h = 0.05, 0.25
up, down = mg.relu(mg.tensor(x + h)), mg.relu(mg.tensor(x - h))
print(round((up - down).item() / (2 * h), 4))""",
    ),
)
