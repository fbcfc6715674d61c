"""README.md: its Python runs and prints what it says, its names and links exist."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import minigrad as mg

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
GUIDE = (ROOT / "docs" / "compile.md").read_text(encoding="utf-8")
BLOCKS = [*PYTHON.findall(TEXT), *PYTHON.findall(GUIDE)]


@pytest.mark.parametrize(
    "block", BLOCKS, ids=["first", "pytorch", "train", "trace", "rule", "compile", "learn", "guide", "side effects", "refused"]
)
def test_python_prints_what_its_comments_say(block, tmp_path):
    if "sklearn" in block:
        pytest.importorskip("sklearn")
    program = tmp_path / "block.py"  # rules are read from their source file
    program.write_text(block, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MINIGRAD_PROGRESS": str(tmp_path / "progress.json")}
    done = subprocess.run([sys.executable, program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (0, "") == (done.returncode, done.stderr)
    expected = re.findall(r"^print\(.*\) +# (.*)$", block, re.MULTILINE)
    lines = done.stdout.splitlines()
    assert block.count("print(") == len(expected) == len(lines)
    for said, printed in zip(expected, lines, strict=True):
        if said.startswith("about "):
            assert float(printed) == pytest.approx(float(said.removeprefix("about ")), abs=0.02)
        else:
            assert said == printed


def test_the_trace_is_as_shown():
    flow, gradients = re.findall(r"^```text\n(.*?)\n```$", TEXT, re.MULTILINE | re.DOTALL)
    model = mg.nn.Sequential(mg.nn.ReLU(), mg.nn.Sigmoid(), mg.nn.Softmax(dim=1))
    x, target = mg.tensor([[2.0, -1.0, 0.5, 3.0]]), mg.tensor([3])
    shown = str(mg.inspect.trace(model, x, target=target, loss=lambda p, t: mg.nn.functional.nll_loss(p.log(), t)))
    assert flow in shown
    assert gradients in shown
    assert "[[0.0297, 0, 0.0514, -0.0314]]" in gradients


NAMES = sorted(set(re.findall(r"`((?:mg|nn|optim|data|train|evaluate|inspect|learn|Tensor)\.[\w.]+)`", TEXT)))


@pytest.mark.parametrize("name", NAMES)
def test_names_exist(name):
    found = mg
    for part in name.removeprefix("mg.").split("."):
        found = getattr(found, part)


def test_links_lead_somewhere():
    links = set(re.findall(r"\]\(([^)#]+)\)", TEXT))
    assert len(links) >= 7
    missing = {link for link in links if not (ROOT / link).exists()}
    assert missing <= {"benchmarks/RESULTS.md"}  # written by `make bench`


def test_make_targets_and_extras_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"(?:^    |`)make (\w+)", TEXT, re.MULTILINE)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for extra in set(re.findall(r"'\.\[(\w+)\]'", TEXT)):
        assert re.search(rf"^{extra} = \[", project, re.MULTILINE), extra


def test_places_exist():
    for place in set(re.findall(r"`((?:minigrad|examples|notebooks|benchmarks)/[\w./]*)`", TEXT)):
        assert (ROOT / place).exists(), place
