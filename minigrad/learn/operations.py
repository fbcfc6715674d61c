"""Grading an operation: its values, its edges, each of its backward rules, and the whole as part of a graph."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from ..core import Op, Tensor, grad
from ..core.tensor import Array
from ..display import Table
from ..kernels.arrays import sum_to
from ..testing import GradcheckError, gradcheck
from .comparing import (
    Case,
    Mistake,
    agree,
    close,
    compare_edges,
    compare_values,
    copied,
    factor_between,
    known_mistake,
    lost,
    numbers,
    running,
    table,
    untouched,
)
from .exercises import Stage, Wrong

__all__ = ["Operation"]

_SEED = 0
_BESIDE = 1e-6


@dataclass(frozen=True)
class Operation:
    """What an answer that is an operation is held to.

    truth: the right operation, on Tensors. cases: trials of values and gradients. edges: trials where careless formulas fail; `unstable` says
    why they give no finite numbers there, and with `strict` the smallest numbers count. kinks: trials at corners of the function; `at_kink`
    says which side's slope holds there. mistakes: of the formula. rules: of the gradients, by argument; their functions take g and the
    arguments. optional: arguments that need no rule; one that is there is graded.
    """

    truth: Callable[..., Tensor]
    cases: Sequence[Case]
    edges: Sequence[Case] = ()
    kinks: Sequence[Case] = ()
    unstable: str = ""
    strict: bool = False
    at_kink: str = ""
    mistakes: Sequence[Mistake] = ()
    rules: Mapping[str, Sequence[Mistake]] = field(default_factory=dict)
    summed: Mapping[str, str] = field(default_factory=dict)  # why gradients of an argument add up
    optional: Sequence[str] = ()

    def stages(self, answer: Any) -> Iterator[Stage]:
        """What is looked at, in order."""
        yield "an operation with a rule for each argument", partial(self._declared, answer)
        yield "values", partial(self._values, answer, self.cases)
        if self.edges:
            yield "values at the edges", partial(self._values, answer, self.edges, edges=True)
        for argument in self._graded(answer):
            yield f"the gradient of {argument}", partial(self._gradients, answer, argument, self.cases)
        if self.edges:
            yield "gradients at the edges", partial(self._each_gradient, answer, self.edges)
        if self.kinks:
            yield "values and gradients at the kink", partial(self._at_kinks, answer)
        yield "the whole as part of a graph: kernels, float32, finite differences", partial(self._in_a_graph, answer)

    def _graded(self, answer: Op[Any]) -> list[str]:
        """The arguments whose rules are held against the right gradients."""
        floats = [name for name, value in self.cases[0].arguments.items() if _is_float(value)]
        return [name for name in floats if name not in self.optional or name in answer.rules]

    # ---- the answer itself

    def _declared(self, answer: Any) -> None:
        wanted = list(self.cases[0].arguments)
        if not isinstance(answer, Op):
            what = "a plain function" if inspect.isfunction(answer) else f"a {type(answer).__name__}"
            raise Wrong(
                f"This is {what}, no operation: write @mg.elementwise (each element for itself) or @mg.op above the formula, as in the starter."
            )
        if answer.parameters != wanted:
            raise Wrong(
                f"The arguments should be called {', '.join(wanted)}, in this order; here they are {', '.join(answer.parameters)}."
            )
        for argument in self._graded(answer):
            if argument not in answer.rules:
                raise Wrong(f'There is no rule for {argument} yet: @{answer.name}.backward("{argument}") declares one.')

    # ---- values

    def _values(self, answer: Op[Any], cases: Sequence[Case], edges: bool = False) -> None:
        for case in cases:
            given = copied(case.arguments)
            got = numbers(running(lambda given=given: answer.formula(**given), "The formula"), "The result")  # type: ignore[misc]
            untouched(
                case.arguments,
                given,
                "The formula changes its argument {name}. Whoever called it still needs it, and so may a rule: make a new array.",
            )
            if edges:
                compare_edges(got, self._value(case), case, self.mistakes, self.unstable, self.strict)
            else:
                compare_values(got, self._value(case), case, self.mistakes)

    def _value(self, case: Case) -> Array:
        return self.truth(*map(_tensor, case.arguments.values())).array.astype(np.float64)

    # ---- gradients

    def _each_gradient(self, answer: Op[Any], cases: Sequence[Case]) -> None:
        for argument in self._graded(answer):
            self._gradients(answer, argument, cases)

    def _gradients(self, answer: Op[Any], argument: str, cases: Sequence[Case]) -> None:
        for case in cases:
            _Trial(self, answer, argument, case).look()

    def _at_kinks(self, answer: Op[Any]) -> None:
        self._values(answer, self.kinks)
        self._each_gradient(answer, self.kinks)

    # ---- the whole

    def _in_a_graph(self, answer: Op[Any]) -> None:
        case, graded = self.cases[0], self._graded(answer)
        for dtype in (np.float32, np.float64):
            given = [
                Tensor(value.astype(dtype), requires_grad=name in graded) if _is_float(value) else _tensor(value)
                for name, value in case.arguments.items()
            ]
            result = running(lambda given=given: answer(*given), f"On Tensors of {np.dtype(dtype)}, the operation")  # type: ignore[misc]
            if result.dtype != dtype:
                raise Wrong(
                    f"Of {np.dtype(dtype)} it makes {result.dtype}: the result should have the dtype of the input. Arrays that are made anew "
                    f"are float64; .astype({graded[0]}.dtype) fits them in."
                )
        try:
            gradcheck(answer, given)
        except GradcheckError as error:
            raise Wrong(f"gradcheck holds the rules against finite differences, and says: {error}") from error


def _is_float(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "f"


def _tensor(value: Any) -> Any:
    return Tensor(np.array(value)) if isinstance(value, np.ndarray) else value


class _Trial:
    """A rule, run on a case with some incoming gradient."""

    def __init__(self, operation: Operation, answer: Op[Any], argument: str, case: Case):
        self.operation, self.answer, self.argument, self.case = operation, answer, argument, case
        self.rule = answer.rules[argument]
        self.y = np.asarray(running(lambda: answer.formula(**case.arguments), "The formula"))
        size = np.random.default_rng(_SEED).uniform(0.5, 2.0, self.y.shape)
        self.g = np.asarray(size * np.resize([1.0, -1.0, -1.0], self.y.shape))  # both signs, in no step with alternating inputs
        self.wants = self._right(case.arguments)
        self.want = self.wants[argument]

    def _right(self, arguments: Mapping[str, Any]) -> dict[str, Array]:
        """The right gradient of each argument."""
        given = {name: _tensor(value) for name, value in arguments.items()}
        asked = {name: given[name].requires_grad_() for name, value in arguments.items() if _is_float(value)}
        found = grad(self.operation.truth(*given.values()), list(asked.values()), Tensor(self.g))
        return {name: np.zeros(asked[name].shape) if g is None else g.array for name, g in zip(asked, found, strict=True)}

    def run(self, g: Array) -> Array:
        """What the rule makes of an incoming gradient."""
        shapes = {f"{name}_shape": np.shape(value) for name, value in self.case.arguments.items()}
        known = {**self.case.arguments, **shapes, "g": g, "y": self.y}
        given = copied(known)
        what = f"The rule for {self.argument}"
        made = running(lambda: self.rule.function(*(given[name] for name in self.rule.needs)), what)
        untouched(known, given, f"{what} changes {{name}}, which others still need: make a new array.")
        return numbers(made, f"What the rule for {self.argument} returns")

    def look(self) -> None:
        """Errors: Wrong if the gradient is."""
        got = self.run(self.g)
        if self.answer.broadcasts and got.shape != self.want.shape:
            got = sum_to(np.broadcast_to(got, np.broadcast_shapes(got.shape, self.y.shape)), self.want.shape)
        if agree(got, self.want):
            return
        raise Wrong(self._why(got), self._evidence(got))

    def _why(self, got: Array) -> str:
        for reason in (
            self._by_kink,
            self._by_known,
            self._by_shape,
            self._by_edges,
            self._by_use_of_g,
            self._by_factor,
            self._by_other,
            self._by_place,
        ):
            said = reason(got)
            if said:
                return said
        return f"With {self.case.what}, the gradient of {self.argument} is wrong; beside it stand the right numbers."

    # ---- explanations, the first that fits is given

    def _by_kink(self, got: Array) -> str:
        """At a corner, the slope of one side; where the slope is the same on both, any other."""
        if all(self.case is not kink for kink in self.operation.kinks) or got.shape != self.want.shape:
            return ""
        given, name = self.case.arguments, self.argument
        left, right = (self._right({**given, name: given[name] + by})[name] for by in (-_BESIDE, _BESIDE))
        near = partial(np.isclose, atol=1e-5)
        taken = near(got, left) | near(got, right) | (near(left, right) & np.isfinite(got))
        return self.operation.at_kink if taken.all() else ""

    def _by_shape(self, got: Array) -> str:
        want, name = self.want, self.argument
        if got.shape == want.shape:
            return ""
        begin = f"The gradient of {name} has shape {got.shape}, and {name} itself {want.shape}"
        if got.shape == want.shape[::-1] and agree(got.T, want):
            return f"{begin}: this is the transpose of the gradient."
        spread = np.broadcast_shapes(got.shape, self.y.shape) if _fits(got.shape, self.y.shape) else ()
        if spread and got.size > want.size and _fits(want.shape, spread):
            why = self.operation.summed.get(
                name, f"Each element of {name} is used in several outputs, and what they send back adds up"
            )
            hint = "" if agree(sum_to(got, want.shape), want) else " (and the numbers themselves are not right yet)"
            return f"{begin}. {why}: sum over the axes along which it was used{hint}."
        return f"{begin}: a gradient has the shape of what it is the gradient of."

    def _by_edges(self, got: Array) -> str:
        gone = lost(got, self.want)
        if not gone.any():
            return ""
        return (
            f"With {self.case.what}, the gradient of {self.argument} is inf or nan at {gone.sum()} of {got.size} places where it should be "
            "finite: something in the rule overflows, or 0 is divided by 0 or multiplied by inf, or a logarithm or a root is taken of a "
            "negative number."
        )

    def _by_known(self, got: Array) -> str:
        return known_mistake(got, self.operation.rules.get(self.argument, ()), self.g, *self.case.arguments.values())

    def _by_use_of_g(self, got: Array) -> str:
        twice = self.run(2 * self.g)
        if not np.isfinite(got).all() or twice.shape != got.shape or agree(twice, 2 * got) or not got.any():
            return ""
        if agree(twice, got):
            return (
                "The rule does not use g, the gradient that comes in: it gives the slope of this step alone. The chain rule multiplies that "
                "with g, which says how fast the loss grows with y."
            )
        if agree(twice, 4 * got):
            return "The rule multiplies with g twice; the chain rule does it once."
        return "The rule adds something to g, or does more with it than to multiply: twice the g has to give twice the gradient."

    def _by_factor(self, got: Array) -> str:
        factor = factor_between(got, self.want)
        if factor is None:
            return ""
        if abs(factor + 1) < 1e-6:
            return f"The sign is the other way round: where the result grows with {self.argument}, the rule says that it falls."
        if factor == 0:
            return f"The rule says 0 everywhere: that the result does not depend on {self.argument}."
        return f"The gradient of {self.argument} is {factor:.4g} times what it should be, everywhere: a factor is missing, or one too many."

    def _by_other(self, got: Array) -> str:
        for name, other in self.wants.items():
            if name != self.argument and agree(got, other):
                return f"This is the gradient of {name}, not of {self.argument}: the two are swapped."
        return ""

    def _by_place(self, got: Array) -> str:
        """Right in one half of the numbers, wrong in the other."""
        x = self.case.arguments[self.argument]
        if not isinstance(x, np.ndarray) or x.shape != got.shape or got.shape != self.want.shape:
            return ""
        bad = ~close(got, self.want)
        places = {"positive": x > 0, "negative": x < 0, "0": x == 0}
        for name, there in places.items():
            if bad.any() and np.array_equal(bad, there & bad) and bad[there].all() and (~bad).any():
                return f"The gradient is right but where {self.argument} is {name}."
        return ""

    # ---- evidence

    def _evidence(self, got: Array) -> Table | None:
        if got.shape != self.want.shape:
            return None
        columns = {"g": self.g} if self.g.shape == got.shape else {}
        return table(self.case, {**columns, "your rule": got, "right": self.want}, ~close(got, self.want))


def _fits(shape: Sequence[int], other: Sequence[int]) -> bool:
    try:
        np.broadcast_shapes(tuple(shape), tuple(other))
    except ValueError:
        return False
    return True
