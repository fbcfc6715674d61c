"""Backward rules in the words of their source."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from ...autograd.function import Call
from ...core import Step

__all__ = ["rule_text"]

UNREADABLE = "(its source cannot be read)"


def rule_text(step: Step, k: int) -> str:
    """What rule k of a step computes: the expression that it returns, if that is all, else the lines of its body."""
    if step.live and isinstance(step.live[0], Call):  # a Function: its backward is the rule
        return _body(step.live[0].function.backward)
    return _body(step.record.rule(k).function)


@lru_cache(maxsize=4096)
def _body(function: Callable[..., Any]) -> str:
    try:
        source = textwrap.dedent(inspect.getsource(function))
        node = ast.parse(source).body[0]
    except (OSError, TypeError, SyntaxError, IndexError):
        return UNREADABLE
    if not isinstance(node, ast.FunctionDef):
        return UNREADABLE
    body = [part for part in node.body if not (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))]
    if len(body) == 1 and isinstance(body[0], ast.Return) and body[0].value is not None:
        return ast.get_source_segment(source, body[0].value) or UNREADABLE
    lines = source.splitlines()[body[0].lineno - 1 : node.end_lineno]
    return textwrap.dedent("\n".join(lines))
