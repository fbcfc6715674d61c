"""Normalizations."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from op_cases import F32, F64, OpCase, Refused, Sample, Typed, case, edge, given, normal, sample, uniform

import minigrad as mg
from minigrad.errors import ArgumentError, DimError, DtypeError, InputTypeError, ShapeError
from minigrad.nn import functional as F
from minigrad.ops import channels

nan = math.nan


def standard(x: Any, axes: tuple[int, ...], eps: float) -> Any:
    if not x.size:
        return x
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)


def layer(x: Any, shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    y = standard(x, tuple(range(-len(shape), 0)), eps) * (1 if weight is None else weight)
    return y if bias is None else y + bias


def root_mean_square(x: Any, shape: Any, weight: Any = None, eps: float | None = None) -> Any:
    squares = (x * x).mean(tuple(range(-len(shape), 0)), keepdims=True)
    return x / np.sqrt(squares + (np.finfo(x.dtype).eps if eps is None else eps)) * (1 if weight is None else weight)


def channel(values: Any, x: Any, default: float) -> Any:
    return default if values is None else values.reshape(-1, *[1] * (x.ndim - 2))


def batch(
    x: Any, mean: Any, var: Any, weight: Any = None, bias: Any = None, training: bool = False, *rest: Any, eps: float = 1e-5
) -> Any:
    axes = (0, *range(2, x.ndim))
    z = standard(x, axes, eps) if training else (x - channel(mean, x, 0)) / np.sqrt(channel(var, x, 0) + eps)
    return z * channel(weight, x, 1) + channel(bias, x, 0)


def group(x: Any, groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    parts = standard(x.reshape(x.shape[0], groups, x.shape[1] // groups * math.prod(x.shape[2:])), (2,), eps).reshape(x.shape)
    return parts * channel(weight, x, 1) + channel(bias, x, 0)


def instance(x: Any, mean: Any = None, var: Any = None, weight: Any = None, bias: Any = None, **settings: Any) -> Any:
    eps = settings.get("eps", 1e-5)
    if not settings.get("use_input_stats", True):
        return batch(x, mean, var, weight, bias, eps=eps)
    return standard(x, tuple(range(2, x.ndim)), eps) * channel(weight, x, 1) + channel(bias, x, 0)


LAYERS = (((3, 4), (4,)), ((2, 3, 4), (3, 4)), ((2, 3, 4), (4,)), ((5,), (5,)), ((0, 3), (3,)), ((70, 3), (3,)), ((2, 300), (300,)))
BATCHES = ((5, 3), (3, 2, 4), (67, 2), (2, 2, 2, 2), (0, 3))


def rows(function: Any, name: str) -> list[Refused]:
    """What both normalizations over the last axes refuse."""
    return [
        Refused(
            lambda: function(mg.ones(2, 3), (4,)),
            (ShapeError, RuntimeError),
            rf"{name}: normalized_shape \(4,\) must be the last sizes of input, which has shape \(2, 3\)",
        ),
        Refused(lambda: function(mg.ones(2, 3), ()), RuntimeError, rf"{name}: normalized_shape \(\) must be"),
        Refused(
            lambda: function(mg.ones(2, 3), 3),
            (InputTypeError, TypeError),
            f"{name}: normalized_shape must be a tuple of ints, got 3",
        ),
        Refused(
            lambda: function(mg.ones(2, 3), (3,), mg.ones(2)),
            ShapeError,
            rf"{name}: weight must have shape \(3,\), as normalized_shape says, got \(2,\)",
        ),
        Refused(
            lambda: function(mg.ones(2, 3).long(), (3,)), (DtypeError, RuntimeError), f"{name}: expected a floating-point tensor"
        ),
        Refused(lambda: function(mg.ones(2, 3), (3,), eps="x"), TypeError, f"{name}: eps must be a number, got 'x'"),
    ]


def batches(**settings: Any) -> tuple[Sample, ...]:
    """Training and evaluation, with and without weight and bias. The running moments are fixed: no gradient goes to them."""
    found = []
    for shape in BATCHES:
        size = shape[1]
        moments = (normal(size), uniform(0.5, 2.0)(size))
        affine = (normal(size), normal(size))
        found += [
            sample(normal(*shape), None, None, *affine, True, **settings),
            sample(normal(*shape), *moments, *affine, False, **settings),
        ]
    return (
        *found,
        sample(normal(4, 2), None, None, None, None, True),
        sample(normal(4, 2), None, None, normal(2), None, True),
        sample(normal(4, 2), None, None, None, normal(2), True),
        sample(normal(4, 2), given([0.5, -1.0]), given([2.0, 0.5])),
        sample(normal(1, 2), given([0.5, -1.0]), given([2.0, 0.5])),
        sample(normal(4, 2), None, None, normal(2), normal(2), True, eps=0.3),
        sample(normal(4, 2), given([0.5, -1.0]), given([2.0, 0.5]), normal(2), normal(2), False, eps=0.3),
    )


CASES: tuple[OpCase, ...] = (
    case(
        "layer_norm",
        F.layer_norm,
        layer,
        *(sample(normal(*x), n) for x, n in LAYERS),
        *(sample(normal(*x), n, normal(*n)) for x, n in LAYERS),
        *(sample(normal(*x), n, normal(*n), normal(*n)) for x, n in LAYERS),
        sample(normal(3, 4), (4,), None, normal(4)),
        sample(normal(3, 4), [4], None, normal(4), eps=0.5),
        sample(normal(3, 1), (1,)),
        close=True,
        edges=[
            edge([[1.0, 1.0, 1.0], [nan, 0.0, 1.0]], (3,), value=[[0] * 3, [nan] * 3], grads=[[[0] * 3, [nan] * 3]]),
            edge([[2.0, 2.0]], (2,), eps=0.0, value=[[nan, nan]]),
            edge([[1e4, 1e4 + 2]], (2,), eps=0.0, value=[[-1, 1]], grads=[[[0, 0]]]),
        ],
        typed=[
            Typed((F32, (3,)), "float32"),
            Typed((F64, (3,)), "float64"),
            Typed((F32, (3,), F64), "float64"),
            Typed((F64, (3,), F32, F32), "float64"),
        ],
        refused=[
            *rows(F.layer_norm, "layer_norm"),
            Refused(lambda: F.layer_norm(mg.ones(2, 3), (3,), None, mg.ones(2)), ShapeError, "layer_norm: bias must have shape"),
        ],
    ),
    case(
        "rms_norm",
        F.rms_norm,
        root_mean_square,
        *(sample(normal(*x), n) for x, n in LAYERS),
        *(sample(normal(*x), n, normal(*n)) for x, n in LAYERS),
        sample(normal(3, 4), (4,), normal(4), eps=0.5),
        close=True,
        dtypes=["float64"],
        edges=[
            edge([[3.0, 4.0], [1.0, nan]], (2,), eps=0.0, value=[[3 / math.sqrt(12.5), 4 / math.sqrt(12.5)], [nan, nan]]),
            edge([[0.0, 0.0]], (2,), eps=0.25, value=[[0, 0]], grads=[[[2, 2]]]),
        ],
        typed=[Typed((F32, (3,)), "float32", {"eps": 1e-5}), Typed((F32, (3,), F64), "float64", {"eps": 1e-5})],
        refused=rows(F.rms_norm, "rms_norm"),
    ),
    case(
        "batch_norm",
        F.batch_norm,
        batch,
        *batches(),
        covers=(channels.normalize_channels, channels.channel_moments),
        fixed=(1, 2),
        close=True,
        edges=[
            edge([[1.0], [1.0], [1.0]], None, None, None, None, True, value=[[0], [0], [0]], grads=[[[0]] * 3]),
            edge([[1.0, nan], [3.0, 0.0]], None, None, None, None, True, eps=0.0, value=[[-1, nan], [1, nan]]),
            edge(np.ones(0), None, None, None, None, True, value=[], grads=[[]]),
            edge([[3.0]], [1.0], [4.0], [0.5], [2.0], eps=0.0, value=[[2.5]], grads=[[[0.25]], None, None, [1], [1]]),
        ],
        typed=[
            Typed((F32[:, None], None, None, None, None, True), "float32"),
            Typed((F32[:, None], None, None, F64[:1], None, True), "float64"),
        ],
        refused=[
            Refused(
                lambda: F.batch_norm(mg.ones(1, 3), None, None, training=True),
                (ArgumentError, ValueError),
                r"batch_norm: needs more than 1 value per channel in training, got input \(1, 3\)",
            ),
            Refused(
                lambda: F.batch_norm(mg.ones(2, 3), mg.ones(3), None),
                (ArgumentError, ValueError),
                "batch_norm: running_mean and running_var must be given both or neither",
            ),
            Refused(
                lambda: F.batch_norm(mg.ones(2, 3), None, None),
                RuntimeError,
                "batch_norm: running_mean and running_var must be given",
            ),
            Refused(
                lambda: F.batch_norm(mg.ones(3), None, None, training=True),
                (DimError, IndexError),
                "batch_norm: input must have shape",
            ),
            Refused(
                lambda: F.batch_norm(mg.ones(2, 3), mg.ones(2), mg.ones(3)),
                (ShapeError, RuntimeError),
                r"batch_norm: running_mean must have one entry a channel, shape \(3,\), got \(2,\)",
            ),
            Refused(
                lambda: F.batch_norm(mg.ones(2, 3), None, None, mg.ones(2), training=True),
                ShapeError,
                "batch_norm: weight must have",
            ),
            Refused(
                lambda: F.batch_norm(mg.ones(2, 3).long(), None, None, training=True),
                DtypeError,
                "batch_norm: expected a floating-point",
            ),
            Refused(
                lambda: F.batch_norm(np.ones((2, 3)), None, None), TypeError, "batch_norm: input must be a Tensor, got ndarray"
            ),
        ],
    ),
    case(
        "group_norm",
        F.group_norm,
        group,
        sample(normal(3, 8), 2),
        sample(normal(2, 4, 3), 2, normal(4), normal(4)),
        sample(normal(2, 4, 3), 4, normal(4), None),
        sample(normal(2, 2, 2, 2), 1, None, normal(2), eps=0.5),
        sample(normal(0, 4, 3), 2, normal(4), normal(4)),
        covers=(F.layer_norm,),
        close=True,
        refused=[
            Refused(
                lambda: F.group_norm(mg.ones(2, 3), 2),
                (ShapeError, RuntimeError),
                "group_norm: num_groups 2 does not divide",
            ),
            Refused(lambda: F.group_norm(mg.ones(3), 1), (ShapeError, RuntimeError), "group_norm: input must have shape"),
            Refused(lambda: F.group_norm(mg.ones(1, 2), 2), ValueError, "group_norm: needs more than 1 value per channel"),
            Refused(
                lambda: F.group_norm(mg.ones(2, 4), 2, mg.ones(2)), ShapeError, "group_norm: weight must have one entry a channel"
            ),
        ],
    ),
    case(
        "instance_norm",
        F.instance_norm,
        instance,
        sample(normal(3, 2, 4)),
        sample(normal(3, 2, 4), None, None, normal(2), normal(2)),
        sample(normal(2, 2, 2, 2), None, None, normal(2), None, eps=0.5),
        sample(normal(3, 2, 4), given([0.5, -1.0]), given([2.0, 0.5]), normal(2), normal(2), use_input_stats=False),
        sample(normal(0, 2, 4), None, None, normal(2), normal(2)),
        covers=(channels.normalize_channels, channels.channel_moments),
        fixed=(1, 2),
        close=True,
        refused=[
            Refused(
                lambda: F.instance_norm(mg.ones(2, 3)),
                (ArgumentError, ValueError),
                "instance_norm: needs more than 1 value per channel",
            ),
            Refused(
                lambda: F.instance_norm(mg.ones(2, 3, 2), mg.ones(2)), ShapeError, "instance_norm: running_mean must have one entry"
            ),
        ],
    ),
)
