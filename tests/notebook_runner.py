"""Runs a notebook from top to bottom, or again in other orders, and what its cells showed."""

from __future__ import annotations

import contextlib
import io
import os
import random
import re
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from copy import deepcopy
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import pytest

__all__ = ["NOTEBOOKS", "Shown", "line", "numbers", "read", "run_in_other_orders", "run_notebook", "solved"]

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


class Shown(NamedTuple):
    """What a cell printed (or returned, as text), and how many pictures it drew."""

    text: str
    pictures: int


def read(path: Path) -> Any:
    return pytest.importorskip("nbformat").read(path, as_version=4)


def tagged(notebook: Any, tag: str) -> list[Any]:
    return [cell for cell in notebook.cells if tag in cell.metadata.get("tags", ())]


def solved(notebook: Any) -> list[Any]:
    """The exercises' cells, each with its solution in place of the line that awaits it; the id begins with "solved-"."""
    pairs = zip(tagged(notebook, "exercise"), tagged(notebook, "solution"), strict=True)
    return [_answered(exercise, _code_of(solution), f"solved-{exercise.id}") for exercise, solution in pairs]


def _code_of(solution: Any) -> str:
    return re.search(r"```python\n(.*?)```", solution.source, re.DOTALL).group(1).rstrip()


def _answered(exercise: Any, answer: str, name: str) -> Any:
    cell = deepcopy(exercise)
    cell.source, count = re.subn(r"^.*# your turn$", lambda match: answer, cell.source, flags=re.MULTILINE)
    cell.id = name
    assert count == 1
    return cell


def run_notebook(name: str, tmp_path: Path, answers: Mapping[str, Mapping[str, str]] | None = None) -> dict[str, Shown]:
    """Cell id → what it showed, after a run of all cells and of the solved exercises, in an empty folder.

    `answers`, exercise → name → code, are put in place of the line that awaits one, and run as well: as "exercise-name".
    """
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    pytest.importorskip("matplotlib")
    pytest.importorskip("sklearn")
    notebook = read(ROOT / "notebooks" / f"{name}.ipynb")
    exercises = {cell.id: cell for cell in tagged(notebook, "exercise")}
    notebook.cells += solved(notebook)
    for exercise, by_name in (answers or {}).items():
        notebook.cells += [_answered(exercises[exercise], code, f"{exercise}-{name}") for name, code in by_name.items()]
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYTHONPATH", str(ROOT))
        environment.setenv("MINIGRAD_PROGRESS", str(tmp_path / "progress.json"))
        environment.delenv("MPLBACKEND", raising=False)
        client = nbclient.NotebookClient(
            notebook, timeout=240, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
        )
        client.execute()
    return {cell.id: _shown(cell.get("outputs", [])) for cell in notebook.cells}


def _shown(outputs: list[Any]) -> Shown:
    said = [
        output.text if output.output_type == "stream" else f"{output.get('data', {}).get('text/plain', '')}\n" for output in outputs
    ]
    assert not [output for output in outputs if output.get("name") == "stderr"], f"warnings: {said}"
    return Shown("".join(said), sum("image/png" in output.get("data", {}) for output in outputs))


def run_in_other_orders(path: Path, folder: Path) -> list[dict[str, str]]:
    """Cell id → what it printed: from top to bottom, then again from bottom to top, then in a mixed order.

    In one namespace, and a process of its own; pictures are not drawn. Cells that are tagged "varies" print "" each time.
    """
    for module in ("IPython", "matplotlib", "sklearn"):
        pytest.importorskip(module)
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        return process.submit(_in_other_orders, path, folder).result()


def _in_other_orders(path: Path, folder: Path) -> list[dict[str, str]]:
    from IPython.core.interactiveshell import InteractiveShell
    from matplotlib import pyplot

    os.chdir(folder)
    pyplot.show = lambda: pyplot.close("all")
    shell = InteractiveShell.instance()

    def printed(cell: Any) -> str:
        with contextlib.redirect_stdout(io.StringIO()) as text:
            shell.run_cell(cell.source)
        return "" if "varies" in cell.metadata.get("tags", ()) else text.getvalue()

    cells = [cell for cell in read(path).cells if cell.cell_type == "code"]
    orders = (cells, cells[::-1], random.Random(0).sample(cells, len(cells)))
    return [{cell.id: printed(cell) for cell in order} for order in orders]


def numbers(text: str) -> list[float]:
    """All numbers of a text."""
    return [float(number) for number in re.findall(r"-?\d+\.?\d*(?:e[-+]\d+)?", text)]


def line(text: str, start: str) -> list[float]:
    """The numbers behind a word at the beginning of a line."""
    found = re.search(rf"^ *{re.escape(start)}(.*)$", text, re.MULTILINE)
    assert found, f"no line begins with {start!r}"
    return numbers(found[1])
