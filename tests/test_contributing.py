"""CONTRIBUTING.md: whoever follows it to the letter has an operation that passes its tests."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from pages import ROOT

TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def blocks() -> list[str]:
    """The row and the operation."""
    found = re.findall(r"^   ```python\n(.*?)^   ```$", TEXT, re.MULTILINE | re.DOTALL)
    return [re.sub(r"^   ", "", block, flags=re.MULTILINE) for block in found]


def insert(file: Path, before: str, text: str) -> None:
    """Put a text before the first place where another stands."""
    words = file.read_text(encoding="utf-8")
    assert before in words
    file.write_text(words.replace(before, text + before, 1), encoding="utf-8")


def test_an_operation_takes_fifteen_lines_and_a_row(tmp_path: Path) -> None:
    row, operation = blocks()
    assert 15 == len(operation.splitlines())
    for folder in ("minigrad", "tests", "tools", "examples", "benchmarks"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    insert(tmp_path / "tests" / "cases" / "activation.py", '    case(\n        "softsign"', f"{row.rstrip()},\n")
    insert(tmp_path / "minigrad" / "ops" / "activation.py", "@elementwise\ndef softsign", f"{operation}\n\n")
    for file in ("ops/__init__.py", "nn/functional.py"):
        insert(tmp_path / "minigrad" / file, "softsign,", "symlog, ")
        insert(tmp_path / "minigrad" / file, '"softsign",', '"symlog", ')
    command = re.findall(r"pytest (tests/test_ops\.py tests/test_mutants\.py -k symlog)", TEXT)[0].split()
    options = ["-m", "pytest", "-q", "-p", "no:cacheprovider"]
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, *options, *command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert 0 == done.returncode, done.stdout[-3000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed
    assert 30 < int(passed[1])
    drawn = "from tools import op_reference as r; assert 'symlog' in r.activations(); assert '## symlog' in r.pages()['activation']"
    subprocess.run([sys.executable, "-c", drawn], cwd=tmp_path, env=environment, check=True)
