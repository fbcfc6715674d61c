"""Runs the jobs of a section in turn, each in a fresh process, for some rounds, and gathers what the workers print."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Protocol

from benchmarks.contenders import installed
from benchmarks.table import Table, ratio

ROOT = Path(__file__).resolve().parents[1]
QUICK_ROUNDS = 2


class Section(Protocol):
    """What a module of this package offers to be a section."""

    ROUNDS: int
    JOBS: Sequence[tuple[str, str]]

    def environment(self, contender: str) -> dict[str, str]:
        """Variables that the worker of this contender starts with."""
        ...

    def work(self, contender: str, group: str, quick: bool) -> Iterator[tuple[str, Any]]:
        """Runs in the worker: yields (case, value), times in seconds."""
        ...

    def tables(self, results: Results) -> list[Table]:
        """Runs in the parent: the results, laid out."""
        ...


class Results:
    """The values of every (contender, case), one a round, and what went wrong."""

    def __init__(self) -> None:
        self.values: defaultdict[tuple[str, str], list[Any]] = defaultdict(list)
        self.missing: set[str] = set()
        self.failures: list[str] = []

    def median(self, contender: str, case: str) -> float | None:
        values = self.values.get((contender, case))
        return median(values) if values else None

    def ratio(self, peer: str, case: str) -> float | None:
        """The peer's time over minigrad's: above 1, minigrad is faster."""
        return ratio(self.median(peer, case), self.median("minigrad", case))

    def ratios(self, peer: str, case: str) -> list[float]:
        """The ratio of each round, lowest first."""
        pairs = zip(self.values.get((peer, case), ()), self.values.get(("minigrad", case), ()), strict=False)
        return sorted(theirs / ours for theirs, ours in pairs)

    def cell(self, contender: str, case: str, text: Callable[[float], str]) -> str:
        """The median as text, or why there is none."""
        value = self.median(contender, case)
        if value is not None:
            return text(value)
        return "not installed" if contender in self.missing else "–"


def run(name: str, section: Section, quick: bool, rounds: int | None = None) -> Results:
    """All rounds of a section; progress goes to stderr."""
    results = Results()
    rounds = rounds or (min(section.ROUNDS, QUICK_ROUNDS) if quick else section.ROUNDS)
    results.missing = {contender for contender, _ in section.JOBS if not installed(contender)}
    for number in range(1, rounds + 1):
        last_group = ""
        print(f"{name}, round {number} of {rounds}:", end="", file=sys.stderr, flush=True)
        for contender, group in section.JOBS:
            if group != last_group:
                print(f" {group}", end="", file=sys.stderr, flush=True)
                last_group = group
            if contender not in results.missing:
                work(results, name, section, contender, group, quick)
        print(file=sys.stderr, flush=True)
    return results


def work(results: Results, name: str, section: Section, contender: str, group: str, quick: bool) -> None:
    """One job in its process. One that fails is noted, and the others go on."""
    command = [sys.executable, "-m", "benchmarks.worker", name, contender, group] + ["--quick"] * quick
    # The checkout is measured, even where another minigrad is installed.
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    environment = os.environ | {"PYTHONPATH": path, "JAX_PLATFORMS": "cpu"} | section.environment(contender)
    process = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, encoding="utf-8")
    for line in process.stdout.splitlines():
        if line.startswith("["):
            case, value = json.loads(line)
            results.values[contender, case].append(value)
    if process.returncode:
        reason = (process.stderr.strip().splitlines() or [f"exit status {process.returncode}"])[-1]
        failure = f"{name}, {group}: {contender} failed: {reason}"
        if failure not in results.failures:
            results.failures.append(failure)
