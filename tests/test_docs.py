"""The documentation: it builds without a warning, shows every operation as it is, and needs no network."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browsing import needs_browser

import minigrad as mg
from minigrad.nn import functional as F
from tools import op_reference

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = [operation for operation in mg.Op.instances if operation.formula.__module__.startswith("minigrad.ops.")]


# ---- the site


@pytest.mark.skipif(find_spec("sphinx") is None, reason="needs Sphinx")
@needs_browser
def test_the_site(tmp_path: Path, browser: Any) -> None:
    """One test, as several would build it several times."""
    site = build(tmp_path)
    nothing_comes_from_a_network(site)
    what_is_public_can_be_found(site)
    names_in_code_are_links_and_formulas_are_mathml(site)
    docstrings_are_read_as_they_were_meant(site)
    the_search_works_from_disk(site, browser)


def build(folder: Path) -> Path:
    """The documentation as `make docs` builds it, but for the notebooks, whose cells other tests run. No warning."""
    options = ["-q", "-W", "--keep-going", "-c", "docs", "-D", "nb_execution_mode=off"]
    command = [sys.executable, "-m", "sphinx", *options, "-d", folder / "doctrees", ".", folder / "html"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, encoding="utf-8")
    assert done.stdout + done.stderr == ""
    assert 0 == done.returncode
    return folder / "html"


def nothing_comes_from_a_network(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert 70 < len(pages)
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert [] == re.findall(r"<(?:script|img|iframe|source)[^>]+src=\"(?:https?:)?//[^\"]*", text), page
        assert [] == re.findall(r"<link[^>]+href=\"(?:https?:)?//[^\"]*", text), page
        assert "system-message" not in text, page
    for style in site.rglob("*.css"):
        assert not re.search(r"url\([\"']?(?:https?:)?//", style.read_text(encoding="utf-8")), style


def what_is_public_can_be_found(site: Path) -> None:
    """Every public name has a place in the reference."""
    from sphinx.util.inventory import InventoryFile

    inventory = InventoryFile.loads((site / "objects.inv").read_bytes(), uri="")
    known = {item for kind in inventory.data if kind.startswith("py:") for item in inventory.data[kind]}
    operations = {
        f"minigrad.{place.removeprefix('mg.')}" for entry in op_reference.entries() for place in entry.places if place[0].isalpha()
    }
    rooms = (
        "linalg",
        "nn",
        "nn.init",
        "nn.utils",
        "optim",
        "optim.lr_scheduler",
        "optim.swa_utils",
        "data",
        "train",
        "evaluate",
        "inspect",
        "learn",
    )
    public = {f"minigrad.{room}.{name}" for room in rooms for name in _public(room)}
    assert set() == (operations | public | {f"minigrad.{name}" for name in OTHERS}) - known
    assert 700 < len(operations)


OTHERS = (
    "Tensor.backward", "Tensor.shape", "Tensor.dtype", "Tensor.requires_grad", "Tensor.is_leaf", "Tensor.tolist", "Tensor.detach",
    "compile", "no_grad", "enable_grad", "grad", "gradcheck", "gradgradcheck", "elementwise", "op", "notation.exp", "notation.where",
    "display.Document.plot", "nn.Module.register_forward_hook", "nn.Module.state_dict", "Elementwise.kernel_source",
)  # fmt: skip


def _public(room: str) -> list[str]:
    place = mg
    for part in room.split("."):
        place = getattr(place, part)
    return [name for name in place.__all__ if name not in ("functional", "init", "utils", "lr_scheduler", "swa_utils")]


def names_in_code_are_links_and_formulas_are_mathml(site: Path) -> None:
    tensors = (site / "docs" / "guide" / "tensors.html").read_text(encoding="utf-8")
    assert 'href="../reference/operations/create.html#minigrad.from_numpy"' in tensors
    assert 'href="../reference/minigrad.html#minigrad.Tensor.backward"' in tensors
    softmax = (site / "notebooks" / "04_softmax.html").read_text(encoding="utf-8")
    assert "<mfrac>" in softmax
    assert "$" not in re.sub(r"<(pre|code|script|style)\b.*?</\1>", "", softmax, flags=re.DOTALL)


def docstrings_are_read_as_they_were_meant(site: Path) -> None:
    evaluate = (site / "docs" / "reference" / "evaluate.html").read_text(encoding="utf-8")
    assert "<li><p>data: a DataLoader, a Dataset" in evaluate  # a list
    autograd = (site / "docs" / "reference" / "autograd.html").read_text(encoding="utf-8")
    assert re.search(r"<dt[^>]*>Deviation<", autograd)  # a named section
    assert re.search(r"highlight-python[^$]*?Square", autograd)  # indented code
    for page in (site / "docs" / "reference").rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"<pre>(?:<span></span>)? +<span class=\"gp\">", text), f"{page}: an example that is indented"
        assert "Alias for field number" not in text
        assert "make_plan" not in text
        words = re.sub(r"<(pre|script|style)\b.*?</\1>", "", text, flags=re.DOTALL)
        assert not re.search(r"``|\\[|*_]", words), page


def the_search_works_from_disk(site: Path, browser: Any) -> None:
    page = browser.new_page()
    page.goto(f"{(site / 'search.html').as_uri()}?q=leaky_relu")
    page.wait_for_selector("#search-results li a")
    found = [link.get_attribute("href") for link in page.query_selector_all("#search-results li a")]
    assert any("rectifier.html#minigrad.leaky_relu" in link for link in found)
    page.goto(f"{(site / 'search.html').as_uri()}?q=calibration")
    page.wait_for_selector("#search-results li a")
    found = [link.get_attribute("href") for link in page.query_selector_all("#search-results li a")]
    assert any("judging.html" in link for link in found)


# ---- the pages of operations

PAGES = op_reference.pages()
TEXT = "\n".join(PAGES.values())
HEADINGS = re.findall(r"^###? (.*)$", re.sub(r"^```.*?^```", "", TEXT, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)


def test_every_operation_and_every_public_function_is_in_it() -> None:
    public = {name: getattr(place, name) for place in (mg, F) for name in (mg.ops.__all__ if place is mg else F.__all__)}
    functions = {f.__name__ for f in public.values() if callable(f) and not isinstance(f, np.dtype)}
    assert set() == ({operation.name for operation in LIBRARY} | functions) - set(HEADINGS)
    assert all(f"`mg.{name}`" in TEXT for name, f in public.items() if getattr(mg, name, None) is f and isinstance(f, mg.Op))


def test_every_rule_is_in_it_as_it_is_written() -> None:
    for operation in LIBRARY:
        text = re.split(rf"\n###? {operation.name}\n", TEXT)[1].split("\n##")[0]
        for argument in operation.rules:
            assert f'@{operation.name}.backward("{argument}")\ndef _(' in text
        assert ("- *Backward*:" in text) or not operation.rules
    assert "    return g * (y * (1 - y))\n" in TEXT  # sigmoid's


def test_the_index_leads_to_every_operation() -> None:
    links = re.findall(r"\[(\w+)\]\(#(operation-\w+-\w+)\)", PAGES["index"])
    public = [entry for entry in op_reference.entries() if entry.places]
    assert [(entry.name, op_reference.anchor(entry)) for entry in public] == links
    assert all(f"({anchor})=\n## {name}\n" in TEXT for name, anchor in links)
    assert len(links) == len(set(links))


def test_what_a_function_runs_is_what_its_text_names() -> None:
    runs = {entry.name: entry.runs for entry in op_reference.entries()}
    assert ["gelu_exact", "gelu_tanh"] == runs["gelu"]
    assert [] == runs["sigmoid"]
    assert "- *Backward*: none." in PAGES["comparison"].split("## allclose\n")[1].split("\n## ")[0]


def test_signatures_say_what_can_be_given() -> None:
    signatures = {entry.name: entry.signature for entry in op_reference.entries()}
    assert "celu_(x, alpha=1.0, inplace=False)" == signatures["celu_"]
    assert "tril_indices(row, col, offset=0, *, dtype=mg.int64)" == signatures["tril_indices"]
    assert [] == [text for text in signatures.values() if "<class" in text or "(*args, **kwargs)" in text]


def test_the_notation_of_rules_is_explained() -> None:
    assert "- `exp(x)`: eˣ\n" in PAGES["notation"]
    assert "- `where(x, y, z)`" in PAGES["notation"]
    assert len(mg.notation.NAMES) == PAGES["notation"].count("minigrad.notation.")


def test_every_activation_has_a_picture() -> None:
    assert {"relu", "leaky_relu", "sigmoid", "tanh", "silu", "gelu", "softplus"} <= op_reference.activations().keys()
    assert set() == {"softmax", "log_softmax", "dropout", "mse_loss", "linear"} & op_reference.activations().keys()
    assert op_reference.activations().keys() == set(re.findall(r"\]\((\w+)\.png\)", TEXT))


def test_curves_are_the_functions_and_their_slopes() -> None:
    points, values, slopes = op_reference.activations()["sigmoid"]
    expected = 1 / (1 + np.exp(-points))
    np.testing.assert_allclose(values, expected, rtol=1e-14)
    np.testing.assert_allclose(slopes, expected * (1 - expected), rtol=1e-12)
    points, _, slopes = op_reference.activations()["relu"]
    np.testing.assert_array_equal(slopes, points > 0)


@pytest.mark.skipif(find_spec("matplotlib") is None, reason="needs matplotlib")
def test_a_picture_has_both_curves(tmp_path: Path) -> None:
    from matplotlib.image import imread

    op_reference.draw("relu", op_reference.activations()["relu"], tmp_path)
    pixels = imread(tmp_path / "relu.png")[..., :3]
    assert min(pixels.shape[:2]) > 200
    for colour in ((0x1F, 0x5F, 0xA8), (0xD9, 0x73, 0x0D)):
        assert (np.abs(pixels * 255 - colour).max(-1) < 1).sum() > 100


@pytest.mark.parametrize(
    ("doc", "expected"),
    [
        ("One line.", ("One line.", {}, "")),
        (
            "f, a * b.\n\nShapes: any. Backward: dL/dx = g.\nSource: Someone 1999.\n\n>>> f(1)\n1",
            (r"f, a \* b.", {"Shapes": "any.", "Backward": "dL/dx = g.", "Source": "Someone 1999."}, ">>> f(1)\n1"),
        ),
        ("Says `a * b` and x[i].\nErrors: none.", (r"Says `a * b` and x\[i\].", {"Errors": "none."}, "")),
    ],
)
def test_docstrings_are_taken_apart(doc: str, expected: object) -> None:
    assert expected == op_reference.parsed(doc)
