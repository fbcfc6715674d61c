"""`python -m benchmarks [SECTION ...]`: measure, print tables, and write them to benchmarks/RESULTS.md.

The section `accuracy`, run in full, also writes docs/accuracy.md.
"""

from __future__ import annotations

import argparse
import io
import os
import platform
import sys
import tomllib
from collections.abc import Sequence
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import cast

from benchmarks import (
    accuracy,
    chain,
    compiled,
    digits_race,
    first_steps,
    growth,
    inference,
    kernels,
    layers,
    looking,
    losses,
    memory,
    startup,
    steps,
)
from benchmarks.contenders import installed
from benchmarks.runner import ROOT, Section, run
from benchmarks.table import MISSED, Table

SECTIONS = {
    name: cast(Section, module)
    for name, module in {
        "steps": steps,
        "compiled": compiled,
        "growth": growth,
        "inference": inference,
        "first_steps": first_steps,
        "digits_race": digits_race,
        "memory": memory,
        "kernels": kernels,
        "losses": losses,
        "layers": layers,
        "looking": looking,
        "startup": startup,
        "chain": chain,
        "accuracy": accuracy,
    }.items()
}
RESULTS = Path(__file__).with_name("RESULTS.md")
ACCURACY = ROOT / "docs" / "accuracy.md"
PACKAGES = ("numpy", "numba", "torch", "jax", "scikit-learn", "onnxruntime")

HOW_TO_READ = f"""\
Written by `make bench` (`python -m benchmarks`), all in one run. Every contender is measured in processes of its own, which take
turns, round after round (A B C A B C …). A time is the median over rounds of the median over samples of at least 20 ms. First calls,
which compile, are left out unless a table says otherwise. A ratio is the peer's time over minigrad's: above 1, minigrad is faster.
{MISSED} marks a number that misses its target, "–" one that could not be measured. A job beside which other processes were at work is
done again, within limits; "disturbed" says how many stayed so. Compare ratios rather than times, and only those of one run.
"""


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure minigrad against other libraries.")
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)}; all if none is named")
    parser.add_argument("--quick", action="store_true", help="few rounds, short samples: a look, not a result")
    parser.add_argument("--rounds", type=int, metavar="N", help="how often each contender has its turn")
    parser.add_argument(
        "--write",
        action="store_true",
        help=f"write {RESULTS.name} even after --quick or for some sections (a full run always does)",
    )
    options = parser.parse_args(arguments)
    unknown = [name for name in options.sections if name not in SECTIONS]
    if unknown:
        parser.error(f"there is no section {', '.join(unknown)}: choose from {', '.join(SECTIONS)}")
    if options.rounds is not None and options.rounds < 1:
        parser.error(f"--rounds: expected at least 1, got {options.rounds}")
    options.write |= not options.quick and not options.sections
    options.sections = [name for name in SECTIONS if name in (options.sections or SECTIONS)]
    return options


def version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def processor() -> str:
    """The CPU's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def surroundings() -> dict[str, str]:
    """What the numbers depend on."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {
        "minigrad": project["version"],
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        **{package: version(package) for package in PACKAGES},
        "CPU": f"{processor()}, {cores()} cores",
        "system": f"{platform.system()} {platform.machine()}",
        "date": date.today().isoformat(),
    }


def missed_lines(tables: Sequence[Table]) -> list[str]:
    missed = [line for table in tables for line in table.missed]
    return [f"Targets missed: {len(missed)}", *(f"- {line}" for line in missed)] if missed else ["No target was missed."]


def document(tables: Sequence[Table], facts: dict[str, str], failures: Sequence[str], quick: bool) -> str:
    """RESULTS.md."""
    parts = ["# Benchmarks\n", HOW_TO_READ]
    if quick:
        parts.append("A quick run: few rounds, short samples.\n")
    parts.append("\n".join(f"- {name}: {value}" for name, value in facts.items()) + "\n")
    head, *missed = missed_lines(tables)
    parts.append("\n".join([head, "", *missed]).rstrip() + "\n")
    if failures:
        parts.append("Could not be measured:\n\n" + "\n".join(f"- {line}" for line in failures) + "\n")
    parts.extend(table.markdown() + "\n" for table in tables)
    return "\n".join(parts)


def accuracy_page(tables: Sequence[Table], facts: dict[str, str]) -> str:
    """docs/accuracy.md."""
    versions = ", ".join(f"{name} {facts[name]}" for name in ("minigrad", "numpy", "numba", "torch"))
    head = f"# How far elementwise functions are off\n\nWritten by `python -m benchmarks accuracy` ({versions}; {facts['date']})."
    return "\n".join([f"{head} {MISSED} marks what misses its target.\n", *(f"{table.markdown()}\n" for table in tables)])


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 1 if something could not be measured; a missed target is a result, not an error."""
    options = parse(sys.argv[1:] if arguments is None else arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without ✗ and µ still gets its table
    facts = surroundings()
    print("\n".join(f"{name}: {value}" for name, value in facts.items()), flush=True)
    tables: list[Table] = []
    failures: list[str] = []
    jobs = disturbed = 0
    for name in options.sections:
        results = run(name, SECTIONS[name], options.quick, options.rounds)
        if options.write and SECTIONS[name] is growth and installed("matplotlib"):
            growth.draw(results)
        made = SECTIONS[name].tables(results)
        tables += made
        failures += results.failures
        jobs, disturbed = jobs + results.jobs, disturbed + results.disturbed
        print("", *(table.text() + "\n" for table in made), sep="\n", flush=True)
        if SECTIONS[name] is accuracy and not options.quick:
            ACCURACY.write_text(accuracy_page(made, facts), encoding="utf-8")
            print(f"Written: {ACCURACY.relative_to(ROOT)}")
    facts["disturbed"] = f"{disturbed} of {jobs} timed jobs ran beside other processes"
    print("\n".join([f"Disturbed: {facts['disturbed']}", *missed_lines(tables), *failures]))
    if options.write:
        RESULTS.write_text(document(tables, facts, failures, options.quick), encoding="utf-8")
        print(f"Written: {RESULTS.relative_to(ROOT)}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
