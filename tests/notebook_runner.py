"""Runs a notebook from top to bottom, and what its cells showed."""

from __future__ import annotations

import re
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import pytest

__all__ = ["NOTEBOOKS", "Shown", "numbers", "read", "run_notebook", "solved"]

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


class Shown(NamedTuple):
    """What a cell printed (or returned, as text), and how many pictures it drew."""

    text: str
    pictures: int


def read(path: Path) -> Any:
    return pytest.importorskip("nbformat").read(path, as_version=4)


def tagged(notebook: Any, tag: str) -> Any:
    return next(cell for cell in notebook.cells if tag in cell.metadata.get("tags", ()))


def solved(notebook: Any) -> Any:
    """The exercise's cell with the solution in place of the line that awaits it; its id is "solved"."""
    cell = deepcopy(tagged(notebook, "exercise"))
    solution = re.search(r"```python\n(.*?)```", tagged(notebook, "solution").source, re.DOTALL).group(1).rstrip()
    cell.source, count = re.subn(r"^.*# your turn$", lambda match: solution, cell.source, flags=re.MULTILINE)
    cell.id = "solved"
    assert count == 1
    return cell


def run_notebook(name: str, tmp_path: Path) -> dict[str, Shown]:
    """Cell id → what it showed, after a run of all cells and of the solved exercise, in an empty folder."""
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    pytest.importorskip("matplotlib")
    pytest.importorskip("sklearn")
    notebook = read(ROOT / "notebooks" / f"{name}.ipynb")
    notebook.cells.append(solved(notebook))
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


def numbers(text: str) -> list[float]:
    """All numbers of a text."""
    return [float(number) for number in re.findall(r"-?\d+\.?\d*(?:e[-+]\d+)?", text)]
