"""Activation functions made of pieces."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from op_cases import (
    F32,
    F64,
    I32,
    I64,
    SAME,
    TO_FLOAT,
    Draw,
    OpCase,
    Refused,
    Sample,
    Typed,
    away,
    case,
    edge,
    normal,
    points,
    sample,
    unary,
    uniform,
)

import minigrad as mg
from minigrad.errors import ArgumentError, DtypeError, ShapeError
from minigrad.nn import functional as F
from minigrad.ops import rectifier

from .arithmetic import call_errors

inf, nan = math.inf, math.nan
SCALE, ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717


def around(*kinks: float) -> Any:
    """Numbers on all sides of the kinks, none closer than 0.1."""

    def shaped(*shape: int) -> Draw:
        def draw(rng: np.random.Generator) -> Any:
            x = np.asarray(rng.uniform(-7, 7, shape))
            for kink in kinks:
                x = np.where(np.abs(x - kink) < 0.1, kink + np.where(x < kink, -0.2, 0.2), x)
            return x

        return draw

    return shaped


def exponential(x: Any, scale: float, alpha: float) -> Any:
    return np.where(x > 0, scale * x, scale * alpha * np.expm1(np.minimum(x, 0)))


def per_channel(x: Any, weight: Any) -> Any:
    slopes = weight.reshape(-1, *[1] * (x.ndim - 2)) if weight.size != 1 else weight.reshape(())
    return np.where(x > 0, x, slopes * x)


def randomized(x: Any, seed: int, lower: float = 1 / 8, upper: float = 1 / 3) -> Any:
    drawn = np.random.Generator(np.random.PCG64(seed)).random(x.shape, x.dtype.type)
    return np.where(x > 0, x, x * (lower + (upper - lower) * drawn))


def in_place(name: str, function: Any, reference: Any, draw: Any, *settings: float) -> OpCase:
    """The in-place form, and `inplace=True` of the function, given a tensor that is no leaf."""

    def written(x: Any) -> Any:
        y, z = x * 1, x * 1
        assert getattr(F, f"{name}_")(y, *settings) is y
        assert function(z, *settings, inplace=True) is z
        return y + z

    operation = function if name != "rrelu" else mg.leaky_relu
    return case(f"{name}_", written, lambda x: 2 * reference(x), sample(draw(3, 4)), covers=(operation, mg.mul, mg.add))


def chained(x: Any) -> Any:
    """hardswish of hardsigmoid of mish, for numbers from 0.5 to 2.5."""
    y = (x * np.tanh(np.log1p(np.exp(x))) + 3) / 6
    return y * (y + 3) / 6


def number_wanted(function: Any, name: str, setting: str) -> Refused:
    return Refused(lambda: function(mg.ones(2), **{setting: "a"}), TypeError, f"{name}: {setting} must be a number, got 'a'")


LEAKY: tuple[Sample, ...] = (
    *unary(away(0.0)),
    *unary(away(0.0), negative_slope=0.2)[:2],
    sample(away(0.0)(5), negative_slope=-0.5),
    sample(away(0.0)(5), 0.3),
)

CASES: tuple[OpCase, ...] = (
    case(
        "relu",
        mg.relu,
        lambda x: np.where(x > 0, x, 0),
        *unary(away(0.0)),
        typed=SAME,
        refused=[
            *(row for row in call_errors(mg.relu, "relu") if "positional" not in row.match),
            Refused(lambda: mg.relu(mg.ones(2), True, 1), TypeError, "relu: takes 2 positional arguments, got 3"),
        ],
        edges=[points((-inf, 0, 0), (-1e3, 0, 0), (-0.0, 0, 0), (0.0, 0, 0), (1e3, 1e3, 1), (inf, inf, 1), (nan, nan, 1))],
    ),
    case(
        "relu6",
        F.relu6,
        lambda x: np.clip(x, 0, 6),
        *unary(around(0, 6)),
        typed=SAME,
        edges=[
            points((-inf, 0, 0), (-0.0, 0, 0), (0.0, 0, 0), (5.5, 5.5, 1), (6.0, 6, 0), (1e3, 6, 0), (inf, 6, 0), (nan, nan, 1))
        ],
    ),
    case(
        "hardtanh",
        F.hardtanh,
        lambda x, min_val=-1, max_val=1: np.clip(x, min_val, max_val),
        *unary(around(-1, 1)),
        sample(around(-3, 2)(20), -3.0, 2.0),
        sample(around(1)(5), 1, 1),
        typed=[*SAME[:2], *SAME[3:], Typed((I64, 1, 2), "int64")],
        edges=[
            points((-inf, -1, 0), (-1.0, -1, 0), (-0.0, 0, 1), (0.5, 0.5, 1), (1.0, 1, 0), (inf, 1, 0), (nan, nan, 1)),
            points((-2.0, -2, 0), (-1.0, -1, 1), (3.0, 3, 0), (4.0, 3, 0), min_val=-2, max_val=3),
        ],
        refused=[
            Refused(
                lambda: F.hardtanh(mg.ones(2), 2.0, 1.0),
                (ArgumentError, ValueError),
                "hardtanh: min_val must not be above max_val",
            ),
            number_wanted(F.hardtanh, "hardtanh", "max_val"),
        ],
    ),
    case(
        "threshold",
        F.threshold,
        lambda x, threshold, value: np.where(x > threshold, x, value),
        *(sample(around(0.5)(*shape), 0.5, -3.0) for shape in ((3, 4), (), (0,), (2, 1, 3))),
        sample(around(-2)(20), threshold=-2, value=7),
        typed=[
            Typed((I64, 1, 5), "int64"),
            Typed((I32, 1, 5), "int32"),
            Typed((F32, 1, 5), "float32"),
            Typed((F64, 1, 5), "float64"),
        ],
        edges=[edge([-inf, -0.0, 0.5, 1.0, inf, nan], 0.5, 7, value=[7, 7, 7, 1, inf, nan], grads=[[0, 0, 0, 1, 1, 1]])],
        refused=[
            Refused(lambda: F.threshold(mg.ones(2), 1.0), TypeError, "threshold: argument 'value' is missing"),
            Refused(lambda: F.threshold(mg.ones(2), "a", 1.0), TypeError, "threshold: threshold must be a number, got 'a'"),
        ],
    ),
    case(
        "leaky_relu",
        F.leaky_relu,
        lambda x, negative_slope=0.01: np.where(x > 0, x, x * negative_slope),
        *LEAKY,
        edges=[
            points(
                (-inf, -inf, 0.25),
                (-1e3, -250, 0.25),
                (0.0, 0, 0.25),
                (1e3, 1e3, 1),
                (inf, inf, 1),
                (nan, nan, 0.25),
                negative_slope=0.25,
            )
        ],
        typed=TO_FLOAT,
        refused=[number_wanted(F.leaky_relu, "leaky_relu", "negative_slope")],
    ),
    case(
        "prelu",
        mg.prelu,
        per_channel,
        *(
            sample(away(0.0)(*shape), normal(*weights))
            for shape, weights in (
                ((4, 3), (3,)),
                ((4, 3), (1,)),
                ((4, 3), ()),
                ((5,), (1,)),
                ((), (1,)),
                ((2, 3, 4), (3,)),
                ((2, 3, 4, 2), (3,)),
                ((2, 3, 4), (1,)),
                ((0, 3), (3,)),
                ((2, 0), (0,)),
            )
        ),
        covers=(rectifier.scale_negative,),
        edges=[
            edge([0.0, -0.0, -2.0, 3.0, inf], [0.25], value=[0, 0, -0.5, 3, inf], grads=[[0.25, 0.25, 0.25, 1, 1], [-2]]),
            edge([-inf, nan], [0.25], value=[-inf, nan], grads=[[0.25, 0.25], [nan]]),
        ],
        refused=[
            Refused(
                lambda: F.prelu(mg.ones(2, 3), mg.ones(2)),
                (ShapeError, RuntimeError),
                r"each of the 3 channels .*; got \(2,\)",
            ),
            Refused(lambda: F.prelu(mg.ones(3), mg.ones(3)), RuntimeError, "prelu: weight must have one element"),
            Refused(lambda: F.prelu(mg.ones(2, 3), mg.ones(1, 1)), RuntimeError, r"prelu: weight must have .* got \(1, 1\)"),
            Refused(lambda: F.prelu(mg.ones(2), 0.5), TypeError, "prelu: weight must be a Tensor, got float"),
        ],
    ),
    case(
        "rrelu",
        F.rrelu,
        lambda x, lower=1 / 8, upper=1 / 3: np.where(x > 0, x, x * (lower + upper) / 2),
        sample(away(0.0)(3, 4)),
        sample(away(0.0)(5), 0.1, 0.5),
        covers=(mg.leaky_relu,),
        edges=[points((-inf, -inf, 0.25), (0.0, 0, 0.25), (2.0, 2, 1), (nan, nan, 0.25), lower=0.2, upper=0.3)],
        refused=[
            Refused(
                lambda: F.rrelu(mg.ones(2), 0.5, 0.1),
                (ArgumentError, RuntimeError),
                "rrelu: lower must not be above upper",
            ),
            Refused(
                lambda: F.rrelu(mg.tensor([1, 2]), training=True),
                (DtypeError, RuntimeError),
                "rrelu: expected a floating-point tensor",
            ),
            Refused(lambda: F.rrelu(mg.ones(2), "a"), TypeError, "rrelu: lower must be a number, got 'a'"),
        ],
    ),
    case(
        "rrelu[training]",
        lambda x, seed, *bounds: F.rrelu(x, *bounds, training=True, generator=mg.Generator(seed)),
        randomized,
        sample(away(0.0)(30), 0),
        sample(away(0.0)(5, 4), 1, 0.5, 0.75),
        sample(away(0.0)(0, 4), 1),
        covers=(rectifier.scale_negative_between,),
        dtypes=["float64"],
        edges=[edge([3.0, inf, -1.0], 0, 0.25, 0.25, value=[3, inf, -0.25], grads=[[1, 1, 0.25]])],
    ),
    case(
        "scale_negative_between",
        rectifier.scale_negative_between,
        lambda x, u, lower, upper: np.where(x > 0, x, x * (lower * (1 - u) + upper * u)),
        *(sample(away(0.0)(*s), uniform(0.1, 0.9)(*s), 0.25, 0.75) for s in ((3, 4), (), (0,))),
        fixed=(1,),
    ),
    case(
        "elu",
        F.elu,
        lambda x, alpha=1.0: exponential(x, 1, alpha),
        *unary(around(0)),
        sample(around(0)(20), 1.7),
        sample(around(0)(20), alpha=-0.5),
        typed=TO_FLOAT,
        edges=[
            points(
                (-inf, -1.5, 0),
                (-1e3, -1.5, 0),
                (-0.0, 0, 1.5),
                (0.0, 0, 1.5),
                (1e3, 1e3, 1),
                (inf, inf, 1),
                (nan, nan, 1),
                alpha=1.5,
            ),
            points((-(2.0**-60), -(2.0**-60), 1), (-30.0, math.expm1(-30), math.exp(-30))),
        ],
        refused=[number_wanted(F.elu, "elu", "alpha")],
    ),
    case(
        "celu",
        F.celu,
        lambda x, alpha=1.0: exponential(x / alpha, 1, 1) * alpha,
        *unary(around(0)),
        sample(around(0)(20), 1.7),
        sample(around(0)(20), alpha=0.4),
        typed=TO_FLOAT,
        edges=[
            points(
                (-inf, -1.5, 0),
                (-1e3, -1.5, math.exp(-1e3 / 1.5)),
                (-0.0, 0, 1),
                (0.0, 0, 1),
                (1e3, 1e3, 1),
                (nan, nan, 1),
                alpha=1.5,
            ),
            points((-(2.0**-60), -(2.0**-60), 1), (-30.0, 0.5 * math.expm1(-60), math.exp(-60)), (inf, inf, 1), alpha=0.5),
        ],
        refused=[Refused(lambda: F.celu(mg.ones(2), 0.0), (ArgumentError, RuntimeError), "celu: alpha must not be 0")],
    ),
    case(
        "selu",
        F.selu,
        lambda x: exponential(x, SCALE, ALPHA),
        *unary(around(0)),
        typed=TO_FLOAT,
        edges=[
            points(
                (-inf, -SCALE * ALPHA, 0),
                (-0.0, 0, SCALE * ALPHA),
                (0.0, 0, SCALE * ALPHA),
                (1e3, SCALE * 1e3, SCALE),
                (inf, inf, SCALE),
                (nan, nan, SCALE),
            )
        ],
    ),
    case(
        "hardsigmoid",
        F.hardsigmoid,
        lambda x: np.clip(x / 6 + 0.5, 0, 1),
        *unary(around(-3, 3)),
        typed=TO_FLOAT,
        edges=[points((-inf, 0, 0), (-3.0, 0, 0), (0.0, 0.5, 1 / 6), (3.0, 1, 0), (1e3, 1, 0), (inf, 1, 0), (nan, nan, 0))],
    ),
    case(
        "hardswish",
        F.hardswish,
        lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
        *unary(around(-3, 3)),
        typed=TO_FLOAT,
        edges=[
            points(
                (-inf, nan, 0),
                (-1e3, 0, 0),
                (-3.0, 0, 0),
                (0.0, 0, 0.5),
                (1.5, 1.125, 1),
                (3.0, 3, 1),
                (inf, inf, 1),
                (nan, nan, 1),
            ),
            points((-1.5, -0.375, 0), (1e38, 1e38, 1)),
        ],
    ),
    case(
        "hardshrink",
        mg.hardshrink,
        lambda x, lambd=0.5: np.where(np.abs(x) > lambd, x, 0),
        *unary(away(-0.5, 0.5)),
        sample(around(-2, 2)(20), 2.0),
        sample(normal(5), lambd=-1.0),
        typed=TO_FLOAT,
        edges=[points((-inf, -inf, 1), (-0.5, 0, 0), (0.0, 0, 0), (0.5, 0, 0), (0.75, 0.75, 1), (inf, inf, 1), (nan, nan, 1))],
        refused=[number_wanted(F.hardshrink, "hardshrink", "lambd")],
    ),
    case(
        "softshrink",
        F.softshrink,
        lambda x, lambd=0.5: np.sign(x) * np.maximum(np.abs(x) - lambd, 0),
        *unary(away(-0.5, 0.5)),
        sample(around(-2, 2)(20), 2.0),
        sample(around(0)(5), lambd=0),
        typed=TO_FLOAT,
        edges=[points((-inf, -inf, 1), (-0.75, -0.25, 1), (-0.5, 0, 0), (0.0, 0, 0), (0.5, 0, 0), (inf, inf, 1), (nan, nan, 1))],
        refused=[
            Refused(
                lambda: F.softshrink(mg.ones(2), -0.5),
                (ArgumentError, RuntimeError),
                "softshrink: lambd must not be negative",
            )
        ],
    ),
    in_place("leaky_relu", F.leaky_relu, lambda x: np.where(x > 0, x, 0.3 * x), away(0.0), 0.3),
    in_place("rrelu", F.rrelu, lambda x: np.where(x > 0, x, 0.3 * x), away(0.0), 0.2, 0.4),
    in_place("elu", F.elu, lambda x: exponential(x, 1, 1.5), away(0.0), 1.5),
    in_place("celu", F.celu, lambda x: 2 * exponential(x / 2, 1, 1), away(0.0), 2.0),
    in_place("selu", F.selu, lambda x: exponential(x, SCALE, ALPHA), away(0.0)),
    in_place("threshold", F.threshold, lambda x: np.where(x > 0.5, x, 2), away(0.5), 0.5, 2.0),
    in_place("hardtanh", F.hardtanh, lambda x: np.clip(x, -0.5, 1.5), away(-0.5, 1.5), -0.5, 1.5),
    case(
        "relu6[inplace]",
        lambda x: F.hardswish(F.hardsigmoid(F.relu6(F.mish(F.relu(x * 1, True), inplace=True), True), inplace=True), inplace=True),
        chained,
        sample(uniform(0.5, 2.5)(3, 4)),
        covers=(mg.relu, mg.mish, mg.relu6, mg.hardsigmoid, mg.hardswish, mg.mul),
    ),
)
