"""Optimizers: a step from a gradient and what is remembered of earlier ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..comparing import Case, Mistake
from ..exercises import Exercise
from ..functions import Function

__all__ = ["OPTIMIZERS"]

_P = np.array([1.0, -2.0, 0.5])
_G = np.array([0.3, -0.1, 2.0])
_V = np.array([-0.2, 0.4, 0.1])
_M, _S = np.array([0.05, -0.3, 0.8]), np.array([0.01, 0.2, 0.9])


def _sgd(p: Any, g: Any, v: Any, lr: float, momentum: float) -> tuple[Any, Any]:
    v = momentum * v + g
    return p - lr * v, v


def _sgd_case(what: str, v: Any, momentum: float) -> Case:
    return Case(what, {"p": _P, "g": _G, "v": v, "lr": 0.1, "momentum": momentum})


_sgd_exercise = Exercise(
    name="sgd",
    heading="Gradient descent with momentum",
    task="""\
A function that makes one step: p are the parameters, g their gradient, v the velocity so far (zeros at the start). The velocity becomes
momentum · v + g, and the parameters go against the new velocity, lr times as far. Return the new p and the new v, as new arrays.""",
    starter="""\
def sgd(p, g, v, lr, momentum):
    return ..., ...


learn.check("sgd", sgd)""",
    hints=("First the velocity, then the step: the step takes the new velocity.", "Downhill is against the gradient: a minus."),
    stages=Function(
        truth=_sgd,
        groups=(
            ("without momentum", (_sgd_case("momentum 0", np.zeros(3), 0.0),)),
            ("with momentum", (_sgd_case("the first step", np.zeros(3), 0.9), _sgd_case("a later step", _V, 0.9))),
        ),
        results=("parameters", "velocity"),
        mistakes=(
            Mistake(
                "This goes uphill: the gradient points to where the loss grows, so the step is subtracted.",
                lambda p, g, v, lr, momentum: (p + lr * (momentum * v + g), momentum * v + g),
            ),
            Mistake(
                "The step takes the old velocity; the velocity is renewed first.",
                lambda p, g, v, lr, momentum: (p - lr * v, momentum * v + g),
            ),
            Mistake(
                "The step takes g alone: the velocity is computed and not used.",
                lambda p, g, v, lr, momentum: (p - lr * g, momentum * v + g),
            ),
            Mistake(
                "The gradient is damped by 1 − momentum here, as in an average (that is Adam's way); in SGD it comes in whole.",
                lambda p, g, v, lr, momentum: (p - lr * (momentum * v + (1 - momentum) * g), momentum * v + (1 - momentum) * g),
            ),
            Mistake(
                "momentum damps the new gradient here; it belongs to the old velocity, and g comes in whole.",
                lambda p, g, v, lr, momentum: (p - lr * (v + momentum * g), v + momentum * g),
            ),
            Mistake(
                "The learning rate counts for g only; the step is lr times the whole velocity.",
                lambda p, g, v, lr, momentum: (p - lr * g - momentum * v, momentum * v + g),
            ),
            Mistake(
                "The learning rate is missing: the step is lr times the velocity.",
                lambda p, g, v, lr, momentum: (p - (momentum * v + g), momentum * v + g),
            ),
            Mistake(
                (
                    "The learning rate is inside of the velocity here; it belongs to the step (it matters as soon as a "
                    "schedule changes it)."
                ),
                lambda p, g, v, lr, momentum: (p - (momentum * v + lr * g), momentum * v + lr * g),
            ),
            Mistake(
                "Minus and learning rate are inside of the velocity here. It adds g up as it is; they belong to the step.",
                lambda p, g, v, lr, momentum: (p + (momentum * v - lr * g), momentum * v - lr * g),
            ),
            Mistake(
                "The two results are swapped: the parameters come first.",
                lambda p, g, v, lr, momentum: _sgd(p, g, v, lr, momentum)[::-1],
            ),
            Mistake(
                "The velocity does not keep anything of the old one: momentum · v is missing.",
                lambda p, g, v, lr, momentum: (p - lr * g, g),
            ),
            Mistake(
                "This looks ahead (Nesterov's momentum); the plain one was asked.",
                lambda p, g, v, lr, momentum: (p - lr * (g + momentum * (momentum * v + g)), momentum * v + g),
            ),
        ),
    ).stages,
)


def _adam(
    first: Callable[[float, int], float] = lambda beta, t: 1 - beta**t,
    second: Callable[[float, int], float] = lambda beta, t: 1 - beta**t,
    inside: bool = False,
    power: float = 0.5,
    swapped: bool = False,
    uphill: bool = False,
    squared: bool = True,
    whole: bool = False,
    late: bool = False,
    mirrored: bool = False,
    averaged: bool = True,
    rate: bool = True,
    stable: bool = True,
) -> Callable[..., Any]:
    """Adam's step, or one of its misreadings."""

    def step(p: Any, g: Any, m: Any, v: Any, t: int, lr: float, beta1: float, beta2: float, eps: float) -> tuple[Any, Any, Any]:
        if swapped:
            beta1, beta2 = beta2, beta1
        moments = m, v
        keep1, keep2 = (1 - beta1, 1 - beta2) if mirrored else (beta1, beta2)
        m = keep1 * m + (1 if whole else 1 - keep1) * g
        v = keep2 * v + (1 if whole else 1 - keep2) * (g * g if squared else np.abs(g))
        used_m, used_v = moments if late else (m if averaged else g * first(beta1, t), v)
        hat_m, hat_v = used_m / first(beta1, t), used_v / second(beta2, t)
        lr, eps = (lr if rate else 1.0), (eps if stable else 0.0)
        with np.errstate(invalid="ignore"):  # the root of a wrong correction
            way = lr * hat_m / ((hat_v + eps) ** power if inside else hat_v**power + eps)
        return (p + way if uphill else p - way), m, v

    return step


def _hatted(p: Any, g: Any, m: Any, v: Any, t: int, lr: float, beta1: float, beta2: float, eps: float) -> tuple[Any, Any, Any]:
    p, m, v = _adam()(p, g, m, v, t, lr, beta1, beta2, eps)
    return p, m / (1 - beta1**t), v / (1 - beta2**t)


def _none(beta: float, t: int) -> float:
    return 1.0


def _adam_case(what: str, m: Any, v: Any, t: int, eps: float = 1e-8) -> Case:
    return Case(what, {"p": _P, "g": _G, "m": m, "v": v, "t": t, "lr": 0.1, "beta1": 0.9, "beta2": 0.999, "eps": eps})


_adam_exercise = Exercise(
    name="adam",
    heading="Adam, with its bias corrected",
    task="""\
One step of Adam. m is a running average of the gradients (beta1 of the old, 1 − beta1 of g), v one of their squares (with beta2). Both
begin at 0, and are too small at first: m̂ = m / (1 − beta1ᵗ) and v̂ = v / (1 − beta2ᵗ) make up for it, with t = 1 at the first step. Then
p goes by lr · m̂ / (√v̂ + eps) downhill. Return the new p, m and v (m and v as they are, without hats).""",
    starter="""\
def adam(p, g, m, v, t, lr, beta1, beta2, eps):
    return ..., ..., ...


learn.check("adam", adam)""",
    hints=(
        "Two averages: m = beta1 * m + (1 - beta1) * g, and the same for v with g * g.",
        "At t = 1 with m = 0: m is 0.1 g, and m̂ is g again. That is the correction.",
        "eps stands beside the root, not under it.",
    ),
    stages=Function(
        truth=_adam(),
        groups=(
            ("the first step", (_adam_case("the first step, m = v = 0", np.zeros(3), np.zeros(3), 1),)),
            (
                "later steps",
                (_adam_case("the 7th step", _M, _S, 7), _adam_case("the 7th step with a large eps, 0.1", _M, _S, 7, 0.1)),
            ),
        ),
        results=("parameters", "first moment m", "second moment v"),
        mistakes=(
            Mistake(
                (
                    "The bias is not corrected: at the first step m is only a tenth of g, and v a thousandth of its square. "
                    "Divide by 1 − betaᵗ."
                ),
                _adam(first=_none, second=_none),
            ),
            Mistake("Only m is corrected; v begins at 0 as well, and needs 1 − beta2ᵗ.", _adam(second=_none)),
            Mistake("Only v is corrected; m begins at 0 as well, and needs 1 − beta1ᵗ.", _adam(first=_none)),
            Mistake(
                "The correction takes the same power at every step, 1 − beta; it has to fade: 1 − betaᵗ.",
                _adam(first=lambda beta, t: 1 - beta, second=lambda beta, t: 1 - beta),
            ),
            Mistake(
                "The correction is one step too far: t is 1 at the first step already.",
                _adam(first=lambda beta, t: 1 - beta ** (t + 1), second=lambda beta, t: 1 - beta ** (t + 1)),
            ),
            Mistake("eps stands under the root here; it belongs beside it, √v̂ + eps.", _adam(inside=True)),
            Mistake("The root is missing: v̂ is an average of squares, and its root has the size of a gradient.", _adam(power=1.0)),
            Mistake("beta1 and beta2 are swapped: beta1 belongs to the gradients, beta2 to their squares.", _adam(swapped=True)),
            Mistake("This goes uphill: the step is subtracted.", _adam(uphill=True)),
            Mistake("v averages the size of the gradients here; their squares belong in it.", _adam(squared=False)),
            Mistake(
                "The gradients come into the averages whole; of an average of beta parts of the old, 1 − beta parts are new.",
                _adam(whole=True),
            ),
            Mistake("The step takes the old averages; they are renewed first.", _adam(late=True)),
            Mistake(
                "The parts are swapped: beta parts are of the old average, and only 1 − beta parts of what comes in.",
                _adam(mirrored=True),
            ),
            Mistake("The step goes along g here; it is the average m̂ that is divided by √v̂.", _adam(averaged=False)),
            Mistake(
                "The correction multiplies with 1 − betaᵗ; m and v are too small at first, and dividing makes up for it.",
                _adam(first=lambda beta, t: 1 / (1 - beta**t), second=lambda beta, t: 1 / (1 - beta**t)),
            ),
            Mistake("The learning rate is missing.", _adam(rate=False)),
            Mistake(
                "The correction multiplies beta with t; it takes beta to the power of t, which fades.",
                _adam(first=lambda beta, t: 1 - beta * t, second=lambda beta, t: 1 - beta * t),
            ),
            Mistake("eps is left out: where v̂ is 0, the step would be 0 / 0.", _adam(stable=False)),
            Mistake(
                "The results are swapped: m comes before v.",
                lambda *given: tuple(_adam()(*given)[n] for n in (0, 2, 1)),
            ),
            Mistake(
                "The results are swapped: the parameters come first, then m and v.",
                lambda *given: tuple(_adam()(*given)[n] for n in (1, 2, 0)),
            ),
            Mistake("m and v are returned with their hats; the next step needs them as they are.", _hatted),
        ),
    ).stages,
)


OPTIMIZERS: Sequence[Exercise] = (_sgd_exercise, _adam_exercise)
