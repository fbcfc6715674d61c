"""Activations, softmax and cross-entropy: forward, and forward with backward, against torch with one thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.contenders import Eager
from benchmarks.runner import Results
from benchmarks.table import Table, duration, number
from benchmarks.timing import measure

ELEMENTWISE = ("relu", "sigmoid", "tanh", "silu", "softplus", "gelu")
ROWS = ("softmax", "log_softmax", "cross_entropy")
OPS = ELEMENTWISE + ROWS
DTYPES = ("float32", "float64")
SHAPES = {"64": (8, 8), "4096": (64, 64), "10⁶": (1000, 1000)}
PASSES = ("forward", "forward + backward")
CONTENDERS = ("minigrad", "torch")
JOBS = tuple((contender, op) for op in OPS for contender in CONTENDERS)
ROUNDS, TIMED = 5, True
SECONDS, QUICK_SECONDS = 0.16, 0.05


def environment(contender: str) -> dict[str, str]:
    return dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


def target(op: str, dtype: str, size: str, kind: str) -> float | None:
    """The ratio to reach. torch's gelu does without an accurate tail and is cheaper for it: only its float32 forward has one."""
    if op == "gelu":
        return 0.5 if (dtype, kind) == ("float32", "forward") else None
    return 0.95 if op in ("sigmoid", "silu") and (dtype, size) == ("float32", "10⁶") else 1.0


def calls(library: Eager, op: str, dtype: str, shape: tuple[int, int]) -> dict[str, Callable[[], object]]:
    """The two passes over one input: forward without recording, and forward with backward from a given gradient."""
    random = np.random.default_rng(0)
    array = 2 * random.standard_normal(shape if op in ROWS else shape[0] * shape[1]).astype(dtype)
    function, labels = library.function(op), library.tensor(random.integers(0, shape[1], shape[0]))
    plain, leaf = library.tensor(array), library.tensor(array, requires_grad=True)
    gradient = None if op == "cross_entropy" else library.tensor(random.standard_normal(array.shape).astype(dtype))
    more: tuple[Any, ...] = () if op in ELEMENTWISE else (labels,) if op == "cross_entropy" else (1,)

    def both() -> None:
        leaf.grad = None
        function(leaf, *more).backward(gradient)

    return dict(zip(PASSES, (lambda: function(plain, *more), both), strict=True))


def case(op: str, dtype: str, size: str, kind: str) -> str:
    return f"{op}, {dtype}, {size}, {kind}"


def work(contender: str, group: str, quick: bool) -> Iterator[tuple[str, float]]:
    library = Eager(contender)
    library.use_one_thread()
    for dtype in DTYPES:
        for size, shape in SHAPES.items():
            for kind, call in calls(library, group, dtype, shape).items():
                yield case(group, dtype, size, kind), measure(call, QUICK_SECONDS if quick else SECONDS)


def tables(results: Results) -> list[Table]:
    return [table(results, kind) for kind in PASSES]


def table(results: Results, kind: str) -> Table:
    made = Table(
        f"Kernels, {kind}",
        ("op, dtype, elements", *CONTENDERS, "ratio", "at least"),
        "One thread on both sides. The softmax family takes the rows of square matrices, cross-entropy class indices and the mean. "
        + ("Nothing is recorded." if kind == "forward" else "Each call records, and goes back from a given gradient."),
    )
    for op in OPS:
        for dtype in DTYPES:
            for size in SHAPES:
                name, aim = case(op, dtype, size, kind), target(op, dtype, size, kind)
                made.add(
                    f"{op}, {dtype}, {size}",
                    *(results.cell(contender, name, duration) for contender in CONTENDERS),
                    made.at_least(name, results.ratio("torch", name), aim),
                    number(aim),
                )
    return made
