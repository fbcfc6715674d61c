"""README.md, CONTRIBUTING.md and the pages of the documentation: their Python runs and prints what they say; names and links exist."""

from __future__ import annotations

import re
from collections import Counter
from math import ceil, floor
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest
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
    assert 6 == len(EXAMPLES)
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


WORDS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]


def test_what_the_texts_count_is_as_many() -> None:
    functions = {id(f) for f in (getattr(mg, name) for name in mg.__all__) if isinstance(f, (mg.Op, FunctionType))}
    homes = Counter(kind.__module__ for kind in {kind for kind in vars(mg.nn).values() if isinstance(kind, type)})
    counts = {
        "operations and functions": len(functions) // 100 * 100,
        "activations": homes["minigrad.nn.activation"],
        "losses": homes["minigrad.nn.loss"],
        "exercises": len(mg.learn.exercises()),
        "questions": len(mg.learn.questions()),
        "notebooks": len([*(ROOT / "notebooks").glob("*.ipynb")]),
        "examples": len([*(ROOT / "examples").glob("*.py")]),
    }
    number = rf"\b(\d+|(?i:{'|'.join(WORDS[3:])})) (?:graded )?({'|'.join(counts)})\b"
    said = {
        (what, WORDS.index(many.lower()) if many.lower() in WORDS else int(many))
        for path in FILES
        for many, what in re.findall(number, path.read_text(encoding="utf-8"))
    }
    assert set(counts.items()) == said


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
    factors = [eager / compiled for compiled, eager, _, _ in measured.values() if compiled < 200]
    assert f"{WORDS[floor(min(factors))]} to {WORDS[ceil(max(factors))]} times faster" in README
    compiled, eager, _, _ = measured["2-16-16-2, 100"]
    assert f"{compiled} µs instead of {eager}" in README


def microseconds(time: str) -> float:
    number, unit = time.split()
    return float(f"{float(number) * {'µs': 1, 'ms': 1000}[unit]:.3g}")


def test_the_readme_has_the_times_of_imports_as_they_were_measured() -> None:
    results = (ROOT / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8")
    for library, said in re.findall(r"`import (\w+)` (?:takes )?(\d+) ms", README):
        (measured,) = re.findall(rf"^\| {library} \| ([\d.]+ \w+) \| [\d.]+ \|$", results, re.MULTILINE)
        assert float(said) == microseconds(measured.replace("ms", "µs").replace(" s", " ms")), library
