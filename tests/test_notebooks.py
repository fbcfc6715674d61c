"""The notebooks run from top to bottom, and show what they promise."""

import re
from copy import deepcopy
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")
pytest.importorskip("matplotlib")

ROOT = Path(__file__).parent.parent
CHAIN_RULE = ROOT / "notebooks" / "01_chain_rule.ipynb"


def read(path):
    return nbformat.read(path, as_version=4)


def tagged(notebook, tag):
    return next(cell for cell in notebook.cells if tag in cell.metadata.get("tags", ()))


def solved(notebook):
    """The exercise's cell with the solution in place of the line that awaits it."""
    cell = deepcopy(tagged(notebook, "exercise"))
    solution = re.search(r"```python\n(.*?)```", tagged(notebook, "solution").source, re.DOTALL).group(1).rstrip()
    cell.source, count = re.subn(r"^.*# your turn$", lambda match: solution, cell.source, flags=re.MULTILINE)
    cell.id = "solved"
    assert 1 == count
    return cell


@pytest.fixture(scope="module")
def chain_rule():
    """Cell id → (printed text, number of pictures), after a run of all cells and of the solved exercise."""
    notebook = read(CHAIN_RULE)
    notebook.cells.append(solved(notebook))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYTHONPATH", str(ROOT))
        environment.delenv("MPLBACKEND", raising=False)
        nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    shown = {}
    for cell in notebook.cells:
        outputs = cell.get("outputs", [])
        text = "".join(output.text for output in outputs if output.output_type == "stream")
        shown[cell.id] = text, sum("image/png" in output.get("data", {}) for output in outputs)
    return shown


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_is_valid_and_stores_no_outputs(path):
    notebook = read(path)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [] == [cell.id for cell in code if cell.outputs or cell.execution_count is not None]


def test_chain_rule_by_hand_and_by_minigrad_agree(chain_rule):
    by_minigrad, by_hand = re.findall(r"dL/dw = (\S+)", chain_rule["by-minigrad"][0])
    assert float(by_hand) == pytest.approx(float(by_minigrad), rel=1e-14)
    assert "dL/dw =  -2.1222" in chain_rule["by-hand"][0]


def test_chain_rule_shows_steps_edges_and_saved_values(chain_rule):
    text = chain_rule["steps"][0]
    assert ["sub", "add", "mul"] == re.findall(r"^(sub|add|mul) ", text, re.MULTILINE)
    assert re.search(r"^tanh +saved: 0\.3799 +gradients go to: add$", text, re.MULTILINE)
    assert text.endswith("after backward, saved: None\n")
    assert "return g * (1 - y * y)" in chain_rule["rule-text"][0]


def test_chain_rule_watches_gradients_from_the_end_to_the_beginning(chain_rule):
    names = re.findall(r"^dL/d(\w)", chain_rule["hooks"][0], re.MULTILINE)
    assert ["e", "y", "z", "u"] == names[:4]
    assert {"w", "b"} == set(names[4:])


def test_chain_rule_pictures(chain_rule):
    assert {"draw": 1, "diamond": 1, "finite-differences": 1} == {name: count for name, (_, count) in chain_rule.items() if count}


def test_chain_rule_finite_differences(chain_rule):
    assert float(re.search(r"smallest distance: (\S+)", chain_rule["finite-differences"][0]).group(1)) < 1e-9
    assert "True\n" == chain_rule["gradcheck"][0]


def test_chain_rule_exercise_waits_and_its_solution_is_right(chain_rule):
    assert chain_rule["bump"][0].startswith("Not yet.\n")
    assert "Right!\n" == chain_rule["solved"][0]
