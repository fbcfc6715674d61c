"""README.md, CONTRIBUTING.md and the pages of the documentation: their Python runs and prints what they say; names and links exist."""

from __future__ import annotations

import importlib.util
import re
import sys
from math import exp, inf, nan
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import test_ops
from cases import CASES
from op_cases import OpCase, case, normal, points, sample
from pages import ROOT, Page, prints, read_page, run_page

import minigrad as mg

DOCS = sorted(path for path in (ROOT / "docs").rglob("*.md") if "operations" not in path.parts)
FILES = [*DOCS, ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
PAGES = [path for path in DOCS if "```python" in path.read_text(encoding="utf-8")]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n.*?^```$", README, re.MULTILINE | re.DOTALL)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_a_page_prints_what_it_says(path: Path, tmp_path: Path) -> None:
    run_page(read_page(path.read_text(encoding="utf-8")), tmp_path)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_each_example_of_the_readme_stands_alone(number: int, tmp_path: Path) -> None:
    run_page(read_page(EXAMPLES[number]), tmp_path)
    if number == 0:
        assert (ROOT / "docs" / "neuron.svg").read_text(encoding="utf-8") == (tmp_path / "neuron.svg").read_text(encoding="utf-8")


def test_there_are_pages_and_examples() -> None:
    assert 7 == len(EXAMPLES)
    assert {"docs/start.md", "docs/pytorch.md", "docs/internals/kernels.md", "docs/internals/compile.md"} <= set(map(name, PAGES))
    assert 11 == sum(path.parent.name == "guide" for path in PAGES)


def test_what_a_page_says_is_compared_line_by_line() -> None:
    page = read_page("```python\nx = 1\nprint(x)  # 1\nprint([x], 2)\n```\n\n```text\n[1] 2\n…\nend\n```\n")
    assert Page("x = 1\nprint(x)  # 1\nprint([x], 2)\n", ["1", "[1] 2", "…", "end"]) == page
    assert prints(page.printed, ["1", "[1] 2", "more", "end", "and more", "end"])
    assert prints(["…", "…", "a"], ["a"])
    assert not prints(page.printed, ["2", "[1] 2", "end"])
    assert not prints(page.printed, ["1", "[1] 2", "more"])
    assert not prints(["1"], ["1", "x"])
    assert prints(["about 0.5"], ["0.51"])
    assert not prints(["about 0.5"], ["0.53"])
    with pytest.raises(AssertionError, match="no block of text"):
        read_page("```python\nprint(1)\n```\n")


NAMES = sorted(
    {
        (found, name(path))
        for path in FILES
        for found in re.findall(
            r"`((?:mg|nn|optim|data|train|evaluate|inspect|learn|autograd|Tensor)\.[A-Za-z_][\w.]*)`",
            path.read_text(encoding="utf-8"),
        )
    }
)


def test_names_in_code_exist() -> None:
    missing = []
    for found, path in NAMES:
        thing: Any = mg
        for part in found.removeprefix("mg.").split("."):
            thing = getattr(thing, part, None)
        missing += [(found, path)] * (thing is None)
    assert [] == missing
    assert 200 < len(NAMES)


@pytest.mark.parametrize("path", FILES, ids=name)
def test_links_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)|(?:src|href)=\"([^\":]+)\"", path.read_text(encoding="utf-8"))
    generated = ROOT / "docs" / "reference" / "operations" / "index.md"
    targets = {(path.parent / (link or source)).resolve() for link, source in links} - {generated}
    assert set() == {target for target in targets if not target.exists()}


def test_make_targets_and_extras_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for text in (path.read_text(encoding="utf-8") for path in FILES):
        for target in set(re.findall(r"(?:^    |`)make ([a-z]+)", text, re.MULTILINE)):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
        for extra in set(re.findall(r"'\.\[(\w+)\]'", text)):
            assert re.search(rf"^{extra} = \[", project, re.MULTILINE), extra


def test_places_exist() -> None:
    for path in FILES:
        for place in re.findall(
            r"`((?:minigrad|examples|notebooks|benchmarks|tests|tools)/[\w./]*)`", path.read_text(encoding="utf-8")
        ):
            assert (ROOT / place).exists(), f"{name(path)}: {place}"


def test_the_readme_shows_the_trace_as_it_is() -> None:
    flow, gradients = re.findall(r"^```text\n(.*?)\n```$", README, re.MULTILINE | re.DOTALL)
    model = mg.nn.Sequential(mg.nn.ReLU(), mg.nn.Sigmoid(), mg.nn.Softmax(dim=1))
    x, target = mg.tensor([[2.0, -1.0, 0.5, 3.0]]), mg.tensor([3])
    shown = str(mg.inspect.trace(model, x, target=target, loss=lambda p, t: mg.nn.functional.nll_loss(p.log(), t)))
    assert flow in shown
    assert gradients in shown
    assert "[[0.0297, 0, 0.0514, -0.0314]]" in gradients


def test_the_readme_has_the_figures_of_the_benchmarks() -> None:
    """In microseconds; what a net is called there stands before its sizes."""
    results = (
        (ROOT / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8").split("## Compiled training steps\n")[1].split("\n## ")[0]
    )
    measured = {}
    for line in re.findall(r"^\| [\w-]+ (\d.*) \|$", results, re.MULTILINE):
        net, compiled, eager, _, torch, jax = line.split(" | ")
        measured[net] = [microseconds(time) for time in (compiled, eager, torch, jax)]
    rows = [line.split(" | ") for line in re.findall(r"^\| (\d\S+, \d+ \| .*) \|$", README, re.MULTILINE)]
    assert measured == {net: [float(time) for time in times] for net, *times in rows}
    assert 6 == len(measured)


def microseconds(time: str) -> float:
    number, unit = time.split()
    return float(f"{float(number) * {'µs': 1, 'ms': 1000}[unit]:.3g}")


def test_the_readme_has_the_times_of_imports_as_they_were_measured() -> None:
    results = (ROOT / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8")
    for library, said in re.findall(r"`import (\w+)` (?:takes )?(\d+) ms", README):
        (measured,) = re.findall(rf"^\| {library} \| ([\d.]+ \w+) \| [\d.]+ \|$", results, re.MULTILINE)
        assert float(said) == microseconds(measured.replace("ms", "µs").replace(" s", " ms")), library


# ---- the operation that CONTRIBUTING.md adds

HEADER = "from minigrad.core import Tensor, elementwise\nfrom minigrad.kernels.notation import exp\n\n\n"


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OpCase:
    """Its record, with the operation declared as a module of its own."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    row, declaration = (
        re.sub(r"^   ", "", block, flags=re.MULTILINE) for block in re.findall(r"^   ```python\n(.*?)^   ```$", text, re.M | re.S)
    )
    file = tmp_path / "added.py"
    file.write_text(HEADER + declaration, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("added", file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "added", module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(mg, "gaussian", module.gaussian, raising=False)
    names = {
        "case": case,
        "sample": sample,
        "normal": normal,
        "points": points,
        "mg": mg,
        "np": np,
        "inf": inf,
        "nan": nan,
        "exp": exp,
    }
    return eval(row, names)  # type: ignore[no-any-return]


def test_the_operation_of_the_contributors_page_passes_its_row(added: OpCase) -> None:
    for drawn in added.samples:
        for dtype in added.dtypes:
            test_ops.test_values_match_the_reference(added, drawn, dtype)
        test_ops.test_gradients_match_differences(added, drawn)
        test_ops.test_second_gradients_match_differences(added, drawn)
        test_ops.test_float32_gradients_match_float64(added, drawn)
    (edge,) = added.edges
    test_ops.test_special_values(added, edge)
    assert "gaussian" not in {known.name for known in CASES}
