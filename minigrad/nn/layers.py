"""Layers and containers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, overload

import numpy as np

from ..core import Tensor, check_probability, checked_dtype, get_default_dtype
from ..errors import ArgumentError, IndexRangeError, InputTypeError
from . import functional as F
from . import init
from .module import Module, Parameter

__all__ = ["Dropout", "Flatten", "Identity", "Linear", "Sequential"]


class Linear(Module):
    """Affine map, y = x Wᵀ + b.

    Shapes: x (…, in_features) → (…, out_features); weight (out_features, in_features), bias (out_features). Both start uniform in
    ±1/√in_features, as in PyTorch.
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True, dtype: Any = None):
        for name, value in (("in_features", in_features), ("out_features", out_features)):
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 0:
                raise ArgumentError(f"Linear: {name} must be a non-negative int, got {value!r}")
        kind = get_default_dtype() if dtype is None else checked_dtype("Linear", dtype)
        self.in_features, self.out_features = int(in_features), int(out_features)
        self.weight = Parameter(np.empty((out_features, in_features), kind))
        self.bias = Parameter(np.empty(out_features, kind)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew."""
        init.linear_default_(self.weight, self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Dropout(Module):
    """In training, zeroes each element with probability p and scales the rest by 1 / (1 − p); in evaluation does nothing."""

    def __init__(self, p: float = 0.5, inplace: bool = False):
        check_probability("Dropout", p)
        self.p, self.inplace = p, inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout(input, self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        return f"p={self.p}"


class Identity(Module):
    """Hands its input on."""

    def __init__(self, *args: Any, **kwargs: Any):
        pass

    def forward(self, input: Tensor) -> Tensor:
        return input


class Flatten(Module):
    """Makes the axes from start_dim to end_dim into one: (batch, …) → (batch, features) by default."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1):
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Tensor) -> Tensor:
        return input.flatten(self.start_dim, self.end_dim)  # type: ignore[no-any-return]

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Sequential(Module):
    """Modules one after the other, numbered from 0, or named by a dictionary."""

    def __init__(self, *args: Any):
        named = args[0].items() if len(args) == 1 and isinstance(args[0], dict) else ((str(i), m) for i, m in enumerate(args))
        for name, module in named:
            self.add_module(name, module)

    def add_module(self, name: str, module: Module) -> None:
        """Add a module at the end, under a name."""
        if not isinstance(module, Module):
            raise InputTypeError(f"Sequential: {name} must be a Module, got {type(module).__name__}")
        if not name or "." in name or (hasattr(self, name) and not isinstance(vars(self).get(name), Module)):
            raise ArgumentError(f"Sequential: {name!r} cannot name a module: it must not be empty, hold a dot or hide an attribute")
        setattr(self, name, module)

    def append(self, module: Module) -> Sequential:
        """Add a module at the end."""
        number = len(self)
        while str(number) in vars(self):  # a slice keeps the names of what it was cut from
            number += 1
        self.add_module(str(number), module)
        return self

    def forward(self, input: Any) -> Any:
        output = input
        for module in list(vars(self).values()):
            if isinstance(module, Module):
                output = module(output)
        return output

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[Module]:
        return (module for _, module in self._members(Module))

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> Sequential: ...
    def __getitem__(self, index: int | slice) -> Module:
        modules: list[tuple[str, Module]] = list(self._members(Module))
        if isinstance(index, slice):
            return Sequential(dict(modules[index]))
        if not -len(modules) <= index < len(modules):
            raise IndexRangeError(f"Sequential: index {index} is out of range for {len(modules)} modules")
        return modules[index][1]
