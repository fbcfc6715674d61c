"""The function under test: the point where it is checked, its outputs there, and its analytic and numeric derivatives.

The Jacobian of one output by one input is kept as a matrix, input elements × output elements. Differences are taken by the distance
that the input really moved, (x + h) − (x − h) as floats: large inputs cost no accuracy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core import Tensor, enable_grad, grad
from ..core.tensor import Array
from ..errors import ArgumentError, DtypeError, InputTypeError, MinigradError, RuleError

__all__ = ["Check", "GradcheckError", "as_outputs", "difference"]


class GradcheckError(MinigradError, RuntimeError, AssertionError):
    """Analytic and numeric gradients disagree; the message says where, by how much, and what that usually means."""


class Check:
    """A function, the point where it is checked, its outputs there, and its analytic and numeric derivatives."""

    def __init__(
        self,
        caller: str,
        func: Callable[..., Any],
        inputs: tuple[Any, ...],
        names: Sequence[str],
        output_names: Sequence[str] | None,
        eps: float,
        rtol: float,
        atol: float,
    ):
        if not eps > 0 or not rtol >= 0 or not atol >= 0:
            raise ArgumentError(f"{caller}: eps must be positive, rtol and atol not negative, got {eps}, {rtol}, {atol}")
        self.caller, self.func, self.inputs, self.names = caller, func, inputs, list(names)
        self.eps, self.rtol, self.atol = eps, rtol, atol
        self.sources = [i for i, x in enumerate(inputs) if isinstance(x, Tensor) and x.requires_grad]
        self._refuse_inputs()
        with enable_grad():
            self.arguments, self.outputs = self.run(inputs)
        self.output_names = output_names or [f"output {i}" if len(self.outputs) > 1 else "output" for i in range(len(self.outputs))]
        self.targets = [i for i, y in enumerate(self.outputs) if y.requires_grad or y.dtype == np.float64]
        for i in self.targets:
            if self.outputs[i].dtype != np.float64:
                raise DtypeError(f"{caller}: {self.output_names[i]} has dtype {self.outputs[i].dtype}; differences need float64")
        self.centre = [self.outputs[i].array.flatten() for i in self.targets]

    def _refuse_inputs(self) -> None:
        if not self.sources:
            raise ArgumentError(
                f"{self.caller}: no input requires grad; make one with mg.tensor(…, dtype=mg.float64, requires_grad=True)"
            )
        for i in self.sources:
            if self.inputs[i].dtype != np.float64:
                raise DtypeError(
                    f"{self.caller}: input {i} ({self.names[i]}) requires grad and must be float64, got {self.inputs[i].dtype}; "
                    "differences of less precise values are mostly rounding"
                )

    def run(self, inputs: Sequence[Any]) -> tuple[list[Any], list[Tensor]]:
        """Copies of the inputs, and the outputs that func makes of them."""
        arguments = [Tensor(x.array.copy("K"), x.requires_grad) if isinstance(x, Tensor) else x for x in inputs]
        return arguments, as_outputs(self.caller, self.func(*arguments))

    def values(self, source: int, array: Array) -> list[Array]:
        """The flat outputs with one input replaced."""
        moved = list(self.inputs)
        moved[self.sources[source]] = Tensor(array, requires_grad=True)
        outputs = self.run(moved)[1]
        return [outputs[i].array.flatten() for i in self.targets]

    def point(self, source: int) -> Array:
        array: Array = self.inputs[self.sources[source]].array
        return array

    def gradients(self, target: int, cotangent: Array) -> list[Array]:
        """The flat analytic gradients of one output, weighted by a flat cotangent, at each checked input."""
        output = self.outputs[self.targets[target]]
        wanted = [self.arguments[i] for i in self.sources]
        if not output.requires_grad:
            return [np.zeros(x.array.size) for x in wanted]
        seed = Tensor(cotangent.reshape(output.shape))
        try:
            found = grad(output, wanted, seed, retain_graph=True, allow_unused=True)
        except RuleError as error:
            raise GradcheckError(f"{self.caller}: {error}") from error
        return [self._flat_gradient(source, g) for source, g in enumerate(found)]

    def _flat_gradient(self, source: int, g: Tensor | None) -> Array:
        x = self.point(source)
        if g is None:
            return np.zeros(x.size)
        name = self.names[self.sources[source]]
        if (g.shape, g.dtype) != (x.shape, x.dtype):
            raise GradcheckError(
                f"{self.caller}: the gradient of {name} has shape {g.shape} and dtype {g.dtype}, "
                f"{name} itself {x.shape} and {x.dtype}"
            )
        return g.array.flatten()

    def move(self, source: int, direction: Array, h: float) -> tuple[Array, Array]:
        """x + h v and x − h v."""
        x = self.point(source)
        step = h * direction.reshape(x.shape)
        plus, minus = x + step, x - step
        if np.array_equal(plus, minus):
            raise ArgumentError(
                f"{self.caller}: a step of {h:g} is lost in rounding next to the values of {self.names[self.sources[source]]} "
                f"(up to {np.abs(x).max():g}); scale the sample down or take a larger eps"
            )
        return plus, minus

    def central(self, source: int, direction: Array, h: float) -> tuple[Array, list[Array]]:
        """How far the input really moved, and how far the outputs did, both over 2 h."""
        plus, minus = self.move(source, direction, h)
        pairs = zip(self.values(source, plus), self.values(source, minus), strict=True)
        return (plus - minus).flatten() / (2 * h), [difference(p, m) / (2 * h) for p, m in pairs]

    def slopes(self, source: int, element: int, target: int, h: float) -> tuple[Array, Array]:
        """The one-sided differences at one input element: forward and backward."""
        x = self.point(source)
        plus, minus = self.move(source, _one_hot(x.size, element), h)
        up, down, here = plus.flat[element] - x.flat[element], x.flat[element] - minus.flat[element], self.centre[target]
        return difference(self.values(source, plus)[target], here) / up, difference(here, self.values(source, minus)[target]) / down

    def numeric(self, source: int, rows: Sequence[int], h: float | None = None) -> list[Array]:
        """The numeric Jacobian of each output, for some elements of the input: matrices of (rows, output elements)."""
        blocks = [np.zeros((len(rows), centre.size)) for centre in self.centre]
        for row, element in enumerate(rows):
            moved, quotients = self.central(source, _one_hot(self.point(source).size, element), h or self.eps)
            for block, quotient in zip(blocks, quotients, strict=True):
                block[row] = quotient / moved[element]
        return blocks

    def analytic(self, target: int, columns: Sequence[int]) -> list[Array]:
        """The analytic Jacobian by each input, for some elements of the output: matrices of (input elements, columns)."""
        blocks = [np.zeros((self.point(source).size, len(columns))) for source in range(len(self.sources))]
        for column, element in enumerate(columns):
            cotangent = _one_hot(self.centre[target].size, element)
            for block, g in zip(blocks, self.gradients(target, cotangent), strict=True):
                block[:, column] = g
        return blocks

    def differs(self, analytic: Array, numeric: Array, scale: Array | float = 0.0) -> Array:
        """Where the two are further apart than the tolerances allow, or not finite."""
        error, limit = np.abs(analytic - numeric), self.atol + self.rtol * np.maximum(np.abs(numeric), scale)
        return np.asarray(~((error <= limit) & np.isfinite(error)))


def as_outputs(caller: str, result: Any) -> list[Tensor]:
    outputs = list(result) if isinstance(result, (tuple, list)) else [result]
    for i, output in enumerate(outputs):
        if not isinstance(output, Tensor):
            raise InputTypeError(
                f"{caller}: func must return a Tensor or a tuple of Tensors; output {i} is {type(output).__name__}"
            )
    return outputs


def _one_hot(size: int, element: int) -> Array:
    out = np.zeros(size)
    out[element] = 1.0
    return out


def difference(a: Array, b: Array) -> Array:
    """a − b, where equal infinities differ by 0."""
    return np.where(a == b, 0.0, a - b)
