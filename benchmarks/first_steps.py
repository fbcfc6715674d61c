"""From the start of a process to the end of its hundredth training step on moons: compiled, cold and warm, against torch and JAX."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING, Any

from benchmarks.children import COLD, KEEPERS, OF_CACHES, WARM, surroundings
from benchmarks.contenders import Eager
from benchmarks.table import Table, duration, number
from benchmarks.workloads import NETS, compiled_step, eager_step, jax_step

if TYPE_CHECKING:
    from benchmarks.runner import Results

STEPS = 100
HEADS = {"minigrad": "minigrad, compiled", "minigrad eager": "minigrad, eager", "torch": "torch", "jax": "jax jit"}
DONE = f"step {STEPS}"
JOBS = tuple((contender, "moons") for contender in HEADS)
ROUNDS, TIMED = 5, True


def environment(contender: str) -> dict[str, str]:
    return {} if contender.startswith("minigrad") else {"OPENBLAS_NUM_THREADS": "1"}


def train(contender: str) -> None:
    """The child process: a hundred steps, the last one waited for."""
    net = NETS["moons"]
    make: dict[str, Callable[[], Any]] = {
        "minigrad": lambda: compiled_step(Eager("minigrad"), net),
        "minigrad eager": lambda: eager_step(Eager("minigrad"), net),
        "torch": lambda: eager_step(Eager("torch"), net),
        "jax": lambda: jax_step(net),
    }
    step, finish = make[contender]()
    for _ in range(STEPS):
        step()
    if finish is not None:
        finish()
    print(DONE, flush=True)


def seconds(contender: str, folder: str) -> float:
    """From the start of a child process to its hundredth step."""
    command = [sys.executable, "-m", __name__, contender]
    start = perf_counter()
    with subprocess.Popen(command, env=surroundings(folder), stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:
        assert process.stdout is not None
        seen = [perf_counter() - start for line in process.stdout if line.startswith(DONE)]
    if process.returncode or len(seen) != 1:
        raise SystemExit(f"{contender}: exit status {process.returncode}, the hundredth step was seen {len(seen)} times")
    return seen[0]


def work(contender: str, group: str, quick: bool) -> Iterator[tuple[str, float]]:
    with TemporaryDirectory() as folder:
        for case in (COLD, WARM) if contender in KEEPERS else (WARM,):
            yield case, seconds(contender, folder)


def tables(results: Results) -> list[Table]:
    table = Table(
        "The first hundred steps",
        ("contender", COLD, WARM, "to minigrad, compiled, later process", "at least"),
        "From the start of a process to the end of its hundredth training step on moons 2-16-16-2, 100 (imports, the network, compiling). "
        f"{OF_CACHES}",
    )
    for contender, head in HEADS.items():
        target = 1.0 if contender in ("torch", "jax") else None
        table.add(
            head,
            results.cell(contender, COLD, duration) if contender in KEEPERS else "–",
            results.cell(contender, WARM, duration),
            table.at_least(f"the first hundred steps, against {head}", results.ratio(contender, WARM), target),
            number(target),
        )
    return [table]


if __name__ == "__main__":
    train(sys.argv[1])
