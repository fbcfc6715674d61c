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
from time import perf_counter
from typing import Any, Protocol

from benchmarks.contenders import installed
from benchmarks.quiet import TOLERATED, Watch, wait_for_quiet
from benchmarks.table import Table, ratio

ROOT = Path(__file__).resolve().parents[1]
QUICK_ROUNDS = 2
MORE_TRIES, WAIT_SECONDS = 3, 20.0  # for a job that other processes disturb …
PATIENCE = 300.0  # … as long as a section has not spent so many seconds on that


class Section(Protocol):
    """What a module of this package offers to be a section."""

    ROUNDS: int
    TIMED: bool
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
        self.jobs = self.disturbed = 0
        self.patience = PATIENCE

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
    rounds = rounds or (QUICK_ROUNDS if quick else section.ROUNDS)
    if not section.TIMED:
        rounds = 1
    results.patience = 0.0 if quick else PATIENCE
    results.missing = {contender for contender, _ in section.JOBS if not installed(contender)}
    for number in range(1, rounds + 1):
        last_group = ""
        print(f"{name}, round {number} of {rounds}:", end="", file=sys.stderr, flush=True)
        for contender, group in section.JOBS:
            if group != last_group:
                print(f" {group}", end="", file=sys.stderr, flush=True)
                last_group = group
            if contender not in results.missing:
                measure(results, name, section, contender, group, quick)
        print(file=sys.stderr, flush=True)
    return results


def measure(results: Results, name: str, section: Section, contender: str, group: str, quick: bool) -> None:
    """One job, done again while other processes are at work beside it and patience lasts; of its tries, the least disturbed counts."""
    tries: list[tuple[float, list[tuple[str, Any]]]] = []
    while True:
        start, watch = perf_counter(), Watch()
        values = work(results, name, section, contender, group, quick)
        tries.append((watch.others(), values))
        if not section.TIMED or tries[-1][0] <= TOLERATED or len(tries) > MORE_TRIES or results.patience <= 0:
            break
        wait_for_quiet(WAIT_SECONDS)
        results.patience -= perf_counter() - start
    others, values = min(tries, key=lambda entry: entry[0])
    results.jobs += section.TIMED
    results.disturbed += section.TIMED and others > TOLERATED
    for case, value in values:
        results.values[contender, case].append(value)


def work(results: Results, name: str, section: Section, contender: str, group: str, quick: bool) -> list[tuple[str, Any]]:
    """One job in its process: its cases and values. One that fails is noted, and the others go on."""
    command = [sys.executable, "-m", "benchmarks.worker", name, contender, group] + ["--quick"] * quick
    # The checkout is measured, even where another minigrad is installed.
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    environment = os.environ | {"PYTHONPATH": path, "JAX_PLATFORMS": "cpu"} | section.environment(contender)
    process = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, encoding="utf-8")
    if process.returncode:
        reason = (process.stderr.strip().splitlines() or [f"exit status {process.returncode}"])[-1]
        failure = f"{name}, {group}: {contender} failed: {reason}"
        if failure not in results.failures:
            results.failures.append(failure)
    return [json.loads(line) for line in process.stdout.splitlines() if line.startswith("[")]
