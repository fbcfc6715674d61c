"""Hand-written kernels: functions in the notation of generated loops, where T is the dtype, compiled for a dtype on first use."""

from __future__ import annotations

import ast
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np

from ..errors import DtypeError
from .cache import compilable, compiled
from .lift import head
from .text import definition

__all__ = ["Kernel", "kernel"]


class Kernel(dict[Any, Callable[..., Any]]):
    """A kernel text and its compiled forms by dtype: `kernel[dtype](…)` compiles on first use.

    `signature` has a letter a parameter: a vector and m matrix of the dtype, i vector of int64, n integer, f float.
    """

    def __init__(self, function: FunctionType, signature: str):
        super().__init__()
        self.function, self.signature, self.__doc__ = function, signature, function.__doc__

    def __missing__(self, dtype: np.dtype[Any]) -> Callable[..., Any]:
        if not compilable(dtype):
            raise DtypeError(f"{self.function.__name__}: there are kernels for float32 and float64, not for {dtype.str}")
        return self.setdefault(dtype, self._compile(dtype.name))

    def _compile(self, dtype: str) -> Callable[..., Any]:
        from numba import types

        node = definition(self.function)
        body = ast.unparse(ast.fix_missing_locations(ast.Module([s for s in node.body if not _is_text(s)], [])))
        used = {"exp", "log", "log1p", "maximum", "absolute", "where", "add_sum"}
        source = head(node.name, [a.arg for a in node.args.args], used, dtype)
        source += "".join(f"    {line}\n" for line in body.splitlines())
        kinds = {
            "a": types.Array(getattr(types, dtype), 1, "C"),
            "i": types.Array(types.int64, 1, "C"),
            "m": types.Array(getattr(types, dtype), 2, "C"),
            "n": types.int64,
            "f": types.float64,
        }
        return compiled(source, node.name, [kinds[letter] for letter in self.signature])


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def kernel(signature: str) -> Callable[[Any], Kernel]:
    return lambda function: Kernel(function, signature)
