"""Operations that map over elements: a formula in scalar notation, from which the array loops are generated."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from types import FunctionType
from typing import Any, NamedTuple, ParamSpec, overload

import numpy as np

from ..errors import ArgumentError, DtypeError, RuleError, ShapeError
from ..kernels.arrays import sum_to
from ..kernels.cache import compilable, kernels_enabled
from ..kernels.lift import Operand, loop, loop_sources
from ..kernels.text import Text
from .check import check_reduction
from .op import Op, get_default_dtype, registered
from .plan import Plan, Record, closure
from .tensor import Array

__all__ = ["Elementwise", "elementwise"]

P = ParamSpec("P")


class Elementwise(Op[P]):
    """An operation that maps over elements, in scalar notation; all inputs broadcast."""

    def __init__(self, function: FunctionType, *, integers: bool, static: Sequence[str], labels: Sequence[str]):
        super().__init__(function, broadcasts=True)
        self.integers = integers
        self.static = tuple(static)
        self.labels = tuple(labels)
        self.text = Text(function)
        self.reduces = "reduction" in self.attributes
        self._tensors_only = []

    def _rule_text(self, function: FunctionType) -> Text:
        text = Text(function)
        text.name = f"{self.name}_backward"
        if self.reduces and "y" in text.parameters:
            raise RuleError(f"{self.name}.backward: the output is reduced, a rule cannot use y")
        return text

    # ---- forward

    def plan_forward(self, plan: Plan, arrays: Sequence[Any]) -> None:
        reduction = self._reduction(plan)
        check_reduction(self.name, reduction)
        plan.shape = self._broadcast(plan)
        plan.dtype = self._result_dtype(arrays)
        plan.differentiable = plan.differentiable and plan.dtype.kind == "f"
        self._check_conditions(arrays)
        sources = [Source(name, "x", i, spec) for i, (name, spec) in enumerate(zip(self.inputs, plan.specs, strict=True))]
        run = self._by_kernel("x, a", self.text, sources, plan, () if reduction != "none" else plan.shape, reduction)
        plan.by_kernel = run is not None
        plan.forward = run or self._by_formula(plan)

    def _broadcast(self, plan: Plan) -> tuple[int, ...]:
        shapes = [spec[0] for spec in plan.specs if spec is not None]
        try:
            return np.broadcast_shapes(*shapes)
        except ValueError:
            named = ", ".join(f"{self.inputs[i]} {spec[0]}" for i, spec in enumerate(plan.specs) if spec is not None)
            raise ShapeError(
                f"{self.name}: shapes do not broadcast: {named}; counted from the right, sizes must be equal or 1"
            ) from None

    def _result_dtype(self, arrays: Sequence[Any]) -> np.dtype[Any]:
        """As NumPy promotes arrays; Python numbers are weak, and a float among integers asks for the default float dtype."""
        named = dict(zip(self.inputs, arrays, strict=True))
        weak = [name for name in self.labels if isinstance(named[name], np.ndarray) and named[name].dtype.kind != "f"]
        values = [a for name, a in named.items() if name not in self.text.conditions and name not in weak]
        dtypes = [a.dtype for a in values if isinstance(a, np.ndarray)]
        dtype = np.result_type(*dtypes) if dtypes else np.dtype(np.bool_)
        kinds = {type(a) for a in values}
        if dtype.kind == "f":
            return dtype
        if float in kinds or not self.integers:
            return get_default_dtype()
        return np.dtype(np.int64) if int in kinds and dtype.kind == "b" else dtype

    def _check_conditions(self, arrays: Sequence[Any]) -> None:
        for name, value in zip(self.inputs, arrays, strict=True):
            if name in self.text.conditions and getattr(value, "dtype", np.dtype(type(value))) != np.bool_:
                what = f"dtype {value.dtype}" if isinstance(value, np.ndarray) else type(value).__name__
                raise DtypeError(f"{self.name}: {name} must be a bool tensor, got {what}")

    def _by_formula(self, plan: Plan) -> Callable[..., Array]:
        """The formula over NumPy arrays, all inputs in the dtype of the result."""
        settings = {n: v for n, v in zip(self.attributes, plan.attrs, strict=True) if n in self.text.parameters}
        reduction, formula, dtype, shape = self._reduction(plan), self.formula, plan.dtype, plan.shape
        names, masks = self.inputs, [name in self.text.conditions for name in self.inputs]

        def forward(x: Sequence[Any], a: Sequence[Any]) -> Array:
            with np.errstate(all="ignore"):
                values = {name: _cast(value, dtype, mask) for name, value, mask in zip(names, x, masks, strict=True)}
                y = np.asarray(formula(**values, **settings)).astype(dtype, copy=False)
                if reduction == "none":
                    return y if y.shape == shape else np.broadcast_to(y, shape).copy()
                return np.asarray(y.sum() / np.asarray(y.size, dtype) if reduction == "mean" else y.sum(), dtype)

        return forward

    def _reduction(self, plan: Plan) -> str:
        return plan.attrs[self.attributes.index("reduction")] if self.reduces else "none"

    # ---- backward

    def gradient_scale(self, plan: Plan) -> float | None:
        if self._reduction(plan) != "mean":
            return None
        size = math.prod(plan.shape)
        return 1 / size if size else math.nan

    def array_rule(self, record: Record, k: int) -> Callable[[Array, Sequence[Any], Sequence[Any]], Array]:
        plan, rule = record.plan, record.rule(k)
        assert rule.text is not None
        shape, dtype = target = record.targets[k]
        whole = target == (plan.shape, plan.dtype)
        reduced = self._reduction(plan) != "none"
        if rule.text.is_identity and whole and not reduced:
            return lambda g, s, a: g
        sources = [
            Source(name, "g" if name == "g" else "s", record.slot(name), self._spec_of(plan, name))
            for name in rule.needs
            if name not in self.attributes
        ]
        if reduced:
            one = Source("g", "g", 0, ((), dtype), self.gradient_scale(plan) or 1.0)
            sources = [one if source.name == "g" else source for source in sources]
        run = self._by_kernel("g, s, a", rule.text, sources, plan, plan.shape, "none")
        if run is None:
            return self._by_cast_formula(record, k)
        return run if whole else self._summed(run, shape, dtype)

    @staticmethod
    def _summed(run: Callable[..., Array], shape: tuple[int, ...], dtype: np.dtype[Any]) -> Callable[..., Array]:
        """A rule's loop, and the sum over the axes along which its input was broadcast."""

        def rule(g: Array, s: Sequence[Any], a: Sequence[Any]) -> Array:
            return sum_to(run(g, s, a), shape).astype(dtype, copy=False)  # type: ignore[no-any-return]

        rule.loop, rule.summed = run.loop, True  # type: ignore[attr-defined]
        return rule

    def _spec_of(self, plan: Plan, name: str) -> Any:
        return (plan.shape, plan.dtype) if name in ("g", "y") else plan.specs[self.inputs.index(name)]

    def _by_cast_formula(self, record: Record, k: int) -> Callable[..., Array]:
        """The rule over NumPy arrays, all of them in the dtype of the result."""
        formula = record.formula(k)
        dtype, shape = record.plan.dtype, record.plan.shape
        masks = [i < len(self.inputs) and self.inputs[i] in self.text.conditions for i in record.keep]

        def rule(g: Array, saved: Sequence[Any], live: Sequence[Any]) -> Array:
            with np.errstate(all="ignore"):
                values = [_cast(value, dtype, mask) for value, mask in zip(saved, masks, strict=True)]
                return record.fit(k, np.broadcast_to(formula(g, values, live), shape))  # type: ignore[no-any-return]

        return rule

    # ---- generated loops

    def kernel_source(self, argument: str | None = None, /, **settings: Any) -> str:
        """The text that is compiled: the loop made of the formula, or by the name of an argument that of its backward rule.

        It is the loop for arrays of one shape in the default float dtype, with settings as in a call and all else at its default; other
        dtypes and ways to broadcast have loops of their own. Of sin, cos, tan and fmod there are two, the first for small arguments.

        Errors: ArgumentError if the argument has no rule, if a setting is missing or unknown, and where no loop is made: of a gradient
        that goes through as it is, of a power that is no product (NumPy has the better one), and with MINIGRAD_KERNELS=numpy.

        >>> print(mg.sigmoid.kernel_source("x").partition("def ")[2])
        kernel_sigmoid_backward(out, x_g, x_y):
            for i in range(out.size):
                out[i] = x_g[i] * (x_y[i] * (T(1) - x_y[i]))
        """
        where = f"{self.name}.kernel_source"
        if argument is not None and argument not in self.rules:
            rules = ", ".join(self.rules) or "nothing"
            raise ArgumentError(f"{where}: no backward rule for {argument!r}; there are rules for {rules}")
        if not kernels_enabled():
            raise ArgumentError(f"{where}: no loop is made, MINIGRAD_KERNELS=numpy says so")
        plan = self._plain_plan(argument, settings)
        run = plan.forward if argument is None else plan.record(1 << self.inputs.index(argument)).rules[0]
        if not hasattr(run, "loop"):
            unchanged = argument is not None and self.rules[argument].text.is_identity  # type: ignore[union-attr]
            why = "the gradient goes through as it is" if unchanged else "NumPy computes powers that are no products"
            raise ArgumentError(f"{where}: no loop is made, {why}")
        made: Loop = run.loop
        return "\n".join(loop_sources(made.text, made.operands, made.constants, plan.dtype.name, made.reduction)).rstrip()

    def _plain_plan(self, argument: str | None, settings: Mapping[str, Any]) -> Plan:
        """The plan of a call with these settings on arrays of one shape; inputs other than the argument may be at their defaults."""
        given = {name: self.default(name) for name in self.attributes} | dict(settings)
        for name, value in given.items():
            if name not in self.attributes or value is inspect.Parameter.empty:
                problem = (
                    "missing" if name in self.attributes else f"unknown; the settings are {', '.join(self.attributes) or 'none'}"
                )
                raise ArgumentError(f"{self.name}.kernel_source: setting {name!r} is {problem}")
        arrays = [
            np.ones(2, np.bool_ if name in self.text.conditions else get_default_dtype())
            if name == argument or self.default(name) is inspect.Parameter.empty
            else self.default(name)
            for name in self.inputs
        ]
        plan = Plan(self, arrays, self.checked(arrays, tuple(given.values())))
        self.plan_forward(plan, arrays)
        return plan

    def _by_kernel(
        self,
        parameters: str,
        text: Text,
        sources: Sequence[Source],
        plan: Plan,
        shape: tuple[int, ...],
        reduction: str,
    ) -> Callable[..., Array] | None:
        """A function of `parameters` that runs the rule's loop over what the sources say."""
        if not (kernels_enabled() and compilable(plan.dtype)):
            return None
        layout = _Layout(plan.shape)
        operands: list[Operand] = []
        terms: list[str] = []
        constants: dict[str, Any] = {}
        given: list[Source | float] = list(sources)
        for source in sources:
            operand, term = layout.meet(source, plan.dtype, source.name in text.conditions)
            operands.append(operand)
            terms.append(term)
        for name, value in zip(self.attributes, plan.attrs, strict=True):
            if name in text.parameters and name in self.static:
                constants[name] = value
            elif name in text.parameters and name != "reduction":
                operands.append(Operand(name, "s"))
                terms.append(repr(float(value)))
                given.append(float(value))
        kernel = loop(text, operands, constants, plan.dtype.name, reduction)
        if kernel is None:
            return None
        sizes = () if layout.rows is None or layout.columns is None else (layout.rows, layout.columns)
        body = f"out = empty(shape, dtype)\nkernel(out.ravel(), {', '.join([*terms, *map(str, sizes)])})\nreturn out"
        run = closure(parameters, body, kernel=kernel, shape=shape, dtype=plan.dtype, full=plan.shape)
        run.loop = Loop(kernel, text, operands, given, constants, plan.shape, sizes, reduction)  # type: ignore[attr-defined]
        return run


class Source(NamedTuple):
    """Where a loop's operand comes from: array `number` of a sequence "x" or "s", or "g", an array itself; its (shape, dtype),
    None for a number. With a factor it is one number, and counts that many times."""

    name: str
    parameter: str
    number: int
    spec: Any
    factor: float | None = None

    @property
    def place(self) -> str:
        return self.parameter if self.parameter == "g" else f"{self.parameter}[{self.number}]"


class Loop(NamedTuple):
    """What the loop of a rule was made from, for who runs it otherwise, or makes one of several. For each operand its source, or the
    number that it is; `shape` is that of the elements; `sizes` those of the matrix that the loop runs over, if an operand repeats over
    rows or columns of one."""

    kernel: Callable[..., Any]
    text: Text
    operands: Sequence[Operand]
    given: Sequence[Source | float]
    constants: Mapping[str, Any]
    shape: tuple[int, ...]
    sizes: tuple[int, ...]
    reduction: str


def _cast(value: Any, dtype: np.dtype[Any], mask: bool) -> Any:
    if isinstance(value, int) and dtype.kind in "iu":
        return np.asarray(value).astype(dtype)[()]  # wraps around where it does not fit: 255 for −1 in uint8
    return value if mask or not isinstance(value, np.ndarray) else value.astype(dtype, copy=False)


class _Layout:
    """How operands meet the output of a loop: in full, as one scalar, repeated over rows or over columns of one matrix view of it.

    Whatever fits none of these is broadcast to a full copy.
    """

    def __init__(self, shape: tuple[int, ...]):
        self.shape = shape
        self.rows: int | None = None
        self.columns: int | None = None

    def meet(self, source: Source, dtype: np.dtype[Any], mask: bool) -> tuple[Operand, str]:
        """The operand as the kernel sees it, and its argument as text."""
        name, place = source.name, source.place
        if source.factor is not None:
            return Operand(name, "s", mask), f"float({place}.item() * {source.factor!r})"
        if source.spec is None:
            return Operand(name, "s", mask), place if mask else f"float({place})"
        own, own_dtype = source.spec
        letter = self._letter(own)
        if letter == "s":
            return Operand(name, "s", mask), f"{place}.item()"
        cast = "" if mask or own_dtype == dtype else ".astype(dtype)"
        if letter == "?":
            return Operand(name, "f", mask), f"broadcast_to({place}, full){cast}.ravel()"
        return Operand(name, letter, mask), f"{place}{cast}.ravel()"

    def _letter(self, own: tuple[int, ...]) -> str:
        shape, size, total = self.shape, math.prod(own), math.prod(self.shape)
        if own == shape:
            return "f"
        if size == 1:
            return "s"
        if size == 0 or len(own) > len(shape):
            return "?"
        stripped = own[next(i for i, n in enumerate(own) if n != 1) :]
        if stripped == shape[len(shape) - len(stripped) :]:
            return self._matrix("r", total // size, size)
        leading = len(own) - next(i for i, n in enumerate(reversed(own)) if n != 1)
        if len(own) == len(shape) and own[:leading] == shape[:leading]:
            return self._matrix("c", size, total // size)
        return "?"

    def _matrix(self, letter: str, rows: int, columns: int) -> str:
        if (self.rows, self.columns) not in ((None, None), (rows, columns)):
            return "?"
        self.rows, self.columns = rows, columns
        return letter


@overload
def elementwise(function: Callable[P, Any], /) -> Elementwise[P]: ...
@overload
def elementwise(
    *, integers: bool = False, static: Sequence[str] = (), labels: Sequence[str] = ()
) -> Callable[[Callable[P, Any]], Elementwise[P]]: ...
def elementwise(function: Any = None, /, *, integers: bool = False, static: Sequence[str] = (), labels: Sequence[str] = ()) -> Any:
    """Declare an operation that maps over elements, in plain notation.

    The function is straight-line assignments and one return, of arithmetic, comparisons and the notation's functions (`mg.notation`).
    Parameters without default are inputs (Tensors that broadcast, or numbers), the others are settings; an annotation decides instead
    of that, as it speaks of Tensors or not. A setting named `reduction`
    ("mean", "sum" or "none") makes it a loss, whose kernel sums as it goes; with `inplace=True`, if that is a setting, the result takes
    the first input's place. `.backward(argument)` then declares one rule per input, whose parameters name what it needs: `g`, the output
    `y`, inputs and settings.

        @elementwise
        def swish(x, beta=1.0):
            return x / (1 + exp(-beta * x))

        @swish.backward("x")
        def _(g, x, beta):
            s = 1 / (1 + exp(-beta * x))
            return g * s * (1 + beta * x * (1 - s))

    `integers`: integer inputs give integer results (else the default float dtype). `static`: settings baked into the compiled loop
    instead of being handed to it. `labels`: inputs whose integers do not count for the dtype of the result.
    Errors: RuleError if the text is anything else.
    """

    def declare(function: FunctionType) -> Elementwise[Any]:
        return registered(Elementwise(function, integers=integers, static=static, labels=labels))  # type: ignore[no-any-return]

    return declare if function is None else declare(function)
