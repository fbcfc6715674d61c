"""Normalizations, embedding, dropout and attention: forward, and forward with backward, against torch with one thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.contenders import Eager
from benchmarks.runner import Results
from benchmarks.table import Table, duration, number
from benchmarks.timing import measure

LAYERS = ("layer_norm", "rms_norm", "batch_norm", "batch_norm, evaluation", "embedding", "dropout", "attention")
DTYPES = ("float32", "float64")
SHAPE = (128, 256)
TABLE_ROWS = 1000
PASSES = ("forward", "forward + backward")
CONTENDERS = ("minigrad", "torch")
JOBS = tuple((contender, layer) for layer in LAYERS for contender in CONTENDERS)
ROUNDS, TIMED = 5, True
SECONDS, QUICK_SECONDS = 0.16, 0.05


def environment(contender: str) -> dict[str, str]:
    return dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


def target(layer: str, kind: str) -> float | None:
    """The ratio to reach: for training steps of the layers that dense networks are made of."""
    return 1.0 if kind == "forward + backward" and layer != "attention" else None


def calls(library: Eager, layer: str, dtype: str) -> dict[str, Callable[[], object]]:
    """The two passes over one input, each recorded: forward alone, and with backward from a given gradient."""
    random = np.random.default_rng(0)

    def drawn(*shape: int) -> Any:
        return library.tensor(random.standard_normal(shape).astype(dtype), requires_grad=True)

    x, weight, bias = drawn(*SHAPE), drawn(SHAPE[1]), drawn(SHAPE[1])
    table, heads = drawn(TABLE_ROWS, SHAPE[1]), [drawn(4, SHAPE[0] // 4, SHAPE[1] // 4) for _ in range(3)]
    indices = library.tensor(random.integers(0, TABLE_ROWS, SHAPE[0]))
    running = [library.tensor(np.full(SHAPE[1], value, dtype)) for value in (0, 1)]
    name = "scaled_dot_product_attention" if layer == "attention" else layer.partition(",")[0]
    function = getattr(library.nn.functional, name)
    forward: Callable[[], Any] = {
        "layer_norm": lambda: function(x, (SHAPE[1],), weight, bias),
        "rms_norm": lambda: function(x, (SHAPE[1],), weight),
        "batch_norm": lambda: function(x, *running, weight, bias, training=True),
        "batch_norm, evaluation": lambda: function(x, *running, weight, bias, training=False),
        "embedding": lambda: function(indices, table),
        "dropout": lambda: function(x, 0.5, True),
        "attention": lambda: function(*heads),
    }[layer]
    gradient = library.tensor(random.standard_normal(tuple(forward().shape)).astype(dtype))

    def both() -> None:
        for leaf in (x, weight, bias, table, *heads):
            leaf.grad = None
        forward().backward(gradient)

    return dict(zip(PASSES, (forward, both), strict=True))


def case(layer: str, dtype: str, kind: str) -> str:
    return f"{layer}, {dtype}, {kind}"


def work(contender: str, group: str, quick: bool) -> Iterator[tuple[str, float]]:
    library = Eager(contender)
    library.use_one_thread()
    for dtype in DTYPES:
        for kind, call in calls(library, group, dtype).items():
            yield case(group, dtype, kind), measure(call, QUICK_SECONDS if quick else SECONDS)


def tables(results: Results) -> list[Table]:
    made = Table(
        "Layers",
        ("layer, dtype, pass", *CONTENDERS, "ratio", "at least"),
        f"Inputs of shape {SHAPE}, one thread on both sides, every call recorded. Normalizations have weight and bias; embedding takes "
        f"{SHAPE[0]} of {TABLE_ROWS} rows; dropout has p = 0.5; attention runs over 4 matrices of shape {(SHAPE[0] // 4, SHAPE[1] // 4)}.",
    )
    for layer in LAYERS:
        for dtype in DTYPES:
            for kind in PASSES:
                name, aim = case(layer, dtype, kind), target(layer, kind)
                made.add(
                    name,
                    *(results.cell(contender, name, duration) for contender in CONTENDERS),
                    made.at_least(name, results.ratio("torch", name), aim),
                    number(aim),
                )
    return [made]
