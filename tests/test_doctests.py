"""The examples in docstrings say what the code does: of modules, and of operations, which are objects and not functions."""

from __future__ import annotations

import doctest
import importlib
import importlib.util
import inspect
import pkgutil
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad as mg

MODULES = [name for _, name, _ in pkgutil.walk_packages(mg.__path__, "minigrad.") if not name.endswith("vector_math")]
OPERATIONS = [operation for operation in mg.Op.instances if operation.formula.__module__.startswith("minigrad.")]
SCOPE: dict[str, Any] = {**vars(mg), "mg": mg, "np": np}


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_a_module(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name), extraglobs=SCOPE, raise_on_error=False)
    assert 0 == result.failed


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_docstring_of_an_operation(operation: Any) -> None:
    text = operation.__doc__
    assert text
    assert text.strip()
    assert not operation.rules or "Backward:" in text, "a differentiable operation says its gradient"
    test = doctest.DocTestParser().get_doctest(text, {**SCOPE, operation.name: operation}, operation.name, None, 0)
    assert 0 == doctest.DocTestRunner().run(test).failed


# What declares rules is read from a file, so a doctest cannot hold it; the examples in these docstrings are indented code.

HEADER = """\
import minigrad as mg
from minigrad import Tensor, elementwise, nn, op, optim
from minigrad.autograd import Function
from minigrad.kernels.notation import exp
from minigrad.nn import functional as F

model = nn.Linear(3, 2)
optimizer = optim.SGD(model.parameters(), lr=0.1)
"""


def declared(thing: Any, folder: Path) -> Any:
    """A module with the indented code of a docstring."""
    code = re.sub(r"^(?! {4}|$).*$", "", inspect.getdoc(thing) or "", flags=re.MULTILINE)
    file = folder / "declared.py"
    file.write_text(HEADER + inspect.cleandoc("\n" + code), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("declared", file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_example_of_elementwise(tmp_path: Path) -> None:
    swish = declared(mg.elementwise, tmp_path).swish
    x = mg.tensor([-1.0, 0.0, 2.0], dtype=mg.float64, requires_grad=True)
    np.testing.assert_allclose(swish(x).detach(), mg.silu(x).detach(), rtol=1e-15)
    assert mg.gradcheck(swish, x)
    assert mg.gradgradcheck(swish, x)


def test_the_example_of_op(tmp_path: Path) -> None:
    scale_rows = declared(mg.op, tmp_path).scale_rows
    x, s = mg.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=mg.float64, requires_grad=True), mg.tensor([2.0, -1.0], dtype=mg.float64)
    assert [[2.0, 4.0], [-3.0, -4.0]] == scale_rows(x, s).tolist()
    assert mg.gradcheck(scale_rows, (x, s))


def test_the_example_of_function(tmp_path: Path) -> None:
    square = declared(mg.autograd.Function, tmp_path).Square
    x = mg.tensor(3.0, dtype=mg.float64, requires_grad=True)
    assert 9 == square.apply(x).item()
    assert mg.gradcheck(square.apply, x)


def test_the_example_of_compile(tmp_path: Path) -> None:
    step = declared(mg.compile, tmp_path).step
    losses = [step(mg.ones(4, 3), mg.tensor([0, 1, 0, 0])).item() for _ in range(5)]
    assert losses == sorted(losses, reverse=True)
    assert 3 == step.stats()["replayed"]
