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
# All activations, with the settings that they are called with.
ACTIVATIONS: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(("relu", "relu6", "leaky_relu", "elu", "celu", "selu", "gelu", "silu", "mish", "softplus", "softsign"), ()),
    **dict.fromkeys(("tanhshrink", "softshrink", "hardshrink", "hardtanh", "hardsigmoid", "hardswish"), ()),
    **dict.fromkeys(("sigmoid", "logsigmoid", "tanh"), ()),
    **dict.fromkeys(("glu", "softmax", "softmin", "log_softmax"), (1,)),
    "prelu": ("weight",),
    "rrelu": (1 / 8, 1 / 3, True),
    "threshold": (0.1, 0.0),
}
ACTIVATION_TARGETS = {(128, 10): 2.0, (1000, 1000): 1.0}
DTYPES = ("float32", "float64")
SHAPES = {"64": (8, 8), "4096": (64, 64), "10⁶": (1000, 1000)}
PASSES = ("forward", "forward + backward")
CONTENDERS = ("minigrad", "torch")
JOBS = tuple((contender, group) for group in (*OPS, "activations") for contender in CONTENDERS)
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


def activation_call(library: Eager, name: str, shape: tuple[int, int]) -> Callable[[], object]:
    """Forward with backward from a given gradient, in float32."""
    random = np.random.default_rng(0)
    leaf = library.tensor(2 * random.standard_normal(shape).astype(np.float32), requires_grad=True)
    weight = library.tensor(np.full(shape[1], 0.25, np.float32), requires_grad=True)
    settings = [weight if value == "weight" else value for value in ACTIVATIONS[name]]
    function = library.function(name)
    gradient = library.tensor(random.standard_normal(tuple(function(leaf, *settings).shape)).astype(np.float32))

    def both() -> None:
        leaf.grad = weight.grad = None
        function(leaf, *settings).backward(gradient)

    return both


def activation_case(name: str, shape: tuple[int, int]) -> str:
    return f"{name}, float32, {shape}, forward + backward"


def work(contender: str, group: str, quick: bool) -> Iterator[tuple[str, float]]:
    library = Eager(contender)
    library.use_one_thread()
    if group == "activations":
        for name in ACTIVATIONS:
            for shape in ACTIVATION_TARGETS:
                yield (
                    activation_case(name, shape),
                    measure(activation_call(library, name, shape), QUICK_SECONDS if quick else SECONDS),
                )
        return
    for dtype in DTYPES:
        for size, shape in SHAPES.items():
            for kind, call in calls(library, group, dtype, shape).items():
                yield case(group, dtype, size, kind), measure(call, QUICK_SECONDS if quick else SECONDS)


def tables(results: Results) -> list[Table]:
    return [*(table(results, kind) for kind in PASSES), activation_table(results)]


def activation_table(results: Results) -> Table:
    made = Table(
        "Activations, forward + backward",
        ("activation, float32", *CONTENDERS, "ratio", "at least"),
        "One thread on both sides. Each call records, and goes back from a given gradient. torch's gelu does without an accurate tail.",
    )
    for name in ACTIVATIONS:
        for shape, least in ACTIVATION_TARGETS.items():
            known = activation_case(name, shape)
            made.add(
                f"{name}, {shape}",
                *(results.cell(contender, known, duration) for contender in CONTENDERS),
                made.at_least(known, results.ratio("torch", known), least),
                number(least),
            )
    return made


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
