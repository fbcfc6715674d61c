"""Indexing, and writing in place."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from op_cases import F32, I64, OpCase, Refused, Typed, case, edge, integers, mask, normal, sample, uniform

import minigrad as mg
from minigrad.errors import DtypeError, GraphError, IndexRangeError, ShapeError
from minigrad.ops import indexing

inf, nan = math.inf, math.nan


INDICES: tuple[Any, ...] = (
    0,
    -1,
    slice(1, None),
    slice(None, None, 2),
    slice(None, None, -1),
    (slice(None), 1),
    (..., 1),
    None,
    (None, 0),
    (1, 2),
    ...,
    (),
    slice(1, 1),
    [0, 0, 2],
    [-1, -3],
    [True, False, True],
    ([0, 1, 0], [1, 1, 1]),
    (slice(None), [0, 0, 3]),
    (slice(0, 2), [1, 3]),
    ([0, 2], slice(None), None),
    [],
    np.array([[0, 2], [1, 1]]),
    np.int64(1),
)


def picked(x: Any, index: Any) -> Any:
    """x[index], by the flat positions that the index leaves of 0, 1, 2, …"""
    index = np.zeros(0, int) if isinstance(index, list) and not index else index
    flat = np.arange(x.size).reshape(x.shape)[index]
    return np.take(x.ravel(), flat)


def written(x: Any, value: Any, index: Any) -> Any:
    """A copy of x with x[index] = value, by flat positions."""
    flat = np.arange(x.size).reshape(x.shape)[index]
    value = np.reshape(value, np.shape(value)[max(np.ndim(value) - np.ndim(flat), 0) :])
    out = x.ravel().copy()
    for position, v in zip(np.ravel(flat), np.ravel(np.broadcast_to(value, np.shape(flat))), strict=True):
        out[position] = v
    return out.reshape(x.shape)


def assigned(x: mg.Tensor, value: Any, index: Any) -> mg.Tensor:
    y = x * 1
    y[index] = value
    return y


def out_of_range(write: bool) -> list[Refused]:
    def use(index: Any, value: Any = 0.0) -> Callable[[], Any]:
        def call() -> Any:
            if not write:
                return mg.ones(3, 4)[index]
            return mg.ones(3, 4).__setitem__(index, value)

        return call

    name = "setitem" if write else "getitem"
    return [
        Refused(use(3), (IndexRangeError, IndexError), rf"{name}: index 3 is out of bounds.*\(the tensor has shape \(3, 4\)\)"),
        Refused(use([0, 5]), IndexError, f"{name}: index 5 is out of bounds"),
        Refused(use((0, 0, 0)), IndexError, f"{name}: too many indices"),
        Refused(use(1.0), IndexError, "an index must be of integers or booleans, got 1.0"),
        Refused(use(mg.tensor([1.0])), IndexError, "an index must be of integers or booleans, got dtype float32"),
        Refused(use(mg.tensor([True, False])), IndexError, f"{name}: boolean index did not match"),
    ]


INDEXING = [
    case(
        "getitem",
        lambda x, index: x[index],
        picked,
        *(sample(normal(3, 4), index) for index in INDICES),
        sample(normal(3, 4), mask(3, 4)),
        sample(normal(3, 4), integers(-3, 3)(2, 3)),
        sample(normal(), None),
        sample(normal(), ...),
        covers=(indexing.getitem,),
        typed=[Typed((I64, 0), "int64"), Typed((F32, I64 - 1), "float32")],
        refused=out_of_range(write=False),
        edges=[edge([1.0, nan, inf], [1, 1, 0], value=[nan, nan, 1], grads=[[1, 2, 0]])],
    ),
    case(
        "put_into_zeros",
        lambda values, index, size: indexing.put_tensor(values, index, size),
        lambda values, index, size: sum(
            (written(np.zeros(size), v, i) for v, i in zip(values.ravel(), np.ravel(index), strict=True)), np.zeros(size)
        ),
        sample(normal(4), [0, 2, 0, 1], (5,)),
        sample(normal(3), [1, 1, 1], (2,)),
        covers=(indexing.put_into_zeros,),
    ),
    case(
        "window",
        indexing.window,
        lambda x, shape, strides, offset: np.array(
            [x.ravel()[offset + sum(i * n for i, n in zip(place, strides, strict=True))] for place in np.ndindex(*shape)]
        ).reshape(shape),
        sample(normal(3, 4), (2, 2), (4, 1), 5),
        sample(normal(3, 4), (3,), (-4,), 10),
        sample(normal(5), (2, 3), (0, 2), 0),
        sample(normal(2, 3), (), (), 4),
        sample(normal(4), (2, 0), (1, 1), 0),
    ),
    case(
        "setitem",
        assigned,
        written,
        *(
            sample(normal(3, 4), normal(*size), index)
            for size, index in (
                ((4,), 0),
                ((), 1),
                ((2, 4), slice(1, None)),
                ((3,), (slice(None), 1)),
                ((1, 4), 2),
                ((2,), ([0, 2], [1, 1])),
                ((), (1, 2)),
                ((4,), ...),
                ((2, 1), [0, 2]),
                ((0, 4), slice(1, 1)),
            )
        ),
        sample(normal(3, 4), 2.5, [0, 2]),
        sample(normal(3, 4), 0, mask(3, 4)),
        sample(normal(3, 4), normal(), mask(3, 4)),
        covers=(indexing.index_put, mg.mul),
        refused=[
            *out_of_range(write=True),
            Refused(
                lambda: mg.ones(3, 4).__setitem__(0, mg.ones(3)),
                (ShapeError, RuntimeError),
                r"setitem: .*\(the tensor has shape \(3, 4\), the value \(3,\)\)",
            ),
            Refused(
                lambda: mg.ones(3, requires_grad=True).__setitem__(0, 1.0),
                (GraphError, RuntimeError),
                "setitem: a leaf that requires grad cannot be changed in place; do it under no_grad",
            ),
            Refused(lambda: mg.ones(1).expand(3).__setitem__(0, 1.0), (GraphError, RuntimeError), "share their memory; clone"),
        ],
    ),
]


def in_place(name: str, *settings: Any) -> Callable[..., mg.Tensor]:
    """The in-place form on a tensor that is no leaf: recorded as a new value."""
    return lambda x, *others: getattr(x * 1, name)(*others, *settings)


def augmented(x: mg.Tensor, other: Any) -> mg.Tensor:
    y = x * 1
    y += other
    y *= other
    y -= 0.5
    y /= 2
    y **= 2
    return y


positive = uniform(0.3, 2)
WRITING = [
    case(
        f"Tensor.{name}",
        in_place(name),
        reference,
        sample(positive(3, 4), *((operand,) if operand else ())),
        covers=(operation, mg.mul),
    )
    for name, reference, operand, operation in (
        ("add_", np.add, normal(4), mg.add),
        ("sub_", np.subtract, normal(4), mg.sub),
        ("mul_", np.multiply, normal(4), mg.mul),
        ("div_", np.divide, positive(3, 1), mg.div),
        ("pow_", np.float_power, positive(4), mg.pow),
        ("neg_", np.negative, None, mg.neg),
        ("abs_", np.positive, None, mg.abs),
        ("exp_", np.exp, None, mg.exp),
        ("log_", np.log, None, mg.log),
        ("sqrt_", np.sqrt, None, mg.sqrt),
        ("relu_", np.positive, None, mg.relu),
        ("tanh_", np.tanh, None, mg.tanh),
        ("sigmoid_", lambda x: 1 / (1 + np.exp(-x)), None, mg.sigmoid),
    )
    if operation is not mg.pow
] + [
    case("Tensor.pow_", in_place("pow_", 3), lambda x: x * x * x, sample(positive(3, 4)), covers=(mg.mul,)),
    case("Tensor.clamp_", in_place("clamp_", 0.0, 9.0), np.positive, sample(positive(3, 4)), covers=(mg.mul,)),
    case(
        "Tensor.copy_",
        lambda x, src: (x * 1).copy_(src),
        lambda x, src: src + np.zeros(x.shape),
        sample(normal(3, 4), normal(4)),
        sample(normal(3, 4), normal(3, 1)),
        covers=(indexing.index_put, mg.mul),
        refused=[
            Refused(
                lambda: mg.ones(3).copy_(mg.ones(4)),
                (ShapeError, RuntimeError),
                r"copy_: a value of shape \(4,\) does not fit a tensor of shape \(3,\)",
            )
        ],
    ),
    case(
        "Tensor.fill_",
        lambda x, value: (x * 1).fill_(value),
        lambda x, value: np.full(x.shape, value),
        sample(normal(3, 4), normal()),
        sample(normal(3, 4), 2.5),
        covers=(indexing.index_put, mg.mul),
    ),
    case("Tensor.zero_", in_place("zero_"), np.zeros_like, sample(normal(3, 4)), covers=(indexing.index_put, mg.mul)),
    case(
        "operators in place",
        augmented,
        lambda x, other: (((x + other) * other - 0.5) / 2) ** 2,
        sample(normal(3, 4), normal(4)),
        sample(normal(3, 4), 1.5),
        covers=(mg.add, mg.mul, mg.sub, mg.div),
        refused=[
            Refused(
                lambda: mg.ones(3, requires_grad=True).add_(1),
                (GraphError, RuntimeError),
                "add_: a leaf that requires grad cannot be changed in place",
            ),
            Refused(
                lambda: mg.ones(3).add_(mg.ones(2, 3)),
                (ShapeError, RuntimeError),
                r"add_: a value of shape \(2, 3\) does not fit a tensor of shape \(3,\)",
            ),
            Refused(
                lambda: mg.tensor([1, 2]).mul_(1.5),
                (DtypeError, RuntimeError),
                "mul_: a result of dtype float32 cannot be written into a tensor of dtype int64",
            ),
            Refused(
                lambda: mg.from_numpy(np.broadcast_to(1.0, 3)).add_(1), (GraphError, RuntimeError), "share their memory; clone"
            ),
        ],
    ),
]

CASES: tuple[OpCase, ...] = (*INDEXING, *WRITING)
