"""What is worked out once per signature: how to run an operation, and how to record it and call its rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import RuleError
from ..kernels.arrays import sum_to
from .check import broadcasts_to
from .tensor import Array, stamp_of

if TYPE_CHECKING:
    from .op import Op, Rule

__all__ = ["Plan", "Record", "closure"]


def closure(parameters: str, body: str, **free: Any) -> Callable[..., Any]:
    """A function of `parameters` with a body of a few lines, over the free names given.

    Argument lists differ from signature to signature; written out, a call costs no loop over them.
    """
    return _template(parameters, body, tuple(free))(**free)  # type: ignore[no-any-return]


@lru_cache(maxsize=4096)
def _template(parameters: str, body: str, free: tuple[str, ...]) -> Callable[..., Any]:
    lines = "".join(f"        {line}\n" for line in body.splitlines())
    scope: dict[str, Any] = {name: getattr(np, name) for name in ("asarray", "broadcast_to", "empty", "errstate", "inf", "nan")}
    source = f"def make({', '.join(free)}):\n    def run({parameters}):\n{lines}    return run\n"
    exec(compile(source, str(Path(__file__).with_name("<closure>")), "exec"), scope)
    return scope["make"]  # type: ignore[no-any-return]


class Plan:
    """How to run an operation on one signature of shapes, dtypes and attributes. `forward(arrays, live)` does it."""

    __slots__ = (
        "attrs",
        "by_kernel",
        "differentiable",
        "dtype",
        "forward",
        "numbers",
        "op",
        "records",
        "residual",
        "shape",
        "specs",
        "view",
    )

    def __init__(self, operation: Op[Any], arrays: Sequence[Any], attrs: tuple[Any, ...]):
        self.op = operation
        self.attrs = attrs
        self.specs = [(a.shape, a.dtype) if isinstance(a, np.ndarray) else None for a in arrays]
        self.numbers = {i for i, a in enumerate(arrays) if isinstance(a, (int, float))}
        self.records: dict[int, Record] = {}
        self.view = operation.view
        self.by_kernel = self.residual = False
        self.differentiable = bool(operation.rules) and any(spec is not None and spec[1].kind == "f" for spec in self.specs)
        self.shape: tuple[int, ...] = ()
        self.dtype: Any = None
        self.forward: Callable[..., Any] = operation.formula

    def record(self, tracked: int) -> Record:
        """How to record a call in which the inputs of the bit mask `tracked` require grad."""
        self.records[tracked] = Record(self, [i for i in range(len(self.specs)) if tracked >> i & 1])
        return self.records[tracked]


class Record:
    """What a step keeps and how its rules are called, for one plan and one set of inputs that require grad.

    `keep` are positions: inputs in order, then the output, then the residual of a kernel. Beside what the rules need, these are those of
    Python numbers, so that who looks at a step knows what it computed; `needs_saved` says whether the rules need any of it.
    """

    def __init__(self, plan: Plan, tracked: list[int]):
        operation = plan.op
        self.plan = plan
        self.tracked = tracked
        self.output = len(plan.specs)
        self._rules = [operation.rule_of(i) for i in tracked]
        needs = {name for rule in self._rules for name in (*rule.needs, *(rule.kernel_needs if plan.by_kernel else ()))}
        self._positions = operation.value_positions(self.output)
        needed = {i for name in needs for i in self._positions.get(name, ())}
        self.needs_saved = bool(needed)
        self.keep = sorted(needed | plan.numbers)
        self.keep_names = [operation.input_name(i) for i in self.keep if i <= self.output]
        self.guarded = [i for i in self.keep if i < self.output and plan.specs[i] is not None]
        self.keeps_output = self.output in self.keep
        self.targets: list[Any] = [plan.specs[i] for i in tracked]
        self.rules = [operation.array_rule(self, k) for k in range(len(tracked))]
        self.adders = {self.rules[k]: self._adder(k) for k, rule in enumerate(self._rules) if rule.adder is not None}
        self.capture = self._capture()

    def _capture(self) -> Callable[..., Any]:
        """A function of inputs `i` and values `x` (arrays, output, residual): a step's edges, saved values and stamps."""
        edges = "".join(f"i[{n}].step or i[{n}], " for n in self.tracked)
        saved = "".join(f"x[{n}], " for n in self.keep)
        stamps = "".join(f"i[{n}].stamp or stamp_of(i[{n}]), " for n in self.guarded)
        return closure("i, x", f"return ({edges}), ({saved}), ({stamps})", stamp_of=stamp_of)

    def rule(self, k: int) -> Rule:
        return self._rules[k]

    def place(self, name: str) -> str:
        """Where the value of a needed name stands, as text over g (gradient) and s (saved)."""
        if name == "g":
            return "g"
        slots = [f"s[{self.keep.index(i)}]" for i in self._positions[name]]
        return f"[{', '.join(slots)}]" if name == self.plan.op.sequence else slots[0]

    def slot(self, name: str) -> int:
        """The number, among what a step keeps, of the first value of a needed name; of the gradient, 0."""
        return 0 if name == "g" else self.keep.index(self._positions[name][0])

    def _bind(self, k: int, needs: Sequence[str]) -> tuple[str, list[Any]]:
        """A rule's arguments as text over g (gradient), s (saved), a (live attributes) and c (constants), with those constants."""
        operation = self.plan.op
        constants: list[Any] = []
        terms = []
        for name in needs:
            if name == "g" or name in self._positions:
                terms.append(self.place(name))
            elif name in operation.live:
                terms.append(f"a[{operation.live.index(name)}]")
            else:
                terms.append(f"c[{len(constants)}]")
                constants.append(self._constant(k, name))
        return ", ".join(terms), constants

    def _constant(self, k: int, name: str) -> Any:
        plan, operation = self.plan, self.plan.op
        if name == "position":
            return self.tracked[k]
        if name in operation.attributes:
            return plan.attrs[operation.attributes.index(name)]
        argument = name.removesuffix("_shape")
        if argument == operation.sequence:
            return [spec[0] for spec in plan.specs if spec is not None]
        spec = plan.specs[operation.inputs.index(argument)]
        return () if spec is None else spec[0]

    def named(self, k: int, needs: Sequence[str], g: Any, saved: Sequence[Any]) -> dict[str, Any]:
        """What a rule names, by name: the gradient, saved values, constants; but for live attributes."""
        at = {name: [saved[self.keep.index(i)] for i in places if i in self.keep] for name, places in self._positions.items()}
        given = {name: values if name == self.plan.op.sequence else values[0] for name, values in at.items() if values}
        return {
            name: g if name == "g" else given[name] if name in given else self._constant(k, name)
            for name in needs
            if name not in self.plan.op.live
        }

    def formula(self, k: int) -> Callable[..., Any]:
        """The rule as written, for Tensors or arrays alike: (gradient, saved, live attributes) to gradient."""
        rule = self._rules[k]
        terms, constants = self._bind(k, rule.needs)
        call = closure("g, s, a", f"return f({terms})", f=rule.function, c=constants)
        scale = self.plan.op.gradient_scale(self.plan)
        return call if scale is None else lambda g, s, a: call(g * scale, s, a)

    def _adder(self, k: int) -> Callable[..., None]:
        """What adds the rule's gradient to a sum of gradients: (sum, gradient, saved, live attributes) to nothing."""
        terms, constants = self._bind(k, self._rules[k].adder_needs)
        return closure("total, g, s, a", f"f(total, {terms})", f=self._rules[k].adder, c=constants)

    def by_formula(self, k: int) -> Callable[..., Array]:
        """The rule as written, over arrays, fitted to the input it belongs to."""
        formula = self.formula(k)

        def rule(g: Array, saved: Sequence[Any], live: Sequence[Any]) -> Array:
            with np.errstate(all="ignore"):
                return self.fit(k, np.asarray(formula(g, saved, live)))  # type: ignore[no-any-return]

        return rule

    def fit(self, k: int, gradient: Any) -> Any:
        """A rule's result, array or Tensor, summed where its input was broadcast, checked, and cast to the input's dtype."""
        shape, dtype = self.targets[k]
        if gradient.shape != shape and self.plan.op.broadcasts and broadcasts_to(shape, gradient.shape):
            gradient = sum_to(gradient, shape)
        if gradient.dtype != dtype:
            gradient = gradient.astype(dtype) if isinstance(gradient, np.ndarray) else gradient.to(dtype)
        return self._inspect(k, gradient)

    def by_kernel(self, k: int) -> Callable[..., Array]:
        """The rule's kernel. Its result must have shape and dtype of the input: the next kernel relies on it."""
        rule, (shape, dtype) = self._rules[k], self.targets[k]
        terms, constants = self._bind(k, rule.kernel_needs)
        body = f"out = f({terms})\nreturn out if out.shape == shape and out.dtype is dtype else inspect(k, out)"
        return closure("g, s, a", body, f=rule.kernel, c=constants, shape=shape, dtype=dtype, inspect=self._inspect, k=k)

    def _inspect(self, k: int, gradient: Any) -> Any:
        shape, dtype = self.targets[k]
        if (gradient.shape, gradient.dtype) == (shape, dtype):
            return gradient
        operation, name = self.plan.op, self.plan.op.input_name(self.tracked[k])
        hint = ""
        if gradient.shape == shape[::-1] != shape:
            hint = ": it is transposed"
        elif shape != gradient.shape and broadcasts_to(shape, gradient.shape):
            hint = ": the rule lacks the sum over the axes along which the input was broadcast"
        raise RuleError(
            f"{operation.name}: the gradient of {name} has shape {gradient.shape} and dtype {gradient.dtype}, "
            f"{name} itself {shape} and {dtype}{hint}"
        )
