"""The libraries that are compared, behind the few calls in which they differ.

minigrad follows PyTorch's names, so one workload text serves both. A library is imported when a worker asks for it, never here.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np


def installed(contender: str) -> bool:
    """Can this contender be measured here? The first word of its name is the import it needs. ("python" is the bare interpreter.)"""
    package = contender.split()[0]
    return package == "python" or find_spec(package) is not None


class Eager:
    """minigrad or torch: tensors, functions, modules and optimizers by the names that both share."""

    def __init__(self, name: str):
        self.name = name
        self.root: Any = import_module(name)

    @property
    def nn(self) -> Any:
        return import_module(f"{self.name}.nn")

    def tensor(self, data: Any, requires_grad: bool = False) -> Any:
        return self.root.tensor(data, requires_grad=requires_grad)

    def function(self, name: str) -> Any:
        """`exp`, `softmax`, …: torch keeps some of them only in nn.functional."""
        found = getattr(self.root, name, None)
        return getattr(import_module(f"{self.name}.nn.functional"), name) if found is None else found

    def adam(self, parameters: Any, lr: float) -> Any:
        fastest: dict[str, Any] = {"fused": True} if self.name == "torch" else {}
        return import_module(f"{self.name}.optim").Adam(parameters, lr=lr, **fastest)

    def use_one_thread(self) -> None:
        """For torch; what NumPy's BLAS may use is decided by the environment that the process starts with."""
        if self.name == "torch":
            self.root.set_num_threads(1)

    def evaluate(self, function: str | Callable[..., Any], *points: np.ndarray) -> np.ndarray:
        """A function, by its name or as a call `(library, *tensors)`, on arrays, without recording."""
        tensors = [self.tensor(column) for column in points]
        with self.root.no_grad():
            return np.asarray(self.function(function)(*tensors) if isinstance(function, str) else function(self, *tensors))
