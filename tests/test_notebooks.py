"""The notebooks hold together: cells, questions, exercises and links. (What each one shows: test_notebook_*.py.)"""

import ast
import re

import pytest
from notebook_runner import NOTEBOOKS, read, run_in_other_orders

from minigrad import learn
from minigrad.learn.questions import QUESTIONS

nbformat = pytest.importorskip("nbformat")
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def sources(path, kind):
    return [cell.source for cell in read(path).cells if cell.cell_type == kind]


def without_imports(source):
    return [ast.dump(line) for line in ast.parse(source).body if not isinstance(line, (ast.Import, ast.ImportFrom))]


@each_notebook
def test_is_valid_and_stores_no_outputs(path):
    notebook = read(path)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [] == [cell.id for cell in code if cell.outputs or cell.execution_count is not None]


@each_notebook
def test_cells_show_the_same_when_they_are_run_again_in_other_orders(path, tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("MINIGRAD_PROGRESS", str(tmp_path / "progress.json"))
    monkeypatch.setenv("MPLBACKEND", "agg")
    first, *others = run_in_other_orders(path, tmp_path)
    assert others, "it was run again"
    for again in others:
        assert {} == {name: (first[name], text) for name, text in again.items() if text != first[name]}


@each_notebook
def test_every_question_is_followed_by_a_place_for_the_answer_and_by_its_code(path):
    names = [name for name in QUESTIONS if name.startswith(f"{path.stem.partition('_')[2]}-")]
    code = sources(path, "code")
    asked = [i for i, source in enumerate(code) if source.startswith("learn.question(")]
    assert [f'learn.question("{name}")' for name in names] == [code[i] for i in asked]
    for name, i in zip(names, asked, strict=True):
        assert f'learn.answer("{name}", "…")  # your letter' == code[i + 1]
        assert without_imports(QUESTIONS[name].code) == without_imports(code[i + 2])


def test_every_exercise_is_pointed_at_and_every_pointer_leads_to_one():
    texts = "\n".join(cell.source for path in NOTEBOOKS for cell in read(path).cells)
    assert set() == set(re.findall(r'learn\.(?:exercise|check|hint)\("(.*?)"', texts)) - set(learn.exercises())
    named = set(re.findall(r'`"?(\w+)"?`|learn\.exercise\("(\w+)"\)', texts))
    assert [] == [name for name in learn.exercises() if (name, "") not in named and ("", name) not in named]


@each_notebook
def test_links_lead_to_notebooks(path):
    links = [link for source in sources(path, "markdown") for link in re.findall(r"\]\((.*?)\)", source)]
    assert [] == [link for link in links if link not in [other.name for other in NOTEBOOKS if other != path]]


def test_each_notebook_ends_with_a_link_to_the_next():
    ends = [next(cell.source for cell in read(path).cells if cell.id == "end") for path in NOTEBOOKS]
    assert [] == [path.name for path, end in zip(NOTEBOOKS[1:], ends, strict=False) if f"]({path.name})" not in end]
