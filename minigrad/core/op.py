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
from ..kernels.lift import Text
from .check import NUMPY_WORDS, check_kind, checked_dtype
from .engine import apply
from .plan import Plan, Record, closure
from .tensor import Array, Tensor

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
    for operation in Op.instances:
        operation.plans.clear()


def get_default_dtype() -> np.dtype[Any]:
    """The current default floating-point dtype."""
    return _default_dtype


class Rule:
    """The backward rule of one argument: what its parameters name is what it needs."""

    __slots__ = ("function", "kernel", "kernel_needs", "needs", "text")

    def __init__(self, function: FunctionType, text: Text | None):
        self.function: Callable[..., Any] = function
        self.needs = tuple(inspect.signature(function).parameters)
        self.text = text
        self.kernel: Callable[..., Any] | None = None
        self.kernel_needs: tuple[str, ...] = ()


class Op(Generic[P]):
    """An operation. Calling it runs it on Tensors; `formula` is what was written, for floats and arrays.

    The parameters of the forward are inputs (Tensors or numbers) or attributes (settings). A parameter is an attribute if its
    annotation does not speak of Tensors, or, without annotation, if it has a default or is keyword-only. An input whose default is
    None may be absent; another default takes the place of None. A last parameter `inplace` is neither: where it is True, the result
    takes the first input's place.
    """

    instances: ClassVar[list[Op[Any]]] = []
    overwrite: ClassVar[Callable[..., Tensor]]  # takes the place of `apply` where inplace=True; `ops` sets it

    def __init__(
        self,
        function: FunctionType,
        *,
        live: Sequence[str] = (),
        view: bool = False,
        broadcasts: bool = False,
    ):
        self.formula: Callable[..., Any] = function
        self.live = tuple(live)
        self.view = view
        self.broadcasts = broadcasts
        self.rules: dict[str, Rule] = {}
        self._callers: dict[tuple[Any, ...], Callable[..., Any]] = {}
        self._readers: dict[tuple[type, ...], Callable[..., Any]] = {}
        self.read: Callable[[Sequence[Any], tuple[Any, ...]], Any] = lambda inputs, attrs: None
        self.plans: dict[tuple[Any, ...], Plan] = {}
        self.guard: Callable[..., None] | None = None
        self._variants: dict[str, Callable[..., Any]] = {}
        self._for_none: dict[str, Callable[[Any], Any]] = {}
        self._check: Callable[..., Any] | None = None
        self._kernel: Callable[..., Any] | None = None
        self._kernel_when: Callable[..., bool] | None = None
        self._kernel_residual = False
        update_wrapper(self, function)
        self.name = function.__name__
        self._read_signature(function)

    def _read_signature(self, function: FunctionType) -> None:
        self.parameters: list[str] = []
        self.inputs: list[str] = []
        self.attributes: list[str] = []
        self.sequence: str | None = None
        self._tensors_only: list[str] = []
        self._several: set[str] = set()
        self._annotations: dict[str, str] = {}
        self._defaults: dict[str, Any] = {}
        self._positional = 0
        for p in inspect.signature(function).parameters.values():
            if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
                raise RuleError(f"{self.name}: an operation has a fixed list of parameters, not *{p.name}")
            note = "" if p.annotation is p.empty else str(p.annotation)
            bare = not note and p.default is p.empty and p.kind != p.KEYWORD_ONLY
            if "Tensor" in note or "Operand" in note or bare:
                self.inputs.append(p.name)
                if "Sequence" in note:
                    self.sequence = p.name
                elif "Operand" not in note and p.default is p.empty:
                    self._tensors_only.append(p.name)
            elif p.name not in (*self.live, "inplace"):
                self.attributes.append(p.name)
                if "Sequence" in note or "Dims" in note or "tuple" in note:
                    self._several.add(p.name)
            self.parameters.append(p.name)
            self._annotations[p.name] = note
            self._defaults[p.name] = p.default
            self._positional += p.kind != p.KEYWORD_ONLY
        # The number of arguments of a call that needs no binding.
        bare = self.inputs == [name for name in self.parameters if name != "inplace"] and self.sequence is None
        self._bare = len(self.inputs) if bare else -1

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

    def variant(self, keyword: str) -> Callable[[F], F]:
        """Declare the function that takes over calls with a keyword of its own, `add(a, b, alpha=2)`: the plain call stays lean."""

        def declare(function: F) -> F:
            self._variants[keyword] = function
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
        self.guard = function
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

    def _make_caller(self, count: int, keywords: tuple[str, ...]) -> Callable[..., Any]:
        """For calls with `count` positional arguments and these keywords: a function that sorts them and runs the operation."""
        variant = next((self._variants[keyword] for keyword in keywords if keyword in self._variants), None)
        if variant is not None:
            return self._callers.setdefault((count, *keywords), lambda args, kwargs: variant(*args, **kwargs))
        if count > self._positional:
            raise InputTypeError(f"{self.name}: takes {self._positional} positional arguments, got {count} ({self._usage()})")
        source = {name: f"args[{i}]" for i, name in enumerate(self.parameters[:count])}
        for keyword in keywords:
            name = keyword if keyword in self.parameters else self._alias(keyword)
            if name is None:
                raise InputTypeError(f"{self.name}: unexpected argument {keyword!r} ({self._usage()})")
            if name in source:
                raise InputTypeError(f"{self.name}: argument {name!r} was given twice")
            source[name] = f"kwargs[{keyword!r}]"
        for name in self.parameters:
            if name not in source and self._defaults[name] is inspect.Parameter.empty:
                raise InputTypeError(f"{self.name}: argument {name!r} is missing ({self._usage()})")
            if name != "inplace":
                source.setdefault(name, f"defaults[{name!r}]")
        inputs = "".join(f"{source[name]}, " for name in self.inputs)
        if self.sequence is not None:
            inputs = f"*sequence({source[self.sequence]}),"
        settings = {name: f"freeze({source[name]})" if name in self._several else source[name] for name in self.attributes}
        for name in self._for_none:
            settings[name] = f"for_none[{name!r}]({source[self.inputs[0]]}) if {source[name]} is None else {settings[name]}"
        attrs = "".join(f"{settings[name]}, " for name in self.attributes)
        lives = "".join(f"{source[name]}, " for name in self.live)
        run = f"(op.overwrite if {source['inplace']} else apply)" if "inplace" in source else "apply"
        body = f"return {run}(op, ({inputs}), ({attrs}), ({lives}))"
        free = {"op": self, "apply": apply, "defaults": self._defaults, "sequence": self._sequence, "freeze": _freeze}
        free["for_none"] = self._for_none
        call = closure("args, kwargs", body, **free)
        return self._callers.setdefault((count, *keywords), call)

    def _alias(self, key: str) -> str | None:
        """The parameter that another library's word means: input and other for the first two inputs, axis and keepdims."""
        if key in ("input", "other"):
            return dict(zip(("input", "other"), self.inputs, strict=False)).get(key)
        name = NUMPY_WORDS.get(key)
        return name if name in self.parameters else None

    def _usage(self) -> str:
        """The signature without annotations: softmax(x, dim, dtype=None)."""
        plain = [p.replace(annotation=inspect.Parameter.empty) for p in inspect.signature(self.formula).parameters.values()]
        return f"{self.name}{inspect.Signature(plain)}"

    def _sequence(self, value: Any) -> Sequence[Any]:
        if isinstance(value, Tensor) or not isinstance(value, Sequence):
            raise InputTypeError(f"{self.name}: {self.sequence} must be a list or tuple of Tensors, got {type(value).__name__}")
        if not value:
            raise ArgumentError(f"{self.name}: {self.sequence} must hold at least one Tensor, got none")
        return value

    def accept(self, inputs: Sequence[Any]) -> list[Any]:
        """Inputs with arrays and NumPy scalars made into what `apply` takes, and None into the default. Refuses the rest."""
        converted: list[Any] = []
        for position, value in enumerate(inputs):
            if isinstance(value, (Tensor, bool, int, float)) and not isinstance(value, np.generic):
                converted.append(value)
                continue
            if value is None and self.sequence is None:
                default = self._defaults[self.inputs[position]]
                if default is not inspect.Parameter.empty:
                    converted.append(default)
                    continue
            if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
                value = Tensor(np.asarray(value, value.dtype.newbyteorder("=")))
            elif isinstance(value, np.generic) and value.dtype.kind in "fiub":
                value = value.item()
            else:
                raise InputTypeError(
                    f"{self.name}: {self.input_name(position)} must be a Tensor or a number, got {type(value).__name__}"
                    + ("; make it one with mg.tensor(...)" if isinstance(value, (list, tuple, np.ndarray)) else "")
                )
            converted.append(value)
        if not any(isinstance(value, Tensor) for value in converted):
            kinds = ", ".join(type(value).__name__ for value in inputs)
            raise InputTypeError(f"{self.name}: needs a Tensor, got {kinds}; make one with mg.tensor(...)")
        return converted

    # ---- names and positions

    def input_name(self, position: int) -> str:
        """The name of an input (or of the output) for messages."""
        if self.sequence is not None:
            return f"{self.sequence}[{position}]"
        return self.inputs[position] if position < len(self.inputs) else "its output"

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

    def reader(self, inputs: Sequence[Any]) -> Callable[..., Any]:
        """The reader for inputs of these classes, which from now on is tried first."""
        kinds = tuple(map(type, inputs))
        if kinds not in self._readers:
            if len(self._readers) >= _MAX_PLANS:
                self._readers.clear()
            self._readers[kinds] = self._make_reader(kinds)
        self.read = self._readers[kinds]
        return self.read

    def _make_reader(self, kinds: tuple[type, ...]) -> Callable[..., Any]:
        """A function of inputs and attributes: arrays, signature, and the bit mask of the inputs that require grad.

        None if the inputs are not of these classes.
        """
        tensors = [i for i, kind in enumerate(kinds) if issubclass(kind, Tensor)]
        names = [f"t{i}" for i in range(len(kinds))]
        fits = " and ".join(f"{name}.__class__ is k{i}" for i, name in enumerate(names))
        arrays = "".join(f"x{i} = t{i}.array\n" for i in tensors)
        values = ", ".join(f"x{i}" if i in tensors else f"t{i}" for i in range(len(kinds)))
        signature = "".join(f"x{i}.shape, x{i}.dtype, " if i in tensors else f"k{i}, " for i in range(len(kinds)))
        tracked = " + ".join(f"{1 << i} * t{i}._requires_grad" for i in tensors)
        body = (
            f"if len(inputs) != {len(kinds)}:\n    return None\n"
            f"{', '.join(names)}, = inputs\n"
            f"if not ({fits}):\n    return None\n"
            f"{arrays}return [{values}], (attrs, {signature}), {tracked}"
        )
        return closure("inputs, attrs", body, **{f"k{i}": kind for i, kind in enumerate(kinds)})

    def make_plan(self, key: tuple[Any, ...], arrays: Sequence[Any], attrs: tuple[Any, ...]) -> Plan:
        """Check a signature and work out how to run it."""
        for name, array in zip(self.inputs, arrays, strict=False):
            if name in self._tensors_only and not isinstance(array, np.ndarray):
                raise InputTypeError(f"{self.name}: {name} must be a Tensor, got {type(array).__name__}")
        for name, value in zip(self.attributes, attrs, strict=True):
            if isinstance(value, Tensor):
                raise InputTypeError(f"{self.name}: {name} is a setting, a plain value and no Tensor; use .item()")
            check_kind(self.name, name, value, self._annotations[name])
        if self._check is not None:
            named = dict(zip(self.attributes, attrs, strict=True))
            given = [arrays] if self.sequence else arrays
            named |= self._check(*given, *attrs) or {}
            attrs = tuple(named[name] for name in self.attributes)
        plan = Plan(self, arrays, attrs)
        self.plan_forward(plan, arrays)
        if len(self.plans) >= _MAX_PLANS:
            self.plans.clear()
        self.plans[key] = plan
        return plan

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


def _freeze(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


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
