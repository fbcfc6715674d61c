"""The texts of rules: parsed, checked, and written out again with other names for a reader that is no Python interpreter.

A rule is straight-line assignments and one return, of arithmetic, comparisons and the notation's functions.
"""

import ast
import inspect
import linecache
import math
import sys
import textwrap
from collections.abc import Mapping
from copy import deepcopy
from functools import lru_cache
from types import FunctionType
from typing import Any

from ..errors import RuleError
from . import notation

__all__ = ["REDUCED", "Number", "Text", "definition"]

Number = int | float


REDUCED = {"sin": "absolute", "cos": "absolute", "tan": "absolute", "fmod": "quotient_reach"}
"""Functions of vector_math of which there is a faster form, `near_sin`: what of their arguments must be near enough to 0."""


class Text:
    """The parsed text of one rule: parameter names, straight-line assignments and the returned expression.

    A user's rule is read, and refused if need be, when it is declared. The library's own, which its tests read, wait until they are
    needed: reading them all would take longer than the rest of the import.
    """

    def __init__(self, function: FunctionType, several: bool = False):
        self.name = function.__name__
        self._function, self._several = function, several
        self.parameters = list(inspect.signature(function).parameters)
        if not str(function.__module__).startswith("minigrad."):
            self._read()

    def __getattr__(self, name: str) -> Any:
        if name not in ("assignments", "conditions", "is_identity", "notation", "result"):
            raise AttributeError(name)
        self._read()
        return vars(self)[name]

    def _read(self) -> None:
        """Take the text apart. Each attribute is set once, complete: another thread may be looking."""
        node = definition(self._function)
        body = [s for s in node.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
        if not body or not isinstance(body[-1], ast.Return) or body[-1].value is None:
            raise RuleError(f"{self._where()}: a rule must end with `return` and a value")
        result = body[-1].value
        if isinstance(result, ast.Tuple) and not self._several:
            raise RuleError(f"{self._where()}: returns one value, not {len(result.elts)}")
        assignments: list[tuple[str, ast.expr]] = []
        for statement in body[:-1]:
            target = statement.targets[0] if isinstance(statement, ast.Assign) else None
            if not isinstance(statement, ast.Assign) or len(statement.targets) != 1 or not isinstance(target, ast.Name):
                raise RuleError(
                    f"{self._where()}: a rule is straight-line assignments and one return, not "
                    f"`{ast.unparse(statement).splitlines()[0]}`; choose between values with where(condition, a, b)"
                )
            assignments.append((target.id, statement.value))
        self._resolve(assignments, result)

    def _where(self) -> str:
        return f"rule {self.name!r}"

    def _resolve(self, assignments: list[tuple[str, ast.expr]], result: ast.expr) -> None:
        """Turn every name into a parameter, a local, a notation name or a number; refuse all else now, not at run time."""
        function = self._function
        closure = inspect.getclosurevars(function) if function.__closure__ else None
        outer: dict[str, Any] = {**function.__globals__, **(closure.nonlocals if closure else {})}
        known, used = set(self.parameters), set[str]()
        resolver = _Resolver(known, outer, used, self._where())
        resolved = []
        for name, value in assignments:
            resolved.append((name, resolver.visit(value)))
            known.add(name)
        result = resolver.visit(result)
        conditions = {
            call.args[0].id
            for expression in [*(value for _, value in resolved), result]
            for call in ast.walk(expression)
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "where" and isinstance(call.args[0], ast.Name)
        }
        self.assignments, self.result, self.notation = resolved, result, used
        self.conditions = conditions & set(self.parameters)
        self.is_identity = not resolved and isinstance(result, ast.Name) and result.id == "g"

    def lines(self, names: Mapping[str, str | Number], prefix: str, near: bool = False) -> tuple[list[str], str]:
        """Assignment lines and result expression, the parameters written as `names` says (a number is baked in).

        With `near`, functions of REDUCED are taken in their fast form, and lines find the largest of their arguments: `reach`.
        """
        scope = dict(names)
        lines: list[str] = []
        for name, value in self.assignments:
            lines += [*_reaches(value, scope, near), f"{prefix}{name} = {_write(value, scope, near)}"]
            scope[name] = prefix + name
        lines += _reaches(self.result, scope, near)
        if isinstance(self.result, ast.Tuple):
            return lines, ", ".join(_write(element, scope, near) for element in self.result.elts)
        return lines, _write(self.result, scope, near)


@lru_cache(maxsize=64)
def _sources(filename: str, text: str) -> dict[int, str]:
    """The source of the functions that stand at the top of a file, by first line, decorators included."""
    lines = text.splitlines()
    found = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef):
            first = (node.decorator_list[0] if node.decorator_list else node).lineno
            found[first] = "\n".join(lines[node.lineno - 1 : node.end_lineno])
    return found


def definition(function: FunctionType) -> ast.FunctionDef:
    """The syntax tree of a function; a file is taken apart once for all the rules in it."""
    code = function.__code__
    node: ast.stmt | None
    try:
        text = "".join(linecache.getlines(code.co_filename, function.__globals__))
        node = ast.parse(_sources(code.co_filename, text)[code.co_firstlineno]).body[0]
    except (SyntaxError, KeyError):
        try:
            node = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
        except (OSError, SyntaxError, IndexError):
            node = None
    if not isinstance(node, ast.FunctionDef):
        raise RuleError(
            f"rule {function.__name__!r}: its source text cannot be read; declare it with `def` in a file or a notebook cell"
        )
    return node


_ALLOWED = (
    ast.BinOp, ast.UnaryOp, ast.Compare, ast.Call, ast.Name, ast.Constant, ast.Load, ast.Tuple, ast.operator, ast.unaryop, ast.cmpop,
)  # fmt: skip
_REFUSED = (
    ast.MatMult,
    ast.LShift,
    ast.RShift,
    ast.BitXor,
    ast.FloorDiv,
    ast.Mod,
    ast.Is,
    ast.IsNot,
    ast.In,
    ast.NotIn,
    ast.Not,
    ast.Invert,
)


_OTHER_NAMES = {
    "abs": "absolute",
    "arccos": "acos",
    "arcsin": "asin",
    "arctan": "atan",
    "arctan2": "atan2",
    "fabs": "absolute",
    "max": "maximum",
    "min": "minimum",
}
"""How functions of the notation are called elsewhere."""


class _Resolver(ast.NodeTransformer):
    """Names to parameters, locals, notation functions (by their own name) or numbers; everything else is refused."""

    def __init__(self, known: set[str], outer: Mapping[str, Any], used: set[str], where: str):
        self.known, self.outer, self.used, self.where = known, outer, used, where

    def generic_visit(self, node: ast.AST) -> ast.AST:
        if not isinstance(node, _ALLOWED) or isinstance(node, _REFUSED):
            text = ast.unparse(node) if isinstance(node, ast.expr) else type(node).__name__
            raise RuleError(
                f"{self.where}: `{text}` has no place in a rule; it takes arithmetic, comparisons, &, | and the notation's functions "
                f"({', '.join(sorted(notation.NAMES))})"
            )
        return super().generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        function = self._outer_value(node.func)
        if not isinstance(function, notation.Notation) or notation.NAMES.get(function.name) is not function or node.keywords:
            raise RuleError(
                f"{self.where}: `{ast.unparse(node)}` calls what is no function of the notation ({self._instead(function, node)})"
            )
        if len(node.args) != function.arity:
            raise RuleError(
                f"{self.where}: `{ast.unparse(node)}`: {function.name} takes {function.arity} arguments, got {len(node.args)}"
            )
        self.used.add(function.name)
        arguments = [self.visit(arg) for arg in node.args]
        return ast.Call(ast.Name(function.name, ast.Load()), arguments, [])

    def _instead(self, function: Any, node: ast.Call) -> str:
        """The function of the notation that was meant, else the names of all."""
        called = ast.unparse(node.func).rpartition(".")[2]
        meant = _OTHER_NAMES.get(called, called)
        if meant in notation.NAMES and function is not notation.NAMES[meant]:
            return f"{meant}, from minigrad.kernels.notation, is one"
        return ", ".join(sorted(notation.NAMES))

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if node.value is Ellipsis:
            raise RuleError(f"{self.where}: not written yet; put the formula in place of `...`")
        if isinstance(node.value, bool) or not isinstance(node.value, (int, float)) or abs(node.value) > sys.float_info.max:
            raise RuleError(f"{self.where}: `{ast.unparse(node)}` is no number that a rule can hold")
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if not (isinstance(node.left, ast.Constant) and isinstance(node.right, ast.Constant)):
            return node
        try:
            value = eval(compile(ast.fix_missing_locations(ast.Expression(node)), "", "eval"), {"__builtins__": {}})
        except ArithmeticError:
            return node
        return self.visit_Constant(ast.Constant(value))

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        if len(node.ops) != 1:
            raise RuleError(f"{self.where}: write `{ast.unparse(node)}` as two comparisons joined by &")
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return node if node.id in self.known else self._number(node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        return self._number(node)

    def _number(self, node: ast.expr) -> ast.Constant:
        value = self._outer_value(node)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return ast.Constant(value)
        raise RuleError(f"{self.where}: `{ast.unparse(node)}` is neither an argument, a local, a notation function nor a number")

    def _outer_value(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Attribute):
            return getattr(self._outer_value(node.value), node.attr, None)
        return self.outer.get(node.id) if isinstance(node, ast.Name) else None


class _Writer(ast.NodeTransformer):
    """Renames, bakes numbers in, casts literals to the kernel's dtype T, and turns small constant powers into products."""

    def __init__(self, scope: Mapping[str, str | Number], near: bool):
        self.scope, self.near = scope, near

    def visit_Call(self, node: ast.Call) -> ast.AST:
        name = node.func.id  # type: ignore[attr-defined]
        function = ast.Name(f"near_{name}" if self.near and name in REDUCED else name, ast.Load())
        return ast.Call(function, [self.visit(argument) for argument in node.args], [])

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return _literal(node.value)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        value = self.scope.get(node.id, node.id)
        return ast.Name(value, ast.Load()) if isinstance(value, str) else _literal(value)

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        folded = self._fold(node)
        if folded is not None:
            return _literal(folded)
        if isinstance(node.op, ast.Pow):
            exponent = self._fold(node.right)
            product = None if exponent is None else _power(self.visit(node.left), exponent)
            if product is not None:
                return product
        return self.generic_visit(node)

    def _fold(self, node: ast.expr) -> Number | None:
        """The value of an expression of numbers alone."""
        numbers = {name: value for name, value in self.scope.items() if not isinstance(value, str)}
        try:
            value = eval(compile(ast.fix_missing_locations(ast.Expression(node)), "", "eval"), {"__builtins__": {}}, numbers)
        except (NameError, ArithmeticError, TypeError):
            return None
        return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _literal(value: Any) -> ast.expr:
    """A number as a constant of the kernel's dtype."""
    finite = isinstance(value, int) or math.isfinite(value)
    return ast.Name(f"T({value!r})" if finite else f'T(float("{value!r}"))', ast.Load())


def _power(base: ast.expr, exponent: Number) -> ast.expr | None:
    if exponent == 0.5:
        return ast.Call(ast.Name("sqrt", ast.Load()), [base], [])
    if exponent == 0:
        return _literal(1)
    if exponent not in (1, 2, 3, 4, -1, -2):
        return None
    factor = base if exponent > 0 else ast.BinOp(_literal(1), ast.Div(), base)  # of 1 / x², x² could overflow where 1 / x² is no 0
    product = factor
    for _ in range(abs(int(exponent)) - 1):
        product = ast.BinOp(product, ast.Mult(), factor)
    return product


def _write(node: ast.expr, scope: Mapping[str, str | Number], near: bool = False) -> str:
    return ast.unparse(ast.fix_missing_locations(_Writer(scope, near).visit(deepcopy(node))))


def _reaches(node: ast.expr, scope: Mapping[str, str | Number], near: bool) -> list[str]:
    """The lines that look how far from 0 the arguments of the functions of REDUCED are."""
    calls = [call for call in ast.walk(node) if isinstance(call, ast.Call) and ast.unparse(call.func) in REDUCED] if near else []
    arguments = [", ".join(_write(argument, scope, near) for argument in call.args) for call in calls]
    measures = [REDUCED[ast.unparse(call.func)] for call in calls]
    return [f"reach = maximum(reach, {measure}({args}))" for measure, args in zip(measures, arguments, strict=True)]
