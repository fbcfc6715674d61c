"""Where NaN and infinities were born: in the data, in a parameter, or in the first operation that made them of finite values."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...core import Step, Tensor, Watcher
from ...core.mode import defect, user_line
from ...core.plan import Plan
from ...core.tensor import Array
from ...data import Batch
from ..capture import Capture, Ran
from .places import Places
from .statistics import Birth, Weight

__all__ = ["Births", "finite"]

LARGE = 1e-3
"""Numbers are large from this share of the root of the largest one that their dtype can hold (2e16 in float32): a million products of such
leave its range, and no healthy network comes near."""


def finite(value: Any) -> bool:
    """Whether a Tensor, an array or a number (or None) holds no NaN and no infinity."""
    return defect(_array(value)) is None


def _array(value: Any) -> Array:
    return value.array if isinstance(value, Tensor) else np.asarray(0 if value is None else value)


def _is_nan(value: Any) -> bool:
    return defect(_array(value)) == "NaN"


def _kind(values: Iterable[Any]) -> str:
    """What kind of birth it was: an "overflow" if the numbers were so large that products of them, added up, leave the range of their
    dtype; else the "operation" itself."""
    floats = [array for array in map(_array, values) if array.dtype.kind == "f" and array.size]
    large = any(np.abs(array).max() > LARGE * math.sqrt(np.finfo(array.dtype).max) for array in floats if finite(array))
    return "overflow" if large else "operation"


class Births(Watcher):
    """Looks on beside a capture, and notes the first rule of the backward pass that makes a NaN or an infinity of finite values, and the
    line of code outside this package that each operation was called at; `outside` is the line that called the doctor."""

    def __init__(self, capture: Capture, outside: str):
        self.capture, self.outside = capture, outside
        self.steps: dict[Step, Ran] = {}
        self.lines: dict[int, str] = {}  # by the id of what ran
        self.sources: dict[int, list[Ran]] = {}  # by the id of what ran, what made its inputs
        self.made: dict[int, tuple[Array, Ran]] = {}  # by the id of an array, which is held so that no other gets this id
        self.rule_of: tuple[Ran, str, str] | None = None  # the operation, the input whose gradient it is, and the kind of birth

    def forward(self, plan: Plan, inputs: Sequence[Any], y: Tensor) -> None:
        ran = self.capture.operations[-1]
        self.lines[id(ran)] = user_line()
        arrays = [id(x.array) for x in inputs if isinstance(x, Tensor)]
        self.sources[id(ran)] = [self.made[key][1] for key in arrays if key in self.made]
        self.made[id(y.array)] = y.array, ran
        if y.step is not None:
            self.steps[y.step] = ran

    def rule(self, step: Step, k: int, g: Any, saved: Sequence[Any], gradient: Any) -> None:
        if self.rule_of is None and step in self.steps and not finite(gradient) and finite(g):
            ran = self.steps[step]
            self.rule_of = ran, step.op.input_name(step.record.tracked[k]), _kind((g, *ran.inputs))

    def told(self, batch: Batch, parameters: Iterable[tuple[Tensor, Weight]], places: Places, loss: Tensor | None) -> Birth | None:
        """Where they came up, and how, before they got into the loss, or else into gradients; None if they came up nowhere."""
        names = ["the input", *(f"input {n}" for n in range(2, len(batch.inputs) + 1)), "the target"]
        data = [name for name, x in zip(names, (*batch.inputs, batch.target), strict=True) if not finite(x)]
        if data:
            return Birth("data", "data", f"the data hold them already: {' and '.join(data)}")
        held = [weight for x, weight in parameters if not finite(x)]
        if held:
            more = f", and {len(held) - 1} more" if len(held) > 1 else ""
            return Birth("parameters", held[0].place, f"they stand in the parameters already: {held[0].name}{more}")
        if loss is None or not finite(loss):
            known = None if loss is None else self.made.get(id(loss.array))
            return self._forward([known[1]] if known else self.capture.operations[-1:], places)
        if self.rule_of is None:
            return None
        ran, argument, kind = self.rule_of
        told = f"in the backward pass, the operation {ran.op.name} made them of finite values, as the gradient of its {argument}"
        return self._forward([ran], places) or Birth(kind, _where(ran, places), told + self._line(ran))

    def _forward(self, ends: Sequence[Ran], places: Places) -> Birth | None:
        """The first operation that made some of finite inputs, or else NaN of infinities, or else was handed them, among those from which
        `ends` have their own."""
        led, left = set(), list(ends)
        while left:
            ran = left.pop()
            if id(ran) not in led and not finite(ran.values):
                led.add(id(ran))
                left += self.sources[id(ran)]
        chain = [ran for ran in self.capture.operations if id(ran) in led]
        of_finite = [ran for ran in chain if all(map(finite, ran.inputs))]
        of_infinite = [ran for ran in chain if _is_nan(ran.values) and not any(map(_is_nan, ran.inputs))]
        for made, inputs in ((of_finite, "finite inputs"), (of_infinite, "infinite inputs"), (chain, "inputs that hold some")):
            if made:
                ran = made[0]
                told = f"the operation {ran.op.name} made {defect(ran.values)} of {inputs}{self._line(ran)}"
                return Birth(_kind(ran.inputs), _where(ran, places), told)
        return None

    def _line(self, ran: Ran) -> str:
        """Where it was called, if that says more than where the doctor was."""
        file, _, line = self.lines[id(ran)].rpartition(":")
        return "" if f"{file}:{line}" == self.outside else f" ({Path(file).name}, line {line})"


def _where(ran: Ran, places: Places) -> str:
    return places.layer(ran.layer) if ran.layer else "Loss" if ran.module is None and places.modules else "Model"
