"""Backward rules in words: the formula of the operation's docstring, and the code."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
import unicodedata
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import takewhile
from typing import Any

from ...autograd.function import Call
from ...core import Elementwise, Step

__all__ = ["formula_text", "is_function", "rule_text"]

UNREADABLE = "(its source cannot be read)"
UNSAID = "(no formula; HandedOn.rule has the code)"
SHORT = 36  # columns that a rule may take beside what it gives

# What a rule in code may call and still read like a formula.
_MATHEMATICS = frozenset({"absolute", "abs", "exp", "inf", "log", "math", "sigmoid", "sqrt", "tanh", "where"})
_BACKWARD = re.compile(r"\bBackward:\s*(.*?)\s*(?=\b(?:Shapes|Edge values|Complexity|Errors|Source):|\n\s*\n|\Z)", re.DOTALL)
_PRIVATE = re.compile(r"(?<!\w)_[a-zA-Z]")
_PART = re.compile(r"(?:dL/d|[tT]o )(\w+)")


def rule_text(step: Step, k: int) -> str:
    """The code of rule k of a step: the expression that it returns, if that is all, else the lines of its body."""
    return _body(step.live[0].function.backward if is_function(step) else step.record.rule(k).function)


def formula_text(step: Step, k: int) -> str:
    """Rule k as a formula: what the operation's docstring has behind "Backward:", of a map over elements the code where that reads like a
    formula. Where there is none it is the code, unless that is in words which only the library knows."""
    operation, function = step.record.plan.op, step.record.rule(k).function
    if is_function(step) or (isinstance(operation, Elementwise) and _is_plain(function)):
        return rule_text(step, k)
    argument = operation.input_name(step.record.tracked[k]).split("[")[0]
    internal = (function.__module__ or "").startswith("minigrad.") and _PRIVATE.search(_body(function))
    return _formula(operation.__doc__ or "", argument, tuple(operation.rules)) or (UNSAID if internal else rule_text(step, k))


def is_function(step: Step) -> bool:
    """Whether the rule is the backward of a Function."""
    return bool(step.live) and isinstance(step.live[0], Call)


@lru_cache(maxsize=4096)
def _is_plain(function: Callable[..., Any]) -> bool:
    """Whether a rule's code is a short expression of its arguments, in which nothing but mathematics is called."""
    body = _body(function)
    if len(body) > SHORT or "\n" in body or body == UNREADABLE:
        return False
    known = _MATHEMATICS | set(inspect.signature(function).parameters)
    return all(node.id in known for node in ast.walk(ast.parse(body)) if isinstance(node, ast.Name))


@lru_cache(maxsize=4096)
def _formula(docstring: str, argument: str, arguments: Sequence[str]) -> str:
    """Of what is said behind "Backward:", the formula for an argument, or for all alike, without further sentences.

    Formulas may have names of their own (dL/dW for weight): then they stand in the order of the arguments.
    """
    found = _BACKWARD.search(docstring)
    if found is None:
        return ""
    text = " ".join(found[1].split()).rstrip(".")
    parts = [part.split(". ")[0] for part in re.split(r"[,;.]\s+(?=dL/d|to \w+,)", text) if _PART.match(part)]
    if len(arguments) == 1 or not parts:
        return text.split(". ")[0]
    named = {_name(part): part for part in parts}
    if argument in named:
        return named[argument]
    return parts[arguments.index(argument)] if len(parts) == len(arguments) else ""


def _name(part: str) -> str:
    """What a formula is the gradient of, without its index: x1 of dL/dx₁ᵢ."""
    found = _PART.match(part)
    assert found is not None
    letters = takewhile(lambda letter: letter != "_" and unicodedata.category(letter) != "Lm", found[1])
    return unicodedata.normalize("NFKC", "".join(letters))


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
