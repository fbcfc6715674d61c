"""Training steps: forward, backward and Adam on five nets: eager against torch with fused Adam, and JAX's compiled step."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.contenders import Eager
from benchmarks.runner import Results
from benchmarks.table import Table, duration, number
from benchmarks.timing import measure
from benchmarks.workloads import NETS, eager_step, jax_step

TARGETS = {"moons": 4.0, "digits-32": 4.0, "digits-128": 2.5, "mnist": 1.3, "wide": 1.0}
CONTENDERS = ("minigrad", "torch", "jax")
JOBS = tuple((contender, net) for net in NETS for contender in CONTENDERS)
ROUNDS, TIMED = 5, True
SECONDS, QUICK_SECONDS = 1.0, 0.2


def environment(contender: str) -> dict[str, str]:
    """Each library takes the threads that it takes by default; beside another library's pool, NumPy's stays empty."""
    return {} if contender == "minigrad" else {"OPENBLAS_NUM_THREADS": "1"}


def work(contender: str, group: str, quick: bool) -> Iterator[tuple[str, float]]:
    net = NETS[group]
    step, finish = jax_step(net) if contender == "jax" else eager_step(Eager(contender), net)
    yield group, measure(step, QUICK_SECONDS if quick else SECONDS, finish)


def tables(results: Results) -> list[Table]:
    table = Table(
        "Training steps",
        ("net, batch", "minigrad", "torch", "jax jit", "torch ratio", "lowest–highest", "at least", "jax ratio"),
        "One step in float32: cross-entropy, ReLU hidden layers, backward, Adam (torch: fused). minigrad and torch run eagerly, "
        "JAX compiles the whole step. Threads: each library's default.",
    )
    for name, net in NETS.items():
        rounds = results.ratios("torch", name)
        table.add(
            f"{name} {net}",
            *(results.cell(contender, name, duration) for contender in CONTENDERS),
            table.at_least(f"step, {name}", results.ratio("torch", name), TARGETS[name]),
            f"{number(rounds[0])}–{number(rounds[-1])}" if rounds else "–",
            number(TARGETS[name]),
            number(results.ratio("jax", name)),
        )
    return [table]
