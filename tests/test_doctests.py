"""The examples in docstrings say what the code does: of modules, and of operations, which are objects and not functions."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
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
