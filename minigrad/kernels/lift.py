"""From the text of a rule to a compiled array loop.

A rule such as `return g * y * (1 - y)` is parsed once, its names become array elements or scalars, its literals become constants of
the kernel's dtype, and a loop is written around it that Numba compiles:

    for i in range(out.size):
        out[i] = g[i] * y[i] * (T(1) - y[i])

Layouts say how an operand meets the output: `f` full (same size), `s` one scalar, `r` repeated over rows, `c` repeated over columns.
"""

import ast
import inspect
import linecache
import math
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from functools import cache, lru_cache
from types import FunctionType
from typing import Any, NamedTuple

from ..errors import RuleError
from . import notation
from .cache import compiled

__all__ = ["Operand", "Text", "definition", "head", "loop", "update_loop"]

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
                f"{self.where}: `{ast.unparse(node)}` calls what is no function of the notation ({', '.join(sorted(notation.NAMES))})"
            )
        if len(node.args) != function.arity:
            raise RuleError(
                f"{self.where}: `{ast.unparse(node)}`: {function.name} takes {function.arity} arguments, got {len(node.args)}"
            )
        self.used.add(function.name)
        arguments = [self.visit(arg) for arg in node.args]
        return ast.Call(ast.Name(function.name, ast.Load()), arguments, [])

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
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


_HEAD = """\
import numpy as np
from numba import njit
from minigrad.kernels import vector_math
T = np.{dtype}
_functions = vector_math.functions("{dtype}")
{imports}

@njit(cache=CACHE, nogil=True, error_model="numpy")
def {name}({parameters}):
"""


def head(name: str, parameters: Sequence[str], used: set[str], dtype: str) -> str:
    """The beginning of a generated module, up to and including the kernel's `def` line."""
    imports = "\n".join(f'{function} = _functions["{function}"]' for function in sorted(used | {"sqrt"}))
    return _HEAD.format(dtype=dtype, imports=imports, name=name, parameters=", ".join(parameters))


_BLOCK = 1024  # terms that are added in the kernel's own dtype, before they go into a float64


class Operand(NamedTuple):
    """A run-time parameter of a loop: its layout letter, and whether it is a mask (booleans)."""

    name: str
    layout: str
    mask: bool = False


def loop(
    text: Text, operands: Sequence[Operand], constants: Mapping[str, Number], dtype: str, reduction: str = "none"
) -> Callable[..., None] | None:
    """A kernel `(out, *operands)` that applies the rule to every element, or with `reduction` ("mean", "sum") writes one number.

    If a layout is r or c, the kernel takes the numbers of rows and columns too. `constants` are parameters whose values are baked in.
    None if the text holds a power that is no product or root: NumPy has the better one.
    """
    if not text.notation & REDUCED.keys():
        return _loop(text, operands, constants, dtype, reduction)
    near = _loop(text, operands, constants, dtype, reduction, near=True)
    if near is None:
        return None
    far = cache(lambda: _loop(text, operands, constants, dtype, reduction))

    def run(*arguments: Any) -> None:
        if not near(*arguments):
            far()(*arguments)  # type: ignore[misc]

    return run


def _loop(
    text: Text, operands: Sequence[Operand], constants: Mapping[str, Number], dtype: str, reduction: str, near: bool = False
) -> Callable[..., Any] | None:
    """The kernel; with `near` it takes the fast forms of REDUCED and returns whether all their arguments were near enough to 0."""
    from numba import types

    two = any(operand.layout in "rc" for operand in operands)
    index = {"f": "_[n, j]" if two else "[i]", "r": "[j]", "c": "[n]", "s": ""}
    names: dict[str, str | Number] = {**constants, **{o.name: f"x_{o.name}{index[o.layout]}" for o in operands}}
    lines, result = text.lines(names, "t_", near)
    if any("**" in line for line in [*lines, result]):
        return None
    name = "kernel_" + text.name
    parameters = ["out", *(f"x_{o.name}" for o in operands), *(("rows", "columns") if two else ())]
    casts = [f"x_{o.name} = T(x_{o.name})" for o in operands if o.layout == "s" and not o.mask]
    full = next((o.name for o in operands if o.layout == "f"), None)
    # As a matrix every index is a loop variable, which Numba knows not to be negative; a computed one would cost the vector loop.
    full_names = ["out", *(f"x_{o.name}" for o in operands if o.layout == "f")] if two else []
    casts += [f"{full}_ = {full}.reshape(rows, columns)" for full in full_names if reduction == "none" or full != "out"]
    body = [*casts, *_loops([*lines, result], two, full, reduction)]
    used = text.notation | {"add_sum"}
    if near:
        body = ["reach = T(0)", *body, "return is_near(reach)"]
        reduced = used & REDUCED.keys()
        used |= {"maximum", "is_near", *(f"near_{name}" for name in reduced), *(REDUCED[name] for name in reduced)}
    source = head(name, parameters, used, dtype) + "".join(f"    {line}\n" for line in body)

    array, masks = types.Array(getattr(types, dtype), 1, "C"), types.Array(types.boolean, 1, "C")
    signature: list[Any] = [array]
    for o in operands:
        scalar = types.boolean if o.mask else types.float64
        signature.append(scalar if o.layout == "s" else masks if o.mask else array)
    return compiled(source, name, signature + [types.int64] * (2 if two else 0))


def _loops(lines: Sequence[str], two: bool, full: str | None, reduction: str) -> list[str]:
    """The loop around the rule, whose last line is the result; sums go block by block into a float64."""
    *assignments, result = lines
    if reduction == "none":
        if not two:
            return ["for i in range(out.size):", *_indent([*assignments, f"out[i] = {result}"])]
        columns = ["for j in range(columns):", *_indent([*assignments, f"out_[n, j] = {result}"])]
        return ["for n in range(rows):", *_indent(columns)]
    inner = [*assignments, f"part = add_sum(part, {result})"]
    size, length = ("rows * columns", "columns") if two else (f"x_{full}.size", "size")
    index = "j" if two else "i"
    block = [
        f"for start in range(0, {length}, {_BLOCK}):",
        *_indent(["part = T(0)", f"for {index} in range(start, min(start + {_BLOCK}, {length})):"]),
        *_indent(_indent(inner)),
        *_indent(["total += part"]),
    ]
    sums = ["for n in range(rows):", *_indent(block)] if two else block
    return [f"size = {size}", "total = 0.0", *sums, f"out[0] = {'total / size' if reduction == 'mean' else 'total'}"]


def _indent(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def update_loop(text: Text, arrays: Sequence[str], changed: int, dtype: str) -> Callable[..., None]:
    """A kernel that overwrites the first `changed` arrays with the values the rule returns; the other parameters are scalars."""
    from numba import types

    scalars = [p for p in text.parameters if p not in arrays]
    lines, result = text.lines({**{p: f"x_{p}[i]" for p in arrays}, **{p: f"x_{p}" for p in scalars}}, "t_")
    name = f"update_{text.name}"
    written = ", ".join(f"x_{p}[i]" for p in arrays[:changed])
    body = [
        *(f"x_{p} = T(x_{p})" for p in scalars),
        f"for i in range(x_{arrays[0]}.size):",
        *_indent([*lines, f"{written} = {result}"]),
    ]
    source = head(name, [f"x_{p}" for p in text.parameters], text.notation, dtype) + "".join(f"    {line}\n" for line in body)
    array = types.Array(getattr(types, dtype), 1, "C")
    return compiled(source, name, [array if p in arrays else types.float64 for p in text.parameters])
