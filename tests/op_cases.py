"""The record that drives the tests of operations, and what its samples are drawn from.

A sample draws the positional arguments of one call: a draw is a function of a random generator that returns an array, everything else is
passed on as it is. Float arrays become tensors that require grad, unless their position is `fixed`. The tables are in `cases`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import minigrad as mg
from minigrad.core.op import Op

Array = np.ndarray
Draw = Callable[[np.random.Generator], Array]


@dataclass(frozen=True)
class Sample:
    """One call: draws (or plain values) and settings."""

    draws: tuple[Any, ...]
    settings: dict[str, Any]

    def arguments(self, dtype: Any = np.float64, seed: int = 0) -> list[Any]:
        """The arguments, floats rounded to `dtype`: the same numbers whatever the dtype is asked for."""
        rng = np.random.default_rng(seed)
        drawn = [draw(rng) if callable(draw) else draw for draw in self.draws]
        return [cast(value, dtype) for value in drawn]

    def __str__(self) -> str:
        shapes = [str(x.shape if isinstance(x, np.ndarray) else x) for x in self.arguments()]
        return ", ".join([*shapes, *(f"{name}={value!r}" for name, value in self.settings.items())])


@dataclass(frozen=True)
class Edge:
    """Special values: the arguments, the expected output, and the expected gradient of each for dL/doutput = 1 (None: not looked at)."""

    arguments: tuple[Any, ...]
    value: Any
    grads: tuple[Any, ...]
    settings: dict[str, Any]
    dtypes: tuple[str, ...] = ("float32", "float64")


@dataclass(frozen=True)
class Refused:
    """A call that must fail: the class (or classes) of the exception, and a pattern of its message."""

    call: Callable[[], Any]
    error: type[Exception] | tuple[type[Exception], ...]
    match: str


@dataclass(frozen=True)
class Typed:
    """A call on given arrays, and the dtype of what it returns."""

    arguments: tuple[Any, ...]
    dtype: str
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class OpCase:
    """One public function: what it is called with, what it must return, and how it must fail.

    `reference` takes the same arguments as arrays and does not share the function's formula. `covers` are the recorded operations
    that the samples run (default: the function). `order` says how often it can be differentiated. `eps` is the step of the
    differences where 1e-5 cannot serve; `dtypes` where not both can be held to the reference. `close` marks outputs that are sums:
    their error is relative to the largest value.
    """

    name: str
    function: Callable[..., Any]
    reference: Callable[..., Any]
    samples: tuple[Sample, ...]
    covers: tuple[Op[Any], ...] = ()
    order: int = 2
    fixed: tuple[int, ...] = ()
    edges: tuple[Edge, ...] = ()
    refused: tuple[Refused, ...] = ()
    typed: tuple[Typed, ...] = ()
    dtypes: tuple[str, ...] = ("float32", "float64")
    eps: float = 1e-5
    close: bool = False

    def __post_init__(self) -> None:
        if not self.covers:
            assert isinstance(self.function, Op), f"{self.name}: say which operations it covers"
            object.__setattr__(self, "covers", (self.function,))

    def __repr__(self) -> str:
        return self.name

    @property
    def modes(self) -> tuple[str, ...]:
        """How gradients are checked. A step that is exact in float32 is so for one element at a time only."""
        return ("full", "random") if self.eps == 1e-5 else ("full",)


def case(name: str, function: Callable[..., Any], reference: Callable[..., Any], *samples: Sample, **rest: Any) -> OpCase:
    """An OpCase; lists are taken for tuples."""
    return OpCase(name, function, reference, samples, **{k: tuple(v) if isinstance(v, list) else v for k, v in rest.items()})


def sample(*draws: Any, **settings: Any) -> Sample:
    return Sample(draws, settings)


def edge(
    *arguments: Any, value: Any, grads: Sequence[Any] = (), dtypes: Sequence[str] = ("float32", "float64"), **settings: Any
) -> Edge:
    return Edge(arguments, value, tuple(grads), settings, tuple(dtypes))


def points(*rows: tuple[float, float, float], dtypes: Sequence[str] = ("float32", "float64"), **settings: Any) -> Edge:
    """An edge of a function of one element from rows (x, y, dy/dx)."""
    x, y, gradient = (list(column) for column in zip(*rows, strict=True))
    return edge(x, value=y, grads=[gradient], dtypes=dtypes, **settings)


def edge_arguments(edge: Edge, dtype: str) -> list[Any]:
    """Lists of floats as arrays; numbers stand for themselves, and so does a list of ints, an index."""

    def is_float(value: Any) -> bool:
        return isinstance(value, (list, np.ndarray)) and np.asarray(value).dtype.kind == "f"

    return [np.array(x, dtype) if is_float(x) else x for x in edge.arguments]


def cast(value: Any, dtype: Any) -> Any:
    """Float arrays rounded to float32 numbers, so that both dtypes hold the same, and in `dtype`."""
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f":
        return value
    return value.astype(np.float32).astype(dtype)


def tensors(arguments: Sequence[Any], fixed: Sequence[int] = (), requires_grad: bool = True) -> list[Any]:
    """Arrays as tensors that share them."""
    return [
        mg.from_numpy(x).requires_grad_(requires_grad and x.dtype.kind == "f" and i not in fixed)
        if isinstance(x, np.ndarray)
        else x
        for i, x in enumerate(arguments)
    ]


def call(case: OpCase, sample: Sample) -> Callable[..., Any]:
    """The function of a case with the settings of a sample, for a gradient check."""
    return lambda *inputs: case.function(*inputs, **sample.settings)


def outputs(result: Any) -> list[mg.Tensor]:
    return list(result) if isinstance(result, tuple) else [result]


def tracked(inputs: Sequence[Any]) -> list[mg.Tensor]:
    return [x for x in inputs if isinstance(x, mg.Tensor) and x.requires_grad]


def cotangent(y: mg.Tensor, seed: int = 1) -> Array:
    """A random gradient of an output, never all ones."""
    drawn = np.random.default_rng(seed).uniform(0.5, 1.5, y.shape) * np.random.default_rng(seed + 1).choice([-1, 1], y.shape)
    return np.asarray(drawn).astype(np.float32).astype(y.dtype)


# ---- draws


def normal(*shape: int) -> Draw:
    return lambda rng: np.asarray(rng.standard_normal(shape))


def uniform(low: float, high: float) -> Callable[..., Draw]:
    return lambda *shape: lambda rng: np.asarray(rng.uniform(low, high, shape))


def away(*kinks: float, margin: float = 0.1) -> Callable[..., Draw]:
    """Normal numbers, each at least `margin` from the kinks."""

    def shaped(*shape: int) -> Draw:
        def draw(rng: np.random.Generator) -> Array:
            x = np.asarray(rng.standard_normal(shape) * 1.5)
            for kink in sorted(kinks):
                close = np.abs(x - kink) < margin
                x = np.where(close, kink + np.where(x < kink, -2, 2) * margin, x)
            return x

        return draw

    return shaped


def lattice(part: int, parts: int, step: float = 0.4) -> Callable[..., Draw]:
    """Numbers near `step` · (k + part / parts): those of different parts keep apart, so that min, max and clamp meet no tie."""

    def shaped(*shape: int) -> Draw:
        width = step / parts / 5
        return lambda rng: np.asarray(step * (rng.integers(-4, 5, shape) + part / parts) + rng.uniform(-width, width, shape))

    return shaped


def distinct(*shape: int) -> Draw:
    """Numbers of which no two are closer than 0.1."""

    def draw(rng: np.random.Generator) -> Array:
        size = int(np.prod(shape))
        ranks = 0.2 * (rng.permutation(size) - size / 2)
        return np.asarray((ranks + rng.uniform(-0.05, 0.05, size)).reshape(shape))

    return draw


def integers(low: int, high: int) -> Callable[..., Draw]:
    return lambda *shape: lambda rng: np.asarray(rng.integers(low, high, shape))


def mask(*shape: int) -> Draw:
    return lambda rng: np.asarray(rng.random(shape) < 0.5)


def given(values: Any, dtype: Any = None) -> Draw:
    return lambda rng: np.asarray(values, dtype)


# ---- the shapes every elementwise operation is run on: full, 0-d, vector, empty, three axes; then what broadcasts against what

SHAPES = ((3, 4), (), (5,), (0,), (2, 0, 3), (2, 1, 3))
PAIRS = (
    ((3, 4), (3, 4)), ((3, 4), (4,)), ((4,), (3, 4)), ((3, 4), (3, 1)), ((3, 1), (3, 4)), ((3, 1), (1, 4)), ((3, 4), ()), ((), (3, 4)),
    ((), ()), ((1,), (3,)), ((2, 3, 4), (3, 4)), ((2, 3, 4), (3, 1)), ((2, 1, 4), (3, 1)), ((0, 3), (3,)), ((2, 3, 0), (2, 1, 1)),
)  # fmt: skip
FEW_PAIRS = (((3, 4), (3, 4)), ((3, 4), (4,)), ((3, 1), (3, 4)), ((), (3, 4)), ((), ()), ((0, 3), (3,)))


def unary(draw: Callable[..., Draw], **settings: Any) -> tuple[Sample, ...]:
    return tuple(sample(draw(*shape), **settings) for shape in SHAPES)


def smooth(draw: Callable[..., Draw], **settings: Any) -> tuple[Sample, ...]:
    """`unary`, and at 0, where formulas in |x| or max(x, 0) have a kink that the function does not have."""
    return (*unary(draw, **settings), sample(given([0.0, -0.0, 0.5]), **settings))


def binary(
    left: Callable[..., Draw], right: Callable[..., Draw], pairs: Sequence[Any] = PAIRS, **settings: Any
) -> tuple[Sample, ...]:
    return tuple(sample(left(*a), right(*b), **settings) for a, b in pairs)


# ---- dtypes: integer results where the operation keeps integers, else the default float dtype; Python numbers are weak

I64, I32, U8 = np.array([1, 2, 3]), np.array([3, 1, 2], np.int32), np.array([2, 1, 4], np.uint8)
F32, F64, BOOL = np.array([0.5, 1.5, 2], np.float32), np.array([0.25, 2, 1.5]), np.array([True, False, True])

TO_FLOAT = tuple(Typed((x,), "float64" if x is F64 else "float32") for x in (I64, I32, U8, F32, F64))
SAME = tuple(Typed((x,), x.dtype.name) for x in (I64, I32, U8, F32, F64))
KEPT = [Typed((x[None],), x.dtype.name) for x in (I64, F32, F64, BOOL)]
TO_BOOL = tuple(Typed((x,), "bool") for x in (I64, I32, U8, F32, F64, BOOL))
PROMOTED = tuple(
    Typed(pair, dtype)
    for pair, dtype in (
        ((I64, I64), "int64"), ((I32, I64), "int64"), ((U8, I32), "int32"), ((I64, BOOL), "int64"), ((F32, F64), "float64"),
        ((F32, I64), "float64"), ((F32, U8), "float32"), ((BOOL, F32), "float32"), ((I64, 2), "int64"), ((2, I32), "int32"),
        ((U8, 2), "uint8"), ((I64, 2.5), "float32"), ((BOOL, 2), "int64"), ((F32, 2.5), "float32"), ((2, F32), "float32"),
        ((F64, 2), "float64"), ((F32, True), "float32"), ((I64, np.float64(2.5)), "float32"), ((F32, np.float64(2.5)), "float32"),
    )
)  # fmt: skip
