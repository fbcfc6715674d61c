"""The record of an operation: a formula, one backward rule per argument, and what is planned for each signature.

`@op` declares an operation in NumPy notation; a hand-written kernel may be attached to its forward and to each rule. For maps over
elements there is `elementwise`, whose loops are generated from the text.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import update_wrapper
from types import FunctionType, MethodType
from typing import Any, ClassVar, Generic, ParamSpec, TypeVar, overload

import numpy as np

from ..errors import ArgumentError, DtypeError, GraphError, InputTypeError, RuleError
from ..kernels.cache import kernels_enabled
from ..kernels.text import Text
from .check import check_kind, checked_dtype
from .engine import apply
from .plan import Plan, Record, closure
from .signature import Signature
from .tensor import Array, Tensor, changes

__all__ = ["Op", "Rule", "get_default_dtype", "op", "set_default_dtype"]

P = ParamSpec("P")
F = TypeVar("F", bound=Callable[..., Any])

_MAX_PLANS = 1024

_default_dtype: np.dtype[Any] = np.dtype(np.float32)


def set_default_dtype(dtype: Any) -> None:
    """The dtype of tensors made from Python floats, and of float results of integer tensors: float32 (at the start) or float64."""
    global _default_dtype
    wanted = checked_dtype("set_default_dtype", dtype)
    if wanted.name not in ("float32", "float64"):
        raise DtypeError(f"set_default_dtype: expected float32 or float64, got {wanted}")
    _default_dtype = wanted
    changes[0] += 1
    for operation in Op.instances:
        operation.plans.clear()


def get_default_dtype() -> np.dtype[Any]:
    """The current default floating-point dtype."""
    return _default_dtype


class Rule:
    """The backward rule of one argument: what its parameters name is what it needs."""

    __slots__ = ("adder", "adder_needs", "function", "kernel", "kernel_needs", "needs", "text")

    def __init__(self, function: FunctionType, text: Text | None):
        self.function: Callable[..., Any] = function
        self.needs = tuple(inspect.signature(function).parameters)
        self.text = text
        self.kernel: Callable[..., Any] | None = None
        self.kernel_needs: tuple[str, ...] = ()
        self.adder: Callable[..., None] | None = None
        self.adder_needs: tuple[str, ...] = ()


class Op(Signature, Generic[P]):
    """An operation. Calling it runs it on Tensors; `formula` is what was written, for floats and arrays."""

    instances: ClassVar[list[Op[Any]]] = []

    def __init__(
        self,
        function: FunctionType,
        *,
        live: Sequence[str] = (),
        view: bool = False,
        broadcasts: bool = False,
    ):
        super().__init__(function, live)
        self.view = view
        self.broadcasts = broadcasts
        self.rules: dict[str, Rule] = {}
        self.plans: dict[tuple[Any, ...], Plan] = {}
        self.guard: Callable[..., None] | None = None
        self.guards_values = False  # whether the guard looks at values, not only at where they come from
        self.finish: Callable[..., None] | None = None
        self.numbers = False  # whether it takes plain numbers alone: the first one is then made a tensor
        self._check: Callable[..., Any] | None = None
        self._kernel: Callable[..., Any] | None = None
        self._kernel_when: Callable[..., bool] | None = None
        self._kernel_residual = False
        update_wrapper(self, function)

    # ---- declaration

    def backward(self, argument: str) -> Callable[[F], F]:
        """Declare the backward rule of an argument. Its parameters name what it needs: `g` the incoming gradient, `y` the output,
        `x_shape` the shape of argument x, `position` the place in a sequence of inputs, else the forward's own arguments."""
        if argument not in self.inputs:
            raise RuleError(f"{self.name}.backward: no input {argument!r}; the inputs are {', '.join(self.inputs)}")

        def declare(function: F) -> F:
            rule = Rule(function, self._rule_text(function))  # type: ignore[arg-type]
            known = {"g", "y", "position", *self.parameters, *(f"{name}_shape" for name in self.inputs)}
            for name in rule.needs:
                if name not in known:
                    raise RuleError(
                        f"{self.name}.backward({argument!r}): unknown parameter {name!r}; a rule may name {', '.join(sorted(known))}"
                    )
            self.rules[argument] = rule
            self.plans.clear()  # made for the rule that this one may replace
            return function

        return declare

    def check(self, function: F) -> F:
        """Declare what a signature must satisfy. Called once per signature with the forward's arguments (look at shapes and dtypes
        only); may return a dictionary of attributes to put in place (a negative dim made positive)."""
        self._check = function
        return function

    def variant(self, key: str | int) -> Callable[[F], F]:
        """Declare the function that takes over calls with a keyword of its own, `add(a, b, alpha=2)`, or with so many arguments by
        position, `where(condition)`: the plain call stays lean."""

        def declare(function: F) -> F:
            self._variants[key] = function
            return function

        return declare

    def for_none(self, attribute: str) -> Callable[[F], F]:
        """Declare what takes the place of None as an attribute: a function of the first input, asked at every such call."""

        def declare(function: F) -> F:
            self._for_none[attribute] = function
            return function

        return declare

    def guarded(self, function: Callable[..., None]) -> Callable[..., None]:
        """Declare what values must satisfy. Called with the inputs before every run."""
        self.guard, self.guards_values = function, True
        return function

    def guarded_graph(self, function: Callable[..., None]) -> Callable[..., None]:
        """The same for what the inputs come from, which is no question to a program that has no graph."""
        self.guard = function
        return function

    def finished(self, function: Callable[..., None]) -> Callable[..., None]:
        """Declare what is called with the live attributes when a backward pass has run the rules of a step."""
        self.finish = function
        return function

    def kernel(self, *, when: Callable[..., bool] | None = None, residual: bool = False) -> Callable[[F], F]:
        """Attach a kernel to the forward, called like it. With `residual` it returns the output and a value for the kernels
        of the rules, which name it `residual`. `when` says for which signatures."""

        def attach(function: F) -> F:
            self._kernel, self._kernel_when, self._kernel_residual = function, when, residual
            return function

        return attach

    def backward_kernel(self, argument: str) -> Callable[[F], F]:
        """Attach a kernel to a rule; its parameters name what it needs, as the rule's do. It runs where the forward's kernel ran."""

        def attach(function: F) -> F:
            self.rules[argument].kernel = function
            self.rules[argument].kernel_needs = tuple(inspect.signature(function).parameters)
            return function

        return attach

    def adds(self, argument: str) -> Callable[[F], F]:
        """Declare how to add a rule's gradient to an array of others, in place, without making it whole: for a rule that fills few
        places of it. The first parameter is that array, in row-major memory; the others name what the rule names."""

        def attach(function: F) -> F:
            self.rules[argument].adder = function
            self.rules[argument].adder_needs = tuple(inspect.signature(function).parameters)[1:]
            return function

        return attach

    def _rule_text(self, function: FunctionType) -> Text | None:
        return None

    # ---- calling

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Tensor:
        if not kwargs and len(args) == self._bare:
            return apply(self, args)
        call = self._callers.get((len(args), *kwargs)) or self._make_caller(len(args), tuple(kwargs))
        return call(args, kwargs)  # type: ignore[no-any-return]

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else MethodType(self, instance)

    def __repr__(self) -> str:
        return f"<op {self._usage()}>"

    def of(self, *args: Any) -> Any:
        """In rules of other operations: the operation on Tensors, the formula on arrays."""
        run: Callable[..., Any] = self if any(isinstance(arg, Tensor) for arg in args) else self.formula
        return run(*args)

    def accept(self, inputs: Sequence[Any]) -> list[Any]:
        if self.numbers and inputs and isinstance(inputs[0], (int, float)) and not any(isinstance(x, Tensor) for x in inputs):
            inputs = [Tensor(np.asarray(inputs[0], _default_dtype if isinstance(inputs[0], float) else None)), *inputs[1:]]
        return super().accept(inputs)

    def kernel_source(self, argument: str | None = None, /, **settings: Any) -> str:
        """Of a map over elements, the text of the loop that is compiled."""
        raise ArgumentError(f"{self.name}.kernel_source: is no map over elements, no loop is made from its formula")

    # ---- names and positions

    def value_positions(self, output: int) -> dict[str, list[int]]:
        """Where a step finds what a rule names: inputs in order, then the output `y`, then the kernel's residual."""
        if self.sequence is not None:
            return {self.sequence: list(range(output)), "y": [output]}
        return {**{name: [i] for i, name in enumerate(self.inputs)}, "y": [output], "residual": [output + 1]}

    def rule_of(self, position: int) -> Rule:
        name = self.sequence or self.inputs[position]
        rule = self.rules.get(name)
        if rule is None:
            raise GraphError(f"{self.name}: has no gradient for {name}; detach() it if that is meant")
        return rule

    # ---- planning

    def make_plan(self, key: tuple[Any, ...], arrays: Sequence[Any], attrs: tuple[Any, ...]) -> Plan:
        """Check a signature and work out how to run it."""
        plan = Plan(self, arrays, self.checked(arrays, attrs))
        self.plan_forward(plan, arrays)
        if len(self.plans) >= _MAX_PLANS:
            self.plans.clear()
        self.plans[key] = plan
        return plan

    def checked(self, arrays: Sequence[Any], attrs: tuple[Any, ...]) -> tuple[Any, ...]:
        """Check a signature; what takes the place of its attributes."""
        for name, array in zip(self.inputs, arrays, strict=False):
            if name in self._tensors_only and not isinstance(array, np.ndarray):
                raise InputTypeError(f"{self.name}: {name} must be a Tensor, got {type(array).__name__}")
        for name, value in zip(self.attributes, attrs, strict=True):
            if isinstance(value, Tensor):
                raise InputTypeError(f"{self.name}: {name} is a setting, a plain value and no Tensor; use .item()")
            check_kind(self.name, name, value, self._annotations[name])
        if self._check is None:
            return attrs
        named = dict(zip(self.attributes, attrs, strict=True))
        named |= self._check(*([arrays] if self.sequence else arrays), *attrs) or {}
        return tuple(named[name] for name in self.attributes)

    def plan_forward(self, plan: Plan, arrays: Sequence[Any]) -> None:
        """Set how the plan runs: by the kernel where there is one for this signature, else by the formula."""
        by_kernel = self._kernel is not None and kernels_enabled()
        if by_kernel and self._kernel_when is not None:
            by_kernel = self._kernel_when(*([arrays] if self.sequence else arrays), *plan.attrs)
        plan.by_kernel, plan.residual = by_kernel, by_kernel and self._kernel_residual
        call = self._call_text(len(arrays))
        if by_kernel:
            body = f"return f({call})"
        elif self.view:
            body = f"return asarray(f({call}))"
        else:
            body = f"with errstate(all='ignore'):\n    return asarray(f({call}))"
        result = dict(zip(self.attributes, plan.attrs, strict=True)).get("dtype")
        if isinstance(result, np.dtype) and result.kind != "f":
            plan.differentiable = False
        plan.forward = closure("x, a", body, f=self._kernel if by_kernel else self.formula, c=plan.attrs)

    def _call_text(self, count: int) -> str:
        """The forward's arguments as text over x (arrays), a (live attributes) and c (attributes)."""
        source = {name: f"x[{i}]" for i, name in enumerate(self.inputs)}
        if self.sequence is not None:
            source = {self.sequence: f"[{', '.join(f'x[{i}]' for i in range(count))}]"}
        source |= {name: f"a[{i}]" for i, name in enumerate(self.live)} | {
            name: f"c[{i}]" for i, name in enumerate(self.attributes)
        }
        positional, named = self.parameters[: self._positional], self.parameters[self._positional :]
        return ", ".join([source[name] for name in positional] + [f"{name}={source[name]}" for name in named])

    def array_rule(self, record: Record, k: int) -> Callable[[Array, Sequence[Any], Sequence[Any]], Array]:
        """The rule over arrays: (gradient, saved, live attributes) to a gradient of the input's shape and dtype."""
        rule = record.rule(k)
        if rule.kernel is not None and record.plan.by_kernel:
            return record.by_kernel(k)
        return record.by_formula(k)

    def gradient_scale(self, plan: Plan) -> float | None:
        """A factor on the incoming gradient (the 1/n of a mean)."""
        return None


def registered(operation: Any) -> Any:
    """The operation, entered in the list of all."""
    Op.instances.append(operation)
    return operation


@overload
def op(function: Callable[P, Any], /) -> Op[P]: ...
@overload
def op(*, live: Sequence[str] = (), view: bool = False, broadcasts: bool = False) -> Callable[[Callable[P, Any]], Op[P]]: ...
def op(function: Any = None, /, *, live: Sequence[str] = (), view: bool = False, broadcasts: bool = False) -> Any:
    """Declare an operation in NumPy notation.

    The function computes the output from arrays and settings; `.backward(argument)` then declares each rule, which must read the same
    for arrays and Tensors (operators, methods that both have, and the notation's functions). `live` names attributes that are no part
    of a signature (an index); `view` says that the output may share the input's memory; `broadcasts` that a rule may return a
    gradient with broadcast axes, to be summed.

        @op
        def scale_rows(x: Tensor, s: Tensor) -> Tensor:
            return x * s[:, None]

        @scale_rows.backward("x")
        def _(g, s):
            return g * s[:, None]
    """

    def declare(function: FunctionType) -> Op[Any]:
        return registered(Op(function, live=live, view=view, broadcasts=broadcasts))  # type: ignore[no-any-return]

    return declare if function is None else declare(function)
