"""Activations: corners, saturation, and formulas that must not overflow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ... import ops
from ...kernels.notation import sigmoid, tanh
from ..comparing import Case, Mistake
from ..exercises import Exercise
from ..operations import Operation

__all__ = ["ACTIVATIONS"]

_X = np.array([-3.0, -1.5, -0.4, 0.3, 1.2, 2.7])
_BATCH = np.random.default_rng(3).normal(size=(4, 3)) * 2
_CASES = (Case("six numbers", {"x": _X}), Case("a batch of four rows", {"x": _BATCH}))
_ZERO = (Case("x = 0", {"x": np.array([0.0, -1.0, 1.0])}),)
_LARGE = (Case("large arguments", {"x": np.array([-1000.0, -40.0, 40.0, 1000.0])}),)


def _starter(name: str, needs: str, imports: str = "") -> str:
    first = f"from minigrad.kernels.notation import {imports}\n\n\n" if imports else ""
    return f"""\
{first}@mg.elementwise
def {name}(x):
    return ...


@{name}.backward("x")
def _({needs}):
    return ...


learn.check("{name}", {name})"""


_relu = Exercise(
    name="relu",
    heading="ReLU, and what holds at its corner",
    task="""\
y = x where x is positive, else 0. At 0 the function has a corner and no derivative; as everywhere in minigrad and PyTorch, the
gradient there is 0. `where(condition, a, b)` takes a where the condition holds, else b.""",
    starter=_starter("relu", "g, x", "where"),
    hints=(
        "Where x > 0 the function is y = x. What is the slope of that? And on the other side?",
        "g passes where x was positive, and stops elsewhere: where(x > 0, …, …).",
    ),
    stages=Operation(
        truth=ops.relu,
        cases=_CASES,
        kinks=_ZERO,
        at_kink="Everywhere else it is right; at x = 0 the gradient should be 0, as on the left side.",
        mistakes=(
            Mistake("This is |x|: what is negative should become 0.", np.abs),
            Mistake("This keeps the negative half and drops the positive one.", lambda x: np.minimum(x, 0)),
            Mistake("This says whether x is positive (a step); ReLU gives x itself there.", lambda x: np.where(x > 0, 1.0, 0.0)),
        ),
        rules={
            "x": (
                Mistake("g passes everywhere here. Where x is negative, y is 0 and stays 0: nothing passes.", lambda g, x: g),
                Mistake("The mask is the wrong way round: g passes where x is negative.", lambda g, x: np.where(x < 0, g, 0)),
                Mistake("Where x is positive the slope of y = x is 1, not x.", lambda g, x: np.where(x > 0, g * x, 0)),
                Mistake("This multiplies g with x; it is the slope that g has to meet, 1 or 0.", lambda g, x: g * x),
                Mistake("This clips g: the mask asks where x is positive, not where g is.", lambda g, x: np.maximum(g, 0)),
                Mistake(
                    "Everywhere else it is right; at x = 0 this takes ½, the mean of the slopes on both sides, and here 0 is asked for.",
                    lambda g, x: g * np.heaviside(x, 0.5),
                ),
                Mistake(
                    "The slope is right, but where x is negative this hands on −g instead of 0: that is the rule of |x|.",
                    lambda g, x: np.where(x > 0, g, -g),
                ),
            )
        },
    ).stages,
)

_leaky_relu = Exercise(
    name="leaky_relu",
    heading="Leaky ReLU",
    task="""\
y = x where x is positive, else 0.01 x, so that a unit that is always negative still learns. At 0 the smaller slope holds.""",
    starter=_starter("leaky_relu", "g, x", "where"),
    hints=("Two straight lines: what are their slopes?", "It is the rule of relu, with another number than 0 on the left side."),
    stages=Operation(
        truth=ops.leaky_relu,
        cases=_CASES,
        kinks=_ZERO,
        at_kink="Everywhere else it is right; at x = 0 the slope of the left side holds, 0.01.",
        mistakes=(
            Mistake("This is relu: left of 0 a leaky one still falls, by 0.01 a step.", lambda x: np.maximum(x, 0)),
            Mistake("The slope on the left is 0.01; this takes 0.1.", lambda x: np.where(x > 0, x, 0.1 * x)),
            Mistake("The slope on the left is 0.01; this takes 0.2.", lambda x: np.where(x > 0, x, 0.2 * x)),
            Mistake(
                "Left of 0 this is 0.01, whatever x is: a line has to fall there, 0.01 for each 1 that x falls.",
                lambda x: np.maximum(x, 0.01),
            ),
            Mistake("Left of 0 this is positive; a leaky relu is a little below 0 there.", lambda x: np.where(x > 0, x, -0.01 * x)),
            Mistake("The sides are swapped: the small slope belongs to negative x.", lambda x: np.where(x > 0, 0.01 * x, x)),
        ),
        rules={
            "x": (
                Mistake(
                    "This is the rule of relu: left of 0 the slope is 0.01, so a hundredth of g passes.",
                    lambda g, x: np.where(x > 0, g, 0),
                ),
                Mistake("The sides are swapped: the small slope belongs to negative x.", lambda g, x: np.where(x > 0, 0.01 * g, g)),
                Mistake("The slope on the left is 0.01; this takes 0.1.", lambda g, x: np.where(x > 0, g, 0.1 * g)),
                Mistake("The slope on the left is 0.01; this takes 0.2.", lambda g, x: np.where(x > 0, g, 0.2 * g)),
                Mistake(
                    "Left of 0 the slope is 0.01; this is the value there, 0.01 x, times g.",
                    lambda g, x: np.where(x > 0, g, 0.01 * x * g),
                ),
                Mistake(
                    "Left of 0 this gives 0.01 whatever comes in: it has to be multiplied with g, too.",
                    lambda g, x: np.where(x > 0, g, 0.01),
                ),
            )
        },
    ).stages,
)

_sigmoid = Exercise(
    name="sigmoid",
    heading="The sigmoid, whose derivative is made of its output",
    task="""\
y = σ(x) = 1 / (1 + e⁻ˣ). Its derivative can be written with the output alone: a rule that names y gets it, and nothing has to be
computed twice.""",
    starter=_starter("sigmoid", "g, y", "exp"),
    hints=(
        "Derive (1 + e⁻ˣ)⁻¹ by the chain rule. What comes out is e⁻ˣ / (1 + e⁻ˣ)².",
        "1 − y = e⁻ˣ / (1 + e⁻ˣ). Do you find y and 1 − y in the derivative?",
    ),
    stages=Operation(
        truth=ops.sigmoid,
        cases=_CASES,
        edges=_LARGE,
        unstable=(
            "At 1000 this is no number: e¹⁰⁰⁰ is more than a float can hold, and inf / inf is nan. Write it so that "
            "only e to a negative power is taken where x is large; e^−1000 is just 0."
        ),
        mistakes=(
            Mistake("The sign in the exponent is missing: this falls from 1 to 0, as σ(−x) does.", lambda x: 1 / (1 + np.exp(x))),
            Mistake("This is tanh, which goes from −1 to 1.", np.tanh),
            Mistake(
                "This is (1 / 1) + e⁻ˣ: Python divides before it adds, so the sum below needs brackets.",
                lambda x: 1 / 1 + np.exp(-x),
            ),
            Mistake(
                "The sum below is a difference here: at 0 it is 0, and σ goes through ½ there.", lambda x: 1 / (1 - np.exp(-x))
            ),
        ),
        rules={
            "x": (
                Mistake(
                    "This is x (1 − x): the rule is made of the output y = σ(x), and not of the input.",
                    lambda g, x: g * x * (1 - x),
                ),
                Mistake(
                    "The second factor is made of the input here: it has to be made of the output, as the first is.",
                    lambda g, x: g * sigmoid(x) * (1 - x),
                ),
                Mistake(
                    "This is y (1 + y): the second factor is what is left to 1.", lambda g, x: g * sigmoid(x) * (1 + sigmoid(x))
                ),
                Mistake(
                    "This is y alone: where the sigmoid is near 1 it is flat, and the factor 1 − y says so.",
                    lambda g, x: g * sigmoid(x),
                ),
                Mistake(
                    "This is 1 − y alone: where the sigmoid is near 0 it is flat, and the factor y says so.",
                    lambda g, x: g * (1 - sigmoid(x)),
                ),
                Mistake("This is the rule of tanh, 1 − y².", lambda g, x: g * (1 - sigmoid(x) ** 2)),
                Mistake(
                    "The sigmoid is taken once more here, of the output: y is σ(x) already.",
                    lambda g, x: g * sigmoid(sigmoid(x)) * (1 - sigmoid(sigmoid(x))),
                ),
                Mistake(
                    "The sign is the other way round: the sigmoid grows everywhere, so its slope is positive.",
                    lambda g, x: g * sigmoid(x) * (sigmoid(x) - 1),
                ),
            )
        },
    ).stages,
)

_tanh = Exercise(
    name="tanh",
    heading="tanh",
    task="""\
y = tanh x = (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ). You may use `tanh` of the notation, or write it with exp; then mind x = 1000. The derivative is
made of the output again.""",
    starter=_starter("tanh", "g, y", "exp, tanh as tanh_of"),
    hints=(
        "tanh = sinh / cosh, and the quotient rule gives (cosh² − sinh²) / cosh².",
        "Divide both terms by cosh²: what is sinh² / cosh² in terms of y?",
    ),
    stages=Operation(
        truth=ops.tanh,
        cases=_CASES,
        edges=_LARGE,
        unstable=(
            "At ±1000 this is no number: e¹⁰⁰⁰ is more than a float can hold. Take e to negative powers only, or use "
            "tanh of the notation."
        ),
        mistakes=(
            Mistake("This is the sigmoid; tanh goes from −1 to 1.", sigmoid),
            Mistake("The sign is the other way round: tanh grows with x.", lambda x: -np.tanh(x)),
            Mistake(
                "This is 2 σ(x) − 1: it goes from −1 to 1, too, but at 0 it is half as steep as tanh.",
                lambda x: 2 * sigmoid(x) - 1,
            ),
            Mistake("This is sinh: the denominator is missing a factor or missing altogether.", np.sinh),
            Mistake("Numerator and denominator are swapped: this is coth.", lambda x: 1 / np.tanh(x)),
        ),
        rules={
            "x": (
                Mistake(
                    "This is 1 − x²: the rule is made of the output y = tanh x, and not of the input.", lambda g, x: g * (1 - x * x)
                ),
                Mistake("This is 1 − y: the output goes in squared.", lambda g, x: g * (1 - tanh(x))),
                Mistake("This is (1 − y)²: only the output is squared, not the whole.", lambda g, x: g * (1 - tanh(x)) ** 2),
                Mistake("This is the rule of the sigmoid, y (1 − y).", lambda g, x: g * tanh(x) * (1 - tanh(x))),
                Mistake(
                    "This is 1 + y²: at its ends tanh is flat, so the slope has to fall there.", lambda g, x: g * (1 + tanh(x) ** 2)
                ),
                Mistake(
                    "This is y² − 1, the derivative with the wrong sign: tanh grows everywhere.",
                    lambda g, x: g * (tanh(x) ** 2 - 1),
                ),
                Mistake(
                    "tanh is taken once more here, of the output: y is tanh x already.", lambda g, x: g * (1 - tanh(tanh(x)) ** 2)
                ),
            )
        },
    ).stages,
)

_silu = Exercise(
    name="silu",
    heading="SiLU: the product rule",
    task="""\
y = x · σ(x), which is also called swish. x stands in it twice, so its gradient is a sum of two ways: as a factor, and inside of σ.""",
    starter=_starter("silu", "g, x", "sigmoid"),
    hints=(
        "The product rule: (u · v)′ = u′ v + u v′ with u = x and v = σ(x).",
        "The derivative of σ is σ (1 − σ); you wrote it in an earlier exercise.",
    ),
    stages=Operation(
        truth=ops.silu,
        cases=_CASES,
        edges=_LARGE,
        unstable=(
            "At ±1000 this is no number, where it should be 0 or x: e¹⁰⁰⁰ is more than a float can hold. The `sigmoid`"
            " of the notation does not overflow."
        ),
        mistakes=(
            Mistake("This is σ(x) alone; it has to be multiplied with x.", sigmoid),
            Mistake(
                "The sign in the exponent is missing: this is x / (1 + eˣ) = x σ(−x), which comes back to 0 on the right.",
                lambda x: x * sigmoid(-x),
            ),
            Mistake("This is x + σ(x); SiLU is the product.", lambda x: x + sigmoid(x)),
        ),
        rules={
            "x": (
                Mistake(
                    "This is one of the two ways only: x stands inside of σ, too, and that adds x σ′(x).",
                    lambda g, x: g * sigmoid(x),
                ),
                Mistake(
                    "This is one of the two ways only: x is a factor, too, and that adds σ(x).",
                    lambda g, x: g * x * sigmoid(x) * (1 - sigmoid(x)),
                ),
                Mistake(
                    "Only the derivative of σ is here: the product rule has two terms.",
                    lambda g, x: g * sigmoid(x) * (1 - sigmoid(x)),
                ),
                Mistake(
                    "In the second term the factor σ is missing: σ′ is σ (1 − σ).",
                    lambda g, x: g * (sigmoid(x) + x * (1 - sigmoid(x))),
                ),
                Mistake(
                    "In the second term the factor x is missing: it is x σ′(x).",
                    lambda g, x: g * (sigmoid(x) + sigmoid(x) * (1 - sigmoid(x))),
                ),
                Mistake(
                    "This is y (1 − y), the rule of the sigmoid; y is x σ(x) here.",
                    lambda g, x: g * x * sigmoid(x) * (1 - x * sigmoid(x)),
                ),
                Mistake(
                    "The two ways are subtracted here; what comes along several ways adds up.",
                    lambda g, x: g * (sigmoid(x) - x * sigmoid(x) * (1 - sigmoid(x))),
                ),
            )
        },
    ).stages,
)

_softplus = Exercise(
    name="softplus",
    heading="Softplus: a formula that overflows, and one that does not",
    task="""\
y = log(1 + eˣ), a ReLU without a corner. As it stands it overflows from x = 710 on (in float32 from 89), and far left of 0 it rounds to 0
where e⁻⁴⁰ would be the answer. `log1p(t)` is log(1 + t) for small t; `maximum` and `absolute` help with the rest.""",
    starter=_starter("softplus", "g, x", "absolute, exp, log1p, maximum, sigmoid"),
    hints=(
        "Take eˣ out of the bracket where x is positive: log(eˣ (e⁻ˣ + 1)) = x + log(1 + e⁻ˣ).",
        "Both sides in one: max(x, 0) + log1p(e^−|x|).",
        "The derivative of log(1 + eˣ) is eˣ / (1 + eˣ). You know that function.",
    ),
    stages=Operation(
        truth=ops.softplus,
        cases=_CASES,
        edges=(*_LARGE, Case("negative arguments, far out", {"x": np.array([-300.0, -45.0, -38.0])})),
        unstable=(
            "Far out it fails: at 1000 eˣ is more than a float can hold, where y should be 1000. Of e only negative powers should be taken, "
            "which don't overflow."
        ),
        strict=True,
        mistakes=(
            Mistake("This is log(eˣ) = x: the 1 is missing.", lambda x: x),
            Mistake("The exponent has the wrong sign: this is log(1 + e⁻ˣ), which falls.", lambda x: np.log1p(np.exp(-x))),
            Mistake("This is 1 + eˣ without its logarithm.", lambda x: 1 + np.exp(x)),
            Mistake(
                "Where x is negative the power grows here: without its bars, −x is positive there.",
                lambda x: np.maximum(x, 0) + np.log1p(np.exp(-x)),
            ),
            Mistake(
                "At −40 a small number beside a large one is rounded away: 1 + e⁻⁴⁰ is 1, whose logarithm is 0. log1p(t) keeps small t.",
                lambda x: np.maximum(x, 0) + np.log(1 + np.exp(-np.abs(x))),
            ),
        ),
        rules={
            "x": (
                Mistake(
                    "This is 1 / (1 + eˣ): the derivative of the inside, eˣ, is missing as a factor.",
                    lambda g, x: g * sigmoid(-x),
                ),
                Mistake(
                    "This is the derivative of the sigmoid; softplus's derivative is the sigmoid itself.",
                    lambda g, x: g * sigmoid(x) * (1 - sigmoid(x)),
                ),
                Mistake(
                    "This is the slope of relu: softplus is smooth, and its slope goes from 0 to 1 gradually.",
                    lambda g, x: np.where(x > 0, g, 0),
                ),
                Mistake("This multiplies with eˣ without dividing by what stands in the logarithm.", lambda g, x: g * np.exp(x)),
            )
        },
    ).stages,
)

ACTIVATIONS: Sequence[Exercise] = (_relu, _leaky_relu, _sigmoid, _tanh, _silu, _softplus)
