"""Pages of Markdown as programs: their Python, and what they say that it prints."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

_FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PRINTED = re.compile(r"^print\(.*\)  # (.*)$")


@dataclass(frozen=True)
class Page:
    """A program, and the lines that it prints: "about 0.5" for a number to within 0.02, "…" for any lines."""

    program: str
    printed: list[str]


def read_page(text: str) -> Page:
    """All Python blocks as one program. Each `print` of the outermost level says what it prints: behind it, or in the next block."""
    blocks = [*_FENCED.findall(text), ("", "")]
    programs, printed = [], []
    for (kind, block), (next_kind, shown) in pairwise(blocks):
        if kind != "python":
            continue
        programs.append(block)
        for line in re.findall(r"^print\(.*$", block, re.MULTILINE):
            said = _PRINTED.match(line)
            if not said:
                assert next_kind == "text", f"no block of text says what this prints: {line}"
            printed += [said[1]] if said else shown.splitlines()
    return Page("\n".join(programs), printed)


def run_page(page: Page, folder: Path) -> None:
    """Run the program as a user would, in a folder of its own, and hold what it prints to the page."""
    if "sklearn" in page.program:
        pytest.importorskip("sklearn")
    if "plot(" in page.program or "report(" in page.program or "matplotlib" in page.program:
        pytest.importorskip("matplotlib")
    program = folder / "page.py"  # a file: rules are read from their source
    program.write_text(page.program, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MINIGRAD_PROGRESS": str(folder / "progress.json")}
    command = [sys.executable, "-W", "error", program]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, encoding="utf-8")
    assert (0, "") == (done.returncode, done.stderr)
    came = done.stdout.splitlines()
    assert prints(page.printed, came), "\n".join(["it says", *page.printed, "", "it prints", *came])


def prints(said: list[str], came: list[str]) -> bool:
    """Whether the printed lines are the ones that a page says."""
    if not said:
        return not came
    if said[0] == "…":
        return any(prints(said[1:], came[n:]) for n in range(len(came) + 1))
    return bool(came) and _alike(said[0], came[0]) and prints(said[1:], came[1:])


def _alike(said: str, came: str) -> bool:
    if said.startswith("about "):
        return abs(float(came) - float(said.removeprefix("about "))) <= 0.02
    return said.rstrip() == came.rstrip()
