"""docs/operations.md: it is what the operations say today, nothing is missing, and its links and pictures exist."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg
from minigrad.nn import functional as F
from tools import op_reference

TEXT = op_reference.TARGET.read_text(encoding="utf-8")
HEADINGS = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", TEXT, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
LIBRARY = [operation for operation in mg.Op.instances if operation.formula.__module__.startswith("minigrad.ops.")]


def test_the_reference_is_up_to_date() -> None:
    assert op_reference.text() == TEXT, "run `make docs`"


def test_every_operation_and_every_public_function_is_in_it() -> None:
    public = {name: getattr(place, name) for place in (mg, F) for name in (mg.ops.__all__ if place is mg else F.__all__)}
    functions = {f.__name__ for f in public.values() if callable(f) and not isinstance(f, np.dtype)}
    assert set() == ({operation.name for operation in LIBRARY} | functions) - set(HEADINGS)
    assert all(f"`mg.{name}`" in TEXT for name, f in public.items() if getattr(mg, name, None) is f and isinstance(f, mg.Op))


def test_every_rule_is_in_it_as_it_is_written() -> None:
    for operation in LIBRARY:
        text = TEXT.split(f"\n### {operation.name}\n")[1].split("\n### ")[0]
        for argument in operation.rules:
            assert f'@{operation.name}.backward("{argument}")\ndef _(' in text
        assert ("- *Backward*:" in text) or not operation.rules
    assert "    return g * (y * (1 - y))\n" in TEXT  # sigmoid's
    assert ">>> sigmoid.formula(0.0)\n0.5\n" in TEXT


def test_links_lead_to_headings() -> None:
    links = re.findall(r"\]\(#([^)]*)\)", TEXT)
    anchors = op_reference.anchors(HEADINGS)
    assert len(anchors) == len(set(anchors))
    assert anchors[2:] == links  # the contents list everything, in order


def test_repeated_headings_are_numbered() -> None:
    assert ["max", "x-y-as-text", "max-1", "max-2"] == op_reference.anchors(["max", "x, y: as text", "max", "max"])


def test_every_activation_has_a_picture() -> None:
    assert {"relu", "leaky_relu", "sigmoid", "tanh", "silu", "gelu", "softplus"} <= op_reference.activations().keys()
    assert set() == {"softmax", "log_softmax", "dropout", "mse_loss", "linear"} & op_reference.activations().keys()
    pictures = set(re.findall(r"\]\(img/(\w+)\.png\)", TEXT))
    assert pictures == op_reference.activations().keys() == {file.stem for file in op_reference.PICTURES.glob("*.png")}


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
