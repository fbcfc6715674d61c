"""The memory that training the widest net with a batch of 8,192 takes at most: compiled and eager against torch."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.contenders import Eager
from benchmarks.runner import Results
from benchmarks.table import Table, number, ratio
from benchmarks.workloads import NETS, data, dense, tensors, training

NET = NETS["wide"]._replace(batch=8192)
STEPS = 6
HEADS = {"minigrad": "minigrad, compiled", "minigrad eager": "minigrad, eager", "torch": "torch"}
JOBS = tuple((contender, "wide") for contender in HEADS)
ROUNDS, TIMED = 1, False
WHOLE, LATER, PROCESS = "all steps", "steps 4 to 6", "process"
MB = 1e6


def environment(contender: str) -> dict[str, str]:
    return {} if contender.startswith("minigrad") else {"OPENBLAS_NUM_THREADS": "1"}


def peak() -> float:
    """The most bytes of memory that this process has held."""
    import resource  # Unix has it

    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(kilobytes * (1 if sys.platform == "darwin" else 1024))


def since_reset() -> float | None:
    """The same since `reset`; Linux only."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((float(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), None)


def reset() -> bool:
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def work(contender: str, group: str, quick: bool) -> Iterator[tuple[str, float]]:
    library = Eager(contender.split()[0])
    imported = peak()
    step = training(library, dense(library, NET.sizes))
    if contender == "minigrad":
        step = library.root.compile(step)
    ((x, y),) = tensors(library, data(NET, 1))
    for _ in range(STEPS // 2):  # the first is eager, the second recorded
        step(x, y)
    first, cleared = peak(), reset()
    for _ in range(STEPS // 2):
        step(x, y)
    later = since_reset()
    yield PROCESS, max(first, peak())
    yield WHOLE, max(first, peak()) - imported
    if cleared and later is not None:
        yield LATER, later - imported


def tables(results: Results) -> list[Table]:
    table = Table(
        "Peak memory of training",
        ("contender", f"{WHOLE}, MB", "to torch", "at most", f"{LATER}, MB", "to torch", "whole process, MB", "to torch"),
        f"{STEPS} steps of {NET}: the most memory that the process held (maximum resident set) less what it held once the library was "
        "imported: one batch, parameters, Adam's state, activations, gradients, workspaces. A compiled function runs its first step "
        "eagerly and records its second; from the fourth on only the program runs. minigrad loads Numba with its first kernel, which counts "
        "here; torch loads itself when it is imported, which does not. The whole process, at most, has both.",
    )
    for contender, head in HEADS.items():
        whole, later, process = (
            ratio(results.median(contender, case), results.median("torch", case)) for case in (WHOLE, LATER, PROCESS)
        )
        target = None if contender == "torch" else 1.0
        table.add(
            head,
            results.cell(contender, WHOLE, megabytes),
            table.at_most(f"peak memory over torch's, {head}", whole, target),
            number(target),
            results.cell(contender, LATER, megabytes),
            number(later),
            results.cell(contender, PROCESS, megabytes),
            number(process),
        )
    return [table]


def megabytes(size: float) -> str:
    return number(size / MB)
