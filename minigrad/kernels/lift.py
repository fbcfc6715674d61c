"""From the text of a rule to a compiled array loop.

A rule such as `return g * y * (1 - y)` is parsed once (`text`), its names become array elements or scalars, its literals become
constants of the kernel's dtype, and a loop is written around it that Numba compiles:

    for i in range(out.size):
        out[i] = g[i] * y[i] * (T(1) - y[i])

Layouts say how an operand meets the output: `f` full (same size), `s` one scalar, `r` repeated over rows, `c` repeated over columns.
"""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cache, partial
from typing import Any, NamedTuple

from .cache import compiled
from .text import REDUCED, Number, Text

__all__ = ["NearFirst", "Operand", "Rule", "function", "fused_source", "head", "loop", "loop_sources", "rows_source", "update_loop"]

_HEAD = """\
import numpy as np
from numba import njit
from minigrad.kernels import vector_math
T = np.{dtype}
_functions = vector_math.functions("{dtype}")
{imports}
"""
_FUNCTION = """
@njit(cache=CACHE, nogil=True, error_model="numpy")
def {name}({parameters}):
"""


def head(used: AbstractSet[str], dtype: str) -> str:
    """The beginning of a generated module: T, and the functions of the notation that are used."""
    imports = "\n".join(f'{function} = _functions["{function}"]' for function in sorted(used | {"sqrt"}))
    return _HEAD.format(dtype=dtype, imports=imports)


def function(name: str, parameters: Sequence[str], lines: Sequence[str]) -> str:
    """A function of a generated module."""
    return _FUNCTION.format(name=name, parameters=", ".join(parameters)) + "".join(f"    {line}\n" for line in lines)


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
    sources = loop_sources(text, operands, constants, dtype, reduction)
    if not sources:
        return None
    signature = _signature(operands, dtype)
    first, *rest = [cache(partial(compiled, source, "kernel_" + text.name, signature)) for source in sources]
    return NearFirst(first(), *rest) if rest else first()


def loop_sources(
    text: Text, operands: Sequence[Operand], constants: Mapping[str, Number], dtype: str, reduction: str = "none"
) -> list[str]:
    """The text of the kernel of `loop`: one, or where it uses functions of REDUCED, that of their fast forms and the other; else none."""
    forms = (True, False) if text.notation & REDUCED.keys() else (False,)
    sources = [_loop_source(text, operands, constants, dtype, reduction, near) for near in forms]
    return [source for source in sources if "**" not in source]


class NearFirst:
    """Two kernels of a rule: one that says whether all arguments were near enough to 0 for it, and one for the other times."""

    def __init__(self, near: Callable[..., bool], far: Callable[[], Any]):
        self.near, self._far = near, far

    def __call__(self, *arguments: Any) -> None:
        if not self.near(*arguments):
            self._far()(*arguments)


def _signature(operands: Sequence[Operand], dtype: str) -> list[Any]:
    """Numba's types of what a loop takes."""
    from numba import types

    array, masks = types.Array(getattr(types, dtype), 1, "C"), types.Array(types.boolean, 1, "C")
    signature: list[Any] = [array]
    for o in operands:
        scalar = types.boolean if o.mask else types.float64
        signature.append(scalar if o.layout == "s" else masks if o.mask else array)
    return signature + [types.int64] * (2 if _is_matrix(operands) else 0)


def _is_matrix(operands: Sequence[Operand]) -> bool:
    return any(operand.layout in "rc" for operand in operands)


def _loop_source(
    text: Text, operands: Sequence[Operand], constants: Mapping[str, Number], dtype: str, reduction: str, near: bool
) -> str:
    """The text of a kernel; with `near` it takes the fast forms of REDUCED and returns whether all their arguments were near enough to 0."""
    two = _is_matrix(operands)
    index = {"f": "_[n, j]" if two else "[i]", "r": "[j]", "c": "[n]", "s": ""}
    names: dict[str, str | Number] = {**constants, **{o.name: f"x_{o.name}{index[o.layout]}" for o in operands}}
    lines, result = text.lines(names, "t_", near)
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
    return head(used, dtype) + function("kernel_" + text.name, parameters, body)


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


Rule = tuple[Text, Mapping[str, str | Number], str]
"""The text of a rule, what stands for its parameters, and the name of its result."""


def _applied(rules: Sequence[Rule], written: Mapping[str, str], index: str) -> list[str]:
    """What is done with one element: rules one after the other, and where their results go."""
    body: list[str] = []
    for text, words, result in rules:
        lines, value = text.lines(words, f"t_{result}_")
        body += [*lines, f"{result} = {value}"]
    return [*body, *(f"{name}{index} = {result}" for name, result in written.items())]


def fused_source(
    rules: Sequence[Rule],
    arrays: Sequence[str],
    written: Mapping[str, str],
    scalars: Sequence[str],
    two: bool,
    dtype: str,
    summed: tuple[str, str] | None = None,
) -> str:
    """The text of a kernel `fused(*arrays, *scalars)` that applies several rules to every element, one after the other.

    `written` says which array gets which result. With `two` the arrays are matrices, NAME_[n, j], and the kernel takes the numbers of
    rows and columns too; else NAME[i]. `summed` names an array for column sums, and the matrix that is summed, one of those written.
    """
    body = _applied(rules, written, "_[n, j]" if two else "[i]")
    whole = sorted({name for name in arrays if f"{name}_[" in "\n".join(body)}) if two else []
    lines = [f"{name} = T({name})" for name in scalars] + [f"{name}_ = {name}.reshape(rows, columns)" for name in whole]
    if summed is not None:
        lines += _with_column_sums(["for j in range(columns):", *_indent(body)], summed[0], f"{summed[1]}_")
    elif two:
        lines += ["for n in range(rows):", *_indent(["for j in range(columns):", *_indent(body)])]
    else:
        lines += [f"for i in range({next(iter(written))}.size):", *_indent(body)]
    used = set[str]().union(*(text.notation for text, _, _ in rules))
    parameters = [*arrays, *scalars, *(("rows", "columns") if two else ())]
    return head(used, dtype) + function("fused", parameters, lines)


def rows_source(
    stages: Sequence[str | tuple[Sequence[Rule], Mapping[str, str]]],
    kernels: Mapping[str, str],
    arrays: Mapping[str, str],
    scalars: Sequence[str],
    dtype: str,
    used: AbstractSet[str],
) -> str:
    """The text of a kernel `fused(*arrays, *scalars, rows, columns, step)` that works on matrices so many rows at a time, stage by stage:
    calls of kernels over rows, whose texts these are, and loops over elements as `fused_source` has them.

    `arrays` says what of an array belongs to the rows: f those of a matrix, r elements, c columns of a matrix, w the first part of it, as a
    matrix with these rows, v the same as a vector. These are NAME_. Others, with -, are taken as they are.
    """
    cut = {
        "f": "{0}.reshape(rows, columns)[begin:end]",
        "r": "{0}[begin:end]",
        "c": "{0}.reshape({0}.size // rows, rows)[:, begin:end]",
        "w": "{0}[:count * columns].reshape(count, columns)",
        "v": "{0}[:count * columns]",
    }
    block = ["end = min(begin + step, rows)", "count = end - begin"]
    block += [f"{name}_ = {cut[form].format(name)}" for name, form in arrays.items() if form != "-"]
    for stage in stages:
        if isinstance(stage, str):
            block.append(stage)
        else:
            row = ["for j in range(columns):", *_indent(_applied(*stage, "_[n, j]"))]
            block += ["for n in range(count):", *_indent(row)]
    lines = [f"{name} = T({name})" for name in scalars] + ["for begin in range(0, rows, step):", *_indent(block)]
    functions = [*kernels.values(), function("fused", [*arrays, *scalars, "rows", "columns", "step"], lines)]
    return head(used, dtype) + "".join(functions)


def _with_column_sums(row: Sequence[str], out: str, x: str) -> list[str]:
    """A loop over the rows n, which writes those of a matrix x, with its column sums: in the order of `rows.column_sums`."""
    each = ["for j in range(columns):", f"    {out}[j] += {x}[n, j]"]
    four = f"({x}[first, j] + {x}[first + 1, j]) + ({x}[first + 2, j] + {x}[first + 3, j])"
    block = [
        "stop = min(first + 4, end)",
        "for n in range(first, stop):",
        *_indent(row),
        "if stop == first + 4:",
        *_indent(["for j in range(columns):", f"    {out}[j] += {four}"]),
        "else:",
        *_indent(["for n in range(first, stop):", *_indent(each)]),
    ]
    return [
        "total = np.zeros(columns if rows > 64 else 0, np.float64)",
        "for begin in range(0, rows, 64):",
        *_indent(["end = min(begin + 64, rows)", "for j in range(columns):", f"    {out}[j] = T(0)"]),
        *_indent(["for first in range(begin, end, 4):", *_indent(block)]),
        *_indent(["for j in range(total.size):", f"    total[j] += {out}[j]"]),
        "for j in range(total.size):",
        f"    {out}[j] = T(total[j])",
    ]


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
    source = head(text.notation, dtype) + function(name, [f"x_{p}" for p in text.parameters], body)
    array = types.Array(getattr(types, dtype), 1, "C")
    return compiled(source, name, [array if p in arrays else types.float64 for p in text.parameters])
