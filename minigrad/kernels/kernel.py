"""Hand-written kernels: functions in the notation of generated loops, where T is the dtype, compiled for a dtype on first use."""

from __future__ import annotations

import ast
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np

from ..errors import DtypeError
from .cache import compilable, compiled
from .lift import function, head
from .text import definition

__all__ = ["NOTATION", "Kernel", "kernel", "kernel_of"]


class Kernel(dict[Any, Callable[..., Any]]):
    """A kernel text and its compiled forms by dtype: `kernel[dtype](…)` compiles on first use.

    `signature` has a letter a parameter: a vector and m matrix of the dtype, i vector of int64, n integer, f float. Where each row is
    worked on by itself, `cuts` says what of a parameter belongs to some rows: r these rows, c these columns, w the first part of it, as
    large as these rows of x are, - all of it.
    """

    def __init__(self, function: FunctionType, signature: str, cuts: str):
        super().__init__()
        self.function, self.signature, self.cuts, self.__doc__ = function, signature, cuts, function.__doc__

    def __missing__(self, dtype: np.dtype[Any]) -> Callable[..., Any]:
        if not compilable(dtype):
            raise DtypeError(f"{self.function.__name__}: there are kernels for float32 and float64, not for {dtype.str}")
        entry = self.setdefault(dtype, self._compile(dtype.name))
        _kernels[entry] = self
        return entry

    @property
    def text(self) -> str:
        """The function, for a generated module that has NOTATION."""
        node = definition(self.function)
        body = ast.unparse(ast.fix_missing_locations(ast.Module([s for s in node.body if not _is_text(s)], [])))
        return function(node.name, [a.arg for a in node.args.args], body.splitlines())

    def _compile(self, dtype: str) -> Callable[..., Any]:
        from numba import types

        kinds = {
            "a": types.Array(getattr(types, dtype), 1, "C"),
            "i": types.Array(types.int64, 1, "C"),
            "m": types.Array(getattr(types, dtype), 2, "C"),
            "n": types.int64,
            "f": types.float64,
        }
        return compiled(head(NOTATION, dtype) + self.text, self.function.__name__, [kinds[letter] for letter in self.signature])


NOTATION = frozenset({"exp", "log", "log1p", "maximum", "absolute", "where", "add_sum"})
"""The names of the notation that hand-written kernels may use."""

_kernels: dict[Callable[..., Any], Kernel] = {}


def kernel_of(entry: Any) -> Kernel | None:
    """The kernel whose compiled form this is."""
    return _kernels.get(entry)


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def kernel(signature: str, cuts: str = "") -> Callable[[Any], Kernel]:
    return lambda function: Kernel(function, signature, cuts)
