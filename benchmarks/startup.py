"""Start-up: importing each library, and `examples/moons.py` for one epoch, with an empty and with a filled kernel cache."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from tempfile import TemporaryDirectory
from time import perf_counter

from benchmarks.runner import ROOT, Results
from benchmarks.table import Table, duration, number

EXAMPLE = ROOT / "examples" / "moons.py"
FLAGS = ("--epochs", "1", "--no-plots")
IMPORTS = ("python", "numpy", "numba", "minigrad", "torch", "jax")
JOBS = (*((contender, "import") for contender in IMPORTS), ("minigrad", "moons"))
ROUNDS, TIMED = 5, True
LIMITS = {"first run, compiling": 4.0, "second run": 0.7}


def environment(contender: str) -> dict[str, str]:
    return {}


def seconds(command: list[str], environment: dict[str, str] | None = None) -> float:
    """From the start of a process to its end."""
    start = perf_counter()
    process = subprocess.run(command, env=environment, capture_output=True, text=True)
    elapsed = perf_counter() - start
    if process.returncode:
        reason = (process.stderr.strip().splitlines() or ["no message"])[-1]
        raise SystemExit(f"{' '.join(command[1:])}: exit status {process.returncode}: {reason}")
    return elapsed


def work(contender: str, group: str, quick: bool) -> Iterator[tuple[str, float]]:
    if group == "import":
        yield group, seconds([sys.executable, "-c", "pass" if contender == "python" else f"import {contender}"])
    elif EXAMPLE.exists():
        with TemporaryDirectory() as folder:
            for case in LIMITS:
                yield case, seconds([sys.executable, str(EXAMPLE), *FLAGS], os.environ | {"MINIGRAD_CACHE": folder})


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
        ("run", "whole process, s", "at most, s"),
        f"`python examples/moons.py {' '.join(FLAGS)}`, from the start of the process to its end, with a kernel cache of its own.",
    )
    for case, limit in LIMITS.items():
        median = results.median("minigrad", case)
        example.add(case, example.at_most(f"examples/moons.py, {case}, seconds", median, limit), number(limit))
    return [imports, example]
