"""From lines on arrays to statements of the machine: calls of the very kernels that run without it.

A line that has no statement here stays a call of Python; the results are the same, bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..core.elementwise import Loop, Source
from ..core.plan import Plan
from ..kernels import blas, moves, products, rows
from ..kernels.along import sums
from ..kernels.cache import compilable, kernels_enabled
from ..kernels.kernel import kernel_of
from ..kernels.lift import NearFirst, Operand
from ..kernels.machine import Area, Element, Routine
from ..kernels.text import Text
from ..ops import add
from .lines import Line, Value, values_in

__all__ = ["Part", "Statement", "flat", "lower", "lowers", "lowers_rule", "matrix", "scratch", "single"]


class Part(NamedTuple):
    """A rule that runs over elements: its text, the operands with what they are, and the value that it makes or, in place, changes."""

    text: Text
    operands: Sequence[tuple[Operand, Any]]
    constants: Mapping[str, Any]
    sizes: tuple[int, ...]
    made: Value
    in_place: bool = False

    def reads(self) -> list[Value]:
        """The values that it takes, as often as it does; but for the one that it changes."""
        given = [argument.value for _, argument in self.operands if isinstance(argument, (Area, Element))]
        return [value for value in given if not (self.in_place and value is self.made)]

    def arrays(self) -> list[Value]:
        """Those of them that are no single numbers."""
        given = [argument.value for _, argument in self.operands if isinstance(argument, Area)]
        return [value for value in given if not (self.in_place and value is self.made)]


class Statement(NamedTuple):
    """What the machine does in place of a line: its calls, each a kernel with its arguments, and the values that they make. The last call
    may be a part that can go into the loop of another one; `fused` are the statements whose parts did, `product` what is left of one."""

    line: Line
    calls: Sequence[tuple[Any, Sequence[Any]]]
    made: Sequence[Value]
    part: Part | None = None
    fused: Sequence[Statement] = ()
    heirs: Mapping[int, Value] = {}  # by id of a value that is made: the one in whose place it is stored
    product: bool = False

    def reads(self) -> list[Value]:
        """The values that it takes, as often as it does."""
        made = {id(value) for value in self.made}
        return [value for value in self.touches() if id(value) not in made]

    def helped(self) -> bool:
        """Whether another thread takes its share."""
        tables = products.tiled_product.values()
        return any(entry in tables and tuple(given[-2:]) != products.NO_HELP for entry, given in self.calls)

    def touches(self) -> list[Value]:
        """All values that it reads or makes."""
        arguments = [argument for _, given in self.calls for argument in given]
        return [*(a.value for a in arguments if isinstance(a, (Area, Element))), *self.made]


Lowering = Callable[..., Any]

_FORWARD: dict[str, Lowering] = {}
_RULES: dict[tuple[str, str], tuple[Lowering, bool]] = {}
_PLAIN: dict[str, Lowering] = {}


def lowers(*operations: str) -> Callable[[Lowering], Lowering]:
    """Declare how the forward of operations becomes calls: a function of the Value that is made (with a residual: those), the Values of
    the inputs, and the settings. It returns the calls; or None where it has none for the case."""

    def declare(function: Lowering) -> Lowering:
        _FORWARD.update(dict.fromkeys(operations, function))
        return function

    return declare


def lowers_rule(operation: str, argument: str, by_kernel: bool = True) -> Callable[[Lowering], Lowering]:
    """The same for the kernel of a rule, or with by_kernel=False for its formula: a function of the Value that is made, and of what the
    rule names, by name."""

    def declare(function: Lowering) -> Lowering:
        _RULES[operation, argument] = function, by_kernel
        return function

    return declare


def lower(line: Line) -> Statement | None:
    """The statement for a line, or None."""
    made = line.made if isinstance(line.made, list) else [line.made]
    if not all(isinstance(value, Value) and value.source is line and compilable(value.dtype) for value in made):
        return None
    if not (line.kind == "pure" and kernels_enabled() and all(value.contiguous and value.size for value in made)):
        return None
    calls = _calls(line, made)
    if calls is None:
        return None
    for value in made:
        value.views = None  # it gets memory of its own
    new = [a.value for _, given in calls for a in given if isinstance(a, (Area, Element)) and a.value.source is line]
    return Statement(line, calls, list({id(value): value for value in [*made, *new]}.values()), _part(line, calls, made[0]))


def _part(line: Line, calls: Sequence[Any], made: Value) -> Part | None:
    """The last call of a line as a part, if it is one."""
    loop = getattr(line.call, "loop", None)
    if loop is not None:
        if len(calls) > 1 or loop.reduction != "none" or isinstance(loop.kernel, NearFirst):
            return None
        return Part(loop.text, list(zip(loop.operands, calls[0][1][1:], strict=False)), loop.constants, loop.sizes, made)
    kernel, given = kernel_of(calls[-1][0]), calls[-1][1]
    if kernel is rows.add_to_rows:
        table, row = given
        return Part(add.text, [(Operand("a", "f"), table), (Operand("b", "r"), row)], {}, table.sizes, made, True)
    if kernel is moves.add_up:
        _, a, b = given
        return Part(add.text, [(Operand("a", "f"), a), (Operand("b", "f"), b)], {}, (), made)
    return None


def _calls(line: Line, made: Sequence[Value]) -> Any:
    loop = getattr(line.call, "loop", None)
    if loop is not None:
        return _summed(line, loop, made[0]) if getattr(line.call, "summed", False) else _loop(line, loop, made[0])
    if isinstance(line.about, Plan):
        return _forward(line, line.about, made)
    if line.about is not None:
        return _rule(line, made)
    lowering = _PLAIN.get(line.name)
    return lowering(made[0], *line.inputs) if lowering else None


def _forward(line: Line, plan: Plan, made: Sequence[Value]) -> Any:
    lowering = _FORWARD.get(plan.op.name)
    arrays = line.inputs[0]
    if lowering is None or not plan.by_kernel or not (plan.op.name in _PRODUCTS or readable(*arrays)):
        return None
    return lowering(made if plan.residual else made[0], *([arrays] if plan.op.sequence else arrays), *plan.attrs)


def _rule(line: Line, made: Sequence[Value]) -> Any:
    record, k = line.about
    rule, plan = record.rule(k), record.plan
    lowering, by_kernel = _RULES.get((plan.op.name, plan.op.input_name(record.tracked[k])), (None, True))
    if lowering is None or (rule.kernel is not None and plan.by_kernel) != by_kernel:
        return None
    g, saved, _ = line.inputs
    named = record.named(k, rule.kernel_needs if by_kernel else rule.needs, solid(g), saved)
    return lowering(made[0], **named) if plan.op.name in _PRODUCTS or readable(*named.values()) else None


_PRODUCTS = ("matmul", "linear")  # these take transposed operands as well


def readable(*given: Any) -> bool:
    """Whether the arrays among these lie in memory as kernels read them."""
    return all(value.contiguous and value.size for value in values_in(given))


def solid(value: Value) -> Value:
    """The value; a constant that repeats one number, as row-major memory full of it, which is what kernels make of it too."""
    return value if value.array is None or value.contiguous else Value(np.ascontiguousarray(value.array), None)


def flat(value: Value) -> Area:
    return Area(value, (value.size,))


def matrix(value: Value, columns: int | None = None) -> Area:
    """The value as a matrix with so many columns: by default, those of its last axis."""
    columns = columns or value.shape[-1]
    return Area(value, (value.size // columns, columns))


def single(value: Any, factor: float = 1.0) -> Any:
    """One number: what it is, or that of a value."""
    return Element(value, factor) if isinstance(value, Value) else float(value) * factor


def scratch(made: Value, *shape: int) -> Value:
    """Room that a statement works in, beside the value that it makes."""
    return Value.room(shape, made.dtype, made.source)  # type: ignore[arg-type]


# ---- elementwise rules


def _loop(line: Line, loop: Loop, made: Value) -> Any:
    parameters = dict(zip("xa" if isinstance(line.about, Plan) else "gsa", line.inputs, strict=True))
    arguments: list[Any] = [flat(made)]
    for operand, source in zip(loop.operands, loop.given, strict=True):
        argument = _operand(operand, source, parameters, made, math.prod(loop.shape))
        if argument is None:
            return None
        arguments.append(argument)
    kernel = loop.kernel.near if isinstance(loop.kernel, NearFirst) else loop.kernel
    return [(kernel, [*arguments, *loop.sizes])]


def _summed(line: Line, loop: Loop, made: Value) -> Any:
    """A loop, and the sum over the leading axes, along which the input was broadcast; None for other axes, and for float64, which NumPy
    adds up."""
    columns = made.size
    leading = loop.shape[len(loop.shape) - len(made.shape) :] == made.shape and len(made.shape) < len(loop.shape)
    if made.dtype != np.float32 or not leading or not set(made.shape) - {1} or 0 in loop.shape:
        return None
    work = scratch(made, math.prod(loop.shape))
    calls = _loop(line, loop, work)
    if calls is None:
        return None
    rows_ = work.size // columns
    return [*calls, (sums[made.dtype], [matrix(made, columns), Area(work, (rows_, columns)), rows_])]


def _operand(operand: Any, source: Source | float, parameters: dict[str, Any], made: Value, size: int) -> Any:
    """An operand as the machine takes it; None where it would have to be converted or repeated first."""
    if not isinstance(source, Source):
        return source
    given = parameters[source.parameter]
    value = given if source.parameter == "g" else given[source.number]
    if operand.layout == "s":
        if operand.mask:
            return None if isinstance(value, Value) else value
        whole = isinstance(value, Value) and value.dtype.kind == "f" and not compilable(value.dtype)
        return None if whole else single(value, 1.0 if source.factor is None else source.factor)
    value = solid(value)
    repeated = operand.layout == "f" and value.size != size
    if repeated or not value.contiguous or (value.dtype != made.dtype and not operand.mask):
        return None
    return flat(value)


# ---- products of matrices

_ROW_MAJOR, _COLUMN_MAJOR, _AS_IT_IS, _TURNED = 101, 102, 111, 112


def product(made: Value, a: Value, b: Value, a_turned: bool = False, b_turned: bool = False) -> Any:
    """a b, or with one of them transposed: in tiles, or by the routine that NumPy takes, with the arguments that it takes; None where it
    does something else (operands that are one array, a scalar product)."""
    whole = all((value.contiguous or value.turned) and value.size for value in (a, b))
    if len({value.dtype for value in (made, a, b)}) > 1 or not whole:
        return None
    a_shape, b_shape = _as_matrix(a), _as_matrix(b)
    (n, k), (_, m) = (a_shape[::-1] if a_turned else a_shape), (b_shape[::-1] if b_turned else b_shape)
    a_turned, b_turned = a_turned != a.turned, b_turned != b.turned
    if products.tiled(made.dtype, n, k, m):
        stored = [Area(a, (k, n) if a_turned else (n, k)), Area(b, (m, k) if b_turned else (k, m))]
        work = flat(scratch(made, products.room(made.dtype, n, k, m))) if b_turned else flat(a)
        help_ = products.help_for(made.dtype, n, k, m)
        return [(products.tiled_product[made.dtype], [Area(made, (n, m)), *stored, a_turned, b_turned, work, *help_])]
    if a.root is b.root or not blas.address("gemm", made.dtype.name):
        return None
    if min(n, m) > 1:
        return _gemm(made, a, b, a_turned, b_turned, (n, m, k))
    if k == 1 or n == m == 1:
        return None
    order, turn, table, vector = (a_turned, _AS_IT_IS, a, b) if m == 1 else (b_turned, _TURNED, b, a)
    places = [Area(table, ()), _stored_columns(table), Area(vector, ()), 1, Area(made, ()), 1]
    return [
        (Routine("gemv", made.dtype.name), [_COLUMN_MAJOR if order else _ROW_MAJOR, turn, *((n, k) if m == 1 else (k, m)), *places])
    ]


def _gemm(made: Value, a: Value, b: Value, a_turned: bool, b_turned: bool, sizes: tuple[int, int, int]) -> Any:
    turns = [_TURNED if turned else _AS_IT_IS for turned in (a_turned, b_turned)]
    places = [Area(a, ()), _stored_columns(a), Area(b, ()), _stored_columns(b), Area(made, ()), sizes[1]]
    return [(Routine("gemm", made.dtype.name), [_ROW_MAJOR, *turns, *sizes, *places])]


def _as_matrix(value: Value) -> tuple[int, int]:
    """The shape of a matrix; of a value with more axes, that with all but the last made into one."""
    return value.size // value.shape[-1], value.shape[-1]


def _stored_columns(value: Value) -> int:
    """The length of a row of a matrix, as it lies in memory."""
    return int(value.shape[0] if value.turned else value.shape[-1])


@lowers("matmul")
def _(made: Value, a: Any, b: Any) -> Any:
    return product(made, a, b)


@lowers_rule("matmul", "a")
def _(made: Value, g: Any, b: Any) -> Any:
    return product(made, g, b, b_turned=True)


@lowers_rule("matmul", "b")
def _(made: Value, g: Any, a: Any) -> Any:
    return product(made, a, g, a_turned=True)


@lowers("linear")
def _(made: Value, x: Any, weight: Any, bias: Any) -> Any:
    calls = product(made, x, weight, b_turned=True)
    if calls is None or bias is None:
        return calls
    if not readable(bias):
        return None
    return [*calls, (rows.add_to_rows[made.dtype], [matrix(made), flat(bias)])]


@lowers_rule("linear", "x")
def _(made: Value, g: Any, weight: Any) -> Any:
    return product(made, g, weight)


@lowers_rule("linear", "weight")
def _(made: Value, g: Any, x: Any) -> Any:
    return product(made, g, x, a_turned=True)


@lowers_rule("linear", "bias")
def _(made: Value, g: Any, bias_shape: Any) -> Any:
    return [(rows.column_sums[made.dtype], [flat(made), matrix(g)])] if readable(g) else None


# ---- what the engine does beside the operations


def _plain(name: str) -> Callable[[Lowering], Lowering]:
    def declare(function: Lowering) -> Lowering:
        _PLAIN[name] = function
        return function

    return declare


@_plain("copy")
def _(made: Value, x: Any) -> Any:
    return [(moves.copy[made.dtype], [flat(made), flat(x)])] if readable(x) else None


@_plain("add")
def _(made: Value, a: Any, b: Any) -> Any:
    if not readable(a, b) or not a.shape == b.shape == made.shape or not a.dtype == b.dtype == made.dtype:
        return None
    return [(moves.add_up[made.dtype], [flat(made), flat(a), flat(b)])]
