"""Start-up: importing each library, and `examples/moons.py` for one epoch, with an empty and with a filled kernel cache."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from tempfile import TemporaryDirectory
from time import perf_counter

from benchmarks.children import surroundings
from benchmarks.runner import ROOT, Results
from benchmarks.table import Table, duration, number

EXAMPLE = ROOT / "examples" / "moons.py"
FLAGS = ("--epochs", "1", "--no-plots")
IMPORTS = ("python", "numpy", "numba", "minigrad", "torch", "jax")
JOBS = (*((contender, "import") for contender in IMPORTS), ("minigrad", "moons"))
ROUNDS, TIMED = 5, True
LIMITS = {"first run, compiling": 4.0, "second run": 0.7}
FIRST_EPOCH = "    1 "  # what the table's first line begins with


def environment(contender: str) -> dict[str, str]:
    return {}


def seconds(command: list[str]) -> float:
    """From the start of a process to its end."""
    start = perf_counter()
    process = subprocess.run(command, capture_output=True, text=True)
    elapsed = perf_counter() - start
    if process.returncode:
        reason = (process.stderr.strip().splitlines() or ["no message"])[-1]
        raise SystemExit(f"{' '.join(command[1:])}: exit status {process.returncode}: {reason}")
    return elapsed


def first_epoch(environment: dict[str, str]) -> tuple[float, float]:
    """The example's seconds from the start of its process to the end of its first epoch, and to its own end."""
    start = perf_counter()
    command = [sys.executable, "-u", str(EXAMPLE), *FLAGS]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:
        assert process.stdout is not None
        seen = [perf_counter() - start for line in process.stdout if line.startswith(FIRST_EPOCH)]
    if process.returncode or len(seen) != 1:
        raise SystemExit(f"{EXAMPLE.name}: exit status {process.returncode}, {len(seen)} first epochs")
    return seen[0], perf_counter() - start


def work(contender: str, group: str, quick: bool) -> Iterator[tuple[str, float]]:
    if group == "import":
        yield group, seconds([sys.executable, "-c", "pass" if contender == "python" else f"import {contender}"])
    elif EXAMPLE.exists():
        with TemporaryDirectory() as folder:
            for case in LIMITS:
                epoch, end = first_epoch(surroundings(folder))
                yield case, epoch
                yield f"{case}, end", end


def tables(results: Results) -> list[Table]:
    imports = Table(
        "Start-up: import", ("import", "whole process", "to minigrad"), "`python -c 'import …'`; for python, `python -c pass`."
    )
    for contender in IMPORTS:
        imports.add(contender, results.cell(contender, "import", duration), number(results.ratio(contender, "import")))
    if not EXAMPLE.exists():
        imports.note += " There is no examples/moons.py here: its start was skipped."
        return [imports]
    example = Table(
        "Start-up: examples/moons.py",
        ("run", "first epoch done after, s", "at most, s", "process ended after, s"),
        f"`python examples/moons.py {' '.join(FLAGS)}`, from the start of the process, with a kernel cache of its own.",
    )
    for case, limit in LIMITS.items():
        median = results.median("minigrad", case)
        example.add(
            case,
            example.at_most(f"examples/moons.py, {case}, seconds", median, limit),
            number(limit),
            results.cell("minigrad", f"{case}, end", number),
        )
    return [imports, example]
