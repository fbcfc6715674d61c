"""A chain of additions, 10⁵ and 10⁶ steps deep: the time of build, backward and delete per step, against torch."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from statistics import median
from time import perf_counter

from benchmarks.contenders import Eager
from benchmarks.runner import Results
from benchmarks.table import Table, duration, number

LENGTHS = {"10⁵": 10**5, "10⁶": 10**6}
PHASES = ("build", "backward", "delete")
CONTENDERS = ("minigrad", "torch")
JOBS = tuple((contender, length) for length in LENGTHS for contender in CONTENDERS)
ROUNDS, TIMED = 3, True
LINEAR = 1.3  # a step of the long chain may cost so many steps of the short one: caches and the collector have more to do


def environment(contender: str) -> dict[str, str]:
    return {}


def chain(library: Eager, length: int) -> list[float]:
    """The seconds that y = x + x + … + x takes to build, to differentiate and to delete."""
    x = library.tensor(1.0, requires_grad=True)
    times = [perf_counter()]
    y = x
    for _ in range(length):
        y = y + x
    times.append(perf_counter())
    y.backward()
    times.append(perf_counter())
    del y
    times.append(perf_counter())
    if x.grad.item() != length + 1:
        raise SystemExit(f"chain of {length} additions: expected the gradient {length + 1}, got {x.grad.item()}")
    return [end - start for start, end in pairwise(times)]


def work(contender: str, group: str, quick: bool) -> Iterator[tuple[str, float]]:
    library, length = Eager(contender), LENGTHS[group]
    chain(library, 1000)
    runs = [chain(library, length) for _ in range(3 if length < 10**6 else 1)]
    for phase, times in zip(PHASES, zip(*runs, strict=True), strict=True):
        yield f"{phase} {group}", median(times) / length
    yield f"all {group}", median(map(sum, runs)) / length


def tables(results: Results) -> list[Table]:
    table = Table(
        "Chain of additions, per step",
        (
            "phase",
            *(f"{contender} {length}" for contender in CONTENDERS for length in LENGTHS),
            "ratio 10⁵",
            "ratio 10⁶",
            "at least",
        ),
        "y = x + x + … + x on scalars in float32; delete drops the last reference to the graph.",
    )
    for phase in (*PHASES, "all"):
        target = 1.0 if phase == "all" else None
        cases = [f"{phase} {length}" for length in LENGTHS]
        table.add(
            phase,
            *(results.cell(contender, case, duration) for contender in CONTENDERS for case in cases),
            *(table.at_least(f"chain, {case}", results.ratio("torch", case), target) for case in cases),
            number(target),
        )
    return [table, linear(results)]


def linear(results: Results) -> Table:
    """A step of the long chain over a step of the short one."""
    table = Table("Chain of additions: is it linear?", ("library", "step at 10⁶ / step at 10⁵", "at most"))
    for contender in CONTENDERS:
        short, long = (results.median(contender, f"all {length}") for length in LENGTHS)
        growth = long / short if long is not None and short else None
        limit = LINEAR if contender == "minigrad" else None
        table.add(contender, table.at_most(f"chain, growth of a step, {contender}", growth, limit), number(limit))
    return table
